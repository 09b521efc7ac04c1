"""A run's folder: what the run is made of, its weights, and how it is taken up again.

What belongs here: ``run.json`` and the ``.weights.h5`` files, who may work in the folder, and what is left of a run
that was killed. No messages but errors, and nothing of how a network learns.
"""

import csv
import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import filelock
import h5py
import numpy as np

from .backend import keras, tf
from .data import batches
from .devices import BATCH_NORMS, is_shared, train_on_devices
from .errors import InputError
from .files import ASSETS, whole_file
from .models import NOISE_SIZE, dcgan_discriminator, dcgan_generator, discriminator_model, generator_model
from .own_images import FITS
from .steps import train_in_steps
from .training import GAN, FallingRate, train_like_source

MODELS = ("original", "dcgan")
LOOPS = ("source", "fit")
PRECISIONS = ("float32", "bfloat16")
IMAGE_SIZES = (28, 32, 64, 128)
MOST_WIDTH = 4096  # and of the units of the hidden layer

RUN_FILE = "run.json"
WEIGHTS = ("generator.weights.h5", "discriminator.weights.h5")
CHECKPOINT = "checkpoint.weights.h5"
DATA_SHEET = "data_sheet.png"
IMAGES = "images.csv"  # the files of a folder that was trained on
ANIMATION = "training_process.gif"
LOSSES = "losses.csv"
SAMPLES = "samples"
GENERATED = "generated"  # a folder for images in a file each
LOCK = ".dcgan.lock"
# All that a run writes beside its samples.
FILES = (RUN_FILE, *WEIGHTS, CHECKPOINT, LOSSES, ANIMATION, DATA_SHEET, IMAGES)


@dataclass
class Run:
    """What a run is made of, as ``run.json`` in its folder keeps it."""

    model: str = "dcgan"
    loop: str = "fit"
    path: str | None = None
    image_size: int = 28
    channels: int = 1
    fit: str = "crop"  # how images become squares
    flip: bool = False
    augment: bool = False
    latent_size: int = NOISE_SIZE
    # Of what was tried by `python -m dcgan_lib.benchmark distance`, these show good digits soonest on two CPU cores
    # (256 to 512 hidden units did alike); the paper's own are width 128, no hidden layer, batches of 128 and 0.0002.
    width: int = 32
    hidden: int = 384
    depth: int = 2
    batch_size: int = 64
    learning_rate: float = 0.001
    g_learning_rate: float = 0.002
    falling: bool = False
    average: float = 0.999
    precision: str = "float32"
    batch_norm: str = "synchronized"  # over several devices
    seed: int = 0
    steps: int = 1200
    sample_every: int = 48
    data: str = ""  # for people
    origin: str = ""  # as `ImageSet.origin`
    images: int = 0
    fingerprint: int = 0
    versions: dict = field(default_factory=dict)  # of what it was trained with

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """The run in ``folder``.

        Raises:
            InputError: there is no ``run.json``, or it holds what no run has.
        """
        path = folder / RUN_FILE
        if not path.is_file():
            raise InputError(f"{folder}: there is no run here (no {RUN_FILE}); name the folder of a run")
        try:
            values = json.loads(path.read_text("utf-8-sig"))
            run = cls(**values)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{path}: is damaged ({error}); restore it, or name another --out") from None
        if "model" in values and "hidden" not in values:
            raise InputError(f"{path}: is of an earlier version of this program, which had other networks; train again "
                             "in another --out")
        for entry in fields(run):
            value = getattr(run, entry.name)
            if not run._may_be(entry.name, entry.type, value):
                raise InputError(f"{path}: is damaged (no run has {entry.name} {value!r}); restore it, or name another "
                                 "--out")
        return run

    def _may_be(self, name: str, kind: type, value: object) -> bool:
        ranges = {
            "model": MODELS, "loop": LOOPS, "image_size": IMAGE_SIZES, "channels": (1, 3), "fit": FITS,
            "latent_size": (NOISE_SIZE,),
            "width": range(1, MOST_WIDTH + 1), "hidden": range(MOST_WIDTH + 1), "depth": range(1, 8),
            "precision": PRECISIONS, "batch_norm": BATCH_NORMS, "seed": range(2**32), "batch_size": range(1, 2**62),
            "steps": range(1, 2**62), "sample_every": range(1, 2**62),
        }
        if name == "average":
            return type(value) in (int, float) and 0 <= value < 1
        if kind is float:
            return type(value) in (int, float) and 0 < value < 1e38
        if not isinstance(value, kind) or (type(value) is bool and kind is not bool):
            return False
        return value in ranges.get(name, (value,))

    def write(self, folder: Path) -> None:
        with whole_file(folder / RUN_FILE) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")

    def networks(self, precision: str = "float32", in_phases: bool = True) -> tuple[keras.Sequential, keras.Sequential]:
        """The generator and the discriminator, new.

        Args:
            precision: of what they compute with, "float32" or "bfloat16"; weights, statistics and outputs are float32.
            in_phases: whether the source's generator is an :class:`dcgan_lib.models.InPhases`; TensorFlow's alone.
        """
        in_phases = in_phases and tf is not None
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
        try:
            if self.model == "original":
                return generator_model(in_phases), discriminator_model()
            size = (self.image_size, self.channels, self.width, self.hidden, self.depth)
            return dcgan_generator(*size), dcgan_discriminator(*size)
        finally:
            keras.config.set_dtype_policy(before)

    def gan(self, in_phases: bool = True, **settings: Any) -> GAN:
        """The networks of the run, new, and what trains them; with the optimizers of their own program or paper.

        Args:
            in_phases: as in :meth:`networks`.
            settings: as in :meth:`GAN.compile`.
        """
        gan = GAN(*self.networks(self.precision, in_phases), self.seed, self.average, self.augment)
        gan.compile(self._optimizer(self.g_learning_rate), self._optimizer(self.learning_rate), **settings)
        return gan

    def _optimizer(self, rate: float) -> keras.Optimizer:
        schedule = FallingRate(rate, self.steps) if self.falling else rate
        if self.model == "original":
            return keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True)
        return keras.optimizers.Adam(schedule, beta_1=0.5)

    def batches(self, images: np.ndarray, first_step: int = 0) -> Iterable:
        """As :func:`dcgan_lib.data.batches`; the source's loop takes the images in their own order."""
        return batches(images, self.batch_size, self.seed, first_step, self.loop == "fit", self.flip)

    def train(
        self, gan: GAN, data: Iterable, steps: int, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> None:
        """Train ``gan`` for so many steps by the loop of the run."""
        if self.loop == "source":
            train_like_source(gan, data, steps, callbacks)
        elif tf is None:
            train_in_steps(gan, data, steps, callbacks)
        elif is_shared(gan):
            train_on_devices(gan, data, steps, callbacks)
        else:
            gan.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=list(callbacks))


