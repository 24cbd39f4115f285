import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from modalities.expression.screens import prepared, screen

from jepa_steps.errors import InputError
from jepa_steps.modalities.expression.encoding import (
    Vocabulary,
    read_features,
    read_vocabulary,
    vocabulary_of,
)
from jepa_steps.modalities.expression.perturbation_embedding import PerturbationEmbedding
from jepa_steps.modalities.expression.preparation.labels import Part
from jepa_steps.modalities.expression.store import open_store

VOCABULARY = Vocabulary(("A", "B", "C"), ("unknown", "knockdown", "overexpression"), ("X", "Y"))
parts = st.lists(
    st.builds(
        Part,
        st.sampled_from("ABCXYZ"),
        st.sampled_from(["knockdown", "overexpression", "laser"]),
        st.floats(0.125, 8, width=32),
    ),
    max_size=3,
    unique_by=lambda part: part.gene,
).map(tuple)


def tensors(code, entries=3):
    return [torch.from_numpy(part) for part in code.padded(entries)]


def test_one_gene_is_the_specifications_layout():
    x = VOCABULARY.dense(VOCABULARY.encode([(Part("B", "overexpression", 2.0),)]))
    #                control unknown A B C | unknown knockdown overexpression | dose
    assert x.tolist() == [[0, 0, 0, 1, 0, 0, 0, 1, 2]]
    assert VOCABULARY.width == 9


def test_combinations_controls_and_the_unknown_have_codes_of_their_own():
    rows = [
        (),
        (Part("A", "knockdown", 1.0), Part("C", "overexpression", 4.0)),
        (Part("A", "knockdown", 1.0), Part("X", "knockdown", 1.0)),
        (Part("Z", "laser", 1.0),),
    ]
    x = VOCABULARY.dense(VOCABULARY.encode(rows, "unk"))
    assert x.tolist() == [
        [1, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0.25, 0, 1, 0, 0.5, 0.5, 4],
        [0, 1, 1, 0, 0, 0, 1, 0, 1],
        [0, 1, 0, 0, 0, 1, 0, 0, 1],
    ]


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (Part("X", "knockdown", 1.0), "gene 'X' was never in training; set unknown_gene: unk"),
        (Part("A", "laser", 1.0), "type 'laser' was never in training; set unknown_type: unk"),
    ],
)
def test_the_unknown_fails_unless_it_is_allowed(part, says):
    with pytest.raises(InputError, match=says):
        VOCABULARY.encode([(part,)])


