"""Files of numpy: loaded without pickles, and brought to three axes.

Shapes: N series, T time steps, C channels.
"""

from pathlib import Path

import numpy as np

from ....errors import InputError

_FEW, _LONG = 8, 1000  # fewer series than that, each longer than that, may be channels of one series


def load_npy(path: Path) -> np.ndarray:
    """The array of an .npy, mapped into memory.

    Raises:
        InputError: a pickle, or damage.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged file raises what its decoder raises
        raise _unreadable(path, "", error) from None


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz by name.

    Raises:
        InputError: pickles, or damage.
    """
    name, arrays = "", {}
    try:
        with path.open("rb") as raw:  # numpy leaves a damaged file open
            file = np.load(raw, allow_pickle=False)
            if isinstance(file, np.ndarray):
                raise ValueError("an .npy file under the name .npz")
            for name in file.files:
                arrays[name] = file[name]
    except Exception as error:  # as above
        raise _unreadable(path, name, error) from None
    return arrays


def _unreadable(path: Path, name: str, error: Exception) -> InputError:
    place = f"{path}: array {name!r}" if name else str(path)
    text = (str(error).splitlines() or [type(error).__name__])[0]
    if any(word in text for word in ("ickle", "Object arrays", "Python objects")):
        return InputError(
            f"{place}: found an array of Python objects (a pickle), expected numbers or texts; write "
            "series of unequal length as one float array filled up with NaN and an array lengths, and "
            "texts with astype(str)"
        )
    return InputError(f"{place}: not a readable array file: {text}; write it again with numpy")


def shaped(x: np.ndarray, place: str, notes: list[str]) -> np.ndarray:
    """Values as (N, T, C), nothing copied; what may be meant in another way goes to ``notes``.

    Raises:
        InputError: no numbers, another number of axes, or nothing along one.
    """
    if x.dtype.kind not in "biuf":
        raise InputError(f"{place}: found values of type {x.dtype}, expected numbers")
    if x.ndim not in (2, 3) or 0 in x.shape:
        raise InputError(
            f"{place}: found shape {x.shape}, expected (series, time steps) or (series, time steps, "
            "channels), none of them 0"
        )
    name = Path(place).name
    if x.ndim == 2:
        if x.shape[0] < _FEW and x.shape[1] > _LONG:
            notes.append(f"{name}: took shape {x.shape} for {x.shape[0]} series of one channel")
        return x[:, :, np.newaxis]
    if x.shape[1] < x.shape[2]:
        notes.append(
            f"{name}: took shape {x.shape} for {x.shape[0]} series of {x.shape[1]} time steps and "
            f"{x.shape[2]} channels; transpose(0, 2, 1) if it is (series, channels, time steps)"
        )
    return x
