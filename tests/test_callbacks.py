"""What watches a training, without the command line around it."""

import contextlib
import io
import os
import threading
import types

import numpy as np
import pytest
from PIL import Image

from dcgan_lib import callbacks, models, runs
from dcgan_lib.backend import keras
from dcgan_lib.data import batches
from dcgan_lib.errors import InputError
from dcgan_lib.training import GAN


def build(rate=0.001):
    keras.utils.set_random_seed(0)
    gan = GAN(models.dcgan_generator(width=8), models.dcgan_discriminator(width=8), seed=0)
    gan.compile(keras.optimizers.Adam(rate, beta_1=0.5), keras.optimizers.Adam(rate, beta_1=0.5))
    return gan


def fit(gan, digits, steps, watchers):
    data = batches(digits, 16, first_step=gan.step)
    gan.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=watchers)


def test_live_samples_come_from_one_noise_at_the_right_steps(digits):
    gan, losses = build(), callbacks.LossHistory()
    live = callbacks.LiveSamples(losses, every=2, count=9)
    fit(gan, digits, 5, [losses, live])
    assert sorted(live.frames) == [0, 2, 4, 5]
    pictures = {step: np.asarray(Image.open(io.BytesIO(png))) for step, png in live.frames.items()}
    assert all(picture.shape == (84, 84) for picture in pictures.values())
    again = callbacks.LiveSamples(losses, every=2, count=9)
    again.set_model(gan)
    again.on_train_begin()
    assert (np.asarray(Image.open(io.BytesIO(again.frames[5]))) == pictures[5]).all()
    assert (pictures[0] != pictures[5]).any()


def test_training_goes_on_in_the_same_model(digits):
    gan, losses = build(), callbacks.LossHistory()
    fit(gan, digits, 2, [losses])
    fit(gan, digits, 2, [losses])
    whole = callbacks.LossHistory()
    fit(build(), digits, 4, [whole])
    assert [row[0] for row in losses.rows] == [1, 2, 3, 4]
    np.testing.assert_allclose(losses.rows, whole.rows, rtol=1e-5)


def test_losses_survive_the_file(digits, tmp_path):
    losses, again = callbacks.LossHistory(), callbacks.LossHistory()
    fit(build(), digits, 3, [losses])
    losses.save(tmp_path / "losses.csv")
    assert (tmp_path / "losses.csv").read_text().splitlines()[0] == "step,d_loss,g_loss"
    again.load(tmp_path / "losses.csv", 2)
    np.testing.assert_array_equal(np.float32(again.rows), np.float32(losses.rows[:2]))
    again.save(tmp_path / "again.csv")
    assert (tmp_path / "losses.csv").read_text().startswith((tmp_path / "again.csv").read_text())
    with pytest.raises(InputError, match="losses.csv: is damaged"):
        again.load(tmp_path / "losses.csv", 4)


def test_nan_in_a_loss_stops_at_its_step(digits):
    losses = callbacks.LossHistory()
    with pytest.raises(FloatingPointError, match=r"loss is (nan|inf) at step \d"):
        fit(build(rate=1e30), digits, 50, [losses, callbacks.StopAtNaN()])
    assert len(losses.rows) < 50
    assert np.isfinite(losses.rows[:-1]).all() and not np.isfinite(losses.rows[-1]).all()


def test_checkpoint_never_keeps_weights_that_are_not_finite(digits, tmp_path):
    gan, losses = build(), callbacks.LossHistory()
    checkpoint = callbacks.Checkpoint(tmp_path, losses, every=1)
    fit(gan, digits, 1, [losses, checkpoint])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    gan.generator.weights[0].assign(gan.generator.weights[0] * np.nan)
    with pytest.raises(FloatingPointError, match="no longer finite at step 1"):
        checkpoint.on_train_begin()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_checkpoint_by_time_never_takes_more_than_a_hundredth_of_it(tmp_path, monkeypatch):
    clock, saved = [0.0], []
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: clock[0])

    class Model:
        step = 0

    def save(gan, folder):
        saved.append(gan.step)
        clock[0] += 0.4  # seconds

    monkeypatch.setattr(callbacks, "save_checkpoint", save)
    checkpoint = callbacks.Checkpoint(tmp_path, callbacks.LossHistory(), every=10, seconds=60)
    checkpoint.set_model(Model)
    checkpoint.on_train_begin()
    for step in range(1, 101):
        Model.step = step
        clock[0] += 1.5 if step <= 50 else 20
        checkpoint.on_train_batch_end(step - 1)
    # The first steps are too fast for one every 10; later ones so slow that 60 s are over before the tenth.
    assert saved[:3] == [0, 30, 52] and set(np.diff(saved[3:])) <= {2, 3, 4}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_status_line_shows_the_longest_text_that_fits(monkeypatch):
    for columns, shown in ((80, "a" * 79), (79, "b" * 40), (40, "c" * 20), (15, "c" * 14)):
        terminal = Terminal()
        monkeypatch.setattr(callbacks.sys, "stdout", terminal)
        monkeypatch.setattr(callbacks, "_columns", lambda columns=columns: columns)
        callbacks.StatusLine(10).show(3, "a" * 79, "b" * 40, "c" * 20)
        assert terminal.getvalue().rstrip(" ") == f"\r{shown}" and len(terminal.getvalue()) == columns


