"""Pictures: grids of images, their animation, the loss curves, and points of the plane with D's pushes on them.

Grids and animations are pixels and need only Pillow; the others are drawn with matplotlib. Both are imported where they
are used, so that `import nanogan` stays light.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array
from ..errors import InputError
from .files import opened, replacing

MOST_IN_GRID = 2**24
"""Pixels of all images of a grid, which are drawn four times as large: a picture of about 8200 x 8200."""


def save_grid(path: str | Path, images: Array, *, columns: int | None = None, zoom: int = 2) -> None:
    """Write what `grid_png` draws to a file."""
    _write(path, grid_png(images, columns=columns, zoom=zoom))


def grid_png(images: Array, *, columns: int | None = None, zoom: int = 1) -> bytes:
    """Draw images (N, H, W, C), values in [0, 1], as one PNG: `columns` a row (as square as may be by default).

    Each pixel is drawn as zoom x zoom, with a dark line between images.
    """
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows, gap = math.ceil(count / columns), 1
    grid = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 51, np.uint8)
    for position, image in enumerate(images):
        top = gap + (position // columns) * (height + gap)
        left = gap + (position % columns) * (width + gap)
        grid[top : top + height, left : left + width] = _as_bytes(image)
    return _png(grid.repeat(zoom, axis=0).repeat(zoom, axis=1))


def save_picture(path: str | Path, image: Array) -> None:
    """Write one image (H, W, C), values in [0, 1], as PNG: grey if C is 1, RGB if it is 3."""
    _write(path, _png(_as_bytes(image)))


def _as_bytes(image: Array) -> Array:
    """Values in [0, 1] as 0..255. What isn't a number is black."""
    return (np.nan_to_num(image).clip(0, 1) * 255).round().astype(np.uint8)


def _png(pixels: Array) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(content, "PNG")
    return content.getvalue()


MOST_FRAMES = 100
"""Of an animation: 20 seconds, and 13 MB of 64 digits in noise."""


def save_animation(path: str | Path, frames: Sequence[Path], *, seconds_per_frame: float = 0.2) -> None:
    """Join PNG files into an animated GIF that loops, and rests on the last frame.

    Of more than `MOST_FRAMES` it takes that many, evenly spread, the first and the last among them.
    """
    from PIL import Image

    if not frames:
        return
    if len(frames) > MOST_FRAMES:
        frames = [frames[int(place)] for place in np.linspace(0, len(frames) - 1, MOST_FRAMES).round()]
    pictures = []
    for frame in frames:
        with opened(frame) as (file, _):
            try:
                pictures.append(Image.open(file, formats=("PNG",)).copy())
            except Exception as error:  # on damaged pictures Pillow raises anything from SyntaxError to struct.error
                raise InputError(f"{frame}: cannot be read as a picture ({error}); remove it") from None
    durations = [int(1000 * seconds_per_frame)] * (len(pictures) - 1) + [2000]
    content = io.BytesIO()
    pictures[0].save(content, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    _write(path, content.getvalue())


class Equilibrium(NamedTuple):
    """What D says of every image, and both losses, where neither network can gain anything."""

    says: float
    d_loss: float
    g_loss: float


def equilibrium(real_label: float = 1.0, mean_of_terms: bool = False) -> Equilibrium:
    """Of cross-entropy. If real and fake look alike, D's loss is least if it says half the real label to everything."""
    says = real_label / 2
    d_loss = -real_label * math.log(says) - (2 - real_label) * math.log(1 - says)
    return Equilibrium(says, d_loss / (1 + mean_of_terms), -math.log(says))


def save_loop(path: str | Path, images: Array, *, seconds_per_frame: float = 0.08) -> None:
    """Draw images (N, H, W, C), values in [0, 1], as an animated GIF that goes on forever; small ones are enlarged."""
    from PIL import Image

    zoom = max(1, 224 // max(images.shape[1:3]))
    pixels = _as_bytes(images).repeat(zoom, axis=1).repeat(zoom, axis=2)
    frames = [Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame) for frame in pixels]
    content = io.BytesIO()
    duration = int(1000 * seconds_per_frame)
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:], duration=duration, loop=0)
    _write(path, content.getvalue())


def save_losses(
    path: str | Path,
    rows: Sequence[dict[str, Any]],
    *,
    real_label: float = 1.0,
    mean_of_terms: bool = False,
    scores: bool = False,
) -> None:
    """Draw both losses and D's mean outputs over the epochs, with the values at equilibrium as dashed lines.

    rows: one dictionary per epoch with epoch, d_loss, g_loss, d_real, d_fake. real_label, mean_of_terms: see `Recipe`.
    scores: what D says are scores without bounds, not probabilities; then neither has a value at equilibrium.
    """
    epochs = [row["epoch"] for row in rows]
    figure = new_figure(9, 3.6)
    losses, outputs = figure.subplots(1, 2)
    marker = "o" if len(rows) < 3 else None
    for name, label, color in (("d_loss", "discriminator", "C0"), ("g_loss", "generator", "C1")):
        losses.plot(epochs, [row[name] for row in rows], color=color, label=label, marker=marker)
    losses.set(title="losses", xlabel="epoch")
    for name, label, color in (("d_real", "D(x), real", "C2"), ("d_fake", "D(G(z)), generated", "C3")):
        outputs.plot(epochs, [row[name] for row in rows], color=color, label=label, marker=marker)
    outputs.set(title="what D says: " + ("scores" if scores else "probability of real"), xlabel="epoch")
    if not scores:
        _draw_equilibrium(losses, outputs, equilibrium(real_label, mean_of_terms))
    for axes in (losses, outputs):
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    save_figure(path, figure)


