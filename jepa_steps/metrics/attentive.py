"""Attentive probe: a classifier of token embeddings that learns where to look.

One learned query attends to the tokens with several heads, and a linear layer reads what it gathers,
after the attentive probe of V-JEPA (Bardes et al. 2024). A query's product with the key matrix is one
vector a head, and the value and output matrices act as one, so those products are what is learned.

Shapes: n samples, T tokens, D dimensions, C classes, H heads, M models (settings) trained at once.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .. import draws
from .probes import Split3, standardisation

_HEADS = 4
_STEPS, _BATCH = 400, 256
_RATES, _DECAYS = (0.001, 0.003, 0.01), (0.01, 0.1, 1.0)


class _Heads(NamedTuple):
    """queries (M, H, D), weights (M, H * D, C), biases (M, C)."""

    queries: torch.Tensor
    weights: torch.Tensor
    biases: torch.Tensor


def attentive_probe(data: Split3, seed: int) -> tuple[np.ndarray, dict]:
    """(probabilities (m, C) on test, choice) of attentive probes trained on tokens.

    A model for each pair of learning rate and weight decay is trained on train, all at once with
    AdamW on a cosine schedule; the one with the best val accuracy (of equal ones the smaller val
    loss) predicts test. Runs on one thread, so that sums do not depend on the machine.

    Args:
        data: token embeddings float32 (n, T, D) of the three parts, not standardised; labels from 0
            to C - 1, each present in train.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        mean, scale = standardisation(data.train.reshape(-1, data.train.shape[2]))
        parts = [
            torch.from_numpy(((x - mean) / scale).astype(np.float32))
            for x in (data.train, data.val, data.test)
        ]
        settings = [(rate, decay) for rate in _RATES for decay in _DECAYS]
        heads = _train(parts[0], torch.from_numpy(data.train_y), settings, seed)
        accuracy, loss = _judge(_scores(heads, parts[1]), torch.from_numpy(data.val_y))
        best = max(range(len(settings)), key=lambda i: (accuracy[i], -loss[i]))
        chosen = _Heads(*(part[best : best + 1] for part in heads))
        probabilities = _scores(chosen, parts[2])[0].double().softmax(1).numpy()
    finally:
        torch.set_num_threads(threads)
    rate, decay = settings[best]
    choice = {"learning_rate": rate, "weight_decay": decay, "val_accuracy": accuracy[best]}
    return probabilities, {**choice, "heads": _HEADS, "tokens": data.train.shape[1]}


def _train(x: torch.Tensor, y: torch.Tensor, settings: list[tuple[float, float]], seed: int) -> _Heads:
    """Train a model for each (learning rate, weight decay) on tokens (n, T, D)."""
    (n, _, dim), classes, models = x.shape, int(y.max()) + 1, len(settings)
    generator = draws.generator(seed, "attentive probe")
    # Equal starts: only the settings differ. Weights of 0 begin as mean pooling with equal chances;
    # random queries keep the heads from learning the same.
    query = torch.from_numpy(generator.normal(size=(_HEADS, dim)) / dim).float()
    start = (query, torch.zeros(_HEADS * dim, classes), torch.zeros(classes))
    parameters = [[nn.Parameter(p.clone()) for p in start] for _ in settings]
    optimizer = torch.optim.AdamW(
        {"params": p, "lr": rate, "weight_decay": decay}
        for p, (rate, decay) in zip(parameters, settings, strict=True)
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    for _ in range(_STEPS):
        rows = torch.from_numpy(generator.permutation(n)[:_BATCH])
        logits = _logits(_Heads(*map(torch.stack, zip(*parameters, strict=True))), x[rows])
        target = y[rows].repeat(models)
        loss = functional.cross_entropy(logits.reshape(-1, classes), target) * models
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return _Heads(*(torch.stack(p).detach() for p in zip(*parameters, strict=True)))


def _logits(heads: _Heads, x: torch.Tensor) -> torch.Tensor:
    """Class scores (M, n, C) of tokens (n, T, D)."""
    n, _, dim = x.shape
    models = len(heads.biases)
    attention = (x @ heads.queries.reshape(-1, dim).T / dim**0.5).softmax(1)  # (n, T, M * H)
    gathered = (attention.transpose(1, 2) @ x).reshape(n, models, -1).transpose(0, 1)
    return torch.baddbmm(heads.biases[:, None], gathered, heads.weights)


@torch.no_grad()
def _scores(heads: _Heads, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([_logits(heads, block) for block in x.split(_BATCH)], dim=1)


def _judge(scores: torch.Tensor, y: torch.Tensor) -> tuple[list[float], list[float]]:
    """Accuracy and mean loss of each model's scores (M, n, C)."""
    accuracy = (scores.argmax(2) == y).double().mean(1)
    loss = [float(functional.cross_entropy(model, y)) for model in scores]
    return accuracy.tolist(), loss
