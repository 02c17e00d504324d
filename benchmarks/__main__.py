"""The benchmark suite: how long nanogan's steps take, beside PyTorch's, JAX's, Keras's, naive NumPy's, and their floor.

    python -m benchmarks --quick                     a look, in less than a minute
    python -m benchmarks                             everything; about half an hour on two CPU cores
    python -m benchmarks --only steps ablation       parts of it
    python -m benchmarks --only steps --recipes vanilla --contenders nanogan     one step, beside its floor
    python -m benchmarks --table                     print the README's tables from what was saved
    python -m benchmarks --backend cupy              on a GPU

All contenders are first seen to compute the same losses from the same weights. Then they are timed by turns, each in a
process of its own with as many threads as the others. Those that aren't installed are named and left out.

nanogan's floor is the time of its matrix products alone and of one pass over the optimizer's vectors, timed in turn
with the step. Its share of the step says how much there is left to gain without a faster BLAS. `python -m
benchmarks.speed.profile` says what the rest of the time goes to.

Results go to benchmarks/results: a JSON file for each part, and plots. Of less than a whole part
(--quick, --recipes, --batch-size, --contenders) the JSON file is saved only where --out says, and no plot is drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from nanogan.backend import BACKENDS
from nanogan.backends import get_backend
from nanogan.commands.arguments import Parser, errors_in_one_line, positive_int
from nanogan.errors import InputError
from nanogan.recipes.mnist import RECIPES

from . import machine
from .speed import plots, tables
from .speed.parts import EVERYBODY, PARTS, Options
from .speed.reference import CLOCKS
from .speed.turns import OtherLosses

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = Parser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a look in less than a minute")
    parser.add_argument(
        "--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART", help="of them all"
    )
    parser.add_argument("--recipes", nargs="+", choices=list(RECIPES), metavar="NAME", help="in the part `steps`")
    parser.add_argument("--batch-size", type=positive_int, help="in the part `steps` (default: the recipe's)")
    parser.add_argument("--contenders", nargs="+", choices=EVERYBODY, metavar="NAME", help="who runs beside nanogan")
    parser.add_argument("--rounds", type=positive_int, help="turns of each contender (default: 15; quick: 5)")
    parser.add_argument("--threads", type=positive_int, default=os.cpu_count(), help="of each (default: all CPUs)")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="cpu: for --threads 1 on a busy machine")
    parser.add_argument("--backend", choices=BACKENDS, default="numpy", help="default: numpy, the CPU")
    parser.add_argument("--out", type=Path, help="folder for the results (default: benchmarks/results)")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what was saved")
    args = parser.parse_args()
    complete = not (args.quick or args.recipes or args.batch_size or args.contenders)
    out = args.out or (RESULTS if complete else None)
    with errors_in_one_line(parser.prog):
        if args.table:
            print("\n\n".join(saved_tables(out or RESULTS)))
            return 0
        get_backend(args.backend)
    options = Options(
        quick=args.quick,
        rounds=args.rounds or (5 if args.quick else 15),
        backend=args.backend,
        threads=args.threads,
        clock=args.clock,
        recipes=args.recipes,
        batch_size=args.batch_size,
        only=args.contenders,
    )
    facts = {**machine.facts(args.threads, args.backend), "clock": args.clock}
    print("\n".join(f"{name:26}  {fact}" for name, fact in facts.items()))
    try:
        for part in ["steps"] if args.quick and len(args.only) == len(PARTS) else args.only:
            name = f"{part}{'' if args.backend == 'numpy' else '-' + args.backend}.json"
            measure(part, options, facts, out / name if out else None)
    except OtherLosses as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    if out and complete:
        plots.draw(out)
    return 0


def measure(part: str, options: Options, facts: dict[str, Any], path: Path | None) -> None:
    """Do a part. Each row is printed, and saved with those before it, as soon as it is there."""
    print(f"\n{part}: {PARTS[part].__doc__}")
    before, rows = machine.load(), []
    for row in PARTS[part](options):
        rows.append(row)
        print(tables.lines(row), flush=True)
        result = {
            "command": " ".join(["python -m benchmarks", *sys.argv[1:]]).split(" --out ")[0],
            "machine": facts,
            "load before and after": [before, machine.load()],
        }
        if path:
            tables.save(path, result, rows=rows)


def saved_tables(folder: Path) -> list[str]:
    """Those of the README, as far as their parts are there. Raises InputError if none is."""

    def saved(*parts: str) -> list[dict[str, Any]]:
        files = [folder / f"{part}.json" for part in parts]
        return [row for file in files if file.exists() for row in json.loads(file.read_text(encoding="utf-8"))["rows"]]

    parts = {
        tables.compared: saved("steps", "pictures"),
        tables.ladder: saved("ablation"),
        tables.others: saved("others"),
    }
    found = [table(rows) for table, rows in parts.items() if rows]
    if not found:
        raise InputError(f"{folder}: holds no results; run this without --table first")
    return found


if __name__ == "__main__":
    sys.exit(main())
