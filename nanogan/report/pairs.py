"""What a report of an image-to-image run draws anew: its best and its worst outputs of the test part, with scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..backend import Array
from ..errors import InputError
from ..io.page import Picture, Table, picture
from ..io.plots import grid_png
from ..pix2pix import similarity
from ..pix2pix.pairs import Pairs, load_pairs, split
from ..pix2pix.trainer import (
    inputs_as_outputs,
    load_image_to_image,
    scaled,
    scores,
    with_channels,
)
from ..training.gan_trainer import generate
from .run import Run

SHOWN = 10
"""Of the best, and of the worst."""
LARGEST = 64
"""The side up to which pictures are shown with every pixel, so that twenty times three of them stay small."""
GOOD = {
    "l1": ("L1", "lower"),
    "psnr": ("PSNR, dB", "higher"),
    "ssim": ("SSIM", "higher"),
    "accuracy": ("read right", "1"),
}
"""How the table calls a score, and which value is good."""


@dataclass(frozen=True)
class DrawnPairs:
    """On the test part: scores of the outputs, input_scores of the inputs as they are; worst and best outputs."""

    scores: dict[str, float] = field(default_factory=dict)
    input_scores: dict[str, float] = field(default_factory=dict)
    extremes: list[tuple[Table, Picture]] = field(default_factory=list)

    @property
    def table(self) -> Table:
        rows = [
            (name, self.scores[key], self.input_scores[key], good)
            for key, (name, good) in GOOD.items()
            if key in self.scores
        ]
        return Table("On the test part", ("score", "outputs", "inputs as they are", "good is"), rows)


def draw_pairs(run: Run) -> DrawnPairs:
    """Outputs of the generator in a run's checkpoint. Raises InputError if it or the run's data can't be read."""
    G, recipe = load_image_to_image(run.folder / "checkpoint.npz")
    test = test_part(run.config)
    if (test.conditions.shape[1:], test.targets.shape[1:]) != (recipe.input_shape, recipe.image_shape):
        raise InputError("the data have another shape than those that it was trained on")
    outputs = generate(G, recipe, scaled(recipe, test.conditions, G.dtype))
    nearness = similarity.psnr(outputs, test.targets)
    order = np.argsort(nearness, kind="stable")
    chosen = {"Worst": order[:SHOWN], "Best": order[::-1][:SHOWN]}
    extremes = [(_table(which, nearness[rows]), _rows(which, test, outputs, rows)) for which, rows in chosen.items()]
    return DrawnPairs(scores(outputs, test), scores(inputs_as_outputs(test), test), extremes)


def test_part(config: Mapping[str, Any]) -> Pairs:
    """The pairs that a run with these arguments has set aside."""
    names = ("fit", "background", "invert")
    given: dict[str, Any] = {name: config[name] for name in names if config.get(name) is not None}
    task, direction = config.get("task"), config.get("direction")
    pairs = load_pairs(config.get("data"), task=task, direction=direction, seed=config["seed"], quiet=True, **given)
    return split(pairs, config["seed"])[1]


def _rows(which: str, test: Pairs, outputs: Array, rows: Array) -> Picture:
    """Inputs, outputs and targets, a row each."""
    channels = max(array.shape[-1] for array in (test.conditions, test.targets))
    chosen = [with_channels(array[rows], channels) for array in (test.conditions, outputs, test.targets)]
    step = -(-max(outputs.shape[1:3]) // LARGEST)
    grid = np.concatenate(chosen)[:, ::step, ::step]
    alt = f"{which} {len(rows)} of the test part: a row of inputs, a row of outputs, a row of targets"
    return picture(grid_png(grid, columns=len(rows)), alt, zoom=2)


def _table(which: str, nearness: Array) -> Table:
    columns = ("place", *(str(place) for place in range(1, len(nearness) + 1)))
    return Table(f"{which} outputs of the test part", columns, [("PSNR, dB", *nearness.round(2).tolist())])
