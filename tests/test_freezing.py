"""When `trainable` takes effect: the experiments of notebook 07, with the versions of Keras and the engines it names.

The cells tagged ``experiment`` are run as they stand in the notebook (a GradientTape is replaced where there is none),
each time in a new process that finds another Keras first, or has another engine. Each version is installed into a
folder of its own; without a package index these tests are skipped, and so are those of an engine that is not installed.
"""

import inspect
import json
import os
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import version

import pytest

from dcgan_lib import models
from notebook_tools import ROOT, load, source
from program import needs

NOTEBOOK = ROOT / "notebooks" / "07_freezing.ipynb"
VERSIONS = ["3.13.2", "3.15.1"]

# What each version brings under the name `keras`, and what else the cells take for granted.
KERAS_3 = """
import keras
"""
TF_KERAS = """
import tf_keras as keras
from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable

BaseResourceVariable.path = property(lambda variable: variable.name)  # what Keras 3 calls it
"""

# Where there is no GradientTape: the gradient of a function, with the weights as its argument.
GRADIENT = {
    "jax": "from jax import grad as gradient",
    "torch": """
import torch


def gradient(loss):
    return lambda weights, *data: torch.autograd.grad(loss(weights, *data), weights)
""",
}
TAPE_TURN = """
def tape_turn(network, opponent=None):
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    loss_of = keras.losses.BinaryCrossentropy()

    def loss(weights, x, y):
        output, _ = network.stateless_call(weights, network.non_trainable_variables, x, training=True)
        return loss_of(y, output if opponent is None else opponent(output, training=True))

    def turn(n):
        variables = network.trainable_variables
        gradients = gradient(loss)([variable.value for variable in variables], *batch_for(network, n))
        optimizer.apply_gradients(zip(gradients, variables))
    return turn
"""

# One layer is trained while the other is frozen, then they change places: what is the loss of the next step?
SWAP = """
import json
import numpy as np

x, y = np.random.default_rng(0).normal(size=(8, 3)).astype("float32"), np.ones((8, 1), "float32")
losses = {}
for jit in (False, True):
    keras.utils.set_random_seed(0)
    a, b = keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(3)
    model = keras.Sequential([keras.Input((3,)), a, b, keras.layers.Dense(1, trainable=False)])
    b.trainable = False
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit)
    model.train_on_batch(x, y)
    a.trainable, b.trainable = False, True
    losses["true"] = float(np.square(model.predict_on_batch(x) - y).mean())  # the same for both
    model.reset_metrics()
    losses[f"jit_compile={jit}"] = float(model.train_on_batch(x, y))
print(json.dumps({"engine": keras.backend.backend(), "losses": losses}))
"""

# Which networks moved in D's turns / in G's turns: in Keras 3 on TensorFlow, tf_keras, Keras 3 on JAX and on PyTorch.
COLUMNS = ("tensorflow", "tf_keras", "jax", "torch")
EXPECTED = {
    "source's order, toggles": ("D D / G G", "D D / G G", "D D / G G", "D D / G G"),
    "source's order, no toggles": ("D D / GD GD", "D D / G G", "D D / GD GD", "D D / GD GD"),
    "common order, no toggles": ("- - / G G", "D D / G G", "- - / G G", "- - / G G"),
    "common order, toggles": ("D D / G G", "D D / G G", "D D / G G", "D D / G G"),
    "D's first step before freezing, sizes 8 5 8": (
        "D - D / G G G", "D D D / G G G", "error error error / G G G", "- - - / G G G"
    ),
    "GAN's first step while frozen, sizes 8 5 8": (
        "D D D / G error G", "D D D / G G G", "D D D / error error error", "D D D / error error error"
    ),
    "toggles, sizes 8 5 8": ("D D D / G G G", "D D D / G G G", "D D D / G G G", "D D D / G G G"),
    "compile at every turn": ("D D / G G", "D D / G G", "D D / G G", "D D / G G"),
    "one optimizer for both": ("D D / error error", "D D / error error", "D D / error error", "D D / error error"),
    "run_eagerly, source's order, toggles": ("D D / G G", "D D / G G", "D D / G G", "D D / G G"),
    "run_eagerly, source's order, no toggles": ("D D / GD GD", "D D / G G", "D D / GD GD", "D D / GD GD"),
    "run_eagerly, common order, no toggles": ("- - / G G", "D D / G G", "- - / G G", "- - / G G"),
    "run_eagerly, D's first step before freezing": ("- - / G G", "D D / G G", "error error / G G", "- - / G G"),
    "fit, toggles": ("D D / G G", "D D / G G", "D D / G G", "D D / G G"),
    "fit, no toggles": ("D D / GD GD", "D D / G G", "D D / GD GD", "D D / GD GD"),
    "tape, weights named": ("D D / G G", "D D / G G", "D D / G G", "D D / G G"),
    "tape, D left frozen": ("error error / G G", "- - / G G", "error error / G G", "error error / G G"),
    "... then force=True at every turn": ("D D / G G", "D D / G G", "error error / G G", "error error / G G"),
}

