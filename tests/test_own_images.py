"""Images of one's own: what is taken for an image, and what becomes of it."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from dcgan_lib import data, own_images
from dcgan_lib.backend import keras
from dcgan_lib.errors import InputError
from dcgan_lib.models import dcgan_discriminator, dcgan_generator
from dcgan_lib.training import GAN


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
    found = own_images.load_folder(tmp_path, 32)
    assert found.images.shape == (2, 32, 32, 3) and found.images.dtype == np.uint8 and not found.left_out
    means = sorted(found.images.mean(axis=(1, 2)).tolist())
    assert means == [[77, 77, 77], [200, 0, 0]]
    assert own_images.load_folder(tmp_path, 28, channels=1).images.shape == (2, 28, 28, 1)


def test_folder_of_grey_images_stays_grey(tmp_path):
    save(tmp_path, "a.png", np.full((20, 20), 9, np.uint8))
    assert own_images.load_folder(tmp_path, 64).images.shape == (1, 64, 64, 1)


def test_palettes_and_transparency(tmp_path):
    save(tmp_path, "clear.png", np.zeros((8, 8, 4), np.uint8))
    Image.fromarray(np.full((8, 8, 3), (10, 20, 30), np.uint8)).quantize(4).save(tmp_path / "palette.gif")
    found = own_images.load_folder(tmp_path, 32)
    colours = sorted(tuple(image[0, 0]) for image in found.images)
    assert colours == [(10, 20, 30), (255, 255, 255)]


def test_grey_with_transparency_is_grey(tmp_path):
    save(tmp_path, "half.png", np.full((8, 8, 2), (100, 51), np.uint8))
    assert own_images.load_folder(tmp_path, 28).images.shape == (1, 28, 28, 1)
    assert (own_images.load_folder(tmp_path, 28).images == 224).all(), "100 at 20 %, 255 at 80 %"


def brightest(folder):
    """Of each picture, in the order of their names; each was made with one level on black."""
    found = own_images.load_folder(folder, 28)
    assert not found.left_out
    return sorted(found.images.max(axis=(1, 2, 3)).tolist()), found.source.split(", ", 1)[-1]


@pytest.mark.parametrize("ending, kind, levels, expected, note", [
    ("png", np.uint16, (200, 255), [200, 255], "greys of 8 bits (greatest value 255)"),
    ("png", np.uint16, (255, 256), [64, 64], "greys of 10 bits (greatest value 256)"),
    ("png", np.uint16, (1023, 4095), [64, 255], "greys of 12 bits (greatest value 4095)"),
    ("tif", np.uint16, (257 * 100, 65535), [100, 255], "greys of 16 bits (greatest value 65535)"),
    ("tif", np.int32, (-70000, 2**24 - 1), [0, 255],
     "greys of 24 bits (greatest value 16777215), all below 0 as black (least value -70000)"),
    ("tif", np.float32, (0.2, 1.0), [51, 255], "greys from 0 to 1 (greatest value 1)"),
    ("tif", np.float32, (-0.5, 1.1), [0, 255],
     "greys from 0 to 1 (greatest value 1.10000002), all below 0 as black (least value -0.5)"),
    ("tif", np.float32, (51, 255), [51, 255], "greys of 8 bits (greatest value 255)"),
    ("tif", np.float32, (np.nan, 4095), [0, 255], "greys of 12 bits (greatest value 4095)"),
    ("tif", np.float32, (np.inf, 51), [51, 255], "greys of 8 bits (greatest value 51)"),
])
def test_deep_greys_have_one_scale_for_the_whole_folder(tmp_path, ending, kind, levels, expected, note):
    for index, level in enumerate(levels):
        picture = np.zeros((28, 28), kind)
        picture[:14] = level
        save(tmp_path, f"{index}.{ending}", picture)
    found, told = brightest(tmp_path)
    assert found == expected and note == told
    save(tmp_path, "ordinary.png", np.full((28, 28), 7, np.uint8))
    assert brightest(tmp_path)[0] == sorted([*expected, 7]), "8 bits stay as they are"


def test_a_large_deep_picture_stays_small_in_memory(tmp_path):
    picture = np.zeros((3000, 3000), np.uint16)
    picture[:, 1500:] = 257 * 100
    save(tmp_path, "large.png", picture)
    save(tmp_path, "white.png", np.full((8, 8), 65535, np.uint16))
    tracemalloc.start()
    [large] = [image for image in own_images.load_folder(tmp_path, 28).images if image.min() == 0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6, "bytes; the picture as float64 has 72 million"
    assert (large[:, :12] == 0).all() and (large[:, 16:] == 100).all()


def test_what_is_no_image_to_learn_from_is_not_taken_in(tmp_path):
    grey = np.full((20, 20), 9, np.uint8)
    for place in ("", ".thumbnails", "__MACOSX/pictures", "out/samples", "out", "samples"):
        save(tmp_path / place, "a.png", grey)
    for name in (".hidden.png", "._a.png", "generated_image.png", "nice_generated_image.png"):
        save(tmp_path, name, grey)
        save(tmp_path / "out", name, grey)
    Image.fromarray(grey).save(tmp_path / "out" / "training_process.gif")
    (tmp_path / "out" / "run.json").write_text("{}")
    found = own_images.load_folder(tmp_path, 28)
    assert len(found.images) == 3 and not found.left_out, "a.png, out/a.png, samples/a.png"


def test_other_names_for_jpeg_and_avif_are_read(tmp_path):
    for ending in (".jfif", ".JPE", ".jpeg"):
        Image.fromarray(np.full((20, 20), 9, np.uint8)).save(tmp_path / f"a{ending}", "JPEG")
    if "AVIF" in Image.SAVE:
        Image.fromarray(np.full((20, 20), 9, np.uint8)).save(tmp_path / "a.avif")
    assert len(own_images.load_folder(tmp_path, 28).images) == 3 + ("AVIF" in Image.SAVE)


def link(place, target):
    try:
        place.symlink_to(target, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make links")


def test_links_are_followed_once(tmp_path):
    folder = tmp_path / "images"
    for index, place in enumerate((folder / "real" / "deep", tmp_path / "outside" / "cats")):
        save(place, "a.png", np.full((20, 20), index, np.uint8))
    link(folder / "linked", tmp_path / "outside")
    link(folder / "again", tmp_path / "outside")
    link(folder / "a_loop", folder)
    link(folder / "real" / "loop", folder / "real")
    link(folder / "first_by_name", folder / "real")
    link(folder / "nowhere.png", tmp_path / "nowhere")
    (folder / "real" / "deep" / "broken.png").write_bytes(b"")
    found = own_images.load_folder(folder, 28)
    assert sorted(found.images[:, 0, 0, 0].tolist()) == [0, 1]
    names = [Path(line.split(": ")[0]).relative_to(folder).as_posix() for line in found.left_out]
    assert names == ["nowhere.png", "real/deep/broken.png"], "what is reached by a link too keeps its own name"
    assert len(own_images.load_folder(folder / "linked", 28).images) == 1, "the folder that is named may be a link"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_or_a_folder_with_an_images_name(tmp_path):
    save(tmp_path / "folder.png", "in_it.png", np.full((20, 20), 9, np.uint8))
    os.mkfifo(tmp_path / "pipe.png")
    found = own_images.load_folder(tmp_path, 28)
    assert len(found.images) == 1 and len(found.left_out) == 1 and "pipe.png: is no file" in found.left_out[0]


def test_broken_images_are_left_out_and_named(tmp_path):
    for level in range(9):
        save(tmp_path, f"good{level}.png", np.full((20, 20), level, np.uint8))
    rough = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    for name in ("cut.png", "b/cut.png"):
        save((tmp_path / name).parent, "cut.png", rough)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:200])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.gif").write_text("hello")
    found = own_images.load_folder(tmp_path, 32)
    assert sorted(found.images[:, 0, 0, 0].tolist()) == list(range(9)), "gaps are closed"
    assert (found.images == found.images[:, :1, :1]).all()
    assert found.images[:, 0, 0, 0].tolist() != list(range(9)), "mixed"
    names = [Path(line.split(": ")[0]).relative_to(tmp_path).as_posix() for line in found.left_out]
    assert names == ["b/cut.png", "cut.png", "empty.jpg", "text.gif"]


def test_image_bomb_is_left_out_before_it_unfolds(tmp_path, monkeypatch, recwarn):
    unfolded = []

    def load(image):
        unfolded.append(image.size)
        return load_image(image)

    load_image = ImageFile.ImageFile.load
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for name, side in (("good.png", 20), ("warned.png", 40), ("refused.png", 50)):
        save(tmp_path, name, np.full((side, side), 9, np.uint8))
    save(tmp_path, "deep.png", np.full((40, 40), 9, np.uint16))
    found = own_images.load_folder(tmp_path, 32)
    assert unfolded and set(unfolded) == {(20, 20)} and len(found.images) == 1 and not recwarn.list
    assert [Path(line.split(": ")[0]).name for line in found.left_out] == ["deep.png", "refused.png", "warned.png"]


def test_reading_reports_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(own_images, "BLOCK", 4)
    for index in range(10):
        save(tmp_path, f"{index}.png", np.full((8, 8), index, np.uint8))
    (tmp_path / "broken.png").write_bytes(b"")
    said = []
    found = own_images.load_folder(tmp_path, 28, report=lambda done, total: said.append((done, total)))
    assert [total for _, total in said] == [11] * len(said)
    assert [done for done, _ in said] == [2, 4, 5, 8, 10, 11], "up to the half as the files are opened"
    assert sorted(found.images[:, 0, 0, 0].tolist()) == list(range(10))


@pytest.fixture
def mixed_folder(tmp_path):
    """Grey and coloured, deep and broken ones, 13 that can be read."""
    rng = np.random.default_rng(0)
    for index in range(10):
        save(tmp_path, f"{index}.png", rng.integers(0, 256, (40, 30 + index, 3), dtype=np.uint8))
    for index in range(3):
        save(tmp_path, f"deep{index}.png", rng.integers(0, 4096, (20, 20), dtype=np.uint16))
    whole = (tmp_path / "0.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:-900])
    (tmp_path / "empty.png").write_bytes(b"")
    return tmp_path


def from_disk(folder, size, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(own_images, "_free_memory", lambda: 0)
        return own_images.load_folder(folder, size)


@pytest.mark.parametrize("block", [4, 500])
def test_images_that_do_not_fit_are_the_same_from_the_disk(mixed_folder, monkeypatch, block):
    monkeypatch.setattr(own_images, "BLOCK", block)
    kept, read = own_images.load_folder(mixed_folder, 32), from_disk(mixed_folder, 32, monkeypatch)
    assert isinstance(kept.images, np.ndarray) and isinstance(read.images, own_images.FolderImages)
    assert read.images.shape == kept.images.shape == (13, 32, 32, 3) and read.images.dtype == np.uint8
    assert len(read.images) == 13 and read.fingerprint() == kept.fingerprint()
    assert read.left_out == kept.left_out and len(kept.left_out) == 2 and read.source == kept.source
    for rows in (slice(None), slice(3, 9, 2), [5, 5, 0], np.array([12, 1]), -1, np.arange(13) % 2 == 0):
        assert read.images[rows].shape == kept.images[rows].shape and (read.images[rows] == kept.images[rows]).all()


def test_images_may_take_half_of_the_free_memory(tmp_path, monkeypatch):
    for index in range(3):
        save(tmp_path, f"{index}.png", np.full((20, 20), index, np.uint8))
    for free, kind in ((2 * 3 * 28 * 28, np.ndarray), (2 * 3 * 28 * 28 - 1, own_images.FolderImages)):
        monkeypatch.setattr(own_images, "_free_memory", lambda free=free: free)
        assert type(own_images.load_folder(tmp_path, 28).images) is kind
    monkeypatch.undo()
    assert 2**20 < own_images._free_memory() < 2**50, "bytes"


def test_training_from_the_disk_is_the_same(mixed_folder, monkeypatch):
    losses = []
    for found in (own_images.load_folder(mixed_folder, 32), from_disk(mixed_folder, 32, monkeypatch)):
        keras.utils.set_random_seed(0)
        gan = GAN(dcgan_generator(32, 3, 4), dcgan_discriminator(32, 3, 4), seed=0)
        gan.compile(keras.optimizers.Adam(0.001), keras.optimizers.Adam(0.001))
        batches = data.batches(found.images, 4, seed=1)
        losses.append([gan.train_on_batch(real) for real in batches.take(1)] + [
            gan.fit(batches, steps_per_epoch=4, shuffle=False, verbose=0).history])
    assert str(losses[0]) == str(losses[1]) and "d_loss" in str(losses[0])


def test_a_file_that_went_away_is_named(mixed_folder, monkeypatch):
    images = from_disk(mixed_folder, 32, monkeypatch).images
    (mixed_folder / "5.png").unlink()
    with pytest.raises(InputError, match=r"5.png: can no longer be read \(is no file, or a link to none\); bring"):
        images[:]


def test_a_program_can_end_while_batches_are_made(mixed_folder):
    program = """if True:
        import sys
        from dcgan_lib import data, own_images
        own_images._free_memory = lambda: 0
        batches = iter(data.batches(own_images.load_folder(sys.argv[1], 32).images, 12))
        next(batches)
    """
    subprocess.run([sys.executable, "-c", program, mixed_folder], check=True, timeout=60, capture_output=True)


@pytest.mark.parametrize("make, message", [
    (lambda folder: None, "there is no such folder"),
    (lambda folder: folder.mkdir(), "no image .*; name a folder of images"),
    (lambda folder: (folder.mkdir(), (folder / "x.png").write_bytes(b"no")), "none of its 1 images can be.*x.png: "),
    (lambda folder: (folder.mkdir(), (folder / "x.HEIC").write_bytes(b"no")), "no image .*; name a folder of images"),
])
def test_folder_without_images(tmp_path, make, message):
    make(tmp_path / "images")
    with pytest.raises(InputError, match=message):
        own_images.load_folder(tmp_path / "images", 32)


@pytest.mark.parametrize("name", ["images.zip", "one.PNG", "train-images-idx3-ubyte.gz"])
def test_a_file_instead_of_a_folder(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=f"{name}: is a file, and no .npy or .npz; unpack an archive first, and name"):
        own_images.load_folder(tmp_path / name, 32)
    with pytest.raises(InputError, match="there is no such folder"):
        own_images.load_folder(tmp_path / name / "below", 32)


@pytest.mark.parametrize("path, message", [
    ("https://example.org/images", "^https://example.org/images: is an address; download what is there, and name"),
    ("s3://bucket/mnist.npz", "^s3://bucket/mnist.npz: is an address"),
    ("~nosuchuser/images", "there is no such"),
    ("", "is empty"),
    ("a\0b", "embedded null"),
])
def test_paths_that_are_none(path, message):
    for load in (lambda: own_images.load_folder(path, 32), lambda: data.load_mnist(path)):
        with pytest.raises(InputError, match=message):
            load()


def test_folders_that_may_not_be_read(tmp_path, monkeypatch):
    def scandir(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    scan = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    save(tmp_path, "a.png", np.full((20, 20), 9, np.uint8))
    (tmp_path / "closed").mkdir()
    assert own_images.load_folder(tmp_path, 28).left_out == (f"{tmp_path / 'closed'}: Permission denied",)
    with pytest.raises(InputError, match=r"closed: cannot be opened \(Permission denied\); name a folder that may"):
        own_images.load_folder(tmp_path / "closed", 28)


# ---- colour, squares, and what people are told -------------------------------------------------------------------


def picture(seed=0, height=40, width=40):
    """A smooth grey picture, uint8 (height, width)."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 4), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "webp"])
