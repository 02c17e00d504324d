"""The recipe `conditional` by class, its nearest training images, and how well pictures are found again.

    python -m benchmarks.quality.conditional             three seeds, those that conditional.json doesn't have yet
    python -m benchmarks.quality.conditional --time      its step in turns with the default's
    python -m benchmarks.quality.conditional --table     print what there is

Each run is `examples/mnist_gan.py --conditional` as anyone would start it, in runs/quality/conditional-SEED. Judged are
10,000 images, 1,000 of each digit; the first 1,000 are compared with all training images; 100 test digits are looked
for in the noise, 20 at a time.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.recipes import NOISE_SEED, ROOT, machine, train
from nanogan.commands.arguments import Parser, errors_in_one_line, positive_int
from nanogan.data.images import load_mnist
from nanogan.explore import invert
from nanogan.metrics.by_class import REAL
from nanogan.metrics.evaluation import evaluate_samples, real_neighbours, training_neighbours
from nanogan.metrics.neighbours import copied_share, nearest
from nanogan.pix2pix.similarity import psnr
from nanogan.recipes.mnist import get_recipe
from nanogan.training.gan_trainer import Trainer, generate
from nanogan.training.trained import load_generator

RESULTS = ROOT / "benchmarks" / "results" / "conditional.json"
SOUGHT, AT_ONCE = 100, 20


def judge(checkpoint: Path) -> dict[str, Any]:
    """All scores of 10,000 images, the share of copies, and what `invert` finds."""
    G, recipe = load_generator(checkpoint)
    labels = np.arange(10_000) % 10
    z = recipe.draw_noise(np.random.default_rng(NOISE_SEED), np.empty((10_000, recipe.noise_size), G.dtype))
    images = generate(G, recipe, z, labels)
    copied = copied_share(training_neighbours(images).distance, real_neighbours().distance)
    test, train_images = load_mnist("test", scale=(0, 1))[0][:SOUGHT], load_mnist("train", scale=(0, 1))[0]
    started = time.process_time()
    found = [invert(G, recipe, test[start : start + AT_ONCE]).psnr for start in range(0, SOUGHT, AT_ONCE)]
    seconds = (time.process_time() - started) / SOUGHT
    beside = psnr(train_images[nearest(test, train_images)[0]], test)
    inverted = {
        "psnr": round(float(np.median(np.concatenate(found))), 2),
        "nearest_psnr": round(float(np.median(beside)), 2),
        "better_than_nearest": int((np.concatenate(found) > beside).sum()),
        "cpu_seconds_each": round(seconds, 2),
    }
    return {"scores": evaluate_samples(images, labels), "copied": copied, "inverted": inverted}


def time_steps() -> dict[str, float]:
    """The median milliseconds of 60 steps of both recipes, in turns of 20, after 10 others."""
    images, labels = (array[:10_000] for array in load_mnist("train"))
    trainers = {
        name: Trainer(get_recipe(name), images, labels=labels if name == "conditional" else None, seed=0)
        for name in ("nanogan", "conditional")
    }
    took: dict[str, list[float]] = {name: [] for name in trainers}
    for turn in range(4):
        for name, trainer in trainers.items():
            for _ in range(20 if turn else 10):
                before = trainer.seconds
                trainer.step()
                took[name] += [trainer.seconds - before] if turn else []
    return {name: round(1000 * float(np.median(each)), 2) for name, each in took.items()}


def load_results() -> dict[str, Any]:
    if RESULTS.exists():
        return json.loads(RESULTS.read_text())
    return {"command": "python -m benchmarks.quality.conditional", "real": REAL, "step_ms": {}, "rows": []}


def save_results(**changed: Any) -> None:
    RESULTS.write_text(json.dumps({**load_results(), **changed}, indent=1) + "\n")


def save_row(seed: int, row: dict[str, Any]) -> None:
    others = [old for old in load_results()["rows"] if old["seed"] != seed]
    save_results(rows=sorted([*others, {"seed": seed, **row, "machine": machine()}], key=lambda row: row["seed"]))


def table(rows: list[dict[str, Any]]) -> str:
    """A line per seed; of the scores by class, that of the worst class."""
    titles = (
        "seed | epochs | FD-mnist | read as asked | coverage, of real images' | trained on these | copied | found again"
    )
    lines = [f"| {titles} |", f"|{' --- |' * 8}"]
    for row in rows:
        scores, by_class, inverted = row["scores"], row["scores"]["by_class"], row["inverted"]
        cells = [
            str(row["seed"]),
            f"{row['epoch']:.0f}",
            f"{scores['fd_mnist']:.2f}",
            f"{100 * min(by_class['alignment']):.1f} %",
            f"{min(np.array(by_class['coverage']) / REAL['coverage']):.2f}",
            f"{scores['train_on_generated']:.4f}",
            f"{100 * row['copied']:.1f} %",
            f"{inverted['psnr']:.1f} dB ({inverted['nearest_psnr']:.1f})",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = Parser(
        prog="python -m benchmarks.quality.conditional",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=positive_int, default=3, metavar="N", help="seeds 0 to N - 1 (default: 3)")
    parser.add_argument("--time", action="store_true", help="time a step of both recipes instead of training")
    parser.add_argument("--table", action="store_true", help="print the table of what there is")
    args = parser.parse_args()
    with errors_in_one_line(parser.prog):
        if args.time:
            save_results(step_ms=time_steps())
        elif not args.table:
            for seed in set(range(args.seeds)) - {row["seed"] for row in load_results()["rows"]}:
                folder = ROOT / "runs" / "quality" / f"conditional-{seed}"
                reached = train("conditional", seed, folder, None)
                save_row(seed, {**reached, **judge(folder / "checkpoint.npz")})
        print(table(load_results()["rows"]))


if __name__ == "__main__":
    main()
