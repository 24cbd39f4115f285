"""An accelerator that is none: torch's tensors without values, on a device of their own.

Every operation is checked for tensors of two devices, and copies between devices and reads of scalars
are counted with the line of jepa_steps that asked for them. A script of its own, since a device that is
registered stays for the life of a process:

    python tests/accelerator.py CASES.json        {"digits": FOLDER, "screen": FOLDER, "cases": {...}}

prints {case: {phase: {"blocking": [...], "back": [...], "scalars": [...], "copies": n}}}; a case that
failed has a phase "error" with the traceback.
"""

import contextlib
import json
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

NAME = "fakegpu"
LIBRARY = torch.library.Library("_", "IMPL")
aten = torch.ops.aten


class Backend(_DummyBackendModule):
    """What torch asks of a device's module."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def max_memory_allocated(self, device: Any = None) -> int:
        return 0


def asked_by() -> str:
    """The line of the package that is being run."""
    for frame in reversed(traceback.extract_stack()):
        if "/jepa_steps/" in frame.filename:
            return f"{frame.filename.split('/jepa_steps/')[-1]}:{frame.lineno}"
    return "?"


class Count(TorchDispatchMode):
    """Copies between devices and reads of scalars, by the line that asked for them."""

    def __init__(self):
        super().__init__()
        self._pinned: set[int] = set()
        self._kept: list[torch.Tensor] = []
        self.reset()

    def reset(self) -> None:
        self.blocking: list[str] = []
        self.back: list[str] = []
        self.scalars: list[str] = []
        self.copies = 0

    def phase(self) -> dict[str, Any]:
        found = {key: getattr(self, key) for key in ("blocking", "back", "scalars", "copies")}
        self.reset()
        return found

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in (aten._local_scalar_dense.default, aten.is_nonzero.default):
            source = args[0]
            if source.device.type == NAME:
                self.scalars.append(asked_by())
            if isinstance(source, FakeTensor):
                return 1.0 if source.dtype.is_floating_point else source.dtype == torch.bool or 1
        if func in (aten._pin_memory.default, aten.pin_memory.default):
            pinned = args[0].clone()
            self._kept.append(pinned)
            self._pinned.add(pinned.untyped_storage()._cdata)
            return pinned
        if func in (aten._to_copy.default, aten.copy_.default):
            self._copied(func, args, kwargs)
        return func(*args, **kwargs)

    def _copied(self, func, args, kwargs) -> None:
        inplace = func is aten.copy_.default
        source = args[1] if inplace else args[0]
        target = args[0].device if inplace else torch.device(kwargs.get("device") or source.device)
        if source.device.type == target.type:
            return
        if target.type == "cpu":
            self.back.append(asked_by())
            return
        self.copies += 1
        later = args[2] if inplace and len(args) > 2 else kwargs.get("non_blocking", False)
        if not later or source.untyped_storage()._cdata not in self._pinned:
            why = "" if not later else " (not pinned)"
            self.blocking.append(f"{asked_by()} {tuple(source.shape)}{why}")


COUNT = Count()


def without_values() -> None:
    """What asks a tensor without values for them gets some."""

    def numpy(self: FakeTensor, *args: Any, **kwargs: Any) -> np.ndarray:
        if self.device.type != "cpu":
            raise TypeError(f"can't convert {self.device} device type tensor to numpy")
        kind = str(self.dtype).split(".")[1]
        return np.random.default_rng(0).standard_normal(tuple(self.shape)).astype(kind)

    def tolist(self: FakeTensor) -> Any:
        if self.device.type == NAME:
            COUNT.scalars.append(asked_by())
        return np.ones(tuple(self.shape)).tolist()

    def to(self: torch.nn.Module, device: torch.device) -> torch.nn.Module:
        for module in self.modules():
            for name, p in module._parameters.items():
                if p is not None:
                    moved = p.detach().to(device)
                    module._parameters[name] = torch.nn.Parameter(moved, requires_grad=p.requires_grad)
            for name, buffer in module._buffers.items():
                module._buffers[name] = None if buffer is None else buffer.to(device)
        return self

    plain = torch.tensor

    def tensor(value: Any, *args: Any, device: Any = None, **kwargs: Any) -> torch.Tensor:
        made = plain(value, *args, **kwargs)
        made.constant = None  # its value would be computed with on the device
        return made if device is None else made.to(device)

    torch.tensor = tensor
    FakeTensor.numpy, FakeTensor.tolist, torch.nn.Module.to = numpy, tolist, to
    torch.nn.init.trunc_normal_ = lambda tensor, **how: tensor


@contextlib.contextmanager
def accelerator() -> Iterator[torch.device]:
    """The device, on which tensors have no values."""
    without_values()
    with FakeTensorMode(allow_non_fake_inputs=True), COUNT:
        yield torch.device(NAME, 0)


def trained(train: Any, store: Any, device: torch.device) -> Iterator[str]:
    """A plain step, the way to a row of metrics, the row, and a validation."""
    from jepa_steps.engine import validation
    from jepa_steps.engine.distributed import World
    from jepa_steps.engine.loop import Trainer

    validation.save_file = lambda state, path: Path(path).touch()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(train, store, Path(folder), World(0, 1, device))
        for _ in range(2):
            trainer.train_step()
        yield "before"
        trainer.train_step()
        yield "plain step"
        while trainer.step < trainer.settings.log_every:
            trainer.train_step()
        yield "to the row"
        trainer.metrics()
        yield "row"
        trainer.validation(trainer.step)
        yield "validation"
        resumed(trainer)
        trainer.train_step()
        yield "resume"


def resumed(trainer: Any) -> None:
    """Give a trainer what a checkpoint would hold, from the CPU."""
    from jepa_steps.engine import parallel

    world = trainer.world
    kept = {
        **parallel.training_state(trainer.jepa, trainer.optimizers),
        "means": trainer.means.state(world),
        "watch": trainer.watch.state(world),
    }
    kept = tree_map(lambda x: x.cpu() if isinstance(x, torch.Tensor) else x, kept)
    parallel.load_training_state(trainer.jepa, trainer.optimizers, kept)
    trainer.means.load(kept["means"], world)
    trainer.watch.load(kept["watch"], world)
    states = [value for o in trainer.optimizers for each in o.state.values() for value in each.values()]
    # Fused optimizers keep their count of steps beside the parameters; others keep it on the CPU.
    assert {x.device.type for x in states if isinstance(x, torch.Tensor) and x.ndim} == {NAME}


def judged(train: Any, store: Any, device: torch.device) -> Iterator[str]:
    """Embeddings of samples under several poolings and masks, and predicted perturbations."""
    from jepa_steps.config import Embed
    from jepa_steps.modalities import optional_part
    from jepa_steps.modalities.expression.effects import predictor
    from jepa_steps.model.export import Encoder, build, describe

    description = describe(train, store)
    encoder = Encoder(description, build(train, description).state_dict(), device)
    rows, settings = store.rows("train")[:32], Embed(view_samples=16, views=2)
    yield "before"
    for pooled in encoder.poolings(store.samples(rows), ["mean", "max", "last2"]).values():
        pooled.cpu().numpy()
    encoder.embedded(store, rows, settings)
    yield "embed"
    views = optional_part(store.manifest["modality"], "views")
    views.views([encoder], store, settings)
    yield "views"
    if store.manifest["modality"] == "expression":
        predictor.judging_device = lambda: device
        effects = predictor.Effects(train, None, store)
        effects.latents(rows)
        if train.task == "perturbation":
            effects.predicted(rows, 1)
        yield "evaluate"


def main() -> None:
    from jepa_steps.config.training import parse_training
    from jepa_steps.modalities import open_store

    _setup_privateuseone_for_python_backend(NAME, Backend())
    # A device of one's own casts nothing by itself.
    LIBRARY.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    asked = json.loads(Path(sys.argv[1]).read_text())
    found: dict[str, Any] = {}
    for name, case in asked["cases"].items():
        store = open_store(Path(asked[case["data"]]))
        train = parse_training(case["train"], "case", store.manifest["modality"])
        found[name] = {}
        try:
            for run in (trained, judged):
                with accelerator() as device:
                    COUNT.phase()
                    for phase in run(train, store, device):
                        found[name][phase] = COUNT.phase()
        except Exception:
            found[name]["error"] = traceback.format_exc()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