# What Keras says beside it, where it says anything.
NO_WEIGHTS = "warning: The model does not have any trainable weights"
UNKNOWN = "ValueError: Unknown variable"
OTHER_NUMBER = "ValueError: Argument `optimizer_variables` must be a list of tensors corresponding 1"  # as in "1:1"
SAID = {
    "tensorflow": {
        "common order, no toggles": [NO_WEIGHTS],
        "D's first step before freezing, sizes 8 5 8": [NO_WEIGHTS],
        "GAN's first step while frozen, sizes 8 5 8": [UNKNOWN],
        "one optimizer for both": [UNKNOWN],
        "run_eagerly, common order, no toggles": [NO_WEIGHTS],
        "run_eagerly, D's first step before freezing": [NO_WEIGHTS],
        "tape, D left frozen": ["ValueError: not enough values to unpack"],
    },
    "jax": {
        "D's first step before freezing, sizes 8 5 8": [OTHER_NUMBER],
        "GAN's first step while frozen, sizes 8 5 8": [OTHER_NUMBER],
        "one optimizer for both": [OTHER_NUMBER],
        "run_eagerly, D's first step before freezing": [OTHER_NUMBER],
        "tape, D left frozen": ["ValueError: not enough values to unpack"],
        "... then force=True at every turn": [OTHER_NUMBER],
    },
    "torch": {
        "common order, no toggles": [NO_WEIGHTS],
        "D's first step before freezing, sizes 8 5 8": [NO_WEIGHTS],
        "GAN's first step while frozen, sizes 8 5 8": [UNKNOWN],
        "one optimizer for both": [UNKNOWN],
        "run_eagerly, common order, no toggles": [NO_WEIGHTS],
        "run_eagerly, D's first step before freezing": [NO_WEIGHTS],
        "tape, D left frozen": ["RuntimeError: `inputs` argument to `grad"],
        "... then force=True at every turn": [UNKNOWN],
    },
}


def experiments(engine: str) -> str:
    """The program: a stand-in for what the other cells define, the cells, and the results as JSON on the last line."""
    tagged = [cell for cell in load(NOTEBOOK) if "experiment" in cell["metadata"].get("tags", [])]
    found = {cell["id"]: source(cell) for cell in tagged}
    start = "import tensorflow as tf\ntf.get_logger().setLevel('ERROR')"
    if engine != "tensorflow":
        start = GRADIENT[engine]
        definition, rows = found["freeze-tape-code"].split("\n\n\n")
        assert definition.startswith("def tape_turn(")
        found["freeze-tape-code"] = TAPE_TURN + rows
    return "\n\n".join([
        start,
        inspect.getsource(models.generator_containing_discriminator),
        *found.values(),
        "import json",
        "about = {'version': keras.__version__, 'engine': keras.backend.backend()}",
        "print(json.dumps({**about, 'rows': ROWS, 'bn': FROZEN_BN}))",
    ])


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """Puts one pure Python wheel into a folder of its own, or skips the test where there is no package index."""
    @cache
    def folder_of(requirement: str):
        if requirement == f"keras=={version('keras')}":
            return ""
        folder = tmp_path_factory.mktemp("wheel")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check",
                   "--retries", "1", "--timeout", "20", "--target", str(folder), requirement]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            pytest.skip(f"{requirement} was not installed within two minutes")
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            pytest.skip(f"{requirement} cannot be installed here: {reason}")
        return folder

    return folder_of


