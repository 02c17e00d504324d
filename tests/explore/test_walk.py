"""A walk is a loop of small steps, comes by what it was told, and a mixture of classes is what lies between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import TINY

from nanogan.__main__ import main
from nanogan.errors import InputError
from nanogan.explore import walk
from nanogan.explore.walk import between_classes, slerp, straight
from nanogan.network import Network
from nanogan.recipes.conditional import with_classes
from nanogan.recipes.recipe import Recipe
from nanogan.training.gan_trainer import Trainer, generate

Image = pytest.importorskip("PIL.Image", reason="Pillow isn't needed on a machine that only tests a GPU")

NAMES = ("cat", "dog", "emu")
RECIPE = with_classes(TINY, NAMES)


def network(recipe: Recipe) -> Network:
    G = Network(recipe.generator, recipe.input_shape, rng=0)
    G.params[...] = 0.3 * np.random.default_rng(1).standard_normal(G.params.size)
    return G


@pytest.mark.parametrize("recipe", [TINY, RECIPE], ids=["plain", "conditional"])
def test_a_walk_is_a_loop_without_a_seam(recipe: Recipe) -> None:
    images = walk(network(recipe), recipe, 400, seed=0)
    steps = np.abs(np.diff(np.concatenate([images, images[:1]]), axis=0)).max(axis=(1, 2, 3))
    assert images.shape == (400, 2, 2, 1) and images.min() >= 0 and images.max() <= 1
    assert 0 < steps.max() < 0.05, "also from the last image to the first"
    np.testing.assert_array_equal(images, walk(network(recipe), recipe, 400, seed=0))
    assert (walk(network(recipe), recipe, 400, seed=1) != images).any()


def test_the_way_of_normal_noise_keeps_its_length_and_its_speed() -> None:
    rng = np.random.default_rng(0)
    stops = rng.standard_normal((4, 64))
    stops /= np.linalg.norm(stops, axis=1, keepdims=True)
    place = np.arange(40) / 10
    z = slerp(stops, place)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(z[::10], stops, atol=1e-12)
    turned = np.linalg.norm(np.diff(z, axis=0), axis=1).reshape(-1)[:10]
    np.testing.assert_allclose(turned, turned[0], rtol=1e-9)


def test_uniform_noise_stays_within_its_bounds() -> None:
    rng = np.random.default_rng(0)
    stops = rng.uniform(-1, 1, (5, 30))
    z = straight(stops, np.arange(50) / 10)
    assert abs(z).max() <= 1
    np.testing.assert_array_equal(z[::10], stops)


def test_a_mixture_of_classes_is_a_mixture_of_their_rows() -> None:
    G = network(RECIPE)
    z = np.random.default_rng(0).standard_normal((3, 2)).astype(np.float32)
    pure = generate(between_classes(G, np.eye(3)[[2, 0, 1]]), RECIPE, z, np.arange(3))
    np.testing.assert_array_equal(pure, generate(G, RECIPE, z, np.array([2, 0, 1])))
    half = between_classes(G, np.array([[0.5, 0.5, 0.0]]))
    np.testing.assert_allclose(half.arrays()["0.E"][0], G.arrays()["0.E"][:2].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(half.arrays()["2.beta"][0], G.arrays()["2.beta"][:2].mean(axis=0), rtol=1e-6)


def test_a_walk_comes_by_the_classes_it_is_told() -> None:
    """At its stops each image is of one class alone; of one class, all are."""
    G, z = network(RECIPE), np.empty((4, 2))
    RECIPE.draw_noise(np.random.default_rng(5), z)
    images = walk(G, RECIPE, 8, classes=[2, 1], seed=5)
    expected = generate(G, RECIPE, z.astype(np.float32), np.array([2, 1, 2, 1]))
    np.testing.assert_allclose(images[::2], expected, atol=1e-6)
    images = walk(G, RECIPE, 8, classes=[1], seed=5)
    np.testing.assert_allclose(images[::2], generate(G, RECIPE, z.astype(np.float32), np.full(4, 1)), atol=1e-6)


def test_what_cannot_be_walked_is_refused() -> None:
    with pytest.raises(InputError, match="3 frames are too few to come by 4 places; make it 4 or more"):
        walk(network(TINY), TINY, 3)
    with pytest.raises(InputError, match=r"classes must lie in 0 ... 2, got \[3\]"):
        walk(network(RECIPE), RECIPE, classes=[3])
    with pytest.raises(InputError, match="classes must lie in"):
        walk(network(TINY), TINY, classes=[0])


# ---- the command


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("walk") / "checkpoint.npz"
    images = np.zeros((12, 2, 2, 1), np.float32)
    Trainer(RECIPE, images, labels=np.arange(12) % 3, seed=0).save(path)
    return path


def test_the_command_draws_an_animation_or_a_grid(checkpoint: Path, tmp_path: Path) -> None:
    gif, png = tmp_path / "w.gif", tmp_path / "w.png"
    assert main(["walk", str(checkpoint), "--frames", "7", "--class", "cat,emu", "--seed", "0", "--out", str(gif)]) == 0
    with Image.open(gif) as picture:
        assert (picture.format, picture.size, picture.info["loop"]) == ("GIF", (224, 224), 0)
        assert len(list(pytest.importorskip("PIL.ImageSequence").Iterator(picture))) == 7
    assert main(["walk", str(checkpoint), "--frames", "9", "--out", str(png)]) == 0
    with Image.open(png) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--out", "w.bmp"], "expected a name ending in .gif (an animation) or .png (a grid)"),
        (["--frames", "3"], "'3' is not a whole number from 4 to 1,000"),
        (["--class", "cow"], "there is no class 'cow'; choose of cat, dog, emu, or all"),
        (["--class", ""], "there is no class ''"),
    ],
)
def test_a_mistake_is_one_line(
    checkpoint: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["walk", str(checkpoint), *arguments])
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and message in error and len(error.splitlines()) == 1
