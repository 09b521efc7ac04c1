"""Which input cells make which output cell, as index arithmetic in NumPy.

What belongs here: the rows of cells and the windows of each operation, and what comes out of them. Nothing of Keras (a
test compares the two), and nothing of pictures.

Every operation is one: the input's cells are laid out in a row, with border and zeros where the operation wants them;
a window slides along the row; each of its positions makes an output cell. The axes do not mix, so a picture of two
dimensions is two such rows. There is one channel; shapes name it, because Keras does.
"""

import math
import operator
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import NamedTuple

import numpy as np

from ..errors import InputError

BORDER = -1  # in a row: a cell of the padding
ZERO = -2  # in a row: a cell that a transposed convolution puts between the input's
MOST = 1000  # of each parameter; more cells than that make no legible picture


class Axis(NamedTuple):
    """One axis of an operation.

    ``cells``: int (row,), the index of the input cell that lies at each place of the row, or ``BORDER`` or ``ZERO``.
    ``places``: int (outputs, taps), the places in the row that the window of each output covers.
    """

    cells: np.ndarray
    places: np.ndarray


class Rule(Enum):
    """How the cells in a window become one output cell."""

    CONVOLUTION = auto()
    TRANSPOSED = auto()  # the same sum; it differs in the row, and in the order in which Keras keeps the weights
    MAXIMUM = auto()
    MEAN = auto()
    COPY = auto()


class Operation(NamedTuple):
    """What a layer does to the cells, without the numbers in them.

    ``axes``: rows and columns; a strip has one row. ``dimensions``: 2, or 1 for a strip.
    """

    rule: Rule
    axes: tuple[Axis, Axis]
    dimensions: int

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(height, width, 1), or (length, 1) of a strip."""
        return (*(int(axis.cells.max()) + 1 for axis in self.axes[-self.dimensions :]), 1)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(height, width, 1), or (length, 1) of a strip."""
        return (*(len(axis.places) for axis in self.axes[-self.dimensions :]), 1)

    @property
    def weights_shape(self) -> tuple[int, ...] | None:
        """(kernel..., 1, 1), or ``None`` where there are no weights."""
        if self.rule not in (Rule.CONVOLUTION, Rule.TRANSPOSED):
            return None
        return (*(axis.places.shape[1] for axis in self.axes[-self.dimensions :]), 1, 1)


Sizes = int | Sequence[int]  # one number for all axes, or one for each
Padding = Sizes | str  # or "valid", "same", "full"

STRIP = Axis(np.zeros(1, int), np.zeros((1, 1), int))  # the rows of an operation that has only columns


def convolution(
    size: Sizes, kernel: Sizes, stride: Sizes = 1, padding: Padding = "valid", dilation: Sizes = 1
) -> Operation:
    """A convolution, as Keras's ``Conv1D`` and ``Conv2D``.

    Args:
        size: (height, width) of the input in cells, or the length of a strip.
        padding: cells of border at both ends; or ``"valid"``, none; ``"same"``, as many as Keras adds, the odd one
            at the end; ``"full"``, as many as let the window touch the input with one cell.
        dilation: the step from one tap of the window to the next. Keras refuses it together with a stride.
    Raises:
        InputError: a parameter is out of its range, or no window fits.
    """
    size, kernel, stride, dilation = _per_axis(size=size, kernel=kernel, stride=stride, dilation=dilation)
    axes = map(_sliding_axis, size, kernel, stride, _paddings(padding, size), dilation)
    return _operation(Rule.CONVOLUTION, axes)


def transposed_convolution(
    size: Sizes, kernel: Sizes, stride: Sizes = 1, padding: Padding = "valid", output_padding: Sizes | None = None,
    dilation: Sizes = 1,
) -> Operation:
    """A transposed convolution, as Keras's ``Conv1DTranspose`` and ``Conv2DTranspose``.

    ``stride``, ``padding`` and ``dilation`` are those of the convolution that leads back from the output to the
    input, so that a number as ``padding`` makes the output smaller. What is drawn is the other reading: ``stride``
    - 1 zeros between the input's cells, and a window that moves by single steps.

    Args:
        output_padding: cells more at the output's end, fewer than the stride. ``None`` is Keras's own choice:
            ``size * stride`` for ``"same"``, at least ``size * stride`` for ``"valid"``; with a number or
            ``"full"`` as padding, which Keras does not know, it means 0.
        size: as in :func:`convolution`.
    Raises:
        InputError: a parameter is out of its range, or nothing is left of the output.
    """
    size, kernel, stride, dilation = _per_axis(size=size, kernel=kernel, stride=stride, dilation=dilation)
    extra = (None,) * len(size) if output_padding is None else _each(output_padding, len(size), "output_padding", 0)
    axes = map(_transposed_axis, size, kernel, stride, _paddings(padding, size), extra, dilation)
    return _operation(Rule.TRANSPOSED, axes)


