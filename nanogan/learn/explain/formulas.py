"""The formulas of a training step: for each function of the book, the arrays that it makes, and of what.

A key is what the function makes, by a name of its own, by an attribute, or as "name: expression", where `returned` is
what it returns. The formula is written in the function's own names, too. `trace.py` replaces these by the names of the
arrays that they stand for, so that `x @ self.W + self.b` becomes `images @ D0.W + D0.b`. `known(x)` is the array which
holds the same values already, `flat(x)` all of a network's arrays, one after the other. A test compares each formula
with what the library computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

from ... import gan
from ...layers import LeakyReLU, Linear, Tanh
from ...losses import BCEWithLogits, Loss
from ...network import Sequential
from ...norm import BatchNorm
from ...optim import Adam

WORDS = "words: "
"""Begins a formula that isn't Python, but said in words."""

FORMULAS: list[tuple[Callable[..., Any], dict[str, str]]] = [
    (Linear.forward, {"y": "x @ self.W + self.b"}),
    (Linear.backward_params, {"self.dW": "self.x.T @ dy", "self.db": "dy.sum(axis=0)"}),
    (Linear.backward_input, {"dx": "dy @ self.W.T"}),
    (LeakyReLU.forward, {"y": "maximum(x, self.slope * x)"}),
    (LeakyReLU.backward_input, {"dx": "where(self.x > 0, dy, self.slope * dy)"}),
    (Tanh.forward, {"y: returned": "tanh(x)"}),
    (Tanh.backward_input, {"dx": "dy * (1 - self.y ** 2)"}),
    (
        BatchNorm._use_statistics,
        {
            "mean": "x.mean(axis=0)",
            "deviation": "x - mean",
            "self.std": "sqrt((deviation ** 2).mean(axis=0) + self.eps)",
        },
    ),
    (BatchNorm._normalise, {"y": "self.gamma * self.deviation / self.std + self.beta"}),
    (
        BatchNorm._params_gradient,
        {
            "dgamma: returned[0]": "(dy * self.deviation / self.std).sum(axis=0)",
            "dbeta: returned[1]": "dy.sum(axis=0)",
        },
    ),
    (
        BatchNorm._input_gradient,
        {"dx": "self.gamma / self.std * (dy - dbeta / self.M - self.deviation / self.std * dgamma / self.M)"},
    ),
    (Sequential.backward_params, {"self.grads": "flat(self)"}),
    (BCEWithLogits.terms, {"terms: returned": "maximum(x, 0) - x * t + log1p(exp(-abs(x)))"}),
    (BCEWithLogits.gradient, {"slopes: returned": "sigmoid(x) - t"}),
    (Loss.forward, {"loss: returned": "terms.mean()"}),
    (Loss.backward, {"dx": "known(dx * x.size) / x.size"}),
    (
        gan.judge_together,
        {
            "images": "concatenate([real, fake])",
            "logits": "known(logits)",
            "real_logits: returned[0]": "logits[:n_real]",
            "fake_logits: returned[1]": "logits[n_real:]",
        },
    ),
    (Loss.discriminator_backward, {"dlogits": "concatenate([dreal_logits, dfake_logits])"}),
    (Loss.discriminator_forward, {"loss: returned": "real_loss + fake_loss"}),
    (
        gan._one_after_the_other,
        {
            "real_logits": "known(real_logits)",
            "real_grads": "known(real_grads)",
            "fake_logits": "known(fake_logits)",
            "grads: D.grads": "D.grads + real_grads",
            "loss: returned[0]": "real_loss + fake_loss",
        },
    ),
    (
        gan.generator_gradients,
        {"logits": "known(logits)", "loss: value": "-known(-value)", "dlogits": "-known(-dlogits)"},
    ),
    (
        Adam.update,
        {
            "m_new: m": "self.betas[0] * m + (1 - self.betas[0]) * g",
            "v_new: v": "self.betas[1] * v + (1 - self.betas[1]) * g ** 2",
            "params_new: p": "p - self.lr * (m / (1 - self.betas[0] ** self.t))"
            " / (sqrt(v / (1 - self.betas[1] ** self.t)) + self.eps)",
        },
    ),
]

BY_CODE: Mapping[CodeType, Mapping[str, str]] = {made.__code__: found for made, found in FORMULAS}
