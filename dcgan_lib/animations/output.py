"""An animation as a file, and as what a notebook shows.

What belongs here: GIF, PNG and HTML from the frames, and their durations. Nothing that changes what is in a frame.
"""

import base64
import io
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from ..errors import InputError
from ..files import whole_file
from .arithmetic import whole_number
from .drawing import draw, frames
from .layout import Animation, lay_out

if TYPE_CHECKING:
    from IPython import display

MAX_STILL = 8000  # pixels of width; a picture may be 8 times as high, and a GIF has two bytes for that
HOLD = 3  # how many times longer the finished output is shown, before it all begins again


def gif(animation: Animation) -> bytes:
    """The animation as a GIF that loops for ever: the same bytes for the same version of Pillow."""
    return _moving(animation, "GIF")


def save_gif(animation: Animation, path: str | Path) -> None:
    """Write the animation as a GIF.

    Raises:
        InputError: the path does not end in .gif, or cannot be written to.
    """
    if Path(path).suffix.lower() != ".gif":
        raise InputError(f"{path}: the name of a GIF ends in .gif; give such a path")
    _write(path, gif(animation))


def still(animation: Animation, frame: int = 0, scale: int = 1) -> Image.Image:
    """One frame, for print and for slides.

    Args:
        frame: counted from 0; -1 is the finished output.
        scale: draws it (not stretches it) so many times larger.
    Raises:
        InputError: there is no such frame, or it would be too large.
    """
    scale = whole_number(scale, "scale", 1, MAX_STILL // animation.width)
    layout = lay_out(animation._replace(width=animation.width * scale))
    frame = whole_number(frame, "frame", -layout.frames, layout.frames - 1)
    return next(islice(frames(layout), frame % layout.frames, None))


def save_still(animation: Animation, path: str | Path, frame: int = 0, scale: int = 1) -> None:
    """Write one frame, in the format that the path's ending says: .png, .jpg, .pdf, and others of Pillow's.

    Args as in :func:`still`.
    Raises:
        InputError: as in :func:`still`; or Pillow does not know the ending, or the path cannot be written to.
    """
    image, file = still(animation, frame, scale), io.BytesIO()
    kind = Image.registered_extensions().get(Path(path).suffix.lower())
    try:
        (image if kind in ("PNG", "GIF") else image.convert("RGB")).save(file, kind)
    except (KeyError, OSError, ValueError):
        raise InputError(f"{path}: no pictures are written with this ending; let it be .png, .jpg or .pdf") from None
    _write(path, file.getvalue())


def show(animation: Animation) -> "display.Image":
    """The animation as what a notebook displays: a moving PNG.

    Not a GIF, because nbconvert has no place for a GIF among a cell's outputs; a PNG is shown wherever a picture is,
    and every browser lets it move.
    """
    from IPython import display  # here, because only notebooks have it

    return display.Image(_moving(animation, "PNG"))


def slider(animation: Animation) -> "display.HTML":
    """The frames under a slider, as what a notebook displays.

    Plain HTML that needs no widgets and no network: it works in JupyterLab, in Colab and in an exported page. Where
    scripts are not let in, as on GitHub and in a notebook that is not trusted, at most the first frame is seen.
    """
    from IPython import display  # here, because only notebooks have it

    pictures = []
    for frame in _few_colors(draw(animation)):
        file = io.BytesIO()
        frame.save(file, "PNG")
        pictures.append("data:image/png;base64," + base64.b64encode(file.getvalue()).decode())
    move = "this.parentNode.querySelector('img').src = this.dataset.frames.split(' ')[this.value]"
    return display.HTML(
        f'<div style="width: {animation.width}px">'
        f'<img alt="frame" width="{animation.width}" src="{pictures[0]}">'
        f'<input type="range" style="width: 100%" min="0" max="{len(pictures) - 1}" value="0" aria-label="frame" '
        f'data-frames="{" ".join(pictures)}" oninput="{move}">'
        f"</div>"
    )


def _moving(animation: Animation, kind: str) -> bytes:
    """A file with all frames; ``kind`` is Pillow's name of the format, GIF or PNG."""
    frames = _few_colors(draw(animation))
    durations = [animation.milliseconds] * (len(frames) - 1) + [HOLD * animation.milliseconds]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return file.getvalue()


def _few_colors(frames: list[Image.Image]) -> list[Image.Image]:
    """The frames with a palette of only those colours that occur in them, which makes smaller files."""
    used = sorted({index for frame in frames for _, index in frame.getcolors()})
    return [frame.remap_palette(used) for frame in frames]


def _write(path: str | Path, data: bytes) -> None:
    try:
        with whole_file(Path(path)) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); give a path in a folder that exists") from None
