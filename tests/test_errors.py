"""Whatever ends a program: one line, an exit code, nothing broken."""

import errno
import io
import os
import subprocess
import sys

import pytest

from dcgan_lib.errors import InputError, Parser, run_program

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such streams")


class ResourceExhaustedError(Exception):
    """As TensorFlow's."""


class InvalidArgumentError(Exception):
    """As TensorFlow's."""


@pytest.mark.parametrize("error, code, line", [
    (InputError("no\nsuch  thing; do this"), 2, "x: error: no such thing; do this"),
    (OSError(errno.ENOSPC, "No space left on device", "a.png"), 2,
     "x: error: a.png: No space left on device; make room, or choose another folder"),
    (OSError(errno.ENOSPC, "No space left on device"), 2,
     "x: error: the output: No space left on device; make room, or choose another folder"),
    (PermissionError(errno.EACCES, "Permission denied", "a"), 2, "x: error: a: Permission denied; change its permiss"),
    (IsADirectoryError(errno.EISDIR, "Is a directory", b"a"), 2, "x: error: a: Is a directory; move away what is th"),
    (OSError("cannot identify image file"), 2, "x: error: the output: cannot identify image file; see whether"),
    (InvalidArgumentError("Graph execution error:\nInputError: a.png: is gone; bring it back\nTraceback (most"), 2,
     "x: error: a.png: is gone; bring it back\n"),
    (OSError(errno.EROFS, "Read-only file system", "too big"), 2, "x: error: too big: Read-only file system; change"),
    (InputError("a" * 5000), 2, "x: error: " + "a" * 500 + " … " + "a" * 400 + "\n"),
    (MemoryError(), 2, "x: error: too large for the memory; give a smaller --batch_size"),
    (ResourceExhaustedError("OOM"), 2, "x: error: too large for the memory"),
    (ValueError("Maximum allowed dimension exceeded"), 2, "x: error: too large for the memory"),
    (RuntimeError("CUDA_ERROR_OUT_OF_MEMORY: out of memory"), 2, "x: error: too large for the memory"),
    (FloatingPointError("d_loss is nan at step 3"), 1, "x: error: d_loss is nan at step 3"),
    (ModuleNotFoundError("No module named 'jax'"), 2, "x: error: No module named 'jax'; install what is missing"),
    (KeyboardInterrupt(), 130, "\nx: stopped"),
    (KeyboardInterrupt("stopped at step 3"), 130, "\nx: stopped at step 3"),
    (BrokenPipeError(), 141, ""),
    (TypeError("'int' is not\niterable"), 1, "x: error: TypeError: 'int' is not iterable; the program is wrong here"),
    (UserWarning("turned into an error"), 1, "x: error: UserWarning: turned into an error"),
])
def test_every_error_is_one_line_and_a_code(error, code, line, capsys, monkeypatch):
    def program(arguments):
        raise error

    assert run_program("x", program) == code
    told = capsys.readouterr().err
    assert told.startswith(line) and told.strip().count("\n") == 0 and (told == "") == (line == "")
    assert "Traceback" not in told
    monkeypatch.setenv("DCGAN_TRACEBACK", "1")
    run_program("x", program)
    assert "Traceback" in capsys.readouterr().err


def test_a_program_that_ends_well_gets_its_arguments(capsys):
    assert run_program("x", print, ["a", "b"]) == 0
    assert capsys.readouterr() == ("['a', 'b']\n", "")


def test_parser_raises_what_argparse_would_print():
    parser = Parser(prog="x")
    parser.add_argument("--size", type=int)
    with pytest.raises(InputError, match="argument --size: invalid int value: 'a'; --help lists the options"):
        parser.parse_args(["--size", "a"])


def test_no_streams_at_all_as_under_pythonw(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)

    def program(arguments):
        print("something")
        (tmp_path / "done").write_text("")

    assert run_program("x", program) == 0 and (tmp_path / "done").exists()
    assert isinstance(sys.stdout, io.TextIOBase) and isinstance(sys.stderr, io.TextIOBase)


PRINTS = """
import sys
from dcgan_lib.errors import InputError, run_program
def program(arguments):
    if "fail" in sys.argv:
        raise InputError("no")
    with open(sys.argv[1], "w") as file:
        print("to the output", flush=True)
        print("to the file", file=file)
sys.exit(run_program("x", program))
"""


@posix
@pytest.mark.parametrize("redirection, arguments, code, told", [
    (">&-", "", 0, ""), ("2>&-", "", 0, "to the output\n"), (">&- 2>&- <&-", "", 0, ""),
    (">&- 2>&- <&-", "fail", 2, ""), ("2>&-", "fail", 2, ""),
    (">/dev/full", "", 2, "x: error: the output: No space left on device; make room, or choose another folder\n"),
    ("| head -0", "", 0, ""),
])
def test_closed_and_full_streams(redirection, arguments, code, told, tmp_path):
    if "/dev/full" in redirection and not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    (tmp_path / "prints.py").write_text(PRINTS)
    shell = f'"{sys.executable}" prints.py file {arguments} {redirection}'
    done = subprocess.run(["sh", "-c", shell], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == code and done.stdout + done.stderr == told
    if told == "" and code == 0 and "head" not in redirection:
        assert (tmp_path / "file").read_text() == "to the file\n", "not what was printed"
