"""A folder of images: what is taken for an image, and how all of them come to one size and one kind of grey.

What belongs here: searching, looking and reading, by threads, into the memory or again and again from the disk.
"""

import os
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
from PIL import Image, ImageOps

from .data import ImageSet, local_path, reason_of
from .errors import InputError

Image.init()
FORMATS = tuple({"PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF"} & set(Image.OPEN))  # not all know AVIF
ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
           ".avif")
OWN = ("generated_image.png", "nice_generated_image.png", "training_process.gif")  # what this program itself draws
BLOCK = 500  # files that are handed to the threads at once


def load_folder(
    folder: str | Path, size: int, channels: int | None = None, report: Callable[[int, int], None] = lambda *_: None
) -> ImageSet:
    """All images in ``folder`` and below it, cut to their middle square and brought to ``size``.

    They come in a random order that is always the same. A file that cannot be read, or that would unfold to more
    pixels than Pillow holds safe, is left out and named. Where the images would take more than half of the free
    memory they are not kept, but read again whenever they are asked for (:class:`FolderImages`).

    Args:
        folder: searched for files with an image's ending, in every depth and through links. Not taken are hidden
            files and folders, and what this program draws.
        size: height and width in pixels.
        channels: 1 for grey, 3 for colour, ``None`` for colour if any image has it.
        report: called now and then with how many files are done, and how many there are.
    Raises:
        InputError: there is no such folder, or no image in it that can be read.
    """
    folder = local_path(folder)
    _check(folder)
    paths, closed = _search(folder)
    reader = FolderImages(paths, size)
    # The filters belong to the whole process, so they are set here, once for all the threads.
    with warnings.catch_warnings(action="ignore"):
        left_out, note = reader.look(channels, lambda done: report(done // 2, len(paths)))
        keep = np.prod(reader.shape, dtype=np.int64) <= _free_memory() / 2
        before = 2 * len(paths) - len(reader)
        images, broken = reader.read_all(keep, lambda done: report((before + done) // 2, len(paths)))
    left_out = sorted(closed + left_out + broken)
    if not len(images):
        first = f" (the first: {left_out[0]})" if left_out else ""
        reason = f"none of its {len(left_out):,} images can be read" if left_out else (
            f"no image ({', '.join(ENDINGS)}) in it")
        raise InputError(f"{folder}: {reason}; name a folder of images{first}")
    return ImageSet(images, None, f"images in {folder}{note}", tuple(left_out), "folder")


def _free_memory() -> int:
    """Bytes that programs can still take."""
    return psutil.virtual_memory().available


def _check(folder: Path) -> None:
    if os.path.isfile(folder):
        raise InputError(f"{folder}: is a file, not a folder or an .npz; unpack an archive first, write an array as "
                         ".png files, and name the folder that they are in")
    try:
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{folder}: there is no such folder; name a folder of images or an .npz file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: cannot be opened ({reason_of(error)}); name a folder that may be read") from None


def _search(folder: Path) -> tuple[list[Path], list[str]]:
    """All files with an image's ending, sorted, and a line for each folder that may not be read.

    Each folder is entered once, by whatever links it is reached.
    """
    paths, closed, seen = [], [], {os.path.realpath(folder)}

    def deny(error: OSError) -> None:
        closed.append(f"{error.filename}: {reason_of(error)}")

    for here, folders, names in os.walk(folder, followlinks=True, onerror=deny):
        if "run.json" in names and "samples" in folders:
            folders.remove("samples")  # of this program: what a network made is no image to learn from
        found = []
        for name in sorted(folders, key=lambda name: (os.path.islink(os.path.join(here, name)), name)):
            real = os.path.realpath(os.path.join(here, name))
            if not (name.startswith(".") or name == "__MACOSX" or real in seen):
                seen.add(real)
                found.append(name)
        folders[:] = found
        paths += [Path(here, name) for name in names
                  if name.lower().endswith(ENDINGS) and not name.startswith(".") and name not in OWN]
    return sorted(paths), closed


class FolderImages:
    """Images that are read from their files whenever they are asked for, because the memory does not hold them all.

    ``shape``, ``dtype``, ``len()`` and ``[rows]`` are those of a uint8 array (n, size, size, channels).
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, paths: list[Path], size: int):
        self.paths, self.size, self.channels = paths, size, 3
        self.whites: dict[str, int] = {}  # the value that is white in deep pictures, by the first letter of their mode
        self.fingerprint = 0
        self._pool = ThreadPoolExecutor(os.cpu_count())

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.paths), self.size, self.size, self.channels

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows) -> np.ndarray:
        rows = np.arange(len(self))[rows]
        images = np.empty((rows.size, *self.shape[1:]), np.uint8)
        paths = [self.paths[row] for row in rows.flat]
        for path, reason in zip(paths, self._pool.map(self._read, paths, images)):
            if reason:
                raise InputError(f"{path}: can no longer be read ({reason}); bring it back, and go on by --resume")
        return images.reshape(*rows.shape, *self.shape[1:])

    def look(self, channels: int | None, report: Callable[[int], None]) -> tuple[list[str], str]:
        """Open every file and find what they have in common; mix those that can be opened.

        Returns:
            A line for each of the others, and a note on the scale of deep pictures.
        """
        good, left_out, greatest, lowest, colour = [], [], {}, 0, False
        for start in range(0, len(self), BLOCK):
            some = self.paths[start : start + BLOCK]
            for path, (mode, least, most) in zip(some, self._pool.map(_look, some)):
                if mode is None:
                    left_out.append(f"{path}: {most}")
                    continue
                good.append(path)
                if _is_deep(mode):
                    greatest[mode[0]] = max(most, greatest.get(mode[0], 0))
                    lowest = min(least, lowest)
                colour |= not _is_deep(mode) and mode not in ("1", "L", "LA", "La")
            report(start + len(some))
        self.paths = [good[row] for row in np.random.default_rng(0).permutation(len(good))]  # names often sort by kind
        self.channels = channels or (3 if colour else 1)
        self.whites = {letter: _white(letter, value) for letter, value in greatest.items()}
        notes = [f", greys {'from 0 to 1' if white == 1 else f'of {white.bit_length()} bits'} (greatest value "
                 f"{greatest[letter]:.9g})" for letter, white in self.whites.items()]
        notes += [f", all below 0 as black (least value {lowest:.9g})"] * (lowest < 0)
        return left_out, "".join(notes)

    def read_all(self, keep: bool, report: Callable[[int], None]) -> "tuple[np.ndarray | FolderImages, list[str]]":
        """Read every file once and strike out those that cannot be read.

        Returns:
            The images, as an array if ``keep``, and a line for each file that was struck out.
        """
        images = np.empty((len(self) if keep else min(BLOCK, len(self)), *self.shape[1:]), np.uint8)
        checksum, broken = zlib.crc32(str(self.shape).encode()), {}
        for start in range(0, len(self), BLOCK):
            some = self.paths[start : start + BLOCK]
            block = images[start if keep else 0 :][: len(some)]
            broken |= {path: reason for path, reason in zip(some, self._pool.map(self._read, some, block)) if reason}
            checksum = zlib.crc32(block, checksum)
            report(start + len(some))
        left_out = [f"{path}: {reason}" for path, reason in broken.items()]
        good = [row for row, path in enumerate(self.paths) if path not in broken]
        self.paths = [self.paths[row] for row in good]
        self.fingerprint = checksum
        if keep:
            for new, old in enumerate(good if broken else ()):  # in place: a copy would take the memory twice
                images[new] = images[old]
            return images[: len(good)], left_out
        # The checksum is of what is there, so it is made again where something was not.
        return (self, left_out) if not broken else (self.read_all(False, report)[0], left_out)

    def _read(self, path: Path, out: np.ndarray) -> str | None:
        """Read one file into ``out``; if that cannot be, the reason."""
        try:
            with _opened(path) as image:
                image.draft("RGB", (self.size * 2, self.size * 2))  # a large JPEG is decoded at a fraction of its size
                ImageOps.exif_transpose(image, in_place=True)
                if _is_deep(image.mode):
                    # Made small before it is made wide: a float has 8 bytes.
                    values = np.asarray(ImageOps.fit(image, (self.size, self.size)), np.float64)
                    levels = values * (255 / self.whites[image.mode[0]])
                    levels = np.nan_to_num(levels, nan=0, posinf=255, neginf=0).round().clip(0, 255)
                    out[:] = levels[..., np.newaxis]
                    return None
                if image.has_transparency_data:
                    image = image.convert("RGBA")
                    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
                square = ImageOps.fit(image.convert("L" if self.channels == 1 else "RGB"), (self.size, self.size))
            out[:] = np.asarray(square).reshape(out.shape)
        except Exception as error:  # a broken image can raise nearly anything
            return reason_of(error)


def _look(path: Path) -> tuple[str | None, float, float | str]:
    """The mode of an image, and the least and greatest value in it if it is deep; or ``None``, 0 and a reason."""
    try:
        with _opened(path) as image:
            if not _is_deep(image.mode):
                return image.mode, 0, 0
            values = np.asarray(image)
            finite = np.isfinite(values)
            return image.mode, *(float(of(values, where=finite, initial=0)) for of in (np.min, np.max))
    except Exception as error:  # a broken image can raise nearly anything
        return None, 0, reason_of(error)


def _opened(path: Path) -> Image.Image:
    if not path.is_file():  # a pipe would never end
        raise ValueError("is no file, or a link to none")
    image = Image.open(path, formats=FORMATS)
    if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:  # Pillow itself only warns
        image.close()
        raise ValueError(f"its {image.width} x {image.height} pixels are more than is safe to unfold")
    return image


def _is_deep(mode: str) -> bool:
    """Whether it has more than 8 bits a pixel: integers (I, I;16 and its kin) or floats (F)."""
    return mode[0] in "IF"


def _white(letter: str, greatest: float) -> int:
    """The value that is white in deep pictures: 1 for floats up to 1, else the most that 8, 10, 12, 14… bits hold."""
    if letter == "F" and greatest < 2:  # a picture of 0 to 1 that was resized may go a little beyond
        return 1
    bits = max(8, int(greatest).bit_length())
    return 2 ** (bits + bits % 2) - 1
