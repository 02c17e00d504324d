"""The checker is checked: it passes what is right, finds what is wrong, and says what kind of wrong it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from cases import LAYER_CASES, LayerCase

from nanogan import (
    L1,
    MSE,
    NUMPY,
    BatchNorm,
    BCEWithLogits,
    Dropout,
    InputError,
    Layer,
    LeakyReLU,
    Linear,
    Network,
    ReLU,
    Tanh,
)
from nanogan.backend import Array, Backend, Shape
from nanogan.gan import discriminator_gradients
from nanogan.gradcheck.checks import check_layer, check_loss, check_network, check_step
from nanogan.gradcheck.derivative import TOLERANCE, Derivative, Row, slope_at_zero
from nanogan.losses import Loss
from nanogan.network import Sequential

# ---- one derivative


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda h: 3.0, 0.0),
        (lambda h: 2.5 * h - 7, 2.5),
        (lambda h: math.exp(h), 1.0),
        (lambda h: math.sin(30 * h), 30.0),
        (lambda h: math.tanh(200 * h + 0.3), 200 * (1 - math.tanh(0.3) ** 2)),
        (lambda h: (1 + h) ** 5 * 1e3, 5e3),
        (lambda h: 1e-4 * math.exp(h), 1e-4),
        (lambda h: abs(h - 0.01), -1.0),  # a kink farther away than any step
        (lambda h: abs(h - 6e-4), -1.0),  # near enough for the largest step to meet it
        (lambda h: max(h + 3e-5, 0.2 * (h + 3e-5)), 1.0),
    ],
)
def test_a_slope_is_measured_to_better_than_the_tolerance(f: Any, slope: float) -> None:
    measured, resolution = slope_at_zero(f, f(0.0)) or (math.nan, math.nan)
    assert measured == pytest.approx(slope, rel=TOLERANCE / 10, abs=resolution)
    assert resolution < 1e-7 * max(abs(f(0)), 1)


@pytest.mark.parametrize("at", [0.0, 1e-9, -1e-8, 1e-7, 2e-7, 1e-6 / 3, -0.4e-6])
@pytest.mark.parametrize("jump", [1.0, 1e-2, -1e-4])
def test_a_kink_is_seen_wherever_it_lies_between_the_two_sides(at: float, jump: float) -> None:
    def f(h: float) -> float:
        return math.sin(h) + jump * max(h - at, 0.0)

    assert slope_at_zero(f, f(0.0)) is None


def test_a_loss_that_is_no_number_has_no_slope() -> None:
    measured, _ = slope_at_zero(lambda h: math.inf, math.inf) or (0.0, 0.0)
    assert math.isnan(measured)


# ---- right ones pass


@pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.name)
def test_every_layer_passes(case: LayerCase, backend: Backend) -> None:
    report = check_layer(case.layer, case.input_shape, backend=backend)
    assert report.passed, report
    assert all(row.checked == row.size or row.checked > 30 for row in report.rows), report


@pytest.mark.parametrize("loss", [BCEWithLogits(), L1(), MSE(), MSE(reduction="sum")], ids=repr)
def test_every_loss_passes(loss: Loss) -> None:
    for t in (None, 0.0, 0.9):
        report = check_loss(loss, t=t)
        assert report.passed and report["dx"].checked == 12, report


def test_kinks_are_left_out_and_reported(backend: Backend) -> None:
    x = np.array([[0.0, 1.0, -1.0, 1e-7], [-1e-9, 0.5, 0.0, 2.0]])
    report = check_layer(LeakyReLU(), 4, x=x, backend=backend)
    row = report["dx"]
    assert (row.verdict, row.checked, row.kinks) == ("OK", 4, 4)
    assert "4 of 8" in str(report) and "left out: 4 KINK" in str(report)
    only = check_layer(ReLU(), 4, x=np.zeros((2, 4)), backend=backend)["dx"]
    assert (only.verdict, only.checked, only.kinks) == ("KINK", 0, 8)
    at_target = check_loss(L1(), x=np.ones((1, 2)), t=np.array([[1.0, 0.0]]))
    assert at_target.passed and at_target["dx"].kinks == 1


def test_a_large_array_is_sampled_and_moved_as_a_whole() -> None:
    report = check_layer(Linear(200, 300), 200, count=5)
    assert report.passed
    row = report["dW"]
    assert (row.checked, row.size) == (7, 60_000)
    assert [d.where for d in row.derivatives[5:]] == ["along a random direction"] * 2


def test_a_check_leaves_the_network_as_it_was(backend: Backend) -> None:
    """Parameters, running statistics, and the generator that the next dropout mask comes from."""
    rng = np.random.default_rng(0)
    layers = [Linear(3, 4), BatchNorm(4), Dropout(0.5), Linear(4, 60)]
    net = Network(layers, 3, backend=backend, dtype=np.float64, rng=rng)
    vectors = [backend.to_host(vector).copy() for vector in (net.params, net.state)]
    state = rng.bit_generator.state
    assert check_network(net).passed
    for vector, kept in zip((net.params, net.state), vectors, strict=True):
        np.testing.assert_array_equal(backend.to_host(vector), kept)
    assert rng.bit_generator.state == state


def test_finite_differences_ask_for_float64() -> None:
    with pytest.raises(InputError, match="need float64, and this network computes in float32"):
        check_network(Network([Linear(2, 2)], 2))


# ---- wrong ones don't


@dataclass
class WrongTanh(Layer):
    """tanh, with a derivative that is `factor` times the right one."""

    factor: float

    def forward(self, x: Array, training: bool = True) -> Array:
        self.y = self.xp.tanh(x)
        return self.y

    def backward_input(self, dy: Array) -> Array:
        return self.factor * dy * (1 - self.y * self.y)


@pytest.mark.parametrize(
    ("factor", "hint"),
    [
        (1.001, "off by the same factor, 1.001"),
        (0.999, "off by the same factor, 0.999"),
        (1 + 2e-6, "FAIL"),
        (-1.0, "the sign is wrong"),
        (2.0, "a factor of 2 is missing or there twice"),
        (-0.5, "the sign is wrong, and a factor of 2"),
        (3.0, "off by the batch size, 3: a sum where a mean belongs"),
        (1 / 3, "off by the batch size, 3"),
        (0.0, "zero: the gradient is not propagated"),
        (math.nan, "not a number: never written"),
    ],
)
def test_a_wrong_factor_is_caught_and_named(backend: Backend, factor: float, hint: str) -> None:
    report = check_layer(WrongTanh(factor), 4, batch=3, backend=backend)
    assert not report.passed
    assert hint in str(report)


def test_a_right_factor_passes() -> None:
    for factor in (1.0, 1 + 1e-8):
        assert check_layer(WrongTanh(factor), 4).passed


@dataclass
class WrongLinear(Linear):
    """Linear, with one mistake."""

    mistake: str = field(kw_only=True)

    def backward_params(self, dy: Array) -> None:
        if self.mistake == "never written":
            return
        if self.mistake == "added up":
            self.dW[...] += self.x.T @ dy
        else:
            super().backward_params(dy)
        if self.mistake == "mean over the batch":
            self.dW[...] /= len(dy)
        if self.mistake == "one column of another sign":
            self.dW[:, 1] *= -1

    def backward_input(self, dy: Array) -> Array:
        dx = super().backward_input(dy)
        return dx[:, ::-1] if self.mistake == "columns reversed" else dx


@pytest.mark.parametrize(
    ("mistake", "row", "hint"),
    [
        ("never written", "dW", "not a number: never written, or added to what was there"),
        ("added up", "dW", "added to what was there (gradients are overwritten)"),
        ("mean over the batch", "dW", "off by the batch size, 3"),
        ("one column of another sign", "dW", "the sign is wrong"),
        ("columns reversed", "dx", "the ratio varies: a term is missing"),
    ],
)
def test_a_wrong_linear_layer_is_caught_and_named(mistake: str, row: str, hint: str) -> None:
    report = check_layer(WrongLinear(4, 5, mistake=mistake), 4)
    assert report[row].verdict == "FAIL"
    assert hint in report[row].hint


def test_one_wrong_column_of_a_large_matrix_is_seen_along_a_direction() -> None:
    """Of 40,000 numbers 200 are wrong; a sample of 5 misses them, the directions don't."""
    report = check_layer(WrongLinear(200, 200, mistake="one column of another sign"), 200, count=5)
    assert report["dW"].worst.where == "along a random direction"
    assert not report.passed


