"""Convolution arithmetic as moving pictures: which input cells make which output cell.

What belongs here: the names for readers and notebooks. Read the modules in this order; each imports only from those
before it: ``arithmetic``, ``layout``, ``drawing``, ``output``, ``table``, ``__main__``.
"""

from .arithmetic import (
    BORDER,
    apply,
    average_pooling,
    convolution,
    max_pooling,
    reads,
    transposed_convolution,
    upsampling,
)
from .drawing import draw
from .layout import Animation, Numbers, animate, example_numbers
from .output import gif, save_gif, save_still, show, slider, still
from .table import FILES, LAYER_FILES, SOURCE_FILES
