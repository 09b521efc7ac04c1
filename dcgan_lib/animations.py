"""Convolution arithmetic as moving pictures: which input cells make which output cell.

What belongs here: the index arithmetic of the layers (NumPy), the pictures drawn from it (Pillow), and the table
of the files in ``gif/``. Nothing of Keras: a test compares the arithmetic with it.

``python -m dcgan_lib.animations`` draws all files of the table again.
"""

import argparse
import base64
import io
import math
import operator
import sys
from collections.abc import Iterator, Sequence
from enum import Enum, IntEnum, auto
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .files import InputError, whole_file

if TYPE_CHECKING:
    from IPython import display

# ---- index arithmetic --------------------------------------------------------------------------------------------
# Every operation is one: the input's cells are laid out in a row, with border and zeros where the operation wants
# them; a window slides along the row; each of its positions makes an output cell. The axes do not mix, so a picture
# of two dimensions is two such rows.

BORDER = -1  # in a row: a cell of the padding
ZERO = -2  # in a row: a cell that a transposed convolution puts between the input's


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

    ``axes``: rows and columns; a strip has one row. ``dimensions``: 2, or 1 for a strip. ``channels``: of the
    input and of the output; they fall into ``groups``, and an output channel reads the input channels of its group.
    """

    rule: Rule
    axes: tuple[Axis, Axis]
    dimensions: int
    channels: tuple[int, int]
    groups: int

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(height, width, channels), or (length, channels) of a strip."""
        return tuple(int(axis.cells.max()) + 1 for axis in self.axes[-self.dimensions :]) + self.channels[:1]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(height, width, channels), or (length, channels) of a strip."""
        return tuple(len(axis.places) for axis in self.axes[-self.dimensions :]) + self.channels[1:]


Sizes = int | Sequence[int]  # one number for all axes, or one for each
Padding = Sizes | str  # or "valid", "same", "full"

STRIP = Axis(np.zeros(1, int), np.zeros((1, 1), int))  # the rows of an operation that has only columns


def convolution(
    size: Sizes, kernel: Sizes, stride: Sizes = 1, padding: Padding = "valid", dilation: Sizes = 1,
    channels: tuple[int, int] = (1, 1), groups: int = 1,
) -> Operation:
    """A convolution, as Keras's ``Conv1D`` and ``Conv2D``.

    Args:
        size: (height, width) of the input in cells, or the length of a strip.
        padding: cells of border at both ends; or ``"valid"``, none; ``"same"``, as many as Keras adds, the odd one
            at the end; ``"full"``, as many as let the window touch the input with one cell.
        dilation: the step from one tap of the window to the next. Keras refuses it together with a stride.
        channels: of the input and of the output. ``groups`` must divide both.
    Raises:
        InputError: a parameter is out of its range, or no window fits.
    """
    size = _sizes(size)
    kernel, stride, dilation = (_each(value, size, name, 1) for value, name in (
        (kernel, "kernel"), (stride, "stride"), (dilation, "dilation")))
    axes = map(_sliding_axis, size, kernel, stride, _paddings(padding, size), dilation)
    return _operation(Rule.CONVOLUTION, axes, channels, groups)


def transposed_convolution(
    size: Sizes, kernel: Sizes, stride: Sizes = 1, padding: Padding = "valid", output_padding: Sizes | None = None,
    dilation: Sizes = 1, channels: tuple[int, int] = (1, 1),
) -> Operation:
    """A transposed convolution, as Keras's ``Conv1DTranspose`` and ``Conv2DTranspose``.

    ``stride``, ``padding`` and ``dilation`` are those of the convolution that leads back from the output to the
    input, so that a number as ``padding`` makes the output smaller. What is drawn is the other reading: ``stride``
    - 1 zeros between the input's cells, and a window that moves by single steps.

    Args:
        output_padding: cells more at the output's end, fewer than the stride. ``None`` is Keras's own choice:
            ``size * stride`` for ``"same"``, at least ``size * stride`` for ``"valid"``; with a number or
            ``"full"`` as padding, which Keras does not know, it means 0.
        size, channels: as in :func:`convolution`.
    Raises:
        InputError: a parameter is out of its range, or nothing is left of the output.
    """
    size = _sizes(size)
    kernel, stride, dilation = (_each(value, size, name, 1) for value, name in (
        (kernel, "kernel"), (stride, "stride"), (dilation, "dilation")))
    extra = (None,) * len(size) if output_padding is None else _each(output_padding, size, "output_padding", 0)
    axes = map(_transposed_axis, size, kernel, stride, _paddings(padding, size), extra, dilation)
    return _operation(Rule.TRANSPOSED, axes, channels, 1)


def max_pooling(
    size: Sizes, kernel: Sizes, stride: Sizes | None = None, padding: Padding = "valid", channels: int = 1
) -> Operation:
    """The largest number in each window, as Keras's ``MaxPooling1D`` and ``MaxPooling2D``.

    Args:
        stride: ``None`` for that of the kernel.
        padding: as in :func:`convolution`; cells of the border never count, and no window may see nothing else.
        channels: each is pooled by itself.
    Raises:
        InputError: a parameter is out of its range, or no window fits.
    """
    return _pooling(Rule.MAXIMUM, size, kernel, stride, padding, channels)


def average_pooling(
    size: Sizes, kernel: Sizes, stride: Sizes | None = None, padding: Padding = "valid", channels: int = 1
) -> Operation:
    """The mean of the numbers in each window, as Keras's ``AveragePooling1D`` and ``AveragePooling2D``.

    The sum is divided by the number of cells that are not border. Args and errors as in :func:`max_pooling`.
    """
    return _pooling(Rule.MEAN, size, kernel, stride, padding, channels)


def upsampling(size: Sizes, factor: Sizes = 2, channels: int = 1) -> Operation:
    """Each cell ``factor`` times on each axis, as Keras's ``UpSampling1D`` and ``UpSampling2D`` ("nearest").

    Raises:
        InputError: a parameter is not a positive whole number.
    """
    size = _sizes(size)
    factor = _each(factor, size, "factor", 1)
    axes = [Axis(np.arange(cells), np.arange(cells).repeat(times)[:, None]) for cells, times in zip(size, factor)]
    return _operation(Rule.COPY, axes, (channels, channels), channels)


def reads(operation: Operation) -> np.ndarray:
    """Which input cells each output cell depends on: bool, ``output_shape + input_shape``."""
    tables = []
    for axis in operation.axes[-operation.dimensions :]:
        table = np.zeros((len(axis.places), axis.cells.max() + 1), bool)
        for output, sources in enumerate(axis.cells[axis.places]):
            table[output, sources[sources >= 0]] = True
        tables.append(table)
    inputs, outputs = operation.channels
    tables.append(np.array([[i in _channels_read(operation, o) for i in range(inputs)] for o in range(outputs)]))
    result = np.array(True)
    for table in tables:
        result = np.multiply.outer(result, table)  # axes: output, input, output, input, ...
    return result.transpose(*range(0, result.ndim, 2), *range(1, result.ndim, 2))


def apply(operation: Operation, values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Compute the output.

    Args:
        values: ``input_shape``; the channels' axis may be missing where there is one channel.
        weights: of a convolution, as Keras keeps them: (kernel..., input channels / groups, output channels); of a
            transposed one (kernel..., output channels, input channels). The channels' axes may be missing where
            both are 1. ``None`` for the others.
    Returns: float64, ``output_shape``.
    Raises:
        InputError: a shape does not fit.
    """
    rows, columns = operation.axes
    laid = _lay_out(operation, values)
    window = np.ix_(rows.places.ravel(), columns.places.ravel())
    shape = (*rows.places.shape, *columns.places.shape, -1)
    seen = laid[window].reshape(shape).swapaxes(1, 2)  # (height, width, kernel, kernel, channels)
    counts = _real(operation)[window].reshape(shape).swapaxes(1, 2)
    if operation.rule is Rule.MAXIMUM:
        result = np.where(counts, seen, -np.inf).max((2, 3))
    elif operation.rule is Rule.MEAN:
        result = seen.sum((2, 3)) / counts.sum((2, 3))
    elif operation.rule is Rule.COPY:
        result = seen[:, :, 0, 0]
    else:
        kernel = _laid_weights(operation, weights)
        result = np.stack([
            (seen[..., _channels_read(operation, channel)] * kernel[..., channel]).sum((2, 3, 4))
            for channel in range(operation.channels[1])
        ], axis=-1)
    return result.reshape(operation.output_shape)


