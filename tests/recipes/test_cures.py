"""Cures change what they name in a recipe, and what they rule out, and nothing else; a cured run is a run like any."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from tiny import IMAGES, TINY, tiny_trainer

from nanogan import (
    Adam,
    BatchNorm,
    BCEWithLogits,
    Brightness,
    Contrast,
    Cutout,
    InputError,
    LeakyReLU,
    Linear,
    Relativistic,
    Sigmoid,
    Tanh,
    Translation,
)
from nanogan.augment import AUGMENTATIONS
from nanogan.commands.cures import AUGMENTATIONS as TYPED_AUGMENTATIONS
from nanogan.commands.cures import CURES
from nanogan.commands.cures import LOSSES as TYPED
from nanogan.recipes import RECIPES, describe, restore
from nanogan.recipes.cures import LOSSES, cured, left_out
from nanogan.recipes.recipe import Recipe
from nanogan.spectral import SpectralNorm


def changed(before: Recipe, after: Recipe) -> set[str]:
    return {f.name for f in fields(before) if getattr(before, f.name) != getattr(after, f.name)}


@pytest.mark.parametrize("name", RECIPES)
def test_no_cure_leaves_a_recipe_as_it_was_published(name: str) -> None:
    assert cured(RECIPES[name], **dict.fromkeys(CURES)) is RECIPES[name]
    assert left_out(RECIPES[name], RECIPES[name]) == ""


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_every_cure(name: str) -> None:
    """Also written down and read again, as a checkpoint does."""
    cures: dict[str, Any] = {"loss": "relativistic", "r1": 1, "r2": 2, "gradient_penalty": 3, "spectral_norm": True}
    recipe = cured(RECIPES[name], **cures, d_lr=1e-3, augment=AUGMENTATIONS)
    assert (recipe.r1, recipe.r2, recipe.gradient_penalty, recipe.loss) == (1, 2, 3, Relativistic())
    assert recipe.optimizer == RECIPES[name].optimizer and recipe.d_optimizer == replace(recipe.optimizer, lr=1e-3)
    kinds = {type(layer) for layer in recipe.discriminator}
    assert [type(layer) for layer in recipe.discriminator[:4]] == [Brightness, Contrast, Translation, Cutout]
    assert SpectralNorm in kinds and not kinds & {Linear, Sigmoid, BatchNorm}
    assert recipe.generator == RECIPES[name].generator
    assert restore(describe(recipe)) == recipe


def test_a_loss_on_logits_takes_the_last_sigmoid_and_says_so() -> None:
    course = RECIPES["course"]
    for cures in ({"loss": "bce"}, {"r1": 10}, {"loss": "hinge"}):
        recipe = cured(course, **cures)
        assert recipe.discriminator == course.discriminator[:-1]
        assert changed(course, recipe) - {"r1"} == {"loss", "discriminator"}
        assert left_out(course, recipe) == "course: D is without its last Sigmoid, and judges by logits"
    assert cured(course, r1=10).loss == BCEWithLogits()
    assert changed(course, cured(course, spectral_norm=True)) == {"discriminator"}
    assert changed(course, cured(course, d_lr=1e-3)) == {"d_optimizer"}
    assert cured(course, r1=0) == course, "no penalty, no change"


def test_a_penalty_takes_batch_norm_and_gives_the_layer_before_it_a_bias() -> None:
    dcgan = RECIPES["dcgan"]
    recipe = cured(dcgan, r1=1)
    assert left_out(dcgan, recipe) == "dcgan: D is without BatchNorm"
    convolutions = [layer for layer in recipe.discriminator if hasattr(layer, "bias")]
    assert all(layer.bias for layer in convolutions) and not any(layer.bias for layer in dcgan.discriminator[2:3])
    assert left_out(dcgan, cured(dcgan, loss="relativistic")) == "", "a loss alone needs no such change"


def test_what_d_sees_is_changed_in_units_of_the_pixels() -> None:
    course, keras = RECIPES["course"], RECIPES["keras"]
    assert changed(course, cured(course, augment=["cutout"])) == {"discriminator"}
    assert cured(course, augment=["cutout", "brightness"]).discriminator[:2] == (Brightness(0.5), Cutout(fill=-1.0))
    assert cured(keras, augment=["cutout", "brightness"]).discriminator[:2] == (Brightness(0.25), Cutout(fill=0.0))
    augmented = cured(course, augment=AUGMENTATIONS)
    assert cured(augmented, augment=["contrast"]).discriminator == (Contrast(), *course.discriminator)
    assert cured(augmented, augment=[]) == course and cured(augmented, loss=None) is augmented
    assert left_out(course, augmented) == ""


def test_a_loss_of_pairs_has_one_term() -> None:
    assert RECIPES["keras"].mean_of_terms
    assert not cured(RECIPES["keras"], loss="relativistic").mean_of_terms
    assert cured(RECIPES["keras"], loss="hinge").mean_of_terms


def test_what_makes_no_sense_is_refused() -> None:
    for cures, message in (
        ({"loss": "wasserstein"}, "only makes D steeper: add --gradient-penalty 10 or --spectral-norm"),
        ({"loss": "mse"}, "loss 'mse' is unknown: choose one of bce, relativistic"),
        (
            {"augment": ["flip"]},
            "augmentation 'flip' is unknown: choose among brightness, contrast, translation, cutout",
        ),
        ({"augment": "cutout"}, "augmentation 'c' is unknown"),
        ({"r1": -1}, "r1, r2 and gradient_penalty must be at least 0"),
        ({"r2": float("nan")}, "Recipe: r2 must be a finite number"),
    ):
        with pytest.raises(InputError, match=message):
            cured(RECIPES["course"], **cures)
    hidden = replace(TINY, discriminator=(*TINY.discriminator[:2], Tanh(), *TINY.discriminator[3:]))
    with pytest.raises(InputError, match=r"tiny: discriminator: Tanh\(\): takes no gradient penalty"):
        cured(hidden, r1=1)


def test_the_options_are_the_cures() -> None:
    assert tuple(LOSSES) == TYPED and AUGMENTATIONS == TYPED_AUGMENTATIONS


FULL: dict[str, Any] = {"loss": "relativistic", "r1": 1, "r2": 2, "gradient_penalty": 3, "spectral_norm": True}


def test_a_cured_run_goes_on_where_it_was(tmp_path: Any) -> None:
    recipe = cured(TINY, **FULL, d_lr=1e-3, augment=AUGMENTATIONS)
    whole, half = tiny_trainer(6, recipe=recipe), tiny_trainer(3, recipe=recipe)
    half.save(tmp_path / "c.npz")
    again = tiny_trainer(0, recipe=recipe)
    again.load(tmp_path / "c.npz")
    for _ in range(3):
        again.step()
    for name, array in whole.arrays().items():
        if name != "sums":
            np.testing.assert_array_equal(again.arrays()[name], array, name)
    other = tiny_trainer(0, recipe=cured(recipe, r1=5))
    with pytest.raises(InputError, match=r"was trained with r1 1.0, not 5.0; continue"):
        other.load(tmp_path / "c.npz")


def test_a_penalty_pulls_the_slopes_of_the_discriminator_down() -> None:
    """After the same steps, D with R1 is flatter at real images than D without."""
    steepness = {}
    for gamma in (0.0, 100.0):
        trainer = tiny_trainer(40, recipe=replace(cured(TINY, r1=gamma), optimizer=Adam(lr=0.01)))
        D = trainer.D
        outputs = D.forward(IMAGES)
        steepness[gamma] = float(np.linalg.norm(D.backward_input(np.ones_like(outputs))))
    assert steepness[100.0] < 0.3 * steepness[0.0]


def test_the_loss_in_the_log_has_the_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    without, mild = (tiny_trainer(1, recipe=cured(TINY, loss="bce", r1=gamma)) for gamma in (0.0, 1e-3))
    strong = tiny_trainer(1, recipe=cured(TINY, loss="bce", r1=1.0))
    least, more, most = (trainer.means()["d_loss"] for trainer in (without, mild, strong))
    assert least < more < most and most - least == pytest.approx(1000 * (more - least), rel=0.01)


def test_slopes_of_the_kinds_that_are_left_are_constant() -> None:
    """What `cured` leaves of every published discriminator takes a penalty: nothing else is in it."""
    kinds = {type(layer) for recipe in RECIPES.values() for layer in cured(recipe, r1=1).discriminator}
    assert LeakyReLU in kinds and not kinds & {Tanh, Sigmoid, BatchNorm}