def test_grey_scans_saved_in_colour_are_found_grey(tmp_path, ending):
    for number in range(3):
        Image.fromarray(picture(number)).convert("RGB").save(tmp_path / f"{number}.{ending}")
    found = own_images.load_folder(tmp_path, 32)
    assert found.images.shape == (3, 32, 32, 1)
    assert found.notes == ("they are in colour, but show none: taken as grey (--channels 3 takes them as they are)",)
    assert own_images.load_folder(tmp_path, 32, channels=3).images.shape == (3, 32, 32, 3)
    spot = np.stack([picture(9)] * 3, axis=-1)
    spot[18:22, 18:22] = 200, 30, 30
    Image.fromarray(spot).save(tmp_path / "spot.png")
    found = own_images.load_folder(tmp_path, 32)
    assert found.images.shape == (4, 32, 32, 3) and found.notes == ()


def test_grey_pictures_need_no_note(tmp_path):
    save(tmp_path, "a.png", picture())
    assert own_images.load_folder(tmp_path, 32).notes == ()


def test_squares_by_the_middle_or_by_a_border(tmp_path):
    wide = np.full((20, 40, 3), (10, 200, 30), np.uint8)
    wide[5:15, 15:25] = 90
    save(tmp_path, "wide.png", wide)
    cut, whole = (own_images.load_folder(tmp_path, 64, fit=fit).images[0] for fit in ("crop", "pad"))
    assert (cut[:, :8] == (10, 200, 30)).all() and (cut[26:38, 26:38] == 90).all(), "the middle, enlarged"
    assert (whole[:20] == (10, 200, 30)).all() and (whole[44:] == (10, 200, 30)).all(), "a border in the edges' colour"
    assert (whole[31:33, 31:33] == 90).all() and (whole[:, :16] == (10, 200, 30)).all()
    save(tmp_path / "deep", "tall.png", np.full((40, 20), 1023, np.uint16))
    assert (own_images.load_folder(tmp_path / "deep", 32, fit="pad").images == 255).all()


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_a_strip_and_a_name_in_japanese(tmp_path, fit):
    save(tmp_path, "細い 絵.png", np.arange(10_000, dtype=np.uint8).reshape(1, -1))
    save(tmp_path, "縦.png", np.arange(10_000, dtype=np.uint8).reshape(-1, 1))
    found = own_images.load_folder(tmp_path, 32, fit=fit)
    assert found.images.shape == (2, 32, 32, 1) and sorted(name for name, _ in found.files) == ["細い 絵.png", "縦.png"]


