"""The encoder: tokenizer, position codes, transformer.

Shapes: B samples, C channels, H x W pixels, N tokens, K kept tokens, D width.
"""

from torch import Tensor, nn

from .tokenizers import PatchTokenizer
from .transformer import Transformer, initialise, sincos_positions


class VisionTransformer(nn.Module):
    """ViT without a class token; fixed sine-cosine positions, final LayerNorm."""

    def __init__(
        self,
        image_size: int,
        channels: int,
        patch_size: int,
        dim: int,
        depth: int,
        heads: int,
        mlp_ratio: float = 4.0,
    ):
        super().__init__()
        self.dim = dim
        self.tokenizer = PatchTokenizer(image_size, patch_size, channels, dim)
        self.grid = self.tokenizer.grid
        self.register_buffer("positions", sincos_positions(self.grid, dim), persistent=False)
        self.transformer = Transformer(dim, depth, heads, mlp_ratio)
        initialise(self)
        # Unit-variance pixels must enter on the scale of the position codes (rms 0.7). With a std of
        # 0.02 and patches of few pixels the content is a whisper, and every objective settles on
        # coding position only.
        values = self.tokenizer.embed.in_features
        nn.init.normal_(self.tokenizer.embed.weight, std=(3 * values) ** -0.5)

    def forward(self, x_BCHW: Tensor, keep_BK: Tensor | None = None) -> Tensor:
        """Token embeddings (B, K, D) of the tokens in ``keep_BK``, or of all N tokens."""
        positions = self.positions if keep_BK is None else self.positions[keep_BK]
        return self.transformer(self.tokenizer(x_BCHW, keep_BK) + positions)

    def layers(self, x_BCHW: Tensor, count: int) -> list[Tensor]:
        """Token embeddings (B, N, D) of the last ``count`` blocks, all but the last before the end."""
        return self.transformer.layers(self.tokenizer(x_BCHW) + self.positions, count)
