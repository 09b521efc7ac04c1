"""Images from weights, and many images in one picture."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from dcgan_lib import generating, models
from dcgan_lib.backend import keras
from dcgan_lib.files import InputError


def combine_like_the_source(images):
    """What the source document's combine_images does to grey images, tile by tile."""
    count, height, width, _ = images.shape
    columns = int(math.sqrt(count))
    rows = int(math.ceil(float(count) / columns))
    picture = np.zeros((rows * height, columns * width), images.dtype)
    for number in range(count):
        top, left = number // columns * height, number % columns * width
        picture[top : top + height, left : left + width] = images[number, :, :, 0]
    return picture


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 12, 16, 17, 128])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_combine_images_is_the_source_s(count, dtype):
    images = (np.random.default_rng(count).uniform(0, 255, (count, 5, 3, 1))).astype(dtype)
    picture = generating.combine_images(images)
    assert picture.dtype == dtype
    np.testing.assert_array_equal(picture, combine_like_the_source(images))


def test_combine_images_in_colour_is_the_grey_one_channel_by_channel():
    images = np.random.default_rng(0).integers(0, 255, (11, 4, 6, 3), np.uint8)
    picture = generating.combine_images(images)
    assert picture.shape == (4 * 4, 3 * 6, 3)
    for channel in range(3):
        np.testing.assert_array_equal(picture[..., channel], combine_like_the_source(images[..., [channel]]))


def test_ten_thousand_images_in_one_picture():
    assert generating.combine_images(np.zeros((10_000, 28, 28, 1), np.uint8)).shape == (2800, 2800)


@pytest.fixture(scope="module")
def pair():
    keras.utils.set_random_seed(1)
    return models.dcgan_generator(width=8), models.dcgan_discriminator(width=8)


def test_nice_images_are_the_best_of_twenty_times_as_many(pair):
    g, d = pair
    everything = generating.generate_images(g, 20 * 60, seed=3)  # more than one portion of the search
    scores = d.predict(everything, verbose=0)[:, 0]
    nice = generating.generate_nice_images(g, d, 60, seed=3)
    np.testing.assert_allclose(nice, everything[np.argsort(-scores, kind="stable")[:60]], atol=1e-5)


def test_generated_images_follow_the_seed(pair):
    g, _ = pair
    a, b, c = (generating.generate_images(g, 5, seed) for seed in (1, 1, 2))
    assert (a == b).all() and (a != c).any() and a.shape == (5, 28, 28, 1)


def test_more_images_than_one_picture_holds(pair):
    with pytest.raises(InputError, match="ask for at most 684784 with --batch_size"):
        generating.generate_images(pair[0], 10**9, seed=0)


def test_weights_of_the_same_network_are_read(pair, tmp_path):
    pair[0].save_weights(tmp_path / "g.weights.h5")
    other = models.dcgan_generator(width=8)
    generating.load_weights(other, tmp_path / "g.weights.h5")
    assert all((a == b).all() for a, b in zip(pair[0].get_weights(), other.get_weights()))


@pytest.mark.parametrize("build", [
    models.generator_model,
    lambda: models.dcgan_generator(width=4),
    lambda: models.dcgan_generator(32, width=8),
    lambda: models.dcgan_discriminator(width=8),
])
def test_weights_of_another_network(pair, build, tmp_path):
    pair[0].save_weights(tmp_path / "g.weights.h5")
    network = build()
    before = network.get_weights()
    with pytest.raises(InputError, match="of another network than this"):
        generating.load_weights(network, tmp_path / "g.weights.h5")
    assert all((a == b).all() for a, b in zip(before, network.get_weights()))


@pytest.mark.parametrize("kept", [0, 1, 100, 5_000, 0.5, 0.99])
def test_weights_cut_short(pair, tmp_path, kept):
    path = tmp_path / "g.weights.h5"
    pair[0].save_weights(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match="is cut short or no file of weights"):
        generating.load_weights(models.dcgan_generator(width=8), path)


def test_weights_missing(pair, tmp_path):
    with pytest.raises(InputError, match="there are no weights here; train again"):
        generating.load_weights(pair[0], tmp_path / "g.weights.h5")


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)])
def test_gif_holds_the_frames_in_order_and_loops(tmp_path, shape):
    frames = {step: generating.png_bytes(np.full(shape, step, np.uint8)) for step in range(0, 200, 2)}
    generating.save_gif(frames, tmp_path / "a.gif", most=12)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 12 and gif.info["loop"] == 0 and gif.size == (30, 36)
        middles = []
        for frame in range(gif.n_frames):
            gif.seek(frame)
            middles.append(np.asarray(gif.convert("L"))[26, 15])
        assert middles[0] == 0 and middles[-1] == 198 and middles == sorted(middles)
        assert gif.info["duration"] > 1000, "it rests on the last"


def test_png_bytes_are_the_picture():
    picture = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(generating.png_bytes(picture)))) == picture).all()
