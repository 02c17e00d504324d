"""Do nanogan's alarms find what they are for, and keep quiet otherwise? Fourteen faults, and recipes that are sound.

    python -m benchmarks.reliability.faults                 all; the result goes to benchmarks/results/faults.json
    python -m benchmarks.reliability.faults --only d-lr     this one again, or several; the others stay as they are
    python -m benchmarks.reliability.faults --table         the tables in docs/break.md

Each fault of `python -m nanogan break`, with three seeds: the first of gradcheck, the objective's test and the run's
diagnosis that speaks has to be the one for this kind of fault. Sound recipes, as the faults use them and as they are
published, among them the slow start of `vanilla`: all three have to be silent. About 10 minutes on one core.
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
    "dense": (school.dense, 2500, 2),
    "smoothed": (school.smoothed, 1500, 2),
    "probabilities": (school.probabilities, 1500, 2),
    "strong_discriminator": (school.strong_discriminator, 1000, 2),
    "convolutional": (school.convolutional, 2500, 2),
    "vanilla as published": (lambda: get_recipe("vanilla"), 9370, 3),
    "udacity as published": (lambda: get_recipe("udacity"), 4685, 1),
    "nanogan as published": (lambda: get_recipe("nanogan"), 1874, 1),
}
"""By name: the recipe, how many steps, and with how many seeds. The first five are those that the faults break."""


def examined(make: Callable[[], Recipe], steps: int, seed: int) -> dict[str, Any]:
    """Which alarm the recipe sets off, as the source stands now."""
    began = time.perf_counter()

    def run() -> examine.Run:
        return examine.train(make, steps, seed=seed, until_alarm=True)

    found = examine.verdict(examine.proofs(make(), seed=seed), run)
    seconds = round(time.perf_counter() - began, 1)
    return {"seed": seed, "steps": steps, "alarm": found.alarm, "said": found.said, "seconds": seconds}


def faulty(fault: Fault) -> Iterator[dict[str, Any]]:
    for seed in range(SEEDS):
        with examine.broken_by(fault):
            row = examined(fault.recipe, fault.steps, seed)
        yield {**row, "right": row["alarm"] == fault.kind.alarm}


def sound(make: Callable[[], Recipe], steps: int, seeds: int) -> Iterator[dict[str, Any]]:
    for seed in range(seeds):
        row = examined(make, steps, seed)
        yield {**row, "right": row["alarm"] is None}


def table(results: dict[str, Any]) -> str:
    """The right verdicts of each fault, and the silent runs of each recipe, as Markdown."""
    lines = ["| fault | found by | right verdicts | first words, seed 0 |", "| --- | --- | --- | --- |"]
    for fault in FAULTS:
        if rows := results["faults"].get(fault.name):
            lines.append(f"| `{fault.name}` | {fault.kind.alarm} | {tally(rows)} | {first_words(rows[0]['said'])} |")
    lines += ["", "| sound recipe | steps | silent |", "| --- | --- | --- |"]
    lines += [f"| {name} | {rows[0]['steps']:,} | {tally(rows)} |" for name, rows in results["sound"].items()]
    totals = {part: [row for rows in results[part].values() for row in rows] for part in ("faults", "sound")}
    return "\n".join([*lines, "", f"Right: {tally(totals['faults'])} faults, {tally(totals['sound'])} sound runs."])


def first_words(said: str) -> str:
    """The line that says most: what a proof concludes, or the first rule of the diagnosis up to its advice."""
    lines = [line.strip() for line in said.splitlines()]
    return lines[-1] if "FAIL" in said else lines[0].split("; ")[0]


def tally(rows: list[dict[str, Any]]) -> str:
    return f"{sum(row['right'] for row in rows)} of {len(rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*(fault.name for fault in FAULTS), *SOUND]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help="these, the rest stays")
    parser.add_argument("--table", action="store_true", help="print the table of what was saved")
    args = parser.parse_args()
    results: dict[str, Any] = {"faults": {}, "sound": {}}
    if RESULT.exists():
        results |= json.loads(RESULT.read_text(encoding="utf-8"))
    if args.table:
        print(table(results))
        return
    results |= {"command": "python -m benchmarks.reliability.faults", "machine": facts(1, "numpy")}
    for name in args.only:
        part, runs = ("sound", sound(*SOUND[name])) if name in SOUND else ("faults", faulty(get_fault(name)))
        results[part][name] = list(runs)
        print(f"{name}: {tally(results[part][name])} right", flush=True)
        RESULT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
