"""The losses made for GANs: their formulas, both steps with each of them, and what the log says of D."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nanogan import (
    MSE,
    BatchNorm,
    BCEWithLogits,
    Dropout,
    Hinge,
    InputError,
    LeakyReLU,
    Linear,
    Network,
    Pack,
    Relativistic,
    ShapeError,
    Tanh,
    Wasserstein,
    discriminator_gradients,
    generator_gradients,
    pair_generator_gradients,
)
from nanogan.backend import Array, Backend
from nanogan.gradcheck.checks import check_step
from nanogan.losses import Loss

N = 6


def softplus(a: Array) -> Array:
    return np.logaddexp(0, a)


Form = Callable[[Array, Array], float]
FORMULAS: list[tuple[Loss, Form, Form]] = [
    (
        Relativistic(),
        lambda r, f: float(softplus(-(r - f)).mean()),
        lambda r, f: float(softplus(-(f - r)).mean()),
    ),
    (
        Hinge(),
        lambda r, f: float(np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean()),
        lambda r, f: float(-f.mean()),
    ),
    (Wasserstein(), lambda r, f: float(f.mean() - r.mean()), lambda r, f: float(-f.mean())),
    (
        MSE(),
        lambda r, f: float(((r - 1) ** 2).mean() + (f**2).mean()),
        lambda r, f: float(((f - 1) ** 2).mean()),
    ),
    (
        BCEWithLogits(),
        lambda r, f: float(softplus(-r).mean() + softplus(f).mean()),
        lambda r, f: float(softplus(-f).mean()),
    ),
]
"""Each loss, and what D and G make small, of D's outputs r for real and f for generated images, as papers write it."""
every_loss = pytest.mark.parametrize(("loss", "of_D", "of_G"), FORMULAS, ids=[repr(loss) for loss, _, _ in FORMULAS])


@every_loss
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_two_forms_are_the_papers(backend: Backend, loss: Loss, of_D: Form, of_G: Form, reduction: str) -> None:
    rng = np.random.default_rng(0)
    r, f = 2 * rng.standard_normal((2, N, 1))
    factor = N if reduction == "sum" else 1
    bound = type(loss)(reduction=reduction).bind(backend, np.float64)
    real, fake = backend.asarray(r), backend.asarray(f)
    assert float(bound.discriminator_forward(real, fake)) == pytest.approx(factor * of_D(r, f), rel=1e-12)
    assert float(bound.generator_forward(fake, real)) == pytest.approx(factor * of_G(r, f), rel=1e-12)


def networks(backend: Backend, *first: Any, dropout: float = 0.0) -> tuple[Network, Network, Array, Array]:
    rng = np.random.default_rng(0)
    options: dict[str, Any] = {"backend": backend, "dtype": np.float64, "rng": rng}
    G = Network([Linear(2, 6), Tanh(), Linear(6, 4)], 2, **options)
    D = Network(
        [*first, Linear(5, 1)] if first else [Linear(4, 5), LeakyReLU(), Dropout(dropout), Linear(5, 1)], 4, **options
    )
    real, z = (backend.asarray(rng.standard_normal((N, n))) for n in (4, 2))
    return G, D, real, z


def generators_step(G: Network, D: Network, loss: Loss, real: Array, z: Array) -> Array:
    if loss.compares:
        return pair_generator_gradients(G, D, loss, real, G.forward(z))
    return generator_gradients(G, D, loss, G.forward(z))


def assert_both_steps_are_slopes(loss: Loss, G: Network, D: Network, real: Array, z: Array) -> None:
    bound = loss.bind(D.backend, np.float64)
    for report in (
        check_step(lambda: discriminator_gradients(D, bound, real, G.forward(z)), D, G, batch=N),
        check_step(lambda: generators_step(G, D, bound, real, z), G, D, batch=N),
    ):
        assert report.passed, report


@every_loss
def test_both_steps_are_slopes_of_their_losses(backend: Backend, loss: Loss, of_D: Form, of_G: Form) -> None:
    G, D, real, z = networks(backend, dropout=0.3)
    assert_both_steps_are_slopes(loss, G, D, real, z)


@pytest.mark.parametrize(
    "first",
    [[Linear(4, 5), BatchNorm(5), LeakyReLU()], [Pack(2), Linear(8, 5), LeakyReLU()]],
    ids=["BatchNorm", "Pack"],
)
def test_pairs_are_judged_together_also_by_a_discriminator_of_batches(backend: Backend, first: list[Any]) -> None:
    G, D, real, z = networks(backend, *first)
    assert_both_steps_are_slopes(Relativistic(), G, D, real, z)


def test_packs_of_both_kinds_are_refused(backend: Backend) -> None:
    """Of 6 real images in packs of 4, one pack would hold two real and two generated ones."""
    G, D, real, z = networks(backend, Pack(4), Linear(16, 5), LeakyReLU())
    with pytest.raises(ShapeError, match="needs as many real as fake"):
        discriminator_gradients(D, Relativistic().bind(backend, np.float64), real, G.forward(z))


def test_a_loss_of_pairs_says_what_it_needs(backend: Backend) -> None:
    G, D, real, z = networks(backend)
    loss = Relativistic().bind(backend, np.float64)
    with pytest.raises(InputError, match=r"G's step needs real ones: use pair_generator_gradients"):
        generator_gradients(G, D, loss, G.forward(z))
    with pytest.raises(InputError, match="compares no images; use generator_gradients"):
        pair_generator_gradients(G, D, BCEWithLogits().bind(backend, np.float64), real, G.forward(z))
    with pytest.raises(ShapeError, match="needs as many real as fake images"):
        discriminator_gradients(D, loss, real[:2], G.forward(z))


def test_what_a_loss_of_pairs_says_of_real_images_is_a_probability_of_the_pair(backend: Backend) -> None:
    """Adding a number to all of D's outputs changes nothing, so a single output means nothing."""
    loss = Relativistic().bind(backend, np.float64)
    r, f = np.random.default_rng(0).standard_normal((2, N, 1))
    for shift in (0.0, 100.0):
        says = loss.mean_opinions(backend.asarray(r + shift), backend.asarray(f + shift))
        expected = float((1 / (1 + np.exp(f - r))).mean())
        assert [float(p) for p in says] == pytest.approx([expected, 1 - expected], rel=1e-9)


def test_scores_are_told_from_probabilities() -> None:
    assert [loss.is_score for loss, _, _ in FORMULAS] == [False, True, True, False, False]
