import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression, Ridge

from jepa_steps.errors import InputError
from jepa_steps.metrics import linear

X, Y = make_classification(400, 12, n_informative=6, n_redundant=0, n_classes=3, random_state=0)
# A spectrum over three decades, where L-BFGS on the features themselves crawls.
ROTATION = np.linalg.qr(np.random.default_rng(0).normal(size=(12, 12)))[0]
STEEP = X @ ROTATION * 10.0 ** np.linspace(-1.5, 1.5, 12) @ ROTATION.T
SHORT = STEEP[:9]


@pytest.mark.parametrize("x", [STEEP, SHORT], ids=["tall", "wide"])
def test_axes_are_a_rotation_of_the_rows(x):
    axes = linear.second_moment_axes(x)
    assert np.allclose(axes.basis.T @ axes.basis, np.eye(len(axes.power)))
    assert np.allclose(axes.rows @ axes.basis.T, x, atol=1e-9)
    assert np.allclose(axes.power, (axes.rows**2).mean(0), atol=1e-9 * axes.power.max())


@pytest.mark.parametrize("x", [STEEP, SHORT], ids=["tall", "wide"])
def test_ridge_equals_scikit_learn(x):
    targets = np.random.default_rng(1).normal(size=(len(x), 2)) + x[:, :1]
    for strength, found in linear.ridge(x, targets, (0.1, 10.0)).items():
        reference = Ridge(strength, solver="svd").fit(x, targets)
        assert np.allclose(found(X[:50]), reference.predict(X[:50]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("x", [X, STEEP, SHORT], ids=["plain", "steep", "wide"])
def test_logistic_equals_scikit_learn(x):
    y = Y[: len(x)] if len(x) == len(Y) else np.arange(len(x)) % 3
    for c, found in linear.logistic(x, y, [0.01, 1.0, 100.0]).items():
        reference = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-10).fit(x, y)
        assert np.allclose(linear.probabilities(found(x)), reference.predict_proba(x), atol=1e-3), c
        theirs = linear.Linear(reference.coef_.T, reference.intercept_)
        assert loss(found, x, y, c) == pytest.approx(loss(theirs, x, y, c), abs=1e-6 * len(x))


def loss(model, x, y, c):
    picked = linear.probabilities(model(x))[np.arange(len(y)), y]
    return -np.log(picked).sum() + (model.coef**2).sum() / (2 * c)


def test_two_classes_equal_scikit_learn_at_twice_the_strength():
    y = (Y == 1).astype(int)
    found = linear.logistic(X, y, [0.05])[0.05]
    reference = LogisticRegression(C=0.1, solver="newton-cholesky", tol=1e-10).fit(X, y)
    assert np.allclose(linear.probabilities(found(X)), reference.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("x", [X, STEEP, SHORT], ids=["plain", "steep", "wide"])
def test_float32_is_close_enough_to_choose_by(x):
    y = Y[: len(x)] if len(x) == len(Y) else np.arange(len(x)) % 3
    grid = [0.001, 0.1, 10.0, 10_000.0]
    coarse, fine = (linear.logistic(x.astype(t), y, grid) for t in (np.float32, np.float64))
    for c in grid:
        difference = linear.probabilities(coarse[c](x)) - linear.probabilities(fine[c](x))
        assert np.abs(difference).mean() < 2e-3, c


def test_strengths_do_not_depend_on_each_other():
    alone = linear.logistic(X, Y, [1.0])[1.0]
    swept = linear.logistic(X, Y, [0.001, 0.1, 1.0, 10.0])[1.0]
    assert np.allclose(alone.coef, swept.coef, atol=1e-3)


def test_gradient():
    rng = np.random.default_rng(0)
    rows, target, scale = (
        rng.normal(size=(20, 4)),
        np.eye(3)[rng.integers(0, 3, 20)],
        rng.random(5) + 0.5,
    )
    arguments = (scale, rows, target, 0.3)
    point = rng.normal(size=15)
    error = check_grad(
        lambda v: linear._cross_entropy(v, *arguments)[0],
        lambda v: linear._cross_entropy(v, *arguments)[1],
        point,
    )
    assert error < 1e-5


def test_not_converged_is_an_error(monkeypatch):
    monkeypatch.setattr(linear, "_TOLERANCE", {"float64": 0.0})
    monkeypatch.setattr(linear, "_STEPS", 1)
    with pytest.raises(InputError, match=r"did not converge at c = 1 .*drop this value"):
        linear.logistic(X, Y, [1.0])


def test_too_wide_and_too_many_is_an_error(monkeypatch):
    monkeypatch.setattr(linear, "_WIDEST", 11)
    with pytest.raises(InputError, match="found 400 embeddings of 12 values"):
        linear.second_moment_axes(X)
    assert len(linear.second_moment_axes(X[:11]).power) == 11
