"""Digits in two styles without pairs: are they still the same digits, and do they look real? examples/style.py's `ink`.

    python -m benchmarks.quality.style                  seeds 0 to 2, those that style.json doesn't have yet
    python -m benchmarks.quality.style --cycle-weight 10 --seeds 1       another weight of there and back
    python -m benchmarks.quality.style --photographs    drawings of photographs: train, judge, draw the page's picture
    python -m benchmarks.quality.style --table          print what there is, and draw rows of digits

Judged are 5,000 drawings of every other digit of MNIST's test file, and the 5,000 digits between them, none of which
was trained on. A digit counts as the same if it is read alike before and after: on MNIST's side by the classifier of
FD-mnist, on the other by one of the same layers, trained here on 15,000 drawings of digits. Distances are those of the
features of each side's classifier from real ones of that side, drawn from other digits. The time is that of the
training's CPU seconds; two cores of their own take about 1 / 1.6 of it.

Of photographs, the one that nothing was trained on is turned at 256 x 256 pixels. How its drawing has to look is
known, because `tasks.pen_and_wash` draws: L1 and SSIM say how near it is, beside those of the photograph as it was.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

from benchmarks.quality.recipes import ROOT, machine
from nanogan.backend import Array
from nanogan.commands.arguments import Parser, errors_in_one_line, positive_int, weight
from nanogan.cyclegan import tasks
from nanogan.cyclegan.networks import unpaired
from nanogan.cyclegan.sides import DRAWINGS as PHOTOGRAPH_OPTIONS
from nanogan.cyclegan.sides import INK, UNSEEN, ink_sides, photograph_sides, square
from nanogan.cyclegan.trainer import Translator, UnpairedTrainer
from nanogan.data.images import load_mnist
from nanogan.io import plots
from nanogan.metrics.classifier import feature_network, features_and_digits, train_classifier
from nanogan.metrics.samples import frechet_distance
from nanogan.network import Network
from nanogan.pix2pix import similarity

RESULTS = ROOT / "benchmarks" / "results" / "style.json"
PICTURES = ROOT / "docs" / "images"
FIRST, DRAWINGS, EPOCHS = 20_000, 15_000, 4
"""Of the training file, the drawings that the classifier of drawings learns from, and how often it sees each."""


def ink_classifier() -> Network:
    """It reads drawings, (N, 28, 28, 3) in [0, 1]."""
    digits, labels = (array[FIRST : FIRST + DRAWINGS] for array in load_mnist("train", scale=(0, 1)))
    rng = np.random.default_rng(0)
    network = feature_network(rng, channels=3)
    train_classifier(network, tasks.ink(digits, rng), labels, epochs=EPOCHS, lr=2e-3, rng=rng)
    return network


def judge(trainer: UnpairedTrainer, reader: Network) -> dict[str, Any]:
    """Shares of digits that stay the same, and distances, each way and there and back; with those of real pictures."""
    digits, labels = load_mnist("test", scale=(0, 1))
    rng = np.random.default_rng(1)
    drawn, plain = tasks.ink(digits[1::2], rng), digits[::2].copy()
    others = digits[1::2].copy(), tasks.ink(digits[::2], rng)  # real ones of each side, of the other side's digits

    def seen(pictures: Array) -> tuple[Array, Array]:
        return features_and_digits(pictures.astype(np.float32), reader if pictures.shape[-1] == 3 else None)

    to_mnist, to_ink = trainer.made("to_b", drawn), trainer.made("to_a", plain)
    back = trainer.made("to_b", to_ink)
    (ink, ink_read), (mnist, mnist_read) = seen(drawn), seen(plain)
    (of_mnist, mnist_after), (of_ink, ink_after), (of_back, back_read) = map(seen, (to_mnist, to_ink, back))
    return {
        "to_mnist": {"same": _share(ink_read, mnist_after), "distance": frechet_distance(mnist, of_mnist)},
        "to_ink": {"same": _share(mnist_read, ink_after), "distance": frechet_distance(ink, of_ink)},
        "back": {"same": _share(mnist_read, back_read), "distance": frechet_distance(seen(others[0])[0], of_back)},
        "right": {"to_mnist": _share(labels[1::2], mnist_after), "to_ink": _share(labels[::2], ink_after)},
        "real": {
            "mnist": frechet_distance(mnist, seen(others[0])[0]),
            "ink": frechet_distance(ink, seen(others[1])[0]),
            "ink_read_right": _share(labels[1::2], ink_read),
        },
    }


def _share(one: Array, other: Array) -> float:
    return float((one == other).mean())


def run(seed: int, cycle_weight: float, reader: Network) -> dict[str, Any]:
    """A row of the results, as `python examples/style.py --seed SEED` trains it."""
    train, test = ink_sides(seed)
    recipe = unpaired(train.a.shape[1:], train.b.shape[1:], **{**INK, "cycle_weight": cycle_weight})
    trainer, began = UnpairedTrainer(recipe, train, test, seed=seed), time.process_time()
    while trainer.steps < recipe.epochs * trainer.batches.steps_per_epoch:
        trainer.step()
    seconds = time.process_time() - began
    trainer.save(ROOT / "runs" / f"style-ink-{cycle_weight:g}-{seed}.npz")
    row = {"seed": seed, "cycle_weight": cycle_weight, "steps": trainer.steps, "cpu_seconds": round(seconds, 1)}
    return {**row, **judge(trainer, reader), "machine": machine()}


SIDE = 256
"""Of the photographs on the page, in pixels."""


def photographs(seed: int = 0) -> dict[str, Any]:
    """What the results say of --task photographs; its picture: a photograph, what G makes of it, the drawing itself."""
    train, test = photograph_sides(seed)
    recipe = unpaired(train.a.shape[1:], train.b.shape[1:], **PHOTOGRAPH_OPTIONS)
    trainer, seconds = UnpairedTrainer(recipe, train, test, seed=seed), 0.0
    path = ROOT / "runs" / f"style-photographs-{seed}.npz"
    while trainer.steps < recipe.epochs * trainer.batches.steps_per_epoch:
        began = time.process_time()
        trainer.step()
        seconds += time.process_time() - began
        if trainer.epoch_is_over:
            trainer.save(path)
    photograph = square(UNSEEN, SIDE)[np.newaxis]
    made = Translator(path)((photograph[0] * 255).round().astype(np.uint8))[np.newaxis]
    drawing = tasks.pen_and_wash(photograph)
    plots.save_grid(PICTURES / "style-photographs.png", np.concatenate([photograph, made, drawing]), columns=3, zoom=1)
    near = {
        name: {"l1": float(similarity.l1(image, drawing)[0]), "ssim": float(similarity.ssim(image, drawing)[0])}
        for name, image in (("photograph", photograph), ("translated", made))
    }
    return {"seed": seed, "steps": trainer.steps, "cpu_seconds": round(seconds, 1), **near, "machine": machine()}


def draw_digits(seed: int = 0) -> None:
    """Rows of a, G(a), F(G(a)), b, F(b), G(F(b)), of the first test digits, of the run that `run` has saved."""
    train, test = ink_sides(seed)
    trainer = UnpairedTrainer(unpaired(train.a.shape[1:], train.b.shape[1:], **INK), train, test, seed=seed)
    trainer.load(ROOT / "runs" / f"style-ink-{INK['cycle_weight']:g}-{seed}.npz")
    plots.save_grid(PICTURES / "style-ink.png", trainer.sample(), columns=trainer.sample_columns, zoom=3)


def load_results() -> dict[str, Any]:
    if RESULTS.exists():
        return json.loads(RESULTS.read_text())
    return {"command": "python -m benchmarks.quality.style", "rows": []}


def save_results(**changed: Any) -> None:
    RESULTS.write_text(json.dumps({**load_results(), **changed}, indent=1) + "\n")


def load_rows() -> list[dict[str, Any]]:
    return load_results()["rows"]


def save_row(row: dict[str, Any]) -> None:
    save_results(rows=sorted([*load_rows(), row], key=lambda row: (row["cycle_weight"], row["seed"])))


def table(rows: list[dict[str, Any]]) -> str:
    """A line per run: both ways, and there and back."""
    titles = "cycle weight | seed | ink to MNIST: same | FD-mnist | MNIST to ink: same | FD-ink | and back: same"
    lines = [f"| {titles} | FD-mnist | CPU minutes |", f"|{' ---: |' * 9}"]
    for row in rows:
        cells = [f"{row['cycle_weight']:g}", str(row["seed"])]
        for way in ("to_mnist", "to_ink", "back"):
            cells += [f"{100 * row[way]['same']:.1f} %", f"{row[way]['distance']:.2f}"]
        lines.append(f"| {' | '.join([*cells, format(row['cpu_seconds'] / 60, '.1f')])} |")
    return "\n".join(lines)


def main() -> None:
    parser = Parser(
        prog="python -m benchmarks.quality.style",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=positive_int, default=3, metavar="N", help="seeds 0 to N - 1 (default: 3)")
    parser.add_argument("--cycle-weight", type=weight, default=INK["cycle_weight"], metavar="W", help="(default: 1)")
    parser.add_argument("--photographs", action="store_true", help="train on photographs instead")
    parser.add_argument("--table", action="store_true", help="print the table of what there is, and draw digits")
    args = parser.parse_args()
    with errors_in_one_line(parser.prog):
        (ROOT / "runs").mkdir(exist_ok=True)
        if args.photographs:
            save_results(photographs=photographs())
            return
        if args.table:
            draw_digits()
        done = {row["seed"] for row in load_rows() if row["cycle_weight"] == args.cycle_weight}
        if not args.table and (missing := set(range(args.seeds)) - done):
            reader = ink_classifier()
            for seed in sorted(missing):
                save_row(run(seed, args.cycle_weight, reader))
        print(table(load_rows()))


if __name__ == "__main__":
    main()
