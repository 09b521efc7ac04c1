"""The command line, in this process or in one of its own, and the files that it leaves."""

import contextlib
import io
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from dcgan_lib import command_line


def needs(engine: str) -> pytest.MarkDecorator:
    """Leaves a test out where this engine is not installed."""
    return pytest.mark.skipif(not find_spec(engine), reason=f"{engine} is not installed: pip install '.[{engine}]'")


class Done(NamedTuple):
    """How a program ended."""

    returncode: int
    stdout: str
    stderr: str


def dcgan(*arguments, cwd=None) -> Done:
    """Run the program in this process: no start of TensorFlow, which takes longer than most of what is tested."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(cwd or "."):
        code = command_line.main([str(argument) for argument in arguments])
    from tensorflow.python.framework.config import disable_op_determinism  # after the program's own, silent import

    disable_op_determinism()  # a training asks for it, and it would change what other tests see
    return Done(code, out.getvalue(), err.getvalue())


def command(*arguments) -> list[str]:
    """``python -m dcgan_lib`` with these arguments."""
    return [sys.executable, "-m", "dcgan_lib", *map(str, arguments)]


def dcgan_process(*arguments, cwd=None, env=None, timeout=300) -> subprocess.CompletedProcess:
    """Run the program in a process of its own; its output is text."""
    return subprocess.run(command(*arguments), cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)


def check_refusal(done, message: str, name: str = "dcgan") -> None:
    """One line that says what is wrong, and exit code 2."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith(f"{name}: error: ")


def files(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` but the lock, by its name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".dcgan.lock"
    }
