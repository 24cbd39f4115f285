"""Train an encoder on prepared data, load a given one, or build a floor.

    python -m jepa_steps.train --spec train.yaml --data data/digits --out results/train/mine
    torchrun --nproc-per-node 2 -m jepa_steps.train ...        several processes, same result

Writes encoder.safetensors and encoder.json (enough to load the encoder), snapshots.safetensors and
best.safetensors (encoders during training), jepa.safetensors (the whole module at the last step, with
the predictor), metrics.csv, validation.csv, timing.csv and summary.json.
Resume checkpoints and TensorBoard events are under --checkpoints, in a folder named by a digest of data,
settings and code. After a crash or SIGTERM (exit code 75) the same command continues where it stopped.
In a Slurm job, SIGUSR2 saves a checkpoint and queues the job again; SIGTERM saves and waits for the end.
"""

import hashlib
import json
import os
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from .engine import signals

if __name__ == "__main__":
    signals.hold()  # the imports take seconds

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from .cli import add_spec, parser, read_spec, run
from .config import JepaRun, ModuleEncoder, PcaEncoder, PretrainedEncoder, Settings, resolved
from .config.training import check_fit, parse_dataset, parse_training
from .data.local import on_this_node
from .draws import evenly
from .engine import parallel
from .engine.distributed import World, world
from .engine.lease import lease
from .engine.loggers import Loggers, chosen
from .engine.loop import SNAPSHOTS, Trainer
from .engine.memory import keep_freed
from .engine.starts import Starts
from .errors import InputError
from .files import sha256, staged, write_json
from .modalities import open_store, part
from .modalities.contract import Store
from .model import user_module
from .model.export import batches, build, describe, load_published
from .model.floors import components_of_wide, principal_components
from .model.start import check_inputs, start
from .provenance import code_digest, facts


def train_jepa(
    train: JepaRun, store: Store, out: Path, checkpoints: Path, loggers: tuple[str, ...] = ()
) -> None:
    """Train, then collect the results from the run folder into ``out``, whose name is the run's in
    ``loggers``."""
    folder = checkpoints / run_digest(train, store)
    keep_freed()
    with world() as w:
        if w.main:
            folder.mkdir(parents=True, exist_ok=True)
        with lease(folder) if w.main else nullcontext():
            trainer = Trainer(train, store, folder, w)
            description = describe(train, store)
            if train.init:
                check_inputs(description, train.init)
            try:
                summary = trainer.run(Loggers(loggers, folder, out.name, resolved(train)))
                whole = parallel.weights(trainer.jepa)
                weights = parallel.weights(trainer.jepa.exported())
            finally:
                parallel.release(trainer.model)
            if w.main:
                if not (folder / "summary.json").exists():
                    notes = [trainer.started] if train.init else []
                    summary |= {"notes": notes, **facts(_gpus())}
                    write_json(folder / "summary.json", summary)
                _collect(trainer, {"jepa": whole, "encoder": weights}, description, folder, out)


def _collect(
    trainer: Trainer,
    weights: dict[str, dict[str, torch.Tensor]],
    description: dict[str, Any],
    folder: Path,
    out: Path,
) -> None:
    train = trainer.settings
    with staged(out) as temporary:
        save_file(weights["jepa"], temporary / "jepa.safetensors")
        best = {name: load_file(folder / f"best-{name}.safetensors") for name in trainer.validation.best}
        chosen = weights["encoder"] if train.select == "last" else best.get(train.select)
        if chosen is None:
            raise InputError(
                f"select: found {train.select!r}, but no validation had it (labels missing, or every "
                "one looked collapsed); set select to last and read what monitor says"
            )
        save_file(chosen, temporary / "encoder.safetensors")
        flat = {f"{name}/{key}": t for name, state in best.items() for key, t in state.items()}
        save_file(flat, temporary / "best.safetensors")
        snapshots = {
            f"{fraction:g}/{name}": tensor
            for fraction in SNAPSHOTS
            for name, tensor in load_file(folder / f"snapshot-{fraction:g}.safetensors").items()
        }
        save_file(snapshots, temporary / "snapshots.safetensors")
        write_json(temporary / "encoder.json", description)
        for name in ("metrics.csv", "validation.csv", "timing.csv", "summary.json"):
            shutil.copyfile(folder / name, temporary / name)


