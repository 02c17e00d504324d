"""Rules of the diagnosis that compare figures with what cross-entropy allows, and the images with what G draws."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from tiny import IMAGES, TINY, tiny_trainer

from nanogan.losses import MSE, BCEWithLogits
from nanogan.recipes.mnist import get_recipe
from nanogan.recipes.recipe import Recipe
from nanogan.training.diagnosis import Diagnosis, findings, narrow_range
from nanogan.training.log import Row

VANILLA = get_recipe("vanilla")
SOUND = {"d_loss": 1.2, "g_loss": 1.1, "d_real": 0.6, "d_fake": 0.41, "gradient_norm": 0.5, "top_digit_share": 0.2}


def two_rows(step: int = 2000, **figures: float) -> list[Row]:
    return [{**SOUND, **figures, "epoch": epoch, "step": step + 250 * epoch} for epoch in (1, 2)]


def said(rows: list[Row], recipe: Recipe = VANILLA) -> dict[str, str]:
    return findings(rows, recipe)


def test_sound_figures_are_silent() -> None:
    assert said(two_rows()) == {}


def test_a_loss_of_d_of_twice_that_of_guessing_is_too_large() -> None:
    text = said(two_rows(d_loss=2.8))["D overshoots"]
    assert text.startswith("its loss is 2.8, and 1.4 if it only guessed") and "--lr 5e-05 or --beta1 0.5" in text
    assert said(two_rows(d_loss=2.7)) == {}
    assert said([*two_rows()[:1], *two_rows(d_loss=9.0)[1:]]) == {}, "one row is no reason"
    of_mean = replace(VANILLA, mean_of_terms=True)
    assert set(said(two_rows(d_loss=1.5), of_mean)) == {"D overshoots"} and said(two_rows(d_loss=1.3), of_mean) == {}


def test_outputs_of_d_that_add_up_to_more_than_the_labels() -> None:
    smoothed = replace(VANILLA, real_label=0.8)
    both_sides = two_rows(d_real=0.56, d_fake=0.45)  # labels of 0.8 and 0.2
    assert "D(x) + D(G(z)) = 1.01, and labels of 0.8 and 0 make 0.8" in said(both_sides, smoothed)["labels"]
    assert said(both_sides) == {}, "with a real label of 1 they may"
    assert said(two_rows(d_real=0.48, d_fake=0.33), smoothed) == {}
    assert said(two_rows(step=0, d_real=0.56, d_fake=0.45), smoothed) == {}, "they haven't settled"


def test_a_loss_of_g_below_zero_is_the_saturating_form() -> None:
    assert "below 0: the saturating form" in said(two_rows(g_loss=-0.46))["G's loss"]


def test_a_loss_of_g_that_d_of_its_own_step_contradicts() -> None:
    """D(G(z)) = 0.067 asks for at least 2.7; the rows of a run with real and fake in one batch of BatchNorm."""
    found = said(two_rows(d_loss=0.13, g_loss=0.638, d_real=0.947, d_fake=0.0666))
    assert "D(G(z)) = 0.067 in D's step, and a loss of 0.64 needs 0.53 in G's" in found["G's loss"]
    at_least = -math.log(0.41)
    assert said(two_rows(g_loss=at_least)) == {} and said(two_rows(g_loss=at_least - 0.2)) == {}
    assert set(said(two_rows(g_loss=at_least - 0.3))) == {"G's loss"}
    assert said(two_rows(g_loss=99.0, d_fake=0.02)) == {}


def test_d_fake_of_zero_is_no_error() -> None:
    assert set(said(two_rows(d_fake=0.0, g_loss=0.1, d_loss=0.0))) == {"D has won", "G's loss"}


def test_other_losses_have_other_rules() -> None:
    least_squares = replace(VANILLA, loss=MSE())
    assert said(two_rows(d_loss=9.0, g_loss=-1.0), least_squares) == {}
    assert said(two_rows(d_loss=9.0), replace(VANILLA, loss=BCEWithLogits())) != {}


# ---- the range of the images


@pytest.mark.parametrize(
    ("lowest", "highest", "pixels", "narrow"),
    [
        (-1, 1, (-1, 1), False),
        (0, 1, (-1, 1), True),
        (-1, 0, (-1, 1), True),
        (-0.6, 0.4, (-1, 1), False),
        (0, 1, (0, 1), False),
        (0, 1 / 255, (0, 1), True),
        (0.2, 0.2, (-1, 1), False),
    ],
)
def test_images_in_one_half_of_what_g_draws(lowest, highest, pixels, narrow) -> None:
    recipe = replace(VANILLA, pixels=pixels)
    assert bool(narrow_range(lowest, highest, recipe)) == narrow


def test_a_run_on_them_says_so_once(backend, capsys) -> None:
    trainer = tiny_trainer(steps=3, images=(IMAGES + 1) / 2, backend=backend)
    diagnosis = Diagnosis(trainer, digits=False)
    assert diagnosis.news() == {}, "it was said when this run had its first row"
    fresh = tiny_trainer(recipe=TINY, images=(IMAGES + 1) / 2, backend=backend)
    diagnosis = Diagnosis(fresh, digits=False)
    for _ in range(2):
        for _ in range(3):
            fresh.step()
        fresh.log_epoch(**diagnosis.figures())
        diagnosis.warn()
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "compiling kernels" not in line)
    assert line.startswith("epoch 1: pixels: the images have values of 0 to 1, and G draws -1 to 1; scale them, so")
