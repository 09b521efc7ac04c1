"""The networks: the source's pair and the paper's pair, each a ``keras.Sequential`` with named layers.

What belongs here: layers, and how two networks are joined. Nothing about how they are trained.

The layers at the outputs are float32 under every dtype policy: half precision would round D's verdicts to a few values.

The source is keras-dcgan; the paper is Radford, Metz and Chintala, arXiv 1511.06434.
"""

from .backend import keras
from .errors import InputError

NOISE_SIZE = 100  # numbers in one z, in the source as in the paper


# ---- the source's pair -------------------------------------------------------------------------------------------


def generator_model() -> keras.Sequential:
    """The source's generator: z (n, 100) to grey images (n, 28, 28, 1) in [-1, 1]."""
    layers = keras.layers
    return keras.Sequential(
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


def dcgan_generator(image_size: int = 28, channels: int = 1, width: int = 128) -> keras.Sequential:
    """The paper's generator (section 3, figure 1): z (n, 100) to images (n, size, size, channels) in [-1, 1].

    From a small map of many channels, each transposed convolution doubles the side and halves the channels; batch
    normalization and ReLU everywhere but at the output, which is a tanh; no hidden dense layer.

    Args:
        image_size: 28, 32, 64 or 128.
        channels: 1 or 3.
        width: channels of the last hidden layer. The paper's figure 1 has 128 (and 1024 in the first).
    Raises:
        InputError: the size or the number of channels is another one.
    """
    start, doublings = _plan(image_size, channels)
    layers = keras.layers
    filters = width * 2 ** (doublings - 1)
    model = keras.Sequential(
        [
            keras.Input((NOISE_SIZE,)),
            layers.Dense(start * start * filters, use_bias=False, kernel_initializer=_normal(), name="project"),
            _batch_norm("batch_norm_0"),
            layers.ReLU(name="relu_0"),
            layers.Reshape((start, start, filters), name="reshape"),
        ],
        name="generator",
    )
    for number in range(1, doublings):
        filters //= 2
        model.add(_up(filters, f"up_{number}", use_bias=False))
        model.add(_batch_norm(f"batch_norm_{number}"))
        model.add(layers.ReLU(name=f"relu_{number}"))
    model.add(_up(channels, f"up_{doublings}"))
    model.add(layers.Activation("tanh", dtype="float32", name="tanh"))
    return model


def dcgan_discriminator(image_size: int = 28, channels: int = 1, width: int = 128) -> keras.Sequential:
    """The paper's discriminator (section 3): images (n, size, size, channels) to logits (n, 1).

    Strided convolutions instead of pooling; batch normalization everywhere but at the input; LeakyReLU with slope
    0.2. The output is the logit: a sigmoid of it is the probability that the image is real.

    Args and errors as in :func:`dcgan_generator`; ``width`` is the number of channels of the first layer.
    """
    _, halvings = _plan(image_size, channels)
    layers = keras.layers
    model = keras.Sequential([keras.Input((image_size, image_size, channels))], name="discriminator")
    for number in range(1, halvings + 1):
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
    model.add(layers.Dense(1, kernel_initializer=_normal(), dtype="float32", name="logit"))
    return model


def _plan(image_size: int, channels: int) -> tuple[int, int]:
    """The side of the smallest map, and how many doublings lead from it to the image."""
    plans = {28: (7, 2), 32: (4, 3), 64: (4, 4), 128: (4, 5)}
    if image_size not in plans:
        raise InputError(f"no network here makes images of size {image_size}; choose 28, 32, 64 or 128")
    if channels not in (1, 3):
        raise InputError(f"no network here makes images of {channels} channels; choose 1 or 3")
    return plans[image_size]


def _normal() -> keras.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.02)  # paper, section 4; a new one for each layer


def _up(filters: int, name: str, use_bias: bool = True) -> keras.layers.Layer:
    return keras.layers.Conv2DTranspose(
        filters, (5, 5), strides=(2, 2), padding="same", use_bias=use_bias, kernel_initializer=_normal(), name=name
    )


def _batch_norm(name: str) -> keras.layers.Layer:
    # Keras's momentum of 0.99 would need several hundred steps before the moving statistics can be used.
    return keras.layers.BatchNormalization(momentum=0.9, name=name)
