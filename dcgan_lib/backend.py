"""TensorFlow and Keras, imported in one place and in silence.

What belongs here: how the two are loaded. Every other module says ``from .backend import keras, tf``.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# Read by TensorFlow when it is loaded: no C++ messages below "error".
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; give it out only if the block fails.

    TensorFlow's start-up messages come from C++ before its log level is read, so that neither an
    environment variable nor ``sys.stderr`` stops them.
    """
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        terminal = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(terminal, held.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


with _stderr_held_back():
    import tensorflow as tf
    import keras

    tf.zeros(())  # the first tensor wakes the device, which has messages of its own

__all__ = ["keras", "tf"]
