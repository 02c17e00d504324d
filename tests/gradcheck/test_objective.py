"""The objective's test passes every recipe, and rejects functions whose derivatives are right."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from nanogan import BatchNorm, BCEWithLogits, LeakyReLU, Linear, Sequential
from nanogan.backend import Array
from nanogan.gradcheck.checks import check_loss
from nanogan.gradcheck.objective import check_objective
from nanogan.losses import MSE
from nanogan.recipes.mnist import RECIPES
from nanogan.recipes.recipe import Recipe

VANILLA = RECIPES["vanilla"]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_every_recipe_minimises_what_it_should(recipe: Recipe) -> None:
    report = check_objective(recipe)
    assert report.passed, report
    assert [row.name for row in report.rows][:3] == ["D(x)", "D's loss", "G's loss"]
    assert all(row.checked for row in report.rows)


def test_a_summed_loss_is_the_sum_of_the_textbooks_terms() -> None:
    assert check_objective(replace(VANILLA, loss=BCEWithLogits(reduction="sum"))).passed


@dataclass
class Doubled(BCEWithLogits):
    """Of sigma(2x): right derivatives, and the loss at chance is right, too."""

    def terms(self, x: Array, t: Array | float) -> Array:
        return super().terms(2 * x, t)

    def gradient(self, x: Array, t: Array | float) -> Array:
        return 2 * super().gradient(2 * x, t)


@dataclass
class Halved(BCEWithLogits):
    def terms(self, x: Array, t: Array | float) -> Array:
        return super().terms(x, t) / 2

    def gradient(self, x: Array, t: Array | float) -> Array:
        return super().gradient(x, t) / 2


@pytest.mark.parametrize(("loss", "first"), [(Doubled(), "at random logits"), (Halved(), "at chance")])
def test_a_wrong_loss_with_right_derivatives_is_rejected(loss: BCEWithLogits, first: str) -> None:
    assert check_loss(loss).passed
    report = check_objective(replace(VANILLA, loss=loss))
    assert [row.name for row in report.rows if row.verdict == "FAIL"] == ["D's loss", "G's loss"]
    assert report["D's loss"].worst.where == first
    assert "computed" in str(report) and "2 ln 2 = 1.386 at chance" in str(report)


def test_the_loss_at_chance_is_two_ln_two() -> None:
    first = check_objective(VANILLA)["D's loss"].derivatives[0]
    assert first.where == "at chance" and first.written == pytest.approx(2 * np.log(2))


@pytest.mark.parametrize(("eps", "passes"), [(1e-5, True), (1e-4, True), (0.01, False), (0.8, False)])
def test_batchnorm_puts_out_a_variance_of_1_also_inside_other_layers(eps: float, passes: bool) -> None:
    inner = Sequential([Linear(784, 8), BatchNorm(8, eps=eps), LeakyReLU()])
    recipe = replace(VANILLA, discriminator=(VANILLA.discriminator[0], inner, Linear(8, 1)))
    report = check_objective(recipe)
    assert report.passed == passes
    assert ("variance isn't 1" in str(report)) != passes


def test_of_another_loss_only_the_batchnorms_are_looked_at() -> None:
    assert check_objective(replace(VANILLA, loss=MSE())).rows == []
    assert len(check_objective(replace(RECIPES["dcgan"], loss=MSE())).rows) == 2
