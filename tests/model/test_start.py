"""Training that begins from weights, and encoders that go to another library and come back."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support import TINY, parse_training

from jepa_steps.config import Embed
from jepa_steps.config.training import parse_dataset
from jepa_steps.embed import embed_store
from jepa_steps.errors import InputError
from jepa_steps.export import export
from jepa_steps.modalities.images.prepare import prepare
from jepa_steps.modalities.images.store import open_store
from jepa_steps.model.export import load_encoder
from jepa_steps.model.pretrained import transformers_folder
from jepa_steps.model.start import interpolated
from jepa_steps.train import build_encoder, train_jepa

MODEL = TINY["model"]


@pytest.fixture(scope="module")
def first(store, tmp_path_factory) -> Path:
    """An encoder that was trained for a few steps."""
    folder = tmp_path_factory.mktemp("first")
    train_jepa(parse_training({**TINY, "steps": 12}), store, folder / "train", folder / "checkpoints")
    return folder / "train"


def run(train: dict, store, folder: Path) -> Path:
    settings, out = parse_training(train), folder / "train"
    if settings.kind == "jepa" and settings.steps:
        train_jepa(settings, store, out, folder / "checkpoints")
    else:
        build_encoder(settings, store, out)
    return out


@pytest.mark.parametrize("floor", [False, True])
def test_a_start_of_no_steps_embeds_exactly_as_its_encoder(floor, first, store, tmp_path):
    """And so scores exactly as it: probes are functions of embeddings."""
    block = {"encoder": "untrained"} if floor else {"encoder": "jepa", "steps": 0}
    again = run({**block, "init": str(first), "model": MODEL}, store, tmp_path)
    settings = Embed(threads=1, token_samples=8, view_samples=8)
    for folder, name in ((first, "a"), (again, "b")):
        embed_store(folder, store, settings, tmp_path / name)
    for name in ("embeddings.npy", "tokens.npy"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    kind = json.loads((tmp_path / "b" / "embed.json").read_text())["encoder"]
    assert kind == ("start" if floor else "jepa")


def test_training_begins_at_the_start_and_moves_away(first, store, tmp_path):
    out = run({**TINY, "steps": 12, "init": str(first)}, store, tmp_path)
    snapshots, start = load_file(out / "snapshots.safetensors"), load_file(first / "encoder.safetensors")
    end = load_file(out / "encoder.safetensors")
    assert all(torch.equal(snapshots[f"0/{name}"], x) for name, x in start.items())
    assert any(not torch.equal(end[name], x) for name, x in start.items())
    assert load_encoder(out).module.positions.equal(load_encoder(first).module.positions)


def test_another_start_under_the_same_path_is_another_run(first, store, tmp_path):
    from jepa_steps.train import run_digest

    copy = tmp_path / "start"
    copy.mkdir()
    for name in ("encoder.json", "encoder.safetensors"):
        (copy / name).write_bytes((first / name).read_bytes())
    settings = parse_training({**TINY, "init": str(copy)})
    before = run_digest(settings, store)
    content = bytearray((copy / "encoder.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "encoder.safetensors").write_bytes(bytes(content))
    assert run_digest(settings, store) != before


def test_larger_images_get_interpolated_positions_and_the_starts_statistics(first, tmp_path):
    card = str(Path(__file__).parents[2] / "config" / "cards" / "digits.md")
    spec = {"source": "digits", "path": card, "image_size": 12, "channels": 1}
    prepare(parse_dataset(spec, "test", "images"), tmp_path / "data", workers=1)
    block = {"encoder": "jepa", "steps": 0, "init": str(first), "model": MODEL}
    larger = load_encoder(run(block, open_store(tmp_path / "data"), tmp_path))
    small = load_encoder(first)
    assert larger.grid == (6, 6) and small.grid == (4, 4)
    assert larger.config["mean"] == small.config["mean"]
    codes = small.module.positions.T.reshape(1, -1, 4, 4)
    expected = torch.nn.functional.interpolate(codes, size=(6, 6), mode="bicubic")
    assert torch.allclose(larger.module.positions, expected.flatten(2)[0].T)


def test_positions_keep_constants_and_their_order():
    place = torch.arange(5.0)[:, None]
    assert torch.equal(interpolated(place, (5,), (5,)), place)
    finer = interpolated(torch.cat([place, torch.ones(5, 1)], 1), (5,), (9,))
    assert bool((finer[:, 0].diff() >= 0).all()) and torch.allclose(finer[:, 1], torch.ones(9))
    clip = interpolated(torch.ones(8, 3), (2, 2, 2), (4, 3, 3))
    assert clip.shape == (36, 3) and torch.allclose(clip, torch.ones(36, 3))


def test_starts_that_do_not_fit_give_one_line(first, store, tmp_path):
    def start(**changes):
        model = {**MODEL, **changes.pop("model", {})}
        block = {"encoder": "jepa", "steps": 0, "init": str(first), "model": model, **changes}
        build_encoder(parse_training(block), store, tmp_path / "out")

    with pytest.raises(InputError, match=r"encoder.json: found model.depth 2, expected 3"):
        start(model={"depth": 3})
    with pytest.raises(InputError, match=r"found model.heads 1, expected 2"):
        start(model={"heads": 2})
    with pytest.raises(InputError, match=r"found neither encoder.json nor config.json|no such file"):
        start(init=str(tmp_path))
    with pytest.raises(InputError, match=r"steps: found 0, expected at least 10, or 0 with init"):
        parse_training({"encoder": "jepa", "steps": 0, "model": MODEL})
    assert not (tmp_path / "out" / "encoder.json").exists()


# ------------------------------------------------------------------------------ to other libraries


@pytest.fixture(scope="module")
def pixels(store) -> np.ndarray:
    return store.samples(store.rows("test")[:5])


@torch.no_grad()
def test_transformers_gives_the_same_tokens_and_back_come_the_same_bytes(first, store, pixels, tmp_path):
    export(first, "transformers", tmp_path / "ijepa")
    ours = load_encoder(first)
    # Back, as the start of a run here, which needs no transformers.
    block = {"encoder": "jepa", "steps": 0, "init": str(tmp_path / "ijepa"), "model": MODEL}
    back = run(block, store, tmp_path)
    weights, start = load_file(back / "encoder.safetensors"), load_file(first / "encoder.safetensors")
    assert weights.keys() == start.keys() | {"positions"}
    for name, x in start.items():
        assert weights[name].numpy().tobytes() == x.numpy().tobytes()
    assert torch.equal(load_encoder(back).encode(pixels), ours.encode(pixels))
    pytest.importorskip("transformers", reason="pip install 'jepa-steps[pretrained]'")
    library = transformers_folder.library()
    model, found = library.IJepaModel.from_pretrained(tmp_path / "ijepa", output_loading_info=True)
    assert not any(found.values())
    tokens = model(ours.preprocess(pixels)).last_hidden_state
    assert float((tokens - ours.encode(pixels)).abs().max()) <= 1e-5
    # Judged as published weights: with the preprocessing that the folder states.
    judged = run({"encoder": "pretrained", "path": str(tmp_path / "ijepa")}, store, tmp_path / "judged")
    assert float((load_encoder(judged).encode(pixels) - ours.encode(pixels)).abs().max()) <= 1e-5


@torch.no_grad()
def test_timm_gives_the_same_tokens_and_embedding(first, pixels, tmp_path):
    pytest.importorskip("timm", reason="pip install 'jepa-steps[pretrained]'")
    from jepa_steps.model.pretrained import timm_folder

    export(first, "timm", tmp_path / "timm")
    ours = load_encoder(first)
    model = timm_folder.library().create_model(f"local-dir:{tmp_path / 'timm'}", pretrained=True).eval()
    x = ours.preprocess(pixels)
    assert float((model.forward_features(x) - ours.encode(pixels)).abs().max()) <= 1e-5
    assert float((model(x) - ours.embed(pixels)).abs().max()) <= 1e-5


@pytest.fixture(scope="module")
def oblong(tmp_path_factory) -> tuple[Path, np.ndarray]:
    """(an untrained encoder of pictures of 8 x 16, some of them)."""
    folder, pictures = (
        tmp_path_factory.mktemp("oblong"),
        np.random.default_rng(0).integers(0, 255, (12, 8, 16, 3)),
    )
    np.savez(folder / "x.npz", images=pictures.astype(np.uint8))
    block = {"source": "npz", "path": str(folder / "x.npz"), "image_size": [8, 16]}
    prepare(parse_dataset(block, "test", "images"), folder / "data", 1)
    store = open_store(folder / "data")
    return run({"encoder": "untrained", "model": MODEL}, store, folder), store.images[:4]


@torch.no_grad()
@pytest.mark.parametrize("library", ["transformers", "timm"])
def test_rectangles_are_exported_too(oblong, tmp_path, library):
    pytest.importorskip(library, reason="pip install 'jepa-steps[pretrained]'")
    from jepa_steps.model.pretrained import timm_folder

    export(oblong[0], library, tmp_path / "out")
    ours = load_encoder(oblong[0])
    x = ours.preprocess(oblong[1])
    if library == "timm":
        model = (
            timm_folder.library().create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
        )
        tokens = model.forward_features(x)
    else:
        tokens = (
            transformers_folder.library()
            .IJepaModel.from_pretrained(tmp_path / "out")(x)
            .last_hidden_state
        )
    assert float((tokens - ours.encode(oblong[1])).abs().max()) <= 1e-5


def test_onnx_takes_stored_pixels_in_batches_of_any_size(first, pixels, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="pip install 'jepa-steps[onnx]'")
    pytest.importorskip("onnxscript", reason="pip install 'jepa-steps[onnx]'")
    export(first, "onnx", tmp_path / "onnx")
    session = runtime.InferenceSession(str(tmp_path / "onnx" / "encoder.onnx"))
    ours = load_encoder(first)
    for some in (pixels, pixels[:1]):
        tokens, embedding = session.run(None, {"images": some})
        assert np.abs(tokens - ours.encode(some).numpy()).max() <= 1e-5
        assert np.abs(embedding - ours.embed(some).numpy()).max() <= 1e-5


def test_what_cannot_be_exported_gives_one_line_and_leaves_nothing(first, store, tmp_path):
    raw = run({"encoder": "raw"}, store, tmp_path)
    with pytest.raises(InputError, match="found raw, expected an encoder that was trained here"):
        export(raw, "timm", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(InputError, match="with other contents, expected a new or empty folder"):
        export(first, "timm", tmp_path / "full")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "vit"}, r"found model_type 'vit', expected ijepa"),
        ({"layer_norm_eps": 1e-12}, r"layer_norm_eps: found 1e-12, expected this project's 1e-06"),
        ({"num_attention_heads": 2}, r"num_attention_heads: found 2, expected train.model's 1"),
    ],
)
def test_other_models_of_transformers_are_no_start(change, message, first, store, tmp_path):
    export(first, "transformers", tmp_path / "ijepa")
    path = tmp_path / "ijepa" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    block = {"encoder": "jepa", "steps": 0, "init": str(tmp_path / "ijepa"), "model": MODEL}
    with pytest.raises(InputError, match=message):
        run(block, store, tmp_path)
