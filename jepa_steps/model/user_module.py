"""An encoder that is a module of the user: a program of torch.export, or what a function returns.

Shapes: B samples, N tokens, K kept ones, D width.
"""

import importlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..config import ModuleEncoder
from ..errors import InputError
from .tokens import gather_tokens

# Entries of an archive that hold numbers and texts. Others may be pickles or machine code.
_PLAIN = re.compile(
    r"(data/weights/(weight_\d+|\w+_weights_config\.json)|data/constants/(tensor_\d+|\w+_constants_config"
    r"\.json)|models/\w+\.json|data/sample_inputs/\w+\.pt|archive_format|archive_version|byteorder|"
    r"\.data/(version|serialization_id)|version)$"
)


class UserModule(nn.Module):
    """A user's module behind the interface of ``TokenEncoder``.

    Attributes:
        dim: D. grid: (N,), or (h, w) of feature maps; None of one vector. maskable: False.

    Args:
        module: (B, ...) -> (B, D), (B, N, D) or (B, D, h, w). shape: of what it gives, without B.
    """

    maskable = False
    class_token = False

    def __init__(self, module: nn.Module, shape: tuple[int, ...]):
        super().__init__()
        self.module, self._maps = module, len(shape) == 3
        self.dim = shape[0] if self._maps else shape[-1]
        self.grid = {1: None, 2: shape[:1], 3: shape[1:]}[len(shape)]

    def forward(self, x: Tensor, keep_BK: Tensor | None = None) -> Tensor:
        """Tokens (B, N, D), or (B, K, D) of those in ``keep_BK``; (B, 1, D) of one vector."""
        found = self.module(x)
        tokens_BND = found.flatten(2).transpose(1, 2) if self._maps else found
        if self.grid is None:
            tokens_BND = found[:, None]
        return tokens_BND if keep_BK is None else gather_tokens(tokens_BND, keep_BK)

    def layers(self, x: Tensor, count: int) -> list[Tensor]:
        """The one layer that is known (B, N, D).

        Raises:
            InputError: more are asked for.
        """
        if count > 1:
            raise InputError(f"embed.poolings: found last{count} of a module; leave it out")
        return [self(x)]


class Program(nn.Module):
    """A program of torch.export whose file is its one buffer, uint8 (bytes,)."""

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("program", torch.zeros(size, dtype=torch.uint8))
        self._opened: tuple[torch.device, Any] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """What the program gives of a batch, opened at the first one on a device."""
        if self._opened is None or self._opened[0] != x.device:
            self._opened = x.device, _open(self.program.cpu().numpy().tobytes(), x.device)
        return self._opened[1](x)


def _open(content: bytes, device: torch.device) -> nn.Module:
    from torch.export.passes import move_to_device_pass

    return move_to_device_pass(torch.export.load(io.BytesIO(content)), device).module()


def read_program(path: Path) -> Tensor:
    """The bytes of a .pt2 file, uint8 (n,), after a look that it holds no pickles and no machine code.

    Raises:
        InputError: no such file, no archive of torch.export, or one with other contents.
    """
    expected = "expected what torch.export.save writes"
    try:
        content = path.read_bytes()
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read: {error}; {expected}") from None
    for name in archive.namelist():
        inner = name.partition("/")[2]
        if not _PLAIN.fullmatch(inner):
            raise InputError(
                f"{path}: found the entry {name}, which is not known to be without pickles or machine "
                f"code; {expected} in torch {torch.__version__}"
            )
        if inner.endswith("_config.json"):
            payloads = json.loads(archive.read(name)).get("config", {})
            pickled = [key for key, payload in payloads.items() if payload.get("use_pickle")]
            if pickled:
                raise InputError(f"{path}: {pickled[0]}: found a pickle, expected plain numbers")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


def call(function: str) -> nn.Module:
    """The module that ``package.module:function`` returns.

    Raises:
        InputError: it cannot be imported, fails, or returns something else.
    """
    name, _, attribute = function.partition(":")
    try:
        found: Any = importlib.import_module(name)
        for part in attribute.split("."):
            found = getattr(found, part)
        module = found()
    except Exception as error:  # whatever the user's code raises
        raise InputError(
            f"train.function: {function}: {type(error).__name__}: {error}; expected a function without "
            "arguments in a module that can be imported from here"
        ) from None
    if not isinstance(module, nn.Module):
        raise InputError(f"train.function: {function}: found {type(module).__name__}, expected a module")
    return module.eval()


def describe(train: ModuleEncoder, x: Tensor) -> dict[str, Any]:
    """Shape of what the module gives of a batch ``x`` (2, ...), and the size of its file.

    Says what will run before it does.

    Raises:
        InputError: it fails on the batch, or gives something else than numbers for each sample.
    """
    what = train.path or train.function
    print(f"encoder: module runs {what}, code from outside this project", flush=True)
    bytes_ = len(read_program(Path(train.path))) if train.path else 0
    module = load(train, bytes_)
    try:
        with torch.no_grad():
            found, again, alone = module(x), module(x), module(x[:1])
    except Exception as error:  # whatever the user's code raises
        first = " ".join(str(error).split())[:300]
        hint = "; export it for a batch of any size (dynamic_shapes)" if train.path else ""
        raise InputError(f"{what}: fails on float32 {tuple(x.shape)}: {first}{hint}") from None
    if not (isinstance(found, Tensor) and found.ndim in (2, 3, 4) and len(found) == len(x)):
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise InputError(
            f"{what}: gives {shape} of {len(x)} samples, expected embeddings (B, D), tokens (B, N, D) "
            "or feature maps (B, D, h, w)"
        )
    if not (found.is_floating_point() and bool(found.isfinite().all())):
        raise InputError(f"{what}: gives {found.dtype} with values that are not finite numbers")
    for other, expected in ((again, "the same twice"), (alone, "the same whatever else is in a batch")):
        if not torch.allclose(other, found[: len(other)], rtol=1e-3, atol=1e-4):
            raise InputError(
                f"{what}: gives different values of the same sample, expected {expected}; call eval() "
                "on the module, and let it draw nothing"
            )
    return {"shape": list(found.shape[1:]), "bytes": bytes_}


def load(train: ModuleEncoder, size: int) -> nn.Module:
    """The module with its own weights."""
    if train.function:
        return call(train.function)
    program = Program(size)
    program.program.copy_(read_program(Path(train.path)))
    return program


def load_own(train: ModuleEncoder, description: dict[str, Any], encoder: UserModule) -> list[str]:
    """Put the module's own weights into what ``build`` gave; a line on what ran."""
    encoder.module.load_state_dict(load(train, description["bytes"]).state_dict())
    return [f"ran {train.path or train.function}, code that is not of this project"]


def build(train: ModuleEncoder, description: dict[str, Any]) -> UserModule:
    """The module as ``encoder.json`` describes it; a program comes with the weights."""
    inner = call(train.function) if train.function else Program(description["bytes"])
    return UserModule(inner, tuple(description["shape"]))
