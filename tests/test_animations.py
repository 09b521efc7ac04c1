"""The convolution animations: the arithmetic against Keras, the pictures against the arithmetic, the files."""

import base64
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from dcgan_lib.animations import __main__ as command
from dcgan_lib.animations.arithmetic import (
    BORDER,
    apply,
    average_pooling,
    convolution,
    max_pooling,
    reads,
    transposed_convolution,
    upsampling,
)
from dcgan_lib.animations.drawing import PALETTE, Color, draw
from dcgan_lib.animations.layout import Numbers, animate, example_numbers, lay_out
from dcgan_lib.animations.output import HOLD, gif, save_gif, save_still, show, slider, still
from dcgan_lib.animations.table import FILES, SOURCE_FILES
from dcgan_lib.backend import keras
from dcgan_lib.errors import InputError

ROOT = Path(__file__).parents[1]


def examples(number):
    return settings(max_examples=number, deadline=None, derandomize=True, database=None)


# ---- what Keras says ---------------------------------------------------------------------------------------------


def whole_numbers(shape, seed):
    """Float32 of -3 to 3 without 0: their sums are exact, and no weight hides an influence."""
    return np.random.default_rng(seed).choice([-3, -2, -1, 1, 2, 3], shape).astype(np.float32)


def with_holes(kernel, dilation):
    """A dilated kernel as an ordinary one: what Keras refuses together with a stride, it can do so."""
    wide = np.zeros([(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation)] + [1, 1], np.float32)
    wide[tuple(slice(None, None, d) for d in dilation)] = kernel
    return wide


def of_rank(name, rank):
    return getattr(keras.layers, name.format(rank))


def padded(x, padding, value=0.0):
    return keras.ops.pad(x, [(0, 0), *((p, p) for p in padding), (0, 0)], constant_values=value)


def cropped(y, padding):
    return y[(slice(None), *(slice(p, size - p) for p, size in zip(padding, y.shape[1:-1])), slice(None))]


def run_layer(layer, x, kernel):
    if not layer.built:
        layer.build(x.shape)
    layer.set_weights([kernel])
    return layer(x)


def assert_agrees(operation, function, weights=None, seed=0):
    """The same numbers as from Keras; and an output reads those inputs that move it, when they become large."""
    x = whole_numbers(operation.input_shape, seed)
    peaks = x + 100 * np.eye(x.size, dtype=np.float32).reshape(x.size, *x.shape)
    expected, *moved = function(np.stack([x, *peaks])).numpy()
    assert operation.output_shape == expected.shape
    np.testing.assert_allclose(apply(operation, x, weights), expected, atol=1e-4)
    read = np.abs(np.stack(moved, -1) - expected[..., None]) > 1
    np.testing.assert_array_equal(reads(operation), read.reshape(expected.shape + x.shape))


# ---- any parameters ----------------------------------------------------------------------------------------------


@st.composite
def parameters(draw_one, dilations=3):
    """Parameters of one layer: a list of numbers for each axis."""
    rank = draw_one(st.integers(1, 2))

    def numbers(least, most):
        return tuple(draw_one(st.lists(st.integers(least, most), min_size=rank, max_size=rank)))

    padding = draw_one(st.sampled_from(["valid", "same", "full", numbers(0, 3)]))
    return {"size": numbers(1, 6), "kernel": numbers(1, 4), "stride": numbers(1, 3), "padding": padding,
            "dilation": numbers(1, dilations)}


def reach(p):
    return tuple((k - 1) * d + 1 for k, d in zip(p["kernel"], p["dilation"]))


def borders(p):
    """The padding in numbers; none for "same", which is left to Keras."""
    if p["padding"] == "full":
        return tuple(r - 1 for r in reach(p))
    return (0,) * len(p["size"]) if isinstance(p["padding"], str) else p["padding"]


def fits(p):
    """Whether a window finds room."""
    sizes = [size + 2 * border for size, border in zip(p["size"], borders(p))]
    return p["padding"] == "same" or all(size >= r for size, r in zip(sizes, reach(p)))


def refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@examples(200)
@given(parameters(), st.integers(0, 99))
def test_convolution_is_keras_s(p, seed):
    if not fits(p):
        return refused(lambda: convolution(**p), "does not fit")
    weights = whole_numbers((*p["kernel"], 1, 1), seed)
    layer = of_rank("Conv{}D", len(p["size"]))(
        1, reach(p), strides=p["stride"], padding="same" if p["padding"] == "same" else "valid", use_bias=False)

    def function(x):
        return run_layer(layer, padded(x, borders(p)), with_holes(weights, p["dilation"]))

    assert_agrees(convolution(**p), function, weights, seed=seed + 1)


@examples(250)
@given(parameters(), st.sampled_from([None, 0, 1, 2]), st.integers(0, 99))
def test_transposed_convolution_is_keras_s(p, output_padding, seed):
    def make():
        return transposed_convolution(**p, output_padding=output_padding)

    if output_padding is not None and output_padding >= min(p["stride"]):
        # The other axis is looked at first, and may be wrong in a way of its own.
        return refused(make, "not smaller than the stride|leaves nothing|even kernel")
    if p["padding"] == "same" and output_padding == 0 and any(r % 2 == 0 for r in reach(p)):
        return refused(make, "even kernel")
    whole = [(size - 1) * s + r + (output_padding or 0) for size, s, r in zip(p["size"], p["stride"], reach(p))]
    if any(size - 2 * border < 1 for size, border in zip(whole, borders(p))):
        return refused(make, "leaves nothing")
    by_name = p["padding"] in ("valid", "same")
    layer = of_rank("Conv{}DTranspose", len(p["size"]))(
        1, reach(p), strides=p["stride"], padding=p["padding"] if by_name else "valid", use_bias=False,
        output_padding=0 if output_padding is None and not by_name else output_padding)
    weights = whole_numbers((*p["kernel"], 1, 1), seed)

    def function(x):
        return cropped(run_layer(layer, x, with_holes(weights, p["dilation"])), borders(p))

    assert_agrees(make(), function, weights, seed=seed + 1)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("make, name", [(convolution, "Conv2D"), (transposed_convolution, "Conv2DTranspose")])
def test_dilation_is_keras_s_own(make, name, padding):
    weights = whole_numbers((3, 2, 1, 1), 0)
    layer = getattr(keras.layers, name)(1, (3, 2), padding=padding, dilation_rate=(2, 3), use_bias=False)
    operation = make((8, 7), (3, 2), padding=padding, dilation=(2, 3))
    assert_agrees(operation, lambda x: run_layer(layer, x, weights), weights)


def pooling_in_keras(name, p):
    if p["padding"] in ("valid", "same"):
        return of_rank(name + "Pooling{}D", len(p["size"]))(p["kernel"], p["stride"], p["padding"])
    layer = of_rank(name + "Pooling{}D", len(p["size"]))(p["kernel"], p["stride"], "valid")
    if name == "Max":
        return lambda x: layer(padded(x, borders(p), -1000.0))
    # The mean over the real cells alone: the padded mean, over the padded mean of ones.
    return lambda x: layer(padded(x, borders(p))) / layer(padded(keras.ops.ones_like(x), borders(p)))


@examples(150)
@given(parameters(dilations=1), st.sampled_from(["Max", "Average"]), st.integers(0, 99))
def test_pooling_is_keras_s(p, name, seed):
    def make():
        pooling = {"Max": max_pooling, "Average": average_pooling}[name]
        return pooling(p["size"], p["kernel"], p["stride"], p["padding"])

    if any(border >= k for border, k in zip(borders(p), p["kernel"])):
        return refused(make, "nothing but border")
    if not fits(p):
        return refused(make, "does not fit")
    assert_agrees(make(), pooling_in_keras(name, p), seed=seed)


def test_a_pooling_s_stride_is_its_kernel_as_in_keras():
    assert_agrees(max_pooling((7, 9), (2, 3)), keras.layers.MaxPooling2D((2, 3)))
    assert_agrees(average_pooling((7, 9), (2, 3)), keras.layers.AveragePooling2D((2, 3)))


def test_the_border_of_an_average_does_not_count():
    assert apply(average_pooling((3,), 3, 1, "same"), [6, 6, 6]).ravel().tolist() == [6, 6, 6]


