"""The animations in ``gif/``: which files there are, and what is in each of them.

What belongs here: the names and the parameters of the files. How they are drawn stands in the other modules.
"""

from .arithmetic import Operation, convolution, max_pooling, transposed_convolution, upsampling
from .layout import Animation, animate, example_numbers


def _with_numbers(operation: Operation, milliseconds: int) -> Animation:
    return animate(operation, numbers=example_numbers(operation), milliseconds=milliseconds)


# The source's files, by its names. The transposed ones are the same with input and output exchanged.
SOURCE_FILES = {
    "no_padding_no_strides": animate(convolution((4, 4), 3)),
    "arbitrary_padding_no_strides": animate(convolution((5, 5), 4, padding=2)),
    "same_padding_no_strides": animate(convolution((5, 5), 3, padding=1)),
    "full_padding_no_strides": animate(convolution((5, 5), 3, padding=2)),
    "no_padding_no_strides_transposed": animate(transposed_convolution((2, 2), 3)),
    "arbitrary_padding_no_strides_transposed": animate(transposed_convolution((6, 6), 4, padding=2)),
    "same_padding_no_strides_transposed": animate(transposed_convolution((5, 5), 3, padding=1)),
    "full_padding_no_strides_transposed": animate(transposed_convolution((7, 7), 3, padding=2)),
    "no_padding_strides": animate(convolution((5, 5), 3, stride=2)),
    "padding_strides": animate(convolution((5, 5), 3, stride=2, padding=1)),
    "padding_strides_odd": animate(convolution((6, 6), 3, stride=2, padding=1)),
    "no_padding_strides_transposed": animate(transposed_convolution((2, 2), 3, stride=2)),
    "padding_strides_transposed": animate(transposed_convolution((3, 3), 3, stride=2, padding=1)),
    # From 6 cells as from 5 the convolution makes 3; the output_padding says that the way back leads to 6.
    "padding_strides_odd_transposed": animate(transposed_convolution((3, 3), 3, stride=2, padding=1, output_padding=1)),
    "dilation": animate(convolution((7, 7), 3, dilation=2)),
}

# The layers of our own networks. Of the large ones, the first rows of windows and the last are shown, which differ in
# what they see of the border; the rows between are filled in at once.
LAYER_FILES = {
    "conv_5x5_same": animate(
        convolution((14, 14), 5, padding="same"), rows=(0, 1, 2, 12, 13), milliseconds=120),
    "conv_5x5_valid": animate(convolution((14, 14), 5), rows=(0, 1, 2, 8, 9), milliseconds=160),
    "conv_5x5_strides": animate(convolution((14, 14), 5, stride=2, padding="same"), milliseconds=200),
    "max_pooling": animate(max_pooling((10, 10), 2), milliseconds=300),
    "max_pooling_numbers": _with_numbers(max_pooling((6, 6), 2), milliseconds=1000),
    "upsampling_conv_5x5": animate(
        upsampling((7, 7)), convolution((14, 14), 5, padding="same"), rows=(0, 1, 2, 13), milliseconds=150, width=300),
    "transposed_7_to_14": animate(
        transposed_convolution((7, 7), 5, stride=2, padding="same"), rows=(0, 1, 2, 12, 13), milliseconds=150),
    "transposed_14_to_28": animate(
        transposed_convolution((14, 14), 5, stride=2, padding="same"), rows=(0, 1, 26, 27), milliseconds=80),
    "transposed_3_to_6": animate(transposed_convolution((3, 3), 5, stride=2, padding="same")),
    "transposed_numbers": _with_numbers(transposed_convolution((2, 2), 5, stride=2, padding="same"), milliseconds=1500),
}

FILES = {**SOURCE_FILES, **LAYER_FILES}
