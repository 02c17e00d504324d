"""A run whose steps are replayed as a CUDA graph is the run: the same bits as without, whatever happens in between."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import double
import numpy as np
import pytest
from tiny import IMAGES, TINY, tiny_trainer

from nanogan.augment import AUGMENTATIONS
from nanogan.backend import Array
from nanogan.backend_cupy_graph import Repeated
from nanogan.layers import Dropout
from nanogan.optim import SGD
from nanogan.recipes.cures import cured
from nanogan.recipes.recipe import Recipe
from nanogan.training.gan_trainer import Trainer, generate

STEPS = 8
WITH_DROPOUT = replace(TINY, discriminator=(*TINY.discriminator[:-1], Dropout(0.3), TINY.discriminator[-1]))
RECIPES: dict[str, Recipe] = {
    "tiny": TINY,
    "dropout": WITH_DROPOUT,
    "momentum": replace(TINY, optimizer=SGD(lr=0.01, momentum=0.5)),
    "moving average": replace(TINY, ema_decay=0.9),
    "simultaneous": replace(TINY, simultaneous=True),
    "pairs and penalties": cured(TINY, loss="relativistic", r1=1, r2=2, gradient_penalty=3, spectral_norm=True),
    "augmented": cured(TINY, augment=AUGMENTATIONS, r1=1),
    "two learning rates": cured(TINY, loss="hinge", d_lr=1e-3),
}


def arrays(trainer: Trainer) -> dict[str, Array]:
    return {name: trainer.backend.to_host(array).copy() for name, array in trainer.arrays().items()}


def disturbed(trainer: Trainer, number: int, folder: Path) -> None:
    """What happens between steps: pictures, a larger batch, a checkpoint that is saved and loaded, the log's row."""
    if number == 3:
        trainer.sample()
    if number == 4:
        z = np.random.default_rng(1).standard_normal((100, 2)).astype(np.float32)
        generate(trainer.generator, trainer.recipe, z)
    if number == 6:
        trainer.save(folder / "checkpoint.npz")
        trainer.load(folder / "checkpoint.npz")
    if trainer.epoch_is_over:
        trainer.log_epoch()


def run(folder: Path, **options: Any) -> Trainer:
    trainer = tiny_trainer(**options)
    for number in range(STEPS):
        trainer.step()
        disturbed(trainer, number, folder)
    return trainer


@pytest.mark.parametrize("name", RECIPES)
def test_a_replayed_run_is_the_run(name: str, tmp_path: Path) -> None:
    options = {"recipe": RECIPES[name], "images": IMAGES}
    replayed, plain, on_numpy = (
        run(tmp_path, backend=double.backend(), **options),
        run(tmp_path, backend=double.backend(graphs=False), **options),
        run(tmp_path, **options),
    )
    assert isinstance(replayed.advance, Repeated) and replayed.advance.graph
    assert not isinstance(plain.advance, Repeated)
    for own, array in arrays(on_numpy).items():
        np.testing.assert_array_equal(arrays(replayed)[own], array, own)
        np.testing.assert_array_equal(arrays(plain)[own], array, own)
    assert replayed.rng.bit_generator.state == plain.rng.bit_generator.state == on_numpy.rng.bit_generator.state
    assert replayed.optimizers["G"].t == on_numpy.optimizers["G"].t == STEPS


def test_a_graph_that_was_not_recorded_again_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted mistake: no work array that grows is counted, so the graph goes on with those of before."""
    trainer = tiny_trainer(steps=3, backend=double.backend())
    growths = trainer.backend.growths
    disturbed(trainer, 4, tmp_path)
    assert trainer.backend.growths > growths
    trainer.backend.growths = growths
    trainer.step()
    y = trainer.G.layers[0].y if hasattr(trainer.G.layers[0], "y") else trainer.G.layers[0].buffer("y", (4, 4))
    on_numpy = tiny_trainer(steps=4)
    expected = on_numpy.G.layers[0].buffer("y", (4, 4))
    assert not np.array_equal(trainer.backend.to_host(y), expected)


def test_the_count_of_seconds_waits_once_per_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = tiny_trainer(steps=0)
    waits: list[None] = []
    monkeypatch.setattr(type(trainer.backend), "synchronize", lambda self: waits.append(None))
    for _ in range(3):
        trainer.step()
    assert not waits
    before = trainer.seconds
    assert trainer.log_epoch()["seconds"] > before and len(waits) == 1


def test_a_copy_of_a_trainer_records_its_own_graph() -> None:
    trainer = tiny_trainer(steps=3, backend=double.backend())
    copied = copy.deepcopy(trainer)
    assert copied.advance is not trainer.advance and copied.backend is trainer.backend
    for own in (trainer, copied):
        for _ in range(3):
            own.step()
    for name, array in arrays(trainer).items():
        np.testing.assert_array_equal(arrays(copied)[name], array, name)
    assert isinstance(copied.advance, Repeated) and copied.advance.graph is not trainer.advance.graph  # type: ignore[attr-defined]
