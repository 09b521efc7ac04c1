"""What watches a training: live samples, the losses, checkpoints, a progress bar.

What belongs here: Keras callbacks that look on and write files. None changes how a network learns.
"""

from __future__ import annotations

import csv
import math
import os
import sys
import time
from pathlib import Path

import numpy as np

from .backend import keras, tf
from .data import to_uint8
from .errors import InputError
from .files import whole_file
from .pictures import combine_images, draw_training, png_bytes, read_frames, save_gif
from .runs import ANIMATION, LOSSES, SAMPLES, Run, save_checkpoint
from .training import GAN, SAMPLE_STREAM, draw_noise


class LossHistory(keras.callbacks.Callback):
    """Both losses of every step: :attr:`rows` of ``(step, d_loss, g_loss)``, the first step being 1."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int, float, float]] = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.rows.append((self.model.step, float(logs["d_loss"]), float(logs["g_loss"])))

    def save(self, path: Path) -> None:
        """Write the rows as CSV with the head ``step,d_loss,g_loss``."""
        with whole_file(path) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("step", "d_loss", "g_loss"))
            writer.writerows((step, f"{d:.9g}", f"{g:.9g}") for step, d, g in self.rows)

    def load(self, path: Path, last_step: int) -> None:
        """Take the rows up to ``last_step`` from a file that :meth:`save` wrote.

        Raises:
            InputError: the file is missing, damaged, or ends before ``last_step``.
        """
        try:
            with open(path, newline="") as file:
                self.rows = [(int(step), float(d), float(g)) for step, d, g in list(csv.reader(file))[1:]][:last_step]
        except (OSError, ValueError, csv.Error):
            self.rows = []
        if [step for step, _, _ in self.rows] != list(range(1, last_step + 1)):
            raise InputError(f"{path}: is damaged, so the run cannot be resumed; start a new one in another --out")


class StopAtNaN(keras.callbacks.Callback):
    """End the training at the first loss that is not a finite number.

    Raises:
        FloatingPointError: names the loss and the step.
    """

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        for name, loss in logs.items():
            if not math.isfinite(loss):
                raise FloatingPointError(f"{name} is {float(loss)} at step {self.model.step}")


class LiveSamples(keras.callbacks.Callback):
    """Pictures from one fixed noise every so many steps, so that they show how the (averaged) generator changes.

    In JupyterLab and Colab one figure is redrawn in place: the samples and both losses. Elsewhere nothing is shown.

    Args:
        losses: the history that the figure draws; it must come before this callback in the list.
        every: steps from one picture to the next.
        count: images in a picture.
        folder: where ``samples/step_….png`` is written each time, and ``training_process.gif`` at the end.
    """

    def __init__(self, losses: LossHistory, every: int = 50, count: int = 64, folder: Path | None = None):
        super().__init__()
        self.losses = losses
        self.every = every
        self.count = count
        self.folder = folder
        self.frames: dict[int, bytes] = {}  # step to PNG

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._noise = draw_noise(self.count, self.model.seed, SAMPLE_STREAM)
        self._display = None  # a training that goes on in another cell gets a figure there
        if self.folder:
            (self.folder / SAMPLES).mkdir(exist_ok=True)
            found = read_frames(self.folder / SAMPLES)
            self.frames = {step: png for step, png in found.items() if step <= self.model.step}
        if not self.frames:
            self._draw()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.model.step % self.every == 0:
            self._draw()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.model.step not in self.frames:
            self._draw()
        if self.folder:
            self.save_gif(self.folder / ANIMATION)

    def finish(self, gan: keras.Model) -> None:
        """Make what the end of a training makes, where the training itself has ended before."""
        self.set_model(gan)
        self.on_train_begin()
        self.on_train_end()

    def save_gif(self, path: Path) -> None:
        """Write the frames so far as an animation."""
        save_gif(self.frames, path)

    def _draw(self) -> None:
        step = self.model.step
        picture = combine_images(to_uint8(self.model.averaged_generator.predict_on_batch(self._noise)))
        self.frames[step] = png_bytes(picture)
        if self.folder:
            with whole_file(self.folder / SAMPLES / f"step_{step:06d}.png") as temporary:
                temporary.write_bytes(self.frames[step])
        if "ipykernel" in sys.modules:
            self._show(picture)

    def _show(self, picture: np.ndarray) -> None:
        from IPython.display import Image, display

        image = Image(draw_training(picture, self.losses.rows, self.model.step))
        if self._display is None:
            self._display = display(image, display_id=True)
        else:
            self._display.update(image)


class Checkpoint(keras.callbacks.Callback):
    """Every so many steps, and first and last, keep all that a run needs to go on.

    In this order: ``losses.csv``, ``checkpoint.weights.h5`` (both networks and both optimizers), which decides where a
    resumed run starts, and ``generator.weights.h5`` and ``discriminator.weights.h5``.

    Args:
        every: steps from one checkpoint to the next.
        seconds: keep one also when so much time has passed, and none while saving would take more than a
            hundredth of the time: large networks are slow to save.
    Raises:
        FloatingPointError: a weight is not a finite number; nothing is written, so the last good weights stay.
    """

    def __init__(self, folder: Path, losses: LossHistory, every: int, seconds: float = math.inf):
        super().__init__()
        self.folder = folder
        self.losses = losses
        self.every = every
        self.seconds = seconds
        self.saved_step = -1

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.save()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        passed = time.monotonic() - self._saved_at
        affordable = self.seconds == math.inf or passed > 100 * self._cost
        if affordable and (self.model.step % self.every == 0 or passed > self.seconds):
            self.save()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.model.step != self.saved_step:
            self.save()

    def save(self) -> None:
        """Write all files now."""
        start = time.monotonic()
        try:
            self.losses.save(self.folder / LOSSES)
            save_checkpoint(self.model, self.folder)
        except FloatingPointError as error:
            raise FloatingPointError(f"{error} at step {self.model.step}") from None
        self.saved_step = self.model.step
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - start


class StepClock(keras.callbacks.Callback):
    """When each step ended: :attr:`ends`, in seconds. In the first steps of a training functions are traced.

    Args:
        seconds: after which the training ends.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        super().__init__()
        self.seconds = seconds
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.ends.append(time.perf_counter())
        if self.ends[-1] - self.ends[0] > self.seconds:
            self.model.stop_training = True


