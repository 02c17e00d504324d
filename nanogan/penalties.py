"""Gradient penalties keep D from growing steep. Training with one takes a derivative of a derivative, here by hand.

For each output of D, let g be its gradient with respect to its image: how much D's opinion changes if a pixel does.

    R1, R2        gamma / 2 mean |g|^2       on real images, and on generated ones (Mescheder et al. 2018)
    WGAN-GP       weight mean (|g| - 1)^2    on points between the two (Gulrajani et al. 2017)

Let v = dP/dg, for a penalty P. If the weights move, g moves and P by v dg. So what is asked for is the gradient of
v g with v held fixed. But v g is known by another name: it is how much D's output changes if the image moves along v,
and that can be computed forward, layer by layer (`Layer.forward_tangent`). A gradient of g has become a gradient of
something that is computed forward, and for that there is the ordinary backward pass, with the tangents in the places
of the layers' inputs. `docs/backprop.md` derives it. It holds for layers that are linear between kinks; others refuse.

Each function adds to D.grads, so call it after `discriminator_gradients`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .backend import Array
from .errors import ShapeError
from .layer import Layer
from .network import Network, leaves


def zero_centred_penalty(D: Network, images: Array, gamma: float, labels: Array | None = None) -> Array:
    """Add the gradients of gamma / 2 mean |g|^2 to D.grads. Returns this penalty.

    images: (N, ...), real ones for R1, generated ones for R2. labels: their classes, if D uses them.
    """

    def penalty(squares: Array) -> tuple[Array, Array | float]:
        return gamma / 2 * squares.mean(), gamma / len(squares)

    return _add_penalty(D, images, labels, penalty)


def one_centred_penalty(D: Network, images: Array, weight: float, labels: Array | None = None) -> Array:
    """Add the gradients of weight mean (|g| - 1)^2 to D.grads. Returns this penalty. images: those of `between`."""

    def penalty(squares: Array) -> tuple[Array, Array | float]:
        excess = D.xp.sqrt(squares) - 1
        slope = 2 * weight / len(squares) * excess  # dP/d|g|
        return weight * (excess * excess).mean(), slope / D.xp.maximum(excess + 1, 1e-12)  # d|g|/dg = g / |g|

    return _add_penalty(D, images, labels, penalty)


def between(D: Network, real: Array, fake: Array, shares: Array) -> Array:
    """fake + share (real - fake), in a work array of D's. shares: (N,), uniform in [0, 1)."""
    if real.shape != fake.shape:
        raise ShapeError(f"a penalty between images needs as many generated as real: {real.shape}, {fake.shape}")
    mixed = D.buffer("between", real.shape)
    D.xp.subtract(real, fake, out=mixed)
    mixed *= shares.reshape(-1, *(1 for _ in real.shape[1:]))
    mixed += fake
    return mixed


def expect_penalised(layers: Iterable[Layer]) -> None:
    """Raise InputError, naming the layer, if one of these takes no gradient penalty."""
    for layer in leaves(layers):
        if type(layer).forward_tangent is Layer.forward_tangent:
            layer.forward_tangent(None)  # type: ignore[arg-type]  # which says why


def tangent_gradients(D: Network, v: Array, dy: Array) -> None:
    """Write the gradients of the sum of dy D.forward_tangent(v) to D.grads, after a forward pass. v is held fixed."""
    D.forward_tangent(v)
    D.backward_params(dy)
    for layer in leaves(D.layers):
        if "b" in layer.param_names():
            layer.db[...] = 0  # no bias is part of a tangent


def _add_penalty(
    D: Network, images: Array, labels: Array | None, penalty: Callable[[Array], tuple[Array, Array | float]]
) -> Array:
    """penalty: from the |g|^2 of D's outputs, (N, 1), to its value and to the factor c in dP/dg = c g."""
    outputs = D.forward(images, labels=labels)
    ones = D.buffer("ones", outputs.shape)
    ones[...] = 1
    dx = D.backward_input(ones)  # an output depends on its own image alone, or pack of images
    g = dx.reshape(len(outputs), -1)
    v = D.buffer("dP/dg", g.shape)
    D.xp.multiply(g, g, out=v)
    value, factor = penalty(v.sum(axis=1, keepdims=True))
    D.xp.multiply(g, factor, out=v)
    before = D.buffer("gradients before the penalty", D.grads.shape)
    before[...] = D.grads
    tangent_gradients(D, v.reshape(dx.shape), ones)
    D.grads += before
    return value
