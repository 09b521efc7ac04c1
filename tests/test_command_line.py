"""The real program, as a subprocess: what it leaves, what it says, how it goes on after a kill."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from program import command, dcgan, files

SMALL = ("--width", 4, "--batch_size", 16)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, digits_file):
    """A finished run of 120 steps: its folder and what it printed."""
    out = tmp_path_factory.mktemp("trained") / "out"
    done = dcgan("--mode", "train", "--path", digits_file, *SMALL, "--steps", 120, "--out", out)
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
    assert "loop fit" in done.stdout and "steps 0 to 120" in done.stdout and "d_loss" in done.stdout


def test_samples_and_animation_show_the_training(trained):
    out, _ = trained
    with Image.open(out / "training_process.gif") as gif:
        assert gif.n_frames == len(list((out / "samples").iterdir())) and gif.info["loop"] == 0
    first, last = (np.asarray(Image.open(out / "samples" / f"step_{step:06d}.png")) for step in (0, 120))
    assert first.shape == last.shape == (224, 224) and (first != last).any()


def start(*arguments):
    def heed_ctrl_c():  # a shell's background job, as the tests may be one, passes on that SIGINT is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(
        command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c
    )


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("loop", ["fit", "source"])
def test_killed_run_goes_on_as_if_nothing_had_happened(loop, tmp_path, digits_file):
    arguments = ("--mode", "train", "--path", digits_file, *SMALL, "--loop", loop, "--steps", 450, "--seed", 9)
    whole = dcgan(*arguments, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr

    out = tmp_path / "out"
    process = start(*arguments, "--out", out)
    wait_for(lambda: (out / "losses.csv").exists() and len(rows(out)) > 200, process)
    process.kill()
    process.wait()
    kept = len(rows(out)) - 1
    assert 200 <= kept < 450, "killed on its way"
    (out / ".tmp1-losses.csv").write_text("half")  # what a kill in the middle of writing leaves

    refused = dcgan(*arguments, "--out", out)
    assert refused.returncode == 2 and "go on with it by --resume" in refused.stderr
    done = dcgan("--mode", "train", "--resume", "--out", out)
    assert done.returncode == 0, done.stderr
    assert any(f"steps {step} to 450" in done.stdout for step in (kept - 100, kept))
    assert files(out).keys() == files(tmp_path / "whole").keys()
    for name in ("losses.csv", "training_process.gif", "samples/step_000450.png"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_run_killed_before_its_first_checkpoint_can_be_resumed(trained, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(trained[0] / "run.json", out)
    done = dcgan("--mode", "train", "--resume", "--out", out, "--steps", 120)
    assert done.returncode == 0 and "steps 0 to 120" in done.stdout, done.stderr
    assert rows(out) == rows(trained[0])


def test_two_runs_in_one_folder_at_once(tmp_path, digits_file):
    out = tmp_path / "out"
    process = start("--mode", "train", "--path", digits_file, *SMALL, "--steps", 100_000, "--out", out)
    try:
        wait_for(lambda: (out / "checkpoint.weights.h5").exists(), process)
        for extra in ((), ("--resume",)):
            second = dcgan("--mode", "train", "--path", digits_file, *SMALL, "--out", out, *extra)
            assert second.returncode == 2 and "a run is at work here" in second.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert "go on from the last checkpoint with --resume" in process.stderr.read()
    finally:
        process.kill()


def test_resume_to_a_larger_number_of_steps_and_only_with_the_same_settings(trained, tmp_path, digits_file):
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    done = dcgan("--mode", "train", "--resume", "--out", out)
    assert done.returncode == 0 and "has its 120 steps already" in done.stdout
    for wrong in (("--batch_size", 8), ("--seed", 1), ("--loop", "source"), ("--model", "original")):
        refused = dcgan("--mode", "train", "--resume", "--out", out, *wrong)
        assert refused.returncode == 2 and "leave it out" in refused.stderr
    done = dcgan("--mode", "train", "--resume", "--out", out, "--epochs", 8)
    assert done.returncode == 0 and "steps 120 to 128" in done.stdout, done.stderr
    assert len(rows(out)) == 129


def test_resume_needs_the_same_images(trained, tmp_path, digits):
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    np.savez(tmp_path / "other.npz", x_train=digits[::-1, :, :, 0], y_train=np.zeros(256))
    refused = dcgan("--mode", "train", "--resume", "--path", tmp_path / "other.npz", "--out", out, "--steps", 130)
    assert refused.returncode == 2 and "trained on other images" in refused.stderr
    assert files(out) == files(trained[0])


def test_a_loss_that_breaks_down_stops_the_run_and_keeps_good_weights(tmp_path, digits_file):
    out = tmp_path / "out"
    done = dcgan("--mode", "train", "--path", digits_file, *SMALL, "--learning_rate", 1e30, "--out", out)
    assert done.returncode == 1 and "at step" in done.stderr and "--learning_rate" in done.stderr
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
    done = dcgan("--mode", "generate", "--nice", "--batch_size", 9, "--out", tmp_path / "new")
    assert done.returncode == 0 and "the trained ones in assets/" in done.stdout
    picture = np.asarray(Image.open(tmp_path / "new" / "nice_generated_image.png"))
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
    assert float(lines[1].split()[1].rstrip("%")) > 99
    assert lines[2] == f"weights   {trained[0]} (dcgan)"
    assert lines[3] == "measured  2,000 images, seed 0, against 2,000 real ones"
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


def weights_of(trained, folder, change):
    shutil.copytree(trained[0], folder)
    change(folder)
    return folder


def cut(folder):
    path = folder / "generator.weights.h5"
    path.write_bytes(path.read_bytes()[:20_000])


def exchange(folder):
    shutil.copy(folder / "discriminator.weights.h5", folder / "generator.weights.h5")


def remove(folder):
    (folder / "generator.weights.h5").unlink()


def break_run(folder):
    (folder / "run.json").write_text('{"model": ')


@pytest.mark.parametrize("change, message", [
    (cut, "is cut short"), (exchange, "another network"), (remove, "no weights here"), (break_run, "is damaged"),
])
def test_generate_from_weights_that_are_not_good(trained, tmp_path, change, message):
    out = weights_of(trained, tmp_path / "out", change)
    before = files(out)
    refused = dcgan("--mode", "generate", "--out", out)
    check_refusal(refused, message)
    assert files(out) == before


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
    (("--mode", "train", "--path", "missing.npz"), "there is no such file"),
    (("--mode", "train", "--path", "empty"), "no image"),
    (("--mode", "train", "--path", "broken"), "none of its 1 images can be read"),
    (("--mode", "train", "--path", "two", "--batch_size", 3), "2 images are fewer than a batch of 3"),
    (("--mode", "generate", "--model", "original"), "train them with --mode train --model original"),
    (("--mode", "generate", "--epochs", 3), "leave it out"),
    (("--mode", "measure", "--steps", 3), "leave it out"),
    (("--mode", "generate", "--batch_size", 10**10), "ask for at most"),
])
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, tmp_path):
    for name in ("empty", "broken", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken" / "x.png").write_bytes(b"no")
    for number in range(2):
        Image.new("L", (9, 9)).save(tmp_path / "two" / f"{number}.png")
    refused = dcgan(*arguments, cwd=tmp_path)
    check_refusal(refused, message)
    assert not (tmp_path / "out").exists()


def check_refusal(process, message):
    assert process.returncode == 2, process.stdout + process.stderr
    assert message in process.stderr and len(process.stderr.splitlines()) == 1, process.stderr
    assert process.stderr.startswith("dcgan: error: ")


@pytest.mark.parametrize("mode", [("--mode", "generate"), ("--mode", "train")])
def test_out_that_cannot_be_written(mode, tmp_path, digits_file):
    (tmp_path / "file").write_text("not a folder")
    path = ("--path", digits_file) if mode[1] == "train" else ()
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        check_refusal(dcgan(*mode, *path, "--out", out), "name another --out")
    assert (tmp_path / "file").read_text() == "not a folder"


def test_path_is_remembered_whole(trained, digits_file):
    assert json.loads((trained[0] / "run.json").read_text())["path"] == str(digits_file.resolve())


def test_the_command_dcgan_is_the_same(tmp_path):
    installed = os.path.join(os.path.dirname(sys.executable), "dcgan")
    assert os.path.exists(installed), "installed by pip install -e ."
    refused = subprocess.run([installed, "--mode", "dream"], capture_output=True, text=True, cwd=tmp_path)
    check_refusal(refused, "choose from")
    shown = subprocess.run([installed, "--help"], capture_output=True, text=True, cwd=tmp_path)
    assert shown.returncode == 0 and "--nice" in shown.stdout
