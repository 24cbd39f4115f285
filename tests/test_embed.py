"""What the embed step stores beside the embeddings: poolings, tokens, snapshots, masked views."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from support import TINY, parse_training

from jepa_steps import embed, train
from jepa_steps.config import Embed
from jepa_steps.data.masks import MultiBlockMasks
from jepa_steps.errors import InputError
from jepa_steps.modalities.images.views import _MASKS
from jepa_steps.model.export import load_encoder

SPEC = {
    "poolings": ["max", "concat", "last4", "last1"],
    "batch_size": 100,
    "token_samples": 40,
    "snapshot_samples": 50,
    "views": 3,
    "view_samples": 60,
}


@pytest.fixture
def embedded(step, tmp_path, digits):
    """(folder of train, folder of embed) of an experiment."""

    def run(spec):
        out, to = tmp_path / "train", tmp_path / "embed"
        arguments = ("--data", digits, "--out", out, "--checkpoints", tmp_path / "runs")
        assert step(train, "--spec", spec, *arguments)[0] == 0
        code, _, err = step(embed, "--spec", SPEC, "--data", digits, "--encoder", out, "--out", to)
        assert code == 0, err
        return out, to

    return run


def test_bounded_samples_are_what_the_encoder_gives(embedded, store):
    out, to = embedded(TINY)
    description = json.loads((to / "embed.json").read_text())
    encoder = load_encoder(out)
    every = np.load(to / "embeddings.npy")
    assert np.allclose(every, encoder.encode(store.images).mean(1), atol=1e-6)
    rows = np.array(description["token_rows"])
    assert np.bincount(store.split[rows]).tolist() == [40, 40, 40]
    assert np.allclose(np.load(to / "tokens.npy"), encoder.encode(store.images[rows]), atol=1e-6)
    rows = np.array(description["snapshot_rows"])
    assert np.bincount(store.split[rows]).tolist() == [320, 50]  # of train 10 a dimension, for ranks
    assert np.load(to / "snapshots.npy").shape == (5, 370, 32)
    assert set(store.split[description["view_rows"]]) == {0}
    assert description["pooling"] == "mean" and description["poolings"] == [
        "concat",
        "last1",
        "last4",
        "max",
    ]


def test_poolings_follow_their_definitions(embedded, store):
    out, to = embedded(TINY)
    poolings, encoder = load_file(to / "poolings.safetensors"), load_encoder(out)
    tokens = encoder.encode(store.images)
    assert np.allclose(poolings["max"], tokens.amax(1), atol=1e-6)
    assert np.allclose(poolings["concat"], tokens.flatten(1), atol=1e-6)
    # Two blocks: the first block's output through the final norm, then the encoder's.
    x = encoder.preprocess(store.images)
    module = encoder.module
    with torch.no_grad():
        first = module.transformer.blocks[0](module.tokenizer(x) + module.positions)
        wanted = torch.cat([module.transformer.norm(first).mean(1), tokens.mean(1)], 1)
    assert np.allclose(poolings["last4"], wanted, atol=1e-5)
    assert np.allclose(poolings["last1"], tokens.mean(1), atol=1e-5)


def test_a_view_hides_what_its_mask_leaves_out(embedded, store):
    out, to = embedded(TINY)
    views = np.load(to / "views.npy")
    assert views.shape == (6, 60, 3, 32)  # five snapshots and the end
    rows = np.array(json.loads((to / "embed.json").read_text())["view_rows"])
    encoder = load_encoder(out)
    masks = MultiBlockMasks.of(_MASKS, encoder.grid, 0)(1, np.full(len(rows), 1), rows)
    shown = encoder.encode(store.images[rows], masks.context).mean(1)
    assert np.allclose(views[-1, :, 1], shown, atol=1e-6)
    blackened = store.images[rows].copy()
    hidden = np.setdiff1d(np.arange(16), masks.context[0])
    for token in hidden:
        blackened[0, token // 4 * 2 : token // 4 * 2 + 2, token % 4 * 2 : token % 4 * 2 + 2] = 0
    again = encoder.encode(blackened[:1], masks.context[:1]).mean(1)
    assert torch.equal(again, encoder.encode(store.images[rows][:1], masks.context[:1]).mean(1))


@pytest.mark.parametrize("spec", [{"encoder": "raw"}, {"encoder": "pca", "dim": 8}], ids=["raw", "pca"])
def test_floors_of_one_vector_have_no_views_and_no_other_poolings(embedded, spec):
    _, to = embedded(spec)
    assert np.load(to / "views.npy").shape[:3] == (1, 0, 0)
    assert load_file(to / "poolings.safetensors") == {}
    assert np.load(to / "snapshots.npy").shape[:2] == (0, 100)


def test_too_wide_a_concatenation_is_refused(store, monkeypatch, embedded):
    out, _ = embedded(TINY)
    monkeypatch.setattr(embed, "_WIDEST", 100)
    with pytest.raises(
        embed.InputError, match=r"concat gives 512 values per sample, expected at most 100"
    ):
        embed.write_embeddings(out / "e.npy", load_encoder(out), store, Embed(poolings=("concat",)))


def test_no_samples_are_one_line(store, tmp_path):
    settings = parse_training({"encoder": "untrained", "model": TINY["model"]})
    train.build_encoder(settings, store, tmp_path)
    with pytest.raises(InputError, match=r"found none, \(0, 8, 8, 1\), expected at least one"):
        load_encoder(tmp_path).embed(np.zeros((0, 8, 8, 1), np.uint8))
