"""Files and folders: each file whole or not at all, one run at a time in a folder.

What belongs here: what any program needs that must not lose what it has, and where the shipped files are. Nothing
about images or networks.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

ASSETS = Path(__file__).resolve().parent.parent / "assets"  # what the project ships: trained weights


class InputError(ValueError):
    """What was asked for cannot be done. The message is one line and names the remedy."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it takes the name ``path`` only when the block has ended well.

    The temporary name ends like the real one, because Keras and Pillow look at the ending.

    Raises:
        OSError: the folder cannot be written to.
    """
    temporary = path.with_name(f".tmp{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make ``folder`` if need be and keep every other run out of it until the block ends.

    The lock dies with the process, so a killed run leaves none behind. A folder that was made here and
    has stayed empty is taken away again.

    Raises:
        InputError: the folder cannot be written to, or a run is at work in it.
    """
    made = not folder.exists()
    lock = filelock.FileLock(folder / ".lock", timeout=3)  # seconds: a killed process may take one to be gone
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout:
        raise InputError(f"{folder}: a run is at work here; wait for it, or name another --out") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to ({error.strerror}); name another --out") from None
    try:
        for leftover in folder.rglob(".tmp*-*"):  # of a run that was killed while it wrote
            leftover.unlink()
        yield
    finally:
        lock.release()
        if made and all(entry.name == ".lock" for entry in folder.iterdir()):
            with suppress(OSError):
                (folder / ".lock").unlink(missing_ok=True)
                folder.rmdir()
