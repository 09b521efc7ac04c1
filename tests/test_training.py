"""The two loops: what they compute, and which weights they move."""

import numpy as np
import pytest

from dcgan_lib import models
from dcgan_lib.backend import keras, tf
from dcgan_lib.data import batches, to_float
from dcgan_lib.training import GAN, draw_noise, seen_through, train_like_source

BATCH = 16


def sgd():
    return keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True)


def adam():
    return keras.optimizers.Adam(0.001, beta_1=0.5)


def build(pair, optimizer):
    keras.utils.set_random_seed(5)
    if pair == "original":
        networks = models.generator_model(), models.discriminator_model()
    else:
        networks = models.dcgan_generator(width=8), models.dcgan_discriminator(width=8)
    gan = GAN(*networks, seed=7)
    gan.compile(optimizer(), optimizer())
    return gan


class Losses(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.rows = []

    def on_train_batch_end(self, batch, logs=None):
        self.rows.append((float(logs["d_loss"]), float(logs["g_loss"])))


def run(gan, loop, images, steps):
    losses = Losses()
    data = batches(images, BATCH, seed=1)
    if loop == "source":
        train_like_source(gan, data, steps, [losses])
    else:
        gan.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[losses])
    return losses.rows


def cross_entropy(logits, target):
    """By hand, in float64: log(1 + exp(x)) less the logit where the target is 1."""
    logits = np.asarray(logits, np.float64)
    return float(np.mean(np.logaddexp(0, logits) - target * logits))


def logit(probability):
    probability = np.asarray(probability, np.float64)
    return np.log(probability) - np.log1p(-probability)


def sgd_first_step(weight, gradient):
    return weight - 0.05 * (1 + 0.9) * gradient


def adam_first_step(weight, gradient):
    # Both moments start at 0 and are corrected for it: after one step they are the gradient and its square.
    return weight - 0.001 * gradient / (np.abs(gradient) + 1e-7 / np.sqrt(1 - 0.999))


@pytest.mark.parametrize("pair, optimizer, first_step", [
    ("original", sgd, sgd_first_step), ("dcgan", adam, adam_first_step),
])
@pytest.mark.parametrize("loop", ["source", "fit"])
def test_losses_of_one_step_computed_independently(pair, optimizer, first_step, loop, digits):
    """D's loss from the first weights; then D's step by its formula; then G's loss from the D that has moved."""
    [(d_loss, g_loss)] = run(build(pair, optimizer), loop, digits, 1)

    gan = build(pair, optimizer)
    g, d = gan.generator, gan.discriminator
    to_logits = logit if pair == "original" else np.asarray
    [real] = batches(digits, BATCH, seed=1).take(1)
    train_mode = loop == "fit"  # the source makes D's images with `predict`, that is in inference mode
    fake = seen_through(g, draw_noise(BATCH, 7, 0)) if train_mode else g(draw_noise(BATCH, 7, 0), training=False)
    statistics = [variable.numpy() for variable in d.non_trainable_variables]
    with tf.GradientTape() as tape:
        if loop == "fit":
            on_real, on_fake = d(real, training=True), d(fake, training=True)
        else:
            on_real, on_fake = tf.split(d(tf.concat((real, fake), 0), training=True), 2)
        if pair == "original":
            loss = -(tf.reduce_mean(tf.math.log(on_real)) + tf.reduce_mean(tf.math.log(1 - on_fake))) / 2
        else:
            loss = (tf.reduce_mean(tf.nn.softplus(-on_real)) + tf.reduce_mean(tf.nn.softplus(on_fake))) / 2
    expected = (cross_entropy(to_logits(on_real), 1) + cross_entropy(to_logits(on_fake), 0)) / 2
    assert d_loss == pytest.approx(expected, rel=1e-4)

    for variable, gradient in zip(d.trainable_variables, tape.gradient(loss, d.trainable_variables)):
        variable.assign(first_step(variable.numpy(), gradient.numpy()))
    noise = draw_noise(BATCH, 7, 1)
    if loop == "source":  # D is frozen, so that its batch normalization works with the moving statistics
        verdict = d(g(noise, training=True), training=False)
        assert pair == "original" or any((a != b.numpy()).any() for a, b in zip(statistics, d.non_trainable_variables))
    else:
        verdict = seen_through(d, g(noise, training=True))
    assert g_loss == pytest.approx(cross_entropy(to_logits(verdict), 1), rel=1e-3)


def snapshot(model):
    return [weight.numpy().copy() for weight in model.weights]


