"""Do nanogan's alarms find what they are for, and keep quiet otherwise? Fourteen faults, and recipes that are sound.

    python -m benchmarks.reliability.faults                 all; the result goes to benchmarks/results/faults.json
    python -m benchmarks.reliability.faults --only d-lr     some of the faults, printed and not saved
    python -m benchmarks.reliability.faults --table         the table in docs/break.md

Each fault of `python -m nanogan break`, with three seeds: the first of gradcheck, the objective's test and the run's
diagnosis that speaks has to be the one for this kind of fault. Sound recipes, as the faults use them and as they are
published, among them the slow start of `vanilla`: all three have to be silent. About 20 minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nanogan.learn.faults import examine, school
from nanogan.learn.faults.catalog import FAULTS, Fault, get_fault
from nanogan.recipes.mnist import get_recipe
from nanogan.recipes.recipe import Recipe

from ..machine import facts

RESULT = Path(__file__).parents[1] / "results" / "faults.json"
SEEDS = 3
SOUND: dict[str, tuple[Callable[[], Recipe], int, int]] = {
    "dense": (school.dense, 2500, SEEDS),
    "smoothed": (school.smoothed, 1500, SEEDS),
    "probabilities": (school.probabilities, 1500, SEEDS),
    "strong_discriminator": (school.strong_discriminator, 1000, SEEDS),
    "convolutional": (school.convolutional, 2500, SEEDS),
    "vanilla as published": (lambda: get_recipe("vanilla"), 9370, SEEDS),
    "udacity as published": (lambda: get_recipe("udacity"), 4685, 1),
    "student as published": (lambda: get_recipe("student"), 4685, 1),
    "dcgan as published": (lambda: get_recipe("dcgan"), 1874, 1),
    "nanogan as published": (lambda: get_recipe("nanogan"), 1874, 1),
}
"""By name: the recipe, how many steps, and with how many seeds. The first five are those that the faults break."""


def examined(make: Callable[[], Recipe], steps: int, seed: int) -> dict[str, Any]:
    began = time.perf_counter()
    found = examine.verdict(examine.proofs(make(), seed=seed), lambda: examine.train(make, steps, seed=seed))
    return {"seed": seed, "alarm": found.alarm, "said": found.said, "seconds": round(time.perf_counter() - began, 1)}


def faulty(faults: tuple[Fault, ...]) -> Iterator[dict[str, Any]]:
    for fault in faults:
        for seed in range(SEEDS):
            with examine.broken_by(fault):
                row = examined(fault.recipe, fault.steps, seed)
            yield {"fault": fault.name, "expected": fault.kind.alarm, **row, "right": row["alarm"] == fault.kind.alarm}


def sound() -> Iterator[dict[str, Any]]:
    for name, (make, steps, seeds) in SOUND.items():
        for seed in range(seeds):
            row = examined(make, steps, seed)
            yield {"recipe": name, "steps": steps, **row, "right": row["alarm"] is None}


def table(results: dict[str, Any]) -> str:
    """The right verdicts of each fault, and the silent runs of each recipe, as Markdown."""
    lines = ["| fault | found by | right verdicts | first words |", "| --- | --- | --- | --- |"]
    for fault in FAULTS:
        rows = [row for row in results["faults"] if row["fault"] == fault.name]
        words = rows[0]["said"].strip().splitlines()[0].split(";")[0]
        lines.append(f"| `{fault.name}` | {fault.kind.alarm} | {tally(rows)} | {words} |")
    lines += ["", "| sound recipe | steps | silent |", "| --- | --- | --- |"]
    for name, (_, steps, _) in SOUND.items():
        lines.append(f"| {name} | {steps:,} | {tally([r for r in results['sound'] if r['recipe'] == name])} |")
    return "\n".join(lines)


def tally(rows: list[dict[str, Any]]) -> str:
    return f"{sum(row['right'] for row in rows)} of {len(rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="FAULT", help="these faults alone, not saved")
    parser.add_argument("--table", action="store_true", help="print the table of what was saved")
    args = parser.parse_args()
    if args.table:
        print(table(json.loads(RESULT.read_text(encoding="utf-8"))))
        return
    results: dict[str, Any] = {"command": "python -m benchmarks.reliability.faults", "machine": facts(1, "numpy")}
    chosen = tuple(map(get_fault, args.only)) if args.only else FAULTS
    for part, runs in (("faults", faulty(chosen)), ("sound", iter(()) if args.only else sound())):
        results[part] = []
        for row in runs:
            results[part].append(row)
            print(row, flush=True)
        print(f"{part}: {tally(results[part])} right", flush=True)
    if not args.only:
        RESULT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