@examples(30)
@given(parameters(), st.integers(0, 99))
def test_upsampling_is_keras_s(p, seed):
    layer = of_rank("UpSampling{}D", len(p["size"]))(p["kernel"] if len(p["size"]) == 2 else p["kernel"][0])
    assert_agrees(upsampling(p["size"], p["kernel"]), layer, seed=seed)


def test_same_puts_the_odd_cell_at_the_end():
    (_, columns) = convolution((14, 14), 5, 2, "same").axes
    assert columns.cells.tolist() == [BORDER, *range(14), BORDER, BORDER]


@pytest.mark.parametrize("name, outputs", [
    ("no_padding_no_strides", 2), ("arbitrary_padding_no_strides", 6), ("same_padding_no_strides", 5),
    ("full_padding_no_strides", 7), ("no_padding_strides", 2), ("padding_strides", 3), ("padding_strides_odd", 3),
])
def test_the_source_s_files_come_in_pairs(name, outputs):
    (there,), (back,) = SOURCE_FILES[name].stages, SOURCE_FILES[f"{name}_transposed"].stages
    assert there.output_shape == back.input_shape == (outputs, outputs, 1)
    assert there.input_shape == back.output_shape
    # What reads what is the same, with input and output exchanged.
    np.testing.assert_array_equal(reads(back), reads(there).transpose(3, 4, 5, 0, 1, 2))


def test_the_source_s_dilation():
    (operation,) = SOURCE_FILES["dilation"].stages
    assert (operation.input_shape, operation.output_shape) == ((7, 7, 1), (3, 3, 1))
    assert np.argwhere(reads(operation)[0, 0, 0, :, :, 0]).tolist() == [[r, c] for r in (0, 2, 4) for c in (0, 2, 4)]


# ---- refusals ----------------------------------------------------------------------------------------------------

SMALL = convolution((4, 4), 3)
WEIGHTS = np.ones((3, 3))


def with_numbers(values, weights=(WEIGHTS,), **options):
    return animate(SMALL, numbers=Numbers(values, weights), **options)


