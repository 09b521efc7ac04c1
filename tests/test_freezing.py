"""When `trainable` takes effect: the experiments of notebook 09, run with the versions of Keras that it names.

The cells tagged ``experiment`` are run as they stand in the notebook, each time in a new process that finds another
Keras first. Each version is installed into a folder of its own; without a package index these tests are skipped.
"""

import inspect
import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from dcgan_lib import models
from notebook_tools import ROOT, load, source

NOTEBOOK = ROOT / "notebooks" / "07_freezing.ipynb"

# What each version brings under the name `keras`, and what else the cells take for granted.
KERAS_3 = """
import keras
"""
TF_KERAS = """
import tf_keras as keras
from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable

BaseResourceVariable.path = property(lambda variable: variable.name)  # what Keras 3 calls it
"""

# Which networks moved in D's turns and in G's turns: in Keras 3 on TensorFlow, and in tf_keras.
EXPECTED = {
    "source's order, toggles": (("D D", "G G"), ("D D", "G G")),
    "source's order, no toggles": (("D D", "GD GD"), ("D D", "G G")),
    "common order, no toggles": (("- -", "G G"), ("D D", "G G")),
    "common order, toggles": (("D D", "G G"), ("D D", "G G")),
    "D's first step before freezing, sizes 8 5 8": (("D - D", "G G G"), ("D D D", "G G G")),
    "GAN's first step while frozen, sizes 8 5 8": (("D D D", "G error G"), ("D D D", "G G G")),
    "toggles, sizes 8 5 8": (("D D D", "G G G"), ("D D D", "G G G")),
    "compile at every turn": (("D D", "G G"), ("D D", "G G")),
    "one optimizer for both": (("D D", "error error"), ("D D", "error error")),
    "run_eagerly, source's order, toggles": (("D D", "G G"), ("D D", "G G")),
    "run_eagerly, source's order, no toggles": (("D D", "GD GD"), ("D D", "G G")),
    "run_eagerly, common order, no toggles": (("- -", "G G"), ("D D", "G G")),
    "run_eagerly, D's first step before freezing": (("- -", "G G"), ("D D", "G G")),
    "fit, toggles": (("D D", "G G"), ("D D", "G G")),
    "fit, no toggles": (("D D", "GD GD"), ("D D", "G G")),
    "tape, weights named": (("D D", "G G"), ("D D", "G G")),
    "tape, D left frozen": (("error error", "G G"), ("- -", "G G")),
    "... then force=True at every turn": (("D D", "G G"), ("D D", "G G")),
}


def experiments() -> str:
    """The program: a stand-in for what the other cells define, the cells, and the results as JSON on the last line."""
    found = [source(cell) for cell in load(NOTEBOOK) if "experiment" in cell["metadata"].get("tags", [])]
    return "\n\n".join([
        "import tensorflow as tf",
        "tf.get_logger().setLevel('ERROR')",
        inspect.getsource(models.generator_containing_discriminator),
        *found,
        "import json",
        "print(json.dumps({'version': keras.__version__, 'rows': ROWS, 'bn': FROZEN_BN}))",
    ])


def install(requirement: str, folder) -> None:
    """Put one pure Python wheel into ``folder``, or skip the test where there is no package index."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check",
               "--retries", "1", "--timeout", "20", "--target", str(folder), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{requirement} was not installed within two minutes")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        pytest.skip(f"{requirement} cannot be installed here: {reason}")


def run(prelude: str, folder) -> dict:
    """The results of the experiments, with what ``folder`` holds before all else."""
    env = {**os.environ, "PYTHONPATH": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, "-c", prelude + experiments()]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def moved(row: dict) -> tuple[str, str]:
    return " ".join(row["D's turn"]), " ".join(row["G's turn"])


@pytest.mark.slow
@pytest.mark.parametrize("wanted", ["3.13.2", "3.15.1"])
def test_keras_3_reads_trainable_when_it_traces(wanted, tmp_path):
    if version("keras") != wanted:
        install(f"keras=={wanted}", tmp_path)
    result = run(KERAS_3, tmp_path)
    assert result["version"] == wanted
    rows = result["rows"]
    assert {label: moved(row) for label, row in rows.items()} == {
        label: expected for label, (expected, _) in EXPECTED.items()
    }
    no_weights = "warning: The model does not have any trainable weights"
    unknown = "ValueError: Unknown variable"
    said = {label: row["said"] for label, row in rows.items() if row["said"]}
    assert said == {
        "common order, no toggles": [no_weights],
        "D's first step before freezing, sizes 8 5 8": [no_weights],
        "GAN's first step while frozen, sizes 8 5 8": [unknown],
        "one optimizer for both": [unknown],
        "run_eagerly, common order, no toggles": [no_weights],
        "run_eagerly, D's first step before freezing": [no_weights],
        "tape, D left frozen": ["ValueError: not enough values to unpack"],
    }
    assert result["bn"] == {"inference mode": True, "moving statistics move": False}


@pytest.mark.slow
def test_tf_keras_reads_trainable_at_compile(tmp_path):
    tensorflow = ".".join(version("tensorflow").split(".")[:2])
    install(f"tf_keras=={tensorflow}.*", tmp_path)
    result = run(TF_KERAS, tmp_path)
    assert result["version"].startswith(f"{tensorflow}.")
    assert {label: moved(row) for label, row in result["rows"].items()} == {
        label: expected for label, (_, expected) in EXPECTED.items()
    }
    assert [label for label, row in result["rows"].items() if row["said"]] == ["one optimizer for both"]
    assert result["bn"] == {"inference mode": True, "moving statistics move": False}


def test_the_notebook_shows_every_experiment():
    """The rows tested here are those of the notebook's table."""
    cells = {cell["id"]: cell for cell in load(NOTEBOOK)}
    table = "".join("".join(output["text"]) for output in cells["freeze-all-code"]["outputs"])
    for label in EXPECTED:
        assert f"\n{label} " in table, label
