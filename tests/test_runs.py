"""The files of a run: written whole or not at all, and read back with care."""

import errno
import json
import os
import shutil

import h5py
import numpy as np
import pytest

from dcgan_lib import files, models, runs
from dcgan_lib.backend import keras
from dcgan_lib.errors import InputError
from dcgan_lib.files import ASSETS, whole_file
from dcgan_lib.training import GAN, draw_noise


@pytest.fixture(scope="module")
def pair():
    keras.utils.set_random_seed(1)
    return models.dcgan_generator(width=8), models.dcgan_discriminator(width=8)


def test_weights_of_the_same_network_are_read(pair, tmp_path):
    pair[0].save_weights(tmp_path / "g.weights.h5")
    other = models.dcgan_generator(width=8)
    runs.load_weights(other, tmp_path / "g.weights.h5")
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
        runs.load_weights(network, tmp_path / "g.weights.h5")
    assert all((a == b).all() for a, b in zip(before, network.get_weights()))


@pytest.mark.parametrize("kept", [0, 1, 100, 5_000, 0.5, 0.99])
def test_weights_cut_short(pair, tmp_path, kept):
    path = tmp_path / "g.weights.h5"
    pair[0].save_weights(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match="is cut short or no file of weights"):
        runs.load_weights(models.dcgan_generator(width=8), path)


def test_weights_missing(pair, tmp_path):
    with pytest.raises(InputError, match="there are no weights here; train again"):
        runs.load_weights(pair[0], tmp_path / "g.weights.h5")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("of_optimizer", [False, True])
def test_weights_that_are_not_finite(pair, tmp_path, value, of_optimizer):
    gan = GAN(*pair)
    gan.compile(*(keras.optimizers.Adam(0.001) for _ in range(2)))
    path = tmp_path / "checkpoint.weights.h5"
    runs.save_weights(gan, path)
    with h5py.File(path, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if getattr(item, "shape", ()) else None)
        file[next(name for name in names if ("optimizer" in name) == of_optimizer)][0] = value
    with pytest.raises(InputError, match="holds weights that are not finite numbers"):
        runs.load_weights(gan, path)


def test_the_paper_s_pair_is_there_too_and_all_is_small():
    generator, discriminator = runs.load_pair(ASSETS / "paper")
    assert not any(layer.name == "hidden" for layer in (*generator.layers, *discriminator.layers))
    grey = [path for path in ASSETS.rglob("*.weights.h5") if path.parent.name != "colour"]
    assert len(grey) == 5 and sum(path.stat().st_size for path in grey) < 16e6


def test_the_shipped_pair():
    generator, discriminator = runs.load_pair(ASSETS)
    images = generator(draw_noise(20, 0, 0), training=False).numpy()
    assert images.shape == (20, 28, 28, 1) and discriminator(images, training=False).shape == (20, 1)
    assert (images.max(axis=(1, 2, 3)) > 0.9).all() and -0.9 < images.mean() < -0.5, "bright lines on black"


def test_a_pair_in_pieces(pair, tmp_path):
    with pytest.raises(InputError, match="there is no run here"):
        runs.load_pair(tmp_path)
    for name in ("run.json", "generator.weights.h5"):
        shutil.copy(ASSETS / name, tmp_path)
    with pytest.raises(InputError, match=r"discriminator.weights.h5: there are no weights here; train again"):
        runs.load_pair(tmp_path)
    shutil.copy(ASSETS / "generator.weights.h5", tmp_path / "discriminator.weights.h5")
    with pytest.raises(InputError, match="another network than this discriminator"):
        runs.load_pair(tmp_path)


