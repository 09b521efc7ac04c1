"""The judge and the distances."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from dcgan_lib import data, files, metrics, models
from dcgan_lib.errors import InputError, run_program
from dcgan_lib.generating import generate_images
from dcgan_lib.runs import load_pair


@pytest.fixture(scope="module")
def judge():
    return metrics.load_judge()


@pytest.fixture(scope="module")
def seen(judge, packaged):
    """What the judge sees in 2,000 real digits."""
    return metrics.judge_images(judge, data.to_float(packaged.images[:2000]))


def test_the_shipped_judge_knows_digits(packaged, seen):
    assert (seen.digits == packaged.labels[:2000]).mean() >= 0.99
    assert seen.features.shape == (2000, 128) and seen.features.dtype == np.float32 and seen.features.min() >= 0
    assert seen.confidence.shape == (2000,) and seen.confidence.min() >= 0.1 and seen.confidence.max() <= 1


def test_the_judgement_is_what_the_network_says(judge, packaged, seen):
    logits = judge.predict(data.to_float(packaged.images[:700]), verbose=0)
    assert (logits.argmax(axis=1) == seen.digits[:700]).all()
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose((odds / odds.sum(axis=1, keepdims=True)).max(axis=1), seen.confidence[:700], atol=1e-5)
    kernel, bias = judge.get_layer("digits").get_weights()
    np.testing.assert_allclose(seen.features[:700] @ kernel + bias, logits, atol=1e-3)


def test_part_of_a_judgement(seen):
    some = seen.take(slice(3, 7))
    assert all((part == whole[3:7]).all() and len(part) == 4 for part, whole in zip(some, seen))
    assert (seen.take(np.array([9, 2])).digits == seen.digits[[9, 2]]).all()


def test_a_classifier_can_be_trained(packaged):
    images, labels = packaged.images, packaged.labels
    classifier = metrics.train_classifier(images[:2000], labels[:2000], epochs=3)
    seen = metrics.judge_images(classifier, data.to_float(images[2000:4000]))
    assert (seen.digits == labels[2000:4000]).mean() > 0.85


def points_with(mean, deviations, count, random):
    """Points whose sample mean and covariance are exactly ``mean`` and diag(deviations²)."""
    raw = random.normal(size=(count, len(mean)))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T))).T
    return white * deviations + mean


def test_frechet_distance_of_known_gaussians():
    random = np.random.default_rng(0)
    a = points_with([0, 1, 2], [1, 2, 3], 100, random)
    b = points_with([1, 1, 0], [2, 2, 1], 150, random)
    assert metrics.frechet_distance(a, b) == pytest.approx(1 + 0 + 4 + 1 + 0 + 4)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet_distance(a[:, :1], b[:, :1]) == pytest.approx(1 + 1), "one number a point"


def test_frechet_distance_where_the_covariances_do_not_commute():
    random = np.random.default_rng(1)
    a = random.normal(size=(80, 5)) @ random.normal(size=(5, 5))
    b = random.normal(size=(60, 5)) @ random.normal(size=(5, 5)) + 1
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).real).sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * root
    assert metrics.frechet_distance(a, b) == pytest.approx(expected)
    assert metrics.frechet_distance(b, a) == pytest.approx(expected)


def test_kernel_distance_is_the_mean_over_pairs_of_different_points():
    random = np.random.default_rng(2)
    a, b = random.normal(size=(7, 3)), random.normal(size=(7, 3)) + 0.5
    k = lambda x, y: (x @ y / 3 + 1) ** 3  # noqa: E731
    within = sum(k(x[i], x[j]) for x in (a, b) for i in range(7) for j in range(7) if i != j) / 42
    across = np.mean([k(x, y) for x in a for y in b])
    mean, deviation = metrics.kernel_distance(a, b, size=7, subsets=3)
    assert mean == pytest.approx(within - 2 * across) and deviation == pytest.approx(0, abs=1e-9)


def test_kernel_distance_of_one_distribution_is_zero_in_the_mean_at_every_size():
    random = np.random.default_rng(3)
    a, b = random.normal(size=(4000, 4)), random.normal(size=(4000, 4))
    far, _ = metrics.kernel_distance(a, b + 1, size=100)
    for size in (10, 100, 400):
        mean, deviation = metrics.kernel_distance(a, b, size=size, subsets=100)
        assert abs(mean) < 4 * deviation / 10 + 0.01 * far
    assert metrics.kernel_distance(a, b, size=50) == metrics.kernel_distance(a, b, size=50)
    assert metrics.kernel_distance(a, b, size=50) != metrics.kernel_distance(a, b, size=50, seed=1)
    with pytest.raises(InputError, match="subsets of 5000 do not fit into 4000 points"):
        metrics.kernel_distance(a, b, size=5000)


@pytest.mark.parametrize("queries, points, k", [(1, 1, 1), (3, 10, 4), (501, 40, 2), (1000, 7, 7)])
def test_nearest(queries, points, k):
    random = np.random.default_rng(queries)
    q, p = random.normal(size=(queries, 6)), random.normal(size=(points, 6))
    table = np.linalg.norm(q[:, None] - p[None], axis=-1)
    distances, rows = metrics.nearest(q, p, k)
    assert distances.shape == rows.shape == (queries, k)
    np.testing.assert_array_equal(rows, table.argsort(axis=1)[:, :k])
    np.testing.assert_allclose(distances, np.sort(table, axis=1)[:, :k], atol=1e-3)


@pytest.mark.parametrize("reals, generateds", [(30, 20), (520, 40), (40, 520)])
def test_density_and_coverage_are_those_of_their_definition(reals, generateds):
    random = np.random.default_rng(reals)
    real, generated = random.normal(size=(reals, 4)), random.normal(size=(generateds, 4)) * 1.3
    radii = np.sort(np.linalg.norm(real[:, None] - real[None], axis=-1), axis=1)[:, 5]
    inside = np.linalg.norm(real[:, None] - generated[None], axis=-1) <= radii[:, None]
    density, coverage = metrics.density_and_coverage(real, generated, k=5)
    assert density == pytest.approx(inside.sum() / (5 * generateds))
    assert coverage == pytest.approx(inside.any(axis=1).mean())


def test_density_and_coverage_of_copies_of_one_point_and_of_points_far_away():
    real = np.random.default_rng(4).normal(size=(300, 3))
    distances, _ = metrics.nearest(real, real, 6)
    balls = np.linalg.norm(real[:, None] - real[None], axis=-1) <= distances[:, [5]]
    middle = balls.sum(axis=0).argmax()  # the point that lies in most balls
    density, coverage = metrics.density_and_coverage(real, np.repeat(real[[middle]], 300, axis=0))
    assert density > 1 and coverage < 0.1
    assert metrics.density_and_coverage(real, real + 100) == (0, 0)


def test_class_counts_and_entropy():
    assert metrics.class_counts(np.array([3, 3, 9])).tolist() == [0, 0, 0, 2, 0, 0, 0, 0, 0, 1]
    assert metrics.class_entropy(np.repeat(7, 50)) == 0
    assert metrics.class_entropy(np.arange(10)) == pytest.approx(np.log(10))
    assert metrics.class_entropy(np.array([0, 1, 1, 1])) == pytest.approx(0.25 * np.log(4) + 0.75 * np.log(4 / 3))


def test_all_measures_tell_real_from_noise(judge, seen, packaged):
    real = metrics.judge_images(judge, data.to_float(packaged.images[2000:4000]))
    noise = metrics.judge_images(judge, np.random.default_rng(0).uniform(-1, 1, (2000, 28, 28, 1)))
    near, far = metrics.measure(seen, real), metrics.measure(seen, noise)
    assert near.frechet < 3 < 100 < far.frechet
    assert near.kernel < 0.5 < 5 < far.kernel and near.kernel_deviation < 0.5
    assert near.density > 0.9 and near.coverage > 0.9 > 0.1 > far.coverage
    assert near.entropy > 2.29 > 1 > far.entropy and near.counts.sum() == far.counts.sum() == 2000


def test_images_that_are_not_finite_cannot_be_judged(judge):
    images = np.zeros((3, 28, 28, 1))
    images[1, 5, 5] = np.inf
    with pytest.raises(InputError, match="^images with numbers that are not finite cannot be judged; train .* again$"):
        metrics.judge_images(judge, images)


def test_nearest_of_equals_is_the_first_and_there_must_be_enough():
    points = np.array([[1.0], [0.0], [1.0], [0.0], [1.0]])
    distances, rows = metrics.nearest(np.array([[0.0], [2.0]]), points, 4)
    assert rows.tolist() == [[1, 3, 0, 2], [0, 2, 4, 1]] and distances.tolist() == [[0, 0, 1, 1], [1, 1, 1, 2]]
    with pytest.raises(InputError, match="5 points are fewer than the 6 nearest"):
        metrics.nearest(points, points, 6)


# ---- the program -------------------------------------------------------------------------------------------------


@pytest.fixture
def make(packaged, tmp_path, monkeypatch, capsys):
    """Run the program on a few digits: its exit code, its two outputs, and the file in place of the shipped one."""
    monkeypatch.setattr(metrics, "JUDGE_WEIGHTS", tmp_path / "judge.weights.h5")
    monkeypatch.setattr(metrics, "LEAST_RIGHT", 0.9)  # 2,000 images are soon learned, but not for 95 %
    images, labels = packaged.images, packaged.labels

    def run(*arguments, trained_on=labels[:2000]):
        few = data.ImageSet(images[: len(trained_on)], trained_on, "a few")
        monkeypatch.setattr(metrics, "load_mnist", lambda: few)
        monkeypatch.setattr(metrics, "load_mnist_test", lambda: data.ImageSet(images[4000:], labels[4000:], ""))
        code = run_program("dcgan_lib.metrics", metrics.train_judge, [str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    run.path = tmp_path / "judge.weights.h5"
    return run


def test_the_judge_can_be_made_anew(make, packaged):
    code, out, err = make()
    judge = metrics.load_judge(make.path)
    right = (metrics.judge_images(judge, data.to_float(packaged.images[4000:])).digits == packaged.labels[4000:]).mean()
    assert right > 0.9 and (code, err) == (0, "")
    assert out == f"a few: 2,000 images; {right:.2%} of the 1,000 test images right\n"
    assert make.path.stat().st_size < 1_000_000, "without the optimizer"


def test_a_worse_judge_does_not_replace_a_better_one(make):
    shutil.copy(files.ASSETS / "judge.weights.h5", make.path)
    before = make.path.read_bytes()
    code, out, err = make()
    assert code == 2 and out == "" and len(err.splitlines()) == 1
    assert err.startswith("dcgan_lib.metrics: error: the new judge has 9") and "; nothing is written: see" in err
    assert make.path.read_bytes() == before and len(list(make.path.parent.iterdir())) == 1


def test_labels_must_be_digits(make):
    for labels in (np.full(200, 10), np.full(200, "cat"), np.full(200, 0.5)):
        code, _, err = make(trained_on=labels)
        assert code == 2 and "the labels are not all digits" in err and not make.path.exists()


def test_a_judge_that_has_not_learned_is_not_written(make):
    code, _, err = make(trained_on=np.zeros(200, int))
    assert code == 2 and "and 90.00% are needed" in err and not list(make.path.parent.iterdir())


def test_a_damaged_judge_is_replaced_as_its_message_says(make):
    make.path.write_bytes(b"no weights")
    with pytest.raises(InputError, match="make it anew by python -m dcgan_lib.metrics$"):
        metrics.load_judge(make.path)
    assert make()[0] == 0 and metrics.load_judge(make.path)


def test_another_file_is_written_when_asked_for_and_no_foreign_one_replaced(make, tmp_path):
    assert make("--out", tmp_path / "my.weights.h5")[0] == 0 and not make.path.exists()
    assert metrics.load_judge(tmp_path / "my.weights.h5")
    foreign = tmp_path / "generator.weights.h5"
    models.dcgan_generator(width=8).save_weights(foreign)
    before = foreign.read_bytes()
    code, _, err = make("--out", foreign)
    assert code == 2 and "is there and holds no judge; name another" in err and foreign.read_bytes() == before


@pytest.mark.parametrize("arguments, message", [
    (["--outt"], "unrecognized arguments: --outt"),
    (["weights.h5"], "unrecognized arguments: weights.h5"),
    (["--out", ""], "--out is empty"),
    (["--out", "judge.h5"], "name a file that ends in .weights.h5"),
    (["--out", "nowhere/judge.weights.h5"], "in a folder that is there"),
])
def test_odd_arguments_are_refused_before_anything_is_trained(arguments, message, make, monkeypatch):
    monkeypatch.setattr(metrics, "train_classifier", None)
    code, out, err = make(*arguments)
    assert code == 2 and out == "" and message in err and len(err.splitlines()) == 1


def test_help_and_an_interrupt_write_nothing(make, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(metrics, "train_classifier", interrupted)
    with pytest.raises(SystemExit) as left:
        make("--help")
    assert left.value.code == 0
    code, out, err = make()
    assert code == 130 and "dcgan_lib.metrics: stopped" in err and len(err.split("\n")) <= 3 and not make.path.exists()


def test_no_new_judge_without_test_images(make, monkeypatch, capsys):
    def none():
        raise data.NoDownload("no route")

    monkeypatch.setattr(metrics, "load_mnist", lambda: None)
    monkeypatch.setattr(metrics, "load_mnist_test", none)
    assert run_program("dcgan_lib.metrics", metrics.train_judge, []) == 2
    assert "error: MNIST's test images: no download (no route); name an .npz file" in capsys.readouterr().err
    assert not list(make.path.parent.iterdir())


@pytest.mark.parametrize("missing", ["tensorflow", "h5py"])
def test_a_missing_package_is_one_line(missing, tmp_path):
    program = f"""import runpy, sys
