"""Every setting of the project: type, unit, bounds, default and reason. Defaults live only here.

python -m jepa_steps.config check config/config.yaml     validate, name the nearest valid key
python -m jepa_steps.config schema                       JSON Schema for editors and Snakemake
python -m jepa_steps.config preset ijepa-vitb            a block to paste into config.yaml
"""

import difflib
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import InputError

Share = Annotated[float, Field(ge=0, le=1)]
Range = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"


class Settings(BaseModel):
    """Base of every block: unknown keys are errors that name the nearest valid key."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_keys(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for key in value:
                if key not in cls.model_fields:
                    near = difflib.get_close_matches(str(key), cls.model_fields, 1, cutoff=0.5)
                    hint = (
                        f"did you mean {near[0]!r}?"
                        if near
                        else "valid keys: " + ", ".join(cls.model_fields)
                    )
                    raise ValueError(f"unknown key {key!r}; {hint}")
        return value


def _ordered(name: str, pair: tuple[float, float], most: float | None = None) -> None:
    if pair[0] > pair[1] or (most is not None and pair[1] > most):
        limit = f" and at most {most:g}" if most is not None else ""
        raise ValueError(f"{name}: found {list(pair)}, expected [low, high] with low <= high{limit}")


# ---------------------------------------------------------------------------------- data sets


class Split(Settings):
    """Stratified random split; given splits (train/, test/ folders, IDX files) win over it."""

    val: Share = 0.15
    """Share of all samples (of the given training part, if there is one) used to choose settings."""
    test: Share = 0.15
    """Share of all samples used once, to report; ignored when the source brings a test part."""
    seed: int = 0
    """Seed of the shuffle."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> "Split":
        if self.val <= 0 or self.test <= 0 or self.val + self.test >= 0.9:
            raise ValueError(
                f"val {self.val:g} and test {self.test:g}: expected both above 0 and a sum below 0.9"
            )
        return self


class ImageDataset(Settings):
    """Images: decoded once, resized, stored as uint8."""

    source: Literal["digits", "folder", "npz", "idx", "torchvision"]
    """digits: scikit-learn's 8x8 digits. folder: class folders, or images without labels; train/,
    val/, test/ at the top are taken as given splits. npz: arrays x_train/y_train/x_test/y_test,
    train_images/train_labels/..., or images/labels. idx: MNIST-family files, .gz too.
    torchvision: a data set class by name."""
    path: str
    """File or folder to read. For the embedded digits, its data card; for torchvision, its root."""
    torchvision_class: str | None = None
    """Class in torchvision.datasets, e.g. CIFAR10; only for source torchvision."""
    download: bool = False
    """Let torchvision download what is missing under path."""
    image_size: Annotated[int, Field(ge=2, le=4096)]
    """Side in pixels: the shorter side is resized to it (bicubic, antialiased), then the centre is
    cropped."""
    channels: Literal[1, 3] = 3
    """1 = grey, 3 = RGB. Transparency is composed over white, 16-bit grey is scaled to 8 bit."""
    split: Split = Split()
    """How samples are divided into train, val and test."""
    on_error: Literal["fail", "skip"] = "fail"
    """An unreadable image: stop and name it, or leave it out and list it in the manifest."""
    max_skipped: Share = 0.001
    """With on_error skip: the share of files that may be left out before prepare stops anyway."""
    max_pixels: Annotated[int, Field(gt=0)] = 89_478_485
    """Images with more pixels are refused before decoding (decompression bombs); Pillow's limit."""

    @model_validator(mode="after")
    def _torchvision_names_a_class(self) -> "ImageDataset":
        if (self.source == "torchvision") != (self.torchvision_class is not None):
            raise ValueError("torchvision_class belongs to source torchvision, and only to it")
        return self


# ------------------------------------------------------------------------------------ training


class Model(Settings):
    """Vision transformer."""

    patch_size: Annotated[int, Field(ge=1)]
    """Side of a patch, pixels; image_size must be a multiple of it."""
    dim: Annotated[int, Field(ge=4, multiple_of=4)] = 384
    """Embedding width D; a multiple of 4 (position codes) and of heads."""
    depth: Annotated[int, Field(ge=1)] = 12
    """Encoder blocks."""
    heads: Annotated[int, Field(ge=1)] = 6
    """Attention heads; width/heads of 32 to 64 is fastest."""
    mlp_ratio: Annotated[float, Field(gt=0)] = 4.0
    """Hidden width of a block's MLP over dim."""

    @model_validator(mode="after")
    def _heads_divide(self) -> "Model":
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