def _draw_equilibrium(losses: Any, outputs: Any, at: Equilibrium) -> None:
    for value, name, color in ((at.d_loss, "D", "C0"), (at.g_loss, "G", "C1")):
        losses.axhline(value, color=color, linestyle="--", linewidth=1, label=f"{value:.3f}, {name} at equilibrium")
    outputs.axhline(at.says, color="grey", linestyle="--", linewidth=1, label=f"{at.says:g}, at equilibrium")
    losses.set_ylim(0, None)
    outputs.set_ylim(0, 1)


def save_image_to_image(path: str | Path, rows: Sequence[dict[str, Any]]) -> None:
    """Draw, over the epochs, the two parts of the generator's loss, each on training and on test pairs, and PSNR.

    rows: one dictionary an epoch with epoch, adversarial, test_adversarial, l1, test_l1, psnr.
    """
    epochs = [row["epoch"] for row in rows]
    figure = new_figure(12, 3.6)
    marker = "o" if len(rows) < 3 else None
    panels = {
        "adversarial part: L(D(c, G(c)), 1)": {"adversarial": "training pairs", "test_adversarial": "test pairs"},
        "L1 part: mean |output - target|": {"l1": "training pairs", "test_l1": "test pairs"},
        "PSNR, dB": {"psnr": "test pairs"},
    }
    for axes, (title, lines) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        for name, label in lines.items():
            color = "C1" if label == "test pairs" else "C0"
            axes.plot(epochs, [row[name] for row in rows], color=color, label=label, marker=marker)
        axes.set(title=title, xlabel="epoch")
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    save_figure(path, figure)


def new_figure(width: float, height: float) -> Any:
    """An empty figure, in inches. No pyplot: nothing opens a window, nothing is global, no backend is needed."""
    with _any_environment():
        from matplotlib.figure import Figure
    return Figure(figsize=(width, height), layout="constrained")


@contextmanager
def _any_environment() -> Iterator[None]:
    """Let matplotlib load wherever it is: it refuses where MPLBACKEND names what this Python doesn't have, as a
    notebook's in a command, and talks of folders that can't be written.
    """
    if "matplotlib" in sys.modules:
        yield
        return
    named, log = os.environ.pop("MPLBACKEND", None), logging.getLogger("matplotlib")
    log.setLevel(logging.ERROR)
    try:
        yield
        if named:
            with contextlib.suppress(ValueError):
                sys.modules["matplotlib"].rcParams["backend"] = named  # as it does itself: pyplot's is the user's
    finally:
        log.setLevel(logging.NOTSET)
        if named is not None:
            os.environ["MPLBACKEND"] = named


def save_figure(path: str | Path, figure: Any, dpi: int = 110) -> None:
    """Write a figure of `new_figure` as PNG."""
    content = io.BytesIO()
    figure.savefig(content, dpi=dpi, format="png")
    _write(path, content.getvalue())


class Scene(NamedTuple):
    """Generated points of the plane, (N, 2), and the way D tells each to go, (N, 2): -d(loss of G)/d(point)."""

    title: str
    points: Array
    pushes: Array


def save_scenes(path: str | Path, scenes: Sequence[Scene], centres: Array, radius: float) -> None:
    """Draw scenes side by side over the modes: circles of `radius` around `centres`, (K, 2).

    Points inside a circle are blue, others orange. The first sixty have an arrow: the direction of the push, with the
    square root of its length, as pushes differ by orders of magnitude.
    """
    figure = new_figure(2.5 * len(scenes), 2.78)
    for axes, scene in zip(figure.subplots(1, len(scenes), squeeze=False)[0], scenes, strict=True):
        _draw_scene(axes, scene, centres, radius)
    save_figure(path, figure, dpi=120)


def _draw_scene(axes: Any, scene: Scene, centres: Array, radius: float) -> None:
    from matplotlib.patches import Circle

    points, pushes = scene.points, scene.pushes[:ARROWS]
    edge = 1.3 * np.abs(centres).max()
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge), aspect="equal", xticks=[], yticks=[])
    axes.set_title(scene.title, fontsize=9)
    axes.spines[:].set_color("0.8")
    for centre in centres:
        axes.add_patch(Circle(centre, radius, facecolor="0.9", edgecolor="0.3", linewidth=0.8))
    hit = (np.linalg.norm(points[:, None] - centres, axis=2) <= radius).any(axis=1)
    for chosen, color in ((~hit, "#e07b39"), (hit, "#1f5fa8")):
        axes.scatter(*points[chosen].T, s=4, color=color, alpha=0.6, linewidths=0, zorder=3)
    lengths = np.linalg.norm(pushes, axis=1, keepdims=True)
    arrows = 0.22 * edge * pushes / np.sqrt(lengths * lengths.max() + 1e-30)
    axes.quiver(
        *points[:ARROWS].T, *arrows.T, angles="xy", scale_units="xy", scale=1, width=0.006, color="0.2", zorder=2
    )


ARROWS = 60
"""How many points of a scene show the push on them: more would hide the points."""


def _write(path: str | Path, content: bytes) -> None:
    """Made in memory, so that the file is written whole and a full disk is reported as one."""
    with replacing(path) as file:
        file.write(content)
