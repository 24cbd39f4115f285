import numpy as np
import torch
import torch.nn.functional as F
from support import TINY, parse_training

from jepa_steps.data.order import Order
from jepa_steps.engine.distributed import World
from jepa_steps.modalities.images.batches import Batches, Images
from jepa_steps.model.augment import ColourJitter, RandomResizedCrop
from jepa_steps.model.pixels import PixelNormalisation


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
    settings = parse_training(TINY, "test")
    x = Images(settings, store, torch.device("cpu"))(rows)
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
    scale, shift = crop.boxes(np.zeros(2000, int), np.arange(2000))
    w, h = scale.T
    assert ((np.abs(shift) + scale) <= 1 + 1e-9).all()
    assert (w * h).min() >= 0.3 - 1e-9 and (w * h).max() <= 0.6 + 1e-9


def test_a_crop_is_the_affine_map_of_its_box():
    crop = RandomResizedCrop(0, (0.3, 0.9), (0.5, 2.0), 0.5)
    epoch, index = np.zeros(8, int), np.arange(8)
    x = torch.randn(8, 3, 11, 14, dtype=torch.float64)
    scale, shift = crop.boxes(epoch, index)
    theta = np.zeros((8, 2, 3))
    theta[:, (0, 1), (0, 1)], theta[:, :, 2] = scale, shift
    grid = F.affine_grid(torch.from_numpy(theta), list(x.shape), align_corners=False)
    expected = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    torch.testing.assert_close(crop(x, epoch, index), expected, rtol=1e-9, atol=1e-9)


def test_colour_jitter_equals_pillows():
    from PIL import Image, ImageEnhance

    pixels = PixelNormalisation([0.4, 0.5, 0.6], [0.2, 0.3, 0.25])
    images = torch.randint(0, 256, (6, 9, 9, 3), generator=torch.Generator().manual_seed(0)).byte()
    epoch, index = np.zeros(6, int), np.arange(6)
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for number, enhance in enumerate(enhancers):
        strength = [0.0, 0.0, 0.0]
        strength[number] = 0.8
        jitter = ColourJitter(3, *strength, pixels)
        ours = jitter(pixels(images), epoch, index) * pixels.std + pixels.mean
        ours = ours.permute(0, 2, 3, 1)
        for image, result, factors in zip(images, ours, jitter.factors(epoch, index), strict=True):
            theirs = enhance(Image.fromarray(image.numpy())).enhance(factors[number])
            assert np.abs(result.numpy() - np.asarray(theirs, float)).max() < 1.6  # Pillow rounds twice


def test_the_target_view_is_an_augmentation_of_its_own(store):
    augment = {"crop_scale": [0.5, 0.9], "target": "own"}
    objective = {"kind": "vicreg", "level": "pooled"}
    settings = parse_training({**TINY, "augment": augment, "objective": objective}, "test")
    cpu = torch.device("cpu")
    batches = Batches(settings, store, (4, 4), World(0, 1, cpu))
    x, _, _, view = batches(3, 2, (0.15, 0.2))
    assert view.shape == x.shape and float((view - x).abs().mean()) > 0.1
    epoch, index = batches.samples(3)
    crop = RandomResizedCrop(settings.seed, (0.5, 0.9), (1.0, 1.0), 0.0, "augment-target")
    assert torch.equal(view, crop(Images(settings, store, cpu)(index), epoch, index))
