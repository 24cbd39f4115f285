"""All commands under one name: ``jepa-steps COMMAND`` or ``python -m jepa_steps COMMAND``.

    init       write a project folder: workflow, config, what DVC needs
    judge      judge embeddings that were made anywhere: one command, one report
    export     write an encoder that was trained here for transformers, timm or ONNX
    preset     print a training block to paste into a config
    check      validate a config
    settings   print every setting with its default and reason
    adopt      accept files that DVC or Git restored
    prepare, train, embed, evaluate, monitor, rank, probe, report    run one step

``jepa-steps COMMAND --help`` describes a command.
"""

import runpy
import sys

# Commands of jepa_steps.config, which takes them as its first argument.
_OF_THE_CONFIG = ("preset", "check", "settings", "schema")
_MODULES = (
    "init",
    "judge",
    "export",
    "adopt",
    "prepare",
    "train",
    "embed",
    "evaluate",
    "monitor",
    "rank",
    "probe",
    "report",
)


def main() -> None:
    """Run the module of a command as ``python -m`` would."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        print(__doc__.strip())
        return
    if name not in (*_MODULES, *_OF_THE_CONFIG):
        known = ", ".join((*_MODULES, *_OF_THE_CONFIG))
        print(f"error: found the command {name!r}, expected one of {known}", file=sys.stderr)
        sys.exit(2)
    if name in _OF_THE_CONFIG:
        sys.argv = ["jepa-steps", *sys.argv[1:]]
        runpy.run_module("jepa_steps.config", run_name="__main__")
    else:
        sys.argv = [f"jepa-steps {name}", *sys.argv[2:]]
        runpy.run_module(f"jepa_steps.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
