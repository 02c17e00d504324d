"""What keeps the recipes that collapse from collapsing: each cure alone, for a few epochs, on several seeds.

    python -m benchmarks.quality.cures                      every cure of `course` and `keras`, 15 epochs, 3 seeds
    python -m benchmarks.quality.cures --gammas             how strong R1 + R2 must be: the range of gamma
    python -m benchmarks.quality.cures --best               the best cure, at the recipes' published length, 5 seeds
    python -m benchmarks.quality.cures --recipe nanogan --epochs 2 --seeds 1     what they do to the default
    python -m benchmarks.quality.cures --table              print the tables of what is there

Judged are 10,000 images of each run by FD-mnist and its classifier. Runs that cures.json already has are not made
again. Runs may share the machine with others, so a step's milliseconds are CPU time of one thread (`--time`, with
OMP_NUM_THREADS=1), all cures in turns.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nanogan.commands.arguments import Parser, errors_in_one_line, positive_int
from nanogan.conv import Conv2d
from nanogan.data.images import load_mnist
from nanogan.layer import Layer
from nanogan.layers import Dropout, LeakyReLU, Linear, ReLU
from nanogan.metrics.classifier import features_and_digits
from nanogan.metrics.samples import digit_shares, frechet_distance
from nanogan.norm import BatchNorm
from nanogan.recipes.cures import cured
from nanogan.recipes.mnist import RECIPES, with_optimizer
from nanogan.recipes.recipe import Recipe, has
from nanogan.reshape import Pack
from nanogan.training.gan_trainer import Trainer, generate

from .recipes import has_collapsed, machine, spread

RESULTS = Path(__file__).parents[1] / "results" / "cures.json"
RECIPES_THAT_COLLAPSE = ("course", "keras")
STUDIED = (*RECIPES_THAT_COLLAPSE, "nanogan")

# ---- the cures


def dropout_in_D(recipe: Recipe) -> Recipe:
    """With probability 0.3 after every hidden layer."""
    return replace(recipe, discriminator=after_activations(recipe.discriminator, Dropout(0.3)))


def after_activations(layers: tuple[Layer, ...], new: Layer) -> tuple[Layer, ...]:
    return tuple(x for layer in layers for x in ((layer, new) if isinstance(layer, (ReLU, LeakyReLU)) else (layer,)))


def batch_norm_in_G(recipe: Recipe) -> Recipe:
    """After every hidden Linear layer, unless G has it already."""
    if has(recipe.generator, BatchNorm):
        return recipe
    hidden = [n for n, layer in enumerate(recipe.generator) if isinstance(layer, Linear)][:-1]
    layers: list[Layer] = []
    for n, layer in enumerate(recipe.generator):
        layers.append(layer)
        if n in hidden and isinstance(layer, Linear):
            layers.append(BatchNorm(layer.n_out))
    return replace(recipe, generator=tuple(layers))


def packed(recipe: Recipe, size: int = 2) -> Recipe:
    """D judges images in packs: the first layer with weights sees `size` of them."""
    D = list(recipe.discriminator)
    place = next(n for n, layer in enumerate(D) if isinstance(layer, (Linear, Conv2d)))
    first = D[place]
    if isinstance(first, Linear):
        D[place] = replace(first, n_in=size * first.n_in)
    elif isinstance(first, Conv2d):
        D[place] = replace(first, c_in=size * first.c_in)
    return replace(recipe, discriminator=(*D[:place], Pack(size), *D[place:]))


Cure = Callable[[Recipe], Recipe]


def relativistic(gamma: float, **also: Any) -> Cure:
    return lambda recipe: cured(recipe, loss="relativistic", r1=gamma, r2=gamma, **also)


CURES: dict[str, Cure] = {
    "as published": lambda recipe: recipe,
    "real label 0.9": lambda recipe: replace(recipe, real_label=0.9),
    "beta1 0.5": lambda recipe: with_optimizer(recipe, beta1=0.5),
    "dropout in D": dropout_in_D,
    "BatchNorm in G": batch_norm_in_G,
    "Pack(2)": packed,
    "spectral norm": lambda recipe: cured(recipe, spectral_norm=True),
    "WGAN-GP": lambda recipe: cured(recipe, loss="wasserstein", gradient_penalty=10),
    "R1": lambda recipe: cured(recipe, r1=10),
    "R1 + R2": lambda recipe: cured(recipe, r1=10, r2=10),
    "relativistic + R1 + R2": relativistic(10),
}
GAMMAS: dict[str, Cure] = {f"relativistic, gamma {gamma:g}": relativistic(gamma) for gamma in (1, 3, 10, 30, 100)}
BEST = {"course": "relativistic, gamma 30", "keras": "relativistic, gamma 10"}
"""By recipe, because slopes count per unit of its pixels: in [0, 1], |g|^2 is four times what it is in [-1, 1]."""
ALL = {**CURES, **GAMMAS}
TIMED_AS = dict.fromkeys(GAMMAS, "relativistic + R1 + R2")


def cures_of(name: str) -> dict[str, Cure]:
    """The cures of the table that change this recipe, and its published form."""
    recipe = RECIPES[name]
    return {cure: change for cure, change in CURES.items() if cure == "as published" or change(recipe) != recipe}


# ---- measuring


def measure(name: str, cure: str, seed: int, epochs: int | None) -> dict[str, Any]:
    """One run from its first step to its scores. epochs: None for the recipe's published length."""
    recipe = ALL[cure](RECIPES[name])
    trainer = Trainer(recipe, load_mnist("train", scale=recipe.pixels)[0], seed=seed)
    per_epoch = trainer.batches.steps_per_epoch
    steps = recipe.steps or (recipe.epochs or 0) * per_epoch if epochs is None else epochs * per_epoch
    while trainer.steps < steps:
        trainer.step()
    z = recipe.draw_noise(np.random.default_rng(1), np.empty((10_000, recipe.noise_size), trainer.dtype))
    scores = judge(generate(trainer.generator, recipe, z))
    row = {"recipe": name, "cure": cure, "seed": seed, "epochs": epochs, "steps": steps, "seconds": trainer.seconds}
    return {**row, **scores, "collapsed": has_collapsed(scores), **trainer.means()}


