"""Claim: batched augmentation is >= 10x faster a core than Pillow's, image by image.

Random resized crop, flip, brightness, contrast and saturation of stored uint8 images to normalised
float tensors. Ours takes a batch of 256 at once; the rivals take one image after another: torchvision's
transforms on PIL images, as loaders of JEPA code bases do, and Pillow's calls alone, without
torchvision's overhead. One thread, CPU seconds, the least of interleaved repeats. Run:

    pip install -e '.[torchvision]' -c constraints.txt && python benchmarks/augmentation.py
"""

import common
import numpy as np
import torch
from PIL import Image, ImageEnhance

from jepa_steps.config.augment import Augment
from jepa_steps.model.augment import Augmentation
from jepa_steps.model.pixels import PixelNormalisation
from jepa_steps.model.torchvision_import import import_torchvision

import_torchvision()  # torchvision needs help beside a CPU-only torch
from torchvision import transforms  # noqa: E402

BATCH, REPEATS = 256, 9
SETTINGS = Augment(
    crop_scale=(0.3, 1.0), crop_aspect=(0.75, 1.3333), flip=0.5,
    brightness=0.4, contrast=0.4, saturation=0.2,
)  # fmt: skip
MEAN, STD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]


def pillow(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = len(image)
    area, ratio = rng.uniform(0.3, 1) * side * side, np.exp(rng.uniform(*np.log([0.75, 1.3333])))
    w = min(round((area * ratio) ** 0.5), side)
    h = min(round((area / ratio) ** 0.5), side)
    x, y = rng.integers(side - w + 1), rng.integers(side - h + 1)
    made = Image.fromarray(image)
    made = made.resize((side, side), Image.Resampling.BILINEAR, box=(x, y, x + w, y + h))
    if rng.random() < 0.5:
        made = made.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    made = ImageEnhance.Brightness(made).enhance(rng.uniform(0.6, 1.4))
    made = ImageEnhance.Contrast(made).enhance(rng.uniform(0.6, 1.4))
    made = ImageEnhance.Color(made).enhance(rng.uniform(0.8, 1.2))
    return (np.asarray(made, np.float32).transpose(2, 0, 1) / 255 - 0.5) / 0.25


TORCHVISION = transforms.Compose(
    [
        transforms.RandomResizedCrop(0, SETTINGS.crop_scale, SETTINGS.crop_aspect),
        transforms.RandomHorizontalFlip(SETTINGS.flip),
        transforms.ColorJitter(SETTINGS.brightness, SETTINGS.contrast, SETTINGS.saturation),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ]
)


def main() -> None:
    common.header(__doc__.split("\n\n")[0])
    torch.set_num_threads(1)
    pixels = PixelNormalisation(MEAN, STD)
    augment = Augmentation(SETTINGS, 0, pixels, "augment")
    rng = np.random.default_rng(0)
    epoch, index = np.zeros(BATCH, int), np.arange(BATCH)
    for side in (32, 96):
        images = rng.integers(0, 256, (BATCH, side, side, 3), dtype=np.uint8)
        TORCHVISION.transforms[0].size = (side, side)
        seconds = common.interleaved(
            {
                "jepa-steps": lambda images=images: augment(
                    pixels(torch.from_numpy(images)), epoch, index
                ),
                "torchvision": lambda images=images: torch.stack(
                    [TORCHVISION(Image.fromarray(i)) for i in images]
                ),
                "Pillow": lambda images=images: np.stack([pillow(i, rng) for i in images]),
            },
            REPEATS,
        )
        for name, value in seconds.items():
            ratio = value / seconds["jepa-steps"]
            print(f"{side} px: {name:12} {BATCH / value:8,.0f} images/s, ours {ratio:.1f}x as fast")


if __name__ == "__main__":
    main()
