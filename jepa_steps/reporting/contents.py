"""What the report reads of each experiment, and where each figure stands on its page."""

from typing import NamedTuple


class Drawing(NamedTuple):
    """A figure of one experiment: file below results/, with {} for the experiment. Without a title here,
    it is the kind of data that has one, or shows no such figure."""

    path: str
    title: str = ""
    caption: str = ""


FIGURES: dict[str, tuple[Drawing, ...]] = {
    "training": (
        Drawing(
            "monitor/{}/losses.svg",
            "Loss",
            "Loss and its parts over optimizer steps. With a moving-average target the loss may rise "
            "after its first drop, because the target changes as it learns.",
        ),
        Drawing(
            "monitor/{}/rates.svg",
            "Schedules",
            "Learning rate, weight decay and, if used, EMA momentum and size of the masks, over "
            "optimizer steps.",
        ),
        Drawing(
            "monitor/{}/norms.svg",
            "Norms",
            "Gradient norm, share of steps with a clipped gradient, weight norm, and length of a step "
            "divided by the weight norm.",
        ),
        Drawing(
            "monitor/{}/throughput.svg",
            "Throughput",
            "Samples per second, model FLOP utilisation, and share of the time spent drawing batches.",
        ),
        Drawing("monitor/{}/masks.svg"),
        Drawing("monitor/{}/samples.svg"),
    ),
    "embeddings": (
        Drawing(
            "monitor/{}/std.svg",
            "Spread by dimension",
            "Standard deviations of the pooled embedding's dimensions. A bar at 0 shows dead "
            "dimensions.",
        ),
        Drawing(
            "probe/{}/components.svg",
            "Two principal components",
            "Standardised test embeddings, coloured by class and, if the data have groups, by group.",
        ),
        Drawing("monitor/{}/neighbours.svg"),
        Drawing(
            "rank/{}/correlation.svg",
            "Correlation of dimensions",
            "Off the diagonal, 0 is best: those dimensions do not repeat each other.",
        ),
    ),
    "ranks": (
        Drawing(
            "monitor/{}/over_training.svg",
            "Rank over training",
            "Ranks, spread and accuracy of a probe on val, at every snapshot on the same samples.",
        ),
        Drawing(
            "monitor/{}/spectra.svg",
            "Spectra over training",
            "Singular values of the embeddings of the same samples at every snapshot.",
        ),
        Drawing(
            "rank/{}/spectrum.svg",
            "Spectrum",
            "Singular values of the centred embeddings, divided by their root mean square.",
        ),
    ),
    "evaluation": (Drawing("evaluate/{}/evaluation.svg"),),
    "probes": (
        Drawing(
            "probe/{}/confusion.svg",
            "Confusion",
            "Classes predicted by the linear probe on the test part. Rows are the true classes.",
        ),
    ),
}

# Files of each step that hold what the page says.
TABLES = {
    "train": ("encoder.json", "summary.json", "metrics.csv"),
    "embed": ("embed.json",),
    "evaluate": ("evaluation.json",),
    "monitor": ("monitor.json",),
    "rank": ("rank.json",),
    "probe": ("probe.json", "predictions.csv", "classes.csv"),
}


def read_files(experiment: str) -> list[str]:
    """Every file below results/ that the report reads of an experiment."""
    tables = [f"{step}/{experiment}/{name}" for step, names in TABLES.items() for name in names]
    return tables + [d.path.format(experiment) for block in FIGURES.values() for d in block]
