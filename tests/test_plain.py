"""`nanogan/plain.py` is the library in 150 lines: the same losses and weights, nothing shared, and it draws."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from steps import discriminator_step, generator_step

from nanogan import NUMPY, Network, plain
from nanogan.backend import Array
from nanogan.data import images as data
from nanogan.recipes.mnist import VANILLA

Image = pytest.importorskip("PIL.Image", reason="Pillow isn't needed on a machine that only tests a GPU")
SOURCE = Path(plain.__file__).read_text(encoding="utf-8")


def networks(rng: np.random.Generator, dtype: Any = np.float64) -> tuple[Network, Network]:
    """The library's G and D of `vanilla`."""
    G = Network(VANILLA.generator, VANILLA.noise_size, dtype=dtype, rng=rng)
    return G, Network(VANILLA.discriminator, VANILLA.image_shape, dtype=dtype, rng=rng)


def in_plain(network: Network, rng: np.random.Generator, dtype: Any = np.float64) -> plain.Network:
    """The plain form of a network, with weights of its own."""
    layers: list[Any] = []
    theirs: list[Any] = network.layers
    for layer in theirs:
        match type(layer).__name__:
            case "Linear":
                linear = plain.Linear(layer.n_in, layer.n_out, rng)
                for name in ("W", "b", "dW", "db"):
                    setattr(linear, name, getattr(linear, name).astype(dtype))
                layers.append(linear)
            case "Tanh":
                layers.append(plain.Tanh())
            case "ReLU" | "LeakyReLU":
                layers.append(plain.ReLU(getattr(layer, "slope", 0.0)))
            case other:
                assert other in ("Flatten", "Reshape")  # images are rows there
    return plain.Network(layers)


def flat(network: plain.Network) -> Array:
    """All weights as the library lays them out."""
    return np.concatenate([p.ravel() for p in network.params])


def test_weights_start_as_the_librarys() -> None:
    G, D = networks(np.random.default_rng(3), np.float32)
    rng = np.random.default_rng(3)
    for network in (G, D):
        np.testing.assert_array_equal(flat(in_plain(network, rng, np.float32)), network.params)


def test_three_steps_are_the_librarys() -> None:
    rng = np.random.default_rng(0)
    G, D = networks(rng)
    plain_G, plain_D = in_plain(G, rng), in_plain(D, rng)
    G.params[...], D.params[...] = flat(plain_G), flat(plain_D)
    loss = VANILLA.loss.bind(NUMPY, np.float64)
    G_adam, D_adam = VANILLA.optimizer.bind(G), VANILLA.optimizer.bind(D)
    lr = VANILLA.optimizer.lr
    plain_G_adam, plain_D_adam = plain.Adam(plain_G, lr), plain.Adam(plain_D, lr)
    for _ in range(3):
        real = rng.uniform(-1, 1, (plain.BATCH, *VANILLA.image_shape))
        z, z_again = rng.standard_normal((2, plain.BATCH, plain.NOISE))
        expected = (
            discriminator_step(G, D, loss, D_adam, real, z)[0],
            generator_step(G, D, loss, G_adam, z_again),
        )
        found = (
            plain.discriminator_step(plain_G, plain_D, plain_D_adam, real.reshape(plain.BATCH, -1), z),
            plain.generator_step(plain_G, plain_D, plain_G_adam, z_again),
        )
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        for got, network in ((plain_G, G), (plain_D, D)):
            np.testing.assert_allclose(flat(got), network.params, rtol=1e-12, atol=1e-14)


def test_it_trains_the_networks_of_vanilla(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes, slopes, batch and first weights are the recipe's. Only Adam's settings are not: see `train`."""
    built: list[plain.Network] = []

    class Kept(plain.Network):
        def __init__(self, layers: list) -> None:
            super().__init__(layers)
            built.append(self)

    with monkeypatch.context() as patched:
        patched.setattr(plain, "Network", Kept)
        plain.train(np.zeros((0, 784), np.float32), 0, np.random.default_rng(3))
    for got, network in zip(built, networks(np.random.default_rng(3), np.float32), strict=True):
        expected = in_plain(network, np.random.default_rng(0))
        assert [type(layer) for layer in got.layers] == [type(layer) for layer in expected.layers]
        assert [getattr(layer, "slope", None) for layer in got.layers] == [
            getattr(layer, "slope", None) for layer in expected.layers
        ]
        np.testing.assert_array_equal(flat(got), network.params)
    assert (plain.BATCH, plain.NOISE) == (VANILLA.batch_size, VANILLA.noise_size)


def test_it_learns_where_the_ink_is() -> None:
    images = data.load_mnist("test")[0][:6400].reshape(-1, 784)
    rng = np.random.default_rng(0)
    fake = plain.train(images, 3, rng).forward(rng.standard_normal((500, plain.NOISE), dtype=np.float32))
    assert fake.dtype == np.float32
    assert np.corrcoef(fake.mean(axis=0), images.mean(axis=0))[0, 1] > 0.8


def test_the_command_trains_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few, labels = (array[:200] for array in data.load_mnist("test"))
    monkeypatch.setattr(data, "load_mnist", lambda: (few, labels))
    monkeypatch.setattr(sys, "argv", ["plain", "2"])
    monkeypatch.delitem(sys.modules, "nanogan.plain")
    monkeypatch.chdir(tmp_path)
    runpy.run_module("nanogan.plain", run_name="__main__")
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith("epoch 1/2  D ") and second.startswith("epoch 2/2  D ") and "layer.py" in last
    Image = pytest.importorskip("PIL.Image")
    with Image.open("plain.png") as picture:
        assert picture.size == (2 * (8 * 29 + 1), 2 * (8 * 29 + 1))


def test_it_is_short_and_needs_only_numpy() -> None:
    assert len(SOURCE.splitlines()) <= 150
    tree = ast.parse(SOURCE)
    at_the_top = {ast.unparse(node) for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))}
    assert at_the_top == {"import numpy as np"}
    anywhere = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))}
    assert anywhere - at_the_top == {
        "import argparse",
        "from .data.images import load_mnist",
        "from .io.plots import save_grid",
    }
