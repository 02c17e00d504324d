"""What a recipe says is what its run does: lengths, schedules, first weights, and how the steps differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny import IMAGES, TINY, tiny_trainer

from nanogan.errors import InputError
from nanogan.layers import Linear, Sigmoid
from nanogan.network import Network
from nanogan.optim import SGD
from nanogan.recipes.mnist import PAPER_2014, RECIPES, table
from nanogan.recipes.recipe import Schedule
from nanogan.reshape import Reshape
from nanogan.training.ema import MovingAverage
from nanogan.training.trained import load_generator


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_has_one_length_and_ends_in_its_pixels_range(recipe):
    assert (recipe.epochs is None) != (recipe.steps is None)
    last = [type(layer).__name__ for layer in recipe.generator if type(layer).__name__ in ("Tanh", "Sigmoid")][-1]
    assert recipe.pixels == {"Tanh": (-1.0, 1.0), "Sigmoid": (0.0, 1.0)}[last]
    ends_in_probability = isinstance(recipe.discriminator[-1], Sigmoid)
    assert ends_in_probability == (type(recipe.loss).__name__ == "BCE")


def test_the_table_names_every_recipe():
    lines = table().splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(RECIPES)


def test_the_published_schedule():
    schedule = PAPER_2014.schedule
    assert schedule is not None
    assert schedule.lr(0.1, 0) == 0.1
    assert schedule.lr(0.1, 1000) == pytest.approx(0.1 / 1.000004**1000)
    assert schedule.lr(0.1, 10**7) == 1e-6
    assert [schedule.momentum_in(epoch) for epoch in (1, 250, 900)] == pytest.approx([0.5, 0.7, 0.7])
    with pytest.raises(InputError, match="momentum_epochs must be at least 2"):
        replace(schedule, momentum_epochs=1)


def test_a_run_follows_its_schedule_and_takes_it_up_again(tmp_path):
    recipe = replace(
        TINY,
        optimizer=SGD(lr=0.1, momentum=0.5),
        schedule=Schedule(lr_decay=2.0, lr_floor=0.01, momentum=(0.5, 0.7), momentum_epochs=3),
    )
    trainer = tiny_trainer(4, recipe=recipe)  # the last one, step 3, is the first of epoch 2
    for optimizer in trainer.optimizers.values():
        assert isinstance(optimizer, SGD)
        assert (optimizer.lr, optimizer.momentum) == pytest.approx((0.1 / 8, 0.6))
    trainer.save(tmp_path / "checkpoint.npz")
    resumed = tiny_trainer(recipe=recipe)
    resumed.load(tmp_path / "checkpoint.npz")
    resumed.step()
    trainer.step()
    assert resumed.optimizers["G"].lr == trainer.optimizers["G"].lr == 0.01
    np.testing.assert_array_equal(resumed.G.params, trainer.G.params)


def test_the_generator_starts_at_the_mean_image():
    images = (IMAGES + 1) / 2
    recipe = replace(
        TINY,
        generator=(Linear(2, 4), Sigmoid(), Reshape((2, 2, 1))),
        pixels=(0.0, 1.0),
        output_bias_from_data=True,
    )
    trainer = tiny_trainer(recipe=recipe, images=images)
    drawn = trainer.G.forward(np.zeros((1, 2), np.float32), training=False)
    np.testing.assert_allclose(drawn[0], images.mean(axis=0), rtol=1e-5)


def test_only_the_first_images_are_trained_on():
    trainer = tiny_trainer(recipe=replace(TINY, images=8))
    assert trainer.batches.steps_per_epoch == 2
    np.testing.assert_array_equal(trainer.on_device["images"], IMAGES[:8])


@pytest.mark.parametrize("same_fake", [False, True])
def test_the_generators_noise_is_fresh_or_the_discriminators(monkeypatch, same_fake):
    seen: list = []
    monkeypatch.setattr(Network, "forward", recording(seen, Network.forward))
    trainer = tiny_trainer(recipe=replace(TINY, same_fake=same_fake))
    trainer.step()
    drawn = [x for network, x in seen if network is trainer.G]
    assert len(drawn) == (1 if same_fake else 2)
    assert same_fake or (drawn[0] != drawn[1]).any()


def recording(seen, forward):
    def record(network, x, *options, **named):
        seen.append((network, x.copy()))
        return forward(network, x, *options, **named)

    return record


def test_a_simultaneous_recipe_moves_both_from_one_point():
    """From the same seed, D moves alike in both forms; G's move differs, as D stands still or has moved."""
    runs = [
        tiny_trainer(1, recipe=replace(TINY, same_fake=True, simultaneous=simultaneous))
        for simultaneous in (False, True)
    ]
    np.testing.assert_array_equal(runs[0].D.params, runs[1].D.params)
    assert (runs[0].G.params != runs[1].G.params).any()


def test_images_are_drawn_with_the_moving_average(tmp_path):
    """Step by step as the formula has it, saved and continued exactly, and what `load_generator` brings back."""
    recipe = replace(TINY, ema_decay=0.6)
    trainer = tiny_trainer(recipe=recipe)
    params, state = trainer.G.params.astype(float), trainer.G.state.astype(float)
    for t in range(1, 21):
        trainer.step()
        beta = min(0.6, t / (t + 9))
        params += (1 - beta) * (trainer.G.params - params)
        state += (1 - beta) * (trainer.G.state - state)
        if t == 10:
            trainer.save(tmp_path / "checkpoint.npz")
            resumed = tiny_trainer(recipe=recipe)
            resumed.load(tmp_path / "checkpoint.npz")
    np.testing.assert_allclose(trainer.generator.params, params, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(trainer.generator.state, state, rtol=1e-5, atol=1e-7)
    assert (trainer.generator.params != trainer.G.params).any()
    for _ in range(10):
        resumed.step()
    np.testing.assert_array_equal(resumed.generator.params, trainer.generator.params)
    np.testing.assert_array_equal(resumed.sample(), trainer.sample())
    trainer.save(tmp_path / "checkpoint.npz")
    G, _ = load_generator(tmp_path / "checkpoint.npz")
    np.testing.assert_array_equal(G.params, trainer.generator.params)
    np.testing.assert_array_equal(G.state, trainer.generator.state)


def test_without_an_average_the_generator_is_g():
    trainer = tiny_trainer()
    assert trainer.generator is trainer.G


@pytest.mark.parametrize("beta", [-0.1, 1.0])
def test_an_average_that_never_moves_or_overshoots_is_refused(beta):
    with pytest.raises(InputError, match=r"decay must lie in \[0, 1\)"):
        MovingAverage(tiny_trainer().G, beta)
