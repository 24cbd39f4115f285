import numpy as np
import torch

from jepa_steps.metrics import probes
from jepa_steps.metrics.attentive import attentive_probe

TOKENS, DIM, CLASSES = 16, 12, 4


def needles(n, seed):
    """The class is told by one token at a random place; the others are loud noise.

    The telling token carries a mark in one dimension that says "look here".
    """
    rng = np.random.default_rng(seed)
    x, y = 2 * rng.normal(size=(n, TOKENS, DIM)), rng.integers(0, CLASSES, n)
    x[:, :, 0] = rng.normal(size=(n, TOKENS)) * 0.1
    place = rng.integers(0, TOKENS, n)
    x[np.arange(n), place] = 0.3 * rng.normal(size=(n, DIM))
    x[np.arange(n), place, 0] = 3
    x[np.arange(n), place, 1 + y] += 2
    return x.astype(np.float32), y


TRAIN, VAL, TEST = needles(600, 0), needles(200, 1), needles(400, 2)
DATA = probes.Split3(TRAIN[0], VAL[0], TEST[0], TRAIN[1], VAL[1], TEST[1])


def test_it_finds_the_telling_token_where_the_mean_does_not():
    chances, choice = attentive_probe(DATA, 0)
    assert chances.shape == (400, CLASSES) and np.allclose(chances.sum(1), 1, atol=1e-5)
    attentive = (chances.argmax(1) == TEST[1]).mean()
    mean = probes.Split3(*probes.standardise(*(x.mean(1) for x, _ in (TRAIN, VAL, TEST))),
                         TRAIN[1], VAL[1], TEST[1])  # fmt: skip
    linear, classes, _ = probes.logistic_probe(mean, [0.01, 0.1, 1.0])
    assert attentive > 0.85 > (classes[linear(mean.test).argmax(1)] == TEST[1]).mean() + 0.2
    assert choice["tokens"] == TOKENS and 0.8 < choice["val_accuracy"] <= 1


def test_twice_the_same_whatever_the_threads_and_test_labels_unread():
    threads = torch.get_num_threads()
    first, choice = attentive_probe(DATA, 0)
    torch.set_num_threads(2)
    try:
        other = probes.Split3(TRAIN[0], VAL[0], TEST[0], TRAIN[1], VAL[1], TEST[1][::-1].copy())
        again, chosen = attentive_probe(other, 0)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(first, again) and choice == chosen
    assert not np.array_equal(first, attentive_probe(DATA, 1)[0])


def test_one_token_is_a_linear_probe():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 900)
    x = rng.normal(size=(900, 1, 5)).astype(np.float32)
    x[np.arange(900), 0, y] += 2
    parts = probes.Split3(x[:500], x[500:600], x[600:], y[:500], y[500:600], y[600:])
    chances, _ = attentive_probe(parts, 0)
    flat = probes.Split3(*probes.standardise(*(p[:, 0] for p in (x[:500], x[500:600], x[600:]))),
                         y[:500], y[500:600], y[600:])  # fmt: skip
    linear, classes, _ = probes.logistic_probe(flat, [0.01, 0.1, 1.0])
    same = chances.argmax(1) == classes[linear(flat.test).argmax(1)]
    assert same.mean() > 0.95
