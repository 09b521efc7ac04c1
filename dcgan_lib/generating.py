"""Images from a trained generator, the nice ones among them, and many images in one picture.

What belongs here: all that comes after a training, and what a training shows of itself on the way (pictures).
"""

import io
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .backend import keras
from .files import InputError, whole_file
from .training import GENERATE_STREAM, draw_noise

NICE_FACTOR = 20  # `--nice` draws so many times what it keeps: the best 5 %
LARGEST_PICTURE = 2**29  # numbers in one picture; as float32 they take 2 GiB


def combine_images(images: np.ndarray) -> np.ndarray:
    """Lay images edge to edge in a grid as near to a square as the source's: row by row, the rest of it zero.

    Args:
        images: (n, height, width, 1 or 3), any number type, n at least 1.
    Returns:
        (rows * height, columns * width) for grey images, (rows * height, columns * width, 3) for colour; the type of
        ``images``. ``columns`` is the whole part of the root of n.
    """
    count, height, width, channels = images.shape
    columns = int(np.sqrt(count))
    rows = -(-count // columns)
    grid = np.zeros((rows * columns, height, width, channels), images.dtype)
    grid[:count] = images
    picture = grid.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    picture = picture.reshape(rows * height, columns * width, channels)
    return picture[..., 0] if channels == 1 else picture


def generate_images(generator: keras.Model, count: int, seed: int) -> np.ndarray:
    """``count`` images from noise of their own: float32 (count, height, width, channels) in [-1, 1].

    Raises:
        InputError: they would not fit into one picture.
    """
    _check_size(generator, count)
    return generator.predict(draw_noise(count, seed, GENERATE_STREAM), batch_size=256, verbose=0)


def generate_nice_images(generator: keras.Model, discriminator: keras.Model, count: int, seed: int) -> np.ndarray:
    """The ``count`` images that the discriminator takes most for real, of 20 times as many; the best come first.

    Returns and errors as in :func:`generate_images`.
    """
    _check_size(generator, count)
    noise = draw_noise(count * NICE_FACTOR, seed, GENERATE_STREAM)
    # Only the scores of all are kept; the chosen few are generated again from their noise.
    scores = []
    for start in range(0, len(noise), 1024):
        images = generator.predict(noise[start : start + 1024], batch_size=256, verbose=0)
        scores.append(discriminator.predict(images, batch_size=256, verbose=0))
    best = np.argsort(-np.concatenate(scores)[:, 0], kind="stable")[:count]
    return generator.predict(noise.numpy()[best], batch_size=256, verbose=0)


def _check_size(generator: keras.Model, count: int) -> None:
    most = LARGEST_PICTURE // int(np.prod(generator.output_shape[1:]))
    if count > most:
        raise InputError(f"{count} images do not fit into one picture; ask for at most {most} with --batch_size")


def load_weights(network: keras.Model, path: Path) -> None:
    """Read ``path`` (a ``.weights.h5`` file) into ``network``.

    Raises:
        InputError: the file is missing, damaged, or holds the weights of another network.
    """
    remedy = "train again or name another --out"
    if not path.is_file():
        raise InputError(f"{path}: there are no weights here; {remedy}")
    try:
        with h5py.File(path) as file:
            shapes = []
            file.visititems(
                lambda name, item: shapes.append(item.shape)
                if isinstance(item, h5py.Dataset) and "optimizer" not in name
                else None
            )
    except OSError:
        raise InputError(f"{path}: is cut short or no file of weights; {remedy}") from None
    # Keras passes over what a file has more than the network, so the shapes are compared first.
    if sorted(shapes) != sorted(tuple(weight.shape) for weight in network.weights):
        raise InputError(f"{path}: holds the weights of another network than this {network.name}; {remedy}")
    try:
        network.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read into this {network.name} ({reason}); {remedy}") from None


def png_bytes(picture: np.ndarray) -> bytes:
    """A picture, uint8 (height, width) or (height, width, 3), as a PNG file's bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def save_gif(frames: Mapping[int, bytes], path: Path, most: int = 100) -> None:
    """Write a training's pictures as an animation that loops for ever and rests on its last frame.

    Args:
        frames: for each step the picture as a PNG file's bytes, all of one size.
        most: of more frames than this, so many are chosen, evenly spread from the first to the last.
    """
    steps = sorted(frames)
    if len(steps) > most:
        steps = [steps[i] for i in np.linspace(0, len(steps) - 1, most).round().astype(int)]
    pages = [_with_caption(Image.open(io.BytesIO(frames[step])), f"step {step}") for step in steps]
    durations = [120] * (len(pages) - 1) + [2500]  # milliseconds
    with whole_file(path) as temporary:
        pages[0].save(temporary, save_all=True, append_images=pages[1:], duration=durations, loop=0, optimize=True)


def _with_caption(image: Image.Image, text: str) -> Image.Image:
    page = Image.new(image.mode, (image.width, image.height + 16), "white")
    page.paste(image, (0, 16))
    ImageDraw.Draw(page).text((4, 1), text, fill="black", font=ImageFont.load_default(12))
    return page.quantize(32)  # so many greys or colours are enough to watch, and make a third of the size
