"""The image-to-image step: its gradients, what it returns, what it leaves alone, what it costs."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass
from typing import Any

import double
import numpy as np
import pytest

import nanogan.gan
from nanogan import L1, NUMPY, Adam, Network, image_to_image_step
from nanogan.backend import Array, Backend
from nanogan.gan import beside
from nanogan.pix2pix import dense, unet
from nanogan.proof import TRANSLATORS, prove_translator
from nanogan.recipes import ImageToImage

# ---- the step


@pytest.mark.parametrize("recipe", TRANSLATORS, ids=lambda recipe: f"{recipe.name}-{recipe.input_shape}")
def test_both_updates_are_the_slopes_of_their_losses(recipe: ImageToImage) -> None:
    for report in prove_translator(recipe, count=4):
        assert report.passed, report
        assert all(row.checked for row in report.rows), report


def test_the_proof_sees_a_gradient_of_the_wrong_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if D's input gradient for the condition went to G."""

    def swapped(D: Network, name: str, condition: Array, image: Array) -> Array:
        return beside(D, name, image, condition)

    monkeypatch.setattr(nanogan.gan, "beside", swapped)
    d_update, g_update = prove_translator(dense((4, 3, 2), (4, 3, 2)), count=4)
    assert d_update.passed and not g_update.passed


@dataclass
class Step:
    """Networks of a recipe, optimizers and a batch of pairs on their backend."""

    recipe: ImageToImage
    backend: Backend = NUMPY
    n: int = 3
    dtype: Any = np.float64

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        (height, width, a), b = self.recipe.input_shape, self.recipe.image_shape[-1]
        build: dict[str, Any] = {"backend": self.backend, "dtype": self.dtype, "rng": rng}
        self.G = Network(self.recipe.generator, (height, width, a), **build)
        self.D = Network(self.recipe.discriminator, (height, width, a + b), **build)
        losses = self.recipe.loss.on(self.backend, self.dtype), L1().on(self.backend, self.dtype)
        optimizers = Adam(lr=1e-3).attach(self.G), Adam(lr=1e-3).attach(self.D)
        shapes = self.recipe.input_shape, self.recipe.image_shape
        self.pair = [self.backend.asarray(rng.uniform(-1, 1, (self.n, *shape)).astype(self.dtype)) for shape in shapes]
        self.players: Any = (self.G, self.D, *losses, *optimizers)

    def __call__(self, **weights: float) -> list[Array]:
        return list(image_to_image_step(*self.players, *self.pair, **weights))


@pytest.mark.parametrize("recipe", TRANSLATORS[:2], ids=lambda recipe: recipe.name)
def test_the_gradient_at_the_images_is_the_sum_of_two(backend: Backend, recipe: ImageToImage) -> None:
    """G's gradients with weights (3, 0) and (0, 2), added, are those with (3, 2): each part alone is switched off by 0.
    D's and the condition's own gradients are not asked for."""
    found = []
    for adversarial_weight, l1_weight in ((3.0, 0.0), (0.0, 2.0), (3.0, 2.0)):
        step = Step(recipe, backend)
        step(adversarial_weight=adversarial_weight, l1_weight=l1_weight)
        found.append(backend.to_host(step.G.grads).copy())
    scale = np.abs(found[2]).max()
    np.testing.assert_allclose(found[0] + found[1], found[2], rtol=0, atol=1e-12 * scale)
    assert all(np.abs(part).max() > 1e-3 * scale for part in found)


def test_what_the_step_returns(backend: Backend) -> None:
    """D's loss and outputs before its update; G's adversarial part after it, from the discriminator that has moved."""
    step = Step(dense((4, 3, 1), (4, 3, 2)), backend)
    host = backend.to_host
    condition, target = map(host, step.pair)
    fake = host(step.G.forward(step.pair[0])).copy()
    before = [
        host(step.D.forward(backend.asarray(np.concatenate([condition, y], axis=-1)))).copy() for y in (target, fake)
    ]
    d_loss, on_real, on_fake, adversarial, distance = step()
    np.testing.assert_allclose(host(on_real), before[0], rtol=1e-12)
    np.testing.assert_allclose(host(on_fake), before[1], rtol=1e-12)
    assert float(d_loss) == pytest.approx(np.logaddexp(0, -before[0]).mean() + np.logaddexp(0, before[1]).mean())
    after = host(step.D.forward(backend.asarray(np.concatenate([condition, fake], axis=-1))))
    assert float(adversarial) == pytest.approx(np.logaddexp(0, -after).mean())
    assert float(adversarial) != pytest.approx(np.logaddexp(0, -before[1]).mean())
    assert float(distance) == pytest.approx(np.abs(fake - target).mean())
    for array, kept in zip(step.pair, (condition, target), strict=True):
        np.testing.assert_array_equal(host(array), kept)


def test_a_step_never_reads_from_the_device_and_computes_the_same_there(device_reads: double.Reads) -> None:
    on_double, on_numpy = Step(TRANSLATORS[1], double.backend()), Step(TRANSLATORS[1])
    device_reads.count = 0
    for step in (on_double, on_numpy):
        for _ in range(3):
            step()
    assert device_reads.count == 0
    np.testing.assert_array_equal(on_double.backend.to_host(on_double.G.params), on_numpy.G.params)


@pytest.mark.parametrize("model", [dense, unet])
def test_a_step_allocates_nothing_that_grows_with_the_batch(model: Any) -> None:
    def peak(n: int) -> int:
        step = Step(model((16, 16, 1), (16, 16, 1)), n=n, dtype=np.float32)
        step()
        tracemalloc.start()
        step()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert abs(peak(128) - peak(32)) < 1024, "96 images more take 98,304 bytes"