def test_an_animated_gif_gives_its_first_picture(tmp_path):
    pages = [Image.new("L", (20, 20), level) for level in (50, 150, 250)]
    pages[0].save(tmp_path / "moving.gif", save_all=True, append_images=pages[1:])
    assert (own_images.load_folder(tmp_path, 28).images == 50).all()


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "webp", "tif", "ppm"])
def test_a_cut_file_of_each_format_is_left_out(tmp_path, ending):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / f"whole.{ending}")
    content = (tmp_path / f"whole.{ending}").read_bytes()
    (tmp_path / f"cut.{ending}").write_bytes(content[: len(content) // 3])
    (tmp_path / f"empty.{ending}").write_bytes(b"")
    found = own_images.load_folder(tmp_path, 32)
    assert len(found.images) == 1 and len(found.left_out) == 2
    assert all(line.count("\n") == 0 and f".{ending}: " in line for line in found.left_out)


def test_what_is_not_looked_at_is_counted_by_ending(tmp_path):
    save(tmp_path, "a.png", picture())
    for number in range(12):
        (tmp_path / f"{number}.HEIC").write_bytes(b"no")
    for name in ("notes.txt", "b.txt", "Makefile", ".hidden.heic", "stacked_digits.json", "data_sheet.png"):
        (tmp_path / name).write_bytes(b"no")
    found = own_images.load_folder(tmp_path, 28)
    assert found.notes == ("not looked at: 15 files with other endings (.heic 12, .txt 2, without 1)",)
    assert len(found.images) == 1 and not found.left_out and found.origin == "stacked"
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"no image \(.png, .*\) in it, but 15 files with other endings \(.heic 12"):
        own_images.load_folder(tmp_path, 28)


def test_pictures_of_one_even_colour_are_noticed(tmp_path):
    icon = np.zeros((20, 20, 4), np.uint8)
    icon[5:15, 5:15] = 255  # white on nothing
    for number in range(3):
        save(tmp_path, f"icon{number}.png", icon)
    found = own_images.load_folder(tmp_path, 32)
    assert found.even == 3 == len(found.images)
    save(tmp_path, "other.png", picture())
    found = own_images.load_folder(tmp_path, 32)
    assert found.even == 3 and len(found.images) == 4
    assert found.notes[-1].startswith("3 of 4 images have one even colour (the first: icon")


def test_the_files_of_a_folder_tell_it_from_others(tmp_path):
    for number in range(5):
        save(tmp_path, f"{number}.png", picture(number))
    found = own_images.load_folder(tmp_path, 32)
    assert sorted(name for name, _ in found.files) == [f"{number}.png" for number in range(5)]
    before = dict(found.files)
    save(tmp_path, "3.png", picture(77))
    (tmp_path / "1.png").unlink()
    now = dict(own_images.load_folder(tmp_path, 32).files)
    assert {name for name in now if now[name] != before[name]} == {"3.png"} and "1.png" not in now
    assert own_images.load_folder(tmp_path, 32).fingerprint() != found.fingerprint()


# ---- arrays ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels, expected", [(None, 1), (1, 1), (3, 3), (4, 3)])
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_arrays_of_images(tmp_path, channels, expected, ending):
    shape = (7, 30, 20) if channels is None else (7, 30, 20, channels)
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    path = tmp_path / f"a.{ending}"
    (np.save if ending == "npy" else np.savez)(path, array)
    found = own_images.load_array(path, 28)
    assert found.images.shape == (7, 28, 28, expected) and found.origin == "array" and found.notes == ()
    assert own_images.kind_of(path) == "array" and own_images.own_side(path) == 32
    assert own_images.load_array(path, 32, channels=1, fit="pad").images.shape == (7, 32, 32, 1)
    assert (own_images.load_array(path, 28).images == found.images).all()


def test_an_array_that_has_the_size_keeps_its_values(tmp_path, digits):
    np.save(tmp_path / "d.npy", digits)
    said = []
    found = own_images.load_array(tmp_path / "d.npy", 28, report=lambda *numbers: said.append(numbers))
    assert own_images.own_side(tmp_path / "d.npy") == 28 and said == [(1, 256), (256, 256)]
    assert sorted(map(bytes, found.images)) == sorted(map(bytes, digits)) and (found.images != digits).any(), "mixed"


def test_grey_arrays_in_colour_and_even_ones(tmp_path):
    grey = np.stack([picture(number) for number in range(4)])[..., None].repeat(3, axis=-1)
    grey[2] = 7
    np.save(tmp_path / "g.npy", grey)
    found = own_images.load_array(tmp_path / "g.npy", 32)
    assert found.images.shape == (4, 32, 32, 1) and found.even == 1
    assert found.notes[0].startswith("they are in colour, but show none")
    assert found.notes[1] == "1 of 4 images have one even colour (the first: image 2)"


def test_which_array_of_an_npz_file_is_taken(tmp_path, digits_file):
    images, other = np.zeros((3, 40, 40, 3), np.uint8), np.zeros((2, 50, 50), np.uint8)
    np.savez(tmp_path / "named.npz", x_train=images, x_test=other, labels=np.zeros(3))
    np.savez(tmp_path / "one.npz", pictures=images, labels=np.zeros(3))
    np.savez(tmp_path / "two.npz", a=images, b=other)
    for name in ("named", "one"):
        assert len(own_images.load_array(tmp_path / f"{name}.npz", 32).images) == 3
    with pytest.raises(InputError, match=r"has 2 arrays that could be images \(a, b\); call one of them x_train"):
        own_images.load_array(tmp_path / "two.npz", 32)
    assert own_images.kind_of(digits_file) == own_images.kind_of(None) == "mnist"
    assert own_images.kind_of(tmp_path) == own_images.kind_of("missing") == "folder"
    assert own_images.kind_of("missing.npz") == "mnist" and own_images.kind_of("missing.npy") == "array"


@pytest.mark.parametrize("array, message", [
    (np.zeros((3, 8, 8)), r"the array is float64 \(3, 8, 8\), and images are uint8 \(n, height, width\) or"),
    (np.zeros((3, 3, 8, 8), np.uint8)[:, :2], r"is uint8 \(3, 2, 8, 8\), and images are"),
    (np.zeros((0, 8, 8), np.uint8), r"is uint8 \(0, 8, 8\)"),
    (np.zeros(5, np.uint8), r"is uint8 \(5,\)"),
    (np.array([None]), "cannot be read as an array .*; save it anew by numpy.save"),
    (b"no array", "cannot be read as an array"),
    (None, "a.npy: there is no such file; name a folder of images, or a .npy or .npz file"),
])
def test_arrays_that_are_no_images(tmp_path, array, message):
    path = tmp_path / "a.npy"
    if isinstance(array, bytes):
        path.write_bytes(array)
    elif array is not None:
        np.save(path, array)
    with pytest.raises(InputError, match=message) as caught:
        own_images.load_array(path, 32)
    assert "\n" not in str(caught.value)
