"""The step for three engines: on TensorFlow it is what ``fit`` does, and on JAX and PyTorch it is the same again."""

import csv
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from dcgan_lib import models, noise, steps, training
from dcgan_lib.backend import keras
from dcgan_lib.callbacks import LossHistory
from dcgan_lib.data import batches
from dcgan_lib.runs import Run
from dcgan_lib.training import GAN
from program import check_refusal, dcgan, dcgan_in_turn, files, needs

ENGINES = [pytest.param(name, marks=needs(name)) for name in ("jax", "torch")]
SMALL = ("--width", "4", "--hidden", "8", "--batch_size", "16", "--precision", "float32")


@pytest.mark.parametrize("shape, seed, stream", [
    ((64, 100), 0, 0), ((3, 100), 5, training.GENERATE_STREAM), ((1, 100), 2**32 - 1, 7 + 3 * 2**50), ((7, 3), 9, -1),
])
def test_noise_is_that_of_tensorflow_to_the_bit(shape, seed, stream):
    theirs = training._uniform(shape, seed, stream, -1.0, 1.0).numpy()
    ours = noise.uniform(shape, seed, stream, -1, 1)
    assert ours.dtype == np.float32 and np.array_equal(ours, theirs)


def gan(augment, falling, average):
    keras.utils.set_random_seed(3)
    made = GAN(models.dcgan_generator(width=4, hidden=8), models.dcgan_discriminator(width=4, hidden=8), seed=5,
               average=average, augment=augment)
    rate = training.FallingRate(0.004, 8) if falling else 0.004
    made.compile(keras.optimizers.Adam(rate, beta_1=0.5), keras.optimizers.SGD(0.02, momentum=0.9))
    return made


@pytest.mark.parametrize("augment, falling, average", [(False, False, 0.0), (True, True, 0.99)])
def test_a_step_that_is_a_function_does_what_train_step_does(augment, falling, average, digits):
    fitted, stepped = (gan(augment, falling, average) for _ in range(2))
    theirs, ours = LossHistory(), LossHistory()
    fitted.fit(batches(digits, 16), steps_per_epoch=6, shuffle=False, verbose=0, callbacks=[theirs])
    # In two parts, so that what a training leaves is what the next begins with.
    steps.train_in_steps(stepped, batches(digits, 16), 2, [ours])
    steps.train_in_steps(stepped, batches(digits, 16, first_step=2), 4, [ours])
    np.testing.assert_allclose(ours.rows, theirs.rows, rtol=1e-6, atol=1e-6)
    assert ours.rows[0][1] != ours.rows[5][1], "something is learned"
    for one, other in zip(stepped.variables, fitted.variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=2e-6, err_msg=one.path)


ONE_STEP = """
import numpy as np
from dcgan_lib import steps
from dcgan_lib.runs import Run
gan = Run(width=2, hidden=4, batch_size=4).gan()

def moved(before):
    return np.mean([not np.array_equal(a, b.numpy()) for a, b in zip(before, gan.variables)])

before = [variable.numpy().copy() for variable in gan.variables]
real = np.ones((4, 28, 28, 1), np.float32)
step = steps.engine.compiled(lambda *inputs: steps.one_step(gan, *inputs))
state, losses = step(steps.State.of(gan), real, *steps.chance_of_step(gan, 4, 0))
print(moved(before) == 0)
state.put_into(gan)
print(moved(before) > 0.9, gan.step)
try:
    gan.fit(real, batch_size=4, verbose=0)
except ValueError as error:
    print(error)
"""


@needs("jax")
def test_on_jax_a_step_changes_nothing_and_returns_everything():
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", ONE_STEP], capture_output=True, text=True, timeout=120, env=env)
    *moved, refusal = done.stdout.splitlines()
    assert moved == ["True", "True 1"], done.stderr
    assert refusal.startswith("GAN.fit trains on TensorFlow alone; take dcgan_lib.steps.train_in_steps")


def test_every_loop_over_batches_without_tensorflow_begins_anew(digits, monkeypatch):
    theirs = [batch.numpy() for _, batch in zip(range(3), batches(digits, 16, seed=2, first_step=4))]
    monkeypatch.setattr("dcgan_lib.data.tf", None)
    ours = batches(digits, 16, seed=2, first_step=4)
    for _ in range(2):
        for one, other in zip(ours, theirs):
            assert np.array_equal(keras.ops.convert_to_numpy(one), other)


