"""JAX: a function of arrays is transformed into the function of its gradient, and compiled by XLA as a whole."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import keras

LABEL = "JAX"
VERSION = jax.__version__


def arrays(variables: Sequence[Any]) -> list:
    """What Keras's variables hold."""
    return [variable.value for variable in variables]


def value_and_gradient(loss: Callable[[list], tuple[Any, Any]], weights: Sequence[Any]) -> tuple[tuple[Any, Any], list]:
    """``loss(weights)``, a number and what else comes out of it, and the gradient of the number for each weight."""
    return jax.value_and_grad(loss, has_aux=True)(list(weights))


def updated(optimizer: Any, kept: list, gradient: list, weights: list) -> tuple[list, list]:
    """The weights, and what the optimizer keeps, after its step."""
    return optimizer.stateless_apply(kept, gradient, weights)


def placed(array: Any, axis: int) -> Any:
    """An array of a batch, whose images lie along ``axis``, where the step needs it: in equal shares on all devices.

    XLA then divides the whole step among them as it compiles it.
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        return array
    spread = jax.sharding.PartitionSpec(*[None] * axis, distribution.batch_dim_name)
    return jax.device_put(array, jax.sharding.NamedSharding(distribution.device_mesh.backend_mesh, spread))


def compiled(step: Callable) -> Callable:
    """``step`` as one program."""
    return jax.jit(step)


def make_deterministic() -> None:
    """The same seed, the same losses, on a GPU too; before anything is computed, or it comes too late."""
    flag = "--xla_gpu_deterministic_ops=true"
    if flag not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()


def _gpu() -> jax.Device | None:
    device = jax.devices()[0]
    return device if device.platform == "gpu" else None


def gpu_name() -> str | None:
    return _gpu() and _gpu().device_kind


def reason_for_no_gpu() -> str:
    """Why a GPU that the machine has is not used."""
    return "has no CUDA"


def gpu_peak_memory() -> int:
    """The most bytes of the GPU that this process has taken so far."""
    return _gpu().memory_stats()["peak_bytes_in_use"]


def gpu_has_bfloat16() -> bool:
    return float(_gpu().compute_capability) >= 8
