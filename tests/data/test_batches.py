import numpy as np
import torch

from jepa_steps.data.augment import RandomResizedCrop
from jepa_steps.data.batches import Images, Order


def test_every_epoch_visits_every_sample_once():
    order = Order(np.arange(100, 200), seed=0)
    epoch, index = map(np.concatenate, zip(*(order.batch(s, 32) for s in range(25)), strict=True))
    for e in range(8):
        assert sorted(index[epoch == e]) == list(range(100, 200))
    assert not np.array_equal(index[:100], index[100:200])


def test_a_batch_is_a_function_of_the_step():
    a, b = Order(np.arange(50), 1), Order(np.arange(50), 1)
    for s in range(10):
        a.batch(s, 16)
    assert np.array_equal(a.batch(3, 16)[1], b.batch(3, 16)[1])


def test_images_are_normalised_with_training_statistics(store):
    rows = store.rows("train")
    x = Images(store, torch.device("cpu"))(rows)
    assert abs(float(x.mean())) < 1e-5 and abs(float(x.std()) - 1) < 1e-3


def test_full_crop_is_the_identity_and_flip_mirrors():
    x = torch.rand(4, 3, 8, 8)
    epoch, index = np.zeros(4, int), np.arange(4)
    same = RandomResizedCrop(0, (1.0, 1.0), (1.0, 1.0), 0.0)(x, epoch, index)
    assert torch.allclose(same, x, atol=1e-5)
    mirrored = RandomResizedCrop(0, (1.0, 1.0), (1.0, 1.0), 1.0)(x, epoch, index)
    assert torch.allclose(mirrored, x.flip(3), atol=1e-5)


def test_crops_stay_inside_and_have_the_asked_area():
    crop = RandomResizedCrop(0, (0.3, 0.6), (1.0, 1.0), 0.0)
    theta = crop.transforms(np.zeros(2000, int), np.arange(2000))
    w, h = theta[:, 0, 0], theta[:, 1, 1]
    assert ((np.abs(theta[:, 0, 2]) + w) <= 1 + 1e-9).all()
    assert ((np.abs(theta[:, 1, 2]) + h) <= 1 + 1e-9).all()
    assert (w * h).min() >= 0.3 - 1e-9 and (w * h).max() <= 0.6 + 1e-9
