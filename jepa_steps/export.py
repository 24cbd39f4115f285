"""Write an encoder that was trained here in the format of another library.

    jepa-steps export --encoder results/train/mine --to transformers --out mine-ijepa
    jepa-steps export --encoder results/train/mine --to timm --out mine-timm
    jepa-steps export --encoder results/train/mine --to onnx --out mine-onnx

Writes a folder. transformers: IJepaModel.from_pretrained(FOLDER). timm: timm.create_model(
"local-dir:FOLDER", pretrained=True). onnx: encoder.onnx, which takes uint8 pixels.
"""

from pathlib import Path

from .cli import parser, run
from .errors import InputError
from .files import staged
from .modalities import MODALITIES, has_part, part
from .model.export import load_encoder

_WITH = [name for name in MODALITIES if has_part(name, "exchange")]
_FORMATS = ("transformers", "timm", "onnx")


def export(folder: Path, form: str, out: Path) -> None:
    """Write the encoder of a training result folder in the format ``form``.

    Raises:
        InputError: no trained encoder, no such format for its kind of data, or a folder in the way.
    """
    encoder = load_encoder(folder)
    modality = encoder.config["modality"]
    if modality not in _WITH:
        raise InputError(f"{folder}: found an encoder of {modality}, expected one of {', '.join(_WITH)}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out: found {out} with other contents, expected a new or empty folder")
    with staged(out) as temporary:
        part(modality, "exchange").FORMATS[form](encoder, temporary)


def main(argv: list[str] | None = None) -> None:
    """The command line; see the top of this file or ``--help``."""
    p = parser(__doc__)
    p.add_argument("--encoder", type=Path, required=True, help="folder written by train")
    p.add_argument("--to", choices=_FORMATS, required=True, help="library that will load it")
    p.add_argument("--out", type=Path, required=True, help="folder to write")
    args = p.parse_args(argv)
    export(args.encoder, args.to, args.out)
    print("\n".join(str(file) for file in sorted(args.out.iterdir())))


if __name__ == "__main__":
    run(main)
