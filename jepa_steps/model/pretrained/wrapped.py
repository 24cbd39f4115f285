"""What a published encoder looks like to the rest of the project: tokens on a grid.

Shapes: B samples, S special tokens, N tokens of the grid, K kept ones, D width.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from ...errors import InputError
from ..tokens import gather_tokens


@dataclass(frozen=True)
class Reading:
    """How tokens are read from what a library's model gives.

    special: tokens before those of the grid. class_token: whether the first of them sums up the sample.
    grid: tokens along each axis; None where the model gives a feature map, which tells it.
    """

    special: int
    class_token: bool
    grid: tuple[int, ...] | None


class PublishedEncoder(nn.Module):
    """A library's model behind the interface of ``TokenEncoder``.

    Attributes:
        dim: D. grid: tokens along each axis. maskable: False, since hidden tokens are left out of what
            it gives, not of what it sees.
        special: tokens that are left out of the grid. class_token: whether the first of them sums up the
            sample; ``summary`` gives it.

    Args:
        model: the library's. outputs: (model, x, all layers) -> outputs of the layers, the last one what
            the model gives: tokens (B, S + N, D) or feature maps (B, D, h, w).
        reading: how tokens are found in them. probe: one sample, of any values.

    Raises:
        InputError: tokens that do not lie on the grid.
    """

    maskable = False

    def __init__(
        self,
        model: nn.Module,
        outputs: Callable[[nn.Module, Tensor, bool], list[Tensor]],
        reading: Reading,
        probe: Tensor,
    ):
        super().__init__()
        self.model, self._outputs, self.special = model, outputs, reading.special
        self.class_token = reading.class_token
        model.eval()
        last = outputs(model, probe, False)[-1].detach()
        self.grid = reading.grid or tuple(last.shape[2:])
        tokens = _tokens(last, self.special)
        self.dim = tokens.shape[-1]
        if tokens.shape[1] != math.prod(self.grid):
            raise InputError(
                f"{type(model).__name__}: found {tokens.shape[1]} tokens beside {self.special} special "
                f"ones, expected {' x '.join(map(str, self.grid))}"
            )

    def forward(self, x: Tensor, keep_BK: Tensor | None = None) -> Tensor:
        """Token embeddings (B, N, D), or (B, K, D) of the tokens in ``keep_BK``."""
        tokens_BND = _tokens(self._outputs(self.model, x, False)[-1], self.special)
        return tokens_BND if keep_BK is None else gather_tokens(tokens_BND, keep_BK)

    def layers(self, x: Tensor, count: int) -> list[Tensor]:
        """Tokens (B, N, D) of the last ``count`` layers; all but the last as they are before the end.

        Raises:
            InputError: a model whose layers have different grids.
        """
        every = self._outputs(self.model, x, True)[-count:]
        found = [_tokens(layer, self.special) for layer in every]
        if len({layer.shape for layer in found}) > 1:
            raise InputError(
                f"embed.poolings: found last{count}, which needs layers of one grid, and "
                f"{type(self.model).__name__} has several; leave it out"
            )
        return found

    def summary(self, x: Tensor) -> Tensor:
        """The class token (B, D)."""
        return self._outputs(self.model, x, False)[-1][:, 0]


def _tokens(x: Tensor, special: int) -> Tensor:
    """(B, N, D) of tokens (B, S + N, D) or of a feature map (B, D, h, w)."""
    return x[:, special:] if x.ndim == 3 else x.flatten(2).transpose(1, 2)
