import numpy as np
from sklearn.decomposition import PCA

from jepa_steps.model.floors import components_of_wide, principal_components


def test_streamed_components_equal_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 20)) @ rng.normal(size=(20, 20)) + 5
    mean, components = principal_components([x[:123], x[123:400], x[400:]], 6)
    reference = PCA(6, svd_solver="full").fit(x)
    assert np.allclose(mean, reference.mean_)
    cosine = np.abs((components * reference.components_).sum(1))
    assert np.allclose(cosine, 1, atol=1e-6)


def test_components_of_wide_rows_equal_scikit_learn():
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(60, 8)) @ rng.normal(size=(8, 5000)) * 3 + rng.normal(size=(60, 5000))).astype(
        "f4"
    )
    mean, components = components_of_wide(x + 7, 5)
    reference = PCA(5, svd_solver="full").fit(x + 7)
    assert np.allclose(mean, reference.mean_, atol=1e-4)
    assert np.allclose(np.abs((components * reference.components_).sum(1)), 1, atol=1e-4)
    assert np.allclose(np.linalg.norm(components, axis=1), 1, atol=1e-4)
