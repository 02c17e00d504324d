"""FD-mnist against seconds: how soon good digits are there, from the command on, with everything that a user waits for.

The part `quality-time` of `python -m benchmarks`. Each run is a program in a process of its own, which starts, loads
the images, trains, logs, draws pictures and saves checkpoints. Whenever a new checkpoint is there, the time is noted
and the file is kept; what it draws is judged when the run is over: 10,000 images from noise of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nanogan.backend import Array
from nanogan.data.images import load_mnist
from nanogan.interop import from_torch
from nanogan.io import checkpoint
from nanogan.metrics.classifier import features_and_digits
from nanogan.metrics.samples import frechet_distance
from nanogan.network import Network
from nanogan.recipes.mnist import DCGAN
from nanogan.recipes.recipe import Recipe
from nanogan.training.gan_trainer import generate
from nanogan.training.trained import load_generator

from ..speed.contenders import TORCH, installed
from ..speed.environment import ROOT, variables
from ..speed.parts import Options, Row, Task

LOOK = 0.05
"""Seconds between two looks for a new checkpoint."""
NOISE_SEED = 1
REACHED = (10.0, 3.0, 1.5, 1.0)
"""The FD-mnist whose times the table shows; real images have 0.1."""
Drawn = tuple[int, Network, Recipe]
"""The step of a checkpoint, and its generator with the recipe of it."""


def quality_time(options: Options) -> Iterator[Task]:
    """FD-mnist against seconds, from the command to the files on the disk."""
    for name, program in PROGRAMS.items():
        if name in TORCH and not (
            installed("torch") and name in options.contenders(TORCH) and options.backend == "numpy"
        ):
            continue
        if options.recipes and program.recipe not in options.recipes:
            continue
        for seed in range(options.seeds or (1 if options.quick else program.seeds)):
            yield {"workload": name, "seed": seed}, partial(curve, program, seed, options)


def curve(program: Program, seed: int, options: Options) -> Row:
    """The row of a run: when it had made how many steps, and what it drew then."""
    with tempfile.TemporaryDirectory() as place:
        folder, kept = Path(place) / "run", Path(place) / "kept"
        kept.mkdir()
        command = [sys.executable, *program.command, "--out", str(folder), "--seed", str(seed)]
        command += ["--epochs", "1"] if options.quick else []
        command += [] if options.backend == "numpy" else ["--backend", options.backend]
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables(options.threads, options.avx2), stdout=subprocess.DEVNULL
        )
        seconds = watched(process, folder / program.checkpoint, kept)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}: ended with status {process.returncode}")
        points = []
        for number, at in enumerate(seconds[:-1]):
            step, fd = judged(*program.load(kept / str(number)))
            points.append({"step": step, "seconds": round(at, 2), "fd_mnist": round(fd, 4)})
    return {"curve": points, "seconds": round(seconds[-1], 2)}


def watched(process: subprocess.Popen[Any], path: Path, kept: Path) -> list[float]:
    """Keep each file that appears at `path` as kept/0, kept/1 ... When each was there, and when the process ended.

    A link keeps the file without copying it, because a program replaces its checkpoint and doesn't write into it.
    """
    started, seconds, last = time.perf_counter(), list[float](), None
    while True:
        over = process.poll() is not None
        if path.exists() and (now := path.stat().st_mtime_ns) != last:
            os.link(path, kept / str(len(seconds)))
            seconds.append(time.perf_counter() - started)
            last = now
        if over:
            return [*seconds, time.perf_counter() - started]
        time.sleep(LOOK)


def judged(step: int, G: Network, recipe: Recipe) -> tuple[int, float]:
    """The step, and the FD-mnist of what G draws."""
    z = recipe.draw_noise(np.random.default_rng(NOISE_SEED), np.empty((10_000, recipe.noise_size), G.dtype))
    return step, frechet_distance(real_features(), features_and_digits(generate(G, recipe, z))[0])


@cache
def real_features() -> Array:
    return features_and_digits(load_mnist("test", scale=(0, 1))[0])[0]


# ---- who runs


def from_nanogan(path: Path) -> Drawn:
    return int(checkpoint.load(path)[1]["steps"]), *load_generator(path)


def from_pytorch(path: Path) -> Drawn:
    import torch

    saved = torch.load(path, weights_only=True)
    G = Network(DCGAN.generator, DCGAN.input_shape)
    from_torch(G, saved["G"])
    return saved["step"], G, DCGAN


class Program(NamedTuple):
    """recipe: what it trains. seeds: how many runs. load: what reads its checkpoint."""

    recipe: str
    command: tuple[str, ...]
    seeds: int = 1
    checkpoint: str = "checkpoint.npz"
    load: Callable[[Path], Drawn] = from_nanogan


def example(recipe: str, seeds: int) -> Program:
    return Program(recipe, ("examples/mnist_gan.py", "--recipe", recipe), seeds)


PROGRAMS = {
    "nanogan": example("nanogan", seeds=5),
    "dcgan": example("dcgan", seeds=1),
    "vanilla": example("vanilla", seeds=1),
    "PyTorch careful": Program(
        "dcgan", ("-m", "benchmarks.quality.torch_dcgan"), checkpoint="checkpoint.pt", load=from_pytorch
    ),
}


# ---- what was found


def seconds_to(fd: float, row: Row) -> float | None:
    """When the first checkpoint at least as good was there."""
    return next((point["seconds"] for point in row["curve"] if point["fd_mnist"] <= fd), None)


def table(rows: list[Row]) -> str:
    """Markdown: seconds until each FD-mnist was reached, medians with the lowest and the highest of the seeds."""
    lines = [
        "| trained | seeds | " + " | ".join(f"FD {fd:g}" for fd in REACHED) + " | FD at the end | all, s |",
        "| --- " * (len(REACHED) + 4) + "|",
    ]
    for name, program in PROGRAMS.items():
        found = [row for row in rows if row["workload"] == name]
        if found:
            label = f"`{program.recipe}`" + (" in PyTorch" if name in TORCH else "")
            cells = [reached([seconds_to(fd, row) for row in found]) for fd in REACHED]
            ends = [spread([row["curve"][-1]["fd_mnist"] for row in found], 2)]
            cells = [*cells, *ends, spread([row["seconds"] for row in found], 0)]
            lines.append(f"| {label} | {len(found)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def reached(seconds: list[float | None]) -> str:
    there = [value for value in seconds if value is not None]
    if not there:
        return "never"
    of = "" if len(there) == len(seconds) else f", {len(there)} of {len(seconds)}"
    return f"{spread(there, 0)} s{of}"


def spread(values: list[float], digits: int) -> str:
    low, median, high = (f"{value:.{digits}f}" for value in np.quantile(values, (0, 0.5, 1)))
    return median if low == high else f"{median} ({low} to {high})"
