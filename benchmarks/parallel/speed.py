"""Two workers with one BLAS thread each against one process with two, by turns.

    python -m benchmarks.parallel.speed          the result goes to benchmarks/results/workers.json

Milliseconds of a step that a tenth of the steps stay below, the least of the rounds: other work on the machine then
disturbs least. And for two workers the parts of a mean step: what rank 0 computes, the sums over both workers, and how
long it waits for the other to come to one.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks import machine
from nanogan.commands.arguments import Parser, positive_int

from .launch import launch, save

JOBS: list[dict[str, Any]] = [
    {"recipe": recipe, "batch_size": batch_size, "steps": steps}
    for recipe, batch_size, steps in (
        ("nanogan", 64, 30),
        ("nanogan", 256, 8),
        ("vanilla", 64, 80),
        ("vanilla", 256, 30),
    )
]
HEAD = "| recipe | batch | one process, ms | two, ms | times as fast | computes | adds | waits |"


def table(rows: list[dict[str, Any]]) -> str:
    lines = [HEAD, "| --- " * HEAD.count(" |") + "|"]
    for row in rows:
        parts = " | ".join(f"{row[name]:.2f}" for name in ("computes_ms", "adds_ms", "waits_ms"))
        times = f"{row['one_ms']:.2f} | {row['two_ms']:.2f} | {row['one_ms'] / row['two_ms']:.2f}"
        lines.append(f"| `{row['recipe']}` | {row['batch_size']} | {times} | {parts} |")
    return "\n".join(lines)


def main() -> int:
    parser = Parser(prog="python -m benchmarks.parallel.speed", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=positive_int, default=4, help="default: 4")
    args = parser.parse_args()
    ones, twos = [], []
    for _ in range(args.rounds):
        ones.append(launch(1, 2, JOBS))
        twos.append(launch(2, 1, JOBS))
    apart = launch(2, 1, [{**job, "apart": True} for job in JOBS])
    rows = []
    for number, job in enumerate(JOBS):
        one, two = (sorted(found[number]["tenth_ms"] for found in all_rounds) for all_rounds in (ones, twos))
        parts = apart[number]
        rows.append(
            {
                **job,
                "one_ms": one[0],
                "two_ms": two[0],
                "one_all_ms": one,
                "two_all_ms": two,
                "computes_ms": parts["mean_ms"] - parts["sums_ms"] - parts["waiting_ms"],
                "adds_ms": parts["sums_ms"],
                "waits_ms": parts["waiting_ms"],
                "sums": parts["sums"],
                "bytes": parts["bytes"],
            }
        )
    facts = {**machine.facts(1, "numpy"), "load": machine.load()}
    save("workers.json", {"command": "python -m benchmarks.parallel.speed", "machine": facts, "rows": rows})
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
