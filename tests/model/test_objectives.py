import numpy as np
import pytest
import torch

from jepa_steps.config import Objective
from jepa_steps.model.objectives import terms
from jepa_steps.model.objectives.ema_target import ema_target_loss
from jepa_steps.model.objectives.sigreg import sigreg_loss, unit_directions
from jepa_steps.model.objectives.terms import Views, between_sample_rows
from jepa_steps.model.objectives.vicreg import covariance_loss, regularisation, variance_loss

torch.manual_seed(0)
X, Y = torch.randn(40, 12), torch.randn(40, 12) * 0.3 + 2


def written_out_variance(x, gamma=1.0, eps=1e-4):
    x = x.double()
    n, d = x.shape
    total = 0.0
    for j in range(d):
        mean = x[:, j].sum() / n
        var = ((x[:, j] - mean) ** 2).sum() / (n - 1)
        total += max(0.0, gamma - float((var + eps) ** 0.5))
    return total / d


def written_out_covariance(x):
    x = x.double()
    n, d = x.shape
    mean = x.sum(0) / n
    total = 0.0
    for i in range(d):
        for j in range(d):
            if i != j:
                total += float(((x[:, i] - mean[i]) * (x[:, j] - mean[j])).sum() / (n - 1)) ** 2
    return total / d


@pytest.mark.parametrize("x", [X, Y])
def test_vicreg_terms_equal_the_papers_formula(x):
    assert float(variance_loss(x)) == pytest.approx(written_out_variance(x), rel=1e-5)
    assert float(covariance_loss(x)) == pytest.approx(written_out_covariance(x), rel=1e-5)


def test_regularisation_follows_the_official_normalisation():
    """facebookresearch/vicreg: variance terms of the branches are halved, covariances are added."""
    variance, covariance = regularisation((X, Y))
    assert float(variance) == pytest.approx(
        (written_out_variance(X) + written_out_variance(Y)) / 2, rel=1e-5
    )
    assert float(covariance) == pytest.approx(
        written_out_covariance(X) + written_out_covariance(Y), rel=1e-5
    )


def test_position_code_does_not_satisfy_the_regulariser():
    """An encoder that codes position only must pay the full variance term."""
    codes = torch.randn(16, 12) * 3
    tokens = codes.expand(32, 16, 12)
    index = torch.arange(16).expand(32, 16)
    assert float(variance_loss(tokens.reshape(-1, 12))) < 0.01  # what flattened statistics see
    centred, pooled = between_sample_rows(tokens, index, 16)
    assert float(variance_loss(centred)) > 0.98
    assert float(variance_loss(pooled)) > 0.98


def test_position_centring_with_different_visible_tokens():
    tokens, index = torch.randn(50, 3, 4), torch.stack([torch.randperm(8)[:3] for _ in range(50)])
    centred, _ = between_sample_rows(tokens, index, 8)
    for position in range(8):
        here = index.reshape(-1) == position
        expected = tokens.reshape(-1, 4)[here] - tokens.reshape(-1, 4)[here].mean(0)
        assert torch.allclose(centred[here], expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["smooth_l1", "l1", "l2"])
def test_ema_target_loss_is_the_distance_to_the_normalised_target(kind):
    p, t = torch.randn(5, 3, 8, requires_grad=True), torch.randn(5, 3, 8, requires_grad=True)
    loss = ema_target_loss(p, t, kind)
    n = (t - t.mean(-1, keepdim=True)) / (t.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    d = (p - n).abs()
    written = {"smooth_l1": torch.where(d < 1, d**2 / 2, d - 0.5), "l1": d, "l2": d**2}[kind]
    assert loss.item() == pytest.approx(written.mean().item(), rel=1e-5)
    loss.backward()
    assert t.grad is None and p.grad is not None


def test_sigreg_equals_the_papers_integral():
    """Epps-Pulley with the empirical characteristic function, by numpy over both halves of the axis."""
    x, a = Y.double(), unit_directions(12, 5, 0, 3)
    t = np.linspace(-3, 3, 33)
    total = 0.0
    for direction in a.double().T:
        z = (x @ direction).numpy()
        ecf = np.exp(1j * np.outer(t, z)).mean(1)
        integrand = np.abs(ecf - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2)
        total += len(z) * np.trapezoid(integrand, t) / 5
    assert float(sigreg_loss(x, a)) == pytest.approx(total, rel=1e-10)
    assert float(sigreg_loss(x.float(), a)) == pytest.approx(total, rel=1e-4)


def test_sigreg_is_small_for_a_normal_and_large_for_a_collapse():
    a = unit_directions(12, 64, 0, 0)
    normal = torch.randn(2000, 12, generator=torch.Generator().manual_seed(0))
    assert float(sigreg_loss(normal, a)) < 2
    for bad in (torch.zeros(2000, 12), normal * 3, normal + 1, normal.sign()[:, :1].expand(-1, 12)):
        assert float(sigreg_loss(bad, a)) > 20


def test_directions_are_unit_vectors_and_a_function_of_seed_and_step():
    a = unit_directions(12, 100, 0, 7)
    assert torch.allclose(a.norm(dim=0), torch.ones(100), atol=1e-6)
    assert torch.equal(a, unit_directions(12, 100, 0, 7))
    assert not torch.equal(a, unit_directions(12, 100, 0, 8))
    assert abs(float((a @ a.T / 100 * 12 - torch.eye(12)).mean())) < 0.05  # all directions alike


@pytest.mark.parametrize("kind", ["ema_target", "vicreg", "ema_target+vicreg", "sigreg"])
def test_an_objective_is_the_sum_of_its_papers_terms(kind):
    """Weights and rows against the formulas written out; ema_target alone asks for no rows."""
    o = Objective(kind=kind, invariance=3.0, variance=2.0, covariance=0.5, sigreg=0.2)
    prediction, target = torch.randn(6, 2, 3, 8), torch.randn(6, 2, 3, 8)
    rows = [(torch.randn(60, 8), torch.randn(90, 8)), (torch.randn(6, 8), torch.randn(6, 8))]
    asked = []
    found = terms(Views(prediction, target), lambda: asked.append(1) or rows, o, 1, 7)
    error = float((prediction - target).square().mean())
    kinds = [regularisation(branches, o.gamma, o.eps) for branches in rows]
    variance, covariance = (sum(float(k[i]) for k in kinds) / 2 for i in (0, 1))
    directions = unit_directions(8, o.directions, 1, 7)
    each = [sigreg_loss(x, directions) * 6 / len(x) for branches in rows for x in branches]
    ema = float(ema_target_loss(prediction, target))
    expected = {
        "ema_target": ema,
        "vicreg": 3 * error + 2 * variance + 0.5 * covariance,
        "ema_target+vicreg": ema + 2 * variance + 0.5 * covariance,
        "sigreg": 0.8 * error + 0.2 * float(sum(each)) / 4,
    }[kind]
    assert float(sum(t.weight * t.value for t in found)) == pytest.approx(expected, rel=1e-5)
    assert bool(asked) is (kind != "ema_target") is o.regularised
