"""Gene expression as tokens.

Shapes: B cells, G genes, N tokens, K kept tokens, P genes of the largest module, D width.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from ...model.tokens import gather_tokens


class MlpTokenizer(nn.Module):
    """All genes -> hidden -> half of it -> N tokens; LayerNorm and GELU after each hidden layer.

    Every token sees every gene, so that hiding tokens hides nothing.

    Args:
        linear_path: add a linear map of all genes to the tokens, so that these can say what principal
            components say.
    """

    def __init__(self, genes: int, hidden: int, tokens: int, dim: int, linear_path: bool = False):
        super().__init__()
        self.dim, self.grid = dim, (tokens, 1)
        widths = (genes, hidden, hidden // 2)
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.LayerNorm(b), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], tokens * dim))
        self.linear = nn.Linear(genes, tokens * dim, bias=False) if linear_path else None

    def scale_input(self) -> None:
        """Let values of mean square 1 take the linear path on the scale of the position codes (rms 0.7),
        and the layers beside it begin with nothing, as residual branches do. Without that path there is
        nothing to do: LayerNorm follows the first layer."""
        if self.linear is not None:
            nn.init.normal_(self.linear.weight, std=(3 * self.linear.in_features) ** -0.5)
            nn.init.zeros_(self.layers[-1].weight)

    def forward(self, x_BG: Tensor, keep_BK: Tensor | None = None) -> Tensor:
        """(B, G) -> (B, N, D).

        Raises:
            ValueError: ``keep_BK`` leaves tokens out, which would not hide their genes.
        """
        if keep_BK is not None and keep_BK.shape[1] != self.grid[0]:
            raise ValueError(
                f"{keep_BK.shape[1]} of {self.grid[0]} tokens kept, but every token of an MLP sees all "
                "genes; masked genes need module tokens"
            )
        flat = self.layers(x_BG)
        if self.linear is not None:
            flat = flat + self.linear(x_BG)
        tokens_BND = flat.view(len(x_BG), self.grid[0], self.dim)
        return tokens_BND if keep_BK is None else gather_tokens(tokens_BND, keep_BK)


class ModuleTokenizer(nn.Module):
    """A token is the linear map of one module of genes, and sees no other gene.

    Args:
        modules: columns int64 of each module, ``modules.gene_modules``.
    """

    def __init__(self, modules: Sequence[np.ndarray], dim: int):
        super().__init__()
        self.dim, self.grid = dim, (len(modules), 1)
        largest = max(map(len, modules))
        column_NP, used_NP = np.zeros((2, len(modules), largest), np.int64)
        for n, genes in enumerate(modules):
            column_NP[n, : len(genes)], used_NP[n, : len(genes)] = genes, 1
        self.register_buffer("columns", torch.from_numpy(column_NP))
        self.register_buffer("used", torch.from_numpy(used_NP).float())
        self.weight = nn.Parameter(torch.empty(len(modules), largest, dim))
        self.scale_input()

    def scale_input(self) -> None:
        """Let values of mean square 1 enter on the scale of the position codes (rms 0.7)."""
        nn.init.normal_(self.weight, std=(3 * self.weight.shape[1]) ** -0.5)

    def forward(self, x_BG: Tensor, keep_BK: Tensor | None = None) -> Tensor:
        """(B, G) -> (B, K, D), of the modules in ``keep_BK`` (all if None)."""
        values_BNP = x_BG[:, self.columns] * self.used
        tokens_BND = torch.einsum("bnp,npd->bnd", values_BNP, self.weight)
        return tokens_BND if keep_BK is None else gather_tokens(tokens_BND, keep_BK)
