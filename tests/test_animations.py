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

from dcgan_lib import animations
from dcgan_lib.animations import (
    BORDER, FILES, PALETTE, RGB, SOURCE_FILES, Color, Numbers, animate, apply, average_pooling, convolution, draw,
    example_numbers, gif, max_pooling, reads, save_gif, save_still, show, slider, still, transposed_convolution,
    upsampling,
)
from dcgan_lib.backend import keras, tf
from dcgan_lib.files import InputError

ROOT = Path(__file__).parents[1]


def examples(number):
    return settings(max_examples=number, deadline=None, derandomize=True, database=None)


# ---- what Keras says ---------------------------------------------------------------------------------------------


def whole_numbers(shape, seed):
    """Float32 of -3 to 3 without 0: their sums are exact, and no weight hides an influence."""
    return np.random.default_rng(seed).choice([-3, -2, -1, 1, 2, 3], shape).astype(np.float32)


def with_holes(kernel, dilation):
    """A dilated kernel as an ordinary one: what Keras refuses together with a stride, it can do so."""
    wide = np.zeros([(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation)] + list(kernel.shape[-2:]), np.float32)
    wide[tuple(slice(None, None, d) for d in dilation)] = kernel
    return wide


def of_rank(name, rank):
    return getattr(keras.layers, name.format(rank))


def padded(x, padding, value=0.0):
    return keras.ops.pad(x, [(0, 0), *((p, p) for p in padding), (0, 0)], constant_values=value)


def cropped(y, padding):
    return y[(slice(None), *(slice(p, size - p) for p, size in zip(padding, y.shape[1:-1])), slice(None))]


def run_layer(layer, x, kernel=None):
    if kernel is not None:
        if not layer.built:
            layer.build(x.shape)
        layer.set_weights([kernel])
    return layer(x)


def influence(function, x):
    """Which inputs move which outputs, from the gradient: bool, output shape + input shape."""
    outputs = function(x[None]).shape[1:]
    count = int(np.prod(outputs))
    copies = tf.constant(np.repeat(x[None], count, axis=0))
    with tf.GradientTape() as tape:
        tape.watch(copies)
        # Each copy speaks for one output.
        chosen = tf.linalg.diag_part(tf.reshape(function(copies), (count, count)))
    return (np.abs(tape.gradient(chosen, copies)) > 1e-6).reshape(outputs + x.shape)


def influence_of_peaks(function, x):
    """The same for a maximum, whose gradient knows only the largest: each input is made the largest in turn."""
    outputs = function(x[None]).shape[1:]
    result = []
    for peak in range(x.size):
        high = x.copy()
        high.flat[peak] = 100
        result.append(influence(function, high).reshape(*outputs, -1)[..., peak])
    return np.stack(result, axis=-1).reshape(outputs + x.shape)


def assert_agrees(operation, function, x, weights=None, influences=influence):
    expected = function(x[None]).numpy()[0]
    assert operation.input_shape == x.shape
    assert operation.output_shape == expected.shape
    np.testing.assert_allclose(apply(operation, x, weights), expected, atol=1e-4)
    np.testing.assert_array_equal(reads(operation), influences(function, x))


# ---- any parameters ----------------------------------------------------------------------------------------------


@st.composite
def parameters(draw_one, kernels=4, strides=3, dilations=3, channels=2):
    """Parameters of one layer: a list of numbers for each axis."""
    rank = draw_one(st.integers(1, 2))

    def numbers(least, most):
        return tuple(draw_one(st.lists(st.integers(least, most), min_size=rank, max_size=rank)))

    padding = draw_one(st.sampled_from(["valid", "same", "full", numbers(0, 3)]))
    return {
        "size": numbers(1, 6), "kernel": numbers(1, kernels), "stride": numbers(1, strides), "padding": padding,
        "dilation": numbers(1, dilations), "channels": (draw_one(st.integers(1, channels)),
                                                        draw_one(st.integers(1, channels))),
    }


def reach(p):
    return tuple((k - 1) * d + 1 for k, d in zip(p["kernel"], p["dilation"]))


