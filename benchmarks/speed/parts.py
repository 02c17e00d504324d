"""The parts of the suite: what is measured, with whom, in which sizes. Each part gives rows for a table and a plot.

A part is a generator of tasks. What identifies a task's row comes first, so that a row that is there needn't be
measured again.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from nanogan.layers import Linear
from nanogan.pix2pix.networks import unet
from nanogan.recipes.mnist import RECIPES, VANILLA, get_recipe
from nanogan.recipes.recipe import ImageToImage, Recipe

from .contenders import BEFORE, JAX, KERAS, NAIVE, OURS, TORCH
from .environment import ROOT, variables
from .naive_step import LADDER
from .reference import COMPARED, Setup
from .sizes import SMALL_LR
from .turns import measure

Row: TypeAlias = dict[str, Any]
Task: TypeAlias = tuple[Row, Callable[[], Row]]
"""The fields that tell a row from the others of its part, and what measures it."""

EVERYBODY = (OURS, NAIVE, *TORCH, JAX, *KERAS)
USUAL = (OURS, NAIVE, "PyTorch eager", "PyTorch careful", "PyTorch graphed", JAX, *KERAS)
"""Without PyTorch's other forms, which take long to start and were never faster than both of these on a CPU."""
ALIKE = (OURS, NAIVE, *TORCH, JAX)
"""Those that have a step of every recipe that makes images from noise."""


@dataclass(frozen=True)
class Options:
    """What all parts are told. recipes, batch_size: of the part `steps`, None for all recipes and their own. seeds: how
    many runs `quality-time` makes. only: who runs beside nanogan, None for the usual. processes: of each contender,
    with so many rounds in each. The rest is for `Setup`.
    """

    quick: bool
    rounds: int
    processes: int
    backend: str
    threads: int
    clock: str
    recipes: list[str] | None
    batch_size: int | None = None
    seeds: int | None = None
    only: list[str] | None = None
    avx2: bool = False
    before: Path | None = None

    def setup(self, recipe: Recipe | ImageToImage, batch_size: int) -> Setup:
        """Without what only nanogan would do: a schedule of learning rates, averaged weights."""
        if isinstance(recipe, Recipe):
            recipe = replace(recipe, schedule=None, ema_decay=None)
        return Setup(recipe, batch_size, self.backend, self.threads, self.clock, self.avx2, self.before)

    def contenders(self, names: tuple[str, ...]) -> list[str]:
        """Of these, those that make sense: on a GPU no NumPy, on a CPU no graph."""
        without = {*(LADDER if self.backend == "cupy" else ("PyTorch graphed",))}
        chosen = USUAL if self.only is None else (OURS, *self.only)
        found = [name for name in names if name in chosen and name not in without]
        return [*found, BEFORE] if self.before else found

    def step(self, recipe: Recipe | ImageToImage, batch_size: int, names: tuple[str, ...], **size: int) -> Task:
        """A step of the recipe in so large a batch, by these contenders. size: what else tells the row from others."""
        setup, contenders = self.setup(recipe, batch_size), self.contenders(names)
        measured = partial(measure, setup, contenders, self.rounds, self.processes)
        return {"workload": recipe.name, "batch_size": batch_size, **size}, measured


def steps(options: Options) -> Iterator[Task]:
    """Every recipe's own step, and vanilla's with larger batches."""
    names = options.recipes or (["vanilla"] if options.quick else COMPARED)
    for name in names:
        recipe = get_recipe(name)
        contenders = tuple(other for other in EVERYBODY if name == "keras" or other not in KERAS)
        larger = (256, 1024) if name == "vanilla" and not options.quick else ()
        for batch_size in (options.batch_size,) if options.batch_size else (recipe.batch_size, *larger):
            yield options.step(recipe, batch_size, contenders)


def batches(options: Options) -> Iterator[Task]:
    """vanilla's step in batches of 16 to 4096."""
    for batch_size in (16, 64, 256) if options.quick else (16, 64, 256, 1024, 4096):
        yield options.step(VANILLA, batch_size, ALIKE)


def hidden(options: Options) -> Iterator[Task]:
    """vanilla's step with 64 to 4096 units in every hidden layer."""
    for width in (64, 256) if options.quick else (64, 256, 1024, 4096):
        yield options.step(with_hidden(width), 64, ALIKE, hidden=width)


def with_hidden(width: int) -> Recipe:
    """vanilla with another number of units."""

    def wide(layer: Any) -> Any:
        if not isinstance(layer, Linear):
            return layer
        n_in, n_out = (width if size == 256 else size for size in (layer.n_in, layer.n_out))
        return Linear(n_in, n_out)

    generator, discriminator = (tuple(map(wide, layers)) for layers in (VANILLA.generator, VANILLA.discriminator))
    return replace(VANILLA, generator=generator, discriminator=discriminator)


def convolutions(options: Options) -> Iterator[Task]:
    """The DCGAN's step in several batches."""
    for batch_size in (16,) if options.quick else (16, 64, 256):
        yield options.step(RECIPES["dcgan"], batch_size, ALIKE)


def pictures(options: Options) -> Iterator[Task]:
    """The U-Net's step from picture to picture, and the default's for images of 64 x 64 in colour."""
    large = replace(get_recipe("nanogan", (64, 64, 3), lr=SMALL_LR), name="nanogan, 64 x 64 in colour")
    for recipe in (unet((28, 28, 1), (28, 28, 1)), large):
        yield options.step(recipe, recipe.batch_size, (OURS, *TORCH[:3]))


def ablation(options: Options) -> Iterator[Task]:
    """The steps of vanilla and course, from naive NumPy to nanogan, one trick after the other."""
    for recipe in (VANILLA,) if options.quick else (VANILLA, RECIPES["course"]):
        yield replace(options, only=list(LADDER)).step(recipe, recipe.batch_size, (*LADDER, OURS))


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


def others(options: Options) -> Iterator[Task]:
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
        yield {"workload": name}, partial(timed, partial(seconds_of, code, options), 3 if options.quick else 7)
    if not options.quick:
        yield {"workload": "python examples/mnist_gan.py --epochs 1"}, partial(timed, partial(epoch, options), 3)


def timed(seconds: Callable[[], float], rounds: int) -> Row:
    """Milliseconds as [first quartile, median, third quartile], each in a process of its own."""
    milliseconds = [1000 * seconds() for _ in range(rounds)]
    return {"rounds": rounds, "ms": {OURS: [float(f"{ms:.4g}") for ms in np.quantile(milliseconds, (0.25, 0.5, 0.75))]}}


def seconds_of(code: str, options: Options) -> float:
    return float(run(options, "-c", code))


def run(options: Options, *arguments: str) -> str:
    """What a fresh Python prints."""
    environment = variables(options.threads, options.avx2)
    return subprocess.run(
        [sys.executable, *arguments], env=environment, check=True, capture_output=True, text=True
    ).stdout


def epoch(options: Options) -> float:
    with tempfile.TemporaryDirectory() as folder:
        example, out = str(ROOT / "examples" / "mnist_gan.py"), str(Path(folder) / "run")
        started = time.perf_counter()
        run(options, example, "--epochs", "1", "--seed", "0", "--backend", options.backend, "--out", out)
        return time.perf_counter() - started


PARTS: dict[str, Callable[[Options], Iterator[Task]]] = {
    part.__name__: part for part in (steps, ablation, batches, hidden, convolutions, pictures, others)
}