@pytest.mark.parametrize("make, message", [
    (lambda: convolution((3, 3), 5), "a window of 5 cells does not fit into 3; make the input larger"),
    (lambda: convolution((3, 3), 2, dilation=3), "a window of 4 cells does not fit into 3"),
    (lambda: convolution((3, 3, 3), 2), "size has 3 numbers; give a length"),
    (lambda: convolution((0, 3), 2), "size=0 .* give a whole number from 1 to 1000"),
    (lambda: convolution((4, 4), 2.5), "kernel=2.5 .* give a whole number"),
    (lambda: convolution(4, "3"), "kernel='3' .* give a whole number"),
    (lambda: convolution((4, 4), None), "kernel=None .* give a whole number"),
    (lambda: convolution((4, 4), (2, 2, 2)), "kernel has 3 numbers for 2 axes"),
    (lambda: convolution((4, 4), [[2], [2, 2]]), "kernel=.2. .* give a whole number"),
    (lambda: convolution(10**12, 2), "size=1000000000000 .* to 1000"),
    (lambda: convolution((4, 4), 2, stride=0), "stride=0 .* from 1"),
    (lambda: convolution((4, 4), 2, stride=10**30), "stride=1000.* to 1000"),
    (lambda: convolution((4, 4), 2, padding=-1), "padding=-1 .* from 0"),
    (lambda: convolution((4, 4), 2, padding="reflect"), "give a number, 'valid', 'same' or 'full'"),
    (lambda: transposed_convolution((1, 1), 3, padding=2), "a padding of 2 leaves nothing of 3 output cells"),
    (lambda: transposed_convolution((3, 3), 3, 2, output_padding=2), "give 1 or less"),
    (lambda: transposed_convolution((3, 3), 4, padding="same", output_padding=0), "leave it out"),
    (lambda: max_pooling((4, 4), 2, padding=2), "give a padding smaller than the kernel"),
    (lambda: upsampling((4, 4), 0), "factor=0 .* from 1"),
    (lambda: apply(SMALL, np.ones((5, 4)), WEIGHTS), "values of shape .* give .4, 4, 1."),
    (lambda: apply(SMALL, np.ones((4, 4)), np.ones((2, 3))), "weights of shape .* give .3, 3, 1, 1."),
    (lambda: apply(SMALL, np.ones((4, 4))), "a convolution needs weights"),
    (lambda: animate(), "give an operation"),
    (lambda: animate((4, 4)), "give an operation"),
    (lambda: animate(upsampling((4, 4)), SMALL), "a stage gives .8, 8, 1. and the next takes .4, 4, 1."),
    (lambda: animate(SMALL, rows=[2]), "rows=2 .* from 0 to 1"),
    (lambda: animate(SMALL, rows=[]), "rows=.. is no list of rows; .* from 0 to 1"),
    (lambda: animate(SMALL, rows=1), "rows=1 is no list of rows"),
    (lambda: animate(SMALL, rows="a"), "rows='a' .* from 0 to 1"),
    (lambda: animate(SMALL, milliseconds=10**6), "milliseconds=1000000 .* from 20 to 20000"),
    (lambda: animate(SMALL, milliseconds=0.5), "milliseconds=0.5 .* from 20"),
    (lambda: animate(SMALL, width=10**6), "width=1000000 .* to 2000"),
    (lambda: animate(SMALL, numbers=np.ones((4, 4))), "numbers come as Numbers"),
    (lambda: with_numbers(np.ones((4, 4)), ()), "0 arrays of weights for 1 convolutions"),
    (lambda: with_numbers(np.ones((4, 4)), None), "a convolution needs weights"),
    (lambda: with_numbers([["a"] * 4] * 4), "values are not finite real numbers .* of shape .4, 4, 1."),
    (lambda: with_numbers([[1], [2, 3]]), "values are not finite real numbers in even rows"),
    (lambda: with_numbers(np.full((4, 4), np.nan)), "values are not finite"),
    (lambda: with_numbers(np.full((4, 4), 1j)), "values are not finite real"),
    (lambda: with_numbers(np.ones((4, 4)), [WEIGHTS * np.inf]), "weights are not finite"),
    (lambda: with_numbers(np.full((4, 4), 123456.0), width=100), "100 pixels"),
    (lambda: with_numbers(np.ones((4, 4)), [WEIGHTS / 1234], width=150), "150 pixels"),
    (lambda: animate(convolution((60, 60), 3)), "60 cells side by side are too small in 400 pixels"),
    (lambda: animate(convolution((40, 40), 3)), "1445 frames are too many to watch; give rows"),
    (lambda: animate(convolution((400, 5), 3), rows=[0]), "too tall"),
    (lambda: still(animate(SMALL), 5), "frame=5 .* from -5 to 4"),
    (lambda: still(animate(SMALL), "a"), "frame='a' .* from -5 to 4"),
    (lambda: still(animate(SMALL), scale=10**6), "scale=1000000 .* from 1 to 20"),
    (lambda: still(animate(SMALL), scale=0), "scale=0 .* from 1 to 20"),
])
def test_refusals_are_one_line_that_names_the_remedy(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


# ---- pictures ----------------------------------------------------------------------------------------------------


def colors_on(frame, animation, sheet):
    """Colours of the real cells of a sheet, (height, width): where neither outline, number nor dot can be."""
    layout = lay_out(animation)
    rows, columns = (np.flatnonzero(cells >= 0) for cells in layout.sheets[sheet].cells)
    quarter = layout.pitch // 4
    return np.array(frame)[np.ix_(layout.sheets[sheet].top + rows * layout.pitch + quarter,
                                  layout.sheets[sheet].left + columns * layout.pitch + quarter)]


def assert_shows(animation, frames, made, *shaded):
    """In the frame of each window all that it reads is shaded, sheet by sheet, and what it makes is being made.

    ``made``, ``shaded``: bool (windows, height, width).
    """
    dark, light = (Color.NAVY, Color.STEEL), (Color.BLUE, Color.SKY)
    for number, frame in enumerate(frames):
        for sheet, seen in enumerate(shaded):
            expected = np.where(seen[number], dark[sheet], light[sheet])
            np.testing.assert_array_equal(colors_on(frame, animation, sheet), expected)
        before = made[:number].any(0)
        expected = np.where(made[number], Color.TEAL, np.where(before, Color.CYAN, Color.WHITE))
        np.testing.assert_array_equal(colors_on(frame, animation, len(shaded)), expected)


def tables(operation):
    """What ``reads`` says: the output cells and, for each of them, the input cells, bool (outputs, height, width)."""
    shape = [int(axis.cells.max()) + 1 for axis in operation.axes]
    outputs = [len(axis.places) for axis in operation.axes]
    count = int(np.prod(outputs))
    return np.eye(count, dtype=bool).reshape(count, *outputs), reads(operation).reshape(count, *shape)


@examples(40)
@given(parameters(), st.sampled_from([convolution, transposed_convolution, max_pooling]))
def test_frames_shade_what_is_read(p, make):
    if make is max_pooling:
        del p["dilation"]
    try:
        operation = make(**p)
    except InputError:
        assume(False)
    animation = animate(operation)
    *frames, last = draw(animation)
    made, read = tables(operation)
    assert len(frames) == len(made)
    assert_shows(animation, frames, made, read)
    assert (colors_on(last, animation, 1) == Color.CYAN).all() and (colors_on(last, animation, 0) == Color.BLUE).all()


def test_frames_of_an_upsampling_show_all_that_a_cell_makes():
    animation = animate(upsampling((2, 3), (2, 3)))
    _, read = tables(animation.stages[0])
    assert_shows(animation, draw(animation)[:-1], read.reshape(4, 9, 6).transpose(2, 0, 1), np.eye(6).reshape(6, 2, 3))


def test_two_stages_shade_what_reaches_through():
    animation = animate(upsampling((4, 3)), convolution((8, 6), 5, padding="same"))
    (_, first), (made, second) = map(tables, animation.stages)
    through = second.reshape(48, 48) @ first.reshape(48, 12)
    frames = draw(animation)
    assert len(frames) == 4 * 3 + 8 * 6 + 1
    assert_shows(animation, frames[12:-1], made, through.reshape(48, 4, 3), second)


def test_border_and_zeros_look_like_neither_input_nor_paper():
    animation = animate(transposed_convolution((2, 2), 3, 2))
    layout, frame = lay_out(animation), np.array(draw(animation)[-1])
    pitch, sheet = layout.pitch, layout.sheets[0]
    border, zero = (frame[sheet.top + row * pitch :, sheet.left + column * pitch :][:pitch, :pitch]
                    for row, column in ((0, 0), (2, 3)))
    assert (border[pitch // 4, pitch // 4], zero[pitch // 4, pitch // 4]) == (Color.WHITE, Color.PALE)
    for tile in (border, border[::-1], border.T, border.T[::-1]):
        edge = tile[pitch // 20]
        assert Color.GREY in edge and np.count_nonzero(np.diff(edge)) >= 6  # dashes
    assert zero[pitch // 2, pitch // 2] == Color.INK  # the dot


def test_rows_leave_steps_out_and_fill_in_what_was_made():
    animation = animate(convolution((6, 5), 3), rows=(0, 3))
    frames = draw(animation)
    assert len(frames) == 2 * 3 + 1
    assert (colors_on(frames[3], animation, 1) == Color.CYAN).sum(1).tolist() == [3, 3, 3, 0]


def test_a_still_is_drawn_larger():
    animation = animate(SMALL)
    small, large = still(animation, 1), still(animation, 1, scale=3)
    assert small.tobytes() == draw(animation)[1].tobytes()
    assert still(animation, -1).tobytes() == draw(animation)[-1].tobytes()
    assert large.width == 3 * small.width
    assert colors_on(large, animation._replace(width=1200), 0)[0].tolist() == [
        Color.BLUE, Color.NAVY, Color.NAVY, Color.NAVY]


# ---- numbers -----------------------------------------------------------------------------------------------------


def worked_out(lines):
    """Do the sum that stands in a picture, and read the result that is said to come out."""
    *terms, last = lines
    total = 0.0
    for term in " + ".join(terms).split(" + "):
        value, weight = term.split("*")
        total += float(value) * float(weight)
    return total, float(last.removeprefix("=  "))


@examples(40)
@given(parameters(), st.sampled_from([convolution, transposed_convolution]))
def test_sums_come_out(p, make):
    try:
        operation = make(**p)
    except InputError:
        assume(False)
    numbers = example_numbers(operation)
    steps = lay_out(animate(operation, numbers=numbers, width=1500)).steps
    expected = apply(operation, numbers.values, numbers.weights[0]).ravel()
    assert [worked_out(step.sums) for step in steps] == [(value, value) for value in expected]


def test_sums_of_a_pooling_leave_the_border_out():
    def sums(operation, values):
        return [step.sums for step in lay_out(animate(operation, numbers=Numbers(values))).steps]

    assert sums(average_pooling((3, 3), 2, padding="same"), np.arange(1, 10).reshape(3, 3)) == [
        ["1 + 2", "4 + 5", "divided by 4  =  3"], ["3", "6", "divided by 2  =  4.5"],
        ["7 + 8", "", "divided by 2  =  7.5"], ["9", "", "divided by 1  =  9"]]
    assert sums(max_pooling(3, 2, padding="same"), [7, 8, 9]) == [["7   8", "largest  =  8"], ["9", "largest  =  9"]]


def test_numbers_in_cells_are_those_of_the_arithmetic():
    """The same number looks the same everywhere, another looks different: in the cells, and with a weight beside it."""
    operation = convolution((3, 5), 2, padding=(1, 0))
    values, weights = np.arange(15).reshape(3, 5) ** 2 % 4, np.array([[1, 1], [2, 3]])
    animation = animate(operation, numbers=Numbers(values, [weights]))
    layout, frames = lay_out(animation), draw(animation)
    looks = {}

    def look(key, frame, sheet, row, column):
        left, top, right, bottom = layout.box(layout.sheets[sheet], ([row], [column]))
        edge = layout.pitch // 8  # the window's outline
        inner = frames[frame].crop((left + edge, top + edge, right - edge, bottom - edge))
        looks.setdefault((sheet, *key), set()).add(inner.tobytes())

    for (row, column), number in np.ndenumerate(values):
        look((number,), -1, 0, row + 1, column)
    for place, number in np.ndenumerate(apply(operation, values, weights)[..., 0]):
        look((number,), -1, 1, *place)
    laid = np.pad(values.astype(object), ((1, 1), (0, 0)), constant_values="border")
    for frame in range(16):
        for tap, weight in np.ndenumerate(weights):
            place = tuple(np.add(divmod(frame, 4), tap))
            look((laid[place], weight), frame, 0, *place)
    assert len(looks) == 15
    assert all(len(same) == 1 for same in looks.values())
    assert len(set.union(*looks.values())) == len(looks)


# ---- colours -----------------------------------------------------------------------------------------------------

# Full colour-blindness, for linear RGB: Machado, Oliveira and Fernandes 2009.
SIGHT = {
    "all colours": np.eye(3),
    "no red": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                        [-0.003882, -0.048116, 1.051998]]),
    "no green": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                          [-0.011820, 0.042940, 0.968881]]),
    "no blue": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                         [0.004733, 0.691367, 0.303900]]),
}