# ---- weights -----------------------------------------------------------------------------------------------------


def load_pair(folder: Path | str, run: Run | None = None) -> tuple[keras.Sequential, keras.Sequential]:
    """The trained generator and discriminator of a run.

    Args:
        folder: with the weights, and with ``run.json`` where ``run`` is not given.
    Raises:
        InputError: one of the files is missing, damaged, or does not belong to the others.
    """
    folder = Path(folder)
    pair = (run or Run.read(folder)).networks()
    for network, name in zip(pair, WEIGHTS, strict=True):
        load_weights(network, folder / name)
    return pair


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the weights of ``model``, and of its optimizers if it is a :class:`GAN`, as a ``.weights.h5`` file.

    Raises:
        OSError: there is no room, or the folder cannot be written to.
        FloatingPointError: a weight is not a finite number; nothing is written.
    """
    # HDF5 takes the whole process down with it when the disk is full, so that there must be room before it begins.
    size = 2**16
    for variable in model.all_variables if isinstance(model, GAN) else model.variables:
        values = variable.numpy()
        if not np.isfinite(values).all():
            raise FloatingPointError(f"the weights {variable.path} are no longer finite")
        size += values.nbytes + 4096
    with whole_file(path, size) as temporary:
        model.save_weights(temporary)


def load_weights(network: keras.Model, path: Path, remedy: str | None = None) -> None:
    """Read ``path`` (a ``.weights.h5`` file) into ``network``.

    Args:
        remedy: what an error tells the user to do.
    Raises:
        InputError: the file is missing, damaged, not finite, or holds the weights of another network.
    """
    shipped = path.resolve().parent == ASSETS
    remedy = remedy or ("restore the file that was shipped" if shipped else "train again or name another --out")
    if not path.is_file():
        raise InputError(f"{path}: there are no weights here; {remedy}")
    try:
        shapes, finite = _look_into(path)
    except Exception:  # a broken file can raise nearly anything
        raise InputError(f"{path}: is cut short or no file of weights; {remedy}") from None
    # Keras passes over what a file has more than the network, so the shapes are compared first.
    if sorted(shapes) != sorted(tuple(weight.shape) for weight in network.weights):
        raise InputError(f"{path}: holds the weights of another network than this {network.name}; {remedy}")
    if not finite:
        raise InputError(f"{path}: holds weights that are not finite numbers, as after a training that broke down; "
                         f"{remedy}")
    try:
        with warnings.catch_warnings(action="error"):  # Keras only warns where an optimizer is not in the file
            network.load_weights(path)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read into this {network.name} ({reason}); {remedy}") from None


def _look_into(path: Path) -> tuple[list[tuple[int, ...]], bool]:
    """The shapes of all weights in a file but those of optimizers, and whether all its numbers are finite."""
    shapes, finite = [], []

    def look_at(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            if item.dtype.kind not in "fiu":
                raise ValueError("no numbers that weights could be")
            with np.errstate(over="ignore"):
                finite.append(np.isfinite(item[()].astype(np.float32)).all())
            if "optimizer" not in name:
                shapes.append(item.shape)

    with h5py.File(path) as file:
        file.visititems(look_at)
    return shapes, all(finite)


def save_checkpoint(gan: GAN, folder: Path) -> None:
    """Write :data:`CHECKPOINT`, where a resumed run starts, and then both networks, each into a file of its own.

    The generator in it is the averaged one. Errors as in :func:`save_weights`.
    """
    for model, name in zip((gan, gan.averaged_generator, gan.discriminator), (CHECKPOINT, *WEIGHTS), strict=True):
        save_weights(model, folder / name)


# ---- the images of a folder --------------------------------------------------------------------------------------


def write_files(folder: Path, files: Sequence[tuple[str, int]]) -> None:
    """Write the names and checksums of an :class:`dcgan_lib.data.ImageSet`'s files as :data:`IMAGES`."""
    encoding = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    with whole_file(folder / IMAGES) as temporary, open(temporary, "w", **encoding) as file:
        csv.writer(file).writerows([("file", "crc32"), *sorted(files)])


