"""What each part of the loss is for: every task with L1 alone, with the adversarial loss alone, and with both.

    python -m benchmarks.quality.image_to_image                        everything that isn't in the results yet
    python -m benchmarks.quality.image_to_image --seeds 1 --epochs 2   less of it
    python -m benchmarks.quality.image_to_image --table                what is there, as Markdown, and the picture

The U-Net of examples/image_to_image.py for a few epochs of 8,000 pairs, judged on the 2,000 test pairs. Every finished
run is a row of benchmarks/results/image_to_image.json, so what was stopped goes on where it was. The runs with seed 0
leave some outputs in runs/, from which docs/images/image_to_image.png is drawn; where they are missing, they run again.

FD-mnist is here the distance of the 2,000 outputs to their targets: whether they are like digits, not whether each one
is the right one. Colour is read by its brightness.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from nanogan.backend import Array
from nanogan.commands.arguments import Parser, errors_in_one_line, positive_int
from nanogan.io.files import replacing
from nanogan.metrics.classifier import features_and_digits
from nanogan.metrics.samples import frechet_distance
from nanogan.pix2pix.networks import unet
from nanogan.pix2pix.pairs import TASKS, Pairs, load_pairs, split
from nanogan.pix2pix.trainer import ImageToImageTrainer, inputs_as_outputs, scores, side_by_side

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "image_to_image.json"
PICTURE = ROOT / "docs" / "images" / "image_to_image.png"
OUTPUTS = ROOT / "runs" / "benchmark-image-to-image"
WAYS = {"L1 only": (100.0, 0.0), "adversarial only": (0.0, 1.0), "adversarial + 100 x L1": (100.0, 1.0)}
"""The weights of L1 and of the adversarial loss."""
COLUMNS = {
    "l1": ("L1", 4),
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "accuracy": ("read right, %", 1),
    "fd": ("FD-mnist", 2),
}
DRAWN = (3, 5, 8)
"""Of every task, the first test pair with each of these digits is in the picture."""


def judged(outputs: Array, pairs: Pairs) -> dict[str, float]:
    """`scores`, and the distance between the outputs and the targets as two sets of digits."""
    features = [features_and_digits(images.max(axis=-1, keepdims=True))[0] for images in (pairs.targets, outputs)]
    return {**scores(outputs, pairs), "fd": frechet_distance(*features)}


def parts(task: str, seed: int) -> tuple[Pairs, Pairs]:
    return split(load_pairs(None, task=task, direction=None, seed=seed), seed)


def run(task: str, way: str, seed: int, epochs: int) -> dict[str, Any]:
    """A row: what was run, its scores, and the seconds of wall clock and of processor that the training steps took."""
    train, test = parts(task, seed)
    if way == "inputs":
        return {"task": task, "way": way, "seed": seed, "epochs": 0, **judged(inputs_as_outputs(test), test)}
    l1_weight, adversarial_weight = WAYS[way]
    shapes = train.conditions.shape[1:], train.targets.shape[1:]
    recipe = unet(*shapes, l1_weight=l1_weight, adversarial_weight=adversarial_weight, epochs=epochs)
    trainer, began = ImageToImageTrainer(recipe, train, test, seed=seed), time.process_time()
    for _ in range(epochs * trainer.batches.steps_per_epoch):
        trainer.step()
    seconds = {"seconds": round(trainer.seconds, 1), "processor_seconds": round(time.process_time() - began, 1)}
    outputs, _ = trainer.judge(test)
    if seed == 0:
        OUTPUTS.mkdir(parents=True, exist_ok=True)
        with replacing(outputs_file(task, way)) as file:
            np.save(file, outputs[drawn(test)])
    return {"task": task, "way": way, "seed": seed, "epochs": epochs, **seconds, **judged(outputs, test)}


def drawn(test: Pairs) -> list[int]:
    assert test.labels is not None
    return [int(np.argmax(test.labels == digit)) for digit in DRAWN]


def outputs_file(task: str, way: str) -> Path:
    return OUTPUTS / f"{task} {way} {DRAWN}.npy".replace(" ", "-")


def key(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["task"], row["way"], row["seed"]


def is_finished(row: dict[str, Any], epochs: int) -> bool:
    if row["way"] == "inputs":
        return True
    return row["epochs"] == epochs and (row["seed"] > 0 or outputs_file(row["task"], row["way"]).exists())


# ---- what is there


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: for every task and way the mean over the seeds, and the standard deviation where there are several."""
    lines = ["| task | trained by | seeds | " + " | ".join(title for title, _ in COLUMNS.values()) + " |"]
    lines.append("| --- | --- " + "| ---: " * (len(COLUMNS) + 1) + "|")
    for task in TASKS:
        for way in ("inputs", *WAYS):
            found = [row for row in rows if (row["task"], row["way"]) == (task, way)]
            if found:
                cells = [cell([row[name] for row in found], name) for name in COLUMNS]
                lines.append(f"| {task} | {way} | {len(found)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(values: list[float], name: str) -> str:
    digits = COLUMNS[name][1]
    values = [100 * value for value in values] if name == "accuracy" else values
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"


def draw() -> None:
    """The picture: for every task that was run all ways its first test pairs, and what each way makes of them."""
    from matplotlib.figure import Figure

    tasks = [task for task in TASKS if all(outputs_file(task, way).exists() for way in WAYS)]
    if not tasks:
        return
    titles = ("input", *WAYS, "target")
    figure = Figure(figsize=(9, 0.3 + 1.0 * len(tasks)), layout="constrained")
    axes = figure.subplots(len(tasks), len(titles), squeeze=False)
    for row, task in zip(axes, tasks, strict=True):
        test = parts(task, 0)[1]
        test = test.take(np.array(drawn(test)))
        columns = [test.conditions, *(np.load(outputs_file(task, way)) for way in WAYS), test.targets]
        images = side_by_side(*columns).reshape(len(DRAWN), len(columns), 28, 28, -1)
        for position, (place, title) in enumerate(zip(row, titles, strict=True)):
            pixels = np.concatenate(images[:, position], axis=1).clip(0, 1)
            place.imshow(pixels if pixels.shape[-1] == 3 else pixels[..., 0], cmap="gray", vmin=0, vmax=1)
            place.set(xticks=[], yticks=[], title=title if task == tasks[0] else "")
            place.title.set_fontsize(9)
        row[0].set_ylabel(task, fontsize=9)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=110)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")


