"""The command line as a subprocess, and the files that it leaves."""

import subprocess
import sys
from pathlib import Path


def command(*arguments) -> list[str]:
    """``python -m dcgan_lib`` with these arguments."""
    return [sys.executable, "-m", "dcgan_lib", *map(str, arguments)]


def dcgan(*arguments, cwd=None, env=None, timeout=300):
    """Run the program and return the finished process; its output is text."""
    return subprocess.run(command(*arguments), cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` but the lock, by its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