def borders(p):
    """The padding in numbers; none for "same", which is left to Keras."""
    if p["padding"] == "full":
        return tuple(r - 1 for r in reach(p))
    return (0,) * len(p["size"]) if isinstance(p["padding"], str) else p["padding"]


def keras_convolution(p, weights, groups=1):
    layer = of_rank("Conv{}D", len(p["size"]))(
        p["channels"][1], reach(p), strides=p["stride"], padding="same" if p["padding"] == "same" else "valid",
        groups=groups, use_bias=False)
    return lambda x: run_layer(layer, padded(x, borders(p)), with_holes(weights, p["dilation"]))


@examples(200)
@given(parameters(), st.integers(0, 99))
def test_convolution_is_keras_s(p, seed):
    sizes = [size + 2 * border for size, border in zip(p["size"], borders(p))]
    if p["padding"] != "same" and any(size < r for size, r in zip(sizes, reach(p))):
        with pytest.raises(InputError, match="does not fit"):
            convolution(**p)
        return
    weights = whole_numbers((*p["kernel"], *p["channels"]), seed)
    x = whole_numbers((*p["size"], p["channels"][0]), seed + 1)
    assert_agrees(convolution(**p), keras_convolution(p, weights), x, weights)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_dilation_is_keras_s_own(padding):
    weights, x = whole_numbers((3, 2, 1, 1), 0), whole_numbers((8, 7, 1), 1)
    layer = keras.layers.Conv2D(1, (3, 2), padding=padding, dilation_rate=(2, 3), use_bias=False)
    operation = convolution((8, 7), (3, 2), padding=padding, dilation=(2, 3))
    assert_agrees(operation, lambda x: run_layer(layer, x, weights), x, weights)


