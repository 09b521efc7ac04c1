"""Images from a trained generator, the nice ones among them.

What belongs here: from noise to images in [-1, 1]. No files and no pictures.
"""

from __future__ import annotations

import numpy as np

from .backend import keras, tf
from .errors import InputError
from .training import GENERATE_STREAM, draw_noise

NICE_FACTOR = 20  # `--nice` draws so many times what it keeps: the best 5 %
PART = 256  # images that are computed at once
MOST_NUMBERS = 2**27  # in the images of one call; as float32 they take 512 MiB


def generate_images(generator: keras.Model, count: int, seed: int) -> np.ndarray:
    """``count`` images from noise of their own: float32 (count, height, width, channels) in [-1, 1].

    Raises:
        InputError: they are more than fit into the memory with ease.
    """
    _check_size(generator, count)
    return in_parts(generator, draw_noise(count, seed, GENERATE_STREAM))


def generate_nice_images(generator: keras.Model, discriminator: keras.Model, count: int, seed: int) -> np.ndarray:
    """The ``count`` images that the discriminator takes most for real, of 20 times as many; the best come first.

    Returns and errors as in :func:`generate_images`.
    """
    _check_size(generator, count)
    return in_parts(generator, nice_noise(generator, discriminator, count, seed))


def nice_noise(generator: keras.Model, discriminator: keras.Model, count: int, seed: int) -> np.ndarray:
    """The z (count, 100) of :func:`generate_nice_images`."""
    noise = draw_noise(count * NICE_FACTOR, seed, GENERATE_STREAM)
    # Only the scores of all images are kept; the chosen few are generated again from their noise.
    scores = [discriminator.predict_on_batch(generator.predict_on_batch(noise[start : start + PART]))
              for start in range(0, len(noise), PART)]
    best = np.argsort(-np.concatenate(scores)[:, 0], kind="stable")[:count]
    return np.asarray(noise)[best]


def in_parts(network: keras.Model, inputs: np.ndarray | tf.Tensor) -> np.ndarray:
    """What ``network`` makes of ``inputs``, a few hundred at a time; ``predict`` would build a data pipeline for it."""
    return np.concatenate([network.predict_on_batch(inputs[start : start + PART])
                           for start in range(0, len(inputs), PART)])


def _check_size(generator: keras.Model, count: int) -> None:
    most = MOST_NUMBERS // int(np.prod(generator.output_shape[1:]))
    if count > most:
        raise InputError(f"{count} images are too many at once; ask for at most {most} with --batch_size")
