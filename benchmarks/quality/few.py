"""What a GAN that is trained on few labelled pictures gains a classifier: two data sets, four numbers of pictures.

    python -m benchmarks.quality.few                             all that few.json doesn't have yet, five seeds
    python -m benchmarks.quality.few --data mnist --per-class 10 20
    python -m benchmarks.quality.few --table                     print the tables of what there is

Each setting is `examples/augment.py` as anyone would start it, in runs/quality/few-DATA-N, so one that was stopped is
resumed. Data: MNIST, and scikit-learn's digits of 8 x 8, which `tools/digits_8x8.py` writes to runs/quality/digits.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from nanogan.commands.arguments import Parser, errors_in_one_line, positive_int
from nanogan.few.experiment import ARMS
from nanogan.few.summary import NAMES, gain, mean, percent

from .recipes import ROOT, machine

RESULTS = ROOT / "benchmarks" / "results" / "few.json"
FOLDERS = ROOT / "runs" / "quality"
DATA = {"mnist": "MNIST", "digits": "digits of 8 x 8"}
SIZES = (10, 20, 50, 100)


def measure(data: str, per_class: int, seeds: int) -> None:
    """Make one setting, or go on with it, and keep what it found."""
    folder = FOLDERS / f"few-{data}-{per_class}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pictures = FOLDERS / "digits"
    if data == "digits" and not pictures.exists():
        subprocess.run([sys.executable, "-m", "tools.digits_8x8", str(pictures)], cwd=ROOT, env=environment, check=True)
    command = [sys.executable, "examples/augment.py", "--per-class", str(per_class), "--seeds", str(seeds)]
    command += ["--out", str(folder), *(["--data", str(pictures)] if data == "digits" else [])]
    command += ["--resume"] if (folder / "results.json").exists() else []
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    found = json.loads((folder / "results.json").read_text())
    row = {"data": data, "per_class": per_class, "parts": found["data"], "settings": found["settings"]}
    row |= {"seeds": found["seeds"], "machine": machine()}
    others = [old for old in load_results()["rows"] if key(old) != key(row)]
    RESULTS.write_text(
        json.dumps({"command": "python -m benchmarks.quality.few", "rows": sorted([*others, row], key=key)}, indent=1)
        + "\n"
    )


def key(row: dict[str, Any]) -> tuple[int, int]:
    return list(DATA).index(row["data"]), row["per_class"]


def load_results() -> dict[str, Any]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"rows": []}


def table(rows: list[dict[str, Any]]) -> str:
    """A line per setting: what each arm tells right of the test part, and what generated pictures gain."""
    names = " | ".join(NAMES[arm] for arm in ARMS)
    lines = [
        f"| data | per class | seeds | {names} | gain in points | CPU minutes |",
        "|" + " --- |" * (len(ARMS) + 5),
    ]
    for row in rows:
        seeds = row["seeds"]
        cells = [DATA[row["data"]], str(row["per_class"]), str(len(seeds))]
        cells += [f"{mean(percent(seeds, arm))} %" for arm in ARMS]
        found, with_generated, without = gain(seeds)
        cells.append(f"{found} ({with_generated} - {without})")
        cells.append(f"{sum(seed['cpu_seconds']['all'] for seed in seeds) / 60:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def every_seed(rows: list[dict[str, Any]]) -> str:
    """A line per setting and arm: every seed's test accuracy, and the shares that validation chose."""
    most = max((len(row["seeds"]) for row in rows), default=0)
    lines = [
        f"| data | per class | trained on | {' | '.join(f'seed {n}' for n in range(most))} | generated share |",
        "|" + " --- |" * (most + 4),
    ]
    for row in rows:
        for arm in ARMS:
            each = [f"{value:.1f}" for value in percent(row["seeds"], arm)]
            shares = [f"{seed['arms'][arm]['share']:g}" for seed in row["seeds"]] if arm in ARMS[2:] else []
            cells = [DATA[row["data"]], str(row["per_class"]), NAMES[arm], *each, *[""] * (most - len(each))]
            lines.append(f"| {' | '.join([*cells, ', '.join(shares)])} |")
    return "\n".join(lines)


def main() -> None:
    parser = Parser(
        prog="python -m benchmarks.quality.few",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA), help="which (default: both)")
    parser.add_argument(
        "--per-class", nargs="+", type=positive_int, default=list(SIZES), metavar="N", help="(default: 10 20 50 100)"
    )
    parser.add_argument("--seeds", type=positive_int, default=5, metavar="N", help="seeds 0 to N - 1 (default: 5)")
    parser.add_argument("--table", action="store_true", help="print the tables of what there is")
    args = parser.parse_args()
    with errors_in_one_line(parser.prog):
        if not args.table:
            for data in args.data:
                for per_class in args.per_class:
                    measure(data, per_class, args.seeds)
        rows = load_results()["rows"]
        print(f"{table(rows)}\n\n{every_seed(rows)}")


if __name__ == "__main__":
    main()
