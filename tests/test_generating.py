"""Images from a generator, the nice ones among them."""

import numpy as np
import pytest

from dcgan_lib import generating, models
from dcgan_lib.backend import keras
from dcgan_lib.errors import InputError


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
    with pytest.raises(InputError, match="ask for at most 171196 with --batch_size"):
        generating.generate_images(pair[0], 10**9, seed=0)
