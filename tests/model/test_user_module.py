"""Modules of one's own: a program of torch.export, or what a function returns."""

import io
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from support import parse_training
from torch import nn

from jepa_steps.config import Embed
from jepa_steps.embed import embed_store
from jepa_steps.errors import InputError
from jepa_steps.model.export import load_encoder
from jepa_steps.train import build_encoder


class Small(nn.Module):
    """Images (B, 1, 8, 8) -> feature maps (B, 6, 4, 4), tokens (B, 16, 6) or embeddings (B, 6)."""

    def __init__(self, form: str):
        super().__init__()
        torch.manual_seed(0)
        self.convolution, self.form = nn.Conv2d(1, 6, 3, 2, 1), form

    def forward(self, x):
        maps = self.convolution(x).relu()
        tokens = maps.flatten(2).mT
        return {"maps": maps, "tokens": tokens, "embeddings": tokens.mean(1)}[self.form]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Text of a module of the user's -> its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str, name: str = "user_encoder") -> str:
        (tmp_path / f"{name}.py").write_text(text)
        sys.modules.pop(name, None)
        return name

    yield write
    sys.modules.pop("user_encoder", None)


def program(path: Path, form: str = "tokens") -> Path:
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    exported = torch.export.export(
        Small(form).eval(), (torch.randn(4, 1, 8, 8),), dynamic_shapes=dynamic
    )
    torch.export.save(exported, path)
    return path


def built(block: dict, store, out: Path):
    build_encoder(parse_training({"encoder": "module", **block}), store, out)
    return load_encoder(out)


@pytest.mark.parametrize("form", ["maps", "tokens", "embeddings"])
def test_a_program_gives_what_its_module_gives(form, store, tmp_path, capsys):
    path = program(tmp_path / "m.pt2", form)
    encoder = built({"path": str(path)}, store, tmp_path / "train")
    assert f"module runs {path}, code from outside this project" in capsys.readouterr().out
    path.unlink()  # the results hold it
    encoder = load_encoder(tmp_path / "train")
    pixels = store.samples(store.rows("test")[:3])
    with torch.no_grad():
        expected = Small(form)(encoder.preprocess(pixels))
    expected = {"maps": lambda x: x.flatten(2).mT, "tokens": lambda x: x}.get(
        form, lambda x: x[:, None]
    )(expected)
    assert torch.allclose(encoder.encode(pixels), expected, atol=1e-6)
    assert encoder.grid == {"maps": (4, 4), "tokens": (16,), "embeddings": None}[form]
    assert not encoder.maskable
    embed_store(tmp_path / "train", store, Embed(threads=1, token_samples=8), tmp_path / "embed")


def test_a_function_gives_its_module_and_plain_pixels_are_not_normalised(store, tmp_path, written):
    written("import torch\n\nclass M(torch.nn.Module):\n    def forward(self, x):\n        return x.flatten(1)\n\n"
            "class Maker:\n    make = M\n")  # fmt: skip
    encoder = built({"function": "user_encoder:Maker.make", "takes": "plain"}, store, tmp_path / "train")
    pixels = store.samples(store.rows("test")[:3])
    assert torch.allclose(encoder.embed(pixels) * 255, torch.from_numpy(pixels).flatten(1).float())


def test_weights_of_a_function_are_kept_with_the_results(store, tmp_path, written):
    text = "import torch\n\ndef make():\n    layer = torch.nn.Linear(64, 3)\n    layer.weight.data.fill_({})\n"
    text += "    return torch.nn.Sequential(torch.nn.Flatten(), layer)\n"
    written(text.format(1))
    encoder = built({"function": "user_encoder:make"}, store, tmp_path / "train")
    pixels = store.samples(store.rows("test")[:3])
    written(text.format(2))
    assert torch.equal(load_encoder(tmp_path / "train").embed(pixels), encoder.embed(pixels))


def rewritten(path: Path, edit) -> Path:
    """The archive with other entries."""
    entries = {}
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in edit(entries).items():
            archive.writestr(name, data)
    path.write_bytes(content.getvalue())
    return path


def pickled(entries: dict[str, bytes]) -> dict[str, bytes]:
    return {
        name: data.replace(b'"use_pickle": false', b'"use_pickle": true')
        for name, data in entries.items()
    }


PROGRAMS = {
    "no file": (lambda path: path.unlink(), r"cannot be read: .*No such file"),
    "no archive": (lambda path: path.write_bytes(b"abc"), "cannot be read: File is not a zip file"),
    "pickle": (lambda path: rewritten(path, pickled), "found a pickle, expected plain numbers"),
    "machine code": (
        lambda path: rewritten(path, lambda e: e | {"m/data/aotinductor/m/a.so": b"x"}),
        r"found the entry m/data/aotinductor/m/a.so, which is not known",
    ),
    "object": (
        lambda path: rewritten(path, lambda e: e | {"m/data/constants/opaque_obj_0": b"x"}),
        r"found the entry m/data/constants/opaque_obj_0",
    ),
    "one batch size": (
        lambda path: torch.export.save(
            torch.export.export(Small("maps"), (torch.randn(4, 1, 8, 8),)), path
        ),
        r"fails on float32 \(2, 1, 8, 8\).*batch of any size",
    ),
    "batches of two": (
        lambda path: torch.export.save(
            torch.export.export(Small("maps"), (torch.randn(2, 1, 8, 8),)), path
        ),
        r"fails on float32 \(2, 1, 8, 8\).*batch of any size",
    ),
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_programs_that_are_refused(case, store, tmp_path):
    spoil, message = PROGRAMS[case]
    path = program(tmp_path / "m.pt2")
    spoil(path)
    with pytest.raises(InputError, match=message) as caught:
        built({"path": str(path)}, store, tmp_path / "train")
    assert "\n" not in str(caught.value) and not (tmp_path / "train" / "encoder.json").exists()


FUNCTIONS = {
    "no module": ("", "nowhere:make", "ModuleNotFoundError: No module named 'nowhere'"),
    "no function": ("", "user_encoder:make", "AttributeError: .*'make'"),
    "arguments": ("def make(x): pass", "user_encoder:make", "TypeError: .*missing 1 required"),
    "no nn.Module": ("def make(): return 3", "user_encoder:make", "found int, expected a module"),
    "five axes": (
        "import torch\nclass M(torch.nn.Module):\n    def forward(self, x): return x[None]\nmake = M",
        "user_encoder:make",
        r"gives \(1, 2, 1, 8, 8\) of 2 samples, expected embeddings \(B, D\)",
    ),
    "drawn": (
        "import torch\nclass M(torch.nn.Module):\n    def forward(self, x): return torch.randn(len(x), 3)\n"
        "make = M",
        "user_encoder:make",
        "expected the same twice",
    ),
    "of the batch": (
        "import torch\nclass M(torch.nn.Module):\n    def forward(self, x):\n"
        "        return x.flatten(1) - x.flatten(1).mean(0)\nmake = M",
        "user_encoder:make",
        "expected the same whatever else is in a batch",
    ),
    "nan": (
        "import torch\nclass M(torch.nn.Module):\n    def forward(self, x): return x.flatten(1) / 0\nmake = M",
        "user_encoder:make",
        "values that are not finite",
    ),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_functions_that_are_refused(case, store, tmp_path, written):
    text, function, message = FUNCTIONS[case]
    written(text)
    with pytest.raises(InputError, match=message):
        built({"function": function}, store, tmp_path / "train")


def test_one_of_file_and_function():
    with pytest.raises(InputError, match="path and function: expected one of the two"):
        parse_training({"encoder": "module"})
