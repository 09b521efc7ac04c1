"""Two ways to train a pair of networks: the source's loop, and a ``keras.Model`` with its own ``train_step``.

What belongs here: the game of the two networks, and what it is made of (networks, optimizers, loss, noise). No
pictures and no files: those are callbacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .backend import keras, tf
from .data import to_float
from .errors import InputError
from .models import NOISE_SIZE, generator_containing_discriminator
from .noise import uniform

# Where the streams of noise start that no training step uses (a step draws from 2 * step and 2 * step + 1).
SAMPLE_STREAM = -1
GENERATE_STREAM = -2


def draw_noise(count: int | tf.Tensor, seed: int, stream: int | tf.Tensor) -> tf.Tensor:
    """z, uniform in [-1, 1]: float32 (count, 100). The same seed and stream give the same numbers on every machine."""
    return _uniform((count, NOISE_SIZE), seed, stream, -1.0, 1.0)


def _uniform(shape: Sequence[Any], seed: int, stream: int | tf.Tensor, low: float, high: float) -> tf.Tensor:
    if tf is None:
        return uniform(shape, seed, stream, low, high)
    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(stream, tf.int64)])
    # Named, because TensorFlow would choose another algorithm on another device.
    return tf.random.stateless_uniform(shape, seed=key, minval=low, maxval=high, alg="philox")


def drawn_for_all(draw: Callable[[Any], tf.Tensor], count: int | tf.Tensor, axis: int = 0) -> tf.Tensor:
    """Random numbers of one replica of a ``tf.distribute`` strategy: its share of what one device would draw for all.

    Args:
        draw: makes numbers for so many images.
        count: images of this replica; the others have as many.
        axis: along which the images lie.
    """
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return draw(count)
    first = replica.replica_id_in_sync_group * count
    return tf.gather(draw(replica.num_replicas_in_sync * count), tf.range(first, first + count), axis=axis)


def augment_stream(part: int, step: int | tf.Tensor) -> int | tf.Tensor:
    """The stream of the chances with which a step augments its first, second or third lot of images (``part``)."""
    return part * 2**50 + step


def seen_through(network: keras.Model, inputs: tf.Tensor) -> tf.Tensor:
    """Call ``network`` in training mode and leave it as it was, the moving statistics included.

    Gradients pass. In its opponent's turn a network is used in this way: it works as in its own training, with the
    batch's statistics, and nothing in it moves.
    """
    outputs, _ = network.stateless_call(
        network.trainable_variables, network.non_trainable_variables, inputs, training=True
    )
    return outputs


def augmented(images: tf.Tensor, seed: int, stream: int | tf.Tensor) -> tf.Tensor:
    """Shift each image by up to an eighth of its side, and cut a square of half its side out of it, by chance.

    What comes in from outside, and what is cut out, is 0. Gradients pass. Zhao et al., arXiv 2006.10738: where the
    discriminator sees real and generated images only in this way, it cannot learn the few real ones by heart.

    Args:
        images: (n, side, side, channels).
        stream: as of :func:`draw_noise`; the same gives the same shifts and cuts.
    """
    chances = drawn_for_all(lambda n: _uniform((4, n), seed, stream, 0.0, 1.0), tf.shape(images)[0], axis=1)
    return shifted_and_cut(images, chances)


def shifted_and_cut(images: Any, chances: Any) -> Any:
    """As :func:`augmented`, by ``chances`` (4, n) from 0 to below 1: two numbers for the shift, two for the cut."""
    ops, side = keras.ops, images.shape[1]
    places = ops.arange(side)
    most = round(side / 8)
    shifts = ops.cast(ops.floor(chances[:2] * (2 * most + 1)), "int32") - most
    # A matrix for each image and axis, with a 1 where a row (a column) comes from; their product is the shift.
    sources = ops.cast(places[:, None] - shifts[..., None, None] == places, images.dtype)
    shifted = ops.einsum("nab,nbwc,nvw->navc", sources[0], images, sources[1])
    centres = ops.cast(ops.floor(chances[2:] * (side + 1)), "int32")[..., None]
    inside = ops.logical_and(places >= centres - side // 4, places < centres - side // 4 + side // 2)
    cut = ops.logical_and(inside[0][:, :, None], inside[1][:, None, :])
    return shifted * ops.cast(ops.logical_not(cut), images.dtype)[..., None]


class GAN(keras.Model):
    """A generator and a discriminator with an optimizer each, trained by ``fit`` on batches of real images.

    Both losses are the mean binary cross-entropy over a batch: ``d_loss`` of real images against 1 and generated ones
    against 0, ``g_loss`` of generated ones against 1 (the non-saturating form, Goodfellow et al. 2014, section 3).

    ``save_weights`` keeps both networks and both optimizers; ``seed`` and :attr:`step` give the rest.
    """

    def __init__(
        self, generator: keras.Model, discriminator: keras.Model, seed: int = 0, average: float = 0.0,
        augment: bool = False,
    ):
        """
        Args:
            seed: of the noise.
            average: how much of :attr:`averaged_generator` stays at each step, from 0 (it is the generator itself) to
                below 1 (it is a network of its own, and remembers about 1 / (1 - average) steps).
            augment: whether D sees all images, real and generated, as :func:`augmented` changes them.
        """
        super().__init__(name="gan")
        self.generator = generator
        self.discriminator = discriminator
        self.seed = seed
        self.average = average
        self.augment = augment
        # G goes round in circles as it learns; the mean of its weights on the way makes better images than any of
        # them (Yazıcı et al., arXiv 1806.04498).
        self.averaged_generator = _copied(generator) if average else generator
        self.built = True  # both networks are; there is nothing to infer from a first batch

    def compile(
        self, g_optimizer: keras.Optimizer, d_optimizer: keras.Optimizer, jit_compile: bool = False, **settings: Any
    ) -> None:
        """Take the optimizers. The loss is on logits, or on probabilities if the discriminator ends in a sigmoid.

        Args:
            g_optimizer, d_optimizer: without loss scaling, which the two turns do not do.
            jit_compile: translate the step by XLA. On a CPU that gains little at best, and can cost much.
            settings: others of ``keras.Model.compile``, such as ``run_eagerly=True``, with which a debugger can halt
                in a step, or ``steps_per_execution``.
        """
        # Keras's own optimizer would train nothing, and be saved with the rest.
        super().compile(optimizer=None, jit_compile=jit_compile, **settings)
        self.g_optimizer = g_optimizer
        self.d_optimizer = d_optimizer
        g_optimizer.build(self.generator.trainable_variables)
        d_optimizer.build(self.discriminator.trainable_variables)
        probability = getattr(self.discriminator.layers[-1], "activation", None) is keras.activations.sigmoid
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=not probability)

    def fit(self, *args: Any, **settings: Any) -> keras.callbacks.History:
        """As Keras's own.

        Raises:
            InputError: the engine is not TensorFlow; ``steps.train_in_steps`` does the same on each.
        """
        if tf is None:
            raise InputError("GAN.fit trains on TensorFlow alone; take dcgan_lib.steps.train_in_steps, or unset "
                             "KERAS_BACKEND")
        return super().fit(*args, **settings)

    @property
    def all_variables(self) -> list[keras.Variable]:
        """Those of the networks and of both optimizers: all that a checkpoint keeps."""
        return [*self.variables, *self.g_optimizer.variables, *self.d_optimizer.variables]

    @property
    def step(self) -> int:
        """How many steps these networks have been trained."""
        return int(self.g_optimizer.iterations.numpy())

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step: the discriminator learns from half real, half generated images, then the generator from it.

        Args:
            data: real images (n, height, width, channels), float in [-1, 1] or integers in 0..255, or a tuple that
                begins with them; the labels after them are not used.
        Returns:
            The two losses, each from before its network moved.
        """
        real = _real_images(data, self.generator)
        count = real.shape[0] or tf.shape(real)[0]  # a plain number where it is known before the step runs
        stream = 2 * tf.cast(self.g_optimizer.iterations, tf.int64)

        def noise(stream: tf.Tensor) -> tf.Tensor:
            return drawn_for_all(lambda n: draw_noise(n, self.seed, stream), count)

        with tf.control_dependencies([real]):  # or an exhausted pipeline would still make `step` go on by one
            d_loss = self.train_discriminator(real, noise(stream))
            g_loss = self.train_generator(noise(stream + 1))
        self.update_average()
        # Keras divides a loss by the number of replicas, so that the sum of their gradients is a mean.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return {"d_loss": d_loss * replicas, "g_loss": g_loss * replicas}

    def train_discriminator(self, real: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Move D alone: real images towards 1, generated ones towards 0. Returns D's loss."""
        variables = self.discriminator.trainable_variables
        generated = self.shown(seen_through(self.generator, noise), 1)
        real = self.shown(real, 2)
        with tf.GradientTape() as tape:
            on_real = self.discriminator(real, training=True)
            on_generated = self.discriminator(generated, training=True)
            loss = self.cross_entropy(tf.ones_like(on_real), on_real)
            loss = (loss + self.cross_entropy(tf.zeros_like(on_generated), on_generated)) / 2
        self.d_optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def train_generator(self, noise: tf.Tensor) -> tf.Tensor:
        """Move G alone, so that D takes its images for real. Returns G's loss."""
        variables = self.generator.trainable_variables
        with tf.GradientTape() as tape:
            verdict = seen_through(self.discriminator, self.shown(self.generator(noise, training=True), 3))
            loss = self.cross_entropy(tf.ones_like(verdict), verdict)
        self.g_optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def shown(self, images: tf.Tensor, part: int) -> tf.Tensor:
        """Images as D is shown them, real and generated alike: as they are, or augmented.

        Args:
            part: which of a step's three lots these are, for chances of their own.
        """
        if not self.augment:
            return images
        return augmented(images, self.seed, augment_stream(part, tf.cast(self.g_optimizer.iterations, tf.int64)))

    def update_average(self) -> None:
        """Move the averaged weights, moving statistics included, towards G's as they are now."""
        if not self.average:
            return
        rate = averaging_rate(self.average, self.g_optimizer.iterations)
        for mean, now in zip(self.averaged_generator.variables, self.generator.variables, strict=True):
            mean.assign(mean + rate * (now - mean))


def averaging_rate(average: float, step: Any) -> Any:
    """The part of the way that averaged weights go to the present ones after ``step`` steps.

    In the first steps it is larger, so that the mean soon forgets the weights that training began with.
    """
    step = keras.ops.cast(step, "float32")
    return 1 - keras.ops.minimum(average, (1 + step) / (10 + step))


class FallingRate(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that stays for the first half of ``steps`` and falls in a line to 0 over the second.

    As in the DCGAN authors' program for MNIST.
    """

    def __init__(self, rate: float, steps: int):
        super().__init__()
        self.rate = rate
        self.steps = steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        left = 1 - keras.ops.cast(step, "float32") / self.steps
        return self.rate * keras.ops.clip(2 * left, 0, 1)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "steps": self.steps}


def _copied(network: keras.Model) -> keras.Model:
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def _real_images(data: Any, generator: keras.Model) -> tf.Tensor:
    """The images of a batch as the generator makes them: float32 in [-1, 1], without what may lie beside them."""
    images = keras.ops.convert_to_tensor(keras.utils.unpack_x_y_sample_weight(data)[0])
    images = to_float(images) if "int" in keras.backend.standardize_dtype(images.dtype) else (
        keras.ops.cast(images, "float32"))
    return tf.ensure_shape(images, generator.output_shape) if tf else images  # a pipeline may not know it beforehand


def repeat_step(
    gan: GAN, step: Callable[[Any], dict[str, float]], batches: Iterable[Any], steps: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """``step`` on each of so many batches, with ``callbacks`` called as ``fit`` would.

    Args:
        step: makes the losses, by name, of a batch.
    """
    watchers = keras.callbacks.CallbackList(callbacks, model=gan, epochs=1, steps=steps)
    gan.stop_training = False
    watchers.on_train_begin()
    for index, batch in zip(range(steps), batches):
        watchers.on_train_batch_end(index, step(batch))
        if gan.stop_training:
            break
    watchers.on_train_end()


def train_like_source(
    gan: GAN, batches: Iterable[tf.Tensor], steps: int, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> None:
    """The source's loop: ``train_on_batch`` on D, then on G and the frozen D joined, ``steps`` times.

    It uses the networks, optimizers and loss of ``gan`` and calls ``callbacks`` as ``fit`` would. Batch normalization
    in D, which the source has not, sees real and generated images in one batch here, and works in inference mode in
    G's turn: the paper's pair takes longer to get going than in ``fit``.

    Args:
        gan: compiled; the source has SGD(5e-4, momentum 0.9, Nesterov) for both optimizers.
        batches: real images, float32 (n, height, width, channels), n the same every time.
    """
    try:
        d_on_g = _compiled_like_source(gan)
        repeat_step(gan, lambda real: _step_like_source(gan, d_on_g, real), batches, steps, callbacks)
    finally:  # whatever stopped G's turn, D must not stay frozen for the next training
        gan.discriminator.trainable = True


def _compiled_like_source(gan: GAN) -> keras.Sequential:
    """Compile D, and G and the frozen D joined; return the latter."""
    d_on_g = generator_containing_discriminator(gan.generator, gan.discriminator)
    d_on_g.compile(loss=gan.cross_entropy, optimizer=gan.g_optimizer, jit_compile=False)
    gan.discriminator.trainable = True
    gan.discriminator.compile(loss=gan.cross_entropy, optimizer=gan.d_optimizer, jit_compile=False)
    return d_on_g


def _step_like_source(gan: GAN, d_on_g: keras.Sequential, real: tf.Tensor) -> dict[str, float]:
    g, d, step = gan.generator, gan.discriminator, gan.step
    real = _real_images(real, g)
    count = len(real)
    generated = g.predict_on_batch(draw_noise(count, gan.seed, 2 * step))
    images = np.concatenate((keras.ops.convert_to_numpy(real), generated))
    labels = np.concatenate((np.ones((count, 1)), np.zeros((count, 1))))
    # Keras 3 returns the mean since the last reset, and reads `trainable` whenever it traces a new function: the
    # resets give each batch's own loss, and the toggles keep D still in G's turn and let it move in its own.
    d.reset_metrics()
    d_loss = d.train_on_batch(images, labels)
    d.trainable = False
    d_on_g.reset_metrics()
    g_loss = d_on_g.train_on_batch(draw_noise(count, gan.seed, 2 * step + 1), np.ones((count, 1)))
    d.trainable = True
    gan.update_average()
    return {"d_loss": float(d_loss), "g_loss": float(g_loss)}
