"""One training step as a pure function, for TensorFlow, JAX and PyTorch, and a loop of such steps.

What belongs here: the game of ``training`` once more, written so that nothing is changed and everything is returned.
What an engine does in its own way, value and gradient above all, is in ``engines``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .backend import engine, keras
from .data import made_ahead
from .models import NOISE_SIZE
from .noise import uniform
from .training import GAN, augment_stream, averaging_rate, repeat_step, shifted_and_cut


class State(NamedTuple):
    """All that a step changes: arrays of the engine, in the order of Keras's lists of variables."""

    g: list
    g_moving: list  # moving statistics of batch normalization
    d: list
    d_moving: list
    g_optimizer: list  # the first is the number of steps
    d_optimizer: list
    averaged: list

    @classmethod
    def of(cls, gan: GAN) -> "State":
        return cls(*map(engine.arrays, _variables(gan)))

    def put_into(self, gan: GAN) -> None:
        for variables, values in zip(_variables(gan), self):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)


def _variables(gan: GAN) -> State:
    g, d, mean = gan.generator, gan.discriminator, gan.averaged_generator
    averaged = [*mean.trainable_variables, *mean.non_trainable_variables] if gan.average else []
    return State(
        g.trainable_variables, g.non_trainable_variables, d.trainable_variables, d.non_trainable_variables,
        gan.g_optimizer.variables, gan.d_optimizer.variables, averaged,
    )


def d_loss_of(gan: GAN, state: State, weights: list, real: Any, generated: Any) -> tuple[Any, list]:
    """D's loss where these are its weights, and its moving statistics afterwards."""
    d, cross_entropy = gan.discriminator.stateless_call, gan.cross_entropy
    on_real, moving = d(weights, state.d_moving, real, training=True)
    on_generated, moving = d(weights, moving, generated, training=True)
    loss = cross_entropy(keras.ops.ones_like(on_real), on_real)
    loss = loss + cross_entropy(keras.ops.zeros_like(on_generated), on_generated)
    return loss / 2, moving


def g_loss_of(gan: GAN, state: State, weights: list, noise: Any, shown: Callable[[Any], Any]) -> tuple[Any, list]:
    """G's loss where these are its weights, and its moving statistics afterwards; ``shown``: images as D sees them."""
    images, moving = gan.generator.stateless_call(weights, state.g_moving, noise, training=True)
    verdict, _ = gan.discriminator.stateless_call(state.d, state.d_moving, shown(images), training=True)
    return gan.cross_entropy(keras.ops.ones_like(verdict), verdict), moving


def one_step(gan: GAN, state: State, real: Any, noise: Any, chances: Any = None) -> tuple[State, tuple[Any, Any]]:
    """What :meth:`GAN.train_step` does, as a function: of ``gan`` only the networks' structure and settings are used.

    Args:
        real: float32 images (n, height, width, channels) in [-1, 1].
        noise: (2, n, 100): z for D's turn and for G's.
        chances: (3, 4, n) for :func:`shifted_and_cut`, where the discriminator sees images augmented.
    Returns:
        The new state, and ``d_loss`` and ``g_loss``, each from before its network moved.
    """

    def shown(part: int, images: Any) -> Any:
        return images if chances is None else shifted_and_cut(images, chances[part])

    generated, _ = gan.generator.stateless_call(state.g, state.g_moving, noise[0], training=True)
    loss_of = partial(d_loss_of, gan, state, real=shown(1, real), generated=shown(0, generated))
    (d_loss, moving), gradient = engine.value_and_gradient(loss_of, state.d)
    weights, kept = engine.updated(gan.d_optimizer, state.d_optimizer, gradient, state.d)
    state = state._replace(d=weights, d_moving=moving, d_optimizer=kept)

    loss_of = partial(g_loss_of, gan, state, noise=noise[1], shown=partial(shown, 2))
    (g_loss, moving), gradient = engine.value_and_gradient(loss_of, state.g)
    weights, kept = engine.updated(gan.g_optimizer, state.g_optimizer, gradient, state.g)
    averaged = _averaged(gan.average, kept[0], state.averaged, [*weights, *moving])
    return state._replace(g=weights, g_moving=moving, g_optimizer=kept, averaged=averaged), (d_loss, g_loss)


def _averaged(average: float, step: Any, means: list, now: list) -> list:
    """As :meth:`GAN.update_average`."""
    if not average:
        return []
    rate = averaging_rate(average, step)
    return [mean + rate * (value - mean) for mean, value in zip(means, now, strict=True)]


def chance_of_step(gan: GAN, count: int, step: int) -> tuple[np.ndarray, np.ndarray | None]:
    """What :meth:`GAN.train_step` draws in this step: noise (2, count, 100), and (3, 4, count) where it augments."""
    noise = np.stack([uniform((count, NOISE_SIZE), gan.seed, stream, -1, 1) for stream in (2 * step, 2 * step + 1)])
    if not gan.augment:
        return noise, None
    return noise, np.stack([uniform((4, count), gan.seed, augment_stream(part, step), 0, 1) for part in (1, 2, 3)])


def train_in_steps(
    gan: GAN, batches: Iterable[Any], steps: int, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> None:
    """Train ``gan`` as ``fit`` does on TensorFlow, on any engine: same noise, same batches, same order of callbacks.

    Args:
        gan: compiled.
        batches: real images, float32 (n, height, width, channels) in [-1, 1], n the same every time.
    """
    if gan.train_function is None:  # where Keras keeps what it has compiled, until `compile` is called again
        gan.train_function = engine.compiled(partial(one_step, gan))

    def step(inputs: tuple) -> dict[str, float]:
        placed = [None if array is None else engine.placed(array, axis) for axis, array in enumerate(inputs)]
        # What looks on may use the networks, and Keras on JAX moves their arrays about when it does.
        state, losses = gan.train_function(State.of(gan), *placed)
        state.put_into(gan)
        return dict(zip(("d_loss", "g_loss"), map(float, losses)))

    repeat_step(gan, step, _with_chance(gan, batches), steps, callbacks)


def _with_chance(gan: GAN, batches: Iterable[Any]) -> Iterator[tuple]:
    """Each batch with what is drawn for it, which is made while a step is computed."""
    chance = None
    for real in batches:
        chance = chance or made_ahead(partial(chance_of_step, gan, len(real)), gan.step)
        yield real, *next(chance)