def going_on(folder, end):
    return "--mode", "train", "--out", folder, "--resume", "--steps", end


def on(engine, *lines):
    return dcgan_in_turn(*lines, env={**os.environ, "KERAS_BACKEND": engine})


@pytest.fixture(scope="module")
def begun(digits_file, tmp_path_factory):
    """A run of two steps on TensorFlow, and how it goes on there."""
    folder = tmp_path_factory.mktemp("engines")
    # At higher rates Adam makes differences of rounding so large that TensorFlow on one thread is as far from itself
    # on two threads as from the others.
    start = ("--mode", "train", "--path", digits_file, "--out", folder / "begun", "--steps", "2", "--augment",
             "--learning_rate", "0.0003", *SMALL)
    assert dcgan(*start).returncode == 0
    shutil.copytree(folder / "begun", folder / "tensorflow")
    assert dcgan(*going_on(folder / "tensorflow", 22)).returncode == 0
    return folder / "begun", losses(folder / "tensorflow")


def losses(folder):
    with open(folder / "losses.csv") as file:
        return np.array(list(csv.reader(file))[1:], float)[:, 1:]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_goes_on_on_another_engine(engine, begun, tmp_path):
    folder, theirs = begun
    whole, parts = (shutil.copytree(folder, tmp_path / name) for name in ("whole", "parts"))
    # One run is broken off at a step at which no checkpoint is due, and another process goes on with it.
    *_, measured = on(
        engine, going_on(parts, 9), going_on(whole, 22),
        ("--mode", "generate", "--nice", "--batch_size", 4, "--seed", 1, "--out", whole),
        ("--mode", "measure", "--out", whole),
    )
    on(engine, going_on(parts, 22))
    assert files(parts)["losses.csv"] == files(whole)["losses.csv"]

    ours = losses(whole)
    assert len(ours) == len(theirs) == 22
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert np.abs(np.diff(theirs, axis=0)).mean() > 3e-4, "they would tell one training from another"
    assert engine in Run.read(whole).versions
    assert (whole / "nice_generated_image.png").is_file()
    on_tensorflow = dcgan("--mode", "measure", "--out", whole)
    ours, theirs = (done.stdout.split("generated ")[1].split()[0] for done in (measured, on_tensorflow))
    assert float(ours) == pytest.approx(float(theirs), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_the_sources_pair_and_loop_on_another_engine(engine, digits_file, tmp_path):
    start = ("--mode", "train", "--model", "original", "--loop", "source", "--batch_size", "8", "--steps", "1",
             "--path", digits_file, "--out", tmp_path / "begun")
    assert dcgan(*start).returncode == 0
    shutil.copytree(tmp_path / "begun", tmp_path / "ours")
    assert dcgan(*going_on(tmp_path / "begun", 5)).returncode == 0
    on(engine, going_on(tmp_path / "ours", 5))
    theirs, ours = (losses(tmp_path / name) for name in ("begun", "ours"))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert np.abs(np.diff(theirs, axis=0)).mean() > 3e-4, "they would tell one training from another"


NOT_THERE = "sys.modules[{!r}] = None"


@pytest.mark.parametrize("name, before, message", [
    ("theano", NOT_THERE.format("theano"),
     "KERAS_BACKEND=theano: the engines here are tensorflow, jax, torch; choose one, or unset it"),
    ("jax", NOT_THERE.format("jax"), "the package jax is missing; pip install '.[jax]' brings it"),
    ("torch", NOT_THERE.format("torch"), "the package torch is missing; pip install '.[torch]' brings it"),
    pytest.param("torch", "import keras; keras.__version__ = '3.14.1'",
                 "Keras 3.14.1 computes transposed convolutions on PyTorch otherwise", marks=needs("torch")),
])
def test_an_engine_that_cannot_be_used(name, before, message, tmp_path):
    program = f"""
import sys
{before}
from dcgan_lib.command_line import main
sys.exit(main(["--mode", "generate"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=tmp_path,
                          env={**os.environ, "KERAS_BACKEND": name})
    check_refusal(done, message)


@pytest.mark.parametrize("engine", ENGINES)
def test_chapters_say_that_they_need_tensorflow(engine):
    program = "import dcgan_lib.backend; from dcgan_lib.reading import work_in_notebooks; work_in_notebooks()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "KERAS_BACKEND": engine})
    assert f"this chapter runs on TensorFlow, and KERAS_BACKEND says {engine}; unset it" in done.stderr