@pytest.mark.parametrize("rank, channels, groups", [(2, (4, 6), 2), (1, (3, 6), 3), (2, (2, 2), 2)])
def test_groups_are_keras_s(rank, channels, groups):
    p = {"size": (5, 4)[:rank], "kernel": (3, 2)[:rank], "stride": (2, 1)[:rank], "padding": "same",
         "dilation": (1, 1)[:rank], "channels": channels}
    weights = whole_numbers((*p["kernel"], channels[0] // groups, channels[1]), 0)
    x = whole_numbers((*p["size"], channels[0]), 1)
    assert_agrees(convolution(**p, groups=groups), keras_convolution(p, weights, groups), x, weights)


@examples(250)
@given(parameters(), st.sampled_from([None, 0, 1, 2]), st.integers(0, 99))
def test_transposed_convolution_is_keras_s(p, output_padding, seed):
    if output_padding is not None and output_padding >= min(p["stride"]):
        with pytest.raises(InputError, match="not smaller than the stride"):
            transposed_convolution(**p, output_padding=output_padding)
        return
    if p["padding"] == "same" and output_padding == 0 and any(r % 2 == 0 for r in reach(p)):
        with pytest.raises(InputError, match="even kernel"):
            transposed_convolution(**p, output_padding=0)
        return
    whole = [(size - 1) * s + r + (output_padding or 0) for size, s, r in zip(p["size"], p["stride"], reach(p))]
    if any(size - 2 * border < 1 for size, border in zip(whole, borders(p))):
        with pytest.raises(InputError, match="leaves nothing"):
            transposed_convolution(**p, output_padding=output_padding)
        return
    by_name = p["padding"] in ("valid", "same")
    layer = of_rank("Conv{}DTranspose", len(p["size"]))(
        p["channels"][1], reach(p), strides=p["stride"], padding=p["padding"] if by_name else "valid", use_bias=False,
        output_padding=0 if output_padding is None and not by_name else output_padding)
    weights = whole_numbers((*p["kernel"], *p["channels"][::-1]), seed)
    x = whole_numbers((*p["size"], p["channels"][0]), seed + 1)

    def function(x):
        return cropped(run_layer(layer, x, with_holes(weights, p["dilation"])), borders(p))

    assert_agrees(transposed_convolution(**p, output_padding=output_padding), function, x, weights)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_dilated_transposed_convolution_is_keras_s_own(padding):
    weights, x = whole_numbers((3, 2, 1, 1), 0), whole_numbers((4, 5, 1), 1)
    layer = keras.layers.Conv2DTranspose(1, (3, 2), padding=padding, dilation_rate=(2, 3), use_bias=False)
    operation = transposed_convolution((4, 5), (3, 2), padding=padding, dilation=(2, 3))
    assert_agrees(operation, lambda x: run_layer(layer, x, weights), x, weights)


@examples(60)
@given(parameters(dilations=1, channels=1), st.integers(0, 99))
def test_transposed_convolution_leads_back(p, seed):
    """It is the gradient of the convolution with the same parameters, whatever size that came from."""
    back = {**p, "size": tuple(size + 3 for size in p["size"])}
    assume(p["padding"] == "same" or all(b < r for b, r in zip(borders(p), reach(p))))
    forward = convolution(**back)
    x = whole_numbers(forward.input_shape, seed)
    weights = whole_numbers((*p["kernel"], 1, 1), seed + 1)
    with tf.GradientTape() as tape:
        x = tf.constant(x)
        tape.watch(x)
        y = keras_convolution(back, weights)(x[None])
        upstream = whole_numbers(y.shape, seed + 2)
        total = tf.reduce_sum(y * upstream)
    expected = tape.gradient(total, x).numpy()
    if p["padding"] == "same":
        # Keras's choice of size is the largest of the sizes that come to this output, so it may differ from ours.
        assume(all(size % s == 0 for size, s in zip(back["size"], p["stride"])))
        extra = None
    else:
        extra = [(size + 2 * b - r) % s for size, b, r, s in
                 zip(back["size"], borders(p), reach(p), p["stride"])]
    again = transposed_convolution(forward.output_shape[:-1], p["kernel"], p["stride"], p["padding"], extra)
    np.testing.assert_array_equal(apply(again, upstream[0], weights), expected)


def pooling_in_keras(name, p):
    if p["padding"] in ("valid", "same"):
        return of_rank(name + "Pooling{}D", len(p["size"]))(p["kernel"], p["stride"], p["padding"])
    layer = of_rank(name + "Pooling{}D", len(p["size"]))(p["kernel"], p["stride"], "valid")
    if name == "Max":
        return lambda x: layer(padded(x, borders(p), -1000.0))
    # The mean over the real cells alone: the padded mean, over the padded mean of ones.
    return lambda x: layer(padded(x, borders(p))) / layer(padded(tf.ones_like(x), borders(p)))


@examples(150)
@given(parameters(dilations=1), st.sampled_from(["Max", "Average"]), st.integers(0, 99))
def test_pooling_is_keras_s(p, name, seed):
    channels = p["channels"][0]
    pooling = {"Max": max_pooling, "Average": average_pooling}[name]
    arguments = (p["size"], p["kernel"], p["stride"], p["padding"], channels)
    if any(border >= k for border, k in zip(borders(p), p["kernel"])):
        with pytest.raises(InputError, match="nothing but border"):
            pooling(*arguments)
        return
    sizes = [size + 2 * border for size, border in zip(p["size"], borders(p))]
    if p["padding"] != "same" and any(size < k for size, k in zip(sizes, p["kernel"])):
        with pytest.raises(InputError, match="does not fit"):
            pooling(*arguments)
        return
    x = whole_numbers((*p["size"], channels), seed)
    influences = influence_of_peaks if name == "Max" else influence
    assert_agrees(pooling(*arguments), pooling_in_keras(name, p), x, influences=influences)


def test_a_pooling_s_stride_is_its_kernel_as_in_keras():
    x = whole_numbers((7, 9, 1), 0)
    assert_agrees(max_pooling((7, 9), (2, 3)), keras.layers.MaxPooling2D((2, 3)), x, influences=influence_of_peaks)
    assert_agrees(average_pooling((7, 9), (2, 3)), keras.layers.AveragePooling2D((2, 3)), x)


def test_the_border_of_an_average_does_not_count():
    assert apply(average_pooling((3,), 3, 1, "same"), [6, 6, 6]).ravel().tolist() == [6, 6, 6]


@examples(30)
@given(parameters(), st.integers(0, 99))
def test_upsampling_is_keras_s(p, seed):
    layer = of_rank("UpSampling{}D", len(p["size"]))(p["kernel"] if len(p["size"]) == 2 else p["kernel"][0])
    x = whole_numbers((*p["size"], p["channels"][0]), seed)
    assert_agrees(upsampling(p["size"], p["kernel"], p["channels"][0]), layer, x)


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


@pytest.mark.parametrize("make, message", [
    (lambda: convolution((3, 3), 5), "a window of 5 cells does not fit into 3; make the input larger"),
    (lambda: convolution((3, 3), 2, dilation=3), "a window of 4 cells does not fit into 3"),
    (lambda: convolution((3, 3, 3), 2), "size has 3 numbers"),
    (lambda: convolution((0, 3), 2), "size=.* is too small; give 1 or more"),
    (lambda: convolution((4, 4), 2.5), "kernel=2.5 is not a whole number"),
    (lambda: convolution((4, 4), (2, 2, 2)), "kernel=.* has 3 numbers for 2 axes"),
    (lambda: convolution((4, 4), 2, stride=0), "stride=0 is too small"),
    (lambda: convolution((4, 4), 2, padding=-1), "padding=-1 is too small"),
    (lambda: convolution((4, 4), 2, padding="reflect"), "give a number, 'valid', 'same' or 'full'"),
    (lambda: convolution((4, 4), 2, channels=(4, 3), groups=2), "2 groups do not divide 4 and 3 channels"),
    (lambda: transposed_convolution((1, 1), 3, padding=2), "a padding of 2 leaves nothing of 3 output cells"),
    (lambda: transposed_convolution((3, 3), 3, 2, output_padding=2), "give 1 or less"),
    (lambda: transposed_convolution((3, 3), 4, padding="same", output_padding=0), "leave it out"),
    (lambda: max_pooling((4, 4), 2, padding=2), "give a padding smaller than the kernel"),
    (lambda: upsampling((4, 4), 0), "factor=0 is too small"),
    (lambda: apply(SMALL, np.ones((5, 4)), np.ones((3, 3))), "values of shape .* give .4, 4, 1."),
    (lambda: apply(SMALL, np.ones((4, 4)), np.ones((2, 3))), "weights of shape .* give .3, 3, 1, 1."),
    (lambda: apply(SMALL, np.ones((4, 4))), "a convolution needs weights"),
    (lambda: animate(), "give an operation"),
    (lambda: animate(upsampling((4, 4)), SMALL), "a stage gives .8, 8, 1. and the next takes .4, 4, 1."),
    (lambda: animate(SMALL, rows=[2]), "choose from 0 to 1"),
    (lambda: animate(SMALL, rows=[]), "choose from 0 to 1"),
    (lambda: animate(SMALL, numbers=Numbers(np.ones((4, 4)))), "0 arrays of weights for 1 convolutions"),
    (lambda: animate(SMALL, numbers=Numbers(np.full((4, 4), 123456.0), [np.ones((3, 3))]), width=100), "100 pixels"),
    (lambda: animate(convolution((60, 60), 3)), "60 cells side by side are too small in 400 pixels"),
    (lambda: animate(convolution((40, 40), 3)), "1445 frames are too many to watch; give rows"),
    (lambda: animate(convolution((400, 5), 3), rows=[0]), "too tall"),
    (lambda: still(animate(SMALL), 5), "choose from 0 to 4"),
])
def test_refusals_are_one_line_that_names_the_remedy(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


# ---- pictures ----------------------------------------------------------------------------------------------------


def color_of(frame, box):
    """The colour of a cell: where neither outline, number nor dot can be."""
    quarter = (box[2] - box[0]) // 4
    return tuple(frame.convert("RGB").getpixel((box[0] + quarter, box[1] + quarter)))


def colors_on(frame, animation, sheet, channel=0):
    """The colours of the real cells of one map of a sheet, (height, width, 3)."""
    layout = animations._layout(animation)
    rows, columns = (np.flatnonzero(cells >= 0) for cells in layout.sheets[sheet].cells)
    return np.array([[color_of(frame, layout.box(sheet, channel, row, column)) for column in columns]
                     for row in rows])


def shaded(frame, animation, sheet, plain, touched, channel=0):
    """Which real cells are shaded: bool (height, width). They may have no third colour."""
    colors = colors_on(frame, animation, sheet, channel)
    result = (colors == RGB[touched]).all(-1)
    assert ((colors == RGB[plain]).all(-1) | result).all()
    return result


def assert_shows(animation, influences):
    """In the frame of each output exactly its inputs are shaded, and the output is being made."""
    frames = draw(animation)
    outputs = influences.shape[:2]
    assert len(frames) == outputs[0] * outputs[1] + 1
    for number in range(0, len(frames) - 1, 1 + len(frames) // 5):
        row, column = divmod(number, outputs[1])
        seen = shaded(frames[number], animation, 0, Color.BLUE, Color.NAVY)
        np.testing.assert_array_equal(seen, influences[row, column])
        made = colors_on(frames[number], animation, 1).reshape(-1, 3)
        assert (made[:number] == RGB[Color.CYAN]).all()
        assert (made[number] == RGB[Color.TEAL]).all()
        assert (made[number + 1 :] == RGB[Color.WHITE]).all()
    assert (colors_on(frames[-1], animation, 1) == RGB[Color.CYAN]).all()
    assert not shaded(frames[-1], animation, 0, Color.BLUE, Color.NAVY).any()


@examples(40)
@given(parameters(channels=1), st.sampled_from([convolution, transposed_convolution]))
def test_frames_shade_what_keras_reads(p, make):
    try:
        operation = make(**p)
    except InputError:
        assume(False)
    weights = whole_numbers((*p["kernel"], 1, 1), 0)
    by_name = p["padding"] in ("valid", "same")
    if make is convolution:
        function = keras_convolution(p, weights)
    else:
        layer = of_rank("Conv{}DTranspose", len(p["size"]))(
            1, reach(p), strides=p["stride"], padding=p["padding"] if by_name else "valid", use_bias=False,
            output_padding=None if by_name else 0)

        def function(x):
            return cropped(run_layer(layer, x, with_holes(weights, p["dilation"])), borders(p))

    table = influence(function, whole_numbers((*p["size"], 1), 1))
    strip = (1,) * (2 - len(p["size"]))
    outputs, inputs = np.split(np.array(table.shape), 2)
    assert_shows(animate(operation), table.reshape(*strip, *outputs[:-1], *strip, *inputs[:-1]))


def test_frames_of_a_pooling_shade_what_keras_reads():
    table = influence_of_peaks(keras.layers.MaxPooling2D(3, 2, "same"), whole_numbers((5, 6, 1), 0))
    assert_shows(animate(max_pooling((5, 6), 3, 2, "same")), table.squeeze((2, 5)))


def test_frames_of_an_upsampling_show_all_that_a_cell_makes():
    animation = animate(upsampling((2, 3), (2, 3)))
    table = influence(keras.layers.UpSampling2D((2, 3)), whole_numbers((2, 3, 1), 0)).squeeze((2, 5))
    for number, frame in enumerate(draw(animation)[:-1]):
        read = shaded(frame, animation, 0, Color.BLUE, Color.NAVY)
        assert read.sum() == 1 and read.ravel()[number]
        making = (colors_on(frame, animation, 1) == RGB[Color.TEAL]).all(-1)
        np.testing.assert_array_equal(making, table[..., read].squeeze(-1))


def test_two_stages_shade_what_reaches_through():
    animation = animate(upsampling((4, 3)), convolution((8, 6), 5, padding="same"))
    weights = whole_numbers((5, 5, 1, 1), 0) ** 2  # positive, so that no sum of them vanishes
    layers = [keras.layers.UpSampling2D(), keras.layers.Conv2D(1, 5, padding="same", use_bias=False)]
    both = influence(lambda x: run_layer(layers[1], layers[0](x), weights), whole_numbers((4, 3, 1), 1))
    second = influence(lambda x: run_layer(layers[1], x, weights), whole_numbers((8, 6, 1), 1))
    frames = draw(animation)
    assert len(frames) == 4 * 3 + 8 * 6 + 1
    for number in range(0, 48, 7):
        frame = frames[12 + number]
        row, column = divmod(number, 6)
        np.testing.assert_array_equal(
            shaded(frame, animation, 0, Color.BLUE, Color.NAVY), both[row, column, 0, ..., 0])
        np.testing.assert_array_equal(
            shaded(frame, animation, 1, Color.SKY, Color.STEEL), second[row, column, 0, ..., 0])


def test_maps_shade_the_channels_of_a_group():
    animation = animate(convolution((3, 3), 2, channels=(4, 2), groups=2))
    frames = draw(animation)
    assert len(frames) == 2 * 4 + 1
    for number, maps in ((0, [True, True, False, False]), (4, [False, False, True, True])):
        touched = [shaded(frames[number], animation, 0, Color.BLUE, Color.NAVY, channel).any() for channel in range(4)]
        assert touched == maps


def test_border_and_zeros_look_like_neither_input_nor_paper():
    animation = animate(transposed_convolution((2, 2), 3, 2))
    layout, frame = animations._layout(animation), draw(animation)[-1]
    border, zero = layout.box(0, 0, 0, 0), layout.box(0, 0, 2, 3)
    assert color_of(frame, border) == RGB[Color.WHITE]
    assert color_of(frame, zero) == RGB[Color.PALE]
    edge = [frame.getpixel((x, border[1] + layout.pitch // 20)) for x in range(border[0], border[2])]
    changes = sum(a != b for a, b in zip(edge, edge[1:]))
    assert Color.GREY in edge and changes >= 6  # dashes
    assert frame.getpixel(((zero[0] + zero[2]) // 2, (zero[1] + zero[3]) // 2)) == Color.INK  # the dot


def test_rows_leave_steps_out_and_fill_in_what_was_made():
    animation = animate(convolution((6, 5), 3), rows=(0, 3))
    frames = draw(animation)
    assert len(frames) == 2 * 3 + 1
    made = (colors_on(frames[3], animation, 1) == RGB[Color.CYAN]).all(-1)
    assert made.sum(1).tolist() == [3, 3, 3, 0]


def test_a_still_is_drawn_larger():
    animation = animate(SMALL)
    small, large = still(animation, 1), still(animation, 1, scale=3)
    assert small.tobytes() == draw(animation)[1].tobytes()
    assert large.width == 3 * small.width
    layout = animations._layout(animation._replace(width=1200))
    assert color_of(large, layout.box(0, 0, 0, 0)) == RGB[Color.BLUE]
    assert color_of(large, layout.box(0, 0, 0, 1)) == RGB[Color.NAVY]


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
def test_sums_come_out_as_in_keras(p, make):
    try:
        operation = make(**p)
    except InputError:
        assume(False)
    numbers = example_numbers(operation)
    animation = animate(operation, numbers=numbers, width=1500)
    assume(make is convolution or p["padding"] in ("valid", "same"))
    if make is convolution:
        expected = keras_convolution(p, numbers.weights[0])(numbers.values[None].astype(np.float32))
    else:
        layer = of_rank("Conv{}DTranspose", len(p["size"]))(
            p["channels"][1], reach(p), strides=p["stride"], padding=p["padding"], use_bias=False)
        expected = run_layer(layer, numbers.values[None].astype(np.float32),
                             with_holes(numbers.weights[0], p["dilation"]))
    in_order = np.moveaxis(expected.numpy()[0], -1, 0).ravel()  # a map after the other
    pairs = [worked_out(lines) for lines in animations._layout(animation).sums]
    assert pairs == [(value, value) for value in in_order]


def test_sums_of_a_pooling_leave_the_border_out():
    values = np.arange(1, 10).reshape(3, 3)
    mean = animations._layout(animate(average_pooling((3, 3), 2, padding="same"), numbers=Numbers(values)))
    assert mean.sums == [["1 + 2", "4 + 5", "divided by 4  =  3"], ["3", "6", "divided by 2  =  4.5"],
                         ["7 + 8", "", "divided by 2  =  7.5"], ["9", "", "divided by 1  =  9"]]
    largest = animations._layout(animate(max_pooling((3,), 2, padding="same"), numbers=Numbers([7, 8, 9])))
    assert largest.sums == [["7   8", "largest  =  8"], ["9", "largest  =  9"]]


def test_numbers_in_cells_are_those_of_the_arithmetic():
    """The same number looks the same everywhere, another looks different: in the cells, and with a weight beside it."""
    operation = convolution((3, 5), 2, padding=(1, 0))
    values, weights = np.arange(15).reshape(3, 5) ** 2 % 4, np.array([[1, 1], [2, 3]])
    animation = animate(operation, numbers=Numbers(values, [weights]))
    layout, frames = animations._layout(animation), draw(animation)
    looks = {}

    def look(key, frame, sheet, row, column):
        left, top, right, bottom = layout.box(sheet, 0, row, column)
        edge = layout.pitch // 8  # the window's outline
        inner = frames[frame].crop((left + edge, top + edge, right - edge, bottom - edge))
        looks.setdefault((sheet, *key), set()).add(inner.convert("RGB").tobytes())

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
OUTLINED = [Color.WHITE, Color.PALE, Color.SHADE, Color.BLUE, Color.NAVY, Color.SKY, Color.STEEL, Color.CYAN,
            Color.TEAL]


def lab(color, sight=SIGHT["all colours"]):
    """CIE L*a*b* of a palette colour as somebody sees it."""
    srgb = np.array(RGB[color]) / 255
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
    assert durations == [milliseconds] * (len(frames) - 1) + [animations.HOLD * milliseconds]
    assert len(data) < 150_000
    assert Image.open(io.BytesIO(data)).info["loop"] == 0


def test_no_other_files_are_in_gif():
    assert sorted(path.name for path in (ROOT / "gif").iterdir()) == sorted(f"{name}.gif" for name in FILES)


@pytest.mark.parametrize("name", FILES)
def test_at_200_pixels_every_cell_has_its_colour(name):
    """Reduced as a browser does it, a cell still looks most like what it stands for."""
    animation = FILES[name]
    frame = draw(animation)[len(animation.stages[-1].axes[1].places) // 2]
    small = frame.convert("RGB").resize((200, round(frame.height * 200 / frame.width)), Image.Resampling.BOX)
    part, layout = 200 / frame.width, animations._layout(animation)
    fills = [Color.WHITE, Color.BLUE, Color.NAVY, Color.SKY, Color.STEEL, Color.CYAN, Color.TEAL]
    for sheet, grid in enumerate(layout.sheets):
        rows, columns = (np.flatnonzero(cells >= 0) for cells in grid.cells)
        for row in rows:
            for column in columns:
                left, top, right, bottom = layout.box(sheet, 0, row, column)
                # A point near the upper left, where no number stands; in small cells the middle.
                share = 0.25 if layout.pitch > 24 else 0.5
                pixel = np.array(small.getpixel((int((left + share * (right - left)) * part),
                                                 int((top + share * (bottom - top)) * part))))
                place = (left + (right - left) // 4, top + (bottom - top) // 4)
                distances = [np.abs(pixel - RGB[fill]).sum() for fill in fills]
                assert fills[int(np.argmin(distances))] == frame.getpixel(place), (sheet, row, column)


def test_the_command_makes_the_same_bytes_again(tmp_path, capsys):
    assert animations.main(["--out", str(tmp_path / "one")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(FILES)
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "dcgan_lib.animations", "--out", tmp_path / "two"],
                          env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    for folder in ("one", "two"):
        assert sorted(path.stem for path in (tmp_path / folder).iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / "one" / f"{name}.gif").read_bytes() == (tmp_path / "two" / f"{name}.gif").read_bytes()


def test_the_command_s_errors_are_one_line_and_code_2(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert animations.main(["--out", str(tmp_path / "file")]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "name another --out" in message
    with pytest.raises(SystemExit) as caught:
        animations.main(["--frames", "3"])
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "--help" in message


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
