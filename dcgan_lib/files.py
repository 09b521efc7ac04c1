"""Files: each whole or not at all, and where the shipped ones are.

What belongs here: what any program needs that must not lose what it has. Nothing about images or networks.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError

_PACKAGED = Path(__file__).resolve().parent / "assets"  # where an installed wheel has them
ASSETS = _PACKAGED if _PACKAGED.exists() else _PACKAGED.parent.parent / "assets"  # what the project ships: weights


@contextmanager
def whole_file(path: Path, size: int = 0) -> Iterator[Path]:
    """Give a temporary path to write to; it takes the name ``path`` only when the block has ended well.

    The temporary name, ``.tmp``, the number of the process, ``-`` and the real name, ends like the real one, because
    Keras and Pillow look at the ending.

    Args:
        size: bytes that must be free before the block begins, for a writer that does not survive a full disk.
    Raises:
        OSError: the file cannot be written; it names ``path``, and nothing is left of what was begun.
    """
    with _renamed_at_the_end(path, lambda temporary: _reserve(temporary, size), Path.unlink) as temporary:
        yield temporary


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to write files to; it takes the name ``path``, which must be free, when all is well.

    Raises:
        OSError: as :func:`whole_file`.
    """
    with _renamed_at_the_end(path, Path.mkdir, shutil.rmtree) as temporary:
        yield temporary


@contextmanager
def _renamed_at_the_end(
    path: Path, begin: Callable[[Path], None], remove: Callable[[Path], None]
) -> Iterator[Path]:
    temporary = path.with_name(f".tmp{os.getpid()}-{path.name}")
    try:
        begin(temporary)
        yield temporary
        _replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            remove(temporary)
        if isinstance(error, OSError) and error.errno:
            raise OSError(error.errno, error.strerror, str(path)) from error  # which names the file that was meant
        raise


def _reserve(path: Path, size: int) -> None:
    path.unlink(missing_ok=True)
    with open(path, "xb") as file:  # a new file, and never through a link that lies there
        if hasattr(os, "posix_fallocate") and size:
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            for start in range(0, size, 2**20):
                file.write(bytes(min(2**20, size - start)))


def _replace(temporary: Path, path: Path) -> None:
    for pause in (0.1, 0.3, 1.0, 0):  # seconds: on Windows, a program that looks at the old file keeps it for a moment
        try:
            os.replace(temporary, path)
            return
        except PermissionError:
            if not pause or os.name != "nt":
                raise
            time.sleep(pause)


def expand(text: str | Path, option: str) -> Path:
    """The path that a user means by ``text``, ``~`` included; ``option`` is named where there is none.

    Raises:
        InputError: ``text`` is empty, or ``~`` leads nowhere.
    """
    if not str(text):
        raise InputError(f"{option} is empty; name a folder or a file")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise InputError(f"{option} {text}: there is no such home folder; give the whole path") from None
