"""Images of one's own: a folder of pictures or an array in a file, brought to one size and to one kind of grey.

What belongs here: searching, looking and reading, by threads, into the memory or again and again from the disk.
"""

import os
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
from PIL import Image, ImageOps

from .data import STACKED_FILE, ImageSet, local_path, reason_of
from .errors import InputError

Image.init()
FORMATS = tuple({"PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF"} & set(Image.OPEN))  # not all know AVIF
ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
           ".avif")
ARRAYS = (".npy", ".npz")
# What this program itself draws.
OWN = ("data_sheet.png", "generated_image.png", "nice_generated_image.png", "training_process.gif")
FITS = ("crop", "pad")
BLOCK = 500  # files that are handed to the threads at once
COLOURFUL = 16  # levels between red, green and blue, beyond which a picture is no grey scan
EVEN = 3  # levels between the darkest and the brightest value of a picture that shows nothing

Report = Callable[[int, int], None]  # is told how many images are done, and how many there are


def kind_of(path: str | Path | None) -> str:
    """What the images at ``path`` are: "mnist", "array" or "folder".

    An ``.npz`` file with MNIST's names and shapes is MNIST, whatever it shows, and so is no path at all.

    Raises:
        InputError: the path is none.
    """
    if path is None:
        return "mnist"
    path = local_path(path)
    if path.suffix.lower() not in ARRAYS or path.is_dir():
        return "folder"
    if path.suffix.lower() == ".npy":
        return "array"
    try:
        shapes = _shapes(path)
    except Exception:  # whoever reads MNIST from it will say what is wrong
        return "mnist"
    return "mnist" if shapes.get("x_train", ())[1:] == (28, 28) and "y_train" in shapes else "array"


def own_side(path: str | Path | None) -> int:
    """The side in pixels that images at ``path`` get where nothing is said: 28 if they have it, and else 32.

    Of a file only the head is read.

    Raises:
        InputError: as :func:`kind_of` and :func:`load_array`.
    """
    kind = kind_of(path)
    if kind == "array":
        path = local_path(path)
        shape = _image_array(path).shape if path.suffix.lower() == ".npy" else _image_shape(path)[1]
        return 28 if shape[1:3] == (28, 28) else 32
    return 28 if kind == "mnist" else 32


# ---- an array ----------------------------------------------------------------------------------------------------


def load_array(
    path: str | Path, size: int, channels: int | None = None, fit: str = "crop", report: Report = lambda *_: None
) -> ImageSet:
    """The images in a ``.npy`` or ``.npz`` file, uint8 (n, height, width) or (n, height, width, 1, 3 or 4).

    In an ``.npz`` file they are ``x_train``, or the only array of that kind. Arguments and order as in
    :func:`load_folder`.

    Raises:
        InputError: there is no such file, or no such array in it.
    """
    path = local_path(path)
    array = _image_array(path)
    array = array if array.ndim == 4 else array[..., np.newaxis]
    given = array.shape[-1]
    rows = np.random.default_rng(0).permutation(len(array))
    found_grey = False
    if channels is None:
        blocks = (array[rows[start : start + BLOCK]] for start in range(0, len(rows), BLOCK))
        channels = 1 if given == 1 or not any(_has_colour(block[..., :3]) for block in blocks) else 3
        found_grey = channels == 1 < given
    images = np.empty((len(rows), size, size, channels), np.uint8)
    for place, row in enumerate(rows):
        picture = Image.fromarray(array[row, ..., 0] if given == 1 else array[row])
        images[place] = _squared(picture, size, channels, fit)
        if place % BLOCK == 0 or place == len(rows) - 1:
            report(place + 1, len(rows))
    even = _even(images)
    notes = _notes(even, [f"image {row}" for row in rows], found_grey)
    return ImageSet(images, None, f"images in {path}", origin="array", notes=notes, even=int(even.sum()))