def main() -> int:
    parser = Parser(
        prog="python -m benchmarks.quality.image_to_image", description=__doc__.split("\n")[0] if __doc__ else None
    )
    parser.add_argument("--seeds", type=positive_int, default=3, help="default: 3, that is 0, 1 and 2")
    parser.add_argument("--epochs", type=positive_int, default=3, help="of every run (default: 3)")
    parser.add_argument("--table", action="store_true", help="run nothing, show what is there")
    args = parser.parse_args()
    rows = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
    with errors_in_one_line(parser.prog):
        wanted = [(task, way, seed) for seed in range(args.seeds) for task in TASKS for way in ("inputs", *WAYS)]
        there = {key(row) for row in rows if is_finished(row, args.epochs)}
        for task, way, seed in () if args.table else wanted:
            if (task, way, seed) not in there:
                found = run(task, way, seed, args.epochs)
                print(json.dumps(found), flush=True)
                rows = [*(row for row in rows if key(row) != key(found)), found]
                with replacing(RESULT) as file:
                    file.write(
                        (
                            json.dumps(
                                {"command": "python -m benchmarks.quality.image_to_image", "rows": rows}, indent=1
                            )
                            + "\n"
                        ).encode()
                    )
    print(table(rows))
    draw()
    return 0


if __name__ == "__main__":
    sys.exit(main())
