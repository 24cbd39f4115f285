"""Batched image augmentation on the device, from counter-based draws.

Shapes: B samples, C channels, H x W pixels.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import draws
from ..config.augment import Augment, ImageAugment
from ..device import moved
from .pixels import PixelNormalisation, ValueNormalisation

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow and torchvision


class Augmentation:
    """Gain and noise, random resized crop, flips, turns and colour jitter of normalised images, as the
    settings say.

    Args:
        settings: ranges and probabilities.
        seed: seed of the draws.
        pixels: how the images were normalised; colours are varied in pixel values.
        purpose: name of the stream of draws; different names give independent augmentations.
    """

    def __init__(
        self,
        settings: Augment,
        seed: int,
        pixels: PixelNormalisation | ValueNormalisation,
        purpose: str,
    ):
        s = settings
        self._steps = []
        if isinstance(s, ImageAugment) and (s.gain or s.noise):
            self._steps.append(Sensor(seed, s.gain, s.noise, pixels, f"{purpose}-sensor"))
        if (s.crop_scale, s.crop_aspect, s.flip) != ((1.0, 1.0), (1.0, 1.0), 0.0):
            self._steps.append(RandomResizedCrop(seed, s.crop_scale, s.crop_aspect, s.flip, purpose))
        if isinstance(s, ImageAugment) and (s.flip_vertical or s.quarter_turns):
            self._steps.append(Turns(seed, s.flip_vertical, s.quarter_turns, f"{purpose}-turns"))
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


class Turns:
    """Random vertical flip, then a random turn by 90, 180 or 270 degrees, counter-clockwise.

    Args:
        flip: probability of the flip. turns: probability of a turn, each angle a third of it.
    """

    def __init__(self, seed: int, flip: float, turns: float, purpose: str = "augment-turns"):
        self.flip, self.turns = flip, turns
        self._stream = draws.key(seed, purpose)

    def __call__(self, x_BCHW: Tensor, epoch: np.ndarray, index: np.ndarray) -> Tensor:
        """Flip and turn float images; turned ones must be square."""
        flipped, quarters = self.drawn(epoch, index)
        out = torch.empty_like(x_BCHW)
        for flip in (False, True):
            for k in range(4):
                some = np.flatnonzero((flipped == flip) & (quarters == k))
                if len(some):
                    rows = moved(torch.from_numpy(some), x_BCHW.device)
                    x = x_BCHW[rows].flip(2) if flip else x_BCHW[rows]
                    out[rows] = torch.rot90(x, k, (2, 3))
        return out

    def drawn(self, epoch: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(whether each is flipped, quarter turns 0 to 3), bool and int64 (B,)."""
        u_flip, u_turn = draws.uniform(self._stream, epoch, index, 2).T
        quarters = np.where(u_turn < self.turns, 1 + np.floor(u_turn / max(self.turns, 1e-12) * 3), 0)
        return u_flip < self.flip, np.minimum(quarters, 3).astype(np.int64)


class Sensor:
    """A factor for each channel's values, then normal noise: what sensors and stains vary.

    It comes before a crop, as an image is recorded before it is cut. Where values may be missing, what
    is 0 after normalisation stays so.

    Args:
        gain: half width x of the factor's range [1 - x, 1 + x]. noise: standard deviation in units of
            the channel's.
        pixels: how the images were normalised; factors are of values as they are stored.
    """

    def __init__(
        self,
        seed: int,
        gain: float,
        noise: float,
        pixels: PixelNormalisation | ValueNormalisation,
        purpose: str = "augment-sensor",
    ):
        self.gain, self.noise, self._pixels = gain, noise, pixels
        self._gains, self._noise = draws.key(seed, purpose), draws.key(seed, f"{purpose}-noise")

    def __call__(self, x_BCHW: Tensor, epoch: np.ndarray, index: np.ndarray) -> Tensor:
        """Vary normalised float images."""
        missing = x_BCHW == 0 if self._pixels.may_lack else None
        y = x_BCHW
        if self.gain:
            factors = like(x_BCHW, self.factors(epoch, index, x_BCHW.shape[1]))[..., None, None]
            y = self._pixels.normalised(self._pixels.restored(y) * factors)
        if self.noise:
            y = y + self.noise * like(x_BCHW, self.normal(epoch, index, x_BCHW.shape[1:]))
        return y if missing is None else y.masked_fill(missing, 0.0)

    def factors(self, epoch: np.ndarray, index: np.ndarray, channels: int) -> np.ndarray:
        """float64 (B, C)."""
        return 1 + (2 * draws.uniform(self._gains, epoch, index, channels) - 1) * self.gain

    def normal(self, epoch: np.ndarray, index: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Standard normal draws float64 (B, *shape), from pairs of uniform ones (Box & Muller 1958)."""
        n = math.prod(shape)
        half = -(-n // 2)
        u = draws.uniform(self._noise, epoch, index, 2 * half)
        radius, angle = np.sqrt(-2 * np.log1p(-u[:, :half])), 2 * np.pi * u[:, half:]
        both = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], 1)
        return both[:, :n].reshape(-1, *shape)


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