@dataclass
class TextbookBatchNorm(Layer):
    """y = (x - mean) / sqrt(var + eps) over the batch, with the derivative's terms written out."""

    missing: str = ""

    def forward(self, x: Array, training: bool = True) -> Array:
        self.std = self.xp.sqrt(x.var(axis=0) + 1e-5)
        self.y = (x - x.mean(axis=0)) / self.std
        return self.y

    def backward_input(self, dy: Array) -> Array:
        """dx = (dy - mean of dy - y mean of (dy y)) / std"""
        through_mean = 0 if self.missing == "mean" else dy.mean(axis=0)
        through_std = 0 if self.missing == "std" else self.y * (dy * self.y).mean(axis=0)
        return (dy - through_mean - through_std) / self.std


@pytest.mark.parametrize("missing", ["mean", "std"])
def test_a_missing_term_of_batch_norm_is_caught(backend: Backend, missing: str) -> None:
    assert check_layer(TextbookBatchNorm(), 4, backend=backend).passed
    report = check_layer(TextbookBatchNorm(missing), 4, backend=backend)
    assert report["dx"].verdict == "FAIL"
    assert "a term is missing" in report["dx"].hint


class Forgetful(Layer):
    """Draws from a generator of its own, so that no two passes agree."""

    def forward(self, x: Array, training: bool = True) -> Array:
        return x * np.random.default_rng().random(x.shape)