def _image_array(path: Path) -> np.ndarray:
    """The images in a file as they lie there; they may stay on the disk."""
    try:
        name = ""
        if path.suffix.lower() == ".npz":
            name, _ = _image_shape(path)
            with np.load(path, allow_pickle=False) as arrays:
                array = arrays[name]
        else:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; name a folder of images, or a .npy or .npz file") from None
    except Exception as error:  # a broken file can raise nearly anything
        raise InputError(f"{path}: cannot be read as an array ({reason_of(error)}); save it anew by "
                         "numpy.save") from None
    good = array.ndim == 3 or (array.ndim == 4 and array.shape[3] in (1, 3, 4))
    if array.dtype != np.uint8 or not good or not array.size:
        raise InputError(f"{path}: {name or 'the array'} is {array.dtype} {array.shape}, and images are uint8 "
                         "(n, height, width) or (n, height, width, 1, 3 or 4); save it so by numpy.save")
    return array


def _image_shape(path: Path) -> tuple[str, tuple[int, ...]]:
    """The name and the shape of the images in an ``.npz`` file."""
    shapes = {name: shape for name, shape in _shapes(path).items() if len(shape) in (3, 4)}
    if "x_train" not in shapes and len(shapes) != 1:
        raise InputError(f"{path}: has {len(shapes)} arrays that could be images ({', '.join(shapes) or 'none'}); call "
                         "one of them x_train, or save it alone")
    name = "x_train" if "x_train" in shapes else next(iter(shapes))
    return name, shapes[name]


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays in an ``.npz`` file by their names; only their heads are read."""
    shapes = {}
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            with file.open(name) as entry:
                head = np.lib.format.read_array_header_1_0 if np.lib.format.read_magic(entry) == (1, 0) else (
                    np.lib.format.read_array_header_2_0)
                shapes[name.removesuffix(".npy")] = head(entry)[0]
    return shapes


# ---- a folder ----------------------------------------------------------------------------------------------------


def load_folder(
    folder: str | Path, size: int, channels: int | None = None, fit: str = "crop", report: Report = lambda *_: None
) -> ImageSet:
    """All images in ``folder`` and below it, brought to squares of one ``size``.

    They come in a random order that is always the same. A file that cannot be read, or that would unfold to more
    pixels than Pillow holds safe, is left out and named. Where the images would take more than half of the free
    memory they are not kept, but read again whenever they are asked for (:class:`FolderImages`).

    Args:
        folder: searched for files with an image's ending, in every depth and through links. Not taken are hidden
            files and folders, and what this program draws.
        size: height and width in pixels.
        channels: 1 for grey, 3 for colour, ``None`` for colour if any image shows colour.
        fit: "crop" takes the middle square of an image; "pad" all of it, with a border in the colour of its edges.
        report: called now and then.
    Raises:
        InputError: there is no such folder, or no image in it that can be read.
    """
    folder = local_path(folder)
    _check(folder)
    paths, closed, others = _search(folder)
    reader = FolderImages(paths, size, fit)
    # The filters belong to the whole process, so they are set here, once for all the threads.
    with warnings.catch_warnings(action="ignore"):
        left_out, note, found_grey = reader.look(channels, lambda done: report(done // 2, len(paths)))
        keep = np.prod(reader.shape, dtype=np.int64) <= _free_memory() / 2
        before = 2 * len(paths) - len(reader)
        images, broken = reader.read_all(keep, lambda done: report((before + done) // 2, len(paths)))
    left_out = sorted(closed + left_out + broken)
    if not len(images):
        first = f" (the first: {left_out[0]})" if left_out else ""
        reason = f"none of its {len(left_out):,} images can be read" if left_out else (
            f"no image ({', '.join(ENDINGS)}) in it{f', but {_counted(others)}' if others else ''}")
        raise InputError(f"{folder}: {reason}; name a folder of images{first}")
    names = [os.path.relpath(path, folder) for path in reader.paths]
    notes = _notes(np.array(reader.even), names, found_grey)
    notes += (f"not looked at: {_counted(others)}",) if others else ()
    origin = "stacked" if (folder / STACKED_FILE).is_file() else "folder"
    files = tuple(zip(names, reader.checksums, strict=True))
    return ImageSet(images, None, f"images in {folder}{note}", tuple(left_out), origin, notes, sum(reader.even), files)


def _counted(others: Counter[str]) -> str:
    """How many files there are of other endings, in words."""
    shown = [f"{ending or 'without'} {count:,}" for ending, count in others.most_common(5)]
    more = f", and {len(others) - 5} more" if len(others) > 5 else ""
    count = others.total()
    return f"{count:,} {'file' if count == 1 else 'files'} with other endings ({', '.join(shown)}{more})"


def _notes(even: np.ndarray, names: list[str], found_grey: bool) -> tuple[str, ...]:
    """What people should know of their images: those that show nothing, and that there is no colour in them."""
    notes = ["they are in colour, but show none: taken as grey (--channels 3 takes them as they are)"] * found_grey
    if even.any():
        notes.append(f"{even.sum():,} of {len(even):,} images have one even colour (the first: "
                     f"{names[int(even.argmax())]})")
    return tuple(notes)


def _free_memory() -> int:
    """Bytes that programs can still take."""
    return psutil.virtual_memory().available


def _check(folder: Path) -> None:
    if os.path.isfile(folder):
        raise InputError(f"{folder}: is a file, and no .npy or .npz; unpack an archive first, and name the folder that "
                         "the images are in")
    try:
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{folder}: there is no such folder; name a folder of images, or a .npy or .npz "
                         "file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: cannot be opened ({reason_of(error)}); name a folder that may be read") from None


def _search(folder: Path) -> tuple[list[Path], list[str], Counter[str]]:
    """All files with an image's ending, sorted, a line for each folder that may not be read, and the other endings.

    Each folder is entered once, by whatever links it is reached.
    """
    paths, closed, others, seen = [], [], Counter(), {os.path.realpath(folder)}

    def deny(error: OSError) -> None:
        closed.append(f"{error.filename}: {reason_of(error)}")

    for here, folders, names in os.walk(folder, followlinks=True, onerror=deny):
        run = "run.json" in names  # of this program: what a network made is no image to learn from
        if run:
            folders[:] = [name for name in folders if name not in ("samples", "generated")]
        found = []
        for name in sorted(folders, key=lambda name: (os.path.islink(os.path.join(here, name)), name)):
            real = os.path.realpath(os.path.join(here, name))
            if not (name.startswith(".") or name == "__MACOSX" or real in seen):
                seen.add(real)
                found.append(name)
        folders[:] = found
        for name in names:
            if name.startswith(".") or name in (*OWN, STACKED_FILE):
                continue
            if name.lower().endswith(ENDINGS):
                paths.append(Path(here, name))
            elif not run:
                others[Path(name).suffix.lower()] += 1
    return sorted(paths), closed, others


class FolderImages:
    """Images that are read from their files whenever they are asked for, because the memory does not hold them all.

    ``shape``, ``dtype``, ``len()`` and ``[rows]`` are those of a uint8 array (n, size, size, channels).
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, paths: list[Path], size: int, fit: str):
        self.paths, self.size, self.fit, self.channels = paths, size, fit, 3
        self.whites: dict[str, int] = {}  # the value that is white in deep pictures, by the first letter of their mode
        self.checksums: list[int] = []  # of each image, and whether it shows nothing
        self.even: list[bool] = []
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

    def look(self, channels: int | None, report: Callable[[int], None]) -> tuple[list[str], str, bool]:
        """Open every file and find what they have in common; mix those that can be opened.

        Returns:
            A line for each of the others, a note on the scale of deep pictures, and whether pictures that could have
            colour were all found to be grey.
        """
        good, left_out, greatest, lowest, coloured = [], [], {}, 0, set()
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
                elif mode not in ("1", "L", "LA", "La"):
                    coloured.add(path)
            report(start + len(some))
        self.paths = [good[row] for row in np.random.default_rng(0).permutation(len(good))]  # names often sort by kind
        self.whites = {letter: _white(letter, value) for letter, value in greatest.items()}
        shows_colour = not channels and self._any_shows_colour([path for path in self.paths if path in coloured])
        self.channels = channels or (3 if shows_colour else 1)
        notes = [f", greys {'from 0 to 1' if white == 1 else f'of {white.bit_length()} bits'} (greatest value "
                 f"{greatest[letter]:.9g})" for letter, white in self.whites.items()]
        notes += [f", all below 0 as black (least value {lowest:.9g})"] * (lowest < 0)
        return left_out, "".join(notes), not channels and bool(coloured) and self.channels == 1

    def _any_shows_colour(self, paths: list[Path]) -> bool:
        """Whether there is colour in any of the pictures: the first that shows it ends the search."""

        def shows_colour(path: Path) -> bool:
            image = np.empty((self.size, self.size, 3), np.uint8)
            return self._read(path, image) is None and _has_colour(image)

        at_once = 4 * (os.cpu_count() or 1)
        return any(any(self._pool.map(shows_colour, paths[start : start + at_once]))
                   for start in range(0, len(paths), at_once))

    def read_all(self, keep: bool, report: Callable[[int], None]) -> "tuple[np.ndarray | FolderImages, list[str]]":
        """Read every file once and strike out those that cannot be read.

        Returns:
            The images, as an array if ``keep``, and a line for each file that was struck out.
        """
        images = np.empty((len(self) if keep else min(BLOCK, len(self)), *self.shape[1:]), np.uint8)
        broken, good = {}, []
        for start in range(0, len(self), BLOCK):
            some = self.paths[start : start + BLOCK]
            block = images[start if keep else 0 :][: len(some)]
            for row, reason in enumerate(self._pool.map(self._read, some, block)):
                if reason:
                    broken[some[row]] = reason
                    continue
                self.checksums.append(zlib.crc32(block[row]))
                self.even.append(bool(_even(block[row : row + 1])[0]))
                if keep and broken:  # in place: a copy would take the memory twice
                    images[len(good)] = block[row]
                good.append(some[row])
            report(start + len(some))
        self.paths = good
        left_out = [f"{path}: {reason}" for path, reason in broken.items()]
        return (images[: len(good)] if keep else self), left_out

    def _read(self, path: Path, out: np.ndarray) -> str | None:
        """Read one file into ``out``; if that cannot be, the reason."""
        try:
            with _opened(path) as image:
                image.draft("RGB", (self.size * 2, self.size * 2))  # a large JPEG is decoded at a fraction of its size
                ImageOps.exif_transpose(image, in_place=True)
                if _is_deep(image.mode):
                    # Made small before it is made wide: a float has 8 bytes.
                    values = np.asarray(_to_square(image, self.size, self.fit), np.float64)
                    levels = values * (255 / self.whites[image.mode[0]])
                    levels = np.nan_to_num(levels, nan=0, posinf=255, neginf=0).round().clip(0, 255)
                    out[:] = levels[..., np.newaxis]
                else:
                    out[:] = _squared(image, self.size, out.shape[-1], self.fit)
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


