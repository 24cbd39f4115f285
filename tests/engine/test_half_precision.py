"""What half precision may not change, and cards that have none; no GPU is needed."""

import os

import pytest
import torch
from support import TINY, parse_training
from torch import nn

from jepa_steps.engine import determinism, flops
from jepa_steps.engine.distributed import World
from jepa_steps.engine.gradients import backward
from jepa_steps.engine.loop import Trainer
from jepa_steps.engine.precision import Precision
from jepa_steps.model.objectives.terms import Views

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def flags():
    """What a precision sets for the whole process is set back."""
    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, cudnn
    torch.use_deterministic_algorithms(False)
    os.environ.pop(determinism.WORKSPACE, None)


@pytest.mark.parametrize(("real", "name"), [(True, "bf16"), (False, "fp32")])
def test_emulated_bf16_is_not_chosen(monkeypatch, real, name):
    """As a V100's: torch says yes, and emulates it."""

    def supported(including_emulation: bool = True) -> bool:
        return including_emulation or real

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert Precision(parse_training(TINY, "test"), CUDA).name == name


class Wide(nn.Module):
    """Pooled views of a std of 9, whose products summed over 1,024 samples are beyond fp16."""

    def __init__(self, objective):
        super().__init__()
        self.layer = nn.Linear(16, 16, bias=False)
        nn.init.eye_(self.layer.weight)
        self.objective, self.predictor, self.target_encoder = objective, None, None

    def forward(self, x):
        return Views(self.layer(x), self.layer(x.roll(1, 1)))

    def loss(self, views, step=0):
        from jepa_steps.model.objectives import terms

        found = terms(views, lambda: [(views.prediction, views.target)], self.objective, 0, step)
        return sum(t.weight * t.value for t in found), {t.name: t.value.detach() for t in found}


@pytest.mark.parametrize("kind", ["vicreg", "sigreg"])
@pytest.mark.parametrize("pieces", [1, 4])
def test_statistics_over_a_batch_do_not_overflow_fp16(kind, pieces):
    x = 9 * torch.randn(1024, 16, generator=torch.Generator().manual_seed(0))
    assert ((x.half().T @ x.half()).diagonal() == torch.inf).any()
    objective = {"kind": kind, "level": "pooled"}
    losses = {}
    for name in ("fp32", "fp16"):
        train = parse_training({**TINY, "objective": objective, "precision": name}, "test")
        model = Wide(train.objective)
        loss, parts = backward(model, model, (x,), 0, pieces, Precision(train, CPU))
        losses[name] = float(loss)
        assert all(part.dtype == torch.float32 for part in parts.values())
    assert losses["fp16"] == pytest.approx(losses["fp32"], rel=1e-3)


class Sizes:
    """How many samples every forward pass of an encoder took, and in which type it multiplied."""

    def __init__(self, trainer):
        self.sizes, self.types = [], set()
        trainer.jepa.encoder.register_forward_hook(lambda _, x, y: self.sizes.append(len(x[0])))
        linear = next(m for m in trainer.jepa.encoder.modules() if isinstance(m, nn.Linear))
        linear.register_forward_hook(lambda _, x, y: self.types.add(y.dtype))


def trainer(store, folder, **changes):
    spec = {**TINY, "objective": {"kind": "vicreg"}, "batch_size": 32, "threads": 1, **changes}
    folder.mkdir(exist_ok=True)
    return Trainer(parse_training(spec, "test"), store, folder, World(0, 1, CPU))


def test_validation_takes_pieces_as_training_does_in_its_precision(store, tmp_path):
    ours = trainer(store, tmp_path / "a", accumulate=4, precision="bf16")
    seen = Sizes(ours)
    ours.validation(0)
    assert max(seen.sizes) == 8 and seen.types == {torch.bfloat16}


def test_validation_in_pieces_gives_the_losses_of_whole_batches(store, tmp_path):
    whole, pieces = (
        trainer(store, tmp_path / str(n), accumulate=n, batch_size=64).validation(0) for n in (1, 4)
    )
    assert whole.keys() == pieces.keys()
    for name, value in whole.items():
        assert pieces[name] == pytest.approx(value, rel=1e-5, nan_ok=True), name


CARDS = [
    ("NVIDIA H100 PCIe", 756e12),
    ("NVIDIA H100 80GB HBM3", 989e12),
    ("NVIDIA H100 NVL", 835e12),
    ("NVIDIA H200", 989e12),
    ("NVIDIA A100-SXM4-80GB", 312e12),
]


@pytest.mark.parametrize(("card", "peak"), CARDS)
def test_the_peak_of_a_known_card_is_its_own(monkeypatch, card, peak):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: card)
    assert flops.peak(CUDA, "bf16") == (peak, f"{card} dense bf16, data sheet")


@pytest.mark.parametrize(
    ("card", "precision", "tf32", "kind"),
    [
        ("NVIDIA GeForce RTX 4090", "bf16", False, "bf16"),
        ("NVIDIA H100 PCIe", "fp32", False, "fp32"),
        ("NVIDIA H100 PCIe", "fp32", True, "tf32"),
    ],
)
def test_other_peaks_are_timed_on_a_large_product_in_the_run_s_precision(
    monkeypatch, card, precision, tf32, kind
):
    made, plain = [], torch.randn

    def randn(*shape, device, dtype):
        made.append((shape, device.type, dtype))
        return plain(32, 32, dtype=dtype)

    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: card)
    monkeypatch.setattr(torch, "randn", randn)
    assert flops.peak(CUDA, precision, tf32)[1] == f"timed 8192x8192 {kind} product"
    assert made == [((8192, 8192), "cuda", flops._TYPES[precision])]


def test_deterministic_kernels_are_asked_for_on_gpus_alone(monkeypatch):
    monkeypatch.delenv(determinism.WORKSPACE, raising=False)
    determinism.make_deterministic(CPU)
    assert not torch.are_deterministic_algorithms_enabled()
    determinism.make_deterministic(CUDA)
    assert torch.are_deterministic_algorithms_enabled()
    assert os.environ[determinism.WORKSPACE] == ":4096:8"
    monkeypatch.setenv(determinism.WORKSPACE, ":16:8")
    determinism.make_deterministic(CUDA)
    assert os.environ[determinism.WORKSPACE] == ":16:8"
