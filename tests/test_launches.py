"""How many kernels a training step is on a GPU: each costs its launch, or a place in a graph. None is added unseen."""

from __future__ import annotations

from typing import Any

import double
import numpy as np
import pytest

from nanogan.recipes.mnist import RECIPES
from nanogan.training.gan_trainer import Trainer

KERNELS = {"vanilla": 80, "dcgan": 129, "nanogan": 170, "conditional": 405, "udacity": 124, "paper-2014": 152}
"""At most. A step that takes more must say what for."""


def trainer(name: str, **options: Any) -> Trainer:
    recipe = RECIPES[name]
    images = np.random.default_rng(0).uniform(*recipe.pixels, (16, *recipe.image_shape)).astype(np.float32)
    labels = np.arange(16) % 10 if recipe.class_names else None
    return Trainer(recipe, images, labels=labels, seed=0, batch_size=8, backend=double.backend(**options))


@pytest.mark.parametrize("name", KERNELS)
def test_a_step_is_so_many_kernels_and_replayed_one_copy_and_one_launch(name: str) -> None:
    run = trainer(name)
    for _ in range(2):
        run.step()
    double.launches.count = double.hidden_copies.count = double.reads.count = 0
    run.backend.synchronize()
    run.advance()
    assert (double.launches.count, double.hidden_copies.count, double.reads.count) == (2, 0, 0)
    assert run.advance.graph.kernels <= KERNELS[name]  # type: ignore[attr-defined]


def test_without_graphs_each_kernel_is_launched() -> None:
    run = trainer("vanilla", graphs=False)
    run.step()
    double.launches.count = 0
    run.advance()
    copies = 5  # rows, noise twice, Adam's numbers twice
    assert double.launches.count == KERNELS["vanilla"] + copies