def judge(images: Any) -> dict[str, Any]:
    """FD-mnist and the digits of images in [0, 1]."""
    features, digits = features_and_digits(images.astype(np.float32, copy=False))
    shares = digit_shares(digits)
    real = features_and_digits(load_mnist("test", scale=(0, 1))[0])[0]
    return {
        "fd_mnist": frechet_distance(real, features),
        "digits_covered": int((shares >= 0.01).sum()),
        "digit_shares": [round(float(share), 4) for share in shares],
    }


def load_results() -> dict[str, Any]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"step_ms": {}, "rows": []}


def save(**changed: Any) -> None:
    about = {"command": "python -m benchmarks.quality.cures", "machine": machine()}
    RESULTS.write_text(json.dumps({**about, **load_results(), **changed}, indent=1) + "\n")


def time_steps() -> dict[str, float]:
    """The median milliseconds of 30 steps of each recipe and cure: CPU time, all cures in turns."""
    medians: dict[str, float] = {}
    for name in STUDIED:
        images = load_mnist("train", scale=RECIPES[name].pixels)[0][:2000]
        trainers = {cure: Trainer(change(RECIPES[name]), images, seed=0) for cure, change in cures_of(name).items()}
        seconds: dict[str, list[float]] = {cure: [] for cure in trainers}
        for _ in range(35):
            for cure, trainer in trainers.items():
                started = time.process_time()
                trainer.step()
                seconds[cure].append(time.process_time() - started)
        medians |= {f"{name}, {cure}": round(1000 * float(np.median(times[5:])), 1) for cure, times in seconds.items()}
    return medians