def test_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with whole_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def full_disk(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_noticed_before_hdf5_writes(pair, tmp_path, monkeypatch):
    """HDF5 would take the process down with it."""
    path = tmp_path / "g.weights.h5"
    path.write_bytes(b"old")
    monkeypatch.setattr(files, "_reserve", full_disk)
    monkeypatch.setattr(keras.Model, "save_weights", lambda *arguments: pytest.fail("HDF5 has begun"))
    with pytest.raises(OSError) as caught:
        runs.save_weights(pair[0], path)
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(path)
    assert [one.name for one in tmp_path.iterdir()] == ["g.weights.h5"] and path.read_bytes() == b"old"


@pytest.mark.parametrize("width", [2, 40])
def test_enough_room_is_reserved(width, tmp_path, monkeypatch):
    reserved = []
    monkeypatch.setattr(files, "_reserve", lambda path, size: reserved.append(size))
    gan = GAN(models.dcgan_generator(64, 3, width), models.dcgan_discriminator(64, 3, width))
    gan.compile(*(keras.optimizers.Adam(0.001) for _ in range(2)))
    runs.save_weights(gan, tmp_path / "checkpoint.weights.h5")
    size = (tmp_path / "checkpoint.weights.h5").stat().st_size
    assert size <= reserved[0] < 1.5 * size + 2**20


@pytest.mark.parametrize("size", [0, 1, 2**20 + 5])
@pytest.mark.parametrize("fast", [True, False])
def test_reserving_makes_a_file_of_that_size(tmp_path, monkeypatch, size, fast):
    if not fast:
        monkeypatch.delattr(files.os, "posix_fallocate", raising=False)
    files._reserve(tmp_path / "a", size)
    assert (tmp_path / "a").stat().st_size == size


def test_a_claimed_folder_loses_only_what_a_killed_run_left(tmp_path):
    left = (".tmp1-losses.csv", ".tmp99-checkpoint.weights.h5", ".tmp4711-run.json", ".tmp5-training_process.gif",
            "samples/.tmp3-step_000010.png")
    kept = (".tmp-losses.csv", ".tmp1-other.csv", ".tmpx-losses.csv", "samples/.tmp1-losses.csv", ".tmp1-losses.csv~",
            "out/.tmp1-losses.csv", ".tmp1-step_000010.png", "samples/.tmp1-step_best.png")
    for name in (*left, *kept):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".tmp2-losses.csv").mkdir()
    with runs.claimed(tmp_path):
        names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {*kept, runs.LOCK} and (tmp_path / ".tmp2-losses.csv").is_dir()


def test_a_claimed_folder_is_taken_away_if_it_stays_empty(tmp_path):
    with runs.claimed(tmp_path / "a" / "b"):
        pass
    assert list(tmp_path.iterdir()) == []
    with runs.claimed(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "file").write_text("")
    assert (tmp_path / "a" / "b" / "file").exists()


def test_the_optimizers_and_networks_of_a_run():
    run = runs.Run(model="original", learning_rate=0.0005)
    gan = run.gan()
    for optimizer, rate in ((gan.g_optimizer, 0.002), (gan.d_optimizer, 0.0005)):
        assert isinstance(optimizer, keras.optimizers.SGD) and optimizer.nesterov and optimizer.momentum == 0.9
        assert abs(float(optimizer.learning_rate) - rate) < 1e-9
    assert [network.name for network in run.networks()] == ["generator", "discriminator"]
    gan = runs.Run(width=4, hidden=6, precision="bfloat16").gan()
    assert gan.g_optimizer.beta_1 == gan.d_optimizer.beta_1 == 0.5 and gan.average == 0.999
    assert gan.generator.get_layer("up_1").compute_dtype == "bfloat16" and keras.config.dtype_policy().name == "float32"
    assert [network.get_layer("hidden").units for network in (gan.generator, gan.discriminator)] == [6, 6]


def test_rates_fall_over_the_second_half():
    gan = runs.Run(width=4, hidden=6, learning_rate=0.1, g_learning_rate=0.4, falling=True, steps=100).gan()
    for optimizer, rate in ((gan.d_optimizer, 0.1), (gan.g_optimizer, 0.4)):
        for step, share in ((0, 1), (49, 1), (50, 1), (75, 0.5), (99, 0.02), (100, 0), (101, 0)):
            optimizer.iterations.assign(step)
            assert abs(float(optimizer.learning_rate) - share * rate) < 1e-6


def test_a_run_of_an_earlier_version_is_refused(tmp_path):
    (tmp_path / "run.json").write_text('{"model": "dcgan", "width": 32}')
    with pytest.raises(InputError, match=r"run.json: is of an earlier version of this program.*; train again in"):
        runs.Run.read(tmp_path)