def test_status_line_is_drawn_ten_times_a_second_at_most(monkeypatch):
    terminal, clock = Terminal(), [0.0]
    monkeypatch.setattr(callbacks.sys, "stdout", terminal)
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: clock[0])
    line = callbacks.StatusLine(100)
    for step in range(1, 101):
        clock[0] += 0.03
        line.show(step, f"{step}")
    shown = terminal.getvalue()
    assert shown.count("\r") == 26 and shown.count("\n") == 1 and shown.rstrip().endswith("100")


def test_elsewhere_than_in_a_terminal_there_are_twenty_lines(capsys):
    line = callbacks.StatusLine(1200, first=200)
    for step in range(201, 1201):
        line.show(step, f"step {step}", "short")
    line.end()
    assert capsys.readouterr().out.splitlines() == [f"step {step}" for step in range(250, 1201, 50)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("columns, text", [
    (120, "step 1200/1200 [############] 240 s, 0 s left, d_loss 0.5123, g_loss 11.4321"),
    (80, "step 1200/1200 [############] 240 s, 0 s left, d_loss 0.5123, g_loss 11.4321"),
    (40, "1200/1200 0 s left, d 0.51, g 11.43"),
    (20, "1200/1200 0 s left,"),
])
def test_progress_keeps_to_one_line_in_a_terminal(columns, text, monkeypatch):
    import fcntl
    import pty
    import struct
    import termios

    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    clock, shown = [0.0], []
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: clock[0])

    def read():
        with contextlib.suppress(OSError):  # the terminal was closed
            while part := os.read(screen, 4096):
                shown.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    progress = callbacks.Progress(1200)
    progress.set_model(types.SimpleNamespace(step=0))
    with open(terminal, "w") as stream:
        monkeypatch.setattr(callbacks.sys, "stdout", stream)
        progress.on_train_begin()
        for step in range(1, 1201):
            progress.model.step, clock[0] = step, 0.2 * step
            progress.on_train_batch_end(step - 1, {"d_loss": 0.5123, "g_loss": 11.4321})
        print("|", flush=True)
        monkeypatch.undo()
    reader.join(20)
    os.close(screen)
    lines = b"".join(shown).decode().split("\n")
    drawn = lines[0].rstrip("\r").split("\r")[1:]
    assert [line.strip() for line in lines] == [lines[0].strip(), "|", ""], "one line, and what came after it"
    assert len(drawn) == 1200 and {len(line) for line in drawn} == {columns - 1} and drawn[-1].strip() == text


@pytest.mark.parametrize("loop", ["fit", "source"])
def test_steps_that_are_tried_leave_no_trace(digits, loop):
    run = runs.Run(width=4, hidden=8, batch_size=16, average=0.9, loop=loop)
    found = []
    for tried in (False, True):
        keras.utils.set_random_seed(0)
        gan, losses = run.gan(), callbacks.LossHistory()
        if tried:
            assert 0 < callbacks.try_steps(run, gan, run.batches(digits)) < 10 and gan.step == 0
        run.train(gan, run.batches(digits), 3, [losses])
        found.append((losses.rows, [variable.numpy().tobytes() for variable in gan.variables]))
    assert found[0] == found[1] and len(found[0][0]) == 3


def test_trying_ends_when_its_time_is_over(digits):
    run = runs.Run(width=4, hidden=8, batch_size=16)
    gan, clock = run.gan(), callbacks.StepClock(seconds=0)
    run.train(gan, run.batches(digits), 9, [clock])
    assert gan.step == len(clock.ends) == 2
