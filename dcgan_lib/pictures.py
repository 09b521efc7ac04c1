"""Pictures: many images in one grid, PNG, the animation of a training, and a training at one moment.

What belongs here: from uint8 images and numbers to what is looked at. Nothing about networks.
"""

import io
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .files import whole_file


def combine_images(images: np.ndarray) -> np.ndarray:
    """Lay images edge to edge in a grid as near to a square as the source's: row by row, the rest of it zero.

    Args:
        images: (n, height, width, 1 or 3), any number type, n at least 1.
    Returns:
        (rows * height, columns * width) for grey images, (rows * height, columns * width, 3) for colour; the type of
        ``images``. ``columns`` is the whole part of the root of n.
    """
    count, height, width, channels = images.shape
    columns = int(np.sqrt(count))
    rows = -(-count // columns)
    grid = np.zeros((rows * columns, height, width, channels), images.dtype)
    grid[:count] = images
    picture = grid.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    picture = picture.reshape(rows * height, columns * width, channels)
    return picture[..., 0] if channels == 1 else picture


def png_bytes(picture: np.ndarray) -> bytes:
    """A picture, uint8 (height, width) or (height, width, 3), as a PNG file's bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def save_png(picture: np.ndarray, path: Path) -> None:
    """Write a picture as :func:`png_bytes` takes it."""
    with whole_file(path) as temporary:
        temporary.write_bytes(png_bytes(picture))


def read_frames(folder: Path) -> dict[int, bytes]:
    """The pictures ``step_….png`` in ``folder`` by their step, as PNG files' bytes; a broken one is passed over."""
    frames = {}
    for path in folder.glob("step_*.png"):
        number = re.fullmatch(r"step_(\d+)\.png", path.name)
        if not number:
            continue
        try:
            png = path.read_bytes()
            Image.open(io.BytesIO(png), formats=["PNG"]).load()
        except Exception:  # a broken picture can raise nearly anything
            continue
        frames[int(number[1])] = png
    return frames


def save_gif(frames: Mapping[int, bytes], path: Path, most: int = 100) -> None:
    """Write a training's pictures as an animation that loops for ever and rests on its last frame.

    Args:
        frames: for each step the picture as a PNG file's bytes; what has not the size of most is left out.
        most: of more frames than this, so many are chosen, evenly spread from the first to the last.
    """
    images = {step: Image.open(io.BytesIO(frames[step])) for step in sorted(frames)}
    images = {step: image.convert("L" if len(image.getbands()) == 1 else "RGB") for step, image in images.items()}
    [(kind, _)] = Counter((image.size, image.mode) for image in images.values()).most_common(1)
    steps = [step for step, image in images.items() if (image.size, image.mode) == kind]
    if len(steps) > most:
        steps = [steps[i] for i in np.linspace(0, len(steps) - 1, most).round().astype(int)]
    pages = [_with_caption(images[step], f"step {step}") for step in steps]
    durations = [120] * (len(pages) - 1) + [2500]  # milliseconds
    with whole_file(path) as temporary:
        pages[0].save(temporary, save_all=True, append_images=pages[1:], duration=durations, loop=0, optimize=True)


def _with_caption(image: Image.Image, text: str) -> Image.Image:
    page = Image.new(image.mode, (image.width, image.height + 16), "white")
    page.paste(image, (0, 16))
    ImageDraw.Draw(page).text((4, 1), text, fill="black", font=ImageFont.load_default(12))
    return page.quantize(32)  # so many greys or colours are enough to watch, and make a third of the size


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