def test_a_layer_with_a_hidden_source_of_randomness_cannot_be_checked() -> None:
    with pytest.raises(InputError, match=r"the same loss came out as .* random numbers must come from"):
        check_layer(Forgetful(), 3)


class WrongShape(Layer):
    """Sums the gradient away."""

    def forward(self, x: Array, training: bool = True) -> Array:
        return x * 2

    def backward_input(self, dy: Array) -> Array:
        return 2 * dy.sum(axis=0)


def test_a_gradient_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"dx has shape \(4,\), expected \(3, 4\)"):
        check_layer(WrongShape(), 4)


class Overflow(MSE):
    """A value that is no number."""

    def terms(self, x: Array, t: Array | float) -> Array:
        return self.xp.full_like(x, math.inf)


def test_a_loss_that_is_no_number_fails() -> None:
    report = check_loss(Overflow())
    assert not report.passed
    assert "the loss is not a finite number here" in str(report)


class HalfMSE(MSE):
    """The derivative of (x - t)^2 / 2."""

    def gradient(self, x: Array, t: Array | float) -> Array:
        return x - t


class SumForMean(BCEWithLogits):
    """The derivative of the sum, where the value is the mean."""

    def backward(self, x: Array, t: Array | float) -> Array:
        return super().backward(x, t) * x.size


@pytest.mark.parametrize(
    ("loss", "hint"), [(HalfMSE(), "a factor of 2"), (SumForMean(), "off by the count of numbers, 12: a sum where")]
)
def test_a_wrong_loss_is_caught_and_named(loss: Loss, hint: str) -> None:
    assert hint in check_loss(loss)["dx"].hint


def test_the_verdict_of_a_row_is_that_of_its_worst() -> None:
    right, kink = Derivative("[0]", 1.0, 1.0 + 1e-9), Derivative("[1]", 5.0, None)
    almost, wrong = Derivative("[2]", 1.0, 1.0 + 0.9e-6), Derivative("[3]", 1.0, 1.0 + 1.1e-6)
    assert Row("dx", 4, [right, kink, almost]).verdict == "OK"
    assert Row("dx", 4, [kink]).verdict == "KINK"
    assert Row("dx", 4, [right, kink, wrong, almost]).verdict == "FAIL"
    assert Row("dx", 4, [right, kink, wrong, almost]).worst is wrong
    assert Row("dx", 0, []).verdict == "OK"
    assert Derivative("[0]", 1e-12, 3e-12, resolution=1e-11).error < TOLERANCE, "rounding hides it"
    assert Derivative("[0]", 1e-10, 3e-10, resolution=1e-11).error > TOLERANCE
    assert Derivative("[0]", 0.0, 0.0).error == 0


