"""The two pairs of networks, layer by layer."""

import numpy as np
import pytest

from dcgan_lib import models
from dcgan_lib.backend import keras, tf
from dcgan_lib.errors import InputError
from dcgan_lib.files import ASSETS
from dcgan_lib.runs import Run, load_weights


def table(model):
    return [(type(layer).__name__, tuple(layer.output.shape[1:]), layer.count_params()) for layer in model.layers]


def test_source_generator():
    assert table(models.generator_model()) == [
        ("Dense", (1024,), 100 * 1024 + 1024),
        ("Activation", (1024,), 0),
        ("Dense", (6272,), 1024 * 6272 + 6272),
        ("BatchNormalization", (6272,), 4 * 6272),
        ("Activation", (6272,), 0),
        ("Reshape", (7, 7, 128), 0),
        ("UpSampling2D", (14, 14, 128), 0),
        ("Conv2D", (14, 14, 64), 25 * 128 * 64 + 64),
        ("Activation", (14, 14, 64), 0),
        ("UpSampling2D", (28, 28, 64), 0),
        ("Conv2D", (28, 28, 1), 25 * 64 + 1),
        ("Activation", (28, 28, 1), 0),
    ]


def test_source_discriminator():
    model = models.discriminator_model()
    assert table(model) == [
        ("Conv2D", (28, 28, 64), 25 * 64 + 64),
        ("Activation", (28, 28, 64), 0),
        ("MaxPooling2D", (14, 14, 64), 0),
        ("Conv2D", (10, 10, 128), 25 * 64 * 128 + 128),
        ("Activation", (10, 10, 128), 0),
        ("MaxPooling2D", (5, 5, 128), 0),
        ("Flatten", (3200,), 0),
        ("Dense", (1024,), 3200 * 1024 + 1024),
        ("Activation", (1024,), 0),
        ("Dense", (1,), 1025),
        ("Activation", (1,), 0),
    ]
    activations = [layer.activation.__name__ for layer in model.layers if isinstance(layer, keras.layers.Activation)]
    assert activations == ["tanh", "tanh", "tanh", "sigmoid"]


def test_joined_model_shares_the_weights():
    g, d = models.generator_model(), models.discriminator_model()
    joined = models.generator_containing_discriminator(g, d)
    assert joined.output_shape == (None, 1) and not d.trainable
    z = np.random.default_rng(0).uniform(-1, 1, (3, 100)).astype("float32")
    np.testing.assert_allclose(joined(z), d(g(z)), rtol=1e-5)
    assert {id(weight) for weight in joined.trainable_weights} == {id(weight) for weight in g.trainable_weights}
    assert joined.count_params() == g.count_params() + d.count_params()


@pytest.mark.parametrize("size, channels", [(28, 1), (28, 3), (32, 1), (64, 3), (128, 1), (128, 3)])
def test_paper_pair_in_every_size(size, channels):
    g = models.dcgan_generator(size, channels, width=8)
    d = models.dcgan_discriminator(size, channels, width=8)
    images = g(np.zeros((2, 100), "float32"))
    assert images.shape == (2, size, size, channels) and np.abs(images).max() <= 1
    assert d(images).shape == (2, 1)


def test_paper_pair_follows_the_guidelines():
    g, d = models.dcgan_generator(64, 3), models.dcgan_discriminator(64, 3)
    maps = [layer.output.shape[1:] for layer in g.layers if layer.name == "reshape" or layer.name.startswith("up")]
    # Figure 1 of the paper.
    assert maps == [(4, 4, 1024), (8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 3)]
    for model in (g, d):
        kinds = [type(layer).__name__ for layer in model.layers]
        assert not any("Pool" in kind or "UpSampling" in kind for kind in kinds)
        assert kinds.count("Dense") == 1, "the projection of z, or the output: no hidden dense layer"
    assert [layer.name for layer in g.layers][-2:] == ["up_4", "tanh"], "no batch normalization at G's output"
    assert [layer.name for layer in d.layers][:2] == ["down_1", "leaky_relu_1"], "nor at D's input"
    assert sum("batch_norm" in layer.name for layer in g.layers) == 4
    assert sum("batch_norm" in layer.name for layer in d.layers) == 3
    slopes = {layer.negative_slope for layer in d.layers if "leaky" in layer.name}
    assert slopes == {0.2}


def test_paper_pair_starts_from_its_normal_distribution():
    keras.utils.set_random_seed(0)
    for model in (models.dcgan_generator(), models.dcgan_discriminator()):
        kernels = [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]
        for kernel in kernels:
            error = 0.02 / np.sqrt(2 * kernel.size)  # of a standard deviation that is estimated from so many numbers
            assert abs(kernel.std() - 0.02) < 5 * error and abs(kernel.mean()) < 5 * 0.02 / np.sqrt(kernel.size)
        assert len({kernel.ravel()[:3].tobytes() for kernel in kernels}) == len(kernels), "no two kernels alike"
        gammas = [layer.gamma.numpy() for layer in model.layers if "batch_norm" in layer.name]
        assert all((gamma == 1).all() for gamma in gammas)