def table(rows: list[dict[str, Any]]) -> str:
    """A line per recipe, length and cure: each figure the median over its seeds, with the least and the most."""
    lines = [
        "| recipe | cure | epochs | seeds | collapsed | FD-mnist | digits drawn | rarest digit | step |",
        "|" + " --- |" * 9,
    ]
    step_ms = load_results()["step_ms"]
    for name, cure, epochs in dict.fromkeys((row["recipe"], row["cure"], row["epochs"]) for row in rows):
        of = [row for row in rows if (row["recipe"], row["cure"], row["epochs"]) == (name, cure, epochs)]
        ms = step_ms.get(f"{name}, {cure}") or step_ms.get(f"{name}, {TIMED_AS.get(cure)}")
        published = RECIPES[name].epochs or f"{RECIPES[name].steps:,} steps"
        cells = [
            f"`{name}`",
            cure,
            str(epochs or published),
            str(len(of)),
            f"{sum(row['collapsed'] for row in of)} of {len(of)}",
            spread([row["fd_mnist"] for row in of], ".1f"),
            spread([row["digits_covered"] for row in of], ".0f"),
            spread([100 * min(row["digit_shares"]) for row in of], ".1f") + " %",
            f"{ms:.1f} ms" if ms else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def time_table(step_ms: dict[str, float]) -> str:
    """What each cure adds to a step: a line per cure, milliseconds and the ratio to the published step."""
    lines = [f"| cure | {' | '.join(f'`{name}`' for name in STUDIED)} |", "| --- " * (1 + len(STUDIED)) + "|"]
    cures = {name: cures_of(name) for name in STUDIED}

    def cell(name: str, cure: str) -> str:
        if cure not in cures[name]:
            return "has it"
        ms = step_ms[f"{name}, {cure}"]
        return f"{ms:.1f} ms, {ms / step_ms[f'{name}, as published']:.2f}"

    lines += [f"| {cure} | {' | '.join(cell(name, cure) for name in STUDIED)} |" for cure in CURES]
    return "\n".join(lines)


def main() -> None:
    parser = Parser(
        prog="python -m benchmarks.quality.cures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--recipe", nargs="+", default=list(RECIPES_THAT_COLLAPSE), choices=STUDIED, metavar="NAME")
    parser.add_argument("--cure", nargs="+", choices=ALL, metavar="CURE", help="which (default: all of the table)")
    parser.add_argument("--gammas", action="store_true", help="the range of gamma instead")
    parser.add_argument("--best", action="store_true", help="the best cure at the recipes' published length instead")
    parser.add_argument("--epochs", type=positive_int, default=15, metavar="N", help="length of a run (default: 15)")
    parser.add_argument("--seeds", type=positive_int, metavar="N", help="seeds 0 to N - 1 (default: 3; 5 with --best)")
    parser.add_argument("--time", action="store_true", help="time a step of every recipe and cure instead, in CPU time")
    parser.add_argument("--table", action="store_true", help="print the table of what there is")
    args = parser.parse_args()
    if args.best and not args.cure and (without := sorted(set(args.recipe) - BEST.keys())):
        parser.error(f"--best: no best cure is known of {', '.join(without)}; choose among {', '.join(BEST)}")
    with errors_in_one_line(parser.prog):
        if args.time:
            save(step_ms=time_steps())
        elif not args.table:
            for seed in range(args.seeds or (5 if args.best else 3)):
                for name in args.recipe:
                    for cure in args.cure or ([BEST[name]] if args.best else GAMMAS if args.gammas else cures_of(name)):
                        add_run(name, cure, seed, None if args.best else args.epochs)
        found = load_results()
        print(f"{table(found['rows'])}\n\n{time_table(found['step_ms'])}" if found["step_ms"] else table(found["rows"]))


def add_run(name: str, cure: str, seed: int, epochs: int | None) -> None:
    """Make a run that cures.json doesn't have yet, and keep it there at once."""
    rows = load_results()["rows"]
    if any((row["recipe"], row["cure"], row["seed"], row["epochs"]) == (name, cure, seed, epochs) for row in rows):
        return
    row = measure(name, cure, seed, epochs)
    print(row, flush=True)
    save(rows=[*load_results()["rows"], row])


if __name__ == "__main__":
    main()