def _sizes(size: Sizes) -> tuple[int, ...]:
    size = (size,) if np.ndim(size) == 0 else tuple(size)
    if len(size) not in (1, 2):
        raise InputError(f"size has {len(size)} numbers; give a length, or a height and a width")
    return _each(size, size, "size", 1)


def _each(value: Sizes, size: tuple[int, ...], name: str, least: int) -> tuple[int, ...]:
    """One whole number for each axis."""
    numbers = (value,) * len(size) if np.ndim(value) == 0 else tuple(value)
    try:
        numbers = tuple(operator.index(number) for number in numbers)
    except TypeError:
        raise InputError(f"{name}={value!r} is not a whole number; give one for all axes, or one for each") from None
    if len(numbers) != len(size):
        raise InputError(f"{name}={value!r} has {len(numbers)} numbers for {len(size)} axes; give one for each")
    if min(numbers) < least:
        raise InputError(f"{name}={value!r} is too small; give {least} or more")
    return numbers


def _paddings(padding: Padding, size: tuple[int, ...]) -> tuple[int | str, ...]:
    if not isinstance(padding, str):
        return _each(padding, size, "padding", 0)
    if padding not in ("valid", "same", "full"):
        raise InputError(f"padding={padding!r} is unknown; give a number, 'valid', 'same' or 'full'")
    return (padding,) * len(size)


def _operation(rule: Rule, axes: Iterator[Axis], channels: tuple[int, int], groups: int) -> Operation:
    axes = tuple(axes)
    channels = _each(channels, (0, 0), "channels", 1)
    (groups,) = _each(groups, (0,), "groups", 1)
    if channels[0] % groups or channels[1] % groups:
        raise InputError(f"{groups} groups do not divide {channels[0]} and {channels[1]} channels; "
                         f"choose channels that are multiples of groups")
    return Operation(rule, (STRIP, *axes)[-2:], len(axes), channels, groups)


def _pooling(
    rule: Rule, size: Sizes, kernel: Sizes, stride: Sizes | None, padding: Padding, channels: int
) -> Operation:
    size = _sizes(size)
    kernel = _each(kernel, size, "kernel", 1)
    stride = kernel if stride is None else _each(stride, size, "stride", 1)
    paddings = _paddings(padding, size)
    for cells, border in zip(kernel, paddings):
        if not isinstance(border, str) and border >= cells:
            raise InputError(f"with padding={border} a pooling window of {cells} would see nothing but border; "
                             f"give a padding smaller than the kernel")
    axes = map(_sliding_axis, size, kernel, stride, paddings, (1,) * len(size))
    return _operation(rule, axes, (channels, channels), channels)


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
        if output_padding is None:
            outputs = size * stride
        elif output_padding == 0 and reach % 2 == 0:
            raise InputError("Keras has no output_padding=0 with 'same' and an even kernel; leave it out or give "
                             "the padding as a number")
        else:
            outputs = (size - 1) * stride + reach % 2 + output_padding
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
    before = max(reach - 1 - cut, 0)
    first = max(cut - (reach - 1), 0)
    places = first + np.arange(outputs)[:, None] + dilation * np.arange(kernel)
    after = max(int(places.max()) + 1 - before - (size - 1) * stride - 1, 0)
    return Axis(_row(size, stride, before, after), places)


