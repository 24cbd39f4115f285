"""Begin from weights that are there: an encoder that was trained here, or transformers' I-JEPA.

Shapes: N tokens, D width.
"""

from pathlib import Path
from typing import Any, Protocol

import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from ..files import read_json
from .encoder import TokenEncoder
from .ijepa_weights import from_transformers


class Train(Protocol):
    """What is read of a training block: the folder, and the architecture."""

    init: str
    model: Any


def start(encoder: TokenEncoder, train: Train) -> str:
    """Put the weights of ``train.init`` into an encoder, and its position codes, which are part of the
    weights from then on; for another grid they are interpolated.

    Returns:
        a line on what was taken.

    Raises:
        InputError: a folder of another kind, or weights of another architecture.
    """
    folder = Path(train.init)
    weights, positions_ND, grid = _read(folder, train)
    encoder.keep_positions(interpolated(positions_ND, grid, encoder.grid))
    weights |= {"positions": encoder.positions}
    own = encoder.state_dict()
    for name in sorted(own.keys() | weights.keys()):
        found, expected = (tuple(w[name].shape) if name in w else None for w in (weights, own))
        if found != expected:
            raise InputError(
                f"train.init: {folder}: {name}: found {found or 'none'}, expected {expected or 'none'}; "
                "give train.model the architecture of the start"
            )
    encoder.load_state_dict(weights)
    old, new = (" x ".join(map(str, g)) for g in (grid, encoder.grid))
    other = "" if old == new else f"; position codes interpolated from a grid of {old} to {new}"
    return f"begins from {folder}{other}"


def _read(folder: Path, train: Train) -> tuple[dict[str, Tensor], Tensor, tuple[int, ...]]:
    """(weights by name in our encoder, position codes (N, D), their grid)."""
    return _own(folder, train) if _is_ours(folder) else from_transformers(folder, train.model)


def _is_ours(folder: Path) -> bool:
    """Whether train wrote the folder, and not transformers.

    Raises:
        InputError: neither of them did.
    """
    for name in ("encoder.json", "config.json"):
        if (folder / name).is_file():
            return name == "encoder.json"
    raise InputError(
        f"train.init: {folder}: found neither encoder.json nor config.json, expected a folder that "
        "train wrote (results/train/NAME), or one that transformers saved"
    )


def _own(folder: Path, train: Train) -> tuple[dict[str, Tensor], Tensor, tuple[int, ...]]:
    from .export import load_encoder  # which builds encoders, starts among them

    found, wanted = read_json(folder / "encoder.json", "train"), train.model.model_dump(mode="json")
    model = found["train"].get("model")
    if model != wanted:
        other = [k for k in wanted if (model or {}).get(k) != wanted[k]]
        what = f"model.{other[0]} {model.get(other[0])}" if model and other else "no model"
        expected = wanted[other[0]] if model and other else "an encoder that train wrote"
        raise InputError(
            f"train.init: {folder}/encoder.json: found {what}, expected {expected}; give train.model "
            "the architecture of the start"
        )
    module = load_encoder(folder).module
    weights = {k: v for k, v in module.state_dict().items() if k != "positions"}
    return weights, module.positions, module.grid


def interpolated(codes_ND: Tensor, grid: tuple[int, ...], onto: tuple[int, ...]) -> Tensor:
    """Position codes of another grid (N', D): cubic between the old ones, linear along a third axis.

    As ViT does it for other image sizes (Dosovitskiy et al. 2021, section 3.2).

    Raises:
        InputError: grids of different numbers of axes.
    """
    if tuple(grid) == tuple(onto):
        return codes_ND.clone()
    if len(grid) != len(onto):
        raise InputError(f"train.init: found positions on {len(grid)} axes, expected {len(onto)}")
    mode = {1: "linear", 2: "bicubic", 3: "trilinear"}[len(grid)]
    codes = codes_ND.T.reshape(1, -1, *grid)
    scaled = F.interpolate(codes, size=tuple(onto), mode=mode, align_corners=False)
    return scaled.flatten(2)[0].T.contiguous()


def statistics(init: str) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel, of pixels of 0 to 1, that the start was trained with.

    Raises:
        InputError: its folder does not say.
    """
    folder = Path(init)
    if _is_ours(folder):
        found = read_json(folder / "encoder.json", "mean", "std")
        return found["mean"], found["std"]
    from .pretrained.preprocessing import of_transformers

    found = of_transformers(folder)
    factor = 255 * found.scale  # of pixels of 0 to 1
    if abs(factor - 1) > 1e-6:
        raise InputError(f"train.init: {folder}: found rescale_factor {found.scale:g}, expected 1/255")
    return list(found.mean), list(found.std)


def start_values(init: str) -> dict[str, Any] | None:
    """What the start says of values that are no 8-bit pictures; see ``pixels.values_for``."""
    folder = Path(init)
    return read_json(folder / "encoder.json").get("values") if _is_ours(folder) else None


def check_inputs(description: dict[str, Any], init: str) -> None:
    """Whether what an encoder takes is what its start took; pixels of images and clips may be more or
    fewer.

    Args:
        description: of the encoder, as encoder.json holds it.

    Raises:
        InputError: other genes, channels or statistics; the start's folder is that of a run here.
    """
    path = Path(init) / "encoder.json"
    if not path.is_file():
        return
    found = read_json(path, "modality")
    for name in sorted((description.keys() | found.keys()) - _MAY_DIFFER):
        if found.get(name) != description.get(name):
            raise InputError(
                f"train.init: {path}: found another {name} than this run has; begin from an encoder of "
                "the same inputs"
            )


# Keys of encoder.json that do not say what a sample's values mean.
_MAY_DIFFER = {"format", "train", "data_sha256", "weights", "image_size", "clip_length", "reading"}
_MAY_DIFFER |= {"frame_rate", "resize"}