def max_pooling(size: Sizes, kernel: Sizes, stride: Sizes | None = None, padding: Padding = "valid") -> Operation:
    """The largest number in each window, as Keras's ``MaxPooling1D`` and ``MaxPooling2D``.

    Args:
        stride: ``None`` for that of the kernel.
        padding: as in :func:`convolution`; cells of the border never count, and no window may see nothing else.
    Raises:
        InputError: a parameter is out of its range, or no window fits.
    """
    return _pooling(Rule.MAXIMUM, size, kernel, stride, padding)


def average_pooling(size: Sizes, kernel: Sizes, stride: Sizes | None = None, padding: Padding = "valid") -> Operation:
    """The mean of the numbers in each window, as Keras's ``AveragePooling1D`` and ``AveragePooling2D``.

    The sum is divided by the number of cells that are not border. Args and errors as in :func:`max_pooling`.
    """
    return _pooling(Rule.MEAN, size, kernel, stride, padding)


def upsampling(size: Sizes, factor: Sizes = 2) -> Operation:
    """Each cell ``factor`` times on each axis, as Keras's ``UpSampling1D`` and ``UpSampling2D`` ("nearest").

    Raises:
        InputError: a parameter is not a positive whole number.
    """
    pairs = zip(*_per_axis(size=size, factor=factor))
    return _operation(
        Rule.COPY, (Axis(np.arange(cells), np.arange(cells).repeat(times)[:, None]) for cells, times in pairs))


def reads(operation: Operation) -> np.ndarray:
    """Which input cells each output cell depends on: bool, ``output_shape + input_shape``."""
    rows, columns = (
        (axis.cells[axis.places][..., None] == np.arange(axis.cells.max() + 1)).any(1) for axis in operation.axes
    )  # (outputs, inputs) of each axis
    table = rows[:, None, :, None] & columns[:, None, :]
    return table.reshape(operation.output_shape + operation.input_shape)


