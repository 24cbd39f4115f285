import numpy as np
import pytest

from jepa_steps.config import Monitor, parse_training
from jepa_steps.metrics import spectrum
from jepa_steps.metrics.diagnosis import diagnose, verdict
from jepa_steps.metrics.embedding import row_statistics, token_statistics
from jepa_steps.metrics.moments import moments, token_moments

RNG = np.random.default_rng(0)
FALLING = list(np.geomspace(1, 0.1, 50))


def judged(tokens, losses=FALLING):
    pooled = tokens.mean(1)
    found = diagnose(
        row_statistics(pooled),
        token_statistics(token_moments(tokens)),
        spectrum.summary(moments(pooled)),
        losses,
        Monitor(),
    )
    return verdict(found, trained=True)


def healthy(n=600, positions=16, width=32):
    sample, position = RNG.normal(size=(n, 1, width)), RNG.normal(size=(1, positions, width))
    return sample + position + RNG.normal(size=(n, positions, width))


def planted(name):
    tokens, losses = healthy(), FALLING
    if name == "collapse":
        tokens = 5 + 0.001 * tokens
    elif name == "positional collapse":
        tokens = RNG.normal(size=(1, 16, 32)) + 0.01 * tokens
    elif name == "dimensional collapse":
        tokens = tokens[..., :1] * RNG.normal(size=32)
    elif name == "dead dimensions":
        tokens[..., :12] = 0
    elif name == "divergence":
        losses = [*FALLING, 0.5, 2.0, 5.0]
    elif name == "no learning":
        losses = [1.0] * 50
    return tokens, losses


@pytest.mark.parametrize(
    "name",
    [
        "collapse",
        "positional collapse",
        "dimensional collapse",
        "dead dimensions",
        "divergence",
        "no learning",
    ],
)
def test_planted_faults_are_named_with_evidence_and_a_valid_remedy(name):
    result = judged(*planted(name))
    assert name in [f["name"] for f in result["findings"]]
    finding = next(f for f in result["findings"] if f["name"] == name)
    assert any(c.isdigit() for c in finding["evidence"])
    base = {"encoder": "jepa", "model": {"patch_size": 2}}
    parse_training({**base, **finding["remedy"]["train"]}, "remedy")


def test_healthy_embeddings_raise_no_alarm():
    alarms = [judged(healthy(200, 8, 16))["findings"] for _ in range(100)]
    assert sum(map(bool, alarms)) <= 1


def test_a_floor_is_not_judged():
    assert verdict([], trained=False) == {"verdict": "floor", "findings": []}
