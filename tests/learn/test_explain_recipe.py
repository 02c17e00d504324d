"""A recipe's step in shapes and statistics: every array of every published recipe is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from running import ROOT, run

from nanogan.learn.explain.drawing import drawn
from nanogan.learn.explain.entry import Entry, Explanation, Section
from nanogan.learn.explain.page import as_page
from nanogan.learn.explain.recipe import explain_recipe
from nanogan.learn.explain.text import WIDTH, as_text
from nanogan.network import Network
from nanogan.recipes.mnist import RECIPES, get_recipe


@pytest.fixture(scope="module", params=RECIPES)
def explanation(request: pytest.FixtureRequest) -> Explanation:
    return explain_recipe(request.param)


def networks(explanation: Explanation) -> dict[str, Network]:
    recipe = get_recipe(explanation.title.split()[-1])
    return {"G": Network(recipe.generator, recipe.noise_size), "D": Network(recipe.discriminator, recipe.image_shape)}


def step_of(explanation: Explanation, name: str) -> Section:
    """The section in which an array is made: G's points may be those of D's step, and D may wait for G."""
    return next(section for section in explanation.sections[::-1] if name in [entry.name for entry in section.entries])


def test_every_weight_has_its_gradient_in_its_own_step_alone(explanation: Explanation) -> None:
    for key, network in networks(explanation).items():
        own, other = explanation.sections[::-1] if key == "G" else explanation.sections
        for name, array in network.arrays().items():
            owner, attribute = name.split(".")
            if attribute.startswith("running"):
                continue
            entry = own[f"{key}{owner}.{attribute}"]
            assert entry.shape == array.shape
            assert entry.gradient_name == f"{key}{owner}.d{attribute}"
            if attribute in ("W", "b"):  # BatchNorm's dx needs the sums that are its other gradients
                assert not other[entry.name].gradient_name
        name = f"{key}.params_new"
        assert step_of(explanation, name)[name].shape == network.params.shape


def test_every_layer_has_its_output_and_its_gradient(explanation: Explanation) -> None:
    for key, network in networks(explanation).items():
        for position, layer in enumerate(network.layers):
            name = f"{key}{position}.y"
            section = step_of(explanation, name)
            assert section[name].what.startswith(f"what {type(layer).__name__} makes of ")
            assert section[name].gradient_name or section.key == "D", "G's gradient passes through every layer"


def test_statistics_are_of_the_values(explanation: Explanation) -> None:
    from nanogan.data.images import load_mnist

    recipe = get_recipe(explanation.title.split()[-1])
    images, _ = load_mnist("test", scale=recipe.pixels)
    batch = images[: recipe.batch_size]
    found = explanation.sections[0]["real"].statistics
    assert found is not None and np.isclose(found.mean, batch.mean(), atol=1e-6) and np.isclose(found.std, batch.std())
    assert (found.low, found.high) == (batch.min(), batch.max())


def test_the_text_fits_and_names_lines_that_are_there(explanation: Explanation) -> None:
    text = as_text(explanation, coloured=False)
    assert max(map(len, text.splitlines())) <= WIDTH and text.isascii()
    entries: list[Entry] = [entry for section in explanation.sections for entry in section.entries]
    for entry in entries:
        assert entry.lines and (entry.formula or entry.words or entry.part == "given")
        for line in entry.lines:
            assert (ROOT / line.path).read_text(encoding="utf-8").splitlines()[line.number - 1].strip() == line.code


def test_the_page_is_small_and_its_boxes_lie_apart(explanation: Explanation) -> None:
    assert len(as_page(explanation)) < 300_000
    for section in explanation.sections:
        boxes = drawn(section).boxes
        assert len({(round(box.x), box.y) for box in boxes}) == len(boxes) == len(section.entries)


def test_the_page_of_a_recipe_is_sound(visit: Callable, tmp_path: Path) -> None:
    path = tmp_path / "recipe.html"
    path.write_bytes(as_page(explain_recipe("nanogan")))
    page = visit(path, width=320)
    page.click("#box-D-30")
    assert not page.errors and not page.requests and not page.sticking_out()


def test_the_command_explains_a_recipe(tmp_path: Path) -> None:
    done = run("-m", "nanogan", "explain", "--recipe", "vanilla", cwd=tmp_path)
    assert done.returncode == 0 and not done.stderr and "D1.W  784 x 256: weights" in done.stdout
