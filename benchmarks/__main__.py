"""The benchmark suite: how long nanogan's steps take, beside PyTorch's, JAX's, Keras's, naive NumPy's, and their floor.

    python -m benchmarks --quick                     a look, in less than a minute
    python -m benchmarks                             everything; it takes hours
    python -m benchmarks --only steps ablation       parts of it
    python -m benchmarks --only steps --resume       go on where an earlier one was stopped
    python -m benchmarks --only steps --avx2         as on a processor without AVX-512
    python -m benchmarks --only steps --contenders nanogan --before ../old    beside another checkout of nanogan
    python -m benchmarks --only steps --recipes vanilla --contenders nanogan     one step, beside its floor
    python -m benchmarks --table                     print the README's tables from what was saved
    python -m benchmarks --backend cupy              on a GPU

All contenders are first seen to compute the same losses from the same weights. Then they are timed by turns, each in a
process of its own with as many threads as the others. A process is fast or slow for its whole life, so all are started
anew five times; figures are medians of the processes, with the lowest and the highest. Those that aren't installed are
named and left out.

nanogan's floor is the time of its matrix products alone and of one pass over the optimizer's vectors, timed in turn
with the step. Its share of the step says how much there is left to gain without a faster BLAS. `python -m
benchmarks.speed.profile` says what the rest of the time goes to.

Results go to benchmarks/results: a JSON file for each part, and plots. Files of --backend cupy and of --avx2 have that
in their names. Of anything but a whole part (--quick, --recipes, --seeds, --batch-size, --contenders, --before) it is
saved only where --out says, and no plot is drawn.
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

from . import machine
from .quality import over_time
from .speed import parts, plots, tables
from .speed.environment import check_avx2
from .speed.parts import EVERYBODY, Options, Row
from .speed.reference import CLOCKS, COMPARED
from .speed.turns import OtherLosses

PROG = "python -m benchmarks"
RESULTS = Path(__file__).parent / "results"
PARTS = {**parts.PARTS, "quality-time": over_time.quality_time}


def arguments() -> argparse.Namespace:
    parser = Parser(prog=PROG, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a look in less than a minute")
    parser.add_argument(
        "--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART", help="of them all"
    )
    parser.add_argument("--recipes", nargs="+", choices=COMPARED, metavar="NAME", help="in `steps` and `quality-time`")
    parser.add_argument("--seeds", type=positive_int, help="in `quality-time` (default: the default's 5, others' 1)")
    parser.add_argument("--batch-size", type=positive_int, help="in the part `steps` (default: the recipe's)")
    parser.add_argument("--contenders", nargs="+", choices=EVERYBODY, metavar="NAME", help="who runs beside nanogan")
    parser.add_argument("--processes", type=positive_int, help="of each contender (default: 5; quick: 1)")
    parser.add_argument("--rounds", type=positive_int, help="turns of each process (default: 3; quick: 5)")
    parser.add_argument("--threads", type=positive_int, default=os.cpu_count(), help="of each (default: all CPUs)")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="cpu: for --threads 1 on a busy machine")
    parser.add_argument("--backend", choices=BACKENDS, default="numpy", help="default: numpy, the CPU")
    parser.add_argument("--avx2", action="store_true", help="hold all to AVX2 on a processor with AVX-512")
    parser.add_argument(
        "--before", type=Path, metavar="FOLDER", help="another checkout, whose nanogan runs beside this"
    )
    parser.add_argument("--resume", action="store_true", help="keep the rows that the files have already")
    parser.add_argument("--out", type=Path, help="folder for the results (default: benchmarks/results)")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what was saved")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    complete = not (args.quick or args.recipes or args.seeds or args.batch_size or args.contenders or args.before)
    out = args.out or (RESULTS if complete else None)
    with errors_in_one_line(PROG):
        if args.table:
            print("\n\n".join(saved_tables(out or RESULTS)))
            return 0
        get_backend(args.backend)
        if args.avx2:
            check_avx2()
        if args.before and not (args.before / "benchmarks" / "speed" / "worker.py").is_file():
            raise InputError(f"--before {args.before}: no checkout of nanogan is there")
        facts = {**machine.facts(args.threads, args.backend, args.avx2), "clock": args.clock}
        print("\n".join(f"{name:40}{fact}" for name, fact in facts.items()))
        kind = ("" if args.backend == "numpy" else f"-{args.backend}") + ("-avx2" if args.avx2 else "")
        try:
            for part in ["steps"] if args.quick and len(args.only) == len(PARTS) else args.only:
                measure(part, options(args), facts, out / f"{part}{kind}.json" if out else None, args.resume)
        except OtherLosses as error:
            print(f"{PROG}: error: {error}", file=sys.stderr)
            return 1
    if out and complete:
        plots.draw(out)
    return 0


def options(args: argparse.Namespace) -> Options:
    return Options(
        quick=args.quick,
        rounds=args.rounds or (5 if args.quick else 3),
        processes=args.processes or (1 if args.quick else 5),
        backend=args.backend,
        threads=args.threads,
        clock=args.clock,
        recipes=args.recipes,
        batch_size=args.batch_size,
        seeds=args.seeds,
        only=args.contenders,
        avx2=args.avx2,
        before=args.before and args.before.resolve(),
    )


def measure(part: str, options: Options, facts: dict[str, Any], path: Path | None, resume: bool) -> None:
    """Do a part. Each row is printed, and saved with those before it, as soon as it is there. resume: those that the
    file has already are kept and not measured again. Raises InputError if they are from another machine.
    """
    print(f"\n{part}: {PARTS[part].__doc__}")
    before, rows = machine.load(), rows_to_keep(path, facts) if resume and path else []
    for fields, measured in PARTS[part](options):
        if any(fields.items() <= row.items() for row in rows):
            continue
        row = {**fields, **measured()}
        rows.append(row)
        print(tables.lines(row), flush=True)
        result = {
            "command": " ".join([PROG, *sys.argv[1:]]).split(" --out ")[0],
            "machine": facts,
            "load before and after": [before, machine.load()],
        }
        if path:
            tables.save(path, result, rows=rows)


def rows_to_keep(path: Path, facts: dict[str, Any]) -> list[Row]:
    """Those of an earlier run on this machine."""
    if not path.exists():
        return []
    there: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    differ = [name for name, fact in facts.items() if name != machine.RATE and there["machine"].get(name) != fact]
    if differ:
        raise InputError(f"{path}: measured with another {differ[0]}; leave --resume out to measure all rows again")
    return list(there["rows"])


def saved(path: Path) -> list[Row]:
    """The rows of a file of results, if it is there."""
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []


def saved_tables(folder: Path) -> list[str]:
    """Those of the documentation, as far as their parts are there. Raises InputError if none is."""

    def rows(*names: str) -> list[Row]:
        return [row for name in names for row in saved(folder / f"{name}.json")]

    known = [
        (tables.compared, rows("steps", "pictures")),
        (tables.compared, rows("steps-avx2", "pictures-avx2")),
        (tables.ladder, rows("ablation")),
        (tables.others, rows("others")),
        (over_time.table, rows("quality-time")),
    ]
    found = [table(rows) for table, rows in known if rows]
    if not found:
        raise InputError(f"{folder}: holds no results; run this without --table first")
    return found


if __name__ == "__main__":
    sys.exit(main())
