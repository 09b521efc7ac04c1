"""What watches a training, without the command line around it."""

import io

import numpy as np
import pytest
from PIL import Image

from dcgan_lib import callbacks, models
from dcgan_lib.backend import keras
from dcgan_lib.data import batches
from dcgan_lib.files import InputError, whole_file
from dcgan_lib.training import GAN


def build(rate=0.001):
    keras.utils.set_random_seed(0)
    gan = GAN(models.dcgan_generator(width=8), models.dcgan_discriminator(width=8), seed=0)
    gan.compile(keras.optimizers.Adam(rate, beta_1=0.5), keras.optimizers.Adam(rate, beta_1=0.5))
    return gan


def fit(gan, digits, steps, watchers):
    data = batches(digits, 16, first_step=gan.step)
    gan.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=watchers)


def test_live_samples_come_from_one_noise_at_the_right_steps(digits):
    gan, losses = build(), callbacks.LossHistory()
    live = callbacks.LiveSamples(losses, every=2, count=9)
    fit(gan, digits, 5, [losses, live])
    assert sorted(live.frames) == [0, 2, 4, 5]
    pictures = {step: np.asarray(Image.open(io.BytesIO(png))) for step, png in live.frames.items()}
    assert all(picture.shape == (84, 84) for picture in pictures.values())
    again = callbacks.LiveSamples(losses, every=2, count=9)
    again.set_model(gan)
    again.on_train_begin()
    assert (np.asarray(Image.open(io.BytesIO(again.frames[5]))) == pictures[5]).all()
    assert (pictures[0] != pictures[5]).any()


def test_training_goes_on_in_the_same_model(digits):
    gan, losses = build(), callbacks.LossHistory()
    fit(gan, digits, 2, [losses])
    fit(gan, digits, 2, [losses])
    whole = callbacks.LossHistory()
    fit(build(), digits, 4, [whole])
    assert [row[0] for row in losses.rows] == [1, 2, 3, 4]
    np.testing.assert_allclose(losses.rows, whole.rows, rtol=1e-5)


def test_losses_survive_the_file(digits, tmp_path):
    losses, again = callbacks.LossHistory(), callbacks.LossHistory()
    fit(build(), digits, 3, [losses])
    losses.save(tmp_path / "losses.csv")
    assert (tmp_path / "losses.csv").read_text().splitlines()[0] == "step,d_loss,g_loss"
    again.load(tmp_path / "losses.csv", 2)
    np.testing.assert_array_equal(np.float32(again.rows), np.float32(losses.rows[:2]))
    again.save(tmp_path / "again.csv")
    assert (tmp_path / "losses.csv").read_text().startswith((tmp_path / "again.csv").read_text())
    with pytest.raises(InputError, match="losses.csv: is damaged"):
        again.load(tmp_path / "losses.csv", 4)


def test_nan_in_a_loss_stops_at_its_step(digits):
    losses = callbacks.LossHistory()
    with pytest.raises(FloatingPointError, match=r"loss is (nan|inf) at step \d"):
        fit(build(rate=1e30), digits, 50, [losses, callbacks.StopAtNaN()])
    assert len(losses.rows) < 50
    assert np.isfinite(losses.rows[:-1]).all() and not np.isfinite(losses.rows[-1]).all()


def test_checkpoint_never_keeps_weights_that_are_not_finite(digits, tmp_path):
    gan, losses = build(), callbacks.LossHistory()
    checkpoint = callbacks.Checkpoint(tmp_path, losses, every=1)
    fit(gan, digits, 1, [losses, checkpoint])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    gan.generator.weights[0].assign(gan.generator.weights[0] * np.nan)
    with pytest.raises(FloatingPointError, match="no longer finite at step 1"):
        checkpoint.on_train_begin()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with whole_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]