@settings(max_examples=60, deadline=None)
@given(st.lists(parts, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_embedding_is_the_dense_code_times_its_weights(rows, random):
    code = VOCABULARY.encode(rows, "unk")
    torch.manual_seed(0)
    model = PerturbationEmbedding(VOCABULARY.slots, len(VOCABULARY.types), 6)
    weight = torch.cat([model.genes.weight, model.types.weight, model.dose.weight.T])
    tokens = model(*tensors(code))
    dense = torch.from_numpy(VOCABULARY.dense(code))
    assert tokens.shape == (len(rows), 3, 6)
    assert torch.allclose(tokens.sum(1), dense @ weight, atol=1e-5)
    picked = np.array([random.randrange(len(rows)) for _ in range(5)])
    more = [torch.from_numpy(part) for part in code.padded(5).take(picked)]
    assert torch.allclose(model(*more), tokens[torch.from_numpy(picked)], atol=1e-6)


def test_gradients_are_those_of_the_dense_product():
    rows = [(), (Part("A", "knockdown", 1.0), Part("B", "knockdown", 2.0)), (Part("A", "laser", 3.0),)]
    code = VOCABULARY.encode(rows, "unk")
    model = PerturbationEmbedding(VOCABULARY.slots, 3, 4)
    model(*tensors(code)).sum(1).square().sum().backward()
    weight = torch.cat([model.genes.weight, model.types.weight, model.dose.weight.T]).detach()
    weight.requires_grad_()
    (torch.from_numpy(VOCABULARY.dense(code)) @ weight).square().sum().backward()
    ours = torch.cat([model.genes.weight.grad, model.types.weight.grad, model.dose.weight.grad.T])
    assert torch.allclose(ours, weight.grad, atol=1e-5)


def test_features_tell_genes_apart_that_training_never_saw():
    features = torch.randn(VOCABULARY.slots + 2, 5)
    features[:2] = 0
    code = VOCABULARY.encode([(Part(g, "knockdown", 1.0),) for g in "XYZ"], "unk")
    plain = PerturbationEmbedding(VOCABULARY.slots, 3, 4)(*tensors(code))
    assert torch.equal(plain[0], plain[1]) and torch.equal(plain[0], plain[2])
    model = PerturbationEmbedding(VOCABULARY.slots, 3, 4, features)
    x, y, z = model(*tensors(code))[:, 0]
    assert not torch.allclose(x, y)
    assert torch.allclose(x - z, model.describe(features[VOCABULARY.slots]))
    assert "features" in model.state_dict() and not any(p is model.features for p in model.parameters())


def test_the_vocabulary_is_of_training_perturbations():
    one, two = (Part("B", "knockdown", 1.0),), (Part("A", "knockout", 1.0), Part("B", "knockout", 1.0))
    v = vocabulary_of([(), one], [two])
    assert v == Vocabulary(("B",), ("unknown", "knockdown"), ("A",))


def test_a_store_encodes_its_cells_and_describes_genes_by_training_expression(tmp_path):
    out = prepared(tmp_path, screen(), gene_feature_dim=4)
    store = open_store(out)
    vocabulary, code = read_vocabulary(store.perturbations)
    features = np.load(out / "gene_features.npy")
    assert features.shape == (vocabulary.slots + len(vocabulary.held_out), 4)
    assert (features[:2] == 0).all() and (features[2:] != 0).any(1).all()
    dense = vocabulary.dense(code)
    trained = np.unique(store.condition[store.rows("train")])
    assert len(np.unique(dense[trained], axis=0)) == len(trained)  # one code a training condition
    test = np.unique(store.condition[store.rows("test")])
    assert all(dense[c, 1] > 0 for c in test if c)  # the unknown gene
    x = store.samples(store.rows("train")).astype(np.float64)
    _, _, v = np.linalg.svd(x - x.mean(0), full_matrices=False)
    column = [store.perturbations["columns"][g] for g in (*vocabulary.genes, *vocabulary.held_out)]
    for k in range(4):
        ours, theirs = features[2:, k], v[k, column]
        assert abs(np.dot(ours, theirs)) == pytest.approx(
            np.linalg.norm(ours) * np.linalg.norm(theirs), rel=1e-4
        )


def test_a_users_table_describes_genes(tmp_path):
    table = tmp_path / "features.csv"
    table.write_text("gene,a,b\n" + "".join(f"g{i},{i},{i * i}\n" for i in range(5)))
    out = prepared(tmp_path, screen(), gene_features="file", gene_features_path=str(table))
    store = open_store(out)
    vocabulary, _ = read_vocabulary(store.perturbations)
    names = [*vocabulary.genes, *vocabulary.held_out]
    features = np.load(out / "gene_features.npy")
    for i, name in enumerate(names, 2):
        n = int(name[1:])
        assert features[i].tolist() == ([n, n * n] if n < 5 else [0, 0])
    assert store.manifest["gene_features"] == {"kind": "file", "genes": 7, "described": 5}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gene,a\ng0,x\n", "line 2"),
        ("gene,a\ng0,1\ng1,1,2\n", "line 3"),
        ("gene,a\ng0,nan\n", "line 2"),
        ("gene,a\nother,1\n", "none of the 2 perturbed genes"),
        ("", "none of the 2"),
    ],
)
def test_bad_feature_tables(text, says, tmp_path):
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(InputError, match=says):
        read_features(tmp_path / "f.csv", ["g0", "g1"])