# Cells that stand for different things, and the outline against all that it can lie on.
TO_TELL_APART = [
    (Color.BLUE, Color.NAVY), (Color.SKY, Color.STEEL), (Color.CYAN, Color.TEAL), (Color.WHITE, Color.CYAN),
    (Color.WHITE, Color.SHADE), (Color.PALE, Color.SHADE), (Color.PALE, Color.BLUE), (Color.SHADE, Color.NAVY),
    (Color.BLUE, Color.CYAN), (Color.BLUE, Color.SKY), (Color.SHADE, Color.STEEL), (Color.WHITE, Color.SKY),
]
OUTLINED = set(sum(TO_TELL_APART, ()))


def lab(color, sight=SIGHT["all colours"]):
    """CIE L*a*b* of a palette colour as somebody sees it."""
    srgb = np.array(color.rgb) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ (
        np.clip(sight @ linear, 0, 1))
    x, y, z = np.cbrt(xyz / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT)
def test_a_colour_blind_reader_can_tell_the_colours_apart(sight):
    for one, other in TO_TELL_APART + [(Color.ORANGE, paper) for paper in OUTLINED]:
        assert np.linalg.norm(lab(one, SIGHT[sight]) - lab(other, SIGHT[sight])) > 15, (one, other)


def test_cells_differ_in_grey_too():
    for one, other in TO_TELL_APART:
        assert abs(lab(one)[0] - lab(other)[0]) > 8, (one, other)


