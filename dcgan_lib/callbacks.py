"""What watches a training: live samples, the losses, checkpoints, a progress bar.

What belongs here: Keras callbacks that look on and write files. None changes how a network learns.
"""

import csv
import io
import math
import sys
import time
from pathlib import Path

import numpy as np

from .backend import keras
from .data import to_uint8
from .files import InputError, whole_file
from .generating import combine_images, png_bytes, save_gif
from .training import SAMPLE_STREAM, draw_noise


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
        except (OSError, ValueError):
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
    """Pictures from one fixed noise every so many steps, so that they show how the generator changes.

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
            (self.folder / "samples").mkdir(exist_ok=True)
            for path in (self.folder / "samples").glob("step_*.png"):
                self.frames[int(path.stem.removeprefix("step_"))] = path.read_bytes()
        if not self.frames:
            self._draw()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.model.step % self.every == 0:
            self._draw()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.model.step not in self.frames:
            self._draw()
        if self.folder:
            self.save_gif(self.folder / "training_process.gif")

    def save_gif(self, path: Path) -> None:
        """Write the frames so far as an animation."""
        save_gif(self.frames, path)

    def _draw(self) -> None:
        step = self.model.step
        picture = combine_images(to_uint8(self.model.generator.predict_on_batch(self._noise)))
        self.frames[step] = png_bytes(picture)
        if self.folder:
            with whole_file(self.folder / "samples" / f"step_{step:06d}.png") as temporary:
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


def draw_training(picture: np.ndarray, rows: list[tuple[int, float, float]], step: int) -> bytes:
    """A training at one moment, its samples beside its losses, as a PNG file's bytes."""
    from matplotlib.figure import Figure  # here, because the command line never shows it

    figure = Figure(figsize=(9, 4), layout="constrained")
    samples, curves = figure.subplots(1, 2)
    samples.imshow(picture, cmap="gray", vmin=0, vmax=255)
    samples.set_title(f"samples at step {step}")
    samples.axis("off")
    steps, *losses = np.array(rows).reshape(-1, 3).T
    window = max(1, len(steps) // 40)  # single steps scatter so much that one curve would hide the other
    for name, values, color in zip(("g_loss", "d_loss"), reversed(losses), ("#e69f00", "#0072b2")):
        curves.plot(steps, values, color=color, alpha=0.25, linewidth=0.7)
        means = np.convolve(values, np.ones(window) / window, mode="valid") if rows else []
        curves.plot(steps[window - 1 :], means, color=color, linewidth=1.8, label=name)
    curves.set_xlabel("step")
    curves.set_title(f"losses, and their mean over {window} steps")
    curves.legend(loc="upper right")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=72)
    return buffer.getvalue()


class Checkpoint(keras.callbacks.Callback):
    """Every so many steps, and first and last, keep all that a run needs to go on.

    In this order: ``losses.csv``, ``generator.weights.h5``, ``discriminator.weights.h5``, and last
    ``checkpoint.weights.h5`` (both networks and both optimizers), which decides where a resumed run starts.

    Raises:
        FloatingPointError: a weight is not a finite number; nothing is written, so the last good weights stay.
    """

    def __init__(self, folder: Path, losses: LossHistory, every: int):
        super().__init__()
        self.folder = folder
        self.losses = losses
        self.every = every
        self.saved_step = -1

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._save()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.model.step % self.every == 0:
            self._save()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.model.step != self.saved_step:
            self._save()

    def _save(self) -> None:
        gan = self.model
        for variable in gan.weights + gan.g_optimizer.variables + gan.d_optimizer.variables:
            if not np.isfinite(variable.numpy()).all():
                raise FloatingPointError(f"the weights {variable.path} are no longer finite at step {gan.step}")
        self.losses.save(self.folder / "losses.csv")
        for model, name in ((gan.generator, "generator"), (gan.discriminator, "discriminator"), (gan, "checkpoint")):
            with whole_file(self.folder / f"{name}.weights.h5") as temporary:
                model.save_weights(temporary)
        self.saved_step = gan.step


class Progress(keras.callbacks.Callback):
    """One line in a terminal: how far the run is, the time, both losses. Where there is no terminal, 20 lines.

    Args:
        last_step: the step at which the run ends.
    """

    def __init__(self, last_step: int):
        super().__init__()
        self.last_step = last_step

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._first_step, self._start = self.model.step, time.monotonic()
        self._interval = 1 if sys.stdout.isatty() else max(1, (self.last_step - self._first_step) // 20)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        step = self.model.step
        if step != self.last_step and (step - self._first_step) % self._interval:
            return
        seconds = time.monotonic() - self._start
        left = seconds / (step - self._first_step) * (self.last_step - step)
        filled = 24 * step // self.last_step
        line = (
            f"step {step}/{self.last_step} [{'#' * filled}{'.' * (24 - filled)}] {seconds:.0f} s, {left:.0f} s left, "
            f"d_loss {logs['d_loss']:.4f}, g_loss {logs['g_loss']:.4f}"
        )
        in_place = sys.stdout.isatty() and step != self.last_step
        print(f"\r{line}\033[K" if sys.stdout.isatty() else line, end="" if in_place else "\n", flush=True)
