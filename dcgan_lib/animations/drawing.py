"""The frames of an animation, as images with one palette.

What belongs here: colours, how each kind of cell looks, and the drawing of what the layout says. Nothing about files.

A sheet is drawn from an array of stamps, a number for each cell; one small picture of each stamp is enough.
"""

import math
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise, product

import numpy as np
from PIL import Image, ImageDraw

from .layout import Animation, Layout, Sheet, Step, font, lay_out, text


class Color(IntEnum):
    """Places in the palette. Those that meet differ in lightness, so that they differ in grey, too."""

    def __new__(cls, *rgb: int) -> "Color":
        color = int.__new__(cls, len(cls.__members__))
        color._value_, color.rgb = int(color), rgb
        return color

    WHITE = 255, 255, 255  # paper; cells of the output that are not made yet
    INK = 20, 24, 32  # text on what is light
    GREY = 128, 134, 146  # outlines
    PALE = 232, 234, 238  # zeros put in between
    SHADE = 186, 190, 198  # border and zeros under the window
    BLUE = 74, 134, 212  # input
    NAVY = 22, 52, 110  # input under the window
    SKY = 136, 200, 240  # output of one stage and input of the next
    STEEL = 18, 84, 122  # the same under the window
    CYAN = 84, 214, 212  # output
    TEAL = 0, 104, 108  # output that is being made
    ORANGE = 240, 130, 0  # around the window
    CREAM = 255, 228, 190  # from the window to the output
    YELLOW = 255, 222, 110  # weights, on what is dark
    BROWN = 122, 58, 0  # weights, on what is light


# Of each kind of cell the plain one, and after it the one that takes part in a step.
FILLS = (
    Color.WHITE, Color.SHADE, Color.PALE, Color.SHADE,  # border, zeros
    Color.BLUE, Color.NAVY, Color.SKY, Color.STEEL, Color.CYAN, Color.TEAL,  # input, between two stages, output
    Color.WHITE,  # not made yet; a cell that is being made looks like the output
)
BORDERS, ZEROS, INPUT, MIDDLE, OUTPUT, EMPTY = range(0, len(FILLS), 2)


def _inks(fill: Color) -> tuple[Color, Color]:
    """Of the number and of the weight on a cell of this colour."""
    return (Color.WHITE, Color.YELLOW) if fill in (Color.NAVY, Color.STEEL, Color.TEAL) else (Color.INK, Color.BROWN)