def test_a_failure_says_where_and_what() -> None:
    row = Row("dW", 6, [Derivative("[0, 1]", 1.0, 1.0), Derivative("[1, 2]", -0.5, 0.25)], {"batch size": 3})
    text = str(row)
    assert "[1, 2]: written -0.5, measured 0.25, ratio -2" in text
    assert "the sign is wrong, and a factor of 2 is missing or there twice" in text


# ---- whole steps


def small_gan(backend: Backend = NUMPY) -> tuple[Network, Network, Loss, Array, Array]:
    rng = np.random.default_rng(0)
    settings: dict[str, Any] = {"backend": backend, "dtype": np.float64, "rng": rng}
    G = Network([Linear(2, 5), Tanh(), Linear(5, 6)], 2, **settings)
    D = Network([Linear(6, 5), LeakyReLU(), Dropout(0.3), Linear(5, 1)], 6, **settings)
    real, z = (backend.asarray(rng.standard_normal((3, width))) for width in (6, 2))
    return G, D, BCEWithLogits().bind(backend, np.float64), real, z


def two_pass_step(order: str) -> Any:
    """A discriminator's step written as two passes; `order` says when the real pass is taken back."""

    def gradients(G: Network, D: Network, loss: Loss, real: Array, z: Array) -> Array:
        real_logits = D.forward(real).copy()
        value = loss.forward(real_logits, 1.0)
        if order == "before the fake pass":
            D.backward_params(loss.backward(real_logits, 1.0))
            grads = D.grads.copy()
        fake_logits = D.forward(G.forward(z))
        value = value + loss.forward(fake_logits, 0.0)
        if order == "after the fake pass":  # the activations that it needs are gone
            D.backward_params(loss.backward(real_logits, 1.0))
            grads = D.grads.copy()
        D.backward_params(loss.backward(fake_logits, 0.0))
        D.grads += grads
        return value

    return gradients


def test_a_real_pass_that_uses_the_fake_passes_activations_is_caught(backend: Backend) -> None:
    """The mistake that public NumPy GANs make: one activation cache, two forward passes, then two backward passes."""
    G, D, *rest = small_gan(backend)
    loss, real, z = rest
    right, wrong = two_pass_step("before the fake pass"), two_pass_step("after the fake pass")
    assert check_step(lambda: right(G, D, loss, real, z), D, G).passed
    report = check_step(lambda: wrong(G, D, loss, real, z), D, G)
    assert report["0.dW"].verdict == report["3.dW"].verdict == "FAIL"
    assert "the values of another pass" in report["0.dW"].hint
    assert report["3.db"].verdict == "OK", "it is the one gradient that needs no activation"


def test_a_generator_whose_gradient_is_never_written_is_caught() -> None:
    """Another mistake of public NumPy GANs: the generator's weights never move."""
    G, D, loss, _, z = small_gan()

    def gradients() -> Array:
        logits = D.forward(G.forward(z))
        D.backward(loss.backward(logits, 1.0))
        return loss.forward(logits, 1.0)

    report = check_step(gradients, G, D)
    assert {row.verdict for row in report.rows} == {"FAIL"}


def test_a_step_leaves_its_networks_as_they_were() -> None:
    G, D, loss, real, z = small_gan()
    before = [G.params.copy(), D.params.copy(), G.rng.bit_generator.state]
    check_step(lambda: discriminator_gradients(D, loss, real, G.forward(z)), D, G, title="mine")
    np.testing.assert_array_equal(G.params, before[0])
    np.testing.assert_array_equal(D.params, before[1])
    assert G.rng.bit_generator.state == before[2]


def test_layers_within_layers_are_named_by_position() -> None:
    shape: Shape = (3,)
    report = check_layer(Sequential([Tanh(), Linear(3, 2)]), shape)
    assert [row.name for row in report.rows] == ["dx", "1.dW", "1.db"]
