"""How fast is a training, and how soon are its digits good?

What belongs here: measurements of speed. Each speed is a ratio to something that ran in turns with it, since a machine
is not equally fast from one minute to the next.

``python -m dcgan_lib.benchmark speed`` compares ways to train, ``batches`` sizes of a batch and numbers of threads,
``engines`` TensorFlow, JAX and PyTorch as far as they are installed, and ``distance`` trains and measures on the way,
as ``--mode measure`` does, how far the digits are from real ones.
"""

import sys

if __name__ == "__main__":  # loaded again by the program, so that what goes wrong in it is one line
    from .errors import run_program

    def _run(arguments: list[str] | None) -> None:
        from dcgan_lib.benchmark import benchmark

        benchmark(arguments)

    sys.exit(run_program("dcgan_lib.benchmark", _run))

import importlib.util
import io
import math
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from . import metrics
from .backend import ENGINES, NAME, computes_in_bfloat16, device_name, engine, keras, peak_memory
from .callbacks import LossHistory, StepClock, StopAtNaN
from .command_line import get_args, new_run, watchers
from .data import load_mnist, reference_digits, to_float
from .errors import InputError, Parser
from .generating import generate_images
from .own_images import kind_of
from .runs import PRECISIONS, Run
from .training import GAN

DISTANCES = (10, 5, 3, 2)  # of digits that can be read, to good ones
WARM_UP = 3  # steps of a training that are not measured, since functions are traced in them
MEASURED = 5000  # images; fewer where there are not as many real ones


# ---- speed -------------------------------------------------------------------------------------------------------


class Way(NamedTuple):
    """A way to train: the run, what :meth:`Run.gan` takes besides, how many threads (0: all), and the engine."""

    run: Run
    settings: dict[str, Any] = {}
    threads: int = 0
    engine: str = NAME


class Speed(NamedTuple):
    """Of a way to train: seconds a step in every round, operations a real image, and the most memory, in bytes.

    ``start``: seconds until the first step was done, in which functions are compiled.
    """

    seconds: list[float]
    operations: int
    memory: int
    start: float

    def ratios_to(self, other: "Speed") -> list[float]:
        """How many steps it did in the time of one of ``other``, in every round, the least first."""
        return sorted(base / own for base, own in zip(other.seconds, self.seconds, strict=True))


def ways_to_train() -> dict[str, Way]:
    """The ways that ``speed`` compares; for each pair the source's loop stands first."""
    source = Run(model="original", hidden=0, learning_rate=5e-4, g_learning_rate=5e-4, average=0.0)
    plain = {"in_phases": False}
    return {
        "source's pair, source's loop": Way(replace(source, loop="source"), plain),
        "- one compiled step": Way(source, plain),
        "- and in phases": Way(source),
        "- and in bfloat16": Way(replace(source, precision="bfloat16")),
        "default pair, source's loop": Way(Run(loop="source", average=0.0)),
        "- one compiled step in float32": Way(Run(average=0.0)),
        "- and averaged": Way(Run()),
        "- and compiled by XLA": Way(Run(), {"jit_compile": True}),
        "- averaged, in bfloat16": Way(Run(precision="bfloat16")),
    }


def measure_speeds(ways: list[Way], rounds: int = 5, seconds: float = 2.0) -> list[Speed]:
    """Train in all the ways in turns, each in a process of its own and for some ``seconds`` a turn."""
    spawn = multiprocessing.get_context("spawn")
    workers, found = [], [[] for _ in ways]
    try:
        for way in ways:
            here, there = spawn.Pipe()
            workers.append((spawn.Process(target=_serve, args=(there, way, seconds), daemon=True), here))
            with _environment(way):
                workers[-1][0].start()
            there.close()
            here.recv()  # one after the other, since starting keeps the processor busy
        for _ in range(rounds):
            for (_, here), turns in zip(workers, found, strict=True):
                here.send("train")
                turns.append(here.recv())
    except EOFError:
        raise InputError(f"a process ended; see whether there is memory for {len(ways)} trainings at once") from None
    finally:
        for worker, _ in workers:
            worker.kill()
    return [Speed([turn[0] for turn in turns], *turns[-1][1:]) for turns in found]


