"""Folders of runs as training leaves them, made in milliseconds: a few numbers, a tiny checkpoint, grey pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tiny import IMAGES, TINY

from nanogan.io.plots import save_grid
from nanogan.recipes.recipe import Recipe
from nanogan.training.gan_trainer import Trainer
from nanogan.training.log import Row, as_csv, complete
from nanogan.training.run_folder import RunFolder


def make_run(
    path: Path, *, epochs: int = 3, recipe: Recipe = TINY, images: Any = IMAGES, lost: Iterable[str] = (), **config: Any
) -> Path:
    """A run that was finished, of `epochs` epochs of 3 steps. lost: columns of the log that are NaN."""
    folder = RunFolder(path)
    folder.create()
    trainer = Trainer(recipe, images, seed=0)
    trainer.steps = epochs * trainer.batches.steps_per_epoch
    trainer.rows = [row(trainer, epoch, epochs, lost) for epoch in range(1, epochs + 1)]
    trainer.save(folder.checkpoint)
    folder.write_config({"recipe": recipe.name, "epochs": epochs, "steps": None, "seed": 0, "data": None, **config})
    folder.write_environment({"nanogan": "0.1.0", "BLAS": "OpenBLAS", "floor_ms": 0.5})
    folder.log.write_bytes(as_csv(trainer.rows, trainer.columns))
    for epoch in range(1, min(epochs, 5) + 1):
        save_grid(folder.samples / f"epoch-{epoch:04}.png", np.full((4, 8, 8, 1), epoch / 9))
    folder.release()
    return path


def row(trainer: Trainer, epoch: int, epochs: int, lost: Iterable[str]) -> Row:
    """Numbers that differ from column to column and from epoch to epoch."""
    steps, phase = epoch * trainer.batches.steps_per_epoch, epoch / epochs
    numbers: Row = {name: 0.2 + 0.05 * math.sin(3 * phase + place) for place, name in enumerate(trainer.columns)}
    numbers |= {name: 1 + numbers[name] for name in ("d_loss", "g_loss")}  # as D's outputs have them, more or less
    numbers |= {"epoch": epoch, "step": steps, "seconds": 0.01 * steps, "d_real": 0.6, "d_fake": 0.4}
    return complete(numbers | dict.fromkeys(lost, math.nan), trainer.columns)


def named(recipe: Recipe, name: str) -> Recipe:
    return replace(recipe, name=name)


def change_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
