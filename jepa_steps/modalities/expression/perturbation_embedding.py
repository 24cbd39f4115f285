"""The embedding of perturbations: what a dense code times a weight matrix gives, without the code.

Shapes: B perturbations, S entries of each, V gene slots, T types, F gene features, D width.
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
        self.genes = nn.EmbeddingBag(slots, dim, mode="sum")
        self.types = nn.EmbeddingBag(types, dim, mode="sum")
        self.dose = nn.Linear(1, dim, bias=False)
        self.register_buffer("features", features)
        self.describe = None if features is None else nn.Linear(features.shape[1], dim, bias=False)

    def forward(self, slots_BS: Tensor, weights_BS: Tensor, types_BS: Tensor, dose_B: Tensor) -> Tensor:
        """Tokens float (B, 3, D) of what ``Padded`` holds.

        Args:
            slots_BS int64, weights_BS float32 (0: no entry), types_BS int64 (-1: none), dose_B float32.
        """
        known_BS = torch.where(slots_BS < self.genes.num_embeddings, slots_BS, 1)
        genes = self.genes(known_BS, per_sample_weights=weights_BS)
        if self.describe is not None:
            described = functional.embedding_bag(
                slots_BS, self.features, mode="sum", per_sample_weights=weights_BS
            )
            genes = genes + self.describe(described)
        entries_B = (weights_BS > 0).sum(1, keepdim=True)
        share_BS = (types_BS >= 0) / entries_B.to(weights_BS.dtype)
        kinds = self.types(types_BS.clamp(min=0), per_sample_weights=share_BS)
        return torch.stack([genes, kinds, self.dose(dose_B[:, None])], 1)
