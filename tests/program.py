"""The command line, in this process or in one of its own, and the files that it leaves."""

import contextlib
import io
import json
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
    if "tensorflow" in sys.modules:
        from tensorflow.python.framework.config import disable_op_determinism

        disable_op_determinism()  # a training asks for it, and it would change what other tests see
    return Done(code, out.getvalue(), err.getvalue())


def command(*arguments) -> list[str]:
    """``python -m dcgan_lib`` with these arguments."""
    return [sys.executable, "-m", "dcgan_lib", *map(str, arguments)]


# A shell's background job, as the tests may be one, passes on that SIGINT is ignored.
OFTEN = """
import signal
from dcgan_lib import command_line
signal.signal(signal.SIGINT, signal.default_int_handler)
command_line.CHECKPOINT_STEPS, command_line.CHECKPOINT_SECONDS = 20, float("inf")
raise SystemExit(command_line.main())
"""


def command_often(*arguments) -> list[str]:
    """The same with a checkpoint every 20 steps, whatever it costs."""
    return [sys.executable, "-c", OFTEN, *map(str, arguments)]


def dcgan_process(*arguments, cwd=None, env=None, timeout=300) -> subprocess.CompletedProcess:
    """Run the program in a process of its own; its output is text."""
    return subprocess.run(command(*arguments), cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)


IN_TURN = """
import json
import sys

{before}
sys.path.insert(0, {tests!r})
from program import dcgan

print(json.dumps([dcgan(*line) for line in json.load(sys.stdin)]))
"""


def dcgan_in_turn(*lines, env=None, before="", timeout=300) -> list[Done]:
    """Run the program with each of these lists of arguments, all of which must end well, in one process of its own.

    Args:
        before: what it does first; its messages do not count.
    """
    program = IN_TURN.format(before=before, tests=str(Path(__file__).parent))
    given = json.dumps([[str(argument) for argument in line] for line in lines])
    done = subprocess.run([sys.executable, "-c", program], input=given, env=env, capture_output=True, text=True,
                          timeout=timeout)
    assert done.returncode == 0 and (before or not done.stderr), done.stderr
    every = [Done(*each) for each in json.loads(done.stdout)]
    assert all((each.returncode, each.stderr) == (0, "") for each in every), every
    return every


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
