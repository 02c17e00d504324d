"""The step in JAX: one function, compiled by XLA, from the old state to the new one.

BatchNorm keeps no running statistics here: no loss in training depends on them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from nanogan.conv import Conv2d, ConvTranspose2d
from nanogan.layer import Layer
from nanogan.layers import Dropout, LeakyReLU, Linear, Maxout, ReLU, Sigmoid, Tanh
from nanogan.losses import BCEWithLogits
from nanogan.norm import BatchNorm
from nanogan.optim import Adam
from nanogan.reshape import Flatten, Reshape

from .reference import Contender, Setup, Step

Params = list[dict[str, Any]]
"""The arrays of every layer."""


def forward(layers: list[Layer], params: Params, x: Any, key: Any) -> Any:
    for position, (layer, p) in enumerate(zip(layers, params, strict=True)):
        x = apply(layer, p, x, jax.random.fold_in(key, position))
    return x


def apply(layer: Layer, p: dict[str, Any], x: Any, key: Any) -> Any:
    match layer:
        case Linear():
            return x @ p["W"] + p.get("b", 0)
        case ReLU():
            return jax.nn.relu(x)
        case LeakyReLU():
            return jax.nn.leaky_relu(x, layer.slope)
        case Tanh():
            return jnp.tanh(x)
        case Sigmoid():
            return jax.nn.sigmoid(x)
        case Maxout():
            return (x @ p["W"] + p["b"]).reshape(len(x), layer.pieces, layer.n_out).max(axis=1)
        case Flatten() | Reshape():
            return x.reshape(len(x), *layer.output_shape(x.shape[1:]))
        case Dropout():
            keep = 1 - layer.p
            return x * jax.random.bernoulli(key, keep, x.shape) / keep if layer.p else x
        case BatchNorm():
            axes = tuple(range(x.ndim - 1))
            xhat = (x - x.mean(axes)) / jnp.sqrt(x.var(axes) + layer.eps)
            return p["gamma"] * xhat + p["beta"]
        case Conv2d() | ConvTranspose2d():
            return convolution(layer, p["W"], x) + p.get("b", 0)
    raise NotImplementedError(f"{layer}")


def convolution(layer: Conv2d | ConvTranspose2d, W: Any, x: Any) -> Any:
    k, strides, p = layer.kernel, (layer.stride, layer.stride), layer.padding
    W = W.reshape(k, k, -1, W.shape[1])
    names = ("NHWC", "HWIO", "NHWC")
    if isinstance(layer, Conv2d):
        return jax.lax.conv_general_dilated(x, W, strides, [(p, p)] * 2, dimension_numbers=names)
    padding = [(k - 1 - p, k - 1 - p + layer.output_padding)] * 2
    return jax.lax.conv_transpose(x, W, strides, padding, dimension_numbers=names, transpose_kernel=True)


def bce_with_logits(x: Any, t: float) -> Any:
    return jnp.mean(jnp.maximum(x, 0) - x * t + jnp.log1p(jnp.exp(-jnp.abs(x))))


def bce(p: Any, t: float) -> Any:
    p = jnp.clip(p, 1e-7, 1 - 1e-7)
    return -jnp.mean(t * jnp.log(p) + (1 - t) * jnp.log(1 - p))


def updated(optimizer: Any, t: Any, params: Params, grads: Params, m: Params, v: Params) -> tuple[Params, ...]:
    """Parameters and moments after the optimizer's t-th step."""
    if not isinstance(optimizer, Adam):
        m = jax.tree.map(lambda m, g: optimizer.momentum * m + g, m, grads)
        return jax.tree.map(lambda p, m: p - optimizer.lr * m, params, m), m, v
    beta1, beta2 = optimizer.betas
    rate, root_scale = optimizer.lr / (1 - beta1**t), 1 / jnp.sqrt(1 - beta2**t)
    m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, m, grads)
    v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, grads)
    change = jax.tree.map(lambda m, v: rate * m / (jnp.sqrt(v) * root_scale + optimizer.eps), m, v)
    return jax.tree.map(jnp.subtract, params, change), m, v


class JAXStep(Contender):
    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.layers, states = {}, {}
        trainer = setup.trainer()
        for name, network in (("G", trainer.G), ("D", trainer.D)):
            self.layers[name] = network.layers
            params = [{p: jnp.array(getattr(layer, p)) for p in layer.param_names()} for layer in network.layers]
            zeros = jax.tree.map(jnp.zeros_like, params)
            states[name] = (params, zeros, jax.tree.map(jnp.zeros_like, params))
        self.depends_on_batch = trainer.D.depends_on_batch
        self.state = (1.0, jax.random.key(0), states["G"], states["D"])
        self.loss = bce_with_logits if isinstance(self.recipe.loss, BCEWithLogits) else bce
        self.images = jnp.array(setup.images)
        self.step_given = jax.jit(self._step)
        self.step_drawn = jax.jit(self._step_with_fresh_noise, donate_argnums=0)

    def losses(self, step: Step) -> tuple[float, float]:
        self.state, (d_loss, g_loss) = self.step_given(self.state, step.real, step.z, step.z_again)
        return float(d_loss), float(g_loss)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.state, _ = self.step_drawn(self.state)

    def finish(self) -> None:
        jax.block_until_ready(self.state)

    def _step_with_fresh_noise(self, state: Any) -> Any:
        t, key, *networks = state
        key, *keys = jax.random.split(key, 4)
        n, bound = self.setup.batch_size, self.recipe.noise_bound
        draw = jax.random.normal if bound is None else partial(jax.random.uniform, minval=-bound, maxval=bound)
        rows = jax.random.randint(keys[0], (n,), 0, len(self.images))
        z, again = (draw(key, (n, self.recipe.noise_size)) for key in keys[1:])
        return self._step((t, key, *networks), self.images[rows], z, None if self.recipe.same_fake else again)

    def _step(self, state: Any, real: Any, z: Any, z_again: Any) -> Any:
        t, key, (G, *G_moments), (D, *D_moments) = state
        key, *keys = jax.random.split(key, 5)
        recipe, optimizer = self.recipe, self.recipe.optimizer
        fake, to_G = jax.vjp(lambda G: forward(self.layers["G"], G, z, keys[0]), G)
        d_loss, dD = jax.value_and_grad(self._d_loss)(D, real, fake, keys[1])
        D_before, D_state = D, updated(optimizer, t, D, dD, *D_moments)
        if z_again is not None:
            fake, to_G = jax.vjp(lambda G: forward(self.layers["G"], G, z_again, keys[2]), G)
        judge = D_before if recipe.simultaneous else D_state[0]
        g_loss, dfake = jax.value_and_grad(lambda fake: self.loss(self._D(judge, fake, keys[3]), 1.0))(fake)
        G_state = updated(optimizer, t, G, *to_G(dfake), *G_moments)
        return (t + 1, key, G_state, D_state), (d_loss, g_loss)

    def _D(self, D: Params, images: Any, key: Any) -> Any:
        return forward(self.layers["D"], D, images, key)

    def _d_loss(self, D: Params, real: Any, fake: Any, key: Any) -> Any:
        if self.depends_on_batch:
            real_logits, fake_logits = self._D(D, real, key), self._D(D, fake, key)
        else:
            real_logits, fake_logits = jnp.split(self._D(D, jnp.concatenate([real, fake]), key), 2)
        loss = self.loss(real_logits, self.recipe.real_label) + self.loss(fake_logits, 0.0)
        return loss / 2 if self.recipe.mean_of_terms else loss
