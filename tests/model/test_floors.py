import numpy as np
from sklearn.decomposition import PCA

from jepa_steps.model.floors import principal_components


def test_streamed_components_equal_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 20)) @ rng.normal(size=(20, 20)) + 5
    mean, components = principal_components([x[:123], x[123:400], x[400:]], 6)
    reference = PCA(6, svd_solver="full").fit(x)
    assert np.allclose(mean, reference.mean_)
    cosine = np.abs((components * reference.components_).sum(1))
    assert np.allclose(cosine, 1, atol=1e-6)