class Predictor(Settings):
    """Masked predictor; narrower than the encoder so that the encoder does the work."""

    dim: Annotated[int, Field(ge=4, multiple_of=4)] = 192
    """Width; a multiple of 4 and of heads."""
    depth: Annotated[int, Field(ge=1)] = 6
    """Blocks; about half of the encoder's depth."""
    heads: Annotated[int, Field(ge=1)] = 6
    """Attention heads."""

    @model_validator(mode="after")
    def _heads_divide(self) -> "Predictor":
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        return self


class Masks(Settings):
    """Multi-block masks (I-JEPA)."""

    blocks: Annotated[int, Field(ge=1, le=16)] = 4
    """Target blocks an image."""
    scale: Range = (0.15, 0.2)
    """Share of the tokens a target block covers, [low, high]."""
    aspect: Range = (0.75, 1.5)
    """Height/width of a target block, [low, high]."""
    context_scale: Range = (0.85, 1.0)
    """Share of the tokens of the context block, before targets are taken out of it."""
    min_context: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Layouts that leave a smaller share of the tokens visible are redrawn."""

    @model_validator(mode="after")
    def _ranges(self) -> "Masks":
        _ordered("scale", self.scale, 0.9)
        _ordered("aspect", self.aspect)
        _ordered("context_scale", self.context_scale, 1.0)
        return self


class Augment(Settings):
    """Random resized crop and flip, the same for context and target; the default is none."""

    crop_scale: Range = (1.0, 1.0)
    """Share of the image area that is kept, [low, high]; 0.3 to 1 in I-JEPA on ImageNet."""
    crop_aspect: Range = (1.0, 1.0)
    """Width/height of the crop, [low, high]."""
    flip: Share = 0.0
    """Probability of a horizontal flip; 0 where left and right matter, as in digits."""

    @model_validator(mode="after")
    def _ranges(self) -> "Augment":
        _ordered("crop_scale", self.crop_scale, 1.0)
        _ordered("crop_aspect", self.crop_aspect)
        return self


class Objective(Settings):
    """What is minimised."""

    kind: Literal["ema_target", "vicreg", "ema_target+vicreg"] = "ema_target"
    """ema_target: predict a stop-gradient EMA encoder (I-JEPA). vicreg: predict the same encoder,
    kept from collapse by variance and covariance terms. The sum: C-JEPA."""
    distance: Literal["smooth_l1", "l2"] = "smooth_l1"
    """Distance for ema_target."""
    ema_momentum: tuple[Share, Share] = (0.996, 1.0)
    """EMA momentum of the target encoder at the first and last step; linear between."""
    invariance: Annotated[float, Field(ge=0)] = 25.0
    """VICReg weight of the prediction error."""
    variance: Annotated[float, Field(ge=0)] = 25.0
    """VICReg weight of the variance hinge."""
    covariance: Annotated[float, Field(ge=0)] = 1.0
    """VICReg weight of the covariance term."""
    gamma: Annotated[float, Field(gt=0)] = 1.0
    """Standard deviation below which the variance hinge acts."""
    eps: Annotated[float, Field(gt=0)] = 1e-4
    """Added to the variance before the root."""


class Optimizer(Settings):
    """AdamW with warm-up and cosine decay, stepped per optimizer step."""

    lr: Annotated[float, Field(gt=0, le=1)] = 1e-4
    """Peak learning rate."""
    min_lr_ratio: Share = 0.01
    """Final learning rate over the peak."""
    warmup: Share = 0.1
    """Share of the steps spent warming up linearly."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Decoupled decay of matrices; biases, norms and tokens are exempt."""
    betas: tuple[Share, Share] = (0.9, 0.999)
    """Adam's moment decay rates."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are scaled down to this global norm."""


class JepaTraining(Settings):
    """A trained JEPA encoder."""

    encoder: Literal["jepa"]
    """jepa: trained by prediction in embedding space."""
    seed: int = 0
    """Seed of weights, order, masks and augmentation."""
    steps: Annotated[int, Field(ge=10)] = 10_000
    """Optimizer steps, at least 10 so that the snapshots fall on different steps; steps * batch_size
    / training images = epochs."""
    batch_size: Annotated[int, Field(ge=2)] = 256
    """Images an optimizer step, over all ranks together."""
    model: Model
    """The encoder."""
    predictor: Predictor = Predictor()
    """The predictor."""
    masks: Masks = Masks()
    """What is hidden."""
    augment: Augment = Augment()
    """How images are varied."""
    objective: Objective = Objective()
    """What is minimised."""
    optimizer: Optimizer = Optimizer()
    """How."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Autocast type; auto = bf16 on GPUs that have it, fp32 elsewhere."""
    threads: Annotated[int, Field(ge=1)] = 2
    """CPU threads of one process; part of the settings because sums depend on it to the bit."""
    log_every: Annotated[int, Field(ge=1)] = 50
    """Steps averaged into one row of metrics.csv."""
    checkpoint_every: Annotated[int, Field(ge=1)] = 500
    """Steps between resume checkpoints."""


