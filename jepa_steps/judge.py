"""Judge embeddings that were made anywhere: one command from a file to the report.

    jepa-steps judge --embeddings e.npy --table t.csv --targets label age --group donor \\
        --nuisance batch --raw x.npy --out report

Prepares the embeddings, checks them for collapse, measures ranks, and probes the label and further
targets. Every score is compared with the available floors: majority class, a probe of the nuisances
alone, shuffled labels, a random projection, raw input and its principal components. Writes report.html,
summary.csv and summary.md; all files of the steps are in data/ and results/. No config is needed. Every
guess is printed. Bad input stops it with one line, and leaves nothing behind. See docs/judge.md.
"""

import time
from pathlib import Path
from typing import Any

from .cli import parser, run
from .config import Embed, Monitor, Probe, Rank
from .config.training import parse_dataset, parse_training
from .embed import embed_store
from .errors import InputError
from .evaluate import evaluate
from .files import read_json, staged, write_json
from .modalities import MODALITIES, has_part, open_store, part
from .monitor import monitor
from .probe import probe
from .rank import rank
from .report import compare, write
from .reporting import targets, words
from .reporting.page import Page
from .train import build_encoder

MARK = "judge.json"
EMBED = Embed(threads=1)
_PLACES = ("train", "embed", "evaluate", "monitor", "rank", "probe")


def judge(modality: str, settings: dict[str, Any], out: Path) -> Page:
    """Run all steps; returns what is on the page.

    Args:
        modality: the kind of data that has ``judging``. settings: of the data set, plain.

    Raises:
        InputError: files that cannot be used, or a folder ``out`` with other contents.
    """
    began = time.monotonic()
    _refuse_other_contents(out)
    with staged(out) as folder:
        dataset = parse_dataset(settings, "judge", modality)
        step = part(modality, "prepare")
        manifest = step.prepare(dataset, folder / "data", 1)
        print("\n  ".join(step.summary(manifest, out / "data")), flush=True)
        blocks, notes = part(modality, "judging").experiments(manifest)
        for note in notes:
            print(f"  {note}")
        for name, block in blocks.items():
            _experiment(name, block, folder)
            print(f"  judged: {name} ({time.monotonic() - began:.0f} s)", flush=True)
        # On the page stand the names that files will have.
        page = compare(folder / "results", {str(out / "data"): manifest}, list(blocks))
        write(page, folder / "results", folder / "page")
        for file in (folder / "page").iterdir():
            file.rename(folder / file.name)
        (folder / "page").rmdir()
        write_json(folder / MARK, {"settings": settings, "seconds": time.monotonic() - began})
    return page


def _refuse_other_contents(out: Path) -> None:
    """Folders of one name are replaced: only those of an earlier judgement may be."""
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file()):
        raise InputError(
            f"--out: found {out} with other contents, expected a new folder, an empty one, or one of an "
            "earlier judgement"
        )


def _experiment(name: str, block: dict[str, Any], folder: Path) -> None:
    """Every step on one experiment, below ``folder``/results."""
    data = folder / "data"
    store = open_store(data)
    at = {step: folder / "results" / step / name for step in _PLACES}
    train = parse_training(block, name, store.manifest["modality"])
    build_encoder(train, store, at["train"])
    embed_store(at["train"], store, EMBED, at["embed"])
    evaluate(at["train"], data, ({}, name), at["evaluate"])
    monitor(at["embed"], data, at["train"], Monitor(), at["monitor"])
    files = {name: at["embed"] / f"{name}.npy" for name in ("embeddings", "tokens", "views")}
    rank(files["embeddings"], data / "splits.csv", files["tokens"], files["views"], Rank(), at["rank"])
    probe(files["embeddings"], data / "splits.csv", Probe(), at["probe"])


def spoken(page: Page) -> list[str]:
    """Verdict, evidence and standings of what was judged, for the terminal."""
    lines = []
    for row in page.rows:
        if not row.trained:
            continue
        card = words.card(row, page.standings)
        lines.append(f"{row.name}: {card['title']}. {card['sentence']}")
        lines += [f"  {f['severity']}: {f['name']}: {f['evidence']}" for f in card["findings"]]
        pooled = row.members[0]["rank"]["pooled"]
        if pooled["trust"] == "refused":
            lines.append(f"  no rank, so dimensional collapse was not checked: {pooled['reason']}")
        for measure, found in card["standings"].items():
            lines += [
                f"  {measure}: {s['says']}{s['why']} {s['floor']} by {s['points']:+.1f} points"
                for s in found
            ]
        lines += _targets(row.members[0]["probe"])
    return lines


def _targets(found: dict[str, Any]) -> list[str]:
    """A line for each further target."""
    lines = []
    for name, target in (found.get("of_targets") or {}).items():
        told = " (which embeddings should not encode)" if target["nuisance"] else ""
        if "reason" in target:
            said = f"not probed, {target['reason']}"
        elif target["kind"] == "numbers":
            said = f"R² {target['r2']:.2f} (always guessing the mean: 0)"
        else:
            accuracy, majority = (target[p]["accuracy"] for p in ("logistic", "majority"))
            said = f"linear probe {accuracy:.1%} (majority class {majority:.1%})"
        if target["nuisance"] and targets.told(target):
            said += "; the embeddings ENCODE it"
        lines.append(f"  {name}{told}: {said}")
    return lines


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    modality = next(name for name in MODALITIES if has_part(name, "judging"))
    p, step = parser(__doc__), part(modality, "judging")
    step.add_options(p)
    p.add_argument("--out", type=Path, required=True, help="folder for the report")
    args = p.parse_args(argv)
    page = judge(modality, step.dataset(args), args.out)
    print("\n".join(spoken(page)))
    print(f"{read_json(args.out / MARK)['seconds']:.0f} s")
    print((args.out / "report.html").resolve())


if __name__ == "__main__":
    run(main)
