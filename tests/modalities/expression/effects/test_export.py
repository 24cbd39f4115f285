import sys

import numpy as np
import pytest
import scipy.sparse as sp

from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.effects.export import as_anndata

X = np.array([[0.5, -0.1], [1.25, 2.0], [0.0, 3.0], [0.25, 0.0]])
NAMES = ["A", "A+B", "non-targeting", "non-targeting"]


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_it_reads_back_as_cell_eval_expects(kind, tmp_path):
    anndata = pytest.importorskip("anndata", reason="anndata is not installed (extra expression)")
    path = tmp_path / "predictions.h5ad"
    as_anndata(kind(X), NAMES, ["g1", "g2"], contexts=["k562"] * 4).write_h5ad(path)
    data = anndata.read_h5ad(path)
    assert data.obs["target_gene"].to_numpy(str).tolist() == NAMES
    assert data.obs["celltype"].to_numpy(str).tolist() == ["k562"] * 4
    assert data.var.index.tolist() == ["g1", "g2"] and data.obs.index.is_unique
    if sp.issparse(data.X):
        assert (data.X.data > 0).all()
    stored = data.X.toarray() if sp.issparse(data.X) else data.X
    assert stored.dtype == np.float32 and stored == pytest.approx(X.clip(0))
    assert X[0, 1] == -0.1


@pytest.mark.parametrize(
    "change, message",
    [
        ({"control": "ctrl"}, "no cell is labelled 'ctrl', found A, A\\+B, non-targeting"),
        ({"perturbations": NAMES[:3]}, "found 3 perturbations, expected 4"),
        ({"genes": ["g1"]}, "found 1 genes, expected 2"),
        ({"genes": ["g1", "g1"]}, "found 1 different genes, expected 2"),
        ({"contexts": ["k"]}, "found 1 contexts, expected 4"),
        ({"expression": np.where(X == 2, np.inf, X)}, "not finite"),
    ],
)
def test_what_cell_eval_would_choke_on_is_refused(change, message):
    pytest.importorskip("anndata", reason="anndata is not installed (extra expression)")
    arguments = {"expression": X, "perturbations": NAMES, "genes": ["g1", "g2"], **change}
    with pytest.raises(InputError, match=message):
        as_anndata(**arguments)


def test_without_anndata_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(InputError, match="jepa-steps\\[expression\\]"):
        as_anndata(X, NAMES, ["g1", "g2"])
