"""Moving digits: real scikit-learn digits that move in eight directions over textures; semi-synthetic.

The videos of one digit image are a group, so that no image is in two parts. Digits leave the frame at
one side and enter it at the other, and start anywhere, between pixels too: where a digit is at one time
then tells nothing about where it goes, so that a single frame leaves the direction at chance.
"""

from functools import cache

import numpy as np

from .... import draws

DIRECTIONS = ("E", "SE", "S", "SW", "W", "NW", "N", "NE")
AXES = ("E-W", "SE-NW", "S-N", "SW-NE")
SPEEDS = (1.0, 1.5, 2.0)
FRAMES = 16
"""Frames of a video."""
SIDE = 24
"""Pixels of a frame's side; the digits have 8."""
_IMAGES = 1797  # of scikit-learn's digits
_TEXTURE = 6  # random numbers along a side of the texture, with smooth values between
_CONTRAST = 0.45  # brightest texture over the brightest stroke


def labels(videos: int, seed: int) -> dict[str, list[str]]:
    """Direction, its axis, speed in pixels per frame, and digit of each video, as text. Frames out of
    order still lie along the axis."""
    from sklearn.datasets import load_digits

    moves = _moves(videos, seed)
    return {
        "direction": [DIRECTIONS[i] for i in moves[:, 0]],
        "axis": [AXES[i % 4] for i in moves[:, 0]],
        "speed": [f"{SPEEDS[i]:g}" for i in moves[:, 1]],
        "digit": [str(d) for d in load_digits().target[_digits(videos, seed)].tolist()],
    }


def groups(videos: int, seed: int) -> list[str]:
    """The digit image of each video, as text."""
    return [f"digit image {i}" for i in _digits(videos, seed).tolist()]


def video(number: int, videos: int, seed: int) -> np.ndarray:
    """Frames uint8 (16, 24, 24) of video ``number`` of a set of ``videos``."""
    direction, speed = _moves(videos, seed)[number].tolist()
    angle, random = np.pi / 4 * direction, draws.generator(seed, "moving digits", number)
    velocity = SPEEDS[speed] * np.array([np.sin(angle), np.cos(angle)])  # rows grow downwards
    start, texture = random.uniform(0, SIDE, 2), _texture(random)
    digit = _digit_images()[_digits(videos, seed)[number]]
    stroke = np.zeros((SIDE, SIDE))
    stroke[: len(digit), : len(digit)] = digit
    frames = np.empty((FRAMES, SIDE, SIDE), np.uint8)
    for t, frame in enumerate(frames):
        alpha = _shifted(stroke, start + t * velocity)
        frame[:] = np.round(255 * (alpha + (1 - alpha) * _CONTRAST * texture))
    return frames


@cache
def _moves(videos: int, seed: int) -> np.ndarray:
    """Numbers of direction and speed, int64 (videos, 2), all pairs equally often."""
    pair = draws.generator(seed, "moving digits").permutation(videos) % (len(DIRECTIONS) * len(SPEEDS))
    return np.stack([pair % len(DIRECTIONS), pair // len(DIRECTIONS)], 1)


@cache
def _digits(videos: int, seed: int) -> np.ndarray:
    """Which of the 1,797 images each video has, int64 (videos,); all once before any a second time."""
    return np.resize(draws.generator(seed, "digits of videos").permutation(_IMAGES), videos)


@cache  # reading them takes longer than drawing a video
def _digit_images() -> np.ndarray:
    from sklearn.datasets import load_digits

    return load_digits().images / 16


def _texture(random: np.random.Generator) -> np.ndarray:
    """Smooth noise in [0, 1] that fits together at the edges, (24, 24)."""
    return _stretched(random.uniform(0, 1, (_TEXTURE, _TEXTURE)))


def _stretched(coarse: np.ndarray) -> np.ndarray:
    place = np.arange(SIDE) * len(coarse) / SIDE
    low = place.astype(int)
    share = (place - low)[:, None]
    for _ in range(2):  # rows, then columns
        coarse = ((1 - share) * coarse[low] + share * coarse[(low + 1) % len(coarse)]).T
    return coarse


def _shifted(image: np.ndarray, by: np.ndarray) -> np.ndarray:
    """An image moved by rows and columns, which may be fractions (bilinear), around the edges."""
    whole = np.floor(by).astype(int)
    part = by - whole
    for axis in range(2):
        image = np.roll(image, whole[axis], axis)
        image = (1 - part[axis]) * image + part[axis] * np.roll(image, 1, axis)
    return image
