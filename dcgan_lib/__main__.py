"""The command line: ``python -m dcgan_lib`` or ``dcgan``.

What belongs here: arguments, messages, exit codes, and what a folder says of the run in it. Nothing that a notebook
would want.
"""

import argparse
import json
import os
import secrets
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from .files import ASSETS, InputError, claimed, whole_file

# With these the paper's pair shows digits within a minute on two CPU cores; the paper's own setting is
# --width 128 --learning_rate 0.0002 --batch_size 128.
DEFAULT_WIDTH = 32
DEFAULT_BATCH_SIZE = 64
DEFAULT_STEPS = 1200
DEFAULT_COUNT = 128  # images that `generate` makes, as in the source
DEFAULT_MEASURED = 5000  # images that `measure` makes: half of MNIST's test images stand against them
FEWEST_MEASURED = 2000  # twice a subset of the kernel distance
CHECKPOINT_EVERY = 100  # steps


@dataclass
class Run:
    """What a run is made of, as ``run.json`` in its folder keeps it."""

    model: str = "dcgan"
    loop: str = "fit"
    path: str | None = None
    image_size: int = 28
    channels: int = 1
    width: int = DEFAULT_WIDTH
    batch_size: int = DEFAULT_BATCH_SIZE
    learning_rate: float = 0.001
    seed: int = 0
    steps: int = DEFAULT_STEPS
    sample_every: int = 24
    data: str = ""
    fingerprint: int = 0

    @classmethod
    def read(cls, path: Path) -> "Run":
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            raise InputError(f"{path}: is damaged; name another --out") from None

    def write(self, path: Path) -> None:
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1) + "\n")

    def of_folder(self) -> bool:
        """Whether it is a folder of images that it trains on, and not MNIST."""
        return self.path is not None and Path(self.path).suffix != ".npz"

    def networks(self):
        """The generator and the discriminator, new."""
        from . import models

        if self.model == "original":
            return models.generator_model(), models.discriminator_model()
        size = (self.image_size, self.channels, self.width)
        return models.dcgan_generator(*size), models.dcgan_discriminator(*size)

    def optimizer(self):
        """A new optimizer: the source's for its pair, the paper's for its own."""
        from .backend import keras

        if self.model == "original":
            return keras.optimizers.SGD(self.learning_rate, momentum=0.9, nesterov=True)
        return keras.optimizers.Adam(self.learning_rate, beta_1=0.5)


# ---- arguments ---------------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise InputError(message)


def _at_least_one(text: str) -> int:
    with suppress(ValueError):
        if int(text) >= 1:
            return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, not {text!r}")


def _seed(text: str) -> int:
    with suppress(ValueError):
        if 0 <= int(text) < 2**32:
            return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {2**32 - 1}, not {text!r}")


