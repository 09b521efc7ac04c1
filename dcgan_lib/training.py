"""Two ways to train a pair of networks: the source's loop, and a ``keras.Model`` with its own ``train_step``.

What belongs here: the game of the two networks, and what it is made of (networks, optimizers, loss, noise). No
pictures and no files: those are callbacks.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from .backend import keras, tf
from .models import NOISE_SIZE, generator_containing_discriminator

# Where the streams of noise start that no training step uses (a step draws from 2 * step and 2 * step + 1).
SAMPLE_STREAM = -1
GENERATE_STREAM = -2


def draw_noise(count: int, seed: int, stream: int | tf.Tensor) -> tf.Tensor:
    """z, uniform in [-1, 1]: float32 (count, 100). The same seed and stream give the same numbers on every machine."""
    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(stream, tf.int64)])
    return tf.random.stateless_uniform((count, NOISE_SIZE), seed=key, minval=-1.0, maxval=1.0)


def seen_through(network: keras.Model, inputs: tf.Tensor) -> tf.Tensor:
    """Call ``network`` in training mode and leave it as it was, the moving statistics included.

    Gradients pass. In its opponent's turn a network is used in this way: it works as in its own training, with the
    batch's statistics, and nothing in it moves.
    """
    outputs, _ = network.stateless_call(
        network.trainable_variables, network.non_trainable_variables, inputs, training=True
    )
    return outputs


class GAN(keras.Model):
    """A generator and a discriminator with an optimizer each, trained by ``fit`` on batches of real images.

    Both losses are the mean binary cross-entropy over a batch: ``d_loss`` of real images against 1 and generated ones
    against 0, ``g_loss`` of generated ones against 1 (the non-saturating form, Goodfellow et al. 2014, section 3).

    ``save_weights`` keeps both networks and both optimizers; ``seed`` and :attr:`step` give the rest.
    """

    def __init__(self, generator: keras.Model, discriminator: keras.Model, seed: int = 0):
        super().__init__(name="gan")
        self.generator = generator
        self.discriminator = discriminator
        self.seed = seed
        self.built = True  # both networks are; there is nothing to infer from a first batch

    def compile(self, g_optimizer: keras.Optimizer, d_optimizer: keras.Optimizer) -> None:
        """Take the optimizers. The loss is on logits, or on probabilities if the discriminator ends in a sigmoid."""
        # XLA does not pay on a CPU: it doubles the time of a step here.
        super().compile(jit_compile=False)
        self.g_optimizer = g_optimizer
        self.d_optimizer = d_optimizer
        g_optimizer.build(self.generator.trainable_variables)
        d_optimizer.build(self.discriminator.trainable_variables)
        probability = self.discriminator.layers[-1].activation is keras.activations.sigmoid
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=not probability)

    @property
    def step(self) -> int:
        """How many steps these networks have been trained."""
        return int(self.g_optimizer.iterations)

    def train_step(self, real: tf.Tensor) -> dict[str, tf.Tensor]:
        """One step: the discriminator learns from half real, half generated images, then the generator from it.

        Args:
            real: float32 (n, height, width, channels) in [-1, 1].
        Returns:
            The two losses, each from before its network moved.
        """
        count = real.shape[0]
        step = tf.cast(self.g_optimizer.iterations, tf.int64)
        return {
            "d_loss": self.train_discriminator(real, draw_noise(count, self.seed, 2 * step)),
            "g_loss": self.train_generator(draw_noise(count, self.seed, 2 * step + 1)),
        }

    def train_discriminator(self, real: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Move D alone: real images towards 1, generated ones towards 0. Returns D's loss."""
        variables = self.discriminator.trainable_variables
        generated = seen_through(self.generator, noise)
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
            verdict = seen_through(self.discriminator, self.generator(noise, training=True))
            loss = self.cross_entropy(tf.ones_like(verdict), verdict)
        self.g_optimizer.apply(tape.gradient(loss, variables), variables)
        return loss


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
    g, d = gan.generator, gan.discriminator
    d_on_g = generator_containing_discriminator(g, d)
    d_on_g.compile(loss=gan.cross_entropy, optimizer=gan.g_optimizer, jit_compile=False)
    d.trainable = True
    d.compile(loss=gan.cross_entropy, optimizer=gan.d_optimizer, jit_compile=False)
    watchers = keras.callbacks.CallbackList(callbacks, model=gan, epochs=1, steps=steps)
    gan.stop_training = False
    watchers.on_train_begin()
    for index, real in zip(range(steps), batches):
        count, step = len(real), gan.step
        generated = g.predict_on_batch(draw_noise(count, gan.seed, 2 * step))
        images = np.concatenate((real, generated))
        labels = np.concatenate((np.ones((count, 1)), np.zeros((count, 1))))
        # Keras 3 returns the mean since the last reset, and reads `trainable` whenever it traces a new function:
        # the resets give each batch's own loss, and the toggles keep D still in G's turn and let it move in its own.
        d.reset_metrics()
        d_loss = d.train_on_batch(images, labels)
        d.trainable = False
        d_on_g.reset_metrics()
        g_loss = d_on_g.train_on_batch(draw_noise(count, gan.seed, 2 * step + 1), np.ones((count, 1)))
        d.trainable = True
        watchers.on_train_batch_end(index, {"d_loss": float(d_loss), "g_loss": float(g_loss)})
        if gan.stop_training:
            break
    watchers.on_train_end()