# ---- files -------------------------------------------------------------------------------------------------------


def decoded(data):
    """The frames of a file as a viewer shows them, and how long each of them: RGB images, milliseconds."""
    with Image.open(io.BytesIO(data)) as image:
        frames, durations = [], []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(image.convert("RGB"))
            durations.append(image.info["duration"])
    return frames, durations


def assert_same_frames(frames, expected):
    assert len(frames) == len(expected)
    for number, (frame, other) in enumerate(zip(frames, expected)):
        assert frame.size == other.size
        assert ImageChops.difference(frame, other.convert("RGB")).getbbox() is None, f"frame {number}"


@pytest.mark.parametrize("name", FILES)
def test_a_file_in_gif_is_what_the_table_makes(name):
    data = (ROOT / "gif" / f"{name}.gif").read_bytes()
    frames, durations = decoded(data)
    assert_same_frames(frames, draw(FILES[name]))
    milliseconds = FILES[name].milliseconds
    assert durations == [milliseconds] * (len(frames) - 1) + [HOLD * milliseconds]
    assert len(data) < 150_000
    assert Image.open(io.BytesIO(data)).info["loop"] == 0


def test_no_other_files_are_in_gif():
    assert sorted(path.name for path in (ROOT / "gif").iterdir()) == sorted(f"{name}.gif" for name in FILES)


