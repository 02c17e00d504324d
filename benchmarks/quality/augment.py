"""Whether D learns its training images by heart: the default on few and on many of them, with and without `--augment`.

    python -m benchmarks.quality.augment                         all that augment.json doesn't have yet, 3 seeds
    python -m benchmarks.quality.augment --images 1000 --seeds 1
    python -m benchmarks.quality.augment --table                 print the table of what there is
    python -m benchmarks.quality.augment --plot curves.png       draw what D says, over the steps

All runs are equally long: 4,000 steps. The training images are drawn by the seed from MNIST's 60,000. Judged are 10,000
images of each run by FD-mnist. On the way, D is asked about 256 images that it trains on, and about 256 that it has
never seen, none of them augmented: where it knows its training images, the two part.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from nanogan.backend import Array
from nanogan.commands.arguments import Parser, errors_in_one_line, file_path, positive_int
from nanogan.data.images import load_mnist
from nanogan.io.plots import new_figure, save_figure
from nanogan.recipes.cures import cured
from nanogan.recipes.mnist import NANOGAN
from nanogan.recipes.recipe import Recipe
from nanogan.training.gan_trainer import Trainer, generate
from nanogan.training.health import opinions

from .cures import judge
from .recipes import machine, spread

RESULTS = Path(__file__).parents[1] / "results" / "augment.json"
SIZES = (500, 1_000, 5_000, 60_000)
STEPS = 4_000
POINTS = 16
"""Of each curve."""
ASKED = 256
"""Images of each kind that D is asked about."""
VARIANTS = {
    "without": (),
    "with": ("translation",),
}


def recipe_of(variant: str) -> Recipe:
    return cured(NANOGAN, augment=VARIANTS[variant]) if VARIANTS[variant] else NANOGAN


def measure(variant: str, count: int, seed: int, steps: int = STEPS) -> dict[str, Any]:
    """One run from its first step to its score."""
    recipe = recipe_of(variant)
    images = load_mnist("train", scale=recipe.pixels)[0]
    images = images[np.sort(np.random.default_rng([seed, 2]).permutation(len(images))[:count])]
    held_out = load_mnist("test", scale=recipe.pixels)[0][:ASKED]
    trainer = Trainer(recipe, images, seed=seed)
    curve = []
    while trainer.steps < steps:
        trainer.step()
        if trainer.steps % (steps // POINTS) == 0:
            said = {"training": say(trainer, images[:ASKED]), "held out": say(trainer, held_out)}
            curve.append({"step": trainer.steps, **{name: round(value, 4) for name, value in said.items()}})
    z = recipe.draw_noise(np.random.default_rng(1), np.empty((10_000, recipe.noise_size), trainer.dtype))
    scores = judge(generate(trainer.generator, recipe, z))
    row = {"variant": variant, "images": count, "seed": seed, "steps": steps, "seconds": round(trainer.seconds, 1)}
    return {**row, **scores, "d_says": curve, "machine": machine()}


def say(trainer: Trainer, images: Array) -> float:
    """The mean of what D says of images, in evaluation mode, in which nothing is augmented."""
    batches = ((images[start : start + 64], None) for start in range(0, len(images), 64))
    return float(opinions(trainer.D, trainer.loss, batches).mean())


def load_results() -> dict[str, Any]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"rows": []}


def key(row: dict[str, Any]) -> tuple[int, str, int, int]:
    return row["images"], row["variant"], row["seed"], row["steps"]


def add_run(variant: str, count: int, seed: int) -> None:
    """Make a run that augment.json doesn't have yet, and keep it there at once."""
    if (count, variant, seed, STEPS) in map(key, load_results()["rows"]):
        return
    row = measure(variant, count, seed)
    print({name: row[name] for name in ("variant", "images", "seed", "fd_mnist", "seconds")}, flush=True)
    rows = sorted([*load_results()["rows"], row], key=key)
    RESULTS.write_text(json.dumps({"command": "python -m benchmarks.quality.augment", "rows": rows}, indent=1) + "\n")


def table(rows: list[dict[str, Any]]) -> str:
    """A line per number of images: FD-mnist as the median of the seeds, with the least and the most, and what D says
    at the end of training and of held-out images."""
    titles = "training images | epochs | without | seeds | with `--augment` | seeds | D says, without | with"
    lines = [
        f"| {titles} |",
        "|" + " --- |" * 8,
    ]
    for count in sorted({row["images"] for row in rows}):
        cells, said = [f"{count:,}", f"{STEPS / (count // NANOGAN.batch_size):.0f}"], []
        for variant in VARIANTS:
            of = [row for row in rows if (row["images"], row["variant"]) == (count, variant)]
            cells += [spread([row["fd_mnist"] for row in of], ".2f") if of else "", str(len(of))]
            last = [[row["d_says"][-1][name] for row in of] for name in ("training", "held out")]
            said.append(", ".join(f"{np.median(values):.2f}" for values in last) if of else "")
        lines.append(f"| {' | '.join([*cells, *said])} |")
    return "\n".join(lines)


def save_plot(path: Path, rows: list[dict[str, Any]]) -> None:
    """What D says of training and of held-out images over the steps, without and with: the mean of the seeds."""
    counts = sorted({row["images"] for row in rows})
    figure = new_figure(max(5.0, 3.6 * len(counts)), 3.6)
    for axes, count in zip(figure.subplots(1, len(counts), squeeze=False)[0], counts, strict=True):
        for variant, color in (("without", "C3"), ("with", "C0")):
            curves = [row["d_says"] for row in rows if (row["images"], row["variant"]) == (count, variant)]
            for name, style in (("training", "-"), ("held out", "--")) if curves else ():
                means = np.mean([[point[name] for point in curve] for curve in curves], axis=0)
                steps = [point["step"] for point in curves[0]]
                axes.plot(steps, means, style, color=color, label=f"{variant} --augment, {name}")
        axes.set(title=f"{count:,} training images", xlabel="step", ylabel="D(x)", ylim=(0, 1))
        axes.grid(alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    save_figure(path, figure)


def main() -> None:
    parser = Parser(
        prog="python -m benchmarks.quality.augment",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--images", nargs="+", type=positive_int, default=list(SIZES), metavar="N", help="how many (default: all four)"
    )
    parser.add_argument("--variant", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="which (default: both)")
    parser.add_argument("--seeds", type=positive_int, default=3, metavar="N", help="seeds 0 to N - 1 (default: 3)")
    parser.add_argument("--table", action="store_true", help="print the table of what there is")
    parser.add_argument("--plot", type=file_path, metavar="FILE", help="draw what D says into a PNG file")
    args = parser.parse_args()
    with errors_in_one_line(parser.prog):
        if args.plot:
            save_plot(Path(args.plot), load_results()["rows"])
        elif not args.table:
            for seed in range(args.seeds):
                for count in args.images:
                    for variant in args.variant:
                        add_run(variant, count, seed)
        print(table(load_results()["rows"]))


if __name__ == "__main__":
    main()
