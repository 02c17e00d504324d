"""A picture that a generator has drawn is found again, and so is its class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nanogan.__main__ import main
from nanogan.errors import ShapeError
from nanogan.explore import invert
from nanogan.explore.invert import search
from nanogan.gradcheck.checks import check_network
from nanogan.network import Network
from nanogan.recipes.mnist import get_recipe
from nanogan.recipes.recipe import Recipe
from nanogan.training.gan_trainer import Trainer, generate

Image = pytest.importorskip("PIL.Image", reason="Pillow isn't needed on a machine that only tests a GPU")

CONDITIONAL = get_recipe("vanilla", (4, 4, 1), width=16, noise_size=3, class_names=("a", "b"))
PLAIN = get_recipe("vanilla", (4, 4, 1), width=16, noise_size=3)


def network(recipe: Recipe) -> Network:
    G = Network(recipe.generator, recipe.input_shape, rng=0)
    G.params *= 3
    return G


@pytest.mark.parametrize("recipe", [PLAIN, CONDITIONAL], ids=["plain", "conditional"])
def test_what_it_has_drawn_it_finds_again(recipe: Recipe) -> None:
    G = network(recipe)
    z = recipe.draw_noise(np.random.default_rng(7), np.empty((5, 3), np.float32))
    classes = None if recipe is PLAIN else np.array([0, 1, 1, 0, 1])
    pictures = generate(G, recipe, z, classes)
    before = [G.params.copy(), G.state.copy()]
    found = invert(G, recipe, pictures, starts=4, steps=150)
    assert found.psnr.min() > 40 and found.z.shape == (5, 3)
    np.testing.assert_array_equal(found.images, generate(G, recipe, found.z, found.labels))
    if classes is not None:
        assert found.labels is not None and (found.labels == classes).all()
    for vector, kept in zip((G.params, G.state), before, strict=True):
        np.testing.assert_array_equal(vector, kept)
    again = invert(G, recipe, pictures, starts=4, steps=150)
    np.testing.assert_array_equal(again.z, found.z)


def test_each_picture_is_sought_as_if_alone() -> None:
    G, rng = network(CONDITIONAL), np.random.default_rng(3)
    pictures = rng.random((3, 4, 4, 1), dtype=np.float32)
    together = invert(G, CONDITIONAL, pictures, starts=2, steps=30)
    alone = invert(G, CONDITIONAL, pictures[1:2], starts=2, steps=30)
    np.testing.assert_allclose(alone.z[0], together.z[1], atol=1e-4)


def test_more_starts_and_more_steps_find_no_worse() -> None:
    G, pictures = network(PLAIN), np.random.default_rng(3).random((4, 4, 4, 1), dtype=np.float32)
    psnr = [invert(G, PLAIN, pictures, starts=n, steps=100).psnr for n in (1, 6)]
    assert (psnr[1] >= psnr[0] - 0.01).all() and psnr[1].mean() > psnr[0].mean()


def test_a_class_that_is_given_is_kept() -> None:
    G = network(CONDITIONAL)
    z = CONDITIONAL.draw_noise(np.random.default_rng(7), np.empty((2, 3), np.float32))
    pictures = generate(G, CONDITIONAL, z, np.array([0, 0]))
    found = invert(G, CONDITIONAL, pictures, labels=np.array([1, 1]), starts=2, steps=20)
    assert found.labels is not None and (found.labels == 1).all()


def test_the_gradient_of_the_search_is_the_generators_own() -> None:
    """One step of plain descent along what `backward_input` gives lowers the error of every picture."""
    G = network(PLAIN)
    assert check_network(Network(PLAIN.generator, 3, dtype=np.float64, rng=0)).passed
    targets = np.random.default_rng(3).random((4, 4, 4, 1), dtype=np.float32)
    z = np.zeros((4, 3), np.float32)
    before = generate(G, PLAIN, z)
    search(G, PLAIN, z, targets, None, steps=40)
    after = generate(G, PLAIN, z)
    errors = [((images - targets) ** 2).sum(axis=(1, 2, 3)) for images in (before, after)]
    assert (errors[1] < errors[0]).all()


def test_pictures_of_another_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"invert: expected pictures \(N, \(4, 4, 1\)\), got \(2, 5, 4, 1\)"):
        invert(network(PLAIN), PLAIN, np.zeros((2, 5, 4, 1), np.float32))


# ---- the command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on 12 pictures of 4 x 4 that lie beside it, two of which are to be found."""
    folder = tmp_path_factory.mktemp("invert")
    pixels = np.random.default_rng(0).integers(0, 256, (12, 4, 4), dtype=np.uint8)
    np.save(folder / "data.npy", pixels[..., None])
    for n in range(2):
        Image.fromarray(pixels[n]).save(folder / f"{n}.png")
    images = pixels[..., None].astype(np.float32) / 127.5 - 1
    Trainer(CONDITIONAL, images, labels=np.arange(12) % 2, seed=0, batch_size=4).save(folder / "checkpoint.npz")
    return folder


def test_the_command_writes_a_row_per_picture_and_its_z(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.png"
    given = [str(folder / name) for name in ("checkpoint.npz", "0.png", "1.png")]
    options = ["--data", str(folder / "data.npy"), "--steps", "5", "--out", str(out)]
    assert main(["invert", *given, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and "0.png: " in lines[0] and " dB, as " in lines[0]
    assert float(lines[0].split()[-2]) > 100, "it is one of them"
    with Image.open(out) as picture:
        assert picture.size == (4 * (1 + 4 * 5), 4 * (1 + 2 * 5))
    assert np.load(out.with_suffix(".npy")).shape == (2, 3)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["0.png", "--out", "x.gif"], "expected a name ending in .png"),
        (["none.png"], "there is no such file"),
        (["0.png", "--class", "c"], "there is no class 'c'"),
        (["0.png", "--class", "a,b"], "name one class, or leave it out to have all tried"),
        (["0.png", "--starts", "0"], "'0' is not a whole number from 1 to 1,000"),
        (["0.png", "--data", "none"], "no such file or folder"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as stopped:
        main(["invert", "checkpoint.npz", *arguments])
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and message in error and len(error.splitlines()) == 1
    assert not (folder / "inverted.png").exists()
