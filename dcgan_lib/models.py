"""The networks: the source's pair and the paper's pair, each a ``keras.Sequential`` with named layers.

What belongs here: layers, and how two networks are joined. Nothing about how they are trained.

The layers at the outputs are float32 under every dtype policy: half precision would round D's verdicts to a few values.

The source is keras-dcgan; the paper is Radford, Metz and Chintala, arXiv 1511.06434.
"""

from __future__ import annotations

import math

import numpy as np

from .backend import keras, tf
from .errors import InputError

NOISE_SIZE = 100  # numbers in one z, in the source as in the paper
DEPTHS = {28: 2, 32: 3, 64: 4, 128: 5}  # of the paper's pair: how often it halves the side, where nothing is said


# ---- the source's pair -------------------------------------------------------------------------------------------


def upsampled_convolution(small: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """``UpSampling2D((2, 2))`` and a convolution with padding "same", as four convolutions of the small maps.

    A pixel of the large maps is one of four kinds, by whether its row and its column are even. In the window around
    it, neighbours that upsampling made from one pixel share a factor, so that their weights can be summed first: for
    5x5 weights each kind of pixel needs a 3x3 convolution, with 9 multiplications instead of 25.

    Args:
        small: (n, height, width, channels).
        kernel: (k, k, channels, filters), k odd.
    Returns:
        (n, 2 * height, 2 * width, filters).
    """
    size, filters = kernel.shape[0], kernel.shape[-1]
    reach = (size // 2 + 1) // 2  # of the small convolution, to either side
    sums = np.zeros((2, 2 * reach + 1, size))  # even or odd, place in the small window, place in the large one
    for odd in range(2):
        for place in range(size):
            sums[odd, (odd + place - size // 2) // 2 + reach, place] = 1
    sums = tf.cast(sums, kernel.dtype)
    phases = tf.einsum("pak,qbl,klcf->abcpqf", sums, sums, kernel)
    phases = tf.cast(tf.reshape(phases, (*phases.shape[:3], 4 * filters)), small.dtype)
    return tf.nn.depth_to_space(tf.nn.conv2d(small, phases, strides=1, padding="SAME"), 2)


class InPhases(keras.Sequential):
    """A ``Sequential`` that computes every ``UpSampling2D`` before a ``Conv2D`` by :func:`upsampled_convolution`.

    Layers, weights and their files are those of the plain one, and so are the results but for rounding.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: None = None) -> tf.Tensor:
        values, layers = inputs, list(self.layers)
        while layers:
            layer = layers.pop(0)
            if isinstance(layer, keras.layers.UpSampling2D):
                convolution = layers.pop(0)
                values = upsampled_convolution(values, convolution.kernel.value)
                values = convolution.activation(values + tf.cast(convolution.bias.value, values.dtype))
            elif layer._call_has_training_arg:
                values = layer(values, training=training)
            else:
                values = layer(values)
        return values


def generator_model(in_phases: bool = False) -> keras.Sequential:
    """The source's generator: z (n, 100) to grey images (n, 28, 28, 1) in [-1, 1].

    Args:
        in_phases: compute it as :class:`InPhases` does, in less time.
    """
    layers = keras.layers
    return (InPhases if in_phases else keras.Sequential)(
        [
            keras.Input((NOISE_SIZE,)),
            layers.Dense(1024, name="dense_1"),
            layers.Activation("tanh", name="tanh_1"),
            layers.Dense(128 * 7 * 7, name="dense_2"),
            layers.BatchNormalization(name="batch_norm"),
            layers.Activation("tanh", name="tanh_2"),
            layers.Reshape((7, 7, 128), name="reshape"),
            layers.UpSampling2D((2, 2), name="up_1"),
            layers.Conv2D(64, (5, 5), padding="same", name="conv_1"),
            layers.Activation("tanh", name="tanh_3"),
            layers.UpSampling2D((2, 2), name="up_2"),
            layers.Conv2D(1, (5, 5), padding="same", name="conv_2"),
            layers.Activation("tanh", dtype="float32", name="tanh_4"),
        ],
        name="generator",
    )


def discriminator_model() -> keras.Sequential:
    """The source's discriminator: images (n, 28, 28, 1) to the probability (n, 1) that they are real."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(64, (5, 5), padding="same", name="conv_1"),
            layers.Activation("tanh", name="tanh_1"),
            layers.MaxPooling2D((2, 2), name="pool_1"),
            layers.Conv2D(128, (5, 5), name="conv_2"),
            layers.Activation("tanh", name="tanh_2"),
            layers.MaxPooling2D((2, 2), name="pool_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(1024, name="dense_1"),
            layers.Activation("tanh", name="tanh_3"),
            layers.Dense(1, dtype="float32", name="dense_2"),
            layers.Activation("sigmoid", dtype="float32", name="sigmoid"),
        ],
        name="discriminator",
    )


def generator_containing_discriminator(g: keras.Model, d: keras.Model) -> keras.Sequential:
    """Join the two: z (n, 100) to D's verdict on G(z), (n, 1). The weights are shared, not copied.

    ``d.trainable`` is ``False`` afterwards, as in the source.
    """
    model = keras.Sequential([keras.Input(g.input_shape[1:]), g], name="generator_and_discriminator")
    d.trainable = False
    model.add(d)
    return model


# ---- the paper's pair --------------------------------------------------------------------------------------------


def dcgan_generator(
    image_size: int = 28, channels: int = 1, width: int = 128, hidden: int = 0, depth: int | None = None
) -> keras.Sequential:
    """The paper's generator (section 3, figure 1): z (n, 100) to images (n, size, size, channels) in [-1, 1].

    From a small map of many channels, each transposed convolution doubles the side and halves the channels; batch
    normalization and ReLU everywhere but at the output, which is a tanh. The paper's own has no hidden dense layer;
    the authors' program for MNIST has one (Newmu/dcgan_code, of 1024 units, with labels and a sigmoid at the end).

    Args:
        image_size: 28, 32, 64 or 128.
        channels: 1 or 3.
        width: channels of the last hidden layer. The paper's figure 1 has 128 (and 1024 in the first).
        hidden: units of a dense layer between z and the first map; 0 for none.
        depth: how many transposed convolutions: 2, 3, 4, 5 for the four sizes, where nothing else is said. With one
            more the first map has half the side and twice the channels.
    Raises:
        InputError: the size, the number of channels or the depth is another one.
    """
    sides = _sides(image_size, channels, depth)
    layers = keras.layers
    filters = width * 2 ** (len(sides) - 2)
    model = keras.Sequential([keras.Input((NOISE_SIZE,))], name="generator")
    if hidden:
        model.add(layers.Dense(hidden, use_bias=False, kernel_initializer=_normal(), name="hidden"))
        model.add(_batch_norm("batch_norm_hidden"))
        model.add(layers.ReLU(name="relu_hidden"))
    first = (sides[-1], sides[-1], filters)
    model.add(layers.Dense(math.prod(first), use_bias=False, kernel_initializer=_normal(), name="project"))
    model.add(_batch_norm("batch_norm_0"))
    model.add(layers.ReLU(name="relu_0"))
    model.add(layers.Reshape(first, name="reshape"))
    for number, side in enumerate(sides[-2:0:-1], 1):
        filters //= 2
        model.add(_up(filters, side, f"up_{number}", use_bias=False))
        model.add(_batch_norm(f"batch_norm_{number}"))
        model.add(layers.ReLU(name=f"relu_{number}"))
    model.add(_up(channels, image_size, f"up_{len(sides) - 1}"))
    model.add(layers.Activation("tanh", dtype="float32", name="tanh"))
    return model


def dcgan_discriminator(
    image_size: int = 28, channels: int = 1, width: int = 128, hidden: int = 0, depth: int | None = None
) -> keras.Sequential:
    """The paper's discriminator (section 3): images (n, size, size, channels) to logits (n, 1).

    Strided convolutions instead of pooling; batch normalization everywhere but at the input; LeakyReLU with slope
    0.2. The output is the logit: a sigmoid of it is the probability that the image is real.

    Args and errors as in :func:`dcgan_generator`; ``width`` is the number of channels of the first layer, ``depth``
    how many convolutions there are, and the ``hidden`` dense layer stands between the last of them and the logit.
    """
    layers = keras.layers
    model = keras.Sequential([keras.Input((image_size, image_size, channels))], name="discriminator")
    for number in range(1, len(_sides(image_size, channels, depth))):
        first = number == 1
        model.add(
            layers.Conv2D(
                width * 2 ** (number - 1), (5, 5), strides=(2, 2), padding="same", use_bias=first,
                kernel_initializer=_normal(), name=f"down_{number}",
            )
        )
        if not first:
            model.add(_batch_norm(f"batch_norm_{number}"))
        model.add(layers.LeakyReLU(negative_slope=0.2, name=f"leaky_relu_{number}"))
    model.add(layers.Flatten(name="flatten"))
    if hidden:
        model.add(layers.Dense(hidden, use_bias=False, kernel_initializer=_normal(), name="hidden"))
        model.add(_batch_norm("batch_norm_hidden"))
        model.add(layers.LeakyReLU(negative_slope=0.2, name="leaky_relu_hidden"))
    model.add(layers.Dense(1, kernel_initializer=_normal(), dtype="float32", name="logit"))
    return model


def _sides(image_size: int, channels: int, depth: int | None) -> list[int]:
    """The sides of the maps, from the image's to the smallest: each is half of the one before, rounded up."""
    if image_size not in DEPTHS:
        raise InputError(f"no network here makes images of size {image_size}; choose 28, 32, 64 or 128")
    if channels not in (1, 3):
        raise InputError(f"no network here makes images of {channels} channels; choose 1 or 3")
    sides = [image_size]
    for _ in range(DEPTHS[image_size] if depth is None else depth):
        sides.append((sides[-1] + 1) // 2)
    if len(sides) < 2 or sides[-2] < 2:
        raise InputError(f"no network here halves images of size {image_size} {depth} times; choose a --depth from 1 "
                         f"to {(image_size - 1).bit_length()}")
    return sides


def _normal() -> keras.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.02)  # paper, section 4; a new one for each layer


def _up(filters: int, side: int, name: str, use_bias: bool = True) -> keras.layers.Layer:
    """A transposed convolution to maps of this side: twice that of its input, or one less where it is odd."""
    return keras.layers.Conv2DTranspose(
        filters, (5, 5), strides=(2, 2), padding="same", output_padding=0 if side % 2 else None, use_bias=use_bias,
        kernel_initializer=_normal(), name=name,
    )


def _batch_norm(name: str) -> keras.layers.Layer:
    # Keras's momentum of 0.99 would need several hundred steps before the moving statistics can be used.
    return keras.layers.BatchNormalization(momentum=0.9, name=name)
