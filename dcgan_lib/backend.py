"""Keras and the engine it computes on, imported in one place, in silence, and with this project's settings.

What belongs here: how they are loaded, what they may print, and what is to be known of the device they run on. Every
other module says ``from .backend import keras, tf``. The engine is TensorFlow, unless the environment variable
``KERAS_BACKEND`` says jax or torch; ``tf`` is None then. What is the engine's own way is in ``engines``.
"""

import os
import platform
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import psutil

from .errors import InputError

# No C++ messages but the last words before an abort. What TensorFlow calls an error there is raised in Python, too, or
# is none, as its "oneDNN supports DT_INT32 only on platforms with AVX-512".
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Else the first program on a GPU takes nearly all of its memory, and a second notebook finds none.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the same for JAX

ENGINES = ("tensorflow", "jax", "torch")  # as Keras calls them
NAME = os.environ.get("KERAS_BACKEND") or "tensorflow"
if NAME not in ENGINES:
    raise InputError(f"KERAS_BACKEND={NAME}: the engines here are {', '.join(ENGINES)}; choose one, or unset it")
if "keras" in sys.modules and sys.modules["keras"].config.backend() != NAME:
    raise InputError(f"Keras was loaded on {sys.modules['keras'].config.backend()} before, and this library needs it "
                     f"on {NAME}; start Python (or the kernel) anew and import dcgan_lib first")
os.environ.update(KERAS_BACKEND=NAME, KERAS_NNX_ENABLED="false")
for _name in ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "TF_FUNCTION_JIT_COMPILE_DEFAULT"):
    os.environ.pop(_name, None)

_WATCH = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
if not os.read(0, 1):
    os.lseek(1, 0, os.SEEK_SET)
    while part := os.read(1, 65536):
        os.write(2, part)
"""


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; give it out only if the block fails or the process dies.

    TensorFlow's start-up messages come from C++ before its log level is read, so that neither an environment variable
    nor ``sys.stderr`` stops them. Its last words before an abort come the same way, and after it no Python code runs:
    a small process of its own waits for that case.
    """
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        terminal = os.dup(2)
        watch = _watch(held, terminal)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception as error:
            if not isinstance(error, (InputError, MemoryError, ImportError)):
                held.seek(0)
                os.write(terminal, held.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            if watch:
                watch.communicate(b".")  # all is well


def _watch(held, terminal: int) -> subprocess.Popen | None:
    """A process that prints what ``held`` holds if this one ends without a word to it."""
    if os.name != "posix" or not sys.executable:
        return None
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCH], stdin=subprocess.PIPE, stdout=held, stderr=terminal
    )


def _is_to_be_silent() -> bool:
    try:
        os.fstat(2)
    except OSError:  # there is nothing to hold back
        return False
    reads = os.environ["TF_CPP_MIN_LOG_LEVEL"] in ("0", "1")  # who sets these wants to read what TensorFlow says
    return sys.stderr is not None and not reads


with _stderr_held_back() if _is_to_be_silent() else nullcontext(), warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the packages' own, which are nobody's business here
    try:
        import keras

        if NAME == "jax":
            from .engines import on_jax as engine
        elif NAME == "torch":
            from .engines import on_torch as engine
        else:
            from .engines import on_tensorflow as engine
    except ModuleNotFoundError as error:
        missing = error.name.split(".")[0]
        extra = f"'.[{NAME}]'" if NAME != "tensorflow" else "-r requirements.txt"
        raise InputError(f"the package {missing} is missing; pip install {extra} brings it") from None
    except (ValueError, AttributeError, TypeError, AssertionError) as error:  # from a keras.json that is none
        raise InputError(f"Keras cannot be loaded ({error!r}); mend or remove its settings file, keras.json in .keras "
                         "or KERAS_HOME") from None

if NAME == "torch" and tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15):
    raise InputError(f"Keras {keras.__version__} computes transposed convolutions on PyTorch otherwise than on the "
                     "other engines; pip install 'keras>=3.15,<3.16'")

tf = engine.tf if NAME == "tensorflow" else None
if NAME != "tensorflow" and "tensorflow" not in sys.modules:
    # Keras would load it beside another engine to see whether an object is one of its own: seconds, and many lines.
    keras.src.utils.module_utils.tensorflow._available = False

# A user's keras.json and environment may say otherwise; the networks and the losses here are made for these.
keras.config.set_image_data_format("channels_last")
keras.config.set_floatx("float32")
keras.config.set_max_epochs(None)
keras.config.set_max_steps_per_epoch(None)


def device_name() -> str:
    """What is computed on here, in words; beside a GPU that the engine does not use, why and what helps."""
    if name := engine.gpu_name():
        return f"GPU ({name})"
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1")
    if wanted and os.path.exists("/proc/driver/nvidia/version"):
        return (f"CPU (there is a GPU, but this {engine.LABEL} {engine.reason_for_no_gpu()}; see the README's line on "
                "GPUs)")
    return "CPU"


def versions() -> dict[str, str]:
    """What computes here, by name."""
    return {"python": platform.python_version(), NAME: engine.VERSION, "keras": keras.__version__,
            "numpy": np.__version__}


def peak_memory() -> int:
    """The most bytes that this process has taken so far: on the GPU if there is one, else of the machine."""
    if engine.gpu_name():
        return engine.gpu_peak_memory()
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # Windows
        return info.peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def computes_in_bfloat16() -> bool:
    """Whether the device has instructions for bfloat16, without which it takes longer than float32."""
    if engine.gpu_name():
        return engine.gpu_has_bfloat16()
    try:
        with open("/proc/cpuinfo") as file:
            flags = next((line for line in file if line.startswith("flags")), "").split()
    except OSError:  # not Linux
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


__all__ = ["computes_in_bfloat16", "device_name", "engine", "keras", "peak_memory", "tf", "versions"]
