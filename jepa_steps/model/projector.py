"""Projector (expander): the space in which embeddings are compared, thrown away after training.

Shapes: ... any leading axes, D encoder width, P projector width.
"""

from torch import Tensor, nn

from .transformer import initialise


class Projector(nn.Module):
    """Linear, LayerNorm, GELU, Linear: (..., D) -> (..., P) (VICReg's expander, one layer shorter).

    LayerNorm in place of BatchNorm: it couples no samples, so that pieces of a batch and shares of
    ranks need no synchronised statistics. The last layer has no bias: variance and covariance do not
    see one, so its gradient is rounding noise that AdamW would amplify.
    """

    def __init__(self, dim: int, width: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, width),
            nn.LayerNorm(width),
            nn.GELU(),
            nn.Linear(width, width, bias=False),
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
