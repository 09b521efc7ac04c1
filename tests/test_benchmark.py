"""Measurements of speed: not how fast anything is, but that what is measured is what is said."""

from dataclasses import replace

import numpy as np
import pytest

from dcgan_lib import benchmark, models
from dcgan_lib.backend import keras, tf
from dcgan_lib.benchmark import Way
from dcgan_lib.errors import run_program
from dcgan_lib.runs import Run
from dcgan_lib.training import GAN

TINY = Run(width=2, hidden=4, batch_size=8)


def program(*arguments):
    return run_program("benchmark", benchmark.benchmark, [str(argument) for argument in arguments])


def test_operations_of_a_step_are_those_of_its_products():
    """Two dense layers, counted by hand: 2 operations for each weight, in each product of a step."""
    g = keras.Sequential([keras.Input((100,)), keras.layers.Dense(784), keras.layers.Reshape((28, 28, 1))])
    d = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    # D's turn: G, D for two images, its weights for two; G's turn: G, D, back through D, and G's weights.
    assert benchmark.count_operations(GAN(g, d)) == 2 * ((1 + 2) * 100 * 784 + (2 + 2 + 2) * 784)


def test_operations_forward_are_those_that_tensorflow_counts():
    for network in (models.generator_model(), models.dcgan_generator(width=8, hidden=6), models.discriminator_model()):
        graph = tf.function(network).get_concrete_function(tf.TensorSpec((1, *network.input_shape[1:]))).graph
        options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
        options["output"] = "none"
        counted = tf.compat.v1.profiler.profile(graph, options=options).total_float_ops
        assert sum(benchmark._forward(network)) <= counted < 1.05 * sum(benchmark._forward(network))


def test_phases_take_fewer_operations_and_the_peak_is_a_rate():
    gan = Run(model="original", average=0.0).gan()
    plain, phased = (sum(benchmark._forward(gan.generator, in_phases)) for in_phases in (False, True))
    assert 0.36 < phased / plain < 0.5, "9 of 25, but for the dense layers"
    assert 1e8 < benchmark.peak_rate("float32", 128) < 1e16


@pytest.mark.slow
def test_every_way_is_measured_in_every_round():
    ways = [Way(TINY, threads=1), Way(replace(TINY, loop="source", average=0.0))]
    speeds = benchmark.measure_speeds(ways, rounds=3, seconds=0.05)
    assert [len(speed.seconds) for speed in speeds] == [3, 3]
    assert all(0 < seconds < 60 for speed in speeds for seconds in speed.seconds)
    assert all(speed.memory > 2**27 and speed.operations > 10**5 for speed in speeds)


def test_distances_are_measured_on_the_way_and_at_the_end(monkeypatch):
    monkeypatch.setattr(benchmark, "MEASURED", 200)
    rows = benchmark.distances_on_the_way(replace(TINY, steps=12), every=1e-6, seconds=1e9)
    steps, seconds, distances = map(np.array, zip(*rows))
    assert steps[-1] == 12 and (np.diff(steps) > 0).all() and (np.diff(seconds) > 0).all() and (distances > 50).all()
    rows = benchmark.distances_on_the_way(replace(TINY, steps=10**9), every=0.05, seconds=0.2)
    assert 0.2 <= rows[-1][1] < 30, "time ends a training too"


def test_program_prints_distances_of_each_seed(monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "MEASURED", 200)
    assert program("distance", "--seeds", 3, 4, "--steps", 3, "--width", 2, "--hidden", 4) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("training  --steps 3 --width 2 --hidden 4") for line in lines)
    rows = [line.split() for line in lines if len(line.split()) == 4 and line.split()[1] == "3"]
    assert [row[0] for row in rows] == ["3", "4"]


@pytest.mark.parametrize("arguments, message", [
    (("speed", "--width", 3), "--width does not go with speed; leave it out"),
    (("distance", "--seconds", 0), "must be above 0"), (("distance", "--seeds", -1), "no seed below 0"),
    (("distance", "--image_size", 64), "digits of 28 x 28 alone"), (("distance", "--path", "."), "28 x 28 alone"),
    (("distance", "--widht", 3), "unrecognized"), (("fast",), "choose from"),
])
def test_bad_arguments_are_one_line(arguments, message, capsys):
    assert program(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1


def test_callbacks_share_is_a_share(monkeypatch):
    share = benchmark.callbacks_share(replace(TINY, sample_every=5), steps=30)
    assert 0 < share < 1


def test_ways_begin_with_the_source_s_loop():
    ways = benchmark.ways_to_train()
    first = next(iter(ways.values()))
    assert (first.run.model, first.run.loop, first.settings) == ("original", "source", {"in_phases": False})
    assert not isinstance(first.run.gan(**first.settings).generator, models.InPhases)
    assert isinstance(first.run.gan().generator, models.InPhases)
