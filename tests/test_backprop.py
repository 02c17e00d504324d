"""docs/backprop.md is true: each of its code blocks computes what the library computes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cases import random_like

from nanogan import (
    Adam,
    BatchNorm,
    BCEWithLogits,
    Brightness,
    ConditionalBatchNorm,
    Contrast,
    Conv2d,
    ConvTranspose2d,
    Cutout,
    Embedding,
    InstanceNorm,
    Layer,
    LeakyReLU,
    Linear,
    Network,
    Projection,
    ReLU,
    Sigmoid,
    SpectralNorm,
    Tanh,
    Translation,
    zero_centred_penalty,
)
from nanogan.augment import Augmentation
from nanogan.backend import NUMPY, Array, Shape

PAGE = Path(__file__).parent.parent / "docs" / "backprop.md"
BLOCKS: dict[str, str] = dict(
    re.findall(r"^```python (\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
)

Names = dict[str, Any]
Case = tuple[Names, Names]
"""What a block may use, and what it has to compute."""


def layer_case(layer: Layer, input_shape: Shape, training: bool = True, **also: Any) -> Case:
    """A layer alone: its fields, arrays, x and dy are given; y, dx, all gradients and the new state are expected."""
    rng = np.random.default_rng(0)
    network = Network([layer], input_shape, dtype=np.float64, rng=rng)
    network.params[...] += rng.standard_normal(network.params.shape)
    network.state[...] += rng.uniform(0, 1, network.state.shape)
    bound = network.layers[0]
    given = vars(layer) | {name: array.copy() for name, array in bound.arrays().items()} | also
    x = rng.standard_normal((3, *input_shape))
    labels = np.array([1, 0, 1]) if network.uses_labels else None
    y = network.forward(x, training, labels)
    dy = random_like(y, rng)
    dx = bound.backward(dy)
    expected = {"y": y, "dx": dx}
    if training:
        expected |= {"d" + name: getattr(bound, "d" + name) for name in bound.param_names()}
        expected |= {name: getattr(bound, name) for name, array in bound.declare().items() if not array.learned}
    return given | {"x": x, "dy": dy, "c": labels}, expected


def convolution_case(layer: Conv2d | ConvTranspose2d, size: Shape, image_size: Shape) -> Case:
    """The two copies come from the blocks im2col and col2im; padding and its opposite from here."""
    k, stride, p = layer.kernel, layer.stride, layer.padding
    padded = tuple(n + 2 * p for n in image_size)
    h, w = ((n - k) // stride + 1 for n in padded)

    def pad(x: Array) -> Array:
        return np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))

    def crop(x: Array) -> Array:
        return x[:, p : p + image_size[0], p : p + image_size[1]]

    def rows_of(x: Array) -> Array:
        patches = np.empty((len(x), h, w, k, k, x.shape[-1]))
        run("im2col", {"x": x, "patches": patches, "h": h, "w": w, "k": k, "stride": stride})
        return patches.reshape(len(x) * h * w, -1)

    def image_of(rows: Array) -> Array:
        patches = rows.reshape(-1, h, w, k, k, rows.shape[1] // k**2)
        x = np.empty((len(patches), *padded, patches.shape[-1]))
        run("col2im", {"x": x, "patches": patches, "h": h, "w": w, "k": k, "stride": stride})
        return x

    tools: Names = {"pad": pad, "crop": crop, "im2col": rows_of, "col2im": image_of}
    return layer_case(layer, (*size, layer.c_in), N=3, h=h, w=w, k=k, **tools)


def copy_case(back: bool) -> Case:
    """With W = 1, a convolution's features are its patches, and what it passes back are their sums."""
    rng = np.random.default_rng(0)
    x, k, stride = rng.standard_normal((2, 5, 7, 3)), 3, 2
    patches = rng.standard_normal((2, 2, 3, k, k, 3))
    given = {"x": x.copy(), "patches": patches.copy(), "h": 2, "w": 3, "k": k, "stride": stride}
    network = Network([Conv2d(3, k * k * 3, k, stride=stride, bias=False)], (5, 7, 3), dtype=np.float64)
    network.layers[0].W[...] = np.eye(k * k * 3)
    features = network.forward(x)
    if back:
        return given, {"x": network.backward_input(patches.reshape(features.shape))}
    return given, {"patches": features.reshape(patches.shape)}


def shifted_case(kernel: int, stride: int) -> Case:
    convolution = Conv2d(2, 3, kernel, stride=stride, padding=1)
    given, expected = convolution_case(convolution, (6, 5), (6, 5))
    return given, {"dx": expected["dx"]}


def augmentation_case(layer: Augmentation) -> Case:
    """The numbers come from the same generator, two for each image, uniform in [0, 1); see `textbook.py`."""
    rng, (N, H, W) = np.random.default_rng(1), (5, 6, 4)
    network = Network([layer], (H, W, 2), dtype=np.float64, rng=1)
    x, dy = np.random.default_rng(0).standard_normal((2, N, H, W, 2))
    y, u = network.forward(x).copy(), rng.random((N, 2))
    given: Names = {**vars(layer), "x": x, "dy": dy, "H": H, "W": W}
    if isinstance(layer, (Brightness, Contrast)):
        tint = layer.most * (2 * u[:, :1, None, None] - 1)
        given |= {"b": tint, "c": 1 + tint}
    elif isinstance(layer, Translation):
        m, k = layer.border((N, H, W))
        given |= {"d": np.floor(u[:, 0] * (2 * m + 1)) - m, "e": np.floor(u[:, 1] * (2 * k + 1)) - k}
        given |= {name: given[name].astype(int) for name in "de"}
    else:
        given["keep"] = network.layers[0].keep
    return given, {"y": y, "dx": network.backward_input(dy)}


