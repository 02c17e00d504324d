"""Every recipe at its published length, on several seeds, judged by the same metrics: the README's table.

    python -m benchmarks.quality.recipes                 all recipes and seeds that quality.json doesn't have yet
    python -m benchmarks.quality.recipes --recipe vanilla --seeds 3
    python -m benchmarks.quality.recipes --recipe paper-2014 --seeds 1 --every 10      a curve: judged every 10 epochs
    python -m benchmarks.quality.recipes --backend cupy --workers 4    four seeds at a time, each on a GPU of its own
    python -m benchmarks.quality.recipes --table                    print the table of what is there
    python -m benchmarks.quality.recipes --time         a step of every recipe, on a machine that does nothing else

Each run is `examples/mnist_gan.py` as anyone would start it, in runs/quality/RECIPE-SEED, so one that was stopped is
resumed. Judged are 10,000 images from noise of their own. Runs may share the machine with others, so the minutes in
the table are the number of steps times the median step of `--time`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import queue
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from nanogan.backend import BACKENDS
from nanogan.commands.arguments import Parser, errors_in_one_line, positive_int
from nanogan.commands.doctor import blas_kernel
from nanogan.data.images import load_mnist
from nanogan.metrics.evaluation import REAL, evaluate_samples
from nanogan.recipes.mnist import RECIPES, get_recipe
from nanogan.training.gan_trainer import Trainer, generate
from nanogan.training.trained import load_generator

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "quality.json"
SEEDS = {"nanogan": 5, "paper-2014": 1}  # of the others, 3
NOISE_SEED = 1
SAVING = threading.Lock()


def judge(checkpoint: Path) -> dict[str, Any]:
    """The scores of 10,000 images, and how often each digit is among them."""
    G, recipe = load_generator(checkpoint)
    z = recipe.draw_noise(np.random.default_rng(NOISE_SEED), np.empty((10_000, recipe.noise_size), G.dtype))
    labels = np.arange(len(z)) % G.classes if G.uses_labels else None
    return evaluate_samples(generate(G, recipe, z, labels), labels)


def train(
    recipe: str, seed: int, folder: Path, epochs: int | None, backend: str = "numpy", place: int | None = None
) -> dict[str, float]:
    """Train to `epochs` (None: the recipe's length), from where the folder's run stands. The last row of its log.

    place: the number of the GPU to use; None: any.
    """
    begun = (folder / "checkpoint.npz").exists()
    length = ["--epochs", str(epochs)] if epochs else []
    command = [sys.executable, "examples/mnist_gan.py", "--recipe", recipe, "--seed", str(seed), "--out", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if place is not None:
        environment["CUDA_VISIBLE_DEVICES"] = str(place)
    subprocess.run(
        [*command, *length, "--backend", backend, "--quiet", *(["--resume"] if begun else [])],
        cwd=ROOT,
        env=environment,
        check=True,
    )
    log = np.genfromtxt(folder / "log.csv", delimiter=",", names=True)
    return {name: float(np.atleast_1d(log[name])[-1]) for name in ("epoch", "step", "seconds")}


def measure(
    recipe: str,
    seed: int,
    every: int | None,
    epochs: int | None,
    backend: str = "numpy",
    place: int | None = None,
) -> None:
    """Make one row of the table, or go on with it. With `every`, its scores on the way are kept as a curve."""
    folder = ROOT / "runs" / "quality" / f"{recipe}-{seed}"
    row: dict[str, Any] = next(
        (row for row in load_results()["rows"] if (row["recipe"], row["seed"]) == (recipe, seed)), {"curve": []}
    )
    last = epochs or get_recipe(recipe).epochs
    for stop in [*(range(every, last, every) if every and last else []), last]:
        if any(point["epoch"] >= (stop or 0) for point in row["curve"]):
            continue
        reached = train(recipe, seed, folder, stop, backend, place)
        scores = judge(folder / "checkpoint.npz")
        point = {**reached, "fd_mnist": scores["fd_mnist"], "parzen": scores["parzen"]}
        row = {"recipe": recipe, "seed": seed, **reached, "scores": scores, "curve": [*row["curve"], point]}
        save_row({**row, "machine": {**machine(), "backend": backend}})
        print(f"{recipe}, seed {seed}: {json.dumps(point)}", flush=True)


def time_steps() -> dict[str, float]:
    """The median milliseconds of 100 steps of each recipe at its own batch, after 20 others."""
    medians = {}
    for recipe in RECIPES.values():
        images, labels = (array[:10_000] for array in load_mnist("train", scale=recipe.pixels))
        trainer = Trainer(recipe, images, labels=labels if recipe.class_names else None, seed=0)
        seconds = [0.0]
        for _ in range(120):
            trainer.step()
            seconds.append(trainer.seconds)
        medians[recipe.name] = round(1000 * float(np.median(np.diff(seconds)[20:])), 2)
        print(f"{recipe.name}: {medians[recipe.name]} ms a step", flush=True)
    return medians


def load_results() -> dict[str, Any]:
    if RESULTS.exists():
        return json.loads(RESULTS.read_text())
    return {"command": "python -m benchmarks.quality.recipes", "real": REAL, "step_ms": {}, "rows": []}


def save_results(**changed: Any) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**load_results(), **changed}, indent=1) + "\n")


def save_row(row: dict[str, Any]) -> None:
    """Put a row into quality.json at once, so that nothing is lost where the script is stopped."""
    with SAVING:
        others = [old for old in load_results()["rows"] if (old["recipe"], old["seed"]) != (row["recipe"], row["seed"])]
        rows = sorted([*others, row], key=lambda row: (list(RECIPES).index(row["recipe"]), row["seed"]))
        save_results(rows=rows)


def measure_all(jobs: list[tuple[str, int, int | None, int | None]], backend: str, workers: int) -> None:
    """`measure` each; with several workers so many at a time, on a GPU each."""
    places: queue.Queue[int | None] = queue.Queue()
    for place in range(workers):
        places.put(place if workers > 1 else None)

    def one(job: tuple[str, int, int | None, int | None]) -> None:
        place = places.get()
        try:
            measure(*job, backend, place)
        finally:
            places.put(place)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, jobs))  # so that what fails is raised here


def machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "threads": os.environ.get("OPENBLAS_NUM_THREADS", "all"),
        "kernels": blas_kernel(),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The README's table: a line a recipe, each figure the median over its seeds with the least and the most."""
    lines = [
        "| recipe | length | seeds | FD-mnist | digits drawn | rarest digit | Parzen | minutes | collapsed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for recipe, ms in load_results()["step_ms"].items():
        found = [row for row in rows if row["recipe"] == recipe]
        if found:
            scores = [row["scores"] for row in found]
            collapsed = sum(has_collapsed(one) for one in scores)
            cells = [
                f"`{recipe}`",
                f"{found[0]['epoch']:.0f} epochs",
                str(len(found)),
                spread([one["fd_mnist"] for one in scores], ".2f"),
                spread([one["digits_covered"] for one in scores], ".0f"),
                spread([100 * one["rarest_digit"] for one in scores], ".1f") + " %",
                spread([one["parzen"] for one in scores], ".0f"),
                f"{found[0]['step'] * ms / 60_000:.1f}",
                f"{collapsed} of {len(found)}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def has_collapsed(scores: dict[str, Any]) -> bool:
    """Whether most of the images are one digit, or fewer than half of the digits are drawn at all."""
    return max(scores["digit_shares"]) > 0.5 or scores["digits_covered"] < 5


def spread(values: list[float], form: str) -> str:
    """3.1 (2.9 to 3.4), or 3.1 where all are alike"""
    low, middle, high = (format(float(f(values)), form) for f in (np.min, np.median, np.max))
    return middle if low == high else f"{middle} ({low} to {high})"


def main() -> None:
    parser = Parser(
        prog="python -m benchmarks.quality.recipes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--recipe", nargs="+", default=list(RECIPES), choices=RECIPES, metavar="NAME", help="which (default: all)"
    )
    parser.add_argument(
        "--seeds", type=positive_int, metavar="N", help="seeds 0 to N - 1 (default: 3; 5 of nanogan, 1 of paper-2014)"
    )
    parser.add_argument("--every", type=positive_int, metavar="N", help="judge every N epochs, too")
    parser.add_argument("--epochs", type=positive_int, metavar="N", help="instead of the published length")
    parser.add_argument("--backend", choices=BACKENDS, default="numpy", help="where to train (default: numpy)")
    parser.add_argument(
        "--workers", type=positive_int, default=1, metavar="N", help="train N seeds at a time, each on a GPU of its own"
    )
    parser.add_argument("--time", action="store_true", help="time a step of every recipe instead of training it")
    parser.add_argument("--table", action="store_true", help="print the table of what there is")
    args = parser.parse_args()
    with errors_in_one_line(parser.prog):
        if args.time:
            save_results(step_ms=time_steps())
        elif not args.table:
            seeds = {recipe: range(args.seeds or SEEDS.get(recipe, 3)) for recipe in args.recipe}
            jobs = [(recipe, seed, args.every, args.epochs) for recipe in args.recipe for seed in seeds[recipe]]
            measure_all(jobs, args.backend, args.workers)
        print(table(load_results()["rows"]))


if __name__ == "__main__":
    main()
