"""Many images in one picture, PNG, and the animation of a training."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from dcgan_lib import pictures


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
    picture = pictures.combine_images(images)
    assert picture.dtype == dtype
    np.testing.assert_array_equal(picture, combine_like_the_source(images))


def test_combine_images_in_colour_is_the_grey_one_channel_by_channel():
    images = np.random.default_rng(0).integers(0, 255, (11, 4, 6, 3), np.uint8)
    picture = pictures.combine_images(images)
    assert picture.shape == (4 * 4, 3 * 6, 3)
    for channel in range(3):
        np.testing.assert_array_equal(picture[..., channel], combine_like_the_source(images[..., [channel]]))


def test_ten_thousand_images_in_one_picture():
    assert pictures.combine_images(np.zeros((10_000, 28, 28, 1), np.uint8)).shape == (2800, 2800)


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)])
def test_gif_holds_the_frames_in_order_and_loops(tmp_path, shape):
    frames = {step: pictures.png_bytes(np.full(shape, step, np.uint8)) for step in range(0, 200, 2)}
    pictures.save_gif(frames, tmp_path / "a.gif", most=12)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 12 and gif.info["loop"] == 0 and gif.size == (30, 36)
        middles = []
        for frame in range(gif.n_frames):
            gif.seek(frame)
            middles.append(np.asarray(gif.convert("L"))[26, 15])
        assert middles[0] == 0 and middles[-1] == 198 and middles == sorted(middles)
        assert gif.info["duration"] > 1000, "it rests on the last"


def test_gif_has_the_size_of_most_frames_and_takes_any_kind_of_png(tmp_path):
    frames = {step: pictures.png_bytes(np.full((9 + (step == 7), 9), 30 * step, np.uint8)) for step in range(8)}
    for step, mode in ((1, "1"), (2, "P"), (3, "I;16")):
        buffer = io.BytesIO()
        Image.open(io.BytesIO(frames[step])).convert(mode).save(buffer, "PNG")
        frames[step] = buffer.getvalue()
    pictures.save_gif(frames, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 7 and gif.size == (9, 25)


def test_frames_are_read_from_pictures_alone(tmp_path):
    good = pictures.png_bytes(np.zeros((4, 4), np.uint8))
    for name, content in (("step_000003.png", good), ("step_12.png", good), ("step_best.png", good),
                          ("step_000004.png", b""), ("step_000005.png", good[:40]), ("other.png", good)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "step_000006.png").mkdir()
    assert pictures.read_frames(tmp_path) == {3: good, 12: good}


def test_png_bytes_are_the_picture():
    picture = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(pictures.png_bytes(picture)))) == picture).all()
