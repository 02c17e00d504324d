"""Stacked MNIST: three digits as the channels of one image, so 1,000 modes to draw. How many does one generator draw?

    python -m benchmarks.quality.stacked                    3 seeds, 20 minutes each
    python -m benchmarks.quality.stacked --minutes 5 --seeds 1
    python -m benchmarks.quality.stacked --table            print what there is

One G draws three channels from one z (three draws of a one-channel G would pass without having learned a mode). It is
trained on triples of training digits alone. Of 26,000 samples, FD-mnist's classifier reads every channel; KL is that of
the modes drawn to the uniform distribution, in nats. Judged every 5 minutes of training, on one machine after the
other, so a run that was given less time than it asks for is the beginning of a run.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nanogan.backend import Array
from nanogan.commands.arguments import Parser, errors_in_one_line, positive_int
from nanogan.data.images import load_mnist
from nanogan.metrics.classifier import features_and_digits
from nanogan.optim import Adam
from nanogan.recipes.convolutional import nanogan
from nanogan.recipes.recipe import Recipe
from nanogan.training.gan_trainer import Trainer, generate

from .recipes import machine

RESULTS = Path(__file__).parents[1] / "results" / "stacked.json"
TRIPLES, SAMPLES, MODES = 60_000, 26_000, 1000


def recipe() -> Recipe:
    """The default with half as many channels again, twice as much noise, and G at five times the learning rate of D."""
    G, D = (Adam(lr=lr, betas=(0, 0.99)) for lr in (5e-3, 1e-3))
    wide = nanogan((28, 28, 3), width=24, noise_size=128)
    return replace(wide, name="stacked", optimizer=G, d_optimizer=D)


def triples(images: Array, count: int, rng: np.random.Generator) -> Array:
    """Three images each, drawn at random, as channels: (count, 28, 28, 3)."""
    chosen = images[rng.integers(len(images), size=(count, 3)), :, :, 0]
    return np.ascontiguousarray(np.moveaxis(chosen, 1, -1))


def judge(images: Array) -> dict[str, float]:
    """Modes among images (N, 28, 28, 3) in [0, 1], and the KL divergence of their shares to uniform ones, in nats."""
    channels = np.moveaxis(images, -1, 0)[..., None]
    digits = [features_and_digits(np.ascontiguousarray(channel))[1] for channel in channels]
    counts = np.bincount(digits[0] * 100 + digits[1] * 10 + digits[2], minlength=MODES)
    shares = counts[counts > 0] / counts.sum()
    return {"modes": int((counts > 0).sum()), "kl": float((shares * np.log(shares * MODES)).sum())}


def measure(seed: int, minutes: int) -> dict[str, Any]:
    """One run, judged every 5 minutes of training, and at the end."""
    images = load_mnist("train", scale=(-1, 1))[0]
    trainer = Trainer(recipe(), triples(images, TRIPLES, np.random.default_rng([seed, 3])), seed=seed)
    z = trainer.recipe.draw_noise(np.random.default_rng(1), np.empty((SAMPLES, trainer.recipe.noise_size), np.float32))
    curve: list[dict[str, float]] = []
    for stop in [*range(5, minutes, 5), minutes]:
        while trainer.seconds < 60 * stop:
            trainer.step()
        scores = judge(generate(trainer.generator, trainer.recipe, z))
        curve.append({"step": trainer.steps, "seconds": round(trainer.seconds, 1), **scores})
        print(f"seed {seed}: {curve[-1]}", flush=True)
    return {"seed": seed, "minutes": minutes, "curve": curve, **curve[-1], "machine": machine()}


def real() -> dict[str, float]:
    """What 26,000 triples of real training digits score: the best that can be."""
    return judge(triples(load_mnist("train", scale=(0, 1))[0], SAMPLES, np.random.default_rng(0)))


def table(found: dict[str, Any]) -> str:
    lines = ["| row | modes | KL |", "| --- | --- | --- |"]
    lines.append(f"| real triples | {found['real']['modes']} | {found['real']['kl']:.3f} |")
    for row in found["rows"]:
        name = f"seed {row['seed']}, {row['step']:,} steps, {row['seconds'] / 60:.0f} minutes"
        lines.append(f"| {name} | {row['modes']} | {row['kl']:.3f} |")
    return "\n".join(lines)


def main() -> None:
    parser = Parser(
        prog="python -m benchmarks.quality.stacked",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=positive_int, default=20, metavar="N", help="of training (default: 20)")
    parser.add_argument("--seeds", type=positive_int, default=3, metavar="N", help="seeds 0 to N - 1 (default: 3)")
    parser.add_argument("--table", action="store_true", help="print the table of what there is")
    args = parser.parse_args()
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"real": real(), "rows": []}
    with errors_in_one_line(parser.prog):
        for seed in [] if args.table else range(args.seeds):
            if (seed, args.minutes) not in {(row["seed"], row["minutes"]) for row in found["rows"]}:
                found["rows"].append(measure(seed, args.minutes))
                RESULTS.write_text(
                    json.dumps({"command": "python -m benchmarks.quality.stacked", **found}, indent=1) + "\n"
                )
        print(table(found))


if __name__ == "__main__":
    main()