@pytest.mark.parametrize("size, depth", [(28, 1), (28, 3), (28, 4), (28, 5), (32, 5), (64, 5)])
def test_paper_pair_in_every_depth(size, depth):
    g, d = (build(size, 1, 4, 0, depth) for build in (models.dcgan_generator, models.dcgan_discriminator))
    sides = [size]
    while len(sides) <= depth:
        sides.append(-(-sides[-1] // 2))
    up = [layer.output.shape[1:] for layer in g.layers if layer.name == "reshape" or layer.name.startswith("up")]
    down = [layer.output.shape[1:] for layer in d.layers if layer.name.startswith("down")]
    channels = [4 * 2**number for number in range(depth)]
    assert down == [(side, side, count) for side, count in zip(sides[1:], channels)]
    assert up == [*down[::-1], (size, size, 1)]
    assert d(g(np.zeros((2, 100), "float32"))).shape == (2, 1)


@pytest.mark.parametrize("depth", [0, 6, 9])
def test_depths_that_no_image_has(depth):
    for build in (models.dcgan_generator, models.dcgan_discriminator):
        with pytest.raises(InputError, match=f"halves images of size 28 {depth} times; choose a --depth from 1 to 5"):
            build(depth=depth)


def test_the_hidden_layer_is_dense_with_batch_normalization():
    places = (models.dcgan_generator, None, "ReLU"), (models.dcgan_discriminator, "flatten", "LeakyReLU")
    for build, after, kind in places:
        plain, hidden = build(width=4), build(width=4, hidden=6)
        names = [layer.name for layer in hidden.layers]
        start = names.index(after) + 1 if after else 0
        assert names[start : start + 2] == ["hidden", "batch_norm_hidden"]
        assert type(hidden.layers[start + 2]).__name__ == kind
        assert names[:start] + names[start + 3 :] == [layer.name for layer in plain.layers]
        assert hidden.layers[start].units == 6 and not hidden.layers[start].use_bias


@pytest.mark.parametrize("k", [3, 5, 7])
def test_upsampled_convolution_is_the_two_layers_in_one(k):
    """In float64, with gradients, on maps of odd and even sides."""
    random = np.random.default_rng(k)
    for height, width in ((7, 7), (4, 5), (1, 2)):
        small = tf.constant(random.normal(size=(2, height, width, 3)))
        kernel = tf.constant(random.normal(size=(k, k, 3, 4)))
        weights = random.normal(size=(2, 2 * height, 2 * width, 4))
        results = []
        for compute in (
            lambda x, k: tf.nn.conv2d(tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2), k, 1, "SAME"),
            models.upsampled_convolution,
        ):
            with tf.GradientTape() as tape:
                tape.watch([small, kernel])
                large = compute(small, kernel)
                total = tf.reduce_sum(large * weights)
            results.append([large, *tape.gradient(total, [small, kernel])])
        for plain, other in zip(*results):
            np.testing.assert_allclose(other, plain, atol=1e-12)


def test_in_phases_has_the_same_weights_files_and_images(tmp_path):
    plain, phased = models.generator_model(), models.generator_model(in_phases=True)
    random = np.random.default_rng(0)
    plain.set_weights([random.uniform(0.01, 0.05, weight.shape) for weight in plain.weights])
    plain.save_weights(tmp_path / "plain.weights.h5")
    phased.load_weights(tmp_path / "plain.weights.h5")
    assert [layer.name for layer in phased.layers] == [layer.name for layer in plain.layers]
    z = random.uniform(-1, 1, (3, 100)).astype("float32")
    for training in (False, True):
        np.testing.assert_allclose(phased(z, training=training), plain(z, training=training), atol=2e-5)
    assert np.abs(plain.get_weights()[6] - phased.get_weights()[6]).max() < 1e-6, "moving statistics moved alike"
    phased.save_weights(tmp_path / "phased.weights.h5")
    models.generator_model().load_weights(tmp_path / "phased.weights.h5")


@pytest.mark.parametrize("size, channels", [(27, 1), (30, 1), (256, 1), (28, 2), (0, 1)])
def test_sizes_that_no_network_has(size, channels):
    for build in (models.dcgan_generator, models.dcgan_discriminator):
        with pytest.raises(InputError, match="no network here makes images of .*; choose"):
            build(size, channels)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_shipped_weights_fit_under_every_policy_and_outputs_are_float32(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        pairs = *Run.read(ASSETS).networks(), models.generator_model(True), models.discriminator_model()
    finally:
        keras.config.set_dtype_policy(before)
    load_weights(pairs[0], ASSETS / "generator.weights.h5")
    load_weights(pairs[1], ASSETS / "discriminator.weights.h5")
    assert [model.outputs[0].dtype for model in pairs] == ["float32"] * 4
    assert {weight.dtype for model in pairs for weight in model.weights} == {"float32"}
