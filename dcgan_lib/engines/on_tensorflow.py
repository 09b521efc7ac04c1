"""TensorFlow: a tape records what is done to the weights, and functions are traced to graphs."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

LABEL = "TensorFlow"
VERSION = tf.__version__

if os.environ.get("TF_CONFIG"):
    tf.config.list_physical_devices()  # several machines can only be connected before the first tensor
else:
    tf.zeros(())  # the first tensor wakes the device, which has messages of its own
tf.get_logger().setLevel("ERROR")  # no warning that many small functions are traced, as a notebook must
# The graph optimizer's fusing of layers saves nothing here, and prints an error, a harmless one, for some networks.
tf.config.optimizer.set_experimental_options({"remapping": False})


def arrays(variables: Sequence[Any]) -> list:
    """What Keras's variables hold."""
    return [tf.convert_to_tensor(variable.value) for variable in variables]


def value_and_gradient(loss: Callable[[list], tuple[Any, Any]], weights: Sequence[Any]) -> tuple[tuple[Any, Any], list]:
    """``loss(weights)``, a number and what else comes out of it, and the gradient of the number for each weight."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        value, others = loss(weights)
    return (value, others), tape.gradient(value, weights)


def updated(optimizer: Any, kept: list, gradient: list, weights: list) -> tuple[list, list]:
    """The weights, and what the optimizer keeps, after its step.

    On TensorFlow Keras's optimizers only move variables in place: they do so here, and what they then hold is returned.
    """
    optimizer.apply(gradient)
    return arrays(optimizer._trainable_variables), arrays(optimizer.variables)


def placed(array: Any, axis: int) -> Any:
    """An array of a batch, whose images lie along ``axis``, where the step needs it."""
    return array


def compiled(step: Callable) -> Callable:
    """``step`` as one graph."""
    return tf.function(step, jit_compile=False)


def make_deterministic() -> None:
    """The same seed, the same losses, on a GPU too."""
    tf.config.experimental.enable_op_determinism()


def gpu_name() -> str | None:
    gpus = tf.config.get_visible_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name) if gpus else None


def reason_for_no_gpu() -> str:
    """Why a GPU that the machine has is not used."""
    return "cannot use it; TF_CPP_MIN_LOG_LEVEL=0 shows why" if tf.test.is_built_with_cuda() else "has no CUDA"


def gpu_peak_memory() -> int:
    """The most bytes of the GPU that this process has taken so far."""
    return tf.config.experimental.get_memory_info("GPU:0")["peak"]


def gpu_has_bfloat16() -> bool:
    details = tf.config.experimental.get_device_details(tf.config.get_visible_devices("GPU")[0])
    return details.get("compute_capability", (0,)) >= (8,)
