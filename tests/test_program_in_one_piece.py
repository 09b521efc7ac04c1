"""The program in one piece, notebooks/keras_dcgan.py: it runs as it stands, and is what the book takes apart."""

import runpy
import subprocess
import sys

import numpy as np
from PIL import Image

from dcgan_lib import data, models, pictures
from notebook_tools import ROOT

PROGRAM = ROOT / "notebooks" / "keras_dcgan.py"


def test_it_trains_and_generates(tmp_path, digits_file, monkeypatch):
    monkeypatch.setenv("MNIST_NPZ", str(digits_file))

    def run(*arguments):
        command = [sys.executable, PROGRAM, "--batch_size", "8", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    lines = run("--mode", "train", "--epochs", "1", "--batches", "21").splitlines()
    losses = np.array([line.split()[5::2] for line in lines], float)
    assert losses.shape == (21, 2) and np.isfinite(losses).all() and losses[-1, 0] < losses[0, 0]
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == ["0_0.png", "0_20.png", "discriminator.weights.h5", "generator.weights.h5"]
    for nice in ((), ("--nice",)):
        run("--mode", "generate", *nice)
        assert Image.open(tmp_path / "generated_image.png").size == (2 * 28, 4 * 28)


def test_its_functions_are_those_of_the_library():
    program = runpy.run_path(str(PROGRAM))
    for name in ("generator_model", "discriminator_model"):
        ours, theirs = program[name](), getattr(models, name)()
        assert [tuple(weight.shape) for weight in ours.weights] == [tuple(weight.shape) for weight in theirs.weights]
        theirs.set_weights(ours.get_weights())
        inputs = np.random.default_rng(0).uniform(-1, 1, (4, *ours.input_shape[1:]))
        np.testing.assert_allclose(ours(inputs), theirs(inputs), atol=1e-6)
    images = np.random.default_rng(1).uniform(-1, 1, (7, 28, 28, 1))
    picture, expected = np.asarray(program["combine_images"](images)), pictures.combine_images(data.to_uint8(images))
    assert picture.shape == expected.shape == (4 * 28, 2 * 28)
    assert (picture[: 3 * 28] == expected[: 3 * 28]).all(), "the last row has a place that no image fills"