class UntrainedEncoder(Settings):
    """Floor: the same architecture with its initial weights."""

    encoder: Literal["untrained"]
    """untrained: random initial weights."""
    seed: int = 0
    """Seed of the weights."""
    model: Model
    """The encoder."""


class PcaEncoder(Settings):
    """Floor: principal components of the pixels, fitted on the training part."""

    encoder: Literal["pca"]
    """pca: a linear code of the pixels."""
    dim: Annotated[int, Field(ge=1)]
    """Components kept; choose the trained encoder's dim for a fair comparison."""


class RawEncoder(Settings):
    """Floor: the normalised pixels themselves."""

    encoder: Literal["raw"]
    """raw: no encoder."""


Training = Annotated[
    JepaTraining | UntrainedEncoder | PcaEncoder | RawEncoder, Field(discriminator="encoder")
]

# ---------------------------------------------------------------------------------- judgement


class Embed(Settings):
    """From images to stored embeddings."""

    pooling: Literal["mean", "max"] = "mean"
    """How token embeddings become one embedding a sample."""
    batch_size: Annotated[int, Field(ge=1)] = 512
    """Images a forward pass; no influence on the result beyond rounding."""
    token_samples: Annotated[int, Field(ge=2)] = 512
    """Training samples whose token embeddings are stored, for token statistics."""
    snapshot_samples: Annotated[int, Field(ge=2)] = 1024
    """Training samples embedded by every snapshot, for statistics over training."""
    threads: Annotated[int, Field(ge=1)] = 2
    """CPU threads; part of the settings because sums depend on it to the bit."""


class Monitor(Settings):
    """Thresholds of the verdict; each is a scale-free number."""

    position_share: Share = 0.95
    """Positional collapse: share of token variance explained by position alone."""
    rank_share: Share = 0.05
    """Dimensional collapse: effective rank of the pooled embeddings over their width."""
    relative_spread: Share = 0.02
    """Collapse: spread of the pooled embeddings around their mean over their root mean square."""
    dead_share: Share = 0.25
    """Dead dimensions: share of dimensions with std under a tenth of the median std."""


class Rank(Settings):
    """Rank analysis of the embedding matrix."""

    samples: Annotated[int, Field(ge=16)] = 25_600
    """Training embeddings used, at most; 25,600 in the RankMe paper."""


class Probe(Settings):
    """Linear probes and neighbours on frozen embeddings."""

    logistic_c: tuple[Annotated[float, Field(gt=0)], ...] = (0.001, 0.01, 0.1, 1.0, 10.0)
    """Inverse regularisation strengths swept on the validation part."""
    knn_k: Annotated[int, Field(ge=1)] = 20
    """Neighbours of the weighted kNN (cosine, temperature 0.07)."""
    few_labels: tuple[Annotated[int, Field(ge=1)], ...] = (1, 5, 10, 100)
    """Labels a class in the few-label probes; sizes a class cannot fill are left out."""
    few_draws: Annotated[int, Field(ge=1)] = 10
    """Random label subsets for each size; the same ones for every experiment on a data set."""
    max_train: Annotated[int, Field(ge=10)] = 50_000
    """Training embeddings used by the probes, at most."""
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    """Resamples of the test part behind each 95 % interval."""
    seed: int = 0
    """Seed of subsets and resamples."""


class Experiment(Settings):
    """One encoder on one data set, and how it is judged."""

    dataset: str
    """A key of datasets."""
    train: Training
    """How the encoder comes about."""
    embed: Embed = Embed()
    """How it is applied."""
    monitor: Monitor = Monitor()
    """When it counts as collapsed."""
    rank: Rank = Rank()
    """How its rank is measured."""
    probe: Probe = Probe()
    """How it is judged by labels."""


class Config(Settings):
    """The whole of config.yaml."""

    datasets: dict[Annotated[str, Field(pattern=NAME)], ImageDataset]
    """Data sets by name."""
    experiments: dict[Annotated[str, Field(pattern=NAME)], Experiment]
    """Experiments by name."""

    @model_validator(mode="after")
    def _cross_references(self) -> "Config":
        if not self.experiments:
            raise ValueError("experiments: found none, expected at least one")
        for name, experiment in self.experiments.items():
            where = f"experiments.{name}"
            if experiment.dataset not in self.datasets:
                raise ValueError(
                    f"{where}.dataset: found {experiment.dataset!r}, expected one of "
                    + ", ".join(self.datasets)
                )
            check_fit(self.datasets[experiment.dataset], experiment.train, where)
        return self