def _row(size: int, step: int, before: int, after: int) -> np.ndarray:
    """The input's cells ``step`` apart, zeros between them, border around them."""
    inner = np.full((size - 1) * step + 1, ZERO)
    inner[::step] = np.arange(size)
    return np.pad(inner, (before, after), constant_values=BORDER)


def _channels_read(operation: Operation, output_channel: int) -> list[int]:
    inputs, outputs = operation.channels
    width = inputs // operation.groups
    group = output_channel // (outputs // operation.groups)
    return list(range(group * width, (group + 1) * width))


def _real(operation: Operation) -> np.ndarray:
    """Where input cells lie in the rows: bool (row, row, 1)."""
    rows, columns = operation.axes
    return ((rows.cells >= 0)[:, None] & (columns.cells >= 0))[..., None]


def _lay_out(operation: Operation, values: np.ndarray) -> np.ndarray:
    """The input among border and zeros: float64 (row, row, channels)."""
    rows, columns = operation.axes
    values = _shaped(values, operation.input_shape, 1, "values").astype(np.float64)
    values = values.reshape(rows.cells.max() + 1, columns.cells.max() + 1, -1)
    return np.where(_real(operation), values[np.ix_(rows.cells, columns.cells)], 0.0)


def _laid_weights(operation: Operation, weights: np.ndarray | None) -> np.ndarray:
    """The weights as they lie under the window: (kernel, kernel, input channels / groups, output channels)."""
    if weights is None:
        raise InputError("a convolution needs weights; give them in Keras's shape, one array for each convolution")
    shape = _weights_shape(operation)
    weights = _shaped(weights, shape, 2, "weights").astype(np.float64)
    weights = weights.reshape(*(axis.places.shape[1] for axis in operation.axes), *shape[-2:])
    # Seen from the output, the weights of a transposed convolution lie the other way round.
    return weights[::-1, ::-1].swapaxes(2, 3) if operation.rule is Rule.TRANSPOSED else weights


