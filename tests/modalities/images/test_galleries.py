"""Figures of samples: the right neighbours, the right tokens, few bytes."""

import io

import numpy as np
import pytest

from jepa_steps.modalities.images import galleries as samples

RNG = np.random.default_rng(0)


def svg(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def test_nearest_is_by_angle_and_within_the_pool():
    rows = np.array([[1.0, 0.0], [9.0, 0.1], [0.0, 1.0], [0.1, 0.1], [1.0, 0.01]])
    found = samples.nearest(rows, np.array([0]), np.array([1, 2, 3]), 3)
    assert found.tolist() == [[1, 3, 2]]


def test_nearest_agrees_with_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    rows, pool, queries = RNG.normal(size=(300, 8)), np.arange(50, 300), np.arange(20)
    model = NearestNeighbors(n_neighbors=5, metric="cosine").fit(rows[pool])
    expected = pool[model.kneighbors(rows[queries], return_distance=False)]
    assert np.array_equal(samples.nearest(rows, queries, pool, 5), expected)


@pytest.mark.parametrize("shape", [(8, 8, 1), (64, 64, 3), (224, 224, 3), (100, 130, 3)])
def test_thumbnails_fit_and_keep_the_mean(shape):
    image = np.full(shape, 77, np.uint8)
    small = samples.thumbnail(image)
    assert max(small.shape[:2]) <= 32 and small.shape[2] == 3 and (small == 77).all()


def test_the_gallery_marks_other_classes_and_says_names():
    images, rows = RNG.integers(0, 255, (40, 8, 8, 1), np.uint8), RNG.normal(size=(40, 4))
    rows[:2] = rows[20:22]  # each query has a twin in the pool
    labels = np.zeros(40, int)
    labels[1] = 1
    names = ("cat", "<b>$dog$")
    text = svg(
        samples.neighbours(images, rows, np.array([0, 1]), np.arange(20, 40), labels, names)
    ).decode()
    assert text.count("≠ cat") == 5 and "&lt;b&gt;$dog$" in text


def test_masks_show_context_tokens_and_fade_the_rest():
    image = np.zeros((8, 8, 1), np.uint8)
    faded = samples._faded(image, np.array([0, 5]), (4, 4))
    dark = np.argwhere(faded[..., 0] == 0)
    assert {(r // 2, c // 2) for r, c in dark.tolist()} == {(0, 0), (1, 1)}
    assert len(dark) == 8 and faded.max() == 235
    context, targets = np.array([[0, 5]]), np.array([[[2, 3, 6, 7]]])
    text = svg(samples.masks_on_samples(image[None], context, targets, (4, 4))).decode()
    assert text.count("<image") == 1 and all(word in text for word in ("image", "context", "targets"))


def test_figures_stay_small_whatever_the_images():
    images = RNG.integers(0, 255, (60, 224, 224, 3), np.uint8)
    rows, labels = RNG.normal(size=(60, 16)), np.zeros(60, int)
    gallery = samples.neighbours(images, rows, np.arange(8), np.arange(8, 60), labels)
    assert len(svg(gallery)) < 250_000
    again = samples.neighbours(images, rows, np.arange(8), np.arange(8, 60), labels)
    assert svg(again) == svg(samples.neighbours(images, rows, np.arange(8), np.arange(8, 60), labels))


def test_nothing_to_show_is_said():
    empty = np.empty((0,), int)
    figure = samples.neighbours(np.empty((0, 8, 8, 1), np.uint8), np.empty((0, 4)), empty, empty, empty)
    assert "no samples" in svg(figure).decode()
