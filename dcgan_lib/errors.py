"""What can go wrong, told in one line and as an exit code.

What belongs here: the error for what a user can mend, and the net under every command line. Nothing of what the
programs do.
"""

import argparse
import errno
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn


class InputError(ValueError):
    """What was asked for cannot be done. The message is one line and names the remedy."""


class Parser(argparse.ArgumentParser):
    """A parser of arguments that raises :class:`InputError` where argparse would print its usage."""

    def __init__(self, **settings):
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; --help lists the options")


def run_program(name: str, program: Callable[[list[str] | None], None], arguments: list[str] | None = None) -> int:
    """Run a command line; whatever ends it becomes one line on stderr, that begins with ``name``, and an exit code.

    Set the environment variable ``DCGAN_TRACEBACK`` to see where an error came from.

    Returns:
        0; 1 where a training broke down or the program itself is wrong; 2 for what the user can mend; 130 after
        Ctrl-C; 141 where nobody reads the output any more.
    """
    _open_closed_streams()
    try:
        try:
            program(arguments)
        finally:  # also after --help, which ends by SystemExit
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("DCGAN_TRACEBACK"):
            traceback.print_exc()
        code, message = _verdict(error)
        if code == 130 and arguments is None:
            with suppress(ValueError):  # not the main thread, which alone hears of it
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # a further Ctrl-C would break what Python does at its end
        if isinstance(error, OSError):  # what is left in the buffer of a broken stdout would fail again at exit
            _forget_output()
        if message:
            stopped = "\n" if code == 130 else ""  # the terminal has just shown ^C
            line = " ".join(message.split())
            line = line if len(line) < 1000 else f"{line[:500]} … {line[-400:]}"  # what it quotes can be of any length
            print(f"{stopped}{name}: {'' if stopped else 'error: '}{line}", file=sys.stderr)
        return code
    return 0


_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room, or choose another folder"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "change its permissions, close the program that has it "
                                                              "open, or choose another folder"),
    **dict.fromkeys((errno.EISDIR, errno.ENOTDIR, errno.EEXIST), "move away what is there, or choose another folder"),
    errno.ENAMETOOLONG: "give a shorter name",
}


def _verdict(error: BaseException) -> tuple[int, str]:
    """The exit code and the message of an error."""
    text = str(error) or type(error).__name__
    within = re.search(r"InputError: (.+)", text)  # raised by Python code that TensorFlow called, and wrapped by it
    if isinstance(error, InputError) or within:
        return 2, within[1] if within else text
    if isinstance(error, KeyboardInterrupt):
        return 130, str(error) or "stopped"
    if isinstance(error, BrokenPipeError):
        return 141, ""
    if _is_lack_of_memory(error):
        return 2, "too large for the memory; give a smaller --batch_size, --width or --image_size"
    if isinstance(error, OSError):
        file = "the output" if error.filename is None else os.fsdecode(error.filename)
        remedy = _REMEDIES.get(error.errno, "see whether the name is right, and whether it can be read and written")
        return 2, f"{file}: {error.strerror or text}; {remedy}"
    if isinstance(error, FloatingPointError):
        return 1, text
    if isinstance(error, ImportError):
        return 2, f"{text}; install what is missing by pip install -r requirements.txt"
    return 1, f"{type(error).__name__}: {text}; the program is wrong here: DCGAN_TRACEBACK=1 shows the place to report"


def _is_lack_of_memory(error: BaseException) -> bool:
    # By words, because TensorFlow may not have been loaded, and NumPy raises a ValueError for a size beyond all memory.
    words = "out of memory|oom when|failed to allocate|allocate memory|failed to map segment|too big|" \
            "maximum allowed dimension|dst tensor is not init"
    if isinstance(error, (MemoryError, OSError)):  # whose words may come from a file's name
        return isinstance(error, MemoryError) or error.errno == errno.ENOMEM
    return "ResourceExhausted" in type(error).__name__ or bool(re.search(words, str(error), re.I))


def _open_closed_streams() -> None:
    """Make sure that the three standard streams are there, and can show every name.

    A daemon, pythonw or a shell's ``>&-`` closes them; the next file that is opened would then take their number, and
    what is printed would end up in it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (it is to stay open)
        if hasattr(getattr(sys, name), "reconfigure"):  # a file's name may hold what the terminal cannot show
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    """Point a standard output that fails at nothing, so that Python's end does not fail at it too."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