def _rate(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")


def get_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line. What is not given is ``None``.

    Raises:
        InputError: an argument is unknown or has a value that it cannot have.
    """
    parser = _Parser(prog="dcgan", description="Train a DCGAN, generate images with it, and measure how good they are.",
                     allow_abbrev=False)
    parser.add_argument("--mode", required=True, choices=("train", "generate", "measure"))
    parser.add_argument("--batch_size", type=_at_least_one, metavar="N",
                        help=f"train: images in a batch ({DEFAULT_BATCH_SIZE}); "
                             f"generate: how many images ({DEFAULT_COUNT}); measure: the same ({DEFAULT_MEASURED})")
    parser.add_argument("--nice", action="store_true", default=None,
                        help="generate, measure: 20 times as many, of which the discriminator's best 5 %% are kept")
    parser.add_argument("--path", help="train: a folder of images, or an .npz file of MNIST (MNIST); "
                                       "measure: such a file")
    parser.add_argument("--model", choices=("original", "dcgan"), help="the source's networks or the paper's (dcgan)")
    parser.add_argument("--loop", choices=("source", "fit"), help="train: the source's loop or Keras's fit (fit)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=_at_least_one, metavar="N", help="train: times through all images")
    length.add_argument("--steps", type=_at_least_one, metavar="N", help=f"train: batches ({DEFAULT_STEPS})")
    parser.add_argument("--image_size", type=int, metavar="N",
                        help="28, 32, 64 or 128 (MNIST: 28, a folder: 32; original: 28)")
    parser.add_argument("--width", type=_at_least_one, metavar="N",
                        help=f"dcgan: channels of the hidden layer next to the image ({DEFAULT_WIDTH}; the paper: 128)")
    parser.add_argument("--learning_rate", type=_rate, metavar="X",
                        help="train: of both optimizers (dcgan: Adam 0.001; original: SGD 0.0005)")
    parser.add_argument("--seed", type=_seed, metavar="N", help="train, measure: 0; generate: a new one each time")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where all files go (out/)")
    parser.add_argument("--resume", action="store_true", default=None, help="train: go on with the run in --out")
    args = parser.parse_args(arguments)
    args.out = args.out.expanduser()
    others = {
        "train": ("nice",),
        "generate": ("path", "loop", "epochs", "steps", "learning_rate", "resume"),
        "measure": ("loop", "epochs", "steps", "learning_rate", "resume"),
    }
    for name in others[args.mode]:
        if getattr(args, name) is not None:
            raise InputError(f"--{name} does not go with --mode {args.mode}; leave it out")
    return args


# ---- train -------------------------------------------------------------------------------------------------------


def train(args: argparse.Namespace) -> None:
    """Train in ``args.out`` and leave weights, losses, samples and the animation there."""
    with claimed(args.out):
        run_file = args.out / "run.json"
        if args.resume:
            if not run_file.exists():
                raise InputError(f"{args.out}: there is no run to resume here; leave out --resume to start one")
            run = _agreeing(Run.read(run_file), args, ("steps", "epochs", "path"))
            run.path = args.path or run.path
        elif run_file.exists():
            raise InputError(f"{args.out}: has a run in it; go on with it by --resume, or name another --out")
        else:
            run = _new_run(args)
        _train(run, args, run_file)


def _new_run(args: argparse.Namespace) -> Run:
    original = args.model == "original"
    given = {field.name: getattr(args, field.name, None) for field in fields(Run)}
    run = Run(**{name: value for name, value in given.items() if value is not None})
    if args.learning_rate is None and original:
        run.learning_rate = 0.0005
    if args.image_size is None and run.of_folder() and not original:
        run.image_size = 32
    sizes = (28,) if original else (28, 32, 64, 128)
    if run.image_size not in sizes:
        choice = " or ".join(map(str, sizes))
        raise InputError(f"--image_size {run.image_size}: the {run.model} networks have no such size; give {choice}")
    return run


def _agreeing(run: Run, args: argparse.Namespace, free: tuple[str, ...]) -> Run:
    """``run``, if no argument contradicts it but the ``free`` ones."""
    for field in fields(run):
        given, has = getattr(args, field.name, None), getattr(run, field.name)
        if given is not None and given != has and field.name not in free:
            raise InputError(f"--{field.name} {given}: the run in {args.out} has {has}; leave it out, or name another "
                             "--out")
    return run


def _train(run: Run, args: argparse.Namespace, run_file: Path) -> None:
    from . import callbacks, data, training

    images = _images(run, args)
    gan, losses = _gan_and_losses(run, args)
    batches = data.batches(images, run.batch_size, run.seed, gan.step, shuffle=run.loop == "fit")
    steps_per_epoch = len(images) // run.batch_size
    if args.epochs is not None:
        run.steps = args.epochs * steps_per_epoch
    elif args.steps is not None:
        run.steps = args.steps
    if run.steps <= gan.step:
        print(f"{args.out}: has its {gan.step} steps already; give a larger --steps or --epochs to go on")
        return
    if not args.resume:
        run.sample_every = max(1, run.steps // 50)

    rate = f"{'SGD' if run.model == 'original' else 'Adam'} {run.learning_rate:g}"
    print(f"training  loop {run.loop}, {rate}, batches of {run.batch_size}, seed {run.seed}: steps {gan.step} to "
          f"{run.steps} ({run.steps / steps_per_epoch:.3g} epochs)", flush=True)
    run.write(run_file)
    watchers = [
        losses,
        callbacks.StopAtNaN(),
        callbacks.LiveSamples(losses, every=run.sample_every, folder=args.out),
        callbacks.Checkpoint(args.out, losses, every=CHECKPOINT_EVERY),
        callbacks.Progress(run.steps),
    ]
    if run.loop == "source":
        training.train_like_source(gan, batches, run.steps - gan.step, watchers)
    else:
        gan.fit(batches, steps_per_epoch=run.steps - gan.step, shuffle=False, verbose=0, callbacks=watchers)
    print(f"written   {args.out}: generator.weights.h5, discriminator.weights.h5, losses.csv, samples/, "
          "training_process.gif")


def _images(run: Run, args: argparse.Namespace):
    """The images of the run, uint8 (n, height, width, channels); ``run`` then names them."""
    from . import data

    if run.of_folder():
        found = data.load_folder(run.path, run.image_size, 1 if run.model == "original" else None)
    else:
        found = data.load_mnist(run.path, run.image_size)
    for line in found.left_out:
        print(f"left out  {_one_line(line)}")
    if args.resume and run.fingerprint != found.fingerprint():
        raise InputError(f"{args.out}: this run was trained on other images ({run.data}); name those with --path")
    count, height, width, run.channels = found.images.shape
    run.data, run.fingerprint = found.source, found.fingerprint()
    run.path = str(Path(run.path).expanduser().resolve()) if run.path else None
    print(f"data      {_one_line(run.data)}: {count:,} images, {height} x {width} x {run.channels}")
    return found.images


def _gan_and_losses(run: Run, args: argparse.Namespace):
    """The networks with their optimizers, and the losses so far: new, or as the last checkpoint kept them."""
    from . import callbacks, generating, training
    from .backend import keras, tf

    tf.config.experimental.enable_op_determinism()  # the same seed, the same losses, on a GPU too
    keras.utils.set_random_seed(run.seed)
    gan = training.GAN(*run.networks(), seed=run.seed)
    gan.compile(run.optimizer(), run.optimizer())
    losses = callbacks.LossHistory()
    checkpoint = args.out / "checkpoint.weights.h5"
    if args.resume and checkpoint.exists():  # there is none yet where the run was killed at its very start
        generating.load_weights(gan, checkpoint)
        losses.load(args.out / "losses.csv", gan.step)
    sizes = " and ".join(f"{network.count_params():,}" for network in (gan.generator, gan.discriminator))
    print(f"networks  {run.model}{'' if run.model == 'original' else f', width {run.width}'}: {sizes} parameters")
    return gan, losses


# ---- generate ----------------------------------------------------------------------------------------------------


def generate(args: argparse.Namespace) -> None:
    """Write ``generated_image.png``, or with ``--nice`` ``nice_generated_image.png``, into ``args.out``."""
    folder, run = _weights_folder(args)
    from . import data, generating

    seed = secrets.randbelow(2**32) if args.seed is None else args.seed
    count = args.batch_size or DEFAULT_COUNT
    images = _generated(folder, run, count, seed, args.nice)
    path = args.out / ("nice_generated_image.png" if args.nice else "generated_image.png")
    picture = generating.combine_images(data.to_uint8(images))
    args.out.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        temporary.write_bytes(generating.png_bytes(picture))
    _print_weights(folder, run)
    print(f"written   {path}: {count:,} images{_of(count, args.nice)}, seed {seed}")


def _generated(folder: Path, run: Run, count: int, seed: int, nice: bool | None):
    """Images from the weights in ``folder``: float32 (count, height, width, channels) in [-1, 1]."""
    from . import generating

    generator, discriminator = run.networks()
    generating.load_weights(generator, folder / "generator.weights.h5")
    if not nice:
        return generating.generate_images(generator, count, seed)
    generating.load_weights(discriminator, folder / "discriminator.weights.h5")
    return generating.generate_nice_images(generator, discriminator, count, seed)


def _print_weights(folder: Path, run: Run) -> None:
    print(f"weights   {'the trained ones in assets/' if folder == ASSETS else folder} ({run.model})", flush=True)


def _of(count: int, nice: bool | None) -> str:
    from .generating import NICE_FACTOR

    return f", the best of {count * NICE_FACTOR:,} by the discriminator" if nice else ""


def _weights_folder(args: argparse.Namespace) -> tuple[Path, Run]:
    """Where the weights are, ``--out`` or else ``assets/``, and what run they are from."""
    files = ("run.json", "generator.weights.h5", "discriminator.weights.h5")
    folder = args.out if any((args.out / name).exists() for name in files) else ASSETS
    if (folder / "run.json").exists():
        run = Run.read(folder / "run.json")
    else:
        run = _new_run(argparse.Namespace(**{**vars(args), "batch_size": None, "seed": None}))
    if folder == ASSETS and args.model == "original":
        raise InputError(f"{args.out}: there are no weights of the original networks here, and none are shipped; "
                         "train them with --mode train --model original")
    return folder, _agreeing(run, args, ("batch_size", "seed", "path"))


# ---- measure -----------------------------------------------------------------------------------------------------


def measure(args: argparse.Namespace) -> None:
    """Print how near the digits of the weights in ``args.out`` come to real ones, as the judge in assets/ sees them."""
    folder, run = _weights_folder(args)
    if (run.image_size, run.channels) != (28, 1):
        raise InputError(f"{folder}: makes images of {run.image_size} x {run.image_size} x {run.channels}, and the "
                         "judge knows digits of 28 x 28 x 1; name the --out of another run")
    import numpy as np

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
    _print_weights(folder, run)
    print(f"measured  {count:,} images{_of(count, args.nice)}, seed {seed}, against {count:,} real ones\n")
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


# ---- main --------------------------------------------------------------------------------------------------------


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit code: 0; 1 where a training broke down; 2 for bad input."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file's name may hold what the terminal cannot show
    try:
        args = get_args(arguments)
        {"train": train, "generate": generate, "measure": measure}[args.mode](args)
    except InputError as error:
        print(f"dcgan: error: {_one_line(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output has gone, as in `dcgan … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        name = error.filename or "a file"
        print(f"dcgan: error: {name}: cannot be read or written ({error.strerror or error}); make room, or name "
              "another --out", file=sys.stderr)
        return 2
    except FloatingPointError as error:
        print(f"dcgan: error: {error}; the weights of the last checkpoint are kept; a lower --learning_rate may help",
              file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndcgan: stopped; go on from the last checkpoint with --resume", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