def apply(operation: Operation, values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Compute the output.

    Args:
        values: ``input_shape``; the channel's axis may be missing.
        weights: of a convolution, as Keras keeps them: ``weights_shape``; the channels' axes may be missing.
            ``None`` for the others.
    Returns: float64, ``output_shape``.
    Raises:
        InputError: a shape does not fit, or there is something else than real, finite numbers.
    """
    rows, columns = operation.axes
    window = rows.places[:, None, :, None], columns.places[:, None, :]
    seen, counts = (laid[window] for laid in laid_values(operation, values))  # (height, width, kernel, kernel)
    if operation.rule is Rule.MAXIMUM:
        result = np.where(counts, seen, -np.inf).max((2, 3))
    elif operation.weights_shape is None:  # a copy is the mean of one
        result = seen.sum((2, 3)) / counts.sum((2, 3))
    else:
        result = (seen * laid_weights(operation, weights)).sum((2, 3))
    return result.reshape(operation.output_shape)


def laid_values(operation: Operation, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The input among border and zeros, float64 (row, row); and where in it the input's own cells lie, bool."""
    rows, columns = (axis.cells for axis in operation.axes)
    real = (rows >= 0)[:, None] & (columns >= 0)
    values = _fitting(values, operation.input_shape, operation.dimensions, "values")
    return np.where(real, values.reshape(rows.max() + 1, -1)[np.ix_(rows, columns)], 0.0), real


def laid_weights(operation: Operation, weights: np.ndarray | None) -> np.ndarray:
    """The weights as they lie under the window: float64 (kernel, kernel)."""
    if weights is None:
        raise InputError("a convolution needs weights; give them in Keras's shape, one array for each convolution")
    weights = _fitting(weights, operation.weights_shape, operation.dimensions, "weights")
    weights = weights.reshape([axis.places.shape[1] for axis in operation.axes])
    # Seen from the output, the weights of a transposed convolution lie the other way round.
    return weights[::-1, ::-1] if operation.rule is Rule.TRANSPOSED else weights


def whole_number(value: int, name: str, least: int, most: int) -> int:
    """``value``, if it is a whole number of this range; else an ``InputError``."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        raise InputError(f"{name}={value!r:.40} does not do; give a whole number from {least} to {most}")
    return number


def _per_axis(**parameters: Sizes) -> list[tuple[int, ...]]:
    """Of each parameter one positive number for each axis; ``size`` says how many there are."""
    axes = len(parameters["size"]) if np.iterable(parameters["size"]) else 1
    if axes not in (1, 2):
        raise InputError(f"size has {axes} numbers; give a length, or a height and a width")
    return [_each(value, axes, name, 1) for name, value in parameters.items()]


def _each(value: Sizes, axes: int, name: str, least: int) -> tuple[int, ...]:
    numbers = tuple(value) if np.iterable(value) else (value,) * axes
    if len(numbers) != axes:
        raise InputError(f"{name} has {len(numbers)} numbers for {axes} axes; give one for all, or one for each")
    return tuple(whole_number(number, name, least, MOST) for number in numbers)


def _paddings(padding: Padding, size: tuple[int, ...]) -> tuple[int | str, ...]:
    if not isinstance(padding, str):
        return _each(padding, len(size), "padding", 0)
    if padding not in ("valid", "same", "full"):
        raise InputError(f"padding={padding!r} is unknown; give a number, 'valid', 'same' or 'full'")
    return (padding,) * len(size)


def _operation(rule: Rule, axes: Iterable[Axis]) -> Operation:
    axes = tuple(axes)
    return Operation(rule, (STRIP, *axes)[-2:], len(axes))


def _pooling(rule: Rule, size: Sizes, kernel: Sizes, stride: Sizes | None, padding: Padding) -> Operation:
    size, kernel, stride = _per_axis(size=size, kernel=kernel, stride=kernel if stride is None else stride)
    paddings = _paddings(padding, size)
    for cells, border in zip(kernel, paddings):
        if not isinstance(border, str) and border >= cells:
            raise InputError(f"with padding={border} a pooling window of {cells} would see nothing but border; "
                             f"give a padding smaller than the kernel")
    return _operation(rule, map(_sliding_axis, size, kernel, stride, paddings, (1,) * len(size)))


def _sliding_axis(size: int, kernel: int, stride: int, padding: int | str, dilation: int) -> Axis:
    reach = (kernel - 1) * dilation + 1  # cells from the window's first tap to its last
    if padding == "same":
        total = max((math.ceil(size / stride) - 1) * stride + reach - size, 0)
        before, after = total // 2, total - total // 2  # TensorFlow's asymmetry: the odd cell comes at the end
    else:
        before = after = {"valid": 0, "full": reach - 1}.get(padding, padding)
    if before + size + after < reach:
        raise InputError(f"a window of {reach} cells does not fit into {before + size + after}; "
                         f"make the input larger, the kernel smaller or the padding wider")
    starts = np.arange(0, before + size + after - reach + 1, stride)
    return Axis(_row(size, 1, before, after), starts[:, None] + dilation * np.arange(kernel))


def _transposed_axis(
    size: int, kernel: int, stride: int, padding: int | str, output_padding: int | None, dilation: int
) -> Axis:
    reach = (kernel - 1) * dilation + 1
    if output_padding is not None and output_padding >= stride:
        raise InputError(f"output_padding={output_padding} is not smaller than the stride of {stride}; "
                         f"give {stride - 1} or less")
    whole = (size - 1) * stride + reach  # what the windows of all input cells cover in the output
    if padding == "same":
        if output_padding == 0 and reach % 2 == 0:
            raise InputError("Keras has no output_padding=0 with 'same' and an even kernel; leave it out or give "
                             "the padding as a number")
        outputs = size * stride if output_padding is None else (size - 1) * stride + reach % 2 + output_padding
        cut = max(whole - outputs, 0) // 2
    else:
        if output_padding is None:
            output_padding = max(stride - reach, 0) if padding == "valid" else 0
        cut = {"valid": 0, "full": reach - 1}.get(padding, padding)
        outputs = whole - 2 * cut + output_padding
    if outputs < 1:
        raise InputError(f"a padding of {cut} leaves nothing of {whole} output cells; "
                         f"make the input or the kernel larger, or the padding narrower")
    # The first output sees the first input cell under the window's last tap, moved by what is cut off. Where more is
    # cut off than the window reaches, the first window starts inside the input.
    before, first = max(reach - 1 - cut, 0), max(cut - (reach - 1), 0)
    places = first + np.arange(outputs)[:, None] + dilation * np.arange(kernel)
    after = max(int(places.max()) + 1 - before - (size - 1) * stride - 1, 0)
    return Axis(_row(size, stride, before, after), places)


def _row(size: int, step: int, before: int, after: int) -> np.ndarray:
    """The input's cells ``step`` apart, zeros between them, border around them."""
    inner = np.full((size - 1) * step + 1, ZERO)
    inner[::step] = np.arange(size)
    return np.pad(inner, (before, after), constant_values=BORDER)


def _fitting(array: np.ndarray, shape: tuple[int, ...], dimensions: int, name: str) -> np.ndarray:
    """The array as float64; it may have its axes of channels or not."""
    try:
        array = np.asarray(array)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise InputError(f"{name} are not finite real numbers in even rows; give such, of shape {shape}")
    if array.shape not in (shape, shape[:dimensions]):
        raise InputError(f"{name} of shape {array.shape} do not fit; give {shape}")
    return array.astype(np.float64)
