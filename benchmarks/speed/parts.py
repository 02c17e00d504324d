"""The parts of the suite: what is measured, with whom, in which sizes. Each part gives rows for a table and a plot."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from nanogan.layers import Linear
from nanogan.pix2pix.networks import unet
from nanogan.recipes.mnist import RECIPES, VANILLA, get_recipe
from nanogan.recipes.recipe import ImageToImage, Recipe

from .contenders import JAX, KERAS, NAIVE, OURS, TORCH
from .naive_step import LADDER
from .reference import Setup
from .turns import measure, quartiles

ROOT = Path(__file__).parents[2]
Row = dict[str, Any]
EVERYBODY = (OURS, NAIVE, *TORCH, JAX, *KERAS)
IN_SWEEPS = (OURS, NAIVE, "PyTorch eager", "PyTorch careful", JAX)
"""Without the forms that take long to start, or never lead."""


@dataclass(frozen=True)
class Options:
    """What all parts are told. recipes, batch_size: of the part `steps`, None for all recipes and their own. only: who
    runs beside nanogan, None for all. The rest is for `Setup`.
    """

    quick: bool
    rounds: int
    backend: str
    threads: int
    clock: str
    recipes: list[str] | None
    batch_size: int | None = None
    only: list[str] | None = None

    def setup(self, recipe: Recipe | ImageToImage, batch_size: int) -> Setup:
        """Without what only nanogan would do: a schedule of learning rates, averaged weights."""
        if isinstance(recipe, Recipe):
            recipe = replace(recipe, schedule=None, ema_decay=None)
        return Setup(recipe, batch_size, self.backend, self.threads, self.clock)

    def contenders(self, names: tuple[str, ...]) -> list[str]:
        """Of these, those that make sense: on a GPU no NumPy, on a CPU no graph, in a quick look no compiling."""
        without = {*(LADDER if self.backend == "cupy" else ("PyTorch graphed",))}
        without |= {"PyTorch compiled"} if self.quick else set()
        chosen = names if self.only is None else (OURS, *self.only)
        return [name for name in names if name in chosen and name not in without]


def steps(options: Options) -> Iterator[Row]:
    """Every recipe's own step, and vanilla's with larger batches."""
    names = options.recipes or (["vanilla"] if options.quick else list(RECIPES))
    for name in names:
        recipe = get_recipe(name)
        contenders = tuple(other for other in EVERYBODY if name == "keras" or other not in KERAS)
        larger = (256, 1024) if name == "vanilla" and not options.quick else ()
        for batch_size in (options.batch_size,) if options.batch_size else (recipe.batch_size, *larger):
            yield measure(options.setup(recipe, batch_size), options.contenders(contenders), options.rounds)


def batches(options: Options) -> Iterator[Row]:
    """vanilla's step in batches of 16 to 4096."""
    for batch_size in (16, 64, 256) if options.quick else (16, 64, 256, 1024, 4096):
        yield measure(options.setup(VANILLA, batch_size), options.contenders(IN_SWEEPS), options.rounds)


def hidden(options: Options) -> Iterator[Row]:
    """vanilla's step with 64 to 4096 units in every hidden layer."""
    for width in (64, 256) if options.quick else (64, 256, 1024, 4096):
        row = measure(options.setup(with_hidden(width), 64), options.contenders(IN_SWEEPS), options.rounds)
        yield {**row, "hidden": width}


def with_hidden(width: int) -> Recipe:
    """vanilla with another number of units."""

    def wide(layer: Any) -> Any:
        if not isinstance(layer, Linear):
            return layer
        n_in, n_out = (width if size == 256 else size for size in (layer.n_in, layer.n_out))
        return Linear(n_in, n_out)

    generator, discriminator = (tuple(map(wide, layers)) for layers in (VANILLA.generator, VANILLA.discriminator))
    return replace(VANILLA, generator=generator, discriminator=discriminator)


def convolutions(options: Options) -> Iterator[Row]:
    """The DCGAN's step in several batches."""
    for batch_size in (16,) if options.quick else (16, 64, 256):
        yield measure(options.setup(RECIPES["dcgan"], batch_size), options.contenders(IN_SWEEPS), options.rounds)


def pictures(options: Options) -> Iterator[Row]:
    """The U-Net's step from picture to picture, at its own batch."""
    recipe = unet((28, 28, 1), (28, 28, 1))
    contenders = options.contenders((OURS, "PyTorch eager", "PyTorch fused", "PyTorch careful"))
    yield measure(options.setup(recipe, recipe.batch_size), contenders, options.rounds)


def ablation(options: Options) -> Iterator[Row]:
    """The steps of vanilla and course, from naive NumPy to nanogan, one trick after the other."""
    for recipe in (VANILLA,) if options.quick else (VANILLA, RECIPES["course"]):
        names = options.contenders((*LADDER, OURS))
        yield measure(options.setup(recipe, recipe.batch_size), names, options.rounds)


# ---- what is no step


TIMED = """
import time
{before}
started = time.perf_counter()
{statement}
print(time.perf_counter() - started)
"""
SAMPLING = """
import numpy as np
from nanogan import Network, get_backend
from nanogan.recipes.mnist import get_recipe
from nanogan.training.gan_trainer import generate
recipe = get_recipe({name!r})
G = Network(recipe.generator, recipe.noise_size, backend=get_backend({backend!r}), rng=np.random.default_rng(0))
z = recipe.draw_noise(np.random.default_rng(1), np.empty((10_000, recipe.noise_size), np.float32))
generate(G, recipe, z[:1000])
"""


def others(options: Options) -> Iterator[Row]:
    """Importing, loading, sampling; and an epoch of the example as its user runs it, with pictures and checkpoint."""
    statements = {
        "import numpy": ("", "import numpy"),
        "import nanogan": ("", "import nanogan"),
        "load MNIST's 60,000 images": ("from nanogan.data.images import load_mnist", "load_mnist('train')"),
        **{
            f"draw 10,000 digits, {name}": (
                SAMPLING.format(name=name, backend=options.backend),
                "generate(G, recipe, z)",
            )
            for name in ("vanilla", "dcgan")
        },
    }
    for name, (before, statement) in statements.items():
        code = TIMED.format(before=before, statement=statement)
        yield timed(name, partial(seconds_of, code, options), 3 if options.quick else 7)
    if not options.quick:
        yield timed("python examples/mnist_gan.py --epochs 1", partial(epoch, options), 3)


def timed(name: str, seconds: Callable[[], float], rounds: int) -> Row:
    return {"workload": name, "rounds": rounds, "ms": {OURS: quartiles([1000 * seconds() for _ in range(rounds)])}}


def seconds_of(code: str, options: Options) -> float:
    return float(run(options, "-c", code))


def run(options: Options, *arguments: str) -> str:
    """What a fresh Python prints."""
    threads = {"OPENBLAS_NUM_THREADS": str(options.threads), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env={**os.environ, **threads}, check=True, capture_output=True, text=True).stdout


def epoch(options: Options) -> float:
    with tempfile.TemporaryDirectory() as folder:
        example, out = str(ROOT / "examples" / "mnist_gan.py"), str(Path(folder) / "run")
        started = time.perf_counter()
        run(options, example, "--epochs", "1", "--seed", "0", "--backend", options.backend, "--out", out)
        return time.perf_counter() - started


PARTS: dict[str, Callable[[Options], Iterator[Row]]] = {
    part.__name__: part for part in (steps, ablation, batches, hidden, convolutions, pictures, others)
}
