"""A training step against its floor: the time of its matrix products alone, same arrays, same process.

    python -m benchmarks.step [--recipe vanilla] [--batch-size 64] [--rounds 300] [--json FILE]

Whatever else a step does (activations, losses, noise, Adam) comes on top of its products, so their share of the step's
time says how much there is left to gain without a faster BLAS. Step and products run in turn, so that both see the same
machine; figures are medians with the quartiles beside them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from nanogan.backend import Array, Backend
from nanogan.command_line import Parser, errors_in_one_line, positive_int
from nanogan.doctor import report
from nanogan.recipe import Recipe
from nanogan.recipes import get_recipe
from nanogan.training import Trainer


class RecordingNumPy(SimpleNamespace):
    """NumPy, keeping the operands of every product. Arrays are work arrays, so they can be multiplied again later."""

    def __init__(self) -> None:
        self.products: list[tuple[Array, Array, Array]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def matmul(self, a: Array, b: Array, out: Array) -> Array:
        self.products.append((a, b, out))
        return np.matmul(a, b, out=out)


def products_of_a_step(trainer: Trainer, recorder: RecordingNumPy) -> list[tuple[Array, Array, Array]]:
    trainer.step()
    recorder.products.clear()
    trainer.step()
    return list(recorder.products)


def alternate(contenders: dict[str, Callable[[], None]], *, rounds: int, warm_up: int = 20) -> dict[str, Array]:
    """Seconds of every call, (rounds,) for each contender; the contenders take turns: A B A B ..."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(warm_up + rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            if turn >= warm_up:
                times[name].append(time.perf_counter() - started)
    return {name: np.array(seconds) for name, seconds in times.items()}


def measure(recipe: Recipe, batch_size: int, rounds: int) -> dict[str, Any]:
    """Medians and quartiles, in milliseconds, of a step and of its products; and the share of the floor reached."""
    images = np.random.default_rng(0).uniform(*recipe.pixels, (max(1000, batch_size), *recipe.image_shape))
    recorder, backend = RecordingNumPy(), Backend()
    backend.xp = recorder
    products = products_of_a_step(
        Trainer(recipe, images.astype(np.float32), seed=0, batch_size=batch_size, backend=backend), recorder
    )
    trainer = Trainer(recipe, images.astype(np.float32), seed=0, batch_size=batch_size)

    def multiply() -> None:
        for a, b, out in products:
            np.matmul(a, b, out=out)

    seconds = alternate({"step": trainer.step, "products": multiply}, rounds=rounds)
    quartiles = {name: [1000 * float(q) for q in np.quantile(s, (0.25, 0.5, 0.75))] for name, s in seconds.items()}
    return {
        "recipe": recipe.name,
        "batch_size": batch_size,
        "rounds": rounds,
        "products": len(products),
        "gflop": sum(2 * a.shape[0] * a.shape[1] * b.shape[1] for a, b, _ in products) / 1e9,
        "step_ms": quartiles["step"],
        "products_ms": quartiles["products"],
        "share_of_floor": quartiles["products"][1] / quartiles["step"][1],
    }


def main() -> int:
    parser = Parser(prog="python -m benchmarks.step", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--recipe", default="vanilla", help="default: vanilla")
    parser.add_argument("--batch-size", type=positive_int, help="default: the recipe's")
    parser.add_argument("--rounds", type=positive_int, default=300, help="default: 300")
    parser.add_argument("--json", metavar="FILE", help="write the figures here, too")
    args = parser.parse_args()
    with errors_in_one_line(parser.prog):
        recipe = get_recipe(args.recipe)
        result = measure(recipe, args.batch_size or recipe.batch_size, args.rounds)
    print(report().split("\n\n")[0])
    print(f"\n{recipe.name}, batch {result['batch_size']}, {args.rounds} rounds in turn      median   (quartiles)")
    for name, label in (("step_ms", "whole step"), ("products_ms", f"its {result['products']} products alone")):
        low, median, high = result[name]
        print(f"{label:38}{median:10.2f} ms ({low:.2f} to {high:.2f})")
    print(f"{'share of the floor':38}{100 * result['share_of_floor']:10.0f} %")
    if args.json:
        Path(args.json).write_text(json.dumps({"command": " ".join(sys.argv), **result}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
