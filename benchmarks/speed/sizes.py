"""What a step takes, in time and memory, by the size of the images and their channels: nanogan beside PyTorch.

    python -m benchmarks.speed.sizes [--recipe nanogan] [--sizes 28 32 64 128] [--threads 1] [--clock cpu] [--table]

Both start from the same weights, must get the same losses, and take turns, each in a process of its own. Memory is the
peak of the process: libraries, networks and work arrays, and 1,000 images (at 28 x 28 in grey, 10,000). What was
measured before for other sizes stays in benchmarks/results/sizes.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import machine
from nanogan.commands.arguments import Parser, errors_in_one_line, positive_int
from nanogan.recipes.mnist import get_recipe

from . import tables
from .contenders import OURS
from .reference import CLOCKS, Setup
from .turns import measure

RESULTS = Path(__file__).parents[1] / "results" / "sizes.json"
TORCH = "PyTorch eager"
SMALL_LR = 1e-4
"""It costs no time, and three steps of Adam in float32 then lead both to the same losses at every size."""
HEAD = "| images | nanogan, ms | PyTorch eager, ms | nanogan, MB | PyTorch eager, MB |"


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown: median time of a step, peak memory of the process."""
    lines = [HEAD, "| --- " * HEAD.count(" |") + "|"]
    for row in rows:
        ms = " | ".join(f"{row['ms'][name][1]:,.0f}" for name in (OURS, TORCH))
        memory = " | ".join(f"{row['peak_MB'][name]:.0f}" for name in (OURS, TORCH))
        size, _, channels = row["image_shape"]
        lines.append(f"| {size} x {size}, {'colour' if channels == 3 else 'grey'} | {ms} | {memory} |")
    return "\n".join(lines)


def main() -> int:
    parser = Parser(prog="python -m benchmarks.speed.sizes", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--recipe", default="nanogan", help="default: nanogan")
    parser.add_argument("--sizes", type=positive_int, nargs="+", default=[28, 32, 64, 128], metavar="N")
    parser.add_argument("--threads", type=positive_int, default=1, help="of each contender (default: 1)")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="default: wall; cpu: beside other work")
    parser.add_argument("--rounds", type=positive_int, default=3, help="default: 3")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what was saved")
    args = parser.parse_args()
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"] if RESULTS.exists() else []
    with errors_in_one_line(parser.prog):
        for shape in [] if args.table else [(size, size, channels) for size in args.sizes for channels in (1, 3)]:
            recipe = get_recipe(args.recipe, shape, lr=SMALL_LR)
            row = measure(
                Setup(recipe, recipe.batch_size, threads=args.threads, clock=args.clock),
                (OURS, TORCH),
                args.rounds,
                processes=1,
            )
            row = {"image_shape": list(shape), "load": machine.load(), **row}
            rows = sorted([*(old for old in rows if old["image_shape"] != row["image_shape"]), row], key=shape_of)
            facts = {**machine.facts(args.threads, "numpy", avx2=False), "clock": args.clock}
            result = {"command": f"python -m benchmarks.speed.sizes --clock {args.clock}", "machine": facts}
            tables.save(RESULTS, result, rows=rows)
            print(table([row]).splitlines()[-1], flush=True)
    print(table(rows))
    return 0


def shape_of(row: dict[str, Any]) -> list[int]:
    return row["image_shape"]


if __name__ == "__main__":
    sys.exit(main())