# Text gets smooth edges from two colours between it and what it stands on.
_BLENDS = {
    pair: len(Color) + 2 * number
    for number, pair in enumerate(sorted({(fill, ink) for fill in FILLS for ink in _inks(fill)}))
}
PALETTE = [color.rgb for color in Color] + [
    tuple((a * (3 - part) + b * part) // 3 for a, b in zip(paper.rgb, ink.rgb))
    for paper, ink in _BLENDS for part in (1, 2)
]


def draw(animation: Animation) -> list[Image.Image]:
    """Draw the frames: all of one size, with :data:`PALETTE`; the last is the finished output."""
    return list(frames(lay_out(animation)))


def frames(layout: Layout) -> Iterator[Image.Image]:
    """The same, one at a time."""
    dotted = layout.sheets[0].numbers is None
    tiles = np.stack([_tile(stamp, layout.pitch, dotted) for stamp in range(len(FILLS))])
    finished = [INPUT] + [MIDDLE] * (len(layout.sheets) - 2) + [OUTPUT]
    maps = [np.choose(-sheet.kinds, [EMPTY, BORDERS, ZEROS]) for sheet in layout.sheets]
    maps[0][maps[0] == EMPTY] = INPUT
    for step in layout.steps:
        making = len(step.covers) - 1
        maps[making][np.ix_(*step.covers[-1])] = finished[making]
        if step.shown:
            yield _frame(layout, tiles, maps, step)
    yield _frame(layout, tiles, maps, Step(True, [], []))


def _frame(layout: Layout, tiles: np.ndarray, maps: list[np.ndarray], step: Step) -> Image.Image:
    """What the maps say, with the step on it."""
    picture = np.full(layout.size[::-1], Color.WHITE, np.uint8)
    for number, (sheet, stamps) in enumerate(zip(layout.sheets, maps)):
        stamps = stamps.copy()
        for cover in step.covers[number : number + 1]:
            stamps[np.ix_(*cover)] += 1
        height, width = layout.pitch * np.array(stamps.shape)
        cells = tiles[stamps].swapaxes(1, 2).reshape(height, width)
        picture[sheet.top : sheet.top + height, sheet.left : sheet.left + width] = cells
        if sheet.numbers is not None:
            weighted = number == len(step.covers) - 2 and sheet.weights is not None
            weights = dict(zip(product(*step.covers[number]), sheet.weights.flat)) if weighted else {}
            _write_numbers(picture, layout, sheet, stamps, weights)
    size = layout.text_sizes[1]
    for number, line in enumerate(step.sums):
        middle = layout.size[0] / 2, layout.text_top + (number + 0.5) * 1.3 * size
        _write(picture, middle, line, size, Color.WHITE, Color.INK)
    image = Image.fromarray(picture)
    image.putpalette([value for color in PALETTE for value in color])
    _draw_window(ImageDraw.Draw(image), layout, step)
    return image


def _draw_window(drawing: ImageDraw.ImageDraw, layout: Layout, step: Step) -> None:
    """Frame what is covered on each sheet; beams lead from it, through the gaps, to what it makes on the next."""
    boxes = [layout.box(sheet, cover) for sheet, cover in zip(layout.sheets, step.covers)]
    for (sheet, upper), (below, lower) in pairwise(zip(layout.sheets, boxes)):
        if upper and lower:
            top, bottom = sheet.top + len(sheet.cells[0]) * layout.pitch + 2, below.top - 3
            drawing.polygon([(upper[0], top), (upper[2], top), (lower[2], bottom), (lower[0], bottom)], Color.CREAM)
    thick = max(2, layout.pitch // 9)
    for left, top, right, bottom in filter(None, boxes):
        outer = left - thick // 2, top - thick // 2, right + thick // 2 - 1, bottom + thick // 2 - 1
        drawing.rectangle(outer, outline=Color.ORANGE, width=thick)


def _tile(stamp: int, pitch: int, dotted: bool) -> np.ndarray:
    """The picture of a cell: uint8 (pitch, pitch). ``dotted``: a zero has a dot in the place of its number."""
    inset = max(1, pitch // 20)  # so that white stays between the cells
    tile = np.full((pitch, pitch), Color.WHITE, np.uint8)
    inner = tile[inset:-inset, inset:-inset]
    inner[:] = FILLS[stamp]
    side, kind = len(inner), stamp - stamp % 2
    if kind == BORDERS:  # dashes, with one at each corner
        dash = max(2, pitch // 7)
        count = max(2, round((side + 0.8 * dash) / (1.8 * dash)))
        starts = np.arange(count) * (side - dash) / (count - 1)
        line = (np.round(starts).astype(int)[:, None] + np.arange(dash)).ravel()
        _edge(inner, max(1, pitch // 16), line)
    elif kind in (ZEROS, EMPTY):
        _edge(inner, max(1, pitch // 24), np.arange(side))
    if kind == ZEROS and dotted:
        first, last = (round((pitch - 1 + way * max(1, pitch // 10)) / 2) for way in (-1, 1))
        tile[first : last + 1, first : last + 1] = Color.INK
    return tile


def _edge(square: np.ndarray, thick: int, line: np.ndarray) -> None:
    """Draw along all four sides, at the places of ``line``."""
    for side in (square, square[::-1], square.T, square.T[::-1]):
        side[:thick, line] = Color.GREY


def _write_numbers(
    picture: np.ndarray, layout: Layout, sheet: Sheet, stamps: np.ndarray, weights: dict[tuple[int, int], float]
) -> None:
    """Write the number of each cell, and beside it its weight if it has one. A border's 0 comes only with a weight."""
    size = layout.text_sizes[0]
    part = 0.5 if sheet.weights is None else 0.4  # a little off the middle, where a weight may come beside it
    for place, stamp in np.ndenumerate(stamps):
        fill, (ink, weight_ink) = FILLS[stamp], _inks(FILLS[stamp])
        top, left = sheet.top + place[0] * layout.pitch, sheet.left + place[1] * layout.pitch
        if place in weights or stamp - stamp % 2 not in (BORDERS, EMPTY):
            middle = left + part * layout.pitch, top + part * layout.pitch
            _write(picture, middle, text(sheet.numbers[place]), size, fill, ink)
        if place in weights:
            middle = left + 0.76 * layout.pitch, top + 0.75 * layout.pitch
            _write(picture, middle, text(weights[place]), round(0.8 * size), fill, weight_ink)


def _write(picture: np.ndarray, middle: tuple[float, float], line: str, size: int, paper: Color, ink: Color) -> None:
    """Write a line with its middle at a point; the height of a digit counts, whatever the letters are."""
    letters, width, centre = _letters(line, size)
    left, top = round(middle[0] - width / 2) - 1, round(middle[1] - centre)
    part = picture[top : top + letters.shape[0], left : left + letters.shape[1]]
    first = _BLENDS[paper, ink]
    part[:] = np.choose(letters, [part, first, first + 1, ink])


@lru_cache
def _letters(line: str, size: int) -> tuple[np.ndarray, int, float]:
    """A line of text: the ink in each pixel, 0 to 3; its width; and how far down the middle of a digit is."""
    width = math.ceil(font(size).getlength(line))
    image = Image.new("L", (width + 2, 2 * size))
    ImageDraw.Draw(image).text((1, 1.5 * size), line, fill=255, font=font(size), anchor="ls")
    _, top, _, bottom = font(size).getbbox("0", anchor="ls")
    return np.digitize(image, (43, 128, 213)), width, (top + bottom) / 2 + 1.5 * size
