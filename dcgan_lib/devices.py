"""One training on all devices of a machine, or on several machines: ``tf.distribute``, ``keras.distribution`` on JAX.

What belongs here: which devices take part, how they share a batch, and what the chief, the one machine that writes
files, must tell the others. What a step computes stands in ``training``.

Every device has all weights and takes an equal share of each batch, real images and noise alike; the gradients of all
are summed. With batch normalization over the whole batch that is what one device computes, but for rounding.
"""

from __future__ import annotations

import functools
import json
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np

from .backend import NAME, engine, keras, tf
from .errors import InputError
from .training import GAN, repeat_step

BATCH_NORMS = ("synchronized", "each")  # statistics of the whole batch, or of each device's share


# ---- who takes part ----------------------------------------------------------------------------------------------


def strategy_of(devices: str | None) -> tf.distribute.Strategy | keras.distribution.DataParallel | None:
    """What shares a training among devices. On JAX and PyTorch None if there is nothing to share.

    Where the environment has a ``TF_CONFIG``, those of all its machines, and this waits until each of them has come.
    Else "all" that this machine has, or one. GPUs where there are any, else CPUs.

    Raises:
        InputError: TensorFlow cannot connect the machines, or the engine does not do this here.
    """
    if place():
        return _connected()
    if NAME == "torch" and devices == "all":
        raise InputError("on PyTorch a training here has one device; leave out --devices, or unset KERAS_BACKEND")
    if tf is None:
        names = keras.distribution.list_devices() if devices == "all" else ()
        if len(names) < 2:
            return None
        distribution = keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
        keras.distribution.set_distribution(distribution)
        return distribution
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return _mirrored(*(device.name for device in found)) if devices == "all" and len(found) > 1 else (
        tf.distribute.get_strategy())


@functools.cache  # two on the same devices would take one another's sums for their own
def _mirrored(*names: str) -> tf.distribute.Strategy:
    return tf.distribute.MirroredStrategy(names)


def place() -> str:
    """Which of the machines in ``TF_CONFIG`` this one is, in words; nothing where the environment has none.

    Raises:
        InputError: it describes no machines that could train together, or the engine is another.
    """
    if not os.environ.get("TF_CONFIG"):
        return ""
    if tf is None:
        raise InputError(f"several machines train together on TensorFlow alone, not on {engine.LABEL}; unset TF_CONFIG "
                         "or KERAS_BACKEND")
    try:
        config = json.loads(os.environ["TF_CONFIG"])
        cluster, kind, index = config["cluster"], config["task"]["type"], config["task"]["index"]
        if not cluster.keys() <= {"chief", "worker"} or not 0 <= index < len(cluster[kind]):
            raise ValueError("its machines are workers, and at most one chief; its task is one of them")
        return f"{kind} {index} of {sum(map(len, cluster.values()))} machines"
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unusable(error) from None


def _connected() -> tf.distribute.Strategy:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        end_at_ctrl_c()
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise _unusable(error) from None
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)  # TensorFlow's own would keep SIGTERM from ending the program


def end_at_ctrl_c() -> None:
    """Let Ctrl-C end the program at once: while TensorFlow waits for other machines, Python does not hear of it."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as a shell's background job has it
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _unusable(error: Exception) -> InputError:
    return InputError(f"TF_CONFIG cannot be used ({type(error).__name__}: {error}); write it as TensorFlow's guide to "
                      "training on several machines has it, or unset it")


def scope(strategy) -> AbstractContextManager:
    """In it networks are made that are to be trained so."""
    return nullcontext() if tf is None else strategy.scope()


def machines(strategy) -> int:
    """How many machines take part."""
    alone = tf is None or strategy.cluster_resolver is None
    return 1 if alone else strategy.num_replicas_in_sync // len(strategy.extended.worker_devices)


def replicas(strategy) -> int:
    """How many devices take part."""
    if tf is None:
        return 1 if strategy is None else strategy.device_mesh.devices.size
    return strategy.num_replicas_in_sync


def is_chief(strategy) -> bool:
    """Whether this machine is the one that writes files."""
    return tf is None or strategy.extended.should_checkpoint


def check_share(strategy, batch_size: int, loop: str, batch_norm: str = "synchronized") -> None:
    """Make sure that a batch can be shared out.

    Raises:
        InputError: the devices would not all have as many images, or they cannot train in this way.
    """
    count, none = replicas(strategy), tf.distribute.get_strategy() if tf else None
    if loop == "source" and strategy is not none:
        raise InputError("the source's loop knows of one device alone; take another --loop, or leave out --devices and "
                         "TF_CONFIG")
    if count > 1 and tf is None and batch_norm == "each":
        raise InputError("on JAX batch normalization sees the whole batch; leave out --batch_norm, or unset "
                         "KERAS_BACKEND")
    if batch_size % count:
        raise InputError(f"a batch of {batch_size} images has no equal shares for {count} devices; give a --batch_size "
                         f"that {count} divides, or use another number of devices")


@contextmanager
def losses_of_machines_told(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Turn what TensorFlow says when a machine is gone, some ten seconds later at most, into one line.

    Raises:
        InputError: says it.
    """
    try:
        yield
    except Exception as error:
        if machines(strategy) == 1 or not isinstance(error, (
            tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError,
            tf.errors.DeadlineExceededError, tf.errors.FailedPreconditionError,
        )):
            raise
        raise InputError("another machine is gone, and the training with it; see what it said, and start all of them "
                         "again, with --resume where a checkpoint was written") from None


