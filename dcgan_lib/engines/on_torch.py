"""PyTorch: each operation is computed at once and remembers where it came from, for ``backward`` to go back through."""

import os
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it CUDA's matrix products are not reproducible

import torch  # noqa: E402 (it reads the line above as it is loaded)

LABEL = "PyTorch"
VERSION = torch.__version__


def arrays(variables: Sequence[Any]) -> list:
    """What Keras's variables hold; in the same memory, but nothing that is done with it is remembered."""
    return [variable.value.detach() for variable in variables]


def value_and_gradient(loss: Callable[[list], tuple[Any, Any]], weights: Sequence[Any]) -> tuple[tuple[Any, Any], list]:
    """``loss(weights)``, a number and what else comes out of it, and the gradient of the number for each weight."""
    leaves = [weight.detach().requires_grad_() for weight in weights]
    value, others = loss(leaves)
    value.backward()
    return (value.detach(), others), [leaf.grad for leaf in leaves]


def updated(optimizer: Any, kept: list, gradient: list, weights: list) -> tuple[list, list]:
    """The weights, and what the optimizer keeps, after its step; PyTorch changes them where they lie."""
    return optimizer.stateless_apply(kept, gradient, weights)


def placed(array: Any, axis: int) -> Any:
    """An array of a batch, whose images lie along ``axis``, where the step needs it."""
    return array


def compiled(step: Callable) -> Callable:
    """``step`` as it is: PyTorch computes line by line."""
    return step


def make_deterministic() -> None:
    """The same seed, the same losses, on a GPU too."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False


def gpu_name() -> str | None:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def reason_for_no_gpu() -> str:
    """Why a GPU that the machine has is not used."""
    return "cannot use it" if torch.version.cuda else "has no CUDA"


def gpu_peak_memory() -> int:
    """The most bytes of the GPU that this process has taken so far."""
    return torch.cuda.max_memory_allocated()


def gpu_has_bfloat16() -> bool:
    return torch.cuda.get_device_capability() >= (8,)
