"""A run with labels: they stay beside their images, classes are asked for as often as they occur, and it resumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import double
import numpy as np
import pytest
from tiny import IMAGES, TINY, tiny_trainer

from nanogan.backend import Array
from nanogan.errors import InputError
from nanogan.recipes.conditional import with_classes
from nanogan.recipes.mnist import RECIPES, get_recipe
from nanogan.recipes.recipe import describe, restore
from nanogan.training.gan_trainer import Trainer, generate
from nanogan.training.trained import load_generator

NAMES = ("cat", "dog", "emu")
RECIPE = replace(with_classes(TINY, NAMES), ema_decay=0.9)
LABELS = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2])


def trainer(steps: int = 0, **options: Any) -> Trainer:
    return tiny_trainer(steps, **{"recipe": RECIPE, "labels": LABELS, **options})


def arrays(run: Trainer) -> dict[str, Array]:
    return {name: run.backend.to_host(array).copy() for name, array in run.arrays().items()}


@pytest.mark.parametrize("at", [1, 3, 4])  # in the middle of an epoch of 3 steps, at its end, in the second
def test_resume_is_exact(tmp_path: Path, at: int) -> None:
    whole, begun = trainer(7), trainer(at)
    begun.save(tmp_path / "c.npz")
    resumed = trainer()
    resumed.load(tmp_path / "c.npz")
    for _ in range(7 - at):
        resumed.step()
    for name, array in arrays(whole).items():
        np.testing.assert_array_equal(arrays(resumed)[name], array, name)
    np.testing.assert_array_equal(resumed.sample(), whole.sample())


def test_other_labels_are_other_data(tmp_path: Path) -> None:
    trainer(1).save(tmp_path / "c.npz")
    for change, message in (
        ({"labels": LABELS[::-1].copy()}, "was trained with data "),
        (
            {"recipe": replace(RECIPE, class_names=("a", "b", "c"))},
            r"was trained with class_names \('cat', 'dog', 'emu'\)",
        ),
        ({"recipe": replace(TINY, ema_decay=0.9), "labels": None}, "was trained with "),
    ):
        with pytest.raises(InputError, match=message):
            trainer(**change).load(tmp_path / "c.npz")


@pytest.mark.parametrize("graphs", [True, False])
def test_a_run_on_the_other_backend_has_the_same_bits(graphs: bool) -> None:
    on_numpy, elsewhere = trainer(8), trainer(8, backend=double.backend(graphs=graphs))
    for name, array in arrays(on_numpy).items():
        np.testing.assert_array_equal(arrays(elsewhere)[name], array, name)


def test_labels_stay_beside_their_images_and_are_asked_for_as_often_as_they_occur() -> None:
    run = trainer()
    seen: list[tuple[Array, Array]] = []
    forward = run.D.forward

    def watched(x: Array, training: bool = True, labels: Array | None = None) -> Array:
        assert labels is not None
        seen.append((x.copy(), labels.copy()))
        return forward(x, training, labels)

    run.D.forward = watched  # type: ignore[method-assign]
    for _ in range(300):
        run.step()
    number = {image.tobytes(): label for image, label in zip(IMAGES, LABELS, strict=True)}
    asked = []
    for images, labels in seen:
        for image, label in zip(images, labels, strict=True):
            known = number.get(image.tobytes())
            assert known is None or known == label
            asked += [label] if known is None else []
    shares = np.bincount(np.array(asked), minlength=3) / len(asked)  # 2,400 draws: standard error 0.01
    np.testing.assert_allclose(shares, [6 / 12, 4 / 12, 2 / 12], atol=0.05)


def test_a_run_without_labels_draws_what_it_drew_before() -> None:
    """Nothing about labels may take a random number from it: as the stream of a run without them has it."""
    run = tiny_trainer(2)
    rng = np.random.default_rng(0)
    again = tiny_trainer(recipe=TINY)
    assert run.labels is None and again.rng.bit_generator.state != rng.bit_generator.state
    noise = np.random.default_rng(0)
    noise.bit_generator.state = again.rng.bit_generator.state
    again.step()
    for _ in range(2):
        noise.standard_normal((4, 2), dtype=np.float32)
    assert noise.bit_generator.state == again.rng.bit_generator.state


def test_the_pictures_of_an_epoch_are_a_row_per_class() -> None:
    run = trainer()
    assert run.sample_columns == 8 and run.sample().shape == (24, 2, 2, 1)
    np.testing.assert_array_equal(run.fixed_labels, np.repeat([0, 1, 2], 8))


def test_the_generator_comes_back_with_its_classes(tmp_path: Path) -> None:
    run = trainer(3)
    run.save(tmp_path / "c.npz")
    G, recipe = load_generator(tmp_path / "c.npz")
    assert recipe == RECIPE and recipe.class_names == NAMES
    np.testing.assert_array_equal(generate(G, recipe, run.fixed_noise, run.fixed_labels), run.sample())


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_conditional(name: str) -> None:
    recipe = get_recipe(name, (28, 28, 1), width=5, noise_size=3, class_names=["a", "b"])
    assert recipe.class_names == ("a", "b") and restore(describe(recipe)) == recipe
    images = np.zeros((8, 28, 28, 1), np.float32)
    run = Trainer(recipe, images, labels=np.arange(8) % 2, seed=0, batch_size=4)
    run.step()
    assert run.G.classes == run.D.classes == 2 and np.isfinite(list(run.means().values())).all()
    assert with_classes(recipe, "abc") == get_recipe(name, width=5, noise_size=3, class_names="abc")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"labels": None}, "labels: recipe tiny draws classes; give the class of each image"),
        ({"recipe": TINY}, "labels: recipe tiny uses none; leave them out, or give get_recipe class_names"),
        ({"labels": LABELS[:5]}, r"labels: expected a whole number for each of 12 images, got int64 of shape \(5,\)"),
        ({"labels": LABELS * 1.0}, "expected a whole number for each of 12 images, got float64"),
        ({"labels": LABELS + 1}, r"labels: expected 0 ... 2, got 1 ... 3"),
        ({"labels": LABELS - 1}, r"labels: expected 0 ... 2, got -1 ... 1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        trainer(**options)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"class_names": ("a", "b")},
            r"tiny: Embedding\(classes=3.* knows 3 classes, but class_names are \('a', 'b'\)",
        ),
        ({"class_names": None}, "knows 3 classes, but class_names are None"),
        ({"class_names": ("a", "b", "b")}, "class_names must be different texts"),
        ({"class_names": (0, 1, 2)}, "class_names must be different texts"),
    ],
)
def test_names_that_do_not_fit_the_networks_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(RECIPE, **change)


def test_networks_that_cannot_be_made_conditional_say_so() -> None:
    with pytest.raises(InputError, match="tiny: a conditional generator begins with Linear, found Tanh"):
        with_classes(replace(TINY, generator=TINY.generator[4:]), NAMES)
    with pytest.raises(InputError, match=r"tiny: a conditional discriminator ends in Linear\(..., 1\)"):
        with_classes(replace(TINY, discriminator=TINY.discriminator[:2]), NAMES)
