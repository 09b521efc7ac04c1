"""The program that this book takes apart, in one piece: keras-dcgan for Keras 3.

python keras_dcgan.py --mode train
    writes a picture every 20 batches, and both networks' weights
python keras_dcgan.py --mode generate --batch_size 64
    makes generated_image.png with them; --nice takes the best 5 %
"""

import argparse
import math

import numpy as np
from PIL import Image

from dcgan_lib.backend import keras
from dcgan_lib.data import load_mnist  # keras.datasets.mnist, or a package's images

layers = keras.layers


def generator_model():
    return keras.Sequential([
        keras.Input((100,)),
        layers.Dense(1024, activation="tanh"),
        layers.Dense(128 * 7 * 7),
        layers.BatchNormalization(),
        layers.Activation("tanh"),
        layers.Reshape((7, 7, 128)),
        layers.UpSampling2D((2, 2)),
        layers.Conv2D(64, (5, 5), padding="same", activation="tanh"),
        layers.UpSampling2D((2, 2)),
        layers.Conv2D(1, (5, 5), padding="same", activation="tanh"),
    ])


def discriminator_model():
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(64, (5, 5), padding="same", activation="tanh"),
        layers.MaxPooling2D((2, 2)),
        layers.Conv2D(128, (5, 5), activation="tanh"),
        layers.MaxPooling2D((2, 2)),
        layers.Flatten(),
        layers.Dense(1024, activation="tanh"),
        layers.Dense(1, activation="sigmoid"),
    ])


def generator_containing_discriminator(g, d):
    d.trainable = False
    return keras.Sequential([keras.Input((100,)), g, d])


def combine_images(images):
    count, height, width, _ = images.shape
    columns = int(math.sqrt(count))
    rows = math.ceil(count / columns)
    picture = np.zeros((rows * height, columns * width))
    for index, image in enumerate(images):
        i, j = divmod(index, columns)
        top, left = i * height, j * width
        picture[top : top + height, left : left + width] = image[:, :, 0]
    return Image.fromarray(np.rint(picture * 127.5 + 127.5).astype(np.uint8))


def train(batch_size, epochs, most):
    real_images = (load_mnist().images.astype("float32") - 127.5) / 127.5
    d, g = discriminator_model(), generator_model()
    d_on_g = generator_containing_discriminator(g, d)
    g_optim = keras.optimizers.SGD(0.0005, momentum=0.9, nesterov=True)
    d_optim = keras.optimizers.SGD(0.0005, momentum=0.9, nesterov=True)
    d_on_g.compile(g_optim, "binary_crossentropy")
    d.trainable = True
    d.compile(d_optim, "binary_crossentropy")
    ones, zeros = np.ones((batch_size, 1)), np.zeros((batch_size, 1))
    for epoch in range(epochs):
        for index in range(min(len(real_images) // batch_size, most)):
            image_batch = real_images[index * batch_size : (index + 1) * batch_size]
            noise = np.random.uniform(-1, 1, (batch_size, 100))
            generated_images = g.predict_on_batch(noise)
            if index % 20 == 0:
                combine_images(generated_images).save(f"{epoch}_{index}.png")
            d.reset_metrics()
            x = np.concatenate((image_batch, generated_images))
            d_loss = d.train_on_batch(x, np.concatenate((ones, zeros)))
            d.trainable = False
            d_on_g.reset_metrics()
            noise = np.random.uniform(-1, 1, (batch_size, 100))
            g_loss = d_on_g.train_on_batch(noise, ones)
            d.trainable = True
            print(f"epoch {epoch} batch {index} d_loss: {d_loss:f} g_loss: {g_loss:f}")
            if index % 10 == 9:
                g.save_weights("generator.weights.h5")
                d.save_weights("discriminator.weights.h5")


def generate(batch_size, nice):
    g = generator_model()
    g.load_weights("generator.weights.h5")
    noise = np.random.uniform(-1, 1, (batch_size * (20 if nice else 1), 100))
    images = g.predict(noise, verbose=0)
    if nice:
        d = discriminator_model()
        d.load_weights("discriminator.weights.h5")
        images = images[np.argsort(-d.predict(images, verbose=0)[:, 0])[:batch_size]]
    combine_images(images).save("generated_image.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mode", choices=("train", "generate"), required=True)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--nice", action="store_true")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batches", type=int, default=10**9, help="at most, an epoch")
    args = parser.parse_args()
    if args.mode == "train":
        train(args.batch_size, args.epochs, args.batches)
    else:
        generate(args.batch_size, args.nice)
