"""Training on several devices and several machines: what one device computes, and the end where one is gone."""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dcgan_lib import command_line, devices, runs
from dcgan_lib.backend import tf
from dcgan_lib.errors import InputError
from program import check_refusal, command_often, dcgan, dcgan_in_turn, dcgan_process, needs

# At the usual learning rate, rounding alone can grow to a thousandth in 20 steps, on one device too.
TINY = ("--mode", "train", "--width", 4, "--hidden", 8, "--batch_size", 16, "--learning_rate", 0.0001,
        "--precision", "float32")


def losses(folder):
    return np.genfromtxt(folder / runs.LOSSES, delimiter=",", skip_header=1)


def check_same(first, second):
    """The same losses and weights, moving statistics and averaged ones included, and pictures of as many images.

    Adam moves a weight by a whole step where its gradient is next to nothing, so that rounding shows more in weights.
    """
    np.testing.assert_allclose(losses(first), losses(second), rtol=0, atol=1e-5)
    for one, two in zip(runs.load_pair(first), runs.load_pair(second)):
        for values, others in zip(one.get_weights(), two.get_weights()):
            np.testing.assert_allclose(values, others, rtol=0, atol=1e-4)
    pictures = [sorted((folder / runs.SAMPLES).iterdir()) for folder in (first, second)]
    assert [path.name for path in pictures[0]] == [path.name for path in pictures[1]]
    assert Image.open(pictures[0][-1]).size == Image.open(pictures[1][-1]).size


