import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.effects.readout import fit_readout

RNG = np.random.default_rng(5)
LATENTS = RNG.normal(size=(90, 6)) * [1, 5, 0.1, 1, 2, 1] + [0, 3, 0, 0, -1, 9]
EXPRESSION = np.maximum(LATENTS @ RNG.normal(size=(6, 11)) + RNG.normal(size=(90, 11)), 0)


def hat(alpha: float) -> tuple[np.ndarray, float]:
    z = (LATENTS - LATENTS.mean(0)) / LATENTS.std(0)
    matrix = z @ np.linalg.solve(z.T @ z + 90 * alpha * np.eye(6), z.T) + 1 / 90
    return matrix, np.trace(matrix)


def test_it_is_scikit_learns_ridge_on_standardised_latents():
    readout = fit_readout(LATENTS, EXPRESSION, alphas=[0.2])
    z = (LATENTS - LATENTS.mean(0)) / LATENTS.std(0)
    expected = Ridge(0.2 * 90).fit(z, EXPRESSION).predict(z)
    assert readout(LATENTS) == pytest.approx(expected)
    assert readout(LATENTS.mean(0)) == pytest.approx(EXPRESSION.mean(0))


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 3.0])
def test_gcv_is_that_of_the_hat_matrix(alpha):
    matrix, df = hat(alpha)
    residual = EXPRESSION - matrix @ EXPRESSION
    expected = (residual**2).mean() / (1 - df / 90) ** 2
    assert fit_readout(LATENTS, EXPRESSION, [alpha]).gcv[alpha] == pytest.approx(expected)


def test_gcv_chooses_little_for_signal_and_much_for_noise():
    assert fit_readout(LATENTS, EXPRESSION).alpha < 0.1
    noise = fit_readout(LATENTS, RNG.normal(size=(90, 11)))
    assert noise.alpha > 1 and np.abs(noise.coefficients).max() < 0.1


def test_sparse_dense_blocks_and_float32_agree(monkeypatch):
    whole = fit_readout(LATENTS, EXPRESSION)
    monkeypatch.setattr("jepa_steps.modalities.expression.effects.readout._BLOCK", 13)
    for stored in (EXPRESSION, sp.csr_matrix(EXPRESSION), sp.csr_array(EXPRESSION)):
        parts = fit_readout(LATENTS, stored)
        assert parts.alpha == whole.alpha
        assert parts.coefficients == pytest.approx(whole.coefficients, abs=1e-9)
    single = fit_readout(LATENTS.astype(np.float32), sp.csr_matrix(EXPRESSION.astype(np.float32)))
    assert single.coefficients == pytest.approx(whole.coefficients, abs=1e-4)


def test_a_mean_of_latents_gives_the_mean_expression():
    readout = fit_readout(LATENTS, EXPRESSION)
    assert readout(LATENTS[:9].mean(0, keepdims=True))[0] == pytest.approx(readout(LATENTS[:9]).mean(0))


def test_dead_and_copied_dimensions_do_no_harm():
    latents = np.column_stack([LATENTS, LATENTS[:, 0], np.full(90, 7.0)])
    readout = fit_readout(latents, EXPRESSION)
    assert np.isfinite(readout.coefficients).all() and (readout.coefficients[7] == 0).all()
    collapsed = fit_readout(np.ones((90, 3)), EXPRESSION)
    assert collapsed(np.ones((1, 3)))[0] == pytest.approx(EXPRESSION.mean(0))


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="found 90 latents and 89 cells"):
        fit_readout(LATENTS, EXPRESSION[:89])
    with pytest.raises(InputError, match="not finite"):
        fit_readout(np.where(LATENTS > 3, np.nan, LATENTS), EXPRESSION)
