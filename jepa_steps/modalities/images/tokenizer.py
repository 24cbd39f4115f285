"""Modality-specific input: what turns a sample into tokens.

Shapes: B samples, C channels, H x W pixels, N tokens, P values a patch, D width.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from ...config.base import both
from ...model.tokens import gather_tokens


class PatchTokenizer(nn.Module):
    """Non-overlapping square patches, embedded by one linear map (ViT, Dosovitskiy et al. 2021).

    Patches are cut first and embedded after the visible ones were gathered, so hidden patches
    cost nothing.
    """

    def __init__(self, image_size: int | Sequence[int], patch_size: int, channels: int, dim: int):
        super().__init__()
        self.patch_size, self.dim = patch_size, dim
        height, width = both(image_size)
        self.grid = (height // patch_size, width // patch_size)
        self.embed = nn.Linear(patch_size * patch_size * channels, dim)

    def scale_input(self) -> None:
        """Let unit-variance pixels enter on the scale of the position codes (rms 0.7).

        With a std of 0.02 and patches of few pixels the content is a whisper, and every objective
        settles on coding position only.
        """
        nn.init.normal_(self.embed.weight, std=(3 * self.embed.in_features) ** -0.5)

    def forward(self, x_BCHW: Tensor, keep_BK: Tensor | None = None) -> Tensor:
        """(B, C, H, W) pixels -> (B, K, D) embeddings of the tokens in ``keep_BK`` (all if None)."""
        B, C, H, W = x_BCHW.shape
        p = self.patch_size
        x = x_BCHW.reshape(B, C, H // p, p, W // p, p)
        x_BNP = x.permute(0, 2, 4, 3, 5, 1).reshape(B, -1, p * p * C)
        if keep_BK is not None:
            x_BNP = gather_tokens(x_BNP, keep_BK)
        return self.embed(x_BNP)