def new_environment(**more):
    """One with one thread for each process."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", **more}


@contextlib.contextmanager
def machines(*arguments):
    """The program, with many checkpoints, on machines that have these arguments each; killed at the end."""
    with contextlib.ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in arguments]
        for one in bound:
            one.bind(("localhost", 0))
        workers = [f"localhost:{one.getsockname()[1]}" for one in bound]
    started = []
    try:
        for index, given in enumerate(arguments):
            config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
            started.append(subprocess.Popen(
                command_often(*given), env=new_environment(TF_CONFIG=json.dumps(config)), stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            ))
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def ended_well(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and not err, out + err
    return out


# ---- several devices of one machine ------------------------------------------------------------------------------


TWO_DEVICES = """
import tensorflow as tf
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
"""


@pytest.mark.slow
def test_two_devices_compute_what_one_does(tmp_path, digits_file):
    arguments = (*TINY, "--steps", 20, "--augment", "--path", digits_file, "--out")
    kinds = {"one": (), "all": ("--devices", "all"), "each": ("--devices", "all", "--batch_norm", "each")}
    lines = [(*arguments, tmp_path / name, *kind) for name, kind in kinds.items()]
    runs_of = dcgan_in_turn(*lines, before=TWO_DEVICES, env=new_environment())
    check_same(tmp_path / "all", tmp_path / "one")
    one, each = losses(tmp_path / "one"), losses(tmp_path / "each")
    assert len(one) == 20 and np.ptp(one[:, 1]) > 1e-3, "they learn"
    assert 1e-4 < np.abs(each - one).max() < 0.1, "statistics of half a batch each are others"
    said = [line for done in runs_of for line in done.stdout.splitlines() if line.startswith("devices")]
    assert said == [f"devices   2 of this machine, each with 8 images of a batch; batch normalization {kind}"
                    for kind in devices.BATCH_NORMS]


JAX_ON_TWO = {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}


@needs("jax")
@pytest.mark.slow
def test_two_devices_of_jax_compute_what_one_does(tmp_path, digits_file):
    """Both go on from a start on TensorFlow, since the engines do not draw the same first weights."""
    start = dcgan(*TINY, "--steps", 1, "--augment", "--path", digits_file, "--out", tmp_path / "one")
    assert start.returncode == 0, start.stderr
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    kinds = {"one": (), "two": ("--devices", "all")}
    lines = [("--mode", "train", "--resume", "--steps", 21, *kind, "--out", tmp_path / name)
             for name, kind in kinds.items()]
    one, two = dcgan_in_turn(*lines, env=new_environment(**JAX_ON_TWO))
    assert "\ndevices" not in one.stdout and "\ndevices   2 of this machine, each with 8 images" in two.stdout
    check_same(tmp_path / "two", tmp_path / "one")


@needs("jax")
def test_on_jax_batch_normalization_sees_the_whole_batch(tmp_path, digits_file):
    done = dcgan_process(*TINY, "--steps", 1, "--devices", "all", "--batch_norm", "each", "--path", digits_file,
                         "--out", tmp_path / "out", env=new_environment(**JAX_ON_TWO))
    check_refusal(done, "on JAX batch normalization sees the whole batch")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("engine, given, more, message", [
    pytest.param("jax", (), {"TF_CONFIG": "{}"}, "several machines train together on TensorFlow alone, not on JAX",
                 marks=needs("jax")),
    pytest.param("torch", ("--devices", "all"), {}, "on PyTorch a training here has one device",
                 marks=needs("torch")),
])
def test_what_another_engine_does_not_do(engine, given, more, message, tmp_path):
    env = new_environment(KERAS_BACKEND=engine, **more)
    check_refusal(dcgan_process(*TINY, *given, "--out", tmp_path / "out", env=env), message)


def test_a_batch_that_has_no_equal_shares_is_refused():
    three = SimpleNamespace(num_replicas_in_sync=3)
    devices.check_share(three, 48, "fit")
    with pytest.raises(InputError, match="16 images has no equal shares for 3 devices; give a --batch_size"):
        devices.check_share(three, 16, "fit")


def test_the_loop_of_the_source_is_for_one_device():
    devices.check_share(tf.distribute.get_strategy(), 16, "source")
    with pytest.raises(InputError, match="one device alone"):
        devices.check_share(tf.distribute.OneDeviceStrategy("CPU:0"), 16, "source")


def test_without_several_devices_there_is_nothing_to_share():
    assert devices.strategy_of("all") is tf.distribute.get_strategy() is devices.strategy_of(None)
    gan = runs.Run(width=4, hidden=8).gan()
    devices.prepare(gan, "synchronized")
    assert not any(getattr(layer, "synchronized", False) for layer in gan.generator.layers)


# ---- several machines --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_machines_compute_what_one_does(tmp_path, digits_file):
    """The others need nothing but the images: all else is as the chief was told."""
    path = ("--path", digits_file)
    one = dcgan(*TINY, *path, "--steps", 20, "--out", tmp_path / "one")
    assert one.returncode == 0, one.stderr
    chief = (*TINY, *path, "--steps", 20, "--out", tmp_path / "two")
    with machines(chief, ("--mode", "train", *path, "--seed", 5, "--out", tmp_path / "other")) as (first, second):
        assert "devices   2 on 2 machines, each with 8 images of a batch" in ended_well(first)
        assert ended_well(second) == "machines  this is worker 1 of 2 machines; waiting until all have come\n"
    check_same(tmp_path / "two", tmp_path / "one")
    assert not (tmp_path / "other").exists(), "the chief alone writes"


def rows(out):
    """How many steps the losses tell of; the file may be about to be written."""
    return (out / runs.LOSSES).read_text().count("\n") - 1 if (out / runs.LOSSES).exists() else 0


def kill_after(steps, out, killed, processes):
    """Kill one of two machines when the losses of so many steps are written; the other tells it and ends."""
    until = time.monotonic() + 120
    while rows(out) < steps:
        assert time.monotonic() < until and all(process.poll() is None for process in processes)
        time.sleep(0.1)
    processes[killed].send_signal(signal.SIGKILL)
    _, said = processes[1 - killed].communicate(timeout=60)
    assert processes[1 - killed].returncode == 2 and len(said.splitlines()) == 1, said
    assert "another machine is gone" in said and "--resume" in said
    runs.load_pair(out)  # nothing is half written


@pytest.mark.slow
def test_a_machine_is_killed_and_the_run_goes_on_with_one_or_with_two(tmp_path, digits_file):
    """First another than the chief, then the chief; the others do not see the folder of the run."""
    two, one = tmp_path / "two", tmp_path / "one"
    chief, other = (("--mode", "train", "--path", digits_file, "--out", out) for out in (two, tmp_path / "other"))
    with machines((*TINY, *chief, "--steps", 10**6), other) as processes:
        kill_after(20, two, 1, processes)
    shutil.copytree(two, one)
    saved = rows(two)
    done = dcgan("--mode", "train", "--resume", "--steps", saved + 5, "--out", one)
    assert done.returncode == 0, done.stderr
    with machines((*chief, "--resume"), (*other, "--resume")) as processes:
        kill_after(saved + 5, two, 0, processes)
    np.testing.assert_allclose(losses(two)[: saved + 5], losses(one), rtol=0, atol=1e-5)


def followed(monkeypatch, run, path, out):
    """What another machine does that the chief tells of ``run``."""
    monkeypatch.setattr(devices, "text_from_chief", lambda strategy: json.dumps(asdict(run)))
    monkeypatch.setattr(devices, "end_at_ctrl_c", lambda: None)
    args = command_line.get_args(["--mode", "train", "--path", str(path), "--out", str(out)])
    command_line._follow(args, tf.distribute.get_strategy())


def test_a_machine_with_other_images_than_the_chiefs_is_refused(monkeypatch, tmp_path, digits, digits_file):
    run = runs.Run(width=4, hidden=8, batch_size=16, steps=1, images=256, origin="npz")
    found = argparse.Namespace(path=str(digits_file), resume=None, channels=None, out=tmp_path)
    command_line._images(run, found)
    followed(monkeypatch, run, digits_file, tmp_path / "other")
    run.fingerprint += 1
    with pytest.raises(InputError, match="not the images that the chief has; give every machine the same"):
        followed(monkeypatch, run, digits_file, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("text, reason", [
    ("{", "JSONDecodeError"),
    ("[]", "TypeError"),
    ('{"task": {"type": "worker", "index": 0}}', "KeyError: 'cluster'"),
    ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "its task is one of them"),
    ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}', "are workers"),
])
def test_a_config_that_names_no_machines_is_refused(monkeypatch, text, reason):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=f"TF_CONFIG cannot be used.*{reason}"):
        devices.place()


def test_a_training_that_comes_too_late_to_connect_machines_is_refused(monkeypatch):
    """TensorFlow must not have made a tensor before."""
    config = {"cluster": {"chief": ["localhost:1"], "worker": ["localhost:2"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert devices.place() == "worker 0 of 2 machines"
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(InputError, match="must be configured at program startup"):
        devices.strategy_of(None)
    assert signal.getsignal(signal.SIGINT) == before


def test_what_tensorflow_says_of_other_things_stays_as_it_is():
    with pytest.raises(tf.errors.UnavailableError), devices.losses_of_machines_told(tf.distribute.get_strategy()):
        raise tf.errors.UnavailableError(None, None, "no machine")
