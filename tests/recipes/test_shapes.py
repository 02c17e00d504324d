"""A recipe for images of other shapes is the published one, with more stages where it has convolutions."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from nanogan.errors import InputError
from nanogan.network import Network
from nanogan.optim import Adam
from nanogan.recipes.mnist import MAKERS, RECIPES, default_width, get_recipe
from nanogan.recipes.recipe import describe, restore
from nanogan.training.gan_trainer import Trainer

PUBLISHED = json.loads(Path(__file__).with_name("published.json").read_text())
"""Every recipe as it was before recipes were functions of the image's shape."""
CONVOLUTIONAL = ("nanogan", "dcgan", "conditional")
SIZES = (28, 32, 64, 96, 128)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_was_published_stays_as_it_was(name):
    """Settings that came later are those of a recipe that doesn't name them."""
    assert list(PUBLISHED) == list(RECIPES)[: len(PUBLISHED)]
    for recipe in (RECIPES[name], get_recipe(name), MAKERS[name]((28, 28, 1), width=default_width(name))):
        described = json.loads(json.dumps(describe(recipe)))
        assert described | PUBLISHED[name] == described
        assert restore(PUBLISHED[name]) == recipe


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", RECIPES)
def test_networks_of_every_size_fit_their_images(name, size, channels):
    shape = (size, size, channels)
    recipe = get_recipe(name, shape, width=4, noise_size=5)
    assert recipe.image_shape == shape and recipe.noise_size == 5
    G = Network(recipe.generator, recipe.input_shape)
    assert G.shape == shape and Network(recipe.discriminator, shape).shape == (1,)
    assert restore(json.loads(json.dumps(describe(recipe)))) == recipe


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_every_doubling_of_the_size_is_one_more_stage_of_twice_the_width(name):
    for size, expected in ((28, [8, 16]), (64, [8, 16, 32]), (96, [8, 16, 32, 64]), (128, [8, 16, 32, 64])):
        recipe = get_recipe(name, (size, size, 3), width=8)
        assert [layer.c_out for layer in recipe.discriminator if type(layer).__name__ == "Conv2d"] == expected
        doublings = [layer.c_out for layer in recipe.generator if type(layer).__name__ == "ConvTranspose2d"]
        assert doublings == [*expected[-2::-1], 3]


@pytest.mark.parametrize("name", CONVOLUTIONAL)
@pytest.mark.parametrize("shape", [(30, 30, 1), (9, 9, 1), (4, 4, 1), (64, 32, 3), (0, 0, 1), (100, 100, 3)])
def test_a_size_that_does_not_fit_says_which_do(name, shape):
    with pytest.raises(InputError, match=rf"^recipe {name}: images of {shape[1]} x {shape[0]} don't fit") as caught:
        get_recipe(name, shape)
    assert "\n" not in str(caught.value)
    named = [int(size) for size in re.findall(r"\d+(?=,)", str(caught.value).split("choose a size of")[1])]
    assert set(SIZES) <= set(named)
    for size in named:
        get_recipe(name, (size, size, 1))


def test_fully_connected_recipes_take_any_shape():
    recipe = get_recipe("vanilla", [30, 50, 3], width=2)
    assert Network(recipe.generator, recipe.input_shape).shape == (30, 50, 3)


@pytest.mark.parametrize("name", RECIPES)
def test_the_settings_that_one_may_change(name):
    recipe = get_recipe(name, lr=0.25, ema_decay=0.5, batch_size=7, epochs=3)
    assert (recipe.optimizer.lr, recipe.ema_decay, recipe.batch_size, recipe.epochs) == (0.25, 0.5, 7, 3)
    assert recipe.generator == RECIPES[name].generator
    if name == "paper-2014":
        with pytest.raises(InputError, match="recipe paper-2014: its SGD has no beta1; leave it out"):
            get_recipe(name, beta1=0.5)
    else:
        published, changed = RECIPES[name].optimizer, get_recipe(name, beta1=0.25).optimizer
        assert isinstance(published, Adam) and isinstance(changed, Adam)
        assert changed.betas == (0.25, published.betas[1])
    wide, narrow = (get_recipe(name, width=n * default_width(name)) for n in (2, 1))
    assert narrow == RECIPES[name] and wide.source == narrow.source
    counts = [sum(layer.param_count for layer in each.generator) for each in (wide, narrow)]
    assert counts[0] > 1.9 * counts[1]


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_a_step_on_large_images_takes_no_more_memory_than_the_one_before(name):
    images = np.zeros((32, 64, 64, 3), np.float32)
    recipe = get_recipe(name, images.shape[1:], width=4)
    labels = np.arange(32) % 10 if recipe.class_names else None
    trainer = Trainer(recipe, images, labels=labels, seed=0, batch_size=16)
    tracemalloc.start()
    try:
        for _ in range(3):
            trainer.step()
        held, _ = tracemalloc.get_traced_memory()
        for _ in range(3):
            tracemalloc.reset_peak()
            trainer.step()
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert now - held < 10_000 and peak - held < images[:1].nbytes  # floats of Python, no arrays