def changes(folder: Path, files: Sequence[tuple[str, int]]) -> str:
    """What has become of the files that :func:`write_files` wrote down: which are new, gone or other; or nothing."""
    try:
        with open(folder / IMAGES, encoding="utf-8", errors="surrogateescape", newline="") as file:
            before = {name: int(checksum) for name, checksum in list(csv.reader(file))[1:]}
    except (OSError, ValueError, csv.Error):
        return ""
    now = dict(files)
    kinds = {"added": now.keys() - before.keys(), "gone": before.keys() - now.keys(),
             "changed": {name for name in now.keys() & before.keys() if now[name] != before[name]}}
    return ", ".join(f"{len(names):,} {kind} ({_some(sorted(names))})" for kind, names in kinds.items() if names)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


# ---- the folder --------------------------------------------------------------------------------------------------


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make ``folder`` if need be and keep every other run out of it until the block ends.

    The lock dies with the process, so a killed run leaves none behind. Folders that were made here and have stayed
    empty are taken away again.

    Raises:
        InputError: the folder cannot be written to, or a run is at work in it.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file, not a folder; name another --out")
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    lock = filelock.FileLock(folder / LOCK, timeout=3)  # seconds: a killed process may take one to be gone
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout:
        if not (folder / LOCK).exists():
            raise InputError(f"{folder}: cannot be written to; name another --out") from None
        raise InputError(f"{folder}: a run is at work here; wait for it, or name another --out") from None
    except OSError as error:
        _remove_empty(made)
        raise InputError(f"{folder}: cannot be written to ({error.strerror}); name another --out") from None
    try:
        _remove_leftovers(folder)
        yield
    finally:
        lock.release()
        _remove_empty(made)


def check_unused(folder: Path) -> None:
    """Make sure that a new run in ``folder`` overwrites nothing.

    Raises:
        InputError: there is a run in it, or a file that bears the name of one of a run's.
    """
    if (folder / RUN_FILE).is_file():
        raise InputError(f"{folder}: has a run in it; go on with it by --resume, or name another --out")
    for name in (*FILES, SAMPLES):
        if os.path.lexists(folder / name) and not (name == SAMPLES and (folder / name).is_dir()):
            raise InputError(f"{folder / name}: would be overwritten; move it away, or name another --out")
    for path in (folder / SAMPLES).glob("step_*.png"):
        raise InputError(f"{path}: would be taken for this run's; move it away, or name another --out")


def _remove_leftovers(folder: Path) -> None:
    """Files of a run that was killed while it wrote: of its own names alone, and nowhere but where it writes."""
    for place, name in ((folder, "|".join(map(re.escape, FILES))), (folder / SAMPLES, r"step_\d+\.png")):
        for path in place.iterdir() if place.is_dir() else ():
            if re.fullmatch(rf"\.tmp\d+-({name})", path.name) and path.is_file() and not path.is_symlink():
                path.unlink()


def _remove_empty(folders: list[Path]) -> None:
    """Take away those that hold nothing but a lock; the innermost stands first."""
    for folder in folders:
        with suppress(OSError):
            if all(entry.name == LOCK for entry in folder.iterdir()):
                (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()