@contextmanager
def _environment(way: Way) -> Iterator[None]:
    """What processes that start in this block find in their environment: the engine, and how many threads it has."""
    threads = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(way.threads))
    wanted = {"KERAS_BACKEND": way.engine, **(threads if way.threads else {})}
    before = {name: os.environ.pop(name, None) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _serve(connection: Connection, way: Way, seconds: float) -> None:
    """What a process of :func:`measure_speeds` does: it trains a little whenever it is told to, and answers."""
    gan, data = way.run.gan(**way.settings), way.run.batches(load_mnist().images)

    def train(steps: int) -> float:
        clock = StepClock()
        way.run.train(gan, data, steps + WARM_UP, [clock])
        return (clock.ends[-1] - clock.ends[WARM_UP - 1]) / steps

    start = time.perf_counter()
    way.run.train(gan, data, 1)
    start = time.perf_counter() - start
    train(2)
    steps = max(2, round(seconds / train(2)))
    operations = count_operations(gan, NAME == "tensorflow" and way.settings.get("in_phases", True))
    connection.send("ready")
    while connection.recv():
        connection.send((train(steps), operations, peak_memory(), start))


def count_operations(gan: GAN, in_phases: bool = False) -> int:
    """Multiplications and additions that the products in one step take, for one real image.

    A layer takes as many backward to its input as forward, and as many again to its weights. In a step G goes forward
    twice and backward once; D forward and backward for two images, and then forward and back to its input for one.

    Args:
        in_phases: whether layers after an ``UpSampling2D`` are computed by ``upsampled_convolution``.
    """
    of_g, of_d = _forward(gan.generator, in_phases), _forward(gan.discriminator)
    inputs_without_gradient = of_g[0] + 2 * of_d[0]  # of z, and of the images in D's turn
    return (1 + 3) * sum(of_g) + (2 * 3 + 2) * sum(of_d) - inputs_without_gradient


def _forward(network: keras.Sequential, in_phases: bool = False) -> list[int]:
    """Operations of each layer that has a kernel, for one image, forward."""
    found, before = [], None
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            side = layer.input if isinstance(layer, keras.layers.Conv2DTranspose) else layer.output
            weights = math.prod(layer.kernel.shape)
            if in_phases and isinstance(before, keras.layers.UpSampling2D):
                k = layer.kernel.shape[0]
                weights = weights // k**2 * (2 * ((k // 2 + 1) // 2) + 1) ** 2
            found.append(2 * math.prod(side.shape[1:-1]) * weights)
        before = layer
    return found


def peak_rate(dtype: str, size: int = 2048) -> float:
    """Operations a second in a product of two square matrices: what the processor can do at best."""
    matrix = keras.ops.cast(keras.random.normal((size, size)), dtype)
    product = engine.compiled(lambda matrix: keras.ops.max(keras.ops.matmul(matrix, matrix)))
    times = []
    for _ in range(6):
        start = time.perf_counter()
        float(product(matrix))
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times)


