"""What each ingredient of the recipe `nanogan` brings: the recipe with one thing changed, for a few epochs.

    python -m benchmarks.quality.ingredients [--epochs 2] [--seeds 1]

Judged by FD-mnist of 10,000 images. Variants and seeds that ingredients.json already has are not run again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nanogan.commands.arguments import Parser, positive_int
from nanogan.conv import Conv2d, ConvTranspose2d
from nanogan.data.images import load_mnist
from nanogan.layer import Layer
from nanogan.layers import Dropout, LeakyReLU, Linear, ReLU, Tanh
from nanogan.metrics.classifier import features_and_digits
from nanogan.metrics.samples import frechet_distance
from nanogan.norm import BatchNorm
from nanogan.optim import Adam
from nanogan.recipes.mnist import NANOGAN
from nanogan.recipes.recipe import Recipe
from nanogan.reshape import Flatten, Reshape
from nanogan.training.gan_trainer import Trainer, generate

RESULTS = Path(__file__).parents[1] / "results" / "ingredients.json"


def convolutional(hidden: int | None, channels: int) -> tuple[Layer, ...]:
    """The generator with another hidden layer, or none, and 2 and 1 times `channels`."""
    first: list[Layer] = [Linear(64, hidden, bias=False), BatchNorm(hidden), ReLU()] if hidden else []
    return (
        *first,
        Linear(hidden or 64, 49 * 2 * channels, bias=False),
        Reshape((7, 7, 2 * channels)),
        BatchNorm(2 * channels),
        ReLU(),
        ConvTranspose2d(2 * channels, channels, 4, stride=2, padding=1, bias=False),
        BatchNorm(channels),
        ReLU(),
        ConvTranspose2d(channels, 1, 4, stride=2, padding=1),
        Tanh(),
    )


def judging(hidden: int | None, channels: int, *, norm: bool = True) -> tuple[Layer, ...]:
    """The discriminator with another hidden layer, or none, `channels` and twice as many, without BatchNorm."""

    def normalised(width: int) -> list[Layer]:
        return [BatchNorm(width)] if norm else []

    last: list[Layer] = []
    if hidden:
        last = [Linear(49 * 2 * channels, hidden, bias=not norm), *normalised(hidden), LeakyReLU()]
    return (
        Conv2d(1, channels, 4, stride=2, padding=1),
        LeakyReLU(),
        Conv2d(channels, 2 * channels, 4, stride=2, padding=1, bias=not norm),
        *normalised(2 * channels),
        LeakyReLU(),
        Flatten(),
        *last,
        Linear(hidden or 49 * 2 * channels, 1),
    )


DENSE_G = (
    *(Linear(64, 256, bias=False), BatchNorm(256), ReLU(), Linear(256, 512, bias=False), BatchNorm(512), ReLU()),
    *(Linear(512, 784), Tanh(), Reshape((28, 28, 1))),
)
DENSE_D = (
    *(Flatten(), Linear(784, 512), LeakyReLU(), Dropout(0.5), Linear(512, 256), LeakyReLU(), Dropout(0.5)),
    Linear(256, 1),
)

VARIANTS: dict[str, Recipe] = {
    "nanogan": NANOGAN,
    "learning rate 5e-4": replace(NANOGAN, optimizer=Adam(lr=5e-4, betas=(0.5, 0.999))),
    "learning rate 2e-4, as DCGAN": replace(NANOGAN, optimizer=Adam(lr=2e-4, betas=(0.5, 0.999))),
    "beta1 0.9 instead of 0.5": replace(NANOGAN, optimizer=Adam(lr=1e-3, betas=(0.9, 0.999))),
    "real label 0.9": replace(NANOGAN, real_label=0.9),
    "no hidden layer in G": replace(NANOGAN, generator=convolutional(None, 16)),
    "no hidden layer in D": replace(NANOGAN, discriminator=judging(None, 16)),
    "no BatchNorm in D": replace(NANOGAN, discriminator=judging(128, 16, norm=False)),
    "twice the channels": replace(NANOGAN, generator=convolutional(256, 32), discriminator=judging(128, 32)),
    "G fully connected": replace(NANOGAN, generator=DENSE_G),
    "both fully connected, D with dropout, label 0.9, lr 5e-4": replace(
        NANOGAN,
        generator=DENSE_G,
        discriminator=DENSE_D,
        real_label=0.9,
        optimizer=Adam(lr=5e-4, betas=(0.5, 0.999)),
    ),
}


def measure(name: str, seed: int, epochs: int) -> dict[str, Any]:
    """FD-mnist with averaged weights and with the weights themselves."""
    recipe = VARIANTS[name]
    trainer = Trainer(recipe, load_mnist("train", scale=recipe.pixels)[0], seed=seed)
    for _ in range(epochs * trainer.batches.steps_per_epoch):
        trainer.step()
    test = features_and_digits(load_mnist("test", scale=(0, 1))[0])[0]
    z = recipe.draw_noise(np.random.default_rng(1), np.empty((10_000, recipe.noise_size), trainer.dtype))
    averaged, itself = (
        frechet_distance(test, features_and_digits(generate(G, recipe, z))[0]) for G in (trainer.generator, trainer.G)
    )
    step = 1000 * trainer.seconds / trainer.steps
    return {
        "variant": name,
        "seed": seed,
        "epochs": epochs,
        "fd_mnist": averaged,
        "unaveraged": itself,
        "step_ms": step,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """FD-mnist of every seed, side by side."""
    lines = ["| variant | FD-mnist | without averaging |", "| --- | --- | --- |"]
    for name in VARIANTS:
        of = [row for row in rows if row["variant"] == name]
        if of:
            scores = (", ".join(f"{row[key]:.2f}" for row in of) for key in ("fd_mnist", "unaveraged"))
            lines.append(f"| {name} | {' | '.join(scores)} |")
    return "\n".join(lines)


def main() -> None:
    parser = Parser(
        prog="python -m benchmarks.quality.ingredients",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--epochs", type=positive_int, default=2, metavar="N", help="length of each run (default: 2)")
    parser.add_argument("--seeds", type=positive_int, default=1, metavar="N", help="seeds 0 to N - 1 (default: 1)")
    args = parser.parse_args()
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    done = {(row["variant"], row["seed"]) for row in rows if row["epochs"] == args.epochs}
    for seed in range(args.seeds):
        for name in VARIANTS:
            if (name, seed) not in done:
                rows.append(measure(name, seed, args.epochs))
                print(rows[-1], flush=True)
                command = f"python -m benchmarks.quality.ingredients --epochs {args.epochs} --seeds {args.seeds}"
                RESULTS.write_text(json.dumps({"command": command, "rows": rows}, indent=1) + "\n")
    print(table([row for row in rows if row["epochs"] == args.epochs]))


if __name__ == "__main__":
    main()