# ---- one image ---------------------------------------------------------------------------------------------------


def _squared(image: Image.Image, size: int, channels: int, fit: str) -> np.ndarray:
    """An image of 8 bits a value as uint8 (size, size, channels); what is transparent in it is white."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    square = _to_square(image.convert("L" if channels == 1 else "RGB"), size, fit)
    return np.asarray(square).reshape(size, size, channels)


def _to_square(image: Image.Image, size: int, fit: str) -> Image.Image:
    if fit == "crop":
        return ImageOps.fit(image, (size, size))
    scale = size / max(image.size)
    sides = [max(1, round(side * scale)) for side in image.size]
    small = image.resize(sides, Image.Resampling.BICUBIC)
    inner = np.asarray(small)
    edges = np.concatenate((inner[0], inner[-1], inner[:, 0], inner[:, -1]))
    square = np.empty((size, size, *inner.shape[2:]), inner.dtype)
    square[:] = np.median(edges, axis=0)
    top, left = (size - small.height) // 2, (size - small.width) // 2
    square[top : top + small.height, left : left + small.width] = inner
    return Image.fromarray(square)


def _has_colour(images: np.ndarray) -> bool:
    return bool((images.max(axis=-1) - images.min(axis=-1)).max() > COLOURFUL)


def _even(images: np.ndarray) -> np.ndarray:
    """For each of some images (n, height, width, channels), whether it shows nothing."""
    images = images.reshape(len(images), -1)
    return images.max(axis=1) - images.min(axis=1) <= EVEN