def callbacks_share(run: Run, steps: int = 400) -> float:
    """Which part of the time goes to what watches a training in the command line, in the first ``steps`` of ``run``."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        stopwatch = _Stopwatch(keras.callbacks.CallbackList(watchers(run, LossHistory(), Path(folder))))
        run.train(run.gan(), run.batches(load_mnist().images), steps, [stopwatch])
    return stopwatch.inside / stopwatch.total


class _Stopwatch(keras.callbacks.Callback):
    """Calls other callbacks and measures how long they take from the tenth step to the last."""

    def __init__(self, watchers: keras.callbacks.CallbackList):
        super().__init__()
        self.watchers = watchers
        self.inside = self.total = 0.0

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.watchers.set_model(self.model)
        self.watchers.on_train_begin()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        start = time.perf_counter()
        self.watchers.on_train_batch_end(batch, logs)
        now = time.perf_counter()
        if batch < 10:
            self._start, self.inside = now, 0.0
        else:
            self.inside, self.total = self.inside + now - start, now - self._start


# ---- distance ----------------------------------------------------------------------------------------------------


class DistanceWatch(keras.callbacks.Callback):
    """How far generated digits are from real ones on the way: :attr:`rows` of (step, seconds of training, distance).

    The clock stands still while it measures.

    Args:
        every: seconds from one measurement to the next.
        seconds: when the training ends.
    """

    def __init__(self, every: float, seconds: float):
        super().__init__()
        self.every = every
        self.seconds = seconds
        self.rows: list[tuple[int, float, float]] = []
        self._judge = metrics.load_judge()
        real = reference_digits(None).images
        self._count = min(MEASURED, len(real) // 2)
        self._real = metrics.judge_images(self._judge, to_float(real[: self._count])).features

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._trained, self._since = 0.0, None

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        now = time.perf_counter()
        if self._since is None:  # the first step is compiled, which is not training
            self._since = now
        trained = self._trained + now - self._since
        if trained >= self.every * (len(self.rows) + 1) or trained >= self.seconds:
            self._measure(trained)
        if trained >= self.seconds:
            self.model.stop_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        if not self.rows or self.rows[-1][0] != self.model.step:
            self._measure(self._trained + time.perf_counter() - self._since)

    def _measure(self, trained: float) -> None:
        images = generate_images(self.model.averaged_generator, self._count, self.model.seed)
        features = metrics.judge_images(self._judge, images).features
        self.rows.append((self.model.step, trained, metrics.frechet_distance(self._real, features)))
        self._trained, self._since = trained, time.perf_counter()


def distances_on_the_way(run: Run, every: float, seconds: float) -> list[tuple[int, float, float]]:
    """Train ``run`` for its steps or some ``seconds``, whichever is over first. Returns rows of a DistanceWatch."""
    keras.utils.set_random_seed(run.seed)
    gan, watch = run.gan(), DistanceWatch(every, seconds)
    run.train(gan, run.batches(load_mnist(run.path).images), run.steps, [watch, StopAtNaN()])
    return watch.rows


# ---- the program -------------------------------------------------------------------------------------------------


def benchmark(arguments: list[str] | None = None) -> None:
    """The program ``python -m dcgan_lib.benchmark``."""
    parser = Parser(prog="python -m dcgan_lib.benchmark", description="Measure how fast trainings are, and how soon "
                    "their digits are good.")
    parser.add_argument("what", choices=("speed", "batches", "engines", "distance"))
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns, for all but distance (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="N", help="distance: (0 1 2)")
    parser.add_argument("--seconds", type=float, default=120, metavar="X", help="distance: of training (%(default)s)")
    parser.add_argument("--every", type=float, default=10, metavar="X", help="distance: seconds between two "
                        "measurements (%(default)s); all other options are those of dcgan --mode train")
    args, others = parser.parse_known_args(arguments)
    if min(args.rounds, args.seconds, args.every) <= 0 or min(args.seeds) < 0:
        raise InputError("--rounds, --seconds and --every must be above 0, and no seed below 0")
    if others and args.what != "distance":
        raise InputError(f"{others[0]} does not go with {args.what}; leave it out")
    if args.what == "distance":
        _print_distances(args.seeds, args.every, args.seconds, others)
    else:
        _print_data(None)
        {"speed": _print_speeds, "batches": _print_batches, "engines": _print_engines}[args.what](args.rounds)


def _print_data(path: str | None) -> None:
    digits = load_mnist(path)
    print(f"data      {digits.source}: {len(digits.images):,} images")


def _print_speeds(rounds: int) -> None:
    ways = ways_to_train()
    peaks = {"float32": peak_rate("float32"), "bfloat16": peak_rate("bfloat16")}
    for name, rate in peaks.items():
        print(f"peak      {rate / 1e9:.0f} GFLOP/s in {name}, a product of two matrices of 2,048 x 2,048")
    speeds = measure_speeds(list(ways.values()), rounds)
    print("\n                              images/s  times the source's loop  MFLOP/image  of the peak  memory")
    loops: dict[str, Speed] = {}  # the source's loop with each pair, which stands before the others
    for (name, way), speed in zip(ways.items(), speeds, strict=True):
        loop = loops.setdefault(way.run.model, speed)
        ratios = speed.ratios_to(loop)
        images = way.run.batch_size / median(speed.seconds)
        share = speed.operations * images / peaks[way.run.precision]
        print(f"{name:30}{images:8.0f}  {median(ratios):9.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
              f"{speed.operations / 1e6:13.0f}  {share:11.0%}  {speed.memory / 2**20:4.0f} MiB")
    precision = "bfloat16" if computes_in_bfloat16() else "float32"
    share = callbacks_share(Run(precision=precision))
    print(f"\ncallbacks of the command line: {share:.2%} of the time between steps (default pair in {precision})")


def _print_batches(rounds: int) -> None:
    sizes, precision = (16, 32, 64, 128, 256), "bfloat16" if computes_in_bfloat16() else "float32"
    ways = [Way(Run(precision=precision, batch_size=size), threads=threads) for threads in (1, 2) for size in sizes]
    speeds = measure_speeds(ways, rounds)
    rates = [way.run.batch_size / median(speed.seconds) for way, speed in zip(ways, speeds, strict=True)]
    print(f"images/s in {precision} (and times those of batches of 64 on 1 thread)\n")
    print("batch   1 thread        2 threads")
    for number, size in enumerate(sizes):
        both = (rates[number], rates[number + len(sizes)])
        print(f"{size:5}" + "".join(f"  {rate:6.0f} ({rate / rates[2]:.2f})" for rate in both))


def _print_engines(rounds: int) -> None:
    """Ratios are to the first engine in the same precision. At the launch limit there is next to nothing to compute."""
    engines = [name for name in ENGINES if importlib.util.find_spec(name)]
    on_gpu = engine.gpu_name() is not None
    peaks = {precision: peak_rate(precision, 8192 if on_gpu else 2048) for precision in PRECISIONS}
    print(f"device    {device_name()}; peak in {NAME} "
          + ", ".join(f"{rate / 1e9:,.0f} GFLOP/s in {precision}" for precision, rate in peaks.items()))
    pairs = {"default pair": Run()}
    if on_gpu:  # which takes seconds a step without one
        wide = Run(width=64)
        paper = Run(width=128, hidden=0, average=0.0, batch_size=128, image_size=64, depth=4)
        pairs |= {"width 64": wide, "- batches of 256": replace(wide, batch_size=256), "the paper's": paper}
    limits = measure_speeds([Way(Run(width=1, hidden=1, batch_size=2), engine=name) for name in engines], rounds)
    limit = {name: median(speed.seconds) for name, speed in zip(engines, limits, strict=True)}
    print("launches  " + ", ".join(f"{name} {seconds * 1e3:.2f} ms" for name, seconds in limit.items())
          + " a step with nothing to compute (width 1, hidden 1, batches of 2)")
    print("\n                  precision  engine        ms/step   images/s  ratio   60,000 images  launches  of the "
          "peak  first step  memory")
    for pair, run in pairs.items():
        for precision in PRECISIONS:
            ways = [Way(replace(run, precision=precision), engine=name) for name in engines]
            speeds = measure_speeds(ways, rounds)
            for way, speed in zip(ways, speeds, strict=True):
                step = median(speed.seconds)
                images = run.batch_size / step
                ratio = median(speed.ratios_to(speeds[0]))
                print(f"{pair:18}{precision:11}{way.engine:12}{step * 1e3:9.2f}{images:11,.0f}{ratio:7.2f}"
                      f"{60000 / images:14.2f} s{limit[way.engine] / step:10.0%}"
                      f"{speed.operations * images / peaks[precision]:13.1%}{speed.start:10.1f} s"
                      f"{speed.memory / 2**20:8,.0f} MiB", flush=True)


def _print_distances(seeds: list[int], every: float, seconds: float, others: list[str]) -> None:
    args = get_args(["--mode", "train", *others])
    run = new_run(args)
    if (run.image_size, kind_of(run.path)) != (28, "mnist"):
        raise InputError("the judge knows digits of 28 x 28 alone; leave out --image_size, and a --path to others")
    if not args.steps:
        run.steps = 10**9
    _print_data(run.path)
    print(f"training  {' '.join(others) or 'as dcgan --mode train does'} ({run.precision})\n")
    print("seed  step  seconds  Frechet distance")
    found = {}
    for seed in seeds:
        found[seed] = distances_on_the_way(replace(run, seed=seed), every, seconds)
        for step, trained, distance in found[seed]:
            print(f"{seed:4}{step:6}{trained:9.1f}{distance:9.2f}", flush=True)
    print("\nseconds until the distance is at most")
    print("seed" + "".join(f"{most:7}" for most in DISTANCES))
    for seed, rows in found.items():
        times = [next((f"{at:7.0f}" for _, at, distance in rows if distance <= most), "      -") for most in DISTANCES]
        print(f"{seed:4}{''.join(times)}")
