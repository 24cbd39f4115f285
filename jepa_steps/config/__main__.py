"""Check a config file, print its schema, or a preset.

python -m jepa_steps.config check config/config.yaml     validate, name the nearest valid key
python -m jepa_steps.config schema                       JSON Schema for editors
python -m jepa_steps.config preset ijepa-vitb            a block to paste into config.yaml
"""

import json
import sys
from pathlib import Path

import yaml

from ..cli import parser, run
from ..modalities import MODALITIES
from .experiments import PRESETS, load_config, schema
from .reading import read_yaml, resolved
from .settings_page import settings_page
from .training import parse_training

_STEPS = ("embed", "evaluate", "monitor", "rank", "probe")


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    sub = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    sub.add_parser("check", help="validate a config file").add_argument("file", type=Path)
    sub.add_parser("schema", help="print the JSON Schema")
    sub.add_parser("settings", help="print docs/settings.md")
    sub.add_parser("preset", help="print a training block").add_argument("name", choices=PRESETS)
    args = p.parse_args(argv)
    if args.command == "check":
        config = load_config(args.file)
        counts = ", ".join(f"{len(config.datasets(m))} of {m}" for m in MODALITIES)
        print(f"{args.file}: data sets: {counts}; {len(config.experiments)} experiments")
        written = (read_yaml(args.file) or {}).get("experiments", {})
        for name, experiment in config.experiments.items():
            blocks = {"modality": experiment.modality} | dict.fromkeys(_STEPS, "{}")
            if lacking := [f"{k}: {v}" for k, v in blocks.items() if k not in written[name]]:
                print(f"  experiments.{name}: for dvc repro write out {', '.join(lacking)}")
    elif args.command == "schema":
        print(json.dumps(schema(), indent=2))
    elif args.command == "settings":
        print(settings_page(), end="")
    else:
        modality, block = PRESETS[args.name]
        block = resolved(parse_training(block, args.name, modality))
        yaml.safe_dump({"train": block}, sys.stdout, sort_keys=False)


if __name__ == "__main__":
    run(main)
