"""Columns that are no genes: guide counts tell the perturbation, statistics of cells tell the batch."""

import numpy as np
import pytest
from modalities.expression.screens import adata, screen, settings, write_csv, write_mtx
from scipy import sparse

from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.prepare import prepare, summary
from jepa_steps.modalities.expression.sources.read import open_source

MORE = {
    "guide_g1": "CRISPR Guide Capture",
    "guide_g2": "CRISPR Guide Capture",
    "CD4": "Antibody Capture",
}


def widened(s: dict, names) -> dict:
    """The screen with further columns between its genes, each telling the perturbation."""
    code = np.unique(s["perturbation"], return_inverse=True)[1].astype(np.float32)[:, None]
    places = [5] * len(names)
    x = np.insert(s["X"], places, np.repeat(code, len(names), axis=1), axis=1)
    return {**s, "X": x, "genes": list(np.insert(np.array(s["genes"], object), places, list(names)))}


def test_guides_and_antibodies_are_left_out_counted_and_said(tmp_path):
    pytest.importorskip("anndata")
    s = screen()
    wide = widened(s, MORE)
    types = [MORE.get(name, "Gene Expression") for name in wide["genes"]]
    write_mtx(tmp_path / "tenx", wide)
    rows = zip(wide["genes"], types, strict=True)
    (tmp_path / "tenx" / "features.tsv").write_text("".join(f"{g}\t{g}\t{t}\n" for g, t in rows))
    for name, kind in (("csr", sparse.csr_matrix), ("csc", sparse.csc_matrix), ("dense", np.asarray)):
        a = adata(wide, kind)
        a.var["feature_types"] = types
        a.write_h5ad(tmp_path / f"{name}.h5ad")
    adata(s).write_h5ad(tmp_path / "genes.h5ad")
    stores = {}
    for name in ("genes.h5ad", "csr.h5ad", "csc.h5ad", "dense.h5ad", "tenx"):
        out = tmp_path / f"out {name}"
        manifest = prepare(settings(tmp_path / name, "mtx" if name == "tenx" else "h5ad"), out)
        stores[name] = {f.name: f.read_bytes() for f in out.iterdir() if f.name != "manifest.json"}
        assert stores[name] == stores["genes.h5ad"]
    assert manifest["no_genes"] == {"Antibody Capture": 1, "CRISPR Guide Capture": 2}
    said = "not genes: Antibody Capture (1), CRISPR Guide Capture (2)"
    assert any(said in line for line in summary(manifest, out))


def test_types_without_genes_are_one_line(tmp_path):
    write_mtx(tmp_path / "tenx", screen())
    features = tmp_path / "tenx" / "features.tsv"
    features.write_text(features.read_text().replace("Gene Expression", "Peaks"))
    with pytest.raises(InputError, match=r"tenx: feature types: found 'Peaks', expected 'Gene Expr"):
        open_source(settings(tmp_path / "tenx", "mtx"), tmp_path)
    features.write_text(features.read_text().replace("\tPeaks", ""))  # older: two columns, all genes
    assert not open_source(settings(tmp_path / "tenx", "mtx"), tmp_path).left_out


def test_statistics_of_cells_in_a_csv_are_no_genes(tmp_path):
    s = screen()
    write_csv(tmp_path / "plain.csv", s)
    write_csv(tmp_path / "wide.csv", widened(s, ["n_counts", "percent.mt"]))
    plain, wide = (
        open_source(settings(tmp_path / f"{name}.csv", "csv"), tmp_path) for name in ("plain", "wide")
    )
    assert wide.genes == plain.genes
    assert wide.left_out == {"statistic n_counts": 1, "statistic percent.mt": 1}
    for a, b in zip(wide.blocks(), plain.blocks(), strict=True):
        assert (a != b).nnz == 0 and a.has_sorted_indices


def test_columns_of_a_csv_are_annotations_in_any_case_and_cells_have_names(tmp_path):
    path = tmp_path / "s.csv"
    dataset = settings(path, "csv")
    path.write_text("cell,Perturbation,A\nc1,ctrl,1\n")
    assert open_source(dataset, tmp_path).columns == ["Perturbation"]
    path.write_text("Perturbation,A\nctrl,1\n")
    with pytest.raises(InputError, match="first column is 'Perturbation', expected names of cells"):
        open_source(dataset, tmp_path)
    path.write_text("cell;perturbation;A\nc1;ctrl;1\n")
    with pytest.raises(InputError, match="divided by ';', expected commas"):
        open_source(dataset, tmp_path)
