"""Claim: a report of 30 experiments takes <= 20 s; one of 10 has at most 5 MB.

    python benchmarks/report.py runs/showcase/results

Copies of the finished experiments under a results folder (default: results) stand in for 30: every file
that the report reads, under other names and with other seeds of the settings, so that no two are one
row. Comparisons grow as experiments times floors, so every fifth copy is a floor where there are any.
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from common import header

from jepa_steps.report import report
from jepa_steps.reporting.contents import read_files


def copy(results: Path, source: str, target: Path, name: str, number: int) -> None:
    """One experiment under another name; what is not there is left out."""
    for old, new in zip(read_files(source), read_files(name), strict=True):
        if (results / old).is_file():
            (target / new).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(results / old, target / new)
    path = target / "train" / name / "encoder.json"
    encoder = json.loads(path.read_text())
    if "steps" in encoder["train"]:
        encoder["train"]["steps"] += number
        path.write_text(json.dumps(encoder))


def main() -> None:
    results = Path(sys.argv[1] if len(sys.argv) > 1 else "results")
    data = [p.parent for p in (results.parent / "data").glob("*/manifest.json")]
    kinds = {
        p.name: json.loads((p / "encoder.json").read_text())["train"]["encoder"]
        for p in sorted((results / "train").iterdir())
    }
    trained = [name for name, kind in kinds.items() if kind == "jepa"]
    floors = [name for name, kind in kinds.items() if kind != "jepa"]
    header(f"Copies of {len(trained)} trained experiments and {len(floors)} floors of {results}")
    with tempfile.TemporaryDirectory() as folder:
        target, names = Path(folder), []
        for i in range(30):
            pool = floors if floors and i % 5 == 4 else trained
            names.append(f"{pool[i % len(pool)]}-{i}")
            copy(results, pool[i % len(pool)], target, names[-1], i)
        for n in (10, 30):
            start, cpu = time.perf_counter(), time.process_time()
            report(target, data, names[:n], target / "report")
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
            size = (target / "report" / "report.html").stat().st_size / 1e6
            print(f"{n} experiments: {wall:.1f} s, {cpu:.1f} s of CPU, {size:.2f} MB")


if __name__ == "__main__":
    main()