def run(program: str, folder, engine: str = "tensorflow") -> dict:
    """What the program prints last, with what ``folder`` holds before all else."""
    env = {**os.environ, "PYTHONPATH": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": engine}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert result["engine"] == engine
    return result


def moved(result: dict) -> dict[str, str]:
    return {label: " / ".join(" ".join(row[turn]) for turn in ("D's turn", "G's turn"))
            for label, row in result["rows"].items()}


def said(result: dict) -> dict[str, list[str]]:
    return {label: row["said"] for label, row in result["rows"].items() if row["said"]}


def expected(column: str) -> dict[str, str]:
    return {label: found[COLUMNS.index(column)] for label, found in EXPECTED.items()}


def check_keras_3(wanted: str, folder_of, engine: str, jit: bool = False) -> None:
    """The cells say ``jit_compile=False``; with ``jit`` they say ``True``."""
    program = KERAS_3 + experiments(engine)
    if jit:
        assert "jit_compile=False" in program
        program = program.replace("jit_compile=False", "jit_compile=True")
    result = run(program, folder_of(f"keras=={wanted}"), engine)
    assert result["version"] == wanted
    assert moved(result) == expected(engine)
    assert said(result) == SAID[engine]
    assert result["bn"] == {"inference mode": True, "moving statistics move": False}


@pytest.mark.slow
@pytest.mark.parametrize("wanted", VERSIONS)
def test_keras_3_reads_trainable_when_it_traces(wanted, folder_of):
    check_keras_3(wanted, folder_of, "tensorflow")


@needs("jax")
@pytest.mark.slow
@pytest.mark.parametrize("wanted, jit", [*((wanted, True) for wanted in VERSIONS), (VERSIONS[-1], False)])
def test_on_jax_trainable_is_read_at_every_step_and_the_number_of_weights_is_kept(wanted, jit, folder_of):
    """``jit`` is what Keras does there by itself."""
    check_keras_3(wanted, folder_of, "jax", jit)


@needs("jax")
@pytest.mark.slow
@pytest.mark.parametrize("wanted", VERSIONS)
def test_on_jax_layers_of_the_same_shape_must_not_be_swapped(wanted, folder_of):
    """Keras compiles the step for the layers that it met first, and later puts the weights of others in their place."""
    losses = run(KERAS_3 + SWAP, folder_of(f"keras=={wanted}"), "jax")["losses"]
    assert abs(losses["jit_compile=False"] - losses["true"]) < 1e-6
    assert abs(losses["jit_compile=True"] - losses["true"]) > 0.1


@needs("torch")
@pytest.mark.slow
@pytest.mark.parametrize("wanted", VERSIONS)
def test_on_pytorch_trainable_is_read_at_every_step(wanted, folder_of):
    check_keras_3(wanted, folder_of, "torch")


@pytest.mark.slow
def test_tf_keras_reads_trainable_at_compile(folder_of):
    tensorflow = ".".join(version("tensorflow").split(".")[:2])
    result = run(TF_KERAS + experiments("tensorflow"), folder_of(f"tf_keras=={tensorflow}.*"))
    assert result["version"].startswith(f"{tensorflow}.")
    assert moved(result) == expected("tf_keras")
    assert list(said(result)) == ["one optimizer for both"]
    assert result["bn"] == {"inference mode": True, "moving statistics move": False}


def test_the_notebook_shows_every_experiment():
    """The rows tested here are those of the notebook's table."""
    cells = {cell["id"]: cell for cell in load(NOTEBOOK)}
    table = "".join("".join(output["text"]) for output in cells["freeze-all-code"]["outputs"])
    for label in EXPECTED:
        assert f"\n{label} " in table, label


def test_the_notebook_tells_what_was_found_on_each_engine():
    cells = {cell["id"]: source(cell) for cell in load(NOTEBOOK)}
    lines = ["| 行の名前 / row | TensorFlow | JAX | PyTorch |", "|---|---|---|---|"]
    for label, (on_tensorflow, _, *others) in EXPECTED.items():
        found = [moves if moves == on_tensorflow else f"**{moves}**" for moves in others]
        lines.append(f"| {' | '.join([label, on_tensorflow, *found])} |")
    assert cells["freeze-engines-table"] == "\n".join(lines)
    versions = ", ".join(VERSIONS)
    for engine in ("TensorFlow", "JAX", "PyTorch"):
        row = rf"^\| {versions} \({engine}\) .*\*\*実行 / run\*\* \|$"
        assert re.search(row, cells["freeze-history-table"], re.M), engine
    assert f"\n| {versions} (TensorFlow, JAX, PyTorch) | 移動統計 |" in cells["freeze-bn-table"]
