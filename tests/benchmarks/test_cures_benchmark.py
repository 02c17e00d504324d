"""The cures that `python -m benchmarks.quality.cures` compares."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.cures import STUDIED, cures_of
from benchmarks.quality.stacked import judge, recipe, triples
from nanogan.data.images import load_mnist
from nanogan.recipes.mnist import RECIPES
from nanogan.training.gan_trainer import Trainer


@pytest.mark.parametrize("name", STUDIED)
def test_every_cure_of_a_recipe_changes_it_and_can_be_trained(name):
    images = load_mnist("train", scale=RECIPES[name].pixels)[0][:128]
    for cure, change in cures_of(name).items():
        recipe = change(RECIPES[name])
        assert (recipe == RECIPES[name]) == (cure == "as published")
        trainer = Trainer(recipe, images, seed=0, batch_size=8)
        trainer.step()
        assert all(np.isfinite(value) for value in trainer.means().values()), cure


def test_stacked_mnist_counts_triples_of_digits():
    """Of images of one digit in all channels, at most the 10 modes 000, 111, ..., 999."""
    images = load_mnist("train", scale=(0, 1))[0][:500]
    alike = judge(np.repeat(images, 3, axis=-1))
    assert alike["modes"] == 10 and alike["kl"] == pytest.approx(np.log(100), abs=0.05)
    mixed = triples(images, 500, np.random.default_rng(0))
    assert mixed.shape == (500, 28, 28, 3) and judge(mixed)["modes"] > 300
    assert recipe().image_shape == mixed.shape[1:]