def loss_case() -> Case:
    rng = np.random.default_rng(0)
    x, t = 3 * rng.standard_normal((6, 1)), rng.uniform(0, 1, (6, 1))
    loss = BCEWithLogits().bind(NUMPY, np.float64)
    return {"x": x, "t": t}, {"loss": loss.forward(x, t), "dx": loss.backward(x, t)}


def penalty_case() -> Case:
    rng = np.random.default_rng(0)
    D = Network([Linear(4, 5), LeakyReLU(slope=0.3), Linear(5, 1)], 4, dtype=np.float64, rng=rng)
    x = rng.standard_normal((6, 4))
    (first, _, last), given = D.layers, {"x": x, "slope": 0.3, "gamma": 2.5, "N": 6}
    given |= {"W1": first.W, "b1": first.b, "W2": last.W, "b2": last.b}
    D.grads[...] = 0
    penalty = zero_centred_penalty(D, x, 2.5)
    return given, {"penalty": penalty, "dW1": first.dW, "dW2": last.dW}


def spectral_case() -> Case:
    rng = np.random.default_rng(0)
    network = Network([SpectralNorm(Linear(4, 3))], 4, dtype=np.float64, rng=rng)
    layer, x, dy = network.layers[0], rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    y = network.forward(x)
    dx = layer.backward(dy)
    return {"W": layer.W, "b": layer.b, "x": x, "dy": dy}, {"y": y, "dx": dx, "dW": layer.dW, "db": layer.db}


def adam_case() -> Case:
    """The last of three steps, from the moments before it."""
    rng = np.random.default_rng(0)
    player: Any = SimpleNamespace(backend=NUMPY, params=rng.standard_normal(5), grads=np.zeros(5))
    optimizer = Adam(lr=0.1, betas=(0.5, 0.9), eps=1e-3).bind(player)
    given: Names = {"beta1": 0.5, "beta2": 0.9, "lr": 0.1, "eps": 1e-3, "t": 3}
    for _ in range(3):
        moments = {name: moment.copy() for name, moment in optimizer.moments.items()}
        player.grads[...] = rng.standard_normal(5)
        given |= {"p": player.params.copy(), "g": player.grads.copy(), **moments}
        optimizer.step()
    return given, {"p": player.params, **optimizer.moments}


CASES: dict[str, Callable[[], Case]] = {
    "linear": lambda: layer_case(Linear(4, 5), (4,)),
    "relu": lambda: layer_case(ReLU(), (6,)),
    "leaky_relu": lambda: layer_case(LeakyReLU(slope=0.3), (6,)),
    "tanh": lambda: layer_case(Tanh(), (6,)),
    "sigmoid": lambda: layer_case(Sigmoid(), (6,)),
    "bce_with_logits": loss_case,
    "gradient_penalty": penalty_case,
    "spectral_norm": spectral_case,
    "batch_norm": lambda: layer_case(BatchNorm(2), (2, 3, 2)),
    "batch_norm_in_evaluation": lambda: layer_case(BatchNorm(2), (2, 3, 2), training=False),
    "instance_norm": lambda: layer_case(InstanceNorm(eps=0.1), (2, 3, 2)),
    "embedding": lambda: layer_case(Embedding(3, 2), (4,)),
    "projection": lambda: layer_case(Projection(4, 3), (4,)),
    "conditional_batch_norm": lambda: layer_case(ConditionalBatchNorm(2, 3, momentum=0.0), (2, 3, 2)),
    "brightness": lambda: augmentation_case(Brightness()),
    "contrast": lambda: augmentation_case(Contrast()),
    "translation": lambda: augmentation_case(Translation(0.3, fill=-1.0)),
    "cutout": lambda: augmentation_case(Cutout(fill=-1.0)),
    "im2col": lambda: copy_case(back=False),
    "col2im": lambda: copy_case(back=True),
    "convolution": lambda: convolution_case(Conv2d(2, 3, 3, stride=2, padding=1), (6, 4), (6, 4)),
    "shifted_products": lambda: shifted_case(3, 2),
    "transposed_convolution": lambda: convolution_case(
        ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1), (3, 2), (6, 4)
    ),
    "adam": adam_case,
}


def run(block: str, names: Names) -> Names:
    exec(BLOCKS[block], {"np": np}, names)
    return names


def test_every_block_of_the_page_is_checked() -> None:
    assert BLOCKS.keys() == CASES.keys()
    assert PAGE.read_text(encoding="utf-8").count("```python") == len(BLOCKS)


@pytest.mark.parametrize("block", CASES)
def test_the_formulas_compute_what_the_library_computes(block: str) -> None:
    check(block, *CASES[block]())


@pytest.mark.parametrize("kernel", [1, 2, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_shifted_products_are_col2im_for_every_kernel_and_stride(kernel: int, stride: int) -> None:
    check("shifted_products", *shifted_case(kernel, stride))


def check(block: str, given: Names, expected: Names) -> None:
    computed = run(block, dict(given))
    for name, value in expected.items():
        np.testing.assert_allclose(computed[name], value, rtol=1e-12, atol=1e-12, err_msg=name)
