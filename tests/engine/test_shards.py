"""What FSDP2 keeps of weights on each of two ranks in half precision."""

import tempfile
from pathlib import Path

import pytest
import ranks
import torch
import torch.distributed as dist
from support import TINY, parse_training

from jepa_steps.engine.distributed import World
from jepa_steps.engine.loop import Trainer
from jepa_steps.modalities import open_store

WIDE = {
    **TINY,
    "model": {"patch_size": 4, "dim": 256, "depth": 2, "heads": 4},
    "predictor": {"dim": 64, "depth": 1, "heads": 2},
    "precision": "bf16",
    "batch_size": 4,
    "threads": 1,
    "shard": True,
}


def member(data: str, out: str) -> None:
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    world = World(rank, 2, torch.device("cpu"))
    folder = Path(tempfile.mkdtemp())
    trainer = Trainer(parse_training(WIDE, "test"), open_store(Path(data)), folder, world)
    matrices = {tuple(p.shape) for p in trainer.parameters if p.ndim == 2}
    matrices |= {shape[::-1] for shape in matrices}
    batch, kept = trainer.batch(0, 0), {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dtype == torch.bfloat16 and tuple(tensor.shape) in matrices:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
        trainer.precision.autocast(),
    ):
        views = trainer.model(*batch)
    # Gathered weights that the forward pass let go of have no bytes any more.
    held = sum(storage.nbytes() for storage in kept.values())
    trainer.jepa.loss(views)[0].backward()
    weights = sum(p.numel() for p in trainer.parameters)
    shares = {p.to_local().dtype for p in trainer.parameters}
    torch.save((held / weights, shares == {torch.float32}), f"{out}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_no_half_precision_copy_of_the_weights_is_kept_whole(tmp_path, digits):
    """Autocast alone kept 2 bytes a parameter on every rank, whatever the number of ranks."""
    ranks.run(member, 2, str(digits), str(tmp_path))
    for rank in range(2):
        bytes_per_weight, master_in_fp32 = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert bytes_per_weight < 0.2 and master_in_fp32