def check_fit(dataset: ImageDataset, train: Training, where: str) -> None:
    """Raise ValueError where a training block cannot work on a data set."""
    if isinstance(train, PcaEncoder):
        pixels = dataset.image_size**2 * dataset.channels
        if train.dim > pixels:
            raise ValueError(f"{where}.train.dim: found {train.dim}, expected at most {pixels} pixels")
    if isinstance(train, JepaTraining | UntrainedEncoder):
        size, patch = dataset.image_size, train.model.patch_size
        if size % patch or size // patch < 2:
            raise ValueError(
                f"{where}.train.model.patch_size: found {patch}, expected a divisor of image_size "
                f"{size} that leaves at least 2 patches a side"
            )


# ------------------------------------------------------------------------------------- presets

PRESETS: dict[str, dict[str, Any]] = {
    # Specification sections 2 and 3, image column.
    "ijepa-vitb": {
        "encoder": "jepa",
        "batch_size": 1024,
        "model": {"patch_size": 16, "dim": 768, "depth": 12, "heads": 12},
        "predictor": {"dim": 384, "depth": 6, "heads": 12},
        "augment": {"crop_scale": [0.3, 1.0], "crop_aspect": [0.75, 1.3333], "flip": 0.5},
    },
    "vicreg-vitb": {
        "encoder": "jepa",
        "batch_size": 1024,
        "model": {"patch_size": 16, "dim": 768, "depth": 12, "heads": 12},
        "predictor": {"dim": 384, "depth": 6, "heads": 12},
        "objective": {"kind": "vicreg"},
    },
    # A first try on one workstation GPU with images of 64 to 128 pixels.
    "ijepa-vits": {
        "encoder": "jepa",
        "model": {"patch_size": 8, "dim": 384, "depth": 12, "heads": 6},
        "predictor": {"dim": 192, "depth": 6, "heads": 6},
        "augment": {"crop_scale": [0.3, 1.0], "crop_aspect": [0.75, 1.3333], "flip": 0.5},
        "optimizer": {"lr": 0.0005},
    },
}

# ------------------------------------------------------------------------------------- reading

S = TypeVar("S", bound=BaseModel)


def _line(error: ValidationError, source: str) -> str:
    """One line for the first problem: file, field, found, expected."""
    first, count = error.errors()[0], error.error_count()
    tags = {"jepa", "untrained", "pca", "raw"}
    path = [str(p) for p in first["loc"] if p not in tags and p != "[key]"]
    message = first["msg"].removeprefix("Value error, ")
    found = first["input"]
    if not isinstance(found, dict) and first["type"] != "value_error":
        message += f", found {found!r}"
        if isinstance(found, str) and _is_number(found):
            message += " (YAML reads 1e-3 as text: write 0.001 or 1.0e-3)"
    more = f" (and {count - 1} more)" if count > 1 else ""
    return f"{source}: {'.'.join(path) + ': ' if path else ''}{message}{more}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse(model: type[S], value: Any, source: str) -> S:
    """Validate plain data strictly (no text for numbers) as ``model``.

    Raises:
        InputError: one line naming ``source``, the field, what was found and what was expected.
    """
    try:
        return model.model_validate(_frozen(value), strict=True)
    except ValidationError as error:
        raise InputError(_line(error, source)) from None


def _frozen(value: Any) -> Any:
    """Lists become tuples, which is what strict validation of fixed-length settings takes."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def read_yaml(path: Path) -> Any:
    """Plain data of a YAML or JSON file.

    Raises:
        InputError: missing or malformed file, with the line of the fault.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError, IsADirectoryError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{path}: {where}not valid YAML: {problem}") from None


def load_config(path: Path) -> Config:
    """Read and validate a whole config file.

    Raises:
        InputError: one line naming the file and the field.
    """
    return parse(Config, read_yaml(path) or {}, str(path))


class _Training(BaseModel):
    train: Training


def parse_training(value: Any, source: str) -> Training:
    """Validate one ``train`` block (any encoder kind)."""
    return parse(_Training, {"train": value}, source).train


def schema() -> dict[str, Any]:
    """JSON Schema of config.yaml."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def resolved(settings: BaseModel) -> dict[str, Any]:
    """Every setting with defaults filled in, as plain data."""
    return settings.model_dump(mode="json")


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    from .cli import parser

    p = parser(__doc__)
    sub = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    sub.add_parser("check", help="validate a config file").add_argument("file", type=Path)
    sub.add_parser("schema", help="print the JSON Schema")
    sub.add_parser("preset", help="print a training block").add_argument("name", choices=PRESETS)
    args = p.parse_args(argv)
    if args.command == "check":
        config = load_config(args.file)
        print(f"{args.file}: {len(config.datasets)} data sets, {len(config.experiments)} experiments")
    elif args.command == "schema":
        print(json.dumps(schema(), indent=2))
    else:
        block = resolved(parse_training(PRESETS[args.name], args.name))
        yaml.safe_dump({"train": block}, sys.stdout, sort_keys=False)


if __name__ == "__main__":
    from .cli import run

    run(main)
