"""``python -m dcgan_lib.animations`` draws all files of the table again."""

import sys

from ..errors import Parser, run_program
from ..files import expand
from .output import save_gif
from .table import FILES


def main(arguments: list[str] | None = None) -> int:
    """Draw all files of the table. Returns the exit code, as ``run_program`` does."""
    return run_program("dcgan_lib.animations", _program, arguments)


def _program(arguments: list[str] | None) -> None:
    parser = Parser(prog="python -m dcgan_lib.animations", description="Draw the animations in gif/ again.")
    parser.add_argument("--out", default="gif", help="folder for the files (default: %(default)s)")
    out = expand(parser.parse_args(arguments).out, "--out")
    out.mkdir(parents=True, exist_ok=True)
    for name, animation in FILES.items():
        path = out / f"{name}.gif"
        save_gif(animation, path)
        print(f"{path}  {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