sys.modules['{missing}'] = None
runpy.run_module('dcgan_lib.metrics', run_name='__main__')
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and missing in done.stderr, done.stderr
    assert done.stderr.startswith("dcgan_lib.metrics: error: ")


# ---- stacked digits ----------------------------------------------------------------------------------------------


def test_the_judge_names_the_digit_in_each_colour(packaged):
    made = data.stacked_digits(packaged, 600)
    kinds = metrics.judge_stacked(metrics.load_judge(), data.to_float(made.images).numpy())
    assert (kinds == made.labels).mean() > 0.95 and kinds.shape == (600,)


def test_the_weights_in_colour_that_ship_make_nearly_all_kinds():
    generator, _ = load_pair(files.ASSETS / "colour")
    images = generate_images(generator, 3000, seed=0)
    modes, divergence = metrics.count_modes(metrics.judge_stacked(metrics.load_judge(), images))
    assert modes > 800 and divergence < 0.6, "of 3,000 real ones about 950"
    assert sum(path.stat().st_size for path in (files.ASSETS / "colour").glob("*.h5")) < 8e6


def test_modes_and_their_divergence_from_equal_shares():
    assert metrics.count_modes(np.arange(1000).repeat(26)) == (1000, 0.0)
    modes, divergence = metrics.count_modes(np.full(26_000, 7))
    assert modes == 1 and abs(divergence - np.log(1000)) < 1e-12
    modes, divergence = metrics.count_modes(np.arange(0, 1000, 2))
    assert modes == 500 and abs(divergence - np.log(2)) < 1e-12
    modes, divergence = metrics.count_modes(np.array([0, 0, 0, 1]))
    assert modes == 2 and abs(divergence - (0.75 * np.log(750) + 0.25 * np.log(250))) < 1e-12