@pytest.mark.parametrize("name", FILES)
def test_at_200_pixels_every_cell_has_its_colour(name):
    """Reduced as a browser does it, a cell still looks most like what it stands for."""
    animation = FILES[name]
    frame = still(animation, len(animation.stages[-1].axes[1].places) // 2)
    small = np.array(frame.convert("RGB").resize((200, frame.height // 2), Image.Resampling.BOX))
    layout = lay_out(animation)
    fills = [Color.WHITE, Color.BLUE, Color.NAVY, Color.SKY, Color.STEEL, Color.CYAN, Color.TEAL]
    for number, sheet in enumerate(layout.sheets):
        rows, columns = (np.flatnonzero(cells >= 0) * layout.pitch for cells in sheet.cells)
        # A point near the upper left, where no number stands; in small cells the middle.
        inside = layout.pitch // (4 if layout.pitch > 24 else 2)
        pixels = small[np.ix_((sheet.top + rows + inside) * small.shape[0] // frame.height,
                              (sheet.left + columns + inside) * 200 // frame.width)]
        distances = [np.abs(pixels - np.array(fill.rgb)).sum(-1) for fill in fills]
        np.testing.assert_array_equal(np.array(fills)[np.argmin(distances, 0)], colors_on(frame, animation, number))


def test_the_command_makes_the_same_bytes_again(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "dcgan_lib.animations", "--out", tmp_path],
                          env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split("  ")[0] for line in done.stdout.splitlines()] == [str(tmp_path / f"{n}.gif") for n in FILES]
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt", *(f"{name}.gif" for name in FILES)}
    for name in ("padding_strides_odd", "transposed_numbers"):
        assert (tmp_path / f"{name}.gif").read_bytes() == gif(FILES[name])


def out_is_a_file(folder):
    (folder / "out").write_text("mine")


def a_folder_has_the_name(folder):
    (folder / "out" / "dilation.gif" / "mine").mkdir(parents=True)


@pytest.mark.parametrize("prepare, message", [(out_is_a_file, "out"), (a_folder_has_the_name, "dilation.gif")])
def test_the_command_names_what_is_in_its_way(tmp_path, capsys, monkeypatch, prepare, message):
    monkeypatch.setattr(command, "FILES", {"dilation": FILES["dilation"]})
    prepare(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert command.main(["--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error and ";" in error
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_refuses_an_unknown_option_in_one_line(capsys):
    assert command.main(["--frames", "3"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "--frames" in error and "--help" in error


@pytest.mark.parametrize("end, code, message", [
    (KeyboardInterrupt, 130, "dcgan_lib.animations: stopped"), (BrokenPipeError, 141, ""),
])
def test_the_command_ends_quietly_when_it_is_stopped(tmp_path, capsys, monkeypatch, end, code, message):
    def stopped(*_):
        raise end

    monkeypatch.setattr(command, "save_gif", stopped)
    assert command.main(["--out", str(tmp_path)]) == code
    assert capsys.readouterr().err.strip() == message


def test_it_loads_without_keras():
    code = "import sys, dcgan_lib.animations; print({'keras', 'tensorflow', 'IPython'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
                          capture_output=True, check=True)
    assert done.stdout.strip() == "set()"


def test_saved_and_shown_are_the_same_frames(tmp_path):
    animation = animate(SMALL)
    save_gif(animation, tmp_path / "a.gif")
    save_still(animation, tmp_path / "a.png", frame=2, scale=2)
    assert (tmp_path / "a.gif").read_bytes() == gif(animation)
    assert_same_frames(decoded(gif(animation))[0], draw(animation))
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"
        assert_same_frames([image.convert("RGB")], [still(animation, 2, 2)])
    shown = show(animation)
    assert_same_frames(decoded(shown.data)[0], draw(animation))
    assert Image.open(io.BytesIO(shown.data)).info["loop"] == 0
    assert list(shown._repr_mimebundle_()[0]) == ["image/png"]  # of what is left out on GitHub this is none


@pytest.mark.parametrize("save, name", [
    (save_gif, "."), (save_gif, ""), (save_gif, "a.png"), (save_gif, "folder"), (save_gif, "folder.gif"),
    (save_gif, "missing/a.gif"), (save_still, "."), (save_still, "a"), (save_still, "a.xyz"), (save_still, "a.xbm"),
    (save_still, "a.mpo.psd"), (save_still, "folder.png"), (save_still, "missing/a.png"),
])
def test_a_path_that_cannot_be_is_refused_in_one_line(save, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("folder", "folder.gif", "folder.png"):
        Path(folder).mkdir()
    with pytest.raises(InputError, match="; (let it|give)") as caught:
        save(animate(SMALL), name)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "folder.gif", "folder.png"]


@pytest.mark.parametrize("name, form", [
    ("a.jpg", "JPEG"), ("a.JPEG", "JPEG"), ("a.png", "PNG"), ("a.gif", "GIF"), ("a.bmp", "BMP"), ("a.tif", "TIFF"),
])
def test_a_still_has_the_format_that_its_name_says(name, form, tmp_path):
    save_still(animate(SMALL), tmp_path / name, frame=1)
    with Image.open(tmp_path / name) as image:
        assert image.format == form
        difference = np.subtract(image.convert("RGB"), still(animate(SMALL), 1).convert("RGB"), dtype=np.float64)
    assert np.abs(difference).mean() < 3  # of 255: a JPEG is not exact


def test_the_longest_frames_can_be_written():
    animation = animate(SMALL, milliseconds=20_000)
    for data in (gif(animation), show(animation).data):
        assert decoded(data)[1] == [20_000] * 4 + [60_000]


def test_a_slider_holds_every_frame():
    animation = animate(SMALL)
    page = slider(animation).data
    assert 'max="4"' in page
    (frames,) = re.findall(r'data-frames="([^"]*)"', page)
    pictures = [base64.b64decode(frame.removeprefix("data:image/png;base64,")) for frame in frames.split(" ")]
    assert_same_frames([Image.open(io.BytesIO(data)).convert("RGB") for data in pictures], draw(animation))
    assert re.search(r'<img[^>]* src="([^"]*)"', page).group(1) == frames.split(" ")[0]


def test_the_palette_fits_a_gif():
    assert len(PALETTE) <= 255  # one more is kept for what does not change from frame to frame