def moved(model, before):
    return [not np.array_equal(weight.numpy(), old) for weight, old in zip(model.weights, before)]


@pytest.mark.parametrize("pair, optimizer", [("original", sgd), ("dcgan", adam)])
def test_each_turn_moves_its_own_network_alone(pair, optimizer, digits):
    """In `fit`, and to the last moving statistic."""
    gan = build(pair, optimizer)
    real, noise = to_float(digits[:BATCH]), draw_noise(BATCH, 0, 0)
    g_before, d_before = snapshot(gan.generator), snapshot(gan.discriminator)
    gan.train_discriminator(real, noise)
    assert not any(moved(gan.generator, g_before)) and all(moved(gan.discriminator, d_before))
    g_before, d_before = snapshot(gan.generator), snapshot(gan.discriminator)
    gan.train_generator(noise)
    assert all(moved(gan.generator, g_before)) and not any(moved(gan.discriminator, d_before))


@pytest.mark.parametrize("pair, optimizer", [("original", sgd), ("dcgan", adam)])
def test_each_turn_of_the_source_loop_moves_its_own_network_alone(pair, optimizer, digits, monkeypatch):
    """Watched from outside: which weights each `train_on_batch` moves, over three steps."""
    gan = build(pair, optimizer)
    seen = []
    original = keras.Sequential.train_on_batch

    def watched(model, *args, **kwargs):
        g_before, d_before = snapshot(gan.generator), snapshot(gan.discriminator)
        result = original(model, *args, **kwargs)
        seen.append((moved(gan.generator, g_before), moved(gan.discriminator, d_before)))
        return result

    monkeypatch.setattr(keras.Sequential, "train_on_batch", watched)
    run(gan, "source", digits, 3)
    assert len(seen) == 6
    for g_moved, d_moved in seen[::2]:
        assert not any(g_moved) and all(d_moved)
    for g_moved, d_moved in seen[1::2]:
        assert all(g_moved) and not any(d_moved)


@pytest.mark.parametrize("loop", ["source", "fit"])
def test_each_step_reports_its_own_losses_not_a_running_mean(loop, digits):
    """The losses of steps two and three are those of a training that starts there."""
    gan = build("dcgan", adam)
    rows = run(gan, loop, digits, 3)
    again = build("dcgan", adam)
    data = batches(digits, BATCH, seed=1)
    for step in range(3):
        losses = Losses()
        one = data.skip(step)
        if loop == "source":
            train_like_source(again, one, 1, [losses])
        else:
            again.fit(one, steps_per_epoch=1, shuffle=False, verbose=0, callbacks=[losses])
        assert losses.rows[0] == pytest.approx(rows[step], rel=1e-4)


@pytest.mark.parametrize("loop", ["source", "fit"])
def test_same_seed_same_losses(loop, digits):
    assert run(build("dcgan", adam), loop, digits, 4) == run(build("dcgan", adam), loop, digits, 4)


@pytest.mark.parametrize("pair, optimizer", [("original", sgd), ("dcgan", adam)])
@pytest.mark.parametrize("loop", ["source", "fit"])
def test_saved_weights_hold_networks_and_optimizers(pair, optimizer, loop, digits, tmp_path):
    gan = build(pair, optimizer)
    run(gan, loop, digits, 2)
    gan.save_weights(tmp_path / "gan.weights.h5")
    other = build(pair, optimizer)
    other.load_weights(tmp_path / "gan.weights.h5")
    assert other.step == 2
    for mine, theirs in ((gan, other), (gan.g_optimizer, other.g_optimizer), (gan.d_optimizer, other.d_optimizer)):
        assert len(mine.variables) == len(theirs.variables)
        for a, b in zip(mine.variables, theirs.variables):
            if "seed" not in a.path:
                np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_noise_is_uniform_and_each_stream_has_its_own():
    noise = draw_noise(2000, 3, 4).numpy()
    assert noise.shape == (2000, 100) and noise.dtype == np.float32
    assert -1 <= noise.min() < -0.99 and 0.99 < noise.max() <= 1
    assert abs(noise.mean()) < 0.01 and abs(noise.var() - 1 / 3) < 0.01
    assert (noise == draw_noise(2000, 3, 4)).numpy().all()
    assert (noise != draw_noise(2000, 3, 5)).numpy().any() and (noise != draw_noise(2000, 4, 4)).numpy().any()


def test_loss_is_safe_where_a_probability_would_not_be():
    gan = build("dcgan", adam)
    assert float(gan.cross_entropy(tf.zeros((1, 1)), tf.fill((1, 1), 200.0))) == pytest.approx(200)
