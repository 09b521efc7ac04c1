"""How good are generated digits? A classifier as the judge, and distances between real and generated images.

What belongs here: the judge, what it sees in images, and the numbers that sum it up. All of them mean something only
beside the same numbers for real against real images and for noise against real ones, at the same counts.

``python -m dcgan_lib.metrics`` trains the judge in ``assets/`` anew; it never replaces a better one.
"""

import sys

if __name__ == "__main__":  # loaded again by the program, so that what goes wrong in it is one line
    from .errors import run_program

    def _run(arguments: list[str] | None) -> None:
        from dcgan_lib.metrics import train_judge

        train_judge(arguments)

    sys.exit(run_program("dcgan_lib.metrics", _run))

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .backend import keras
from .data import STACKED_KINDS, ImageSet, load_mnist, load_mnist_test, to_float
from .errors import InputError, Parser
from .files import ASSETS, expand
from .runs import load_weights, save_weights

JUDGE_WEIGHTS = ASSETS / "judge.weights.h5"
LEAST_RIGHT = 0.95  # of the test images; below it a judge has not learned digits
MOST_WORSE = 0.002  # two trainings of one network differ by as much


# ---- the judge ---------------------------------------------------------------------------------------------------


def digit_classifier() -> keras.Sequential:
    """A new classifier: digits (n, 28, 28, 1) in [-1, 1] to 10 logits. Its layer ``features`` has 128 units."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, (3, 3), padding="same", activation="relu", name="conv_1"),
            layers.MaxPooling2D((2, 2), name="pool_1"),
            layers.Conv2D(32, (3, 3), padding="same", activation="relu", name="conv_2"),
            layers.MaxPooling2D((2, 2), name="pool_2"),
            layers.Flatten(name="flatten"),
            layers.Dropout(0.3, name="dropout"),
            layers.Dense(128, activation="relu", name="features"),
            layers.Dense(10, name="digits"),
        ],
        name="judge",
    )


def train_classifier(images: np.ndarray, labels: np.ndarray, epochs: int = 6, seed: int = 0) -> keras.Sequential:
    """A classifier trained with Adam on a rate that falls from 0.002 to 0.

    Args:
        images: uint8 (n, 28, 28, 1).
        labels: (n,), 0 to 9.
    """
    keras.utils.set_random_seed(seed)
    classifier = digit_classifier()
    rate = keras.optimizers.schedules.CosineDecay(0.002, epochs * -(-len(images) // 128))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
    classifier.fit(to_float(images), labels.astype("int32"), batch_size=128, epochs=epochs, verbose=0)
    return classifier


def load_judge(path: Path = JUDGE_WEIGHTS) -> keras.Sequential:
    """The trained classifier. Errors as in :func:`dcgan_lib.runs.load_weights`."""
    classifier = digit_classifier()
    load_weights(classifier, path, remedy="make it anew by python -m dcgan_lib.metrics")
    return classifier


class Judgement(NamedTuple):
    """What the judge sees in n images.

    ``features``: float32 (n, 128). ``digits``: int (n,), the most probable. ``confidence``: float32 (n,), its
    probability.
    """

    features: np.ndarray
    digits: np.ndarray
    confidence: np.ndarray

    def take(self, rows: np.ndarray | slice) -> "Judgement":
        """The same of some of the images, by their row numbers."""
        return Judgement(*(part[rows] for part in self))


def judge_images(judge: keras.Sequential, images: np.ndarray) -> Judgement:
    """Show images (n, 28, 28, 1), float in [-1, 1], to the judge.

    Raises:
        InputError: a pixel is not a finite number.
    """
    if not np.isfinite(images).all():
        raise InputError("images with numbers that are not finite cannot be judged; train their generator again")
    both = keras.Model(judge.inputs[0], [judge.get_layer("features").output, keras.ops.softmax(judge.outputs[0])])
    # Called and not `predict`, which would trace a function anew for each of these models.
    parts = [both(images[start : start + 500], training=False) for start in range(0, len(images), 500)]
    features, probabilities = (np.concatenate([*map(keras.ops.convert_to_numpy, part)]) for part in zip(*parts))
    return Judgement(features, probabilities.argmax(axis=1), probabilities.max(axis=1))


# ---- stacked digits ----------------------------------------------------------------------------------------------


def judge_stacked(judge: keras.Sequential, images: np.ndarray) -> np.ndarray:
    """Which of the 1,000 kinds of stacked digits the judge sees in each image: int (n,), as the labels of
    :func:`dcgan_lib.data.stacked_digits`.

    Args:
        images: (n, 32, 32, 3), float in [-1, 1]; the border of two pixels is not looked at.
    """
    inner = images[:, 2:-2, 2:-2]
    return sum(judge_images(judge, inner[..., [place]]).digits * 10 ** (2 - place) for place in range(3))


def count_modes(kinds: np.ndarray) -> tuple[int, float]:
    """How many of the 1,000 kinds there are, and how far their shares are from equal ones.

    Returns:
        The number of kinds that were seen at least once, and the Kullback-Leibler divergence of their shares from
        1 / 1,000 each, in nats: 0 for equal shares, log 1,000 ≈ 6.9 for a single kind.
    """
    counts = np.bincount(kinds, minlength=STACKED_KINDS)
    shares = counts[counts > 0] / len(kinds)
    return len(shares), float((shares * np.log(shares * STACKED_KINDS)).sum())


# ---- distances ---------------------------------------------------------------------------------------------------


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The Fréchet distance between two sets of points, each taken for a Gaussian: 0 where means and covariances agree.

    Heusel et al., arXiv 1706.08500, equation 6: |m_a - m_b|² + Tr(C_a + C_b - 2 (C_a C_b)^½).

    Args:
        a: (n, d).
        b: (m, d).
    """
    cov_a, cov_b = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    sizes, axes = np.linalg.eigh(cov_a)
    root = (axes * np.sqrt(np.maximum(sizes, 0))) @ axes.T
    product = np.linalg.eigvalsh(root @ cov_b @ root)  # the eigenvalues of cov_a @ cov_b
    cross = np.sqrt(np.maximum(product, 0)).sum()
    return float(((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)


def kernel_distance(
    a: np.ndarray, b: np.ndarray, size: int = 1000, subsets: int = 20, seed: int = 0
) -> tuple[float, float]:
    """The kernel distance (KID): the unbiased squared MMD with the kernel (x·y/d + 1)³, near 0 for one distribution.

    Bińkowski et al., arXiv 1801.01401, section 4. Unbiased: it does not grow when there are fewer images, and may
    come out below 0.

    Args:
        a: (n, d).
        b: (m, d).
        size: points in a subset, at most n and m.
        subsets: how many random subsets of both.
    Returns:
        Mean and standard deviation over the subsets; where a subset is all there is, they are all the same.
    Raises:
        InputError: there are fewer points than ``size``.
    """
    if size > min(len(a), len(b)):
        raise InputError(f"subsets of {size} do not fit into {min(len(a), len(b))} points; give more or a smaller size")
    random = np.random.default_rng(seed)
    values = []
    for _ in range(subsets):
        x = a[random.choice(len(a), size, replace=False)].astype("float64")
        y = b[random.choice(len(b), size, replace=False)].astype("float64")
        of_x, of_y, across = (_cubic_kernel(one, other) for one, other in ((x, x), (y, y), (x, y)))
        within = (of_x.sum() - np.trace(of_x) + of_y.sum() - np.trace(of_y)) / (size * (size - 1))
        values.append(within - 2 * across.mean())
    return float(np.mean(values)), float(np.std(values))


def _cubic_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    base = x @ y.T / x.shape[1] + 1
    return base * base * base  # NumPy takes some fifty times as long for ** 3


def square_distances(queries: np.ndarray, points: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """The squared Euclidean distances of queries (n, d) from points (m, d), up to 500 queries at a time.

    Yields which queries, and float32 (up to 500, m), where rounding can leave a 0 a little below it.
    """
    points = np.asarray(points, np.float32)
    lengths = (points**2).sum(axis=1)
    for start in range(0, len(queries), 500):
        rows = slice(start, start + 500)
        some = np.asarray(queries[rows], np.float32)
        # |q - p|² = |q|² - 2 q·p + |p|²: one product of matrices instead of a table of all differences.
        squares = (-2 * some) @ points.T
        squares += (some**2).sum(axis=1)[:, None]
        squares += lengths
        yield rows, squares


def nearest(queries: np.ndarray, points: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` nearest points of each query by Euclidean distance, the nearest first, of equals the earlier first.

    Args:
        queries: (n, d).
        points: (m, d), m at least k.
    Returns:
        Distances, float32 (n, k), and row numbers in ``points``, int (n, k).
    Raises:
        InputError: there are fewer points than ``k``.
    """
    if k > len(points):
        raise InputError(f"{len(points)} points are fewer than the {k} nearest; give more points or a smaller k")
    distances, rows = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), int)
    for some, squares in square_distances(queries, points):
        every = np.arange(len(squares))
        for place in range(k):  # one place after the other, for the few that are asked for
            rows[some, place] = found = squares.argmin(axis=1)
            distances[some, place] = np.sqrt(np.maximum(squares[every, found], 0))
            squares[every, found] = np.inf
    return distances, rows


def density_and_coverage(real: np.ndarray, generated: np.ndarray, k: int = 5) -> tuple[float, float]:
    """How many balls around real points a generated one lies in, and how many of the balls hold one at all.

    Naeem et al., arXiv 2002.09797, equations 5 and 6. Around each real point lies a ball that reaches to its ``k``-th
    nearest other real point. Density: in how many balls a generated point lies, in the mean, over k; it can be above
    1, and need not be 0 for junk, since real points far from all others have large balls. Coverage: the share of balls
    with a generated point in them.

    Args:
        real: (n, d), n above k.
        generated: (m, d).
    Raises:
        InputError: there are not enough real points.
    """
    radii = nearest(real, real, k + 1)[0][:, k]  # the nearest of all is the point itself
    inside = []  # how many generated points lie in each ball
    for rows, squares in square_distances(real, generated):
        inside.append(np.count_nonzero(squares <= radii[rows, None] ** 2, axis=1))
    inside = np.concatenate(inside)
    return float(inside.sum() / (k * len(generated))), float((inside > 0).mean())


def class_counts(digits: np.ndarray) -> np.ndarray:
    """How many there are of each digit: int (10,)."""
    return np.bincount(digits, minlength=10)


def class_entropy(digits: np.ndarray) -> float:
    """The entropy of the digits in nats: 0 if all are the same, log 10 ≈ 2.303 if there is as much of each."""
    shares = class_counts(digits) / len(digits)
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())


class Measures(NamedTuple):
    """The numbers of one set of images against a real one; ``kernel`` has its standard deviation beside it."""

    frechet: float
    kernel: float
    kernel_deviation: float
    density: float
    coverage: float
    entropy: float
    counts: np.ndarray


def measure(real: Judgement, other: Judgement) -> Measures:
    """All measures of ``other`` against ``real``."""
    return Measures(
        frechet_distance(real.features, other.features),
        *kernel_distance(real.features, other.features),
        *density_and_coverage(real.features, other.features),
        class_entropy(other.digits),
        class_counts(other.digits),
    )


# ---- a new judge -------------------------------------------------------------------------------------------------


def train_judge(arguments: list[str] | None = None) -> None:
    """The program ``python -m dcgan_lib.metrics``."""
    parser = Parser(prog="python -m dcgan_lib.metrics", description="Train the judge of digits anew.")
    parser.add_argument("--out", default=str(JUDGE_WEIGHTS), metavar="FILE", help="its .weights.h5 file (%(default)s)")
    out = expand(parser.parse_args(arguments).out, "--out")
    if not out.name.endswith(".weights.h5") or not out.parent.is_dir():
        raise InputError(f"--out {out}: name a file that ends in .weights.h5, in a folder that is there")
    test, digits = load_mnist_test(), load_mnist()  # in this order: without test images there is nothing to do
    if not np.isin(digits.labels, np.arange(10)).all():
        raise InputError("the labels are not all digits, 0 to 9; name an .npz file of MNIST by MNIST_NPZ")
    before = _share_in_place(out, test)
    judge = digit_classifier()  # a new one, since its file shall not hold the optimizer
    judge.set_weights(train_classifier(digits.images, digits.labels).get_weights())
    right = _share_right(judge, test)
    needed = max(LEAST_RIGHT, before - MOST_WORSE)
    if right < needed:
        raise InputError(f"the new judge has {right:.2%} of the test images right, and {needed:.2%} are needed to take "
                         "its place; nothing is written: see whether MNIST_NPZ names a whole MNIST")
    save_weights(judge, out)
    print(f"{digits.source}: {len(digits.labels):,} images; {right:.2%} of the {len(test.labels):,} test images right")


def _share_right(judge: keras.Sequential, test: ImageSet) -> float:
    return float((judge_images(judge, to_float(test.images)).digits == test.labels).mean())


def _share_in_place(path: Path, test: ImageSet) -> float:
    """What the judge at ``path`` has right, or 0: there is none, or the shipped one is damaged."""
    try:
        return _share_right(load_judge(path), test)
    except InputError:
        if path.exists() and path != JUDGE_WEIGHTS:
            raise InputError(f"--out {path}: is there and holds no judge; name another") from None
        return 0.0
