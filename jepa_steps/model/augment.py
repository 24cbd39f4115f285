"""Batched image augmentation on the device, from counter-based draws.

Shapes: B samples, C channels, H x W pixels.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import draws
from ..config.augment import Augment
from ..device import moved
from .pixels import PixelNormalisation

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow and torchvision


class Augmentation:
    """Random resized crop, flip and colour jitter of normalised images, as the settings say.

    Args:
        settings: ranges and probabilities.
        seed: seed of the draws.
        pixels: how the images were normalised; colours are varied in pixel values.
        purpose: name of the stream of draws; different names give independent augmentations.
    """

    def __init__(self, settings: Augment, seed: int, pixels: PixelNormalisation, purpose: str):
        s = settings
        self._steps = []
        if (s.crop_scale, s.crop_aspect, s.flip) != ((1.0, 1.0), (1.0, 1.0), 0.0):
            self._steps.append(RandomResizedCrop(seed, s.crop_scale, s.crop_aspect, s.flip, purpose))
        if s.brightness or s.contrast or s.saturation:
            strength = (s.brightness, s.contrast, s.saturation)
            self._steps.append(ColourJitter(seed, *strength, pixels, f"{purpose}-colour"))

    def __call__(self, x_BCHW: Tensor, epoch: np.ndarray, index: np.ndarray) -> Tensor:
        """Augment float images; sample b's draws depend on (seed, epoch[b], index[b]) only."""
        for step in self._steps:
            x_BCHW = step(x_BCHW, epoch, index)
        return x_BCHW


def like(x: Tensor, draws: np.ndarray) -> Tensor:
    """Draws float64 as a tensor of x's type, on its device."""
    return moved(torch.from_numpy(draws).to(x.dtype), x.device)


class RandomResizedCrop:
    """Random crop of a random area and aspect ratio, resized to the input size; random flip.

    One ``grid_sample`` (bilinear) for the whole batch. Area is uniform, aspect log-uniform,
    as in Inception cropping (Szegedy et al. 2015); a crop never leaves the image.

    Args:
        scale: range of the cropped share of the image area; (1, 1) with aspect (1, 1) is no crop.
        aspect: range of the crop's width/height.
        flip: probability of a horizontal flip.
    """

    def __init__(
        self,
        seed: int,
        scale: tuple[float, float],
        aspect: tuple[float, float],
        flip: float,
        purpose: str = "augment",
    ):
        self.scale, self.aspect, self.flip = scale, aspect, flip
        self._stream = draws.key(seed, purpose)

    def __call__(self, x_BCHW: Tensor, epoch: np.ndarray, index: np.ndarray) -> Tensor:
        """Crop float images."""
        B, _, H, W = x_BCHW.shape
        scale_B2, shift_B2 = (like(x_BCHW, a) for a in self.boxes(epoch, index))
        # A crop keeps the axes, so two lines make its grid, in a fifth of affine_grid's time.
        grid_BHW2 = x_BCHW.new_empty(B, H, W, 2)
        for axis, size in enumerate((W, H)):
            places = torch.arange(size, dtype=x_BCHW.dtype, device=x_BCHW.device)
            centres = (2 * places + 1) / size - 1
            line = scale_B2[:, axis, None] * centres + shift_B2[:, axis, None]
            grid_BHW2[..., axis] = line[:, None, :] if axis == 0 else line[:, :, None]
        return F.grid_sample(x_BCHW, grid_BHW2, padding_mode="border", align_corners=False)

    def boxes(self, epoch: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scale and shift (B, 2) of (x, y), float64, from output to input coordinates in [-1, 1].

        A negative scale of x flips.
        """
        u_area, u_aspect, u_y, u_x, u_flip = draws.uniform(self._stream, epoch, index, 5).T
        area = self.scale[0] + u_area * (self.scale[1] - self.scale[0])
        low, high = np.log(self.aspect)
        ratio = np.exp(low + u_aspect * (high - low))
        width = np.minimum(np.sqrt(area * ratio), 1.0)
        height = np.minimum(np.sqrt(area / ratio), 1.0)
        shift = np.stack([(2 * u_x - 1) * (1 - width), (2 * u_y - 1) * (1 - height)], 1)
        return np.stack([np.where(u_flip < self.flip, -width, width), height], 1), shift


class ColourJitter:
    """Brightness, contrast and saturation by random factors, in this order, as Pillow defines them.

    The three are one affine map of an image's channels, so that the batch is read once; values are
    cut to the range of pixels at the end, not in between.

    Args:
        brightness, contrast, saturation: half width x of the factor's range [1 - x, 1 + x].
        pixels: how the images were normalised.
    """

    def __init__(
        self,
        seed: int,
        brightness: float,
        contrast: float,
        saturation: float,
        pixels: PixelNormalisation,
        purpose: str = "augment-colour",
    ):
        self._strength = np.array([brightness, contrast, saturation])
        self._mean, self._std = pixels.mean.flatten(), pixels.std.flatten()
        channels = len(self._mean)
        grey = _GREY if channels == 3 else (1 / channels,) * channels
        self._grey = torch.tensor(grey, device=pixels.device)
        self._own = torch.eye(channels, device=pixels.device)
        self._stream = draws.key(seed, purpose)

    def __call__(self, x_BCHW: Tensor, epoch: np.ndarray, index: np.ndarray) -> Tensor:
        """Vary normalised float images; pixel values stay in [0, 255]."""
        B, C = x_BCHW.shape[:2]
        mean_C, std_C, weights_C = self._mean, self._std, self._grey
        factors = like(x_BCHW, self.factors(epoch, index))
        brightness, contrast, saturation = factors.T[..., None]  # (B, 1) each
        # In pixel values: b (s k x + (1 - s) k grey(x) + (1 - k) mean of grey(x)).
        grey_mean_B1 = (x_BCHW.mean((2, 3)) * std_C + mean_C) @ weights_C[:, None]
        mix_BCC = saturation[..., None] * self._own + (1 - saturation[..., None]) * weights_C
        mix_BCC = (brightness * contrast)[..., None] * mix_BCC
        offset_BC = mix_BCC @ mean_C + brightness * (1 - contrast) * grey_mean_B1 - mean_C
        y = torch.baddbmm(
            (offset_BC / std_C)[..., None], mix_BCC * (std_C / std_C[:, None]), x_BCHW.reshape(B, C, -1)
        )
        low, high = (((end - mean_C) / std_C)[:, None] for end in (0.0, 255.0))
        return y.clamp_(low, high).view(x_BCHW.shape)

    def factors(self, epoch: np.ndarray, index: np.ndarray) -> np.ndarray:
        """float64 (B, 3): factors of brightness, contrast and saturation."""
        return 1 + (2 * draws.uniform(self._stream, epoch, index, 3) - 1) * self._strength
