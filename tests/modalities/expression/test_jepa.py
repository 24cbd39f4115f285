"""Tokenizers of genes, and the predictor that is told a perturbation."""

import numpy as np
import pytest
import torch
from torch import nn

from jepa_steps.config import Optimizer, parse
from jepa_steps.engine.optimizer import optimizers, schedule
from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.encoding import Vocabulary
from jepa_steps.modalities.expression.jepa import cell_jepa
from jepa_steps.modalities.expression.modules import gene_modules
from jepa_steps.modalities.expression.preparation.labels import Part
from jepa_steps.modalities.expression.tokenizers import MlpTokenizer
from jepa_steps.modalities.expression.training import ExpressionJepa
from jepa_steps.model.predictor import MaskedPredictor

GENES, TOKENS = 30, 4
VOCABULARY = Vocabulary(("a", "b"), ("unknown", "knockdown"), ("c", "d"))


NONE = np.zeros((0, 0), np.float32)


def jepa(seed=0, features=NONE, **settings):
    small = {
        "encoder": "bio-jepa",
        "seed": seed,
        "model": {"tokens": TOKENS, "dim": 32, "depth": 1, "heads": 2, "hidden": 48},
        "predictor": {"dim": 32, "depth": 1, "heads": 2},
    }
    for name, value in settings.items():
        small[name] = small.get(name, {}) | value if isinstance(value, dict) else value
    modules = gene_modules(np.random.default_rng(0).normal(size=(GENES, 5)), TOKENS)
    train = parse(ExpressionJepa, small, "test")
    return cell_jepa(train, GENES, modules, VOCABULARY, features)


def told(*genes):
    parts = [tuple(Part(g, "knockdown", 1.0) for g in pair.split("+") if g) for pair in genes]
    return [torch.from_numpy(p) for p in VOCABULARY.encode(parts, "unk").padded(2)]


def batch(*genes):
    x, y = torch.randn(2, len(genes), GENES, generator=torch.Generator().manual_seed(0))
    every = torch.arange(TOKENS).expand(len(genes), -1)
    return x, every, every[:, None], y, *told(*genes)


@pytest.mark.parametrize("tokenizer", ["modules", "mlp"])
@pytest.mark.parametrize("kind", ["ema_target", "vicreg", "ema_target+vicreg", "sigreg"])
@pytest.mark.parametrize("depth", [0, 1])
def test_both_tokenizers_train_with_every_objective(tokenizer, kind, depth):
    model = jepa(model={"tokenizer": tokenizer}, objective={"kind": kind}, predictor={"depth": depth})
    nn.init.normal_(model.predictor.shift.weight)  # at 0 the embedding's gradient would be 0, too
    views = model(*batch("a", "b", "a+b", ""))
    assert views.prediction.shape == views.target.shape == (4, 1, TOKENS, 32)
    loss, _ = model.loss(views)
    loss.backward()
    for name, p in model.named_parameters():
        if name.startswith("target_encoder"):
            assert p.grad is None
        else:
            assert torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0, name


def test_an_encoder_of_cells_is_an_encoder():
    encoder = jepa().exported()
    x = torch.randn(3, GENES)
    tokens = encoder(x)
    assert tokens.shape == (3, TOKENS, 32) and encoder.dim == 32 and encoder.grid == (TOKENS, 1)
    assert torch.equal(encoder.layers(x, 1)[-1], tokens)
    assert torch.equal(tokens, jepa().exported()(x))
    assert not torch.allclose(tokens, jepa(seed=1).exported()(x))


def test_visible_modules_do_not_leak_hidden_genes():
    """Whatever hidden genes do, the context's tokens and the prediction stay as they are, to the bit."""
    model = jepa(task="masked genes")
    columns, used = model.encoder.tokenizer.columns, model.encoder.tokenizer.used > 0
    x = torch.randn(5, GENES)
    order = torch.rand(5, TOKENS, generator=torch.Generator().manual_seed(3)).argsort(1)
    hidden, visible = order[:, :2], order[:, 2:]
    changed = x.clone()
    for cell in range(5):
        for module in hidden[cell].tolist():
            changed[cell, columns[module][used[module]]] += 7
    assert (changed != x).sum() == sum(used[hidden[c]].sum() for c in range(5)) > 0
    assert isinstance(model.predictor, MaskedPredictor)
    before, after = (model(v, visible, hidden[:, None]) for v in (x, changed))
    assert torch.equal(before.context, after.context)
    assert torch.equal(before.prediction, after.prediction)
    assert not torch.allclose(before.target, after.target)


def test_an_mlp_refuses_to_hide_genes():
    tokens = MlpTokenizer(GENES, 16, TOKENS, 8)
    keep = torch.tensor([[2, 0, 1, 3]])
    x = torch.randn(1, GENES)
    assert torch.equal(tokens(x, keep), tokens(x)[:, keep[0]])
    with pytest.raises(ValueError, match="3 of 4 tokens kept, but every token of an MLP sees all genes"):
        tokens(x, keep[:, :3])
    with pytest.raises(InputError, match="masked genes with tokenizer mlp"):
        jepa(task="masked genes", model={"tokenizer": "mlp"})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"task": "masked genes", "hidden_share": 0.1}, "0.1 of 4 tokens hides 0"),
        ({"model": {"heads": 3}}, "dim 32 is not a multiple of heads 3"),
        ({"task": "masked genes", "predictor": {"depth": 0}}, "found 0 with task masked genes"),
        ({"objective": {"kind": "vicreg", "level": "pooled"}}, "expected tokens: a predictor is needed"),
    ],
)
def test_settings_that_do_not_fit_say_so(settings, says):
    with pytest.raises(InputError, match=says):
        jepa(**settings)


