"""What an animation shows, step by step, and where in the picture.

What belongs here: the parameters of an animation, which cells take part in each of its frames, the sums below them,
and the pixels of it all. No colours, and nothing that draws.
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from PIL import ImageFont

from ..errors import InputError
from .arithmetic import BORDER, ZERO, Axis, Operation, Rule, apply, laid_values, laid_weights, whole_number

MAX_FRAMES = 1000  # more would take minutes to draw, and nobody would watch them
MAX_MILLISECONDS = 20_000  # of a frame; a PNG has two bytes for them, and the last frame is held longer
MAX_WIDTH = 2000  # pixels; all frames have to fit into the memory
LEAST_PITCH = 8  # pixels; half of that at half width, where the cells can just be told apart
LEAST_TEXT = 9  # pixels

Cover = tuple[np.ndarray, np.ndarray]  # rows and columns of a sheet, whose cells take part in a step


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

    One frame for each position of a window, and at the end one of the finished output.

    Args:
        stages: one operation, or several, each on the output of the one before.
        numbers: drawn in the cells, with the sum below them; see also :func:`example_numbers`.
        rows: which rows of windows of the last stage get frames, counted from 0, for large pictures.
        milliseconds: how long one frame is shown.
        width: of the picture in pixels. Made to be shown at half of it: screens have two pixels for one.
    Raises:
        InputError: stages or numbers do not fit together, or the picture would not be legible.
    """
    if not stages or not all(isinstance(stage, Operation) for stage in stages):
        raise InputError("there is nothing to draw; give an operation, such as convolution((5, 5), 3)")
    for before, after in pairwise(stages):
        if before.output_shape != after.input_shape:
            raise InputError(f"a stage gives {before.output_shape} and the next takes {after.input_shape}; "
                             f"make them the same")
    if not (numbers is None or isinstance(numbers, Numbers)):
        raise InputError("numbers come as Numbers(values, [weights]); give them so, or example_numbers(operation)")
    milliseconds = whole_number(milliseconds, "milliseconds", 20, MAX_MILLISECONDS)
    width = whole_number(width, "width", 1, MAX_WIDTH)
    if rows is not None:
        rows = _chosen_rows(rows, len(_positions(stages[-1].axes[0])))
    animation = Animation(stages, numbers, rows, milliseconds, width)
    frames = lay_out(animation).frames  # which refuses what would not be legible
    if frames > MAX_FRAMES:
        raise InputError(f"{frames} frames are too many to watch; give rows, or make the input smaller")
    return animation


def example_numbers(*stages: Operation) -> Numbers:
    """Small whole numbers for the input and the weights, the same at every call: sums that can be done in the head."""
    shapes = [stages[0].input_shape, *(stage.weights_shape for stage in stages if stage.weights_shape)]
    # Powers modulo a prime look unordered and need no random numbers.
    powers = [np.reshape([pow(3, n + 4, 31) for n in range(math.prod(shape))], shape) for shape in shapes]
    return Numbers(powers[0] % 4 + 1, [power % 3 + 1 for power in powers[1:]])


class Sheet(NamedTuple):
    """A grid in the picture: the input, the output of a stage (with what the next one puts around it), ...

    ``cells``: what lies in each row and in each column, as in :class:`Axis`. ``left``, ``top``: in pixels. ``numbers``:
    (rows, columns), or ``None``. ``weights``: as they lie under the window of the stage below, or ``None``.
    """

    cells: tuple[np.ndarray, np.ndarray]
    left: int
    top: int
    numbers: np.ndarray | None
    weights: np.ndarray | None

    @property
    def kinds(self) -> np.ndarray:
        """(rows, columns): ``BORDER``, ``ZERO``, or 0 for a real cell."""
        rows, columns = self.cells[0][:, None], self.cells[1]
        zeros = np.where((rows == ZERO) | (columns == ZERO), ZERO, 0)
        return np.where((rows == BORDER) | (columns == BORDER), BORDER, zeros)


