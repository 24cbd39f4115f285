"""The embedding of perturbations: what a dense code times a weight matrix gives, without the code.

Shapes: B perturbations, k entries, V gene slots, T types, F gene features, D width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class PerturbationEmbedding(nn.Module):
    """Three tokens of a perturbation: its genes, its types, its dose.

    With W the stacked weights of genes, types and dose, the sum of the tokens is dense code @ W. Genes
    that training never perturbed share the row of the unknown; features, where given, tell them apart.

    Args:
        slots: V, gene slots of the vocabulary with control (0) and unknown (1).
        types: T.
        dim: D.
        features: float32 (S, F), one row a slot, those of held-out genes last (S >= V); or None.
    """

    def __init__(self, slots: int, types: int, dim: int, features: Tensor | None = None):
        super().__init__()
        self.genes = nn.EmbeddingBag(slots, dim, mode="sum", include_last_offset=True)
        self.types = nn.EmbeddingBag(types, dim, mode="sum", include_last_offset=True)
        self.dose = nn.Linear(1, dim, bias=False)
        self.register_buffer("features", features)
        self.describe = None if features is None else nn.Linear(features.shape[1], dim, bias=False)

    def forward(
        self, slots: Tensor, weights: Tensor, types: Tensor, offsets: Tensor, dose: Tensor
    ) -> Tensor:
        """Tokens float (B, 3, D) of what ``Sparse`` holds.

        Args:
            slots int64 (k,), weights float32 (k,), types int64 (k,), -1 = none, offsets int64 (B + 1,),
            dose float32 (B,).
        """
        known = torch.where(slots < self.genes.num_embeddings, slots, 1)
        genes = self.genes(known, offsets, per_sample_weights=weights)
        if self.describe is not None:
            described = functional.embedding_bag(
                slots, self.features, offsets, mode="sum", per_sample_weights=weights,
                include_last_offset=True,
            )  # fmt: skip
            genes = genes + self.describe(described)
        lengths = offsets.diff()
        share = torch.repeat_interleave(1 / lengths, lengths, output_size=len(slots)) * (types >= 0)
        kinds = self.types(types.clamp(min=0), offsets, per_sample_weights=share.to(weights.dtype))
        return torch.stack([genes, kinds, self.dose(dose[:, None])], 1)