def test_one_condition_token_would_be_the_same_for_every_cell():
    """Softmax over one key is 1: what attention then adds says nothing of the query."""
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(16, 2, batch_first=True)
    cells, condition = torch.randn(1, 7, 16), torch.randn(1, 3, 16)
    alone, _ = attention(cells, condition[:, :1], condition[:, :1])
    assert torch.allclose(alone, alone[:, :1].expand_as(alone), atol=1e-6)
    three, _ = attention(cells, condition, condition)
    assert three.std(1).min() > 1e-3


def test_what_a_perturbation_does_depends_on_the_cell():
    model = jepa()
    x, every, targets, *_ = batch("a", "a", "a")
    context = model.encoder(x, every)

    def change(genes):
        return model.predictor(context, every, targets, *told(*[genes] * 3))[:, 0] - context

    difference = change("a") - change("b")
    assert difference.std(0).mean() > 0.05 * difference.abs().mean() > 0  # no shift common to all cells
    assert torch.allclose(change("a+b"), change("b+a"), atol=1e-6)
    assert (change("a+b") - change("a")).abs().mean() > 0.1 * difference.abs().mean()


def test_the_prediction_is_the_context_and_a_change():
    model = jepa(predictor={"depth": 0})
    x, every, targets, _, *condition = batch("a", "b")
    context = model.encoder(x, every)
    assert torch.equal(model.predictor(context, every, targets, *condition)[:, 0], context)
    part = targets[:, :, [2, 0]]
    assert torch.equal(model.predictor(context, every, part, *condition)[:, 0], context[:, [2, 0]])


def test_without_a_transformer_genes_shift_all_cells_alike_and_add_up():
    model = jepa(predictor={"depth": 0})
    nn.init.normal_(model.predictor.shift.weight)
    x, every, targets, *_ = batch("a", "a", "a")
    context = model.encoder(x, every)

    def change(genes):
        return model.predictor(context, every, targets, *told(*[genes] * 3))[:, 0] - context

    a, b, pair = change("a"), change("b"), change("a+b")
    assert torch.allclose(pair, a + b, atol=1e-3) and torch.allclose(a, a[:1].expand_as(a), atol=1e-3)
    assert (a - b).abs().mean() > 1


def test_the_type_scales_what_a_gene_does():
    model = jepa(predictor={"depth": 0})
    nn.init.normal_(model.predictor.shift.weight)
    x, every, targets, _, *condition = batch("a")
    context = model.encoder(x, every)
    of = [model.predictor(context, every, targets, *condition[:2], torch.tensor([[kind, -1]]), condition[3])
          for kind in (0, 1)]  # fmt: skip
    assert (of[0] - of[1]).abs().mean() > 0.1


def test_each_gene_learns_from_its_own_cells():
    model = jepa()
    model.loss(model(*batch("a", "a", "")))[0].backward()
    moved = model.predictor.embedding.genes.weight.grad.abs().sum(1) > 0
    assert moved.tolist() == [True, False, True, False]  # control, unknown, a, b


def test_unseen_genes_with_features_get_codes_of_their_own():
    features = np.random.default_rng(0).normal(size=(VOCABULARY.slots + 2, 6)).astype(np.float32)
    features[:2] = 0
    x, every, targets, *_ = batch("c", "c")

    def predictions(model):
        context = model.encoder(x[:1].expand(2, -1), every)
        return model.predictor(context, every, targets, *told("c", "d"))

    described = predictions(jepa(features=features))
    assert (described[0] - described[1]).abs().mean() > 0.01
    plain = predictions(jepa())
    assert torch.equal(plain[0], plain[1])


def test_training_learns_what_each_gene_does():
    """a raises the genes of module 0, b of module 1: on new cells, the right condition predicts best."""
    model = jepa(objective={"kind": "ema_target"})
    tokenizer = model.encoder.tokenizer
    modules = [c[u > 0] for c, u in zip(tokenizer.columns, tokenizer.used, strict=True)]
    optimizer = optimizers(model, parse(Optimizer, {}, "test"))[0]
    schedule(optimizer, 3e-3, 0.0)
    generator = torch.Generator().manual_seed(0)

    def draw(n):
        x = torch.randn(n, GENES, generator=generator)
        genes = ["ab"[i % 2] for i in range(n)]
        y = x.clone()
        for i, gene in enumerate(genes):
            y[i, modules["ab".index(gene)]] += 1.5
        every = torch.arange(TOKENS).expand(n, -1)
        return (x, every, every[:, None], y), genes

    for step in range(200):
        cells, genes = draw(64)
        optimizer.zero_grad()
        model.loss(model(*cells, *told(*genes)), step)[0].backward()
        optimizer.step()
    cells, genes = draw(200)
    with torch.no_grad():
        right = model.loss(model(*cells, *told(*genes)))[0]
        wrong = model.loss(model(*cells, *told(*["ba"["ab".index(g)] for g in genes])))[0]
    assert right < 0.7 * wrong