def _weights_shape(operation: Operation) -> tuple[int, ...] | None:
    """The shape in which Keras keeps the weights; ``None`` of an operation without."""
    if operation.rule not in (Rule.CONVOLUTION, Rule.TRANSPOSED):
        return None
    kernel = tuple(axis.places.shape[1] for axis in operation.axes[-operation.dimensions :])
    inputs, outputs = operation.channels
    channels = (inputs // operation.groups, outputs)
    return kernel + (channels[::-1] if operation.rule is Rule.TRANSPOSED else channels)


def _shaped(array: np.ndarray, shape: tuple[int, ...], channel_axes: int, name: str) -> np.ndarray:
    """The array with its axes of channels added where they may be missing."""
    array = np.asarray(array)
    if array.shape == shape[:-channel_axes] and set(shape[-channel_axes:]) == {1}:
        array = array.reshape(shape)
    if array.shape != shape:
        raise InputError(f"{name} of shape {array.shape} do not fit; give {shape}")
    return array


# ---- what an animation shows -------------------------------------------------------------------------------------

MAX_FRAMES = 1000  # more would take minutes to draw, and nobody would watch them


class Numbers(NamedTuple):
    """Numbers for the cells: the input's ``values``, and ``weights``, one array for each convolution in turn."""

    values: np.ndarray
    weights: Sequence[np.ndarray] = ()


class Animation(NamedTuple):
    """What is drawn and how; made by :func:`animate`.

    ``stages``: operations, each on the output of the one before. ``numbers``: in the cells, or ``None``. ``rows``:
    which rows of windows of the last stage get frames, ``None`` for all. ``milliseconds``: one frame. ``width``: in
    pixels.
    """

    stages: tuple[Operation, ...]
    numbers: Numbers | None
    rows: tuple[int, ...] | None
    milliseconds: int
    width: int


def animate(
    *stages: Operation, numbers: Numbers | None = None, rows: Sequence[int] | None = None, milliseconds: int = 500,
    width: int = 400,
) -> Animation:
    """Say what to draw.

    One frame for each position of a window, and at the end one of the finished output. Channels are drawn as maps
    side by side, those of strips one below the other: two to four stay legible.

    Args:
        stages: one operation, or several, each on the output of the one before.
        numbers: drawn in the cells, with the sum below them; see also :func:`example_numbers`.
        rows: which rows of windows of the last stage get frames, counted from 0, for large pictures.
        milliseconds: how long one frame is shown.
        width: of the picture in pixels. Made to be shown at half of it: screens have two pixels for one.
    Raises:
        InputError: stages or numbers do not fit together, or the picture would not be legible.
    """
    if not stages:
        raise InputError("there is nothing to draw; give an operation")
    for before, after in zip(stages, stages[1:]):
        if before.output_shape != after.input_shape:
            raise InputError(f"a stage gives {before.output_shape} and the next takes {after.input_shape}; "
                             f"make them the same")
    (milliseconds,) = _each(milliseconds, (0,), "milliseconds", 20)
    (width,) = _each(width, (0,), "width", 1)
    positions = len(_positions(stages[-1].axes[0]))
    if rows is not None:
        rows = _each(sorted(set(rows)), tuple(set(rows)), "rows", 0) if len(rows) else ()
        if not rows or max(rows) >= positions:
            raise InputError(f"rows={rows} are none, or not all there; choose from 0 to {positions - 1}")
    animation = Animation(stages, numbers, rows, milliseconds, width)
    _layout(animation)  # refuses what would not be legible
    frames = 1 + sum(
        stage.channels[1] * len(_positions(stage.axes[1])) * (
            len(rows) if rows is not None and number == len(stages) - 1 else len(_positions(stage.axes[0]))
        ) for number, stage in enumerate(stages)
    )
    if frames > MAX_FRAMES:
        raise InputError(f"{frames} frames are too many to watch; give rows, or make the input smaller")
    return animation


def example_numbers(*stages: Operation) -> Numbers:
    """Small whole numbers for the input and the weights, the same at every call: sums that can be done in the head."""
    shapes = [stages[0].input_shape, *filter(None, map(_weights_shape, stages))]
    # Powers modulo a prime look unordered and need no random numbers.
    powers = [np.reshape([pow(3, n + 4, 31) for n in range(math.prod(shape))], shape) for shape in shapes]
    return Numbers(powers[0] % 4 + 1, [power % 3 + 1 for power in powers[1:]])


class _Step(NamedTuple):
    """One position of the window of a stage. ``shown``: it gets a frame."""

    shown: bool
    stage: int
    channel: int  # of the output
    places: tuple[np.ndarray, np.ndarray]  # in the rows, that the window covers
    outputs: tuple[np.ndarray, np.ndarray]  # rows and columns of the output cells that it makes


def _positions(axis: Axis) -> list[tuple[np.ndarray, np.ndarray]]:
    """Where the window stands, and the outputs made there: several of an upsampling, else one."""
    starts = axis.places[:, 0]
    return [(axis.places[starts == start][0], np.flatnonzero(starts == start)) for start in np.unique(starts)]


def _steps(animation: Animation) -> Iterator[_Step]:
    for number, stage in enumerate(animation.stages):
        all_rows = animation.rows is None or number < len(animation.stages) - 1
        rows, columns = (_positions(axis) for axis in stage.axes)
        for channel in range(stage.channels[1]):
            for row, (row_places, row_outputs) in enumerate(rows):
                shown = all_rows or row in animation.rows
                for column_places, column_outputs in columns:
                    yield _Step(shown, number, channel, (row_places, column_places), (row_outputs, column_outputs))


class _Cover(NamedTuple):
    """Cells of one sheet that take part in a step: rows, columns (places) and maps."""

    rows: np.ndarray
    columns: np.ndarray
    maps: list[int]


def _covers(animation: Animation, step: _Step) -> list[_Cover]:
    """What the step's window covers, sheet by sheet: last that of its stage, before it what reaches through."""
    stage = animation.stages[step.stage]
    covers = [_Cover(*step.places, _channels_read(stage, step.channel))]
    for number in range(step.stage - 1, -1, -1):
        above, below = animation.stages[number], animation.stages[number + 1]
        places = []
        for axis, next_axis, covered in zip(above.axes, below.axes, covers[0][:2]):
            sources = next_axis.cells[covered]
            places.append(np.unique(axis.places[sources[sources >= 0]]))
        maps = sorted({read for channel in covers[0].maps for read in _channels_read(above, channel)})
        covers.insert(0, _Cover(*places, maps))
    return covers


# ---- where it is drawn -------------------------------------------------------------------------------------------

LEAST_PITCH = 8  # pixels; half of that at half width, where the cells can just be told apart
LEAST_TEXT = 9  # pixels


class _Sheet(NamedTuple):
    """A grid in the picture: the input, the output of a stage (with what the next one puts around it), ...

    ``cells``: what lies in each row and in each column, as in :class:`Axis`. ``corners``: left and top of each map,
    in pixels. ``values``: (height, width, maps), or ``None``.
    """

    cells: tuple[np.ndarray, np.ndarray]
    corners: list[tuple[int, int]]
    values: np.ndarray | None

    def kind(self, row: int, column: int) -> int:
        """``BORDER``, ``ZERO``, or 0 for a real cell."""
        kinds = (self.cells[0][row], self.cells[1][column])
        return BORDER if BORDER in kinds else ZERO if ZERO in kinds else 0

    def places(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the real cells of these indices lie."""
        return np.flatnonzero(self.cells[0] >= 0)[rows], np.flatnonzero(self.cells[1] >= 0)[columns]


class _Layout(NamedTuple):
    """``pitch``: pixels from cell to cell. ``gaps``: top and bottom of the space below each sheet.

    ``weights``: of each stage, as they lie under the window, or ``None``. ``sums``: for each step, shown or not, the
    lines of text below the picture; they begin at ``text_top``. ``text_sizes``: pixels, in the cells and below.
    """

    pitch: int
    sheets: list[_Sheet]
    gaps: list[tuple[int, int]]
    size: tuple[int, int]
    weights: list[np.ndarray | None]
    sums: list[list[str]]
    text_top: int
    text_sizes: tuple[int, int]

    def box(self, sheet: int, channel: int, row: int, column: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of a cell; ``row`` and ``column`` count the border and the zeros too."""
        left, top = self.sheets[sheet].corners[channel]
        left, top = left + column * self.pitch, top + row * self.pitch
        return left, top, left + self.pitch, top + self.pitch


def _layout(animation: Animation) -> _Layout:
    stages, width = animation.stages, animation.width
    grids = [tuple(axis.cells for axis in stage.axes) for stage in stages]
    grids.append(tuple(np.arange(len(axis.places)) for axis in stages[-1].axes))
    maps = [stage.channels[0] for stage in stages] + [stages[-1].channels[1]]
    strip = stages[0].dimensions == 1
    across, down = ([1] * len(maps), maps) if strip else (maps, [1] * len(maps))

    # Between two maps lies half a cell.
    extents = [
        (len(columns) * a + (a - 1) / 2, len(rows) * d + (d - 1) / 2)
        for (rows, columns), a, d in zip(grids, across, down)
    ]
    margin = max(width // 50, 2)
    pitch = min(width // 8, int((width - 2 * margin) / max(columns for columns, _ in extents)))
    if pitch < LEAST_PITCH:
        raise InputError(f"{math.ceil(max(columns for columns, _ in extents))} cells side by side are too small in "
                         f"{width} pixels; give a larger width, or a smaller input")
    arrays, weights = _numbers(animation)
    sums = [] if animation.numbers is None else _sums(animation, arrays, weights)
    text_sizes = _text_sizes(arrays, weights, sums, pitch, width, width - 2 * margin)

    sheets, gaps, top = [], [], margin
    for (rows, columns), (wide, high), count, values in zip(grids, extents, maps, arrays):
        left = (width - round(wide * pitch)) // 2
        shifts = [round(number * pitch * ((len(rows) if strip else len(columns)) + 0.5)) for number in range(count)]
        corners = [(left, top + shift) if strip else (left + shift, top) for shift in shifts]
        sheets.append(_Sheet((rows, columns), corners, values))
        top += round(high * pitch)
        gaps.append((top, top + max(pitch * 3 // 4, width // 20)))
        top = gaps[-1][1]
    text_top = top
    height = top + round(1.3 * text_sizes[1] * max(map(len, sums))) + margin if sums else gaps[-1][0] + margin
    if height > 8 * width:
        raise InputError(f"a picture of {width} x {height} pixels is too tall; make the input less tall")
    return _Layout(pitch, sheets, gaps, (width, height), weights, sums, text_top, text_sizes)


def _numbers(animation: Animation) -> tuple[list[np.ndarray | None], list[np.ndarray | None]]:
    """The numbers of each sheet, (height, width, maps), and the weights of each stage as they lie under the window."""
    stages, numbers = animation.stages, animation.numbers
    if numbers is None:
        return [None] * (len(stages) + 1), [None] * len(stages)
    weighted = [_weights_shape(stage) is not None for stage in stages]
    if len(numbers.weights) != sum(weighted):
        raise InputError(f"there are {len(numbers.weights)} arrays of weights for {sum(weighted)} convolutions; "
                         f"give a list with one for each")
    arrays = [_shaped(numbers.values, stages[0].input_shape, 1, "values")]
    laid_weights, rest = [], iter(numbers.weights)
    for stage, has_weights in zip(stages, weighted):
        weights = next(rest) if has_weights else None
        arrays.append(apply(stage, arrays[-1], weights))
        laid_weights.append(_laid_weights(stage, weights) if has_weights else None)
    return [array if array.ndim == 3 else array[None] for array in arrays], laid_weights


def _sums(animation: Animation, arrays: list[np.ndarray], weights: list[np.ndarray | None]) -> list[list[str]]:
    """For each step, how its number comes about: a line for each row of the window, and the result."""
    laid = [_lay_out(stage, values.reshape(stage.input_shape)) for stage, values in zip(animation.stages, arrays)]
    sums = []
    for step in _steps(animation):
        stage, kernel = animation.stages[step.stage], weights[step.stage]
        window = np.ix_(*step.places, _channels_read(stage, step.channel))
        counts = _real(stage)[..., 0][np.ix_(*step.places)]
        result = _text(arrays[step.stage + 1][step.outputs[0][0], step.outputs[1][0], step.channel])
        lines = []
        for channel, seen in enumerate(np.moveaxis(laid[step.stage][window], 2, 0)):
            for row in range(len(seen)):
                if kernel is not None:
                    pairs = zip(seen[row], kernel[row, :, channel, step.channel])
                    lines.append(" + ".join(f"{_text(value)}*{_text(weight)}" for value, weight in pairs))
                else:
                    join = " + " if stage.rule is Rule.MEAN else "   "
                    lines.append(join.join(map(_text, seen[row][counts[row]])))
        if stage.rule is Rule.MEAN:
            lines.append(f"divided by {counts.sum()}  =  {result}")
        elif stage.rule is Rule.MAXIMUM:
            lines.append(f"largest  =  {result}")
        elif stage.rule is not Rule.COPY:
            lines.append(f"=  {result}")
        sums.append(lines)
    return sums


def _text(number: float) -> str:
    number = float(number) + 0.0  # no -0
    return f"{number:.0f}" if number.is_integer() else f"{number:.3g}"


def _text_sizes(
    arrays: list[np.ndarray | None], weights: list[np.ndarray | None], sums: list[list[str]], pitch: int, width: int,
    room: int,
) -> tuple[int, int]:
    """Pixels, in the cells and below: as large as the longest text allows; ``room`` is the width less its margins."""
    if not sums:
        return 0, 0
    longest = max(_font(100).getlength(_text(number)) for array in arrays for number in array.flat)
    in_cells = math.floor(pitch * (0.42 if any(kernel is not None for kernel in weights) else 0.5))
    in_cells = min(in_cells, math.floor(100 * 0.75 * pitch / longest))
    longest = max(_font(100).getlength(line) for lines in sums for line in lines)
    below = min(room // 22, math.floor(100 * room / longest))
    if min(in_cells, below) < LEAST_TEXT:
        raise InputError(f"the numbers do not fit into a picture of {width} pixels; give a larger width, or a "
                         f"smaller input or kernel")
    return in_cells, below


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Pillow's own font, and its own placing of the letters, are the same on every machine.
    return ImageFont.load_default(size).font_variant(layout_engine=ImageFont.Layout.BASIC)


# ---- drawing -----------------------------------------------------------------------------------------------------


class Color(IntEnum):
    """Places in the palette. Those that meet differ in lightness, so that they differ in grey, too."""

    WHITE = 0  # paper; cells of the output that are not made yet
    INK = 1  # text on what is light
    GREY = 2  # outlines
    PALE = 3  # zeros put in between
    SHADE = 4  # border and zeros under the window
    BLUE = 5  # input
    NAVY = 6  # input under the window
    SKY = 7  # output of one stage and input of the next
    STEEL = 8  # the same under the window
    CYAN = 9  # output
    TEAL = 10  # output that is being made
    ORANGE = 11  # around the window
    CREAM = 12  # from the window to the output
    YELLOW = 13  # weights, on what is dark
    BROWN = 14  # weights, on what is light


RGB = {
    Color.WHITE: (255, 255, 255),
    Color.INK: (20, 24, 32),
    Color.GREY: (128, 134, 146),
    Color.PALE: (232, 234, 238),
    Color.SHADE: (186, 190, 198),
    Color.BLUE: (74, 134, 212),
    Color.NAVY: (22, 52, 110),
    Color.SKY: (136, 200, 240),
    Color.STEEL: (18, 84, 122),
    Color.CYAN: (84, 214, 212),
    Color.TEAL: (0, 104, 108),
    Color.ORANGE: (240, 130, 0),
    Color.CREAM: (255, 228, 190),
    Color.YELLOW: (255, 222, 110),
    Color.BROWN: (122, 58, 0),
}


class _Look(NamedTuple):
    """Colours of a cell: ``fill``, its number's ``text``, its ``weight``."""

    fill: Color
    text: Color
    weight: Color = Color.BROWN


# Plain, and under the window or being made.
BORDER_LOOKS = _Look(Color.WHITE, Color.INK), _Look(Color.SHADE, Color.INK)
ZERO_LOOKS = _Look(Color.PALE, Color.INK), _Look(Color.SHADE, Color.INK)
INPUT_LOOKS = _Look(Color.BLUE, Color.INK), _Look(Color.NAVY, Color.WHITE, Color.YELLOW)
MIDDLE_LOOKS = _Look(Color.SKY, Color.INK), _Look(Color.STEEL, Color.WHITE, Color.YELLOW)
OUTPUT_LOOKS = _Look(Color.CYAN, Color.INK), _Look(Color.TEAL, Color.WHITE, Color.YELLOW)

# Text gets smooth edges from two colours between it and what it stands on.
_BLENDS = {
    pair: len(Color) + 2 * number
    for number, pair in enumerate(sorted({
        (look.fill, color)
        for looks in (BORDER_LOOKS, ZERO_LOOKS, INPUT_LOOKS, MIDDLE_LOOKS, OUTPUT_LOOKS)
        for look in looks for color in (look.text, look.weight)
    }))
}


def _palette() -> list[tuple[int, int, int]]:
    colors = [RGB[color] for color in Color]
    for paper, ink in _BLENDS:
        for part in (1, 2):
            colors.append(tuple((a * (3 - part) + b * part) // 3 for a, b in zip(RGB[paper], RGB[ink])))
    return colors


PALETTE = _palette()


def draw(animation: Animation) -> list[Image.Image]:
    """Draw the frames: all of one size, with :data:`PALETTE`; the last is the finished output."""
    layout = _layout(animation)
    pen = _Pen(animation, layout)
    frames = []
    for number, step in enumerate(_steps(animation)):
        if step.shown:
            frames.append(pen.frame(step, layout.sums[number] if layout.sums else []))
        pen.make(step)
    return [*frames, pen.canvas]


class _Pen:
    """Draws on ``canvas``, which holds all that has been made so far."""

    def __init__(self, animation: Animation, layout: _Layout) -> None:
        self.animation = animation
        self.layout = layout
        last = len(layout.sheets) - 1
        self.looks = [INPUT_LOOKS] + [MIDDLE_LOOKS] * (last - 1) + [OUTPUT_LOOKS]
        self.canvas = Image.new("P", layout.size, Color.WHITE)
        self.canvas.putpalette([value for color in PALETTE for value in color])
        for sheet in range(last + 1):
            rows, columns = (np.arange(len(cells)) for cells in layout.sheets[sheet].cells)
            self._cells(self.canvas, sheet, _Cover(rows, columns, range(len(layout.sheets[sheet].corners))),
                        empty=sheet > 0)

    def make(self, step: _Step) -> None:
        """Fill in the output cells that the step makes."""
        self._cells(self.canvas, step.stage + 1, self._made(step))

    def frame(self, step: _Step, sums: list[str]) -> Image.Image:
        """The canvas with the window on it, and the cells that it makes."""
        image = self.canvas.copy()
        covers = [*_covers(self.animation, step), self._made(step)]
        for sheet, (above, below) in enumerate(zip(covers, covers[1:])):
            self._beam(image, sheet, above, below)
        for sheet, cover in enumerate(covers):
            self._cells(image, sheet, cover, step=step)
            self._outlines(image, sheet, cover)
        size = self.layout.text_sizes[1]
        for number, line in enumerate(sums):
            middle = self.layout.size[0] / 2, self.layout.text_top + (number + 0.5) * 1.3 * size
            _write(image, middle, line, size, BORDER_LOOKS[0].fill, BORDER_LOOKS[0].text)
        return image

    def _made(self, step: _Step) -> _Cover:
        return _Cover(*self.layout.sheets[step.stage + 1].places(*step.outputs), [step.channel])

    def _cells(
        self, image: Image.Image, sheet: int, cover: _Cover, empty: bool = False, step: _Step | None = None
    ) -> None:
        """Draw cells: ``empty`` ones, or with a ``step`` those that take part in it."""
        for number, channel in enumerate(cover.maps):
            for row_tap, row in enumerate(cover.rows):
                for column_tap, column in enumerate(cover.columns):
                    weight = None
                    if step is not None and step.stage == sheet and self.layout.weights[sheet] is not None:
                        weight = self.layout.weights[sheet][row_tap, column_tap, number, step.channel]
                    self._cell(image, sheet, (channel, row, column), empty, step is not None, weight)

    def _cell(
        self, image: Image.Image, sheet: int, cell: tuple[int, int, int], empty: bool, taking_part: bool,
        weight: float | None,
    ) -> None:
        """Draw one cell: ``cell`` is its map, row and column."""
        kind = self.layout.sheets[sheet].kind(*cell[1:])
        look = (BORDER_LOOKS if kind == BORDER else ZERO_LOOKS if kind == ZERO else self.looks[sheet])[taking_part]
        left, top, right, bottom = self.layout.box(sheet, *cell)
        pitch = self.layout.pitch
        inset = max(1, pitch // 20)  # so that white stays between the cells
        tile = left + inset, top + inset, right - inset - 1, bottom - inset - 1
        drawing = ImageDraw.Draw(image)
        outline = Color.GREY if kind == ZERO or empty and kind != BORDER else None
        drawing.rectangle(tile, Color.WHITE if empty and kind != ZERO else look.fill, outline, max(1, pitch // 24))
        if kind == BORDER:
            _dashes(drawing, tile, pitch)
        number = self._number(sheet, cell, kind, empty, weight)
        if kind == ZERO and number is None:  # a dot in its place
            dot = max(1, pitch // 10)
            middle = (left + right - 1) / 2, (top + bottom - 1) / 2
            drawing.rectangle((*(round(x - dot / 2) for x in middle), *(round(x + dot / 2) for x in middle)), look.text)

        size = self.layout.text_sizes[0]
        # Where a weight may come beside it, the number stands a little off the middle.
        weighted = sheet < len(self.layout.weights) and self.layout.weights[sheet] is not None
        part = 0.4 if weighted else 0.5
        if number is not None:
            _write(image, (left + part * pitch, top + part * pitch), _text(number), size, look.fill, look.text)
        if weight is not None:
            middle = left + 0.76 * pitch, top + 0.75 * pitch
            _write(image, middle, _text(weight), round(0.8 * size), look.fill, look.weight)

    def _number(
        self, sheet: int, cell: tuple[int, int, int], kind: int, empty: bool, weight: float | None
    ) -> float | None:
        """What is written in a cell. A border shows its 0 only where it is multiplied."""
        grid = self.layout.sheets[sheet]
        if kind == BORDER:
            return None if weight is None else 0
        if grid.values is None:
            return None
        if kind == ZERO:
            return 0
        channel, row, column = cell
        return None if empty else grid.values[grid.cells[0][row], grid.cells[1][column], channel]

    def _outlines(self, image: Image.Image, sheet: int, cover: _Cover) -> None:
        """Frame what is covered, on each map."""
        for channel in cover.maps:
            box = self._bounds(sheet, cover, channel)
            if box is not None:
                thick = max(2, self.layout.pitch // 9)
                outer = (box[0] - thick // 2, box[1] - thick // 2, box[2] + thick // 2 - 1, box[3] + thick // 2 - 1)
                ImageDraw.Draw(image).rectangle(outer, outline=Color.ORANGE, width=thick)

    def _beam(self, image: Image.Image, sheet: int, above: _Cover, below: _Cover) -> None:
        """From what is covered on a sheet to what it makes on the next, in the gap between the two."""
        top, bottom = self.layout.gaps[sheet]
        for source in above.maps:
            for target in below.maps:
                upper, lower = self._bounds(sheet, above, source), self._bounds(sheet + 1, below, target)
                if upper is not None and lower is not None:
                    corners = (upper[0], top + 2), (upper[2], top + 2), (lower[2], bottom - 3), (lower[0], bottom - 3)
                    ImageDraw.Draw(image).polygon(corners, fill=Color.CREAM)

    def _bounds(self, sheet: int, cover: _Cover, channel: int) -> tuple[int, int, int, int] | None:
        """The box around all cells that are covered on a map; ``None`` where there are none."""
        if not (len(cover.rows) and len(cover.columns)):
            return None
        left, top, _, _ = self.layout.box(sheet, channel, cover.rows.min(), cover.columns.min())
        _, _, right, bottom = self.layout.box(sheet, channel, cover.rows.max(), cover.columns.max())
        return left, top, right, bottom


def _dashes(drawing: ImageDraw.ImageDraw, tile: tuple[int, int, int, int], pitch: int) -> None:
    """A dashed outline, with a dash at each corner."""
    left, top, right, bottom = tile
    thick = max(1, pitch // 16)
    side = right - left + 1
    dash = max(2, pitch // 7)
    count = max(2, round((side + 0.8 * dash) / (1.8 * dash)))
    for number in range(count):
        start = round(number * (side - dash) / (count - 1))
        for edge in (top, bottom - thick + 1):
            drawing.rectangle((left + start, edge, left + start + dash - 1, edge + thick - 1), fill=Color.GREY)
        for edge in (left, right - thick + 1):
            drawing.rectangle((edge, top + start, edge + thick - 1, top + start + dash - 1), fill=Color.GREY)


def _write(
    image: Image.Image, middle: tuple[float, float], text: str, size: int, paper: Color, ink: Color
) -> None:
    """Write ``text`` with its middle at a point; the height of a digit counts, whatever the letters are."""
    font = _font(size)
    left, top, right, bottom = font.getbbox("0", anchor="ls")
    width = math.ceil(font.getlength(text))
    mask = Image.new("L", (width + 2, 2 * size))
    ImageDraw.Draw(mask).text((1, 1.5 * size), text, fill=255, font=font, anchor="ls")
    corner = round(middle[0] - width / 2) - 1, round(middle[1] - (top + bottom) / 2 - 1.5 * size)
    first = _BLENDS[paper, ink]
    for color, least in ((first, 43), (first + 1, 128), (ink, 213)):  # thirds
        image.paste(color, (*corner, corner[0] + mask.width, corner[1] + mask.height),
                    mask.point([255 if value >= least else 0 for value in range(256)]))


# ---- files, and pictures in a notebook ---------------------------------------------------------------------------

HOLD = 3  # how many times longer the finished output is shown, before it all begins again


def gif(animation: Animation) -> bytes:
    """The animation as a GIF that loops for ever: the same bytes for the same version of Pillow."""
    return _moving(animation, "GIF")


def save_gif(animation: Animation, path: str | Path) -> None:
    """Write the animation as a GIF.

    Raises:
        OSError: the folder cannot be written to.
    """
    with whole_file(Path(path)) as temporary:
        temporary.write_bytes(gif(animation))


def still(animation: Animation, frame: int = 0, scale: int = 1) -> Image.Image:
    """One frame, for print and for slides.

    Args:
        frame: counted from 0; -1 is the finished output.
        scale: draws it (not stretches it) so many times larger.
    Raises:
        InputError: there is no such frame.
    """
    (scale,) = _each(scale, (0,), "scale", 1)
    frames = draw(animation._replace(width=animation.width * scale))
    if not -len(frames) <= frame < len(frames):
        raise InputError(f"there is no frame {frame}; choose from 0 to {len(frames) - 1}")
    return frames[frame]


def save_still(animation: Animation, path: str | Path, frame: int = 0, scale: int = 1) -> None:
    """Write one frame, as PNG if the path ends so. Args and errors as in :func:`still`, and ``OSError``."""
    image = still(animation, frame, scale)
    with whole_file(Path(path)) as temporary:
        image.save(temporary)


def show(animation: Animation) -> "display.Image":
    """The animation as what a notebook displays: a moving PNG.

    Not a GIF, because nbconvert has no place for a GIF among a cell's outputs; a PNG is shown wherever a picture is,
    and every browser lets it move.
    """
    from IPython import display  # here, because only notebooks have it

    return display.Image(_moving(animation, "PNG"))


def slider(animation: Animation) -> "display.HTML":
    """The frames under a slider, as what a notebook displays.

    Plain HTML that needs no widgets and no network: it works in JupyterLab, in Colab and in an exported page. Where
    scripts are not let in, as on GitHub and in a notebook that is not trusted, at most the first frame is seen.
    """
    from IPython import display  # here, because only notebooks have it

    pictures = []
    for frame in _few_colors(draw(animation)):
        file = io.BytesIO()
        frame.save(file, "PNG")
        pictures.append("data:image/png;base64," + base64.b64encode(file.getvalue()).decode())
    move = "this.parentNode.querySelector('img').src = this.dataset.frames.split(' ')[this.value]"
    return display.HTML(
        f'<div style="width: {animation.width}px">'
        f'<img alt="frame" width="{animation.width}" src="{pictures[0]}">'
        f'<input type="range" style="width: 100%" min="0" max="{len(pictures) - 1}" value="0" aria-label="frame" '
        f'data-frames="{" ".join(pictures)}" oninput="{move}">'
        f"</div>"
    )


def _moving(animation: Animation, kind: str) -> bytes:
    """A file with all frames; ``kind`` is Pillow's name of the format, GIF or PNG."""
    frames = _few_colors(draw(animation))
    durations = [animation.milliseconds] * (len(frames) - 1) + [HOLD * animation.milliseconds]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return file.getvalue()


def _few_colors(frames: list[Image.Image]) -> list[Image.Image]:
    """The frames with a palette of only those colours that occur in them, which makes smaller files."""
    used = sorted({index for frame in frames for _, index in frame.getcolors()})
    places = [used.index(index) if index in used else 0 for index in range(256)]
    palette = [value for index in used for value in PALETTE[index]]
    result = []
    for frame in frames:
        frame = frame.point(places)
        frame.putpalette(palette)
        result.append(frame)
    return result


# ---- the files in gif/ -------------------------------------------------------------------------------------------


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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help names the options\n")  # one line, without the usage


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw all files of the table. Returns the exit code: 0, or 2 with one line on stderr."""
    parser = _Parser(prog="python -m dcgan_lib.animations", description="Draw the animations in gif/ again.")
    parser.add_argument("--out", type=Path, default=Path("gif"), help="folder for the files (default: %(default)s)")
    out = parser.parse_args(arguments).out
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, animation in FILES.items():
            path = out / f"{name}.gif"
            save_gif(animation, path)
            print(f"{path}  {path.stat().st_size / 1000:.0f} kB")
    except OSError as error:
        print(f"{out}: cannot be written to ({error.strerror}); name another --out", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
