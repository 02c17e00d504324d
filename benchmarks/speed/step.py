"""A training step against its floor: the time of its matrix products alone, same arrays, same process.

    python -m benchmarks.speed.step [--recipe vanilla] [--batch-size 64] [--rounds 300] [--json FILE]

Whatever else a step does (activations, losses, noise, Adam) comes on top of its products, so their share of the step's
time says how much there is left to gain without a faster BLAS. Step and products run in turn, so that both see the same
machine; figures are medians with the quartiles beside them. `python -m benchmarks` compares with other libraries, and
`python -m benchmarks.speed.profile` says what the rest of the time goes to.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from nanogan.commands.arguments import Parser, errors_in_one_line, positive_int
from nanogan.commands.doctor import report
from nanogan.recipes.mnist import get_recipe
from nanogan.recipes.recipe import Recipe

from .ours import Nanogan
from .reference import Setup, Work
from .turns import quartiles


def alternate(contenders: dict[str, Work], *, rounds: int, warm_up: int = 20) -> dict[str, list[float]]:
    """Milliseconds of every call, `rounds` for each contender; the contenders take turns: A B A B ..."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(warm_up + rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            run(1)
            if turn >= warm_up:
                times[name].append(1000 * (time.perf_counter() - started))
    return times


def measure(recipe: Recipe, batch_size: int, rounds: int) -> dict[str, Any]:
    """Medians and quartiles, in milliseconds, of a step and of its products; and the share of the floor reached."""
    contender = Nanogan(Setup(recipe, batch_size))
    parts = contender.parts()
    times = alternate({name: parts[name] for name in ("step", "products")}, rounds=rounds)
    step, products = (quartiles(times[name]) for name in ("step", "products"))
    facts = contender.facts()
    return {
        "recipe": recipe.name,
        "batch_size": batch_size,
        "rounds": rounds,
        "products": facts["products"],
        "gflop": facts["gflop"],
        "step_ms": step,
        "products_ms": products,
        "share_of_floor": products[1] / step[1],
    }


def main() -> int:
    parser = Parser(prog="python -m benchmarks.speed.step", description=__doc__.split("\n")[0] if __doc__ else None)
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
