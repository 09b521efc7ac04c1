"""The command line: ``python -m dcgan_lib`` or ``dcgan``.

What belongs here: arguments and messages. Nothing that a notebook would want.
"""

# What needs TensorFlow is imported where it is used, so that a wrong argument is refused at once.
import argparse
import io
import json
import random
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import asdict, fields
from pathlib import Path

from .errors import InputError, Parser, run_program
from .files import ASSETS, expand
from .help_texts import EXAMPLES, HELP, OPTIONS, TITLE, Formatter

OUT = "out"
DEFAULT_COUNT = 128  # images that `generate` makes, as in the source
DEFAULT_MEASURED = 5000  # images that `measure` makes: half of MNIST's test images stand against them
FEWEST_MEASURED = 2000  # twice a subset of the kernel distance
DEFAULT_COUNTED = 26_000  # images in which modes are counted, as in the papers that do so
SHEET = 64  # images in the data sheet
SHORT = 20  # steps that are over before one has read how long they would take
CHECKPOINT_STEPS, CHECKPOINT_SECONDS = 100, 30


# ---- arguments ---------------------------------------------------------------------------------------------------


def _whole_number(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = least - 1
        with suppress(ValueError):
            value = int(text)
        if value > most:
            raise argparse.ArgumentTypeError(f"must be at most {most}, not {text[:30]}")
        if value < least:
            raise argparse.ArgumentTypeError(f"must be a whole number of {least} or more, not {text!r}")
        return value

    return number


_count = _whole_number(1, 10**12)


def _rate(text: str) -> float:
    with suppress(ValueError):
        if 1e-30 <= float(text) <= 1e30:  # beyond these it is 0 or infinite in float32
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number above 0, from 1e-30 to 1e30, not {text!r}")


def _share(text: str) -> float:
    with suppress(ValueError):
        if 0 <= float(text) < 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number from 0 to below 1, not {text!r}")


def _parser() -> Parser:
    words = {"description": str(TITLE), "epilog": str(EXAMPLES)}
    parser = Parser(prog="dcgan", formatter_class=Formatter, add_help=False, **words)
    options = parser.add_argument_group(str(OPTIONS))
    length = options.add_mutually_exclusive_group()
    values = {"count": DEFAULT_COUNT, "measured": DEFAULT_MEASURED, "counted": DEFAULT_COUNTED, "out": OUT}

    def add(name: str, *short: str, group=options, **settings) -> None:
        group.add_argument(*short, f"--{name}", help=str(HELP[name]).format(**values), **settings)

    switch = {"action": "store_true", "default": None}
    add("help", "-h", action="help")
    add("mode", required=True, choices=("train", "generate", "measure"))
    add("batch_size", type=_count, metavar="N")
    add("nice", **switch)
    add("files", **switch)
    add("path")
    add("model", choices=("original", "dcgan"))
    add("loop", choices=("source", "fit"))
    add("epochs", type=_count, metavar="N", group=length)
    add("steps", type=_count, metavar="N", group=length)
    add("image_size", type=int, metavar="N")
    add("channels", type=int, choices=(1, 3))
    add("fit", choices=("crop", "pad"))
    add("flip", **switch)
    add("augment", **switch)
    add("width", type=_whole_number(1, 4096), metavar="N")
    add("hidden", type=_whole_number(0, 4096), metavar="N")
    add("depth", type=_whole_number(1, 7), metavar="N")
    add("learning_rate", type=_rate, metavar="X")
    add("g_learning_rate", type=_rate, metavar="X")
    add("falling", **switch)
    add("average", type=_share, metavar="X")
    add("precision", choices=("float32", "bfloat16", "auto"))
    add("devices", choices=("one", "all"))
    add("batch_norm", choices=("synchronized", "each"))
    add("seed", type=_whole_number(0, 2**32 - 1), metavar="N")
    add("out", metavar="DIR")
    add("resume", **switch)
    add("changed_images", **switch)
    return parser


def get_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line. What is not given is ``None``.

    Raises:
        InputError: an argument is unknown or has a value that it cannot have.
    """
    args = _parser().parse_args(arguments)
    training = ("loop", "epochs", "steps", "learning_rate", "g_learning_rate", "falling", "average", "precision",
                "fit", "flip", "augment", "devices", "batch_norm", "resume", "changed_images")
    others = {
        "train": ("nice", "files"),
        "generate": ("path", *training),
        "measure": ("files", *training),
    }
    for name in others[args.mode]:
        if getattr(args, name) is not None:
            raise InputError(f"--{name} does not go with --mode {args.mode}; leave it out")
    if args.changed_images and not args.resume:
        raise InputError("--changed_images goes with --resume alone; leave it out to start a run")
    # A folder that was named must be there when its weights are asked for: it may be a slip of the pen.
    if args.mode != "train" and args.out and not expand(args.out, "--out").is_dir():
        raise InputError(f"--out {args.out}: there is no such folder; see whether the name is right, or make it first")
    args.out = expand(OUT if args.out is None else args.out, "--out")
    if args.path is not None:
        expand(args.path, "--path")
    return args


# ---- train -------------------------------------------------------------------------------------------------------


def train(args: argparse.Namespace) -> None:
    """Train in ``args.out`` and leave weights, losses, samples and the animation there."""
    from . import devices

    if place := devices.place():
        print(f"machines  this is {place}; waiting until all have come", flush=True)
    strategy = devices.strategy_of(args.devices)
    with devices.losses_of_machines_told(strategy):
        (_lead if devices.is_chief(strategy) else _follow)(args, strategy)


def _lead(args: argparse.Namespace, strategy) -> None:
    """Train, on the only machine or as the chief of several, which alone writes files."""
    from .devices import check_share, text_from_chief
    from .runs import RUN_FILE, Run, check_unused, claimed

    with claimed(args.out):
        if args.resume:
            if not (args.out / RUN_FILE).exists():
                raise InputError(f"{args.out}: there is no run to resume here; leave out --resume to start one")
            run = _agreeing(Run.read(args.out), args, ("steps", "path"))
        else:
            check_unused(args.out)
            run = new_run(args)
        found = _images(run, args)
        if not args.resume and not args.batch_size:
            run.batch_size = min(run.batch_size, run.images)
        _set_length(run, args)
        check_share(strategy, run.batch_size, run.loop, run.batch_norm)
        text_from_chief(strategy, json.dumps(asdict(run)))
        gan, losses = _gan_and_losses(run, args, strategy)
        _train(run, args, found, gan, losses, strategy)


def _follow(args: argparse.Namespace, strategy) -> None:
    """Train along with the chief's run on another machine."""
    from .callbacks import StopAtNaN
    from .devices import end_at_ctrl_c, text_from_chief, weights_from_chief
    from .runs import Run

    end_at_ctrl_c()  # there is nothing to be saved here
    run = Run(**json.loads(text_from_chief(strategy)))
    fingerprint = run.fingerprint
    with redirect_stdout(io.StringIO()):
        found = _images(run, argparse.Namespace(**{**vars(args), "resume": True, "changed_images": True}))
    if run.fingerprint != fingerprint:
        raise InputError(f"{_one_line(run.data)}: these are not the images that the chief has; give every machine the "
                         "same, by --path")
    gan = _gan(run, strategy)
    weights_from_chief(gan)
    if gan.step < run.steps:
        run.train(gan, run.batches(found.images, gan.step), run.steps - gan.step, [StopAtNaN()])


def new_run(args: argparse.Namespace):
    """The :class:`dcgan_lib.runs.Run` that the arguments describe, with a default for each that was not given.

    Raises:
        InputError: they do not go with one another.
    """
    from .backend import computes_in_bfloat16
    from .models import DEPTHS
    from .own_images import own_side
    from .runs import IMAGE_SIZES, Run

    original = args.model == "original"
    _check_options(args.model, args)
    if getattr(args, "augment", None) and args.loop == "source":
        raise InputError("--augment does not go with the source's loop; leave it or --loop out")
    given = {field.name: getattr(args, field.name, None) for field in fields(Run)}
    given = {name: value for name, value in given.items() if value is not None}
    run = Run(**given)
    if args.image_size is None and not original:
        run.image_size = own_side(run.path)
    sizes = (28,) if original else IMAGE_SIZES
    if run.image_size not in sizes:
        choice = " or ".join(map(str, sizes))
        raise InputError(f"--image_size {run.image_size}: the {run.model} networks have no such size; give {choice}")
    # What the defaults of a run say is for the networks with a hidden layer.
    hidden = given.get("hidden", run.hidden if run.image_size == 28 and not original else 0)
    defaults = {"hidden": hidden, "depth": DEPTHS[run.image_size], "precision": "auto"}
    if original:
        defaults.update(average=0.0, learning_rate=0.0005, precision="float32")
    for name, value in defaults.items():
        setattr(run, name, given.get(name, value))
    if "learning_rate" in given or not hidden:
        run.g_learning_rate = given.get("g_learning_rate", run.learning_rate)
    if run.precision == "auto":
        run.precision = "bfloat16" if computes_in_bfloat16() else "float32"
    return run


def _check_options(model: str | None, args: argparse.Namespace) -> None:
    for name in ("width", "hidden", "depth", "average"):
        if model == "original" and getattr(args, name, None) is not None:
            raise InputError(f"--{name} does not go with the original networks; leave it out")
    if model == "original" and getattr(args, "channels", None) == 3:
        raise InputError("--channels 3: the original networks make grey images; leave it out")


def _agreeing(run, args: argparse.Namespace, free: tuple[str, ...]):
    """``run``, if no argument contradicts it but the ``free`` ones."""
    for field in fields(run):
        given, has = getattr(args, field.name, None), getattr(run, field.name)
        if given not in (None, has, "auto") and field.name not in free:
            raise InputError(f"--{field.name} {given}: the run in {args.out} has {has}; leave it out, or name another "
                             "--out")
    _check_options(run.model, args)
    return run


def _images(run, args: argparse.Namespace):
    """The images of the run, which then names them; they are those it was begun with."""
    from . import data, own_images

    resumed_path, run.path = run.path, args.path or run.path
    kind = own_images.kind_of(run.path)
    grey = 1 if run.model == "original" else None
    channels = run.channels if args.resume else args.channels or grey
    if kind == "mnist":
        same = args.resume and run.path == resumed_path
        found = data.load_mnist(run.path, run.image_size, (run.origin or None) if same else None, channels or 1)
    else:
        load = own_images.load_array if kind == "array" else own_images.load_folder
        with _counting() as report:
            found = load(run.path, run.image_size, channels, run.fit, report)
    _print_notes(found)
    if found.even == len(found.images):
        raise InputError(f"{run.path or 'MNIST'}: each of these {found.even:,} images is of one even colour, and "
                         "nothing can be learned from them; see whether they were saved well")
    if args.resume:
        _check_same(run, args, found)
    count, height, width, run.channels = found.images.shape
    run.data, run.origin, run.images, run.fingerprint = found.source, found.origin, count, found.fingerprint()
    run.path = str(expand(run.path, "--path").resolve()) if run.path else None
    print(f"data      {_one_line(run.data)}: {count:,} images, {height} x {width} x {run.channels}")
    return found


@contextmanager
def _counting() -> Iterator[Callable[[int, int], None]]:
    """Shows how many images are read; gives what is to be told of it."""
    from .callbacks import StatusLine

    lines: list[StatusLine] = []

    def report(done: int, count: int) -> None:
        lines[:] = lines or [StatusLine(count)]
        lines[0].show(done, f"reading   {done:,} of {count:,} images")

    try:
        yield report
    finally:
        for line in lines:
            line.end()


def _check_same(run, args: argparse.Namespace, found) -> None:
    """Make sure that a run goes on with the images that it was begun with, or was told to go on with others."""
    from .runs import changes

    if run.fingerprint == found.fingerprint():
        return
    then = f"{run.images:,} images" if run.images else "others"
    difference = changes(args.out, found.files) if found.files else ""
    difference = f": {difference}" if difference else ""
    if not args.changed_images:
        raise InputError(f"{args.out}: this run was trained on {then} ({run.data}), and these are "
                         f"{len(found.images):,} that are not the same ({found.source}){difference}; bring them back "
                         "as they were and name them with --path, or go on with these by --changed_images")
    print(f"note      the run was trained on {then} so far, and goes on with {len(found.images):,}"
          f"{_one_line(difference)}")


def _set_length(run, args: argparse.Namespace) -> None:
    """Give the run the steps that the arguments ask for: rates that fall, and the pace of pictures, depend on them."""
    if args.epochs or args.steps:
        steps = args.epochs * (run.images // run.batch_size) if args.epochs else args.steps
        if steps != run.steps or not args.resume:
            run.steps, run.sample_every = steps, max(1, steps // 25)


def _write_data_sheet(run, folder: Path, images) -> None:
    """Write :data:`dcgan_lib.runs.DATA_SHEET`: some of the images as the networks will see them."""
    from .data import mirrored
    from .pictures import combine_images, save_png
    from .runs import DATA_SHEET

    some = images[:SHEET]
    save_png(combine_images(mirrored(some, run.seed, 0) if run.flip else some), folder / DATA_SHEET)
    print(f"data      {folder / DATA_SHEET} shows {len(some)} of them as the networks see them")


def _print_notes(found) -> None:
    for line in found.notes:
        print(f"note      {_one_line(line)}")
    shown = 10
    for line in found.left_out[:shown]:
        print(f"left out  {_one_line(line)}")
    if len(found.left_out) > shown:
        print(f"left out  {len(found.left_out) - shown:,} more")


def _gan(run, strategy):
    from .backend import engine
    from .devices import prepare, scope

    engine.make_deterministic()
    random.seed(run.seed)  # from it Keras's initializers take their seeds
    with scope(strategy):
        gan = run.gan()
    prepare(gan, run.batch_norm)
    return gan


def _gan_and_losses(run, args: argparse.Namespace, strategy):
    """The networks with their optimizers, and the losses so far: new, or as the last checkpoint kept them."""
    from . import callbacks, runs
    from .devices import weights_from_chief

    gan = _gan(run, strategy)
    losses = callbacks.LossHistory()
    checkpoint = args.out / runs.CHECKPOINT
    again = "start a new run in another --out"
    if args.resume and checkpoint.exists():
        runs.load_weights(gan, checkpoint, again)
        losses.load(args.out / runs.LOSSES, gan.step)
    elif any((args.out / name).exists() for name in runs.WEIGHTS):  # there are none where it was killed at its start
        raise InputError(f"{args.out}: has weights but no {runs.CHECKPOINT}, without which they would be lost; {again}")
    weights_from_chief(gan)
    sizes = " and ".join(f"{network.count_params():,}" for network in (gan.generator, gan.discriminator))
    shape = "" if run.model == "original" else f", width {run.width}, hidden {run.hidden}, depth {run.depth}"
    print(f"networks  {run.model}{shape}: {sizes} parameters")
    return gan, losses


def _train(run, args: argparse.Namespace, found, gan, losses, strategy) -> None:
    from .backend import versions
    from .runs import write_files

    batches = run.batches(found.images, gan.step)
    _, _, checkpoint, live, progress, stop = watching = watchers(run, losses, args.out)
    if run.steps <= gan.step:
        live.finish(gan)  # the run may have been killed while it wrote the animation
        print(f"{args.out}: has its {gan.step} steps already; give a larger --steps or --epochs to go on")
        return
    _write_data_sheet(run, args.out, found.images)
    _print_training(run, gan.step)
    _print_devices(run, strategy)
    _print_cost(run, gan, batches, strategy)
    run.versions = versions()
    run.write(args.out)
    if found.files:
        write_files(args.out, found.files)
    try:
        with _heeding_ctrl_c(stop):
            run.train(gan, batches, run.steps - gan.step, watching)
    except FloatingPointError as error:
        raise FloatingPointError(f"{error}; the weights of step {checkpoint.saved_step} are kept; a new run in another "
                                 "--out with a lower --learning_rate may help") from None
    finally:
        progress.end()
    print(f"written   {args.out}: generator.weights.h5, discriminator.weights.h5, losses.csv, samples/, "
          "training_process.gif")


def watchers(run, losses, folder: Path) -> list:
    """What watches a training here, in the order in which it is called."""
    from . import callbacks

    checkpoint = callbacks.Checkpoint(folder, losses, CHECKPOINT_STEPS, CHECKPOINT_SECONDS)
    # The checkpoint comes before the pictures, so that a picture that cannot be written costs no step.
    return [losses, callbacks.StopAtNaN(), checkpoint,
            callbacks.LiveSamples(losses, every=run.sample_every, folder=folder),
            callbacks.Progress(run.steps), callbacks.StopOnRequest(checkpoint)]


def _print_training(run, step: int) -> None:
    from .backend import computes_in_bfloat16, device_name, engine

    rate = f"{'SGD' if run.model == 'original' else 'Adam'} {run.learning_rate:g} (G's {run.g_learning_rate:g})"
    rate += ", falling over the second half" if run.falling else ""
    rate += f", weights of G averaged by {run.average:g}" if run.average else ""
    has = "has" if computes_in_bfloat16() else "has no"
    print(f"device    {device_name()}, {engine.LABEL} computing in {run.precision} (it {has} instructions for "
          "bfloat16)")
    print(f"training  loop {run.loop}, {rate}, batches of {run.batch_size}, seed {run.seed}: steps {step} to "
          f"{run.steps} ({run.steps / (run.images // run.batch_size):.3g} epochs)", flush=True)
    if run.batch_size == 1:
        print("note      batch normalization over one image takes away what is its own: a --batch_size of 16 or more "
              "shows more", flush=True)


def _print_devices(run, strategy) -> None:
    from .devices import machines, replicas

    if (count := replicas(strategy)) > 1:
        on = f"on {number} machines" if (number := machines(strategy)) > 1 else "of this machine"
        print(f"devices   {count} {on}, each with {run.batch_size // count} images of a batch; batch normalization "
              f"{run.batch_norm}", flush=True)


def _print_cost(run, gan, batches, strategy) -> None:
    from .backend import peak_memory
    from .callbacks import try_steps
    from .devices import machines

    left = run.steps - gan.step
    if left <= SHORT or machines(strategy) > 1:  # each machine would stop trying by its own clock
        return
    seconds = try_steps(run, gan, batches)
    whole = seconds * left
    minutes = f"{whole:.0f} s" if whole < 120 else f"{whole / 60:.0f} min" if whole < 7200 else f"{whole / 3600:.1f} h"
    print(f"cost      {seconds:.3g} s a step here, so about {minutes}; {peak_memory() / 2**30:.2g} GiB of memory",
          flush=True)


@contextmanager
def _heeding_ctrl_c(stop) -> Iterator[None]:
    """Ctrl-C asks the training to stop after its step; a second one ends it at once."""

    def ask(number: int, frame: object) -> None:
        if stop.asked:
            raise KeyboardInterrupt(f"stopped; go on from step {stop.checkpoint.saved_step} with --resume")
        stop.asked = True

    before = signal.getsignal(signal.SIGINT)
    try:
        if before != signal.SIG_IGN:  # a shell's background job is not to hear of it
            signal.signal(signal.SIGINT, ask)
    except ValueError:  # not the main thread, which alone hears of it
        before = signal.SIG_IGN
    try:
        yield
    finally:
        if before != signal.SIG_IGN:
            signal.signal(signal.SIGINT, before)


# ---- generate ----------------------------------------------------------------------------------------------------


def generate(args: argparse.Namespace) -> None:
    """Write ``generated_image.png``, or with ``--nice`` ``nice_generated_image.png``, into ``args.out``.

    With ``--files``, write a file for each image instead.
    """
    folder, run = _weights_folder(args)
    from . import data, pictures

    seed = secrets.randbelow(2**32) if args.seed is None else args.seed
    count = args.batch_size or DEFAULT_COUNT
    if args.files:
        path = _write_each(folder, run, args, count, seed)
    else:
        images = _generated(folder, run, count, seed, args.nice)
        path = args.out / ("nice_generated_image.png" if args.nice else "generated_image.png")
        picture = pictures.combine_images(data.to_uint8(images))
        args.out.mkdir(exist_ok=True)
        pictures.save_png(picture, path)
    print(f"written   {path}: {count:,} images{_best_of(count, args.nice)}, seed {seed}")


def _write_each(folder: Path, run, args: argparse.Namespace, count: int, seed: int) -> Path:
    """Write so many images into files that bear the seed in their names. Returns what the names have in common."""
    from . import data, generating, pictures
    from .runs import GENERATED
    from .training import GENERATE_STREAM, draw_noise

    generator, discriminator = _networks(folder, run, args.nice)
    noise = generating.nice_noise(generator, discriminator, count, seed) if args.nice else (
        draw_noise(count, seed, GENERATE_STREAM))
    args.out.mkdir(exist_ok=True)
    (args.out / GENERATED).mkdir(exist_ok=True)
    start = args.out / GENERATED / f"{'nice_' * bool(args.nice)}seed_{seed}_"
    for first in range(0, count, 1024):
        images = _finite(folder, generating.in_parts(generator, noise[first : first + 1024]))
        for number, image in enumerate(data.to_uint8(images), first):
            pictures.save_png(pictures.combine_images(image[None]), start.with_name(f"{start.name}{number:05}.png"))
    return start.with_name(f"{start.name}….png")


def _networks(folder: Path, run, nice: bool | None):
    """The generator with the weights in ``folder``, and where it is asked for the discriminator."""
    from . import runs
    from .backend import device_name

    if nice:
        generator, discriminator = runs.load_pair(folder, run)
    else:
        generator, discriminator = run.networks()
        runs.load_weights(generator, folder / runs.WEIGHTS[0])
    print(f"device    {device_name()}")
    print(f"weights   {'the trained ones in assets/' if folder == ASSETS else folder} ({run.model})", flush=True)
    return generator, discriminator


def _generated(folder: Path, run, count: int, seed: int, nice: bool | None):
    """Images from the weights in ``folder``: float32 (count, height, width, channels) in [-1, 1]."""
    from . import generating

    generator, discriminator = _networks(folder, run, nice)
    return _finite(folder, generating.generate_nice_images(generator, discriminator, count, seed) if nice else (
        generating.generate_images(generator, count, seed)))


def _finite(folder: Path, images):
    import numpy as np

    if not np.isfinite(images).all():
        raise InputError(f"{folder}: these weights make images that are no numbers; train again in another --out")
    return images


def _best_of(count: int, nice: bool | None) -> str:
    from .generating import NICE_FACTOR

    return f", the best of {count * NICE_FACTOR:,} by the discriminator" if nice else ""


def _weights_folder(args: argparse.Namespace):
    """Where the weights are, ``--out`` or else ``assets/``, and what run they are from."""
    from .runs import RUN_FILE, WEIGHTS, Run

    folder = args.out if any((args.out / name).exists() for name in (RUN_FILE, *WEIGHTS)) else ASSETS
    if folder == ASSETS and args.model == "original":
        raise InputError(f"{args.out}: there are no weights of the original networks here, and none are shipped; "
                         "train them with --mode train --model original")
    if (folder / RUN_FILE).exists():
        run = Run.read(folder)
    else:
        run = new_run(argparse.Namespace(**{**vars(args), "batch_size": None, "seed": None}))
    return folder, _agreeing(run, args, ("batch_size", "seed", "path"))


# ---- measure -----------------------------------------------------------------------------------------------------


def measure(args: argparse.Namespace) -> None:
    """Print how near the digits of the weights in ``args.out`` come to real ones, as the judge in assets/ sees them."""
    folder, run = _weights_folder(args)
    if run.origin == "stacked" and (run.image_size, run.channels) == (32, 3):
        _count_modes(args, folder, run)
        return
    if (run.image_size, run.channels) != (28, 1):
        raise InputError(f"{folder}: makes images of {run.image_size} x {run.image_size} x {run.channels}, and the "
                         "judge knows digits of 28 x 28 x 1, and stacked ones of 32 x 32 x 3; name the --out of "
                         "another run")
    from . import data, metrics

    real = data.reference_digits(args.path)
    most = len(real.images) // 2  # the other half shows how far real images are from real ones
    if most < FEWEST_MEASURED:
        raise InputError(f"{len(real.images)} real images are too few to measure; name a --path with "
                         f"{2 * FEWEST_MEASURED:,} test images or more")
    count, seed = args.batch_size or min(DEFAULT_MEASURED, most), args.seed or 0
    if not FEWEST_MEASURED <= count <= most:
        raise InputError(f"--batch_size {count}: measuring takes {FEWEST_MEASURED:,} to {most:,} images")
    judge = metrics.load_judge()
    print(f"data      {_one_line(real.source)}: {len(real.images):,} images")
    seen = metrics.judge_images(judge, data.to_float(real.images))
    print(f"judge     {(seen.digits == real.labels).mean():.2%} of these right", flush=True)
    generated = _generated(folder, run, count, seed, args.nice)
    print(f"measured  {count:,} images{_best_of(count, args.nice)}, seed {seed}, against {count:,} real ones\n")
    _print_table(judge, seen, generated, seed)


def _print_table(judge, seen, generated, seed: int) -> None:
    """The generated images between real ones and noise, each against the first half of the real ones."""
    import numpy as np

    from . import metrics

    count = len(generated)
    print("           Frechet  kernel          density  coverage  entropy  how many of each digit, 0 to 9")
    noise = np.random.default_rng(seed).uniform(-1, 1, generated.shape)
    for name, others in (
        ("real", seen.take(slice(count, 2 * count))),
        ("generated", metrics.judge_images(judge, generated)),
        ("noise", metrics.judge_images(judge, noise)),
    ):
        m = metrics.measure(seen.take(slice(count)), others)
        print(f"{name:10} {m.frechet:7.2f} {m.kernel:7.3f} +- {m.kernel_deviation:5.3f} {m.density:8.3f} "
              f"{m.coverage:9.3f} {m.entropy:8.3f}  {' '.join(map(str, m.counts))}", flush=True)


def _count_modes(args: argparse.Namespace, folder: Path, run) -> None:
    """Print how many of the 1,000 kinds of stacked digits the weights make, beside real ones and noise."""
    import numpy as np

    from . import data, metrics
    from .backend import keras

    digits = data.reference_digits(args.path)
    count, seed = args.batch_size or DEFAULT_COUNTED, args.seed or 0
    print(f"data      stacked digits of {_one_line(digits.source)}")
    judge = metrics.load_judge()
    images = _generated(folder, run, count, seed, args.nice)
    print(f"counted   {count:,} images{_best_of(count, args.nice)}, seed {seed}, and so many real ones\n")
    noise = np.random.default_rng(seed).uniform(-1, 1, (count, 32, 32, 3)).astype(np.float32)
    real = keras.ops.convert_to_numpy(data.to_float(data.stacked_digits(digits, count, seed).images))
    print("           modes of 1,000  divergence from equal shares")
    for name, some in (("real", real), ("generated", images), ("noise", noise)):
        modes, divergence = metrics.count_modes(metrics.judge_stacked(judge, some))
        print(f"{name:10} {modes:14,}  {divergence:28.3f}", flush=True)


# ---- main --------------------------------------------------------------------------------------------------------


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _program(arguments: list[str] | None) -> None:
    args = get_args(arguments)
    {"train": train, "generate": generate, "measure": measure}[args.mode](args)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. The exit codes are those of :func:`dcgan_lib.errors.run_program`."""
    return run_program("dcgan", _program, arguments)