class Step(NamedTuple):
    """One position of the window of a stage. ``shown``: it gets a frame.

    ``covers``: of each sheet from the input to the one that is made, what takes part. ``sums``: lines of text.
    """

    shown: bool
    covers: list[Cover]
    sums: list[str]


class Layout(NamedTuple):
    """``pitch``: pixels from cell to cell. ``size``: width and height of the picture in pixels.

    The sums begin at ``text_top``. ``text_sizes``: pixels, in the cells and below.
    """

    pitch: int
    size: tuple[int, int]
    sheets: list[Sheet]
    steps: list[Step]
    text_top: int
    text_sizes: tuple[int, int]

    @property
    def frames(self) -> int:
        """How many there are, with that of the finished output."""
        return 1 + sum(step.shown for step in self.steps)

    def box(self, sheet: Sheet, cover: Cover) -> tuple[int, int, int, int] | None:
        """Left, top, right and bottom around all cells that are covered; ``None`` where there are none."""
        rows, columns = cover
        if not (len(rows) and len(columns)):
            return None
        return (sheet.left + min(columns) * self.pitch, sheet.top + min(rows) * self.pitch,
                sheet.left + (max(columns) + 1) * self.pitch, sheet.top + (max(rows) + 1) * self.pitch)


def lay_out(animation: Animation) -> Layout:
    """Find the place of everything.

    Raises:
        InputError: the numbers do not fit, or the picture would not be legible.
    """
    stages, width = animation.stages, animation.width
    grids = [tuple(axis.cells for axis in stage.axes) for stage in stages]
    grids.append(tuple(np.arange(len(axis.places)) for axis in stages[-1].axes))
    margin, longest = max(width // 50, 2), max(len(columns) for _, columns in grids)
    pitch = min(width // 8, (width - 2 * margin) // longest)
    if pitch < LEAST_PITCH:
        raise InputError(f"{longest} cells side by side are too small in {width} pixels; give a larger width, or a "
                         f"smaller input")
    gap = max(pitch * 3 // 4, width // 20)
    sheets, top = [], margin
    for (rows, columns), numbers, weights in zip(grids, *_numbers(animation)):
        sheets.append(Sheet((rows, columns), (width - len(columns) * pitch) // 2, top, numbers, weights))
        top += len(rows) * pitch + gap
    steps = list(_steps(animation, sheets))
    text_sizes = _text_sizes(sheets, steps, pitch, width, width - 2 * margin) if animation.numbers else (0, 0)
    height = top - gap + margin
    if animation.numbers:
        height += gap + round(1.3 * text_sizes[1] * max(len(step.sums) for step in steps))
    if height > 8 * width:
        raise InputError(f"a picture of {width} x {height} pixels is too tall; make the input less tall")
    return Layout(pitch, (width, height), sheets, steps, top, text_sizes)


def text(number: float) -> str:
    """The number as it stands in a cell."""
    number = float(number) + 0.0  # no -0
    return f"{number:.0f}" if number.is_integer() else f"{number:.3g}"


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font, and its own placing of the letters, which are the same on every machine."""
    return ImageFont.load_default(size).font_variant(layout_engine=ImageFont.Layout.BASIC)


def _chosen_rows(rows: Sequence[int], count: int) -> tuple[int, ...]:
    chosen = {whole_number(row, "rows", 0, count - 1) for row in rows} if np.iterable(rows) else ()
    if not chosen:
        raise InputError(f"rows={rows!r:.40} is no list of rows; give one, with numbers from 0 to {count - 1}")
    return tuple(sorted(chosen))


def _numbers(animation: Animation) -> tuple[list[np.ndarray | None], list[np.ndarray | None]]:
    """The numbers of each sheet, and the weights on it, both as :class:`Sheet` has them."""
    stages, numbers = animation.stages, animation.numbers
    if numbers is None:
        return [None] * (len(stages) + 1), [None] * (len(stages) + 1)
    given = list(numbers.weights) if np.iterable(numbers.weights) else [numbers.weights]
    count = sum(stage.weights_shape is not None for stage in stages)
    if len(given) != count:
        raise InputError(f"there are {len(given)} arrays of weights for {count} convolutions; give a list with one "
                         f"for each")
    values, on_sheets, on_windows = numbers.values, [], []
    for stage in stages:
        weights = given.pop(0) if stage.weights_shape else None
        on_sheets.append(laid_values(stage, values)[0])
        on_windows.append(laid_weights(stage, weights) if stage.weights_shape else None)
        values = apply(stage, values, weights)
    return [*on_sheets, values.reshape([len(axis.places) for axis in stages[-1].axes])], [*on_windows, None]


def _positions(axis: Axis) -> list[tuple[np.ndarray, np.ndarray]]:
    """Where the window stands, and the outputs made there: several of an upsampling, else one."""
    starts = axis.places[:, 0]
    return [(axis.places[starts == start][0], np.flatnonzero(starts == start)) for start in np.unique(starts)]


def _steps(animation: Animation, sheets: list[Sheet]) -> Iterator[Step]:
    for number, stage in enumerate(animation.stages):
        all_rows = animation.rows is None or number < len(animation.stages) - 1
        above, below = sheets[number], sheets[number + 1]
        real_rows, real_columns = (np.flatnonzero(cells >= 0) for cells in below.cells)
        for row, (rows, made_rows) in enumerate(_positions(stage.axes[0])):
            for columns, made_columns in _positions(stage.axes[1]):
                window, made = (rows, columns), (real_rows[made_rows], real_columns[made_columns])
                sums = [] if above.numbers is None else _sum(stage.rule, above, window, below.numbers[made][0])
                covers = [*_seen(animation.stages[: number + 1], window), made]
                yield Step(all_rows or row in animation.rows, covers, sums)


def _seen(stages: tuple[Operation, ...], window: Cover) -> list[Cover]:
    """What a window of the last of the stages covers, and before it what reaches through from each sheet above."""
    covers = [window]
    for below, above in pairwise(reversed(stages)):
        inputs = [axis.cells[covered] for axis, covered in zip(below.axes, covers[0])]
        real = [cells[cells >= 0] for cells in inputs]
        covers.insert(0, tuple(np.unique(axis.places[cells]) for axis, cells in zip(above.axes, real)))
    return covers


def _sum(rule: Rule, sheet: Sheet, window: Cover, result: float) -> list[str]:
    """How a number comes about: a line for each row of the window, and the result."""
    seen, counts = sheet.numbers[np.ix_(*window)], sheet.kinds[np.ix_(*window)] == 0
    if sheet.weights is not None:
        rows = zip(seen, sheet.weights)
        lines = [" + ".join(f"{text(value)}*{text(weight)}" for value, weight in zip(*row)) for row in rows]
    else:
        join = " + " if rule is Rule.MEAN else "   "
        lines = [join.join(map(text, values[real])) for values, real in zip(seen, counts)]
    ends = {Rule.COPY: [], Rule.MAXIMUM: [f"largest  =  {text(result)}"],
            Rule.MEAN: [f"divided by {counts.sum()}  =  {text(result)}"]}
    return lines + ends.get(rule, [f"=  {text(result)}"])


def _text_sizes(sheets: list[Sheet], steps: list[Step], pitch: int, width: int, room: int) -> tuple[int, int]:
    """Pixels, in the cells and below: as large as the longest text allows; ``room`` is the width less its margins."""
    letters = font(100).getlength
    weights = [sheet.weights for sheet in sheets if sheet.weights is not None]
    longest = max(letters(text(number)) for sheet in sheets for number in sheet.numbers.flat)
    # A weight has less room than a number, and is smaller.
    longest = max([longest, *(1.25 * letters(text(weight)) for array in weights for weight in array.flat)])
    in_cells = min(math.floor(pitch * (0.42 if weights else 0.5)), math.floor(75 * pitch / longest))
    below = min(room // 22, math.floor(100 * room / max(letters(line) for step in steps for line in step.sums)))
    if min(in_cells, below) < LEAST_TEXT:
        raise InputError(f"the numbers do not fit into a picture of {width} pixels; give a larger width, or a "
                         f"smaller input or kernel")
    return in_cells, below