def try_steps(run: Run, gan: GAN, data: tf.data.Dataset, seconds: float = 5.0) -> float:
    """How many seconds a step of ``run`` takes here, from a few steps that leave no trace in ``gan``.

    Args:
        seconds: after which no further step is tried; there are at least two, and at most five.
    """
    variables = gan.all_variables
    before = [variable.numpy() for variable in variables]
    clock = StepClock(seconds)
    run.train(gan, data, 5, [clock])
    for variable, values in zip(variables, before, strict=True):
        variable.assign(values)
    return float(np.median(np.diff(clock.ends)))


class StopOnRequest(keras.callbacks.Callback):
    """End the training well: after the step in which :attr:`asked` was set, and with a checkpoint.

    It comes last in the list.

    Raises:
        KeyboardInterrupt: says where the run has stopped.
    """

    def __init__(self, checkpoint: Checkpoint):
        super().__init__()
        self.checkpoint = checkpoint
        self.asked = False

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.asked:
            self.checkpoint.save()
            raise KeyboardInterrupt(f"stopped at step {self.model.step}; go on from there with --resume")


class StatusLine:
    """How far something is: in a terminal one line, at most ten times a second; elsewhere 20 lines in all.

    Args:
        last: the number at which it is done; it starts at ``first``.
    """

    def __init__(self, last: int, first: int = 0):
        self._last = last
        self._first = first
        self._in_place = sys.stdout.isatty()
        self._interval = 1 if self._in_place else max(1, (last - first) // 20)
        self._drawn = -math.inf
        self._open = False

    def show(self, done: int, *texts: str) -> None:
        """Tell that ``done`` of all is done; of ``texts``, the longest first, the first that fits is shown."""
        now = time.monotonic()
        if done != self._last and ((done - self._first) % self._interval or now - self._drawn < 0.1 * self._in_place):
            return
        self._drawn = now
        if not self._in_place:
            print(texts[0], flush=True)
            return
        room = _columns() - 1  # with a character in the last column a terminal goes on to the next line
        text = next((text for text in texts if len(text) <= room), texts[-1][:room])
        print(f"\r{text:<{room}}", end="", flush=True)
        self._open = True
        if done == self._last:
            self.end()

    def end(self) -> None:
        """Leave the line, if there is one."""
        if self._open:
            print(flush=True)
        self._open = False


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):  # no terminal, or one that does not know its size
        return 80


class Progress(keras.callbacks.Callback):
    """How far the run is, the time, both losses, in a :class:`StatusLine`.

    Args:
        last_step: the step at which the run ends.
    """

    def __init__(self, last_step: int):
        super().__init__()
        self.last_step = last_step
        self._line: StatusLine | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._first_step, self._start = self.model.step, time.monotonic()
        self._line = StatusLine(self.last_step, self._first_step)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        step, d_loss, g_loss = self.model.step, logs["d_loss"], logs["g_loss"]
        seconds = time.monotonic() - self._start
        left = seconds / (step - self._first_step) * (self.last_step - step)
        filled = 12 * step // self.last_step
        times = f"{seconds:.0f} s, {left:.0f} s left"
        losses = f"d_loss {d_loss:.4f}, g_loss {g_loss:.4f}"
        self._line.show(
            step,
            f"step {step}/{self.last_step} [{'#' * filled}{'.' * (12 - filled)}] {times}, {losses}",
            f"step {step}/{self.last_step} {times}, {losses}",
            f"{step}/{self.last_step} {left:.0f} s left, d {d_loss:.2f}, g {g_loss:.2f}",
        )

    def end(self) -> None:
        """Leave the line where the training broke off."""
        if self._line:
            self._line.end()