def _gpus() -> list[str]:
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def build_encoder(train: Settings, store: Store, out: Path) -> None:
    """Write an encoder that is not trained here, in the same files: a floor, or one that is given."""
    starts = Starts(World(0, 1, torch.device("cpu")))
    description = describe(train, store)
    module = build(train, description)
    if isinstance(train, PcaEncoder):
        mean, components, notes = _fit_pca(store, description, train.dim)
        module.mean.copy_(torch.from_numpy(mean))
        module.components.copy_(torch.from_numpy(components))
    if isinstance(train, PretrainedEncoder):
        description["weights"], notes = load_published(train, store, description, module)
    elif isinstance(train, ModuleEncoder):
        notes = user_module.load_own(train, description["module"], module)
    elif getattr(train, "init", None):
        check_inputs(description, train.init)
        notes = [start(module, train)]
    elif not isinstance(train, PcaEncoder):
        notes = []
    print("".join(f"{note}\n" for note in notes), end="", flush=True)
    with staged(out) as temporary:
        save_file(parallel.weights(module), temporary / "encoder.safetensors")
        for name in ("jepa", "snapshots", "best"):
            save_file({}, temporary / f"{name}.safetensors")
        write_json(temporary / "encoder.json", description)
        (temporary / "metrics.csv").write_text("step,epoch,loss\n")
        (temporary / "validation.csv").write_text("step,val_loss\n")
        timing = "step,samples_per_second,mfu,data_share,peak_memory_bytes\n"
        (temporary / "timing.csv").write_text(timing)
        count = sum(t.numel() for t in module.state_dict().values() if t.is_floating_point())
        summary = {"steps": 0, "parameters": {"encoder": count}, "run": starts.total(0)}
        summary["notes"] = notes
        write_json(temporary / "summary.json", {**summary, **facts(_gpus())})


def _fit_pca(
    store: Store, description: dict[str, Any], dim: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Mean and components of the training part, and a line where they are of some samples alone."""
    rows = store.rows("train")
    inputs = part(description["modality"], "encoder").inputs(description)
    if dim > inputs.values:
        raise InputError(
            f"train.dim: found {dim}, expected at most {inputs.values} (values of a sample)"
        )
    some = rows if inputs.values <= _WIDE else evenly(rows, _WIDE)
    blocks = (inputs(store.samples(part)).flatten(1).numpy() for part in batches(some, 1024))
    if inputs.values <= _WIDE:
        return *principal_components(blocks, dim), []
    if dim >= len(some):
        raise InputError(f"train.dim: found {dim}, expected fewer than the {len(some)} training samples")
    notes = [f"components of {len(some):,} of {len(rows):,} training samples, evenly spaced"]
    return *components_of_wide(np.concatenate(list(blocks)), dim), notes * (len(some) < len(rows))


# Values per sample above which components come from inner products of at most as many samples.
_WIDE = 4096


def run_digest(train: Settings, store: Store) -> str:
    """Name of the run folder: what must be equal for a checkpoint to be continued."""
    content = {
        "train": resolved(train),
        "start": {str(f): sha256(f) for f in sorted(Path(train.init).glob("*encoder.safetensors"))}
        if train.init
        else None,
        "data": store.manifest["sha256"],
        "code": code_digest("train", store.manifest["modality"]),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    add_spec(p, "experiments.NAME.train")
    p.add_argument("--data", type=Path, required=True, help="folder written by prepare")
    p.add_argument("--out", type=Path, required=True, help="folder for the results")
    p.add_argument(
        "--checkpoints",
        type=Path,
        default=Path("checkpoints"),
        help="folder of checkpoints, from which runs resume",
    )
    p.add_argument(
        "--local-disk",
        default="",
        metavar="DIR",
        help="folder to which the data are copied first; $NAMES are filled in",
    )
    p.add_argument(
        "--loggers",
        default="",
        metavar="NAMES",
        help="send metrics to wandb, mlflow or wandb,mlflow as well",
    )
    args = p.parse_args(argv)
    loggers = chosen(args.loggers)
    disk = os.path.expandvars(args.local_disk)
    if "$" in disk:
        raise InputError(
            f"resources.local_disk: found {args.local_disk!r}, of which an environment variable is not "
            "set on this node; set it, or name a folder"
        )
    store = open_store(on_this_node(args.data, Path(disk)) if disk else args.data)
    modality, settings = store.manifest["modality"], store.manifest["settings"]
    train = parse_training(*read_spec(args.spec), modality)
    dataset = parse_dataset(settings, f"{args.data}/manifest.json: settings", modality)
    try:
        check_fit(modality, dataset, train, "--spec")
    except ValueError as error:
        raise InputError(str(error)) from None
    if isinstance(train, JepaRun) and train.steps:
        train_jepa(train, store, args.out, args.checkpoints, loggers)
    else:
        build_encoder(train, store, args.out)


if __name__ == "__main__":
    run(main)