# ---- what the chief tells ----------------------------------------------------------------------------------------


def from_chief(strategy: tf.distribute.Strategy, values: np.ndarray) -> np.ndarray:
    """``values`` as the chief gave them. Each machine must call it, with values of one shape and type."""
    if machines(strategy) == 1:
        return values
    with strategy.scope():  # in which a new variable begins everywhere with the chief's value
        return tf.Variable(values, trainable=False).numpy()


def text_from_chief(strategy: tf.distribute.Strategy, text: str = "") -> str:
    """``text`` as the chief gave it. Each machine must call it."""
    letters = np.frombuffer(text.encode(), np.uint8).astype(np.int64)
    size = int(from_chief(strategy, np.int64(len(letters))))
    return bytes(from_chief(strategy, np.resize(letters, size)).astype(np.uint8)).decode()


def weights_from_chief(gan: GAN) -> None:
    """Give the networks and optimizers of every machine the chief's values, as it has read them from a checkpoint."""
    if tf is None or machines(gan.distribute_strategy) == 1:
        return
    for variable in gan.all_variables:
        variable.assign(from_chief(gan.distribute_strategy, variable.numpy()))


# ---- training ----------------------------------------------------------------------------------------------------


def is_shared(gan: GAN) -> bool:
    """Whether ``gan`` was made to be trained on several devices, and that by ``tf.distribute``."""
    return tf is not None and gan.distribute_strategy is not tf.distribute.get_strategy()


def prepare(gan: GAN, batch_norm: str) -> None:
    """Make ``gan`` ready for :func:`train_on_devices`, if it was made under a strategy's scope.

    Args:
        batch_norm: one of :data:`BATCH_NORMS`. With "each", the moving statistics that are kept are the first device's.
    """
    if not is_shared(gan):
        return
    for layer in (*gan.generator.layers, *gan.discriminator.layers):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = batch_norm == "synchronized"
    generator = gan.averaged_generator
    # Keras's own would make each image on every device, and wait for machines that have nothing to make.
    generator.predict_function = tf.function(lambda batches: generator(batches[0][0], training=False))


def train_on_devices(
    gan: GAN, batches: Iterable[tf.Tensor], steps: int, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> None:
    """Train ``gan`` as ``fit`` does on one device, with the callbacks of this machine.

    In a loop of its own, because Keras 3's ``fit`` fails on several machines (keras-team/keras, issue 20585).

    Args:
        gan: compiled, and as :func:`prepare` left it.
        batches: real images (n, height, width, channels), the same whole batches on every machine.
    """
    strategy = gan.distribute_strategy
    if gan.train_function is None:  # where Keras keeps what it has compiled, until `compile` is called again
        gan.train_function = _step_of_all(gan)

    def step(real: tf.Tensor) -> dict[str, float]:
        share = len(real) // strategy.num_replicas_in_sync
        shares = strategy.experimental_distribute_values_from_function(
            lambda device: real[device.replica_id_in_sync_group * share :][:share])
        return {name: float(loss) for name, loss in gan.train_function(shares).items()}

    repeat_step(gan, step, batches, steps, callbacks)
    from_chief(strategy, np.zeros(()))  # none leaves before the chief has written all: it would miss it


def _step_of_all(gan: GAN):
    @tf.function
    def step(shares: tf.Tensor) -> dict[str, tf.Tensor]:
        strategy = gan.distribute_strategy
        losses = strategy.run(gan.train_step, (shares,))
        return {name: strategy.reduce("MEAN", loss, axis=None) for name, loss in losses.items()}

    return step
