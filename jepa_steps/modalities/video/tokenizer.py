"""Tubelets, blocks of pixels over a few frames, as tokens (V-JEPA, Bardes et al. 2024; ViViT).

Shapes: B samples, T frames of C channels and H x W pixels, t x p x p pixels of a tubelet, N tokens, P
values of a tubelet, D width.
"""

from torch import Tensor, nn

from ...model.tokens import gather_tokens


class TubeletTokenizer(nn.Module):
    """Tubelets that do not overlap, embedded by one linear map.

    Tubelets are cut first and embedded after the visible ones were gathered, so hidden ones cost
    nothing. Clips of one frame and tubelets of one frame are the patches of images.
    """

    def __init__(self, clip: tuple[int, int, int, int], length: int, patch: int, dim: int):
        super().__init__()
        frames, height, width, channels = clip
        self.length, self.patch, self.dim = length, patch, dim
        self.grid = (frames // length, height // patch, width // patch)
        self.embed = nn.Linear(length * patch * patch * channels, dim)

    def scale_input(self) -> None:
        """Let unit-variance pixels enter on the scale of the position codes, as patches of images do."""
        nn.init.normal_(self.embed.weight, std=(3 * self.embed.in_features) ** -0.5)

    def forward(self, x_BTCHW: Tensor, keep_BK: Tensor | None = None) -> Tensor:
        """(B, T, C, H, W) pixels -> (B, K, D) embeddings of the tokens in ``keep_BK`` (all if None)."""
        B, _, C, _, _ = x_BTCHW.shape
        (times, rows, columns), t, p = self.grid, self.length, self.patch
        x = x_BTCHW.reshape(B, times, t, C, rows, p, columns, p)
        x_BNP = x.permute(0, 1, 4, 6, 2, 5, 7, 3).reshape(B, -1, t * p * p * C)
        if keep_BK is not None:
            x_BNP = gather_tokens(x_BNP, keep_BK)
        return self.embed(x_BNP)