def test_the_averaged_generator_is_what_is_kept(tmp_path):
    gan = runs.Run(width=4, hidden=6, average=0.9).gan()
    gan.averaged_generator.set_weights([weight + 1 for weight in gan.generator.get_weights()])
    runs.save_checkpoint(gan, tmp_path)
    kept, again = models.dcgan_generator(width=4, hidden=6), runs.Run(width=4, hidden=6, average=0.9).gan()
    runs.load_weights(kept, tmp_path / runs.WEIGHTS[0])
    runs.load_weights(again, tmp_path / runs.CHECKPOINT)
    for own, mean, now, then in zip(kept.get_weights(), again.averaged_generator.get_weights(),
                                    again.generator.get_weights(), gan.generator.get_weights()):
        assert (own == then + 1).all() and (mean == then + 1).all() and (now == then).all()


def test_a_new_run_overwrites_nothing(tmp_path):
    runs.check_unused(tmp_path)
    (tmp_path / "samples").mkdir()
    runs.check_unused(tmp_path)
    (tmp_path / "samples").rmdir()
    for name in ("losses.csv", "checkpoint.weights.h5", "samples", "training_process.gif"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(InputError, match=f"{name}: would be overwritten; move it away, or name another --out"):
            runs.check_unused(tmp_path)
        (tmp_path / name).unlink()
    (tmp_path / "run.json").mkdir()
    with pytest.raises(InputError, match=r"run.json: would be overwritten; move it away"):
        runs.check_unused(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few make links")
def test_nothing_is_written_through_a_link(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / f".tmp{os.getpid()}-a").symlink_to(tmp_path / "precious")
    with whole_file(tmp_path / "a") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "precious").read_text() == "mine" and (tmp_path / "a").read_text() == "new"
    (tmp_path / "losses.csv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="would be overwritten"):
        runs.check_unused(tmp_path)


@pytest.mark.parametrize("values", [np.full(2, 1e300), np.full(2, 1j), np.array([b"a", b"b"])])
def test_weights_that_are_no_numbers_of_this_kind(pair, tmp_path, values):
    path = tmp_path / "g.weights.h5"
    runs.save_weights(pair[0], path)
    with h5py.File(path, "r+") as file:
        name = "layers/batch_normalization/vars/0"
        shape = file[name].shape
        del file[name]
        file[name] = np.resize(values, shape)
    with pytest.raises(InputError, match="not finite numbers|no file of weights"):
        runs.load_weights(pair[0], path)


def test_a_folder_that_cannot_be_claimed(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: is a file, not a folder"), runs.claimed(tmp_path / "file"):
        pass


def test_run_json_with_a_mark_of_its_encoding(tmp_path):
    runs.Run(width=7).write(tmp_path)
    path = tmp_path / "run.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert runs.Run.read(tmp_path).width == 7


@pytest.mark.parametrize("values, message", [
    ({"fit": "stretch"}, "no run has fit 'stretch'"),
    ({"flip": 1}, "no run has flip 1"),
    ({"latent_size": 64}, "no run has latent_size 64"),
    ({"versions": "2.20"}, "no run has versions '2.20'"),
])
def test_a_run_file_with_other_values_is_refused(tmp_path, values, message):
    (tmp_path / "run.json").write_text(json.dumps({"model": "dcgan", "hidden": 0, **values}))
    with pytest.raises(InputError, match=message):
        runs.Run.read(tmp_path)


def test_what_has_become_of_files_is_told_by_name(tmp_path):
    before = [(f"{number}, 'こ'\n.png", number) for number in range(9)] + [("\udcff.png", 5)]
    runs.write_files(tmp_path, before)
    assert runs.changes(tmp_path, before[::-1]) == ""
    now = [*before[1:8], before[9], ("new.png", 1), (before[8][0], 99)]
    told = runs.changes(tmp_path, now)
    assert told == f"1 added (new.png), 1 gone ({before[0][0]}), 1 changed ({before[8][0]})"
    assert runs.changes(tmp_path, []).endswith(" and 7 more)") and runs.changes(tmp_path, []).startswith("10 gone (")
    (tmp_path / "images.csv").write_text("damaged\nwithout numbers")
    assert runs.changes(tmp_path, now) == ""
