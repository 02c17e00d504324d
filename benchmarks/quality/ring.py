"""Modes found and high-quality samples of packed and plain GANs on the ring and the grid, seed by seed.

    python -m benchmarks.quality.ring [--seeds 5] [--grid-seeds 2] [--resume] [--json benchmarks/results/ring.json]
    python -m benchmarks.quality.ring --setting penalties --packing 1 --grid-seeds 5 --json penalties.json

Every run is `python examples/ring.py` with one seed, in a process of its own. The results are written after each;
--resume keeps those that are there and makes the others. Printed is the table of the README, in Markdown.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import nanogan
from nanogan.commands.arguments import Parser, positive_int

from ..speed import tables

ROOT = Path(__file__).parents[2]
PUBLISHED = {
    ("ring", 1): "6.3 ± 0.5 | 98.2 ± 0.2 %",
    ("ring", 2): "7.9 ± 0.1 | 95.6 ± 2.0 %",
    ("ring", 4): "7.8 ± 0.1 | 95.9 ± 1.4 %",
    ("grid", 1): "17.3 ± 0.8 | 94.8 ± 0.7 %",
    ("grid", 2): "23.8 ± 0.7 | 91.3 ± 0.8 %",
    ("grid", 4): "24.8 ± 0.2 | 93.6 ± 0.6 %",
}
"""Modes and high quality of each mixture and packing (Lin et al. 2018), the rows of the table."""


def run(mixture: str, packing: int, seed: int, setting: str, steps: int | None) -> dict[str, Any]:
    """What the example writes down of one run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "examples" / "ring.py"), "--mixture", mixture, "--packing", str(packing)]
        command += ["--setting", setting, "--seed", str(seed), "--out", folder, "--quiet"]
        command += ["--steps", str(steps)] if steps else []
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
        result: dict[str, Any] = json.loads((Path(folder) / "result.json").read_text())
    return {name: value for name, value in result.items() if name not in ("out", "quiet")}


def table(runs: Sequence[dict[str, Any]]) -> str:
    """A line for each mixture and packing: means and standard errors, the least of all seeds, and what is published."""
    lines = [
        "| mixture | D judges | seeds | modes | high quality | least of all seeds | published: modes | high quality |",
        "|" + " --- |" * 8,
    ]
    for (mixture, packing), published in PUBLISHED.items():
        row = [one for one in runs if (one["mixture"], one["packing"]) == (mixture, packing)]
        if row:
            hit, good = [one["modes"] for one in row], [100 * one["high_quality"] for one in row]
            least = f"{min(hit)}, {min(good):.1f} %" if len(row) > 1 else ""
            cells = [mixture, packing, len(row), with_error(hit), f"{with_error(good)} %", least, published]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def with_error(values: Sequence[float]) -> str:
    """Mean ± standard error, where there are several."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1) / math.sqrt(len(values)):.1f}"


def main() -> None:
    parser = Parser(prog="python -m benchmarks.quality.ring", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seeds", type=positive_int, default=5, help="runs for each row of the ring (default: 5)")
    parser.add_argument("--grid-seeds", type=positive_int, default=2, help="the same for the grid (default: 2)")
    parser.add_argument("--setting", default="small", help="of the example: small (default), penalties or published")
    parser.add_argument(
        "--mixture", nargs="+", default=["ring", "grid"], choices=("ring", "grid"), help="default: both"
    )
    parser.add_argument("--packing", type=int, nargs="+", default=[1, 2, 4], help="which rows (default: 1 2 4)")
    parser.add_argument("--steps", type=positive_int, help="training steps (default: the example's)")
    parser.add_argument("--resume", action="store_true", help="keep the runs that the file has already")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "results" / "ring.json", metavar="FILE")
    args = parser.parse_args()
    about = {
        "command": " ".join(["python -m benchmarks.quality.ring", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"nanogan {nanogan.__version__}",
    }
    runs: list[dict[str, Any]] = json.loads(args.json.read_text())["runs"] if args.resume else []
    kept = {(one["mixture"], one["packing"], one["seed"]) for one in runs}
    for mixture, packing in PUBLISHED:
        for seed in range(args.seeds if mixture == "ring" else args.grid_seeds):
            if (mixture, packing, seed) in kept or mixture not in args.mixture or packing not in args.packing:
                continue
            found = run(mixture, packing, seed, args.setting, args.steps)
            print(found, flush=True)
            runs.append(found)
            runs.sort(key=lambda one: (list(PUBLISHED).index((one["mixture"], one["packing"])), one["seed"]))
            tables.save(args.json, about, runs=runs)
    print(table(runs))


if __name__ == "__main__":
    main()
