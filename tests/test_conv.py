"""Convolutions: their patches, the product that needs none, all their geometries, and GANs of them."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import textbook
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from steps import discriminator_step, generator_step

from nanogan import (
    NUMPY,
    SGD,
    Adam,
    BatchNorm,
    BCEWithLogits,
    Conv2d,
    ConvTranspose2d,
    FanIn,
    Flatten,
    InputError,
    Layer,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    ReLU,
    Reshape,
    ShapeError,
    Tanh,
)
from nanogan.backend import Array, Backend
from nanogan.gan import discriminator_gradients, generator_gradients
from nanogan.gradcheck.checks import check_layer, check_step

sizes = st.tuples(st.integers(1, 7), st.integers(1, 7))


@pytest.mark.parametrize("channels", [1, 2, 3], ids="{} channels".format)
def test_im2col_cuts_every_patch_out(backend: Backend, channels: int) -> None:
    """Those of one or two channels are copied in another order, and are the same rows."""
    layer = Network([Conv2d(channels, 1, 3, stride=2, padding=1)], (5, 4, channels), backend=backend).layers[0]
    assert isinstance(layer, Conv2d)
    x = np.arange(2 * 5 * 4 * channels, dtype=np.float32).reshape(2, 5, 4, channels) + 1
    cut = backend.to_host(layer.im2col(backend.asarray(x))).reshape(2, 3, 2, 3, 3, channels)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for n, i, j in np.ndindex(2, 3, 2):
        np.testing.assert_array_equal(cut[n, i, j], padded[n, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3])


@given(
    size=sizes,
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 5),
    padding=st.integers(0, 4),
    seed=st.integers(0, 99),
)
def test_what_needs_no_patches_is_the_transpose_of_what_multiplies_them(
    backend: Backend,
    size: tuple[int, int],
    channels: tuple[int, int],
    kernel: int,
    stride: int,
    padding: int,
    seed: int,
) -> None:
    """<im2col(x) W, y> = <x, convolve_transposed(y)> for all x and y."""
    assume(min(size) + 2 * padding >= kernel)
    convolution = Conv2d(*channels, kernel, stride=stride, padding=padding, bias=False)
    network = Network([convolution], (*size, channels[0]), backend=backend, dtype=np.float64)
    rng = np.random.default_rng(seed)
    x, y = (rng.standard_normal((2, *shape)) for shape in (network.input_shape, network.shape))
    there = backend.to_host(network.forward(backend.asarray(x)))
    back = backend.to_host(network.backward_input(backend.asarray(y)))
    assert (there * y).sum() == pytest.approx((x * back).sum(), rel=1e-11, abs=1e-11)


@given(
    size=sizes,
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 5),
    padding=st.integers(0, 3),
    output_padding=st.integers(0, 4),
    bias=st.booleans(),
    transposed=st.booleans(),
    batch=st.integers(1, 2),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_every_geometry_is_the_textbooks_and_has_its_gradients(
    size: tuple[int, int],
    channels: tuple[int, int],
    kernel: int,
    stride: int,
    padding: int,
    output_padding: int,
    bias: bool,
    transposed: bool,
    batch: int,
    seed: int,
) -> None:
    layer: Conv2d | ConvTranspose2d
    if transposed:
        output_padding %= stride
        assume(all((n - 1) * stride + kernel + output_padding > 2 * padding for n in size))
        layer = ConvTranspose2d(
            *channels, kernel, stride=stride, padding=padding, output_padding=output_padding, bias=bias
        )
    else:
        assume(min(size) + 2 * padding >= kernel)
        layer = Conv2d(*channels, kernel, stride=stride, padding=padding, bias=bias)
    rng = np.random.default_rng(seed)
    network = Network([layer], (*size, channels[0]), dtype=np.float64, rng=rng)
    x = rng.standard_normal((batch, *network.input_shape))
    convolve = textbook.conv_transpose2d if transposed else textbook.conv2d
    expected = convolve(layer, network.layers[0].arrays(), x, rng)
    assert expected.shape[1:] == network.shape
    np.testing.assert_allclose(network.forward(x), expected, rtol=1e-12, atol=1e-12)
    report = check_layer(layer, network.input_shape, batch=batch, count=8, seed=seed)
    assert report.passed, report


def test_a_transposed_convolution_passes_forward_what_its_convolution_passes_back(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    down = Network([Conv2d(2, 3, 3, stride=2, padding=1, bias=False)], (6, 8, 2), backend=backend, dtype=np.float64)
    up_layer = ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1, bias=False)
    up = Network([up_layer], down.shape, backend=backend, dtype=np.float64)
    up.load_state_dict(down.state_dict())
    x, dy = (backend.asarray(rng.standard_normal((2, *shape))) for shape in (down.input_shape, down.shape))
    y = backend.to_host(down.forward(x)).copy()
    np.testing.assert_allclose(backend.to_host(up.forward(dy)), backend.to_host(down.backward_input(dy)), rtol=1e-12)
    np.testing.assert_allclose(backend.to_host(up.backward_input(x)), y, rtol=1e-12)


def test_first_weights_have_pytorchs_fans() -> None:
    """PyTorch counts kernel^2 c_in for Conv2d and kernel^2 c_out for ConvTranspose2d."""
    rng = np.random.default_rng(0)
    for layer, fan_in in ((Conv2d(4, 9, 5), 100), (ConvTranspose2d(9, 4, 5), 100)):
        network = Network([layer], (5, 5, layer.c_in), rng=rng)
        bound = fan_in**-0.5
        for values in network.layers[0].arrays().values():
            assert 0.6 * bound < np.abs(values).max() <= bound
    zero = Network([Conv2d(1, 2, 3, init=Normal(0.02))], (3, 3, 1)).layers[0]
    assert (zero.b == 0).all()
    assert Conv2d(1, 2, 3).init == FanIn()


@pytest.mark.parametrize(
    ("layer", "input_shape", "message"),
    [
        (Conv2d(3, 2, 4), (8, 8, 1), r"Conv2d.*expected inputs of shape \(height, width, 3\), got \(8, 8, 1\)"),
        (Conv2d(3, 2, 4), (8, 3), r"Conv2d.*expected inputs of shape \(height, width, 3\), got \(8, 3\)"),
        (Conv2d(3, 2, 4), (8, 3, 3), r"Conv2d.*kernel is larger than an input of shape \(8, 3, 3\) and its padding"),
        (ConvTranspose2d(3, 2, 1, padding=1), (1, 9, 3), r"ConvTranspose2d.*nothing is left of an input of shape"),
    ],
)
def test_an_image_that_does_not_fit_is_named(layer: Layer, input_shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Network([layer], input_shape)


@pytest.mark.parametrize("setting", [{"kernel": 0}, {"kernel": 1, "stride": 0}, {"kernel": 1, "padding": -1}])
def test_a_kernel_that_makes_no_sense_is_refused(setting: dict[str, Any]) -> None:
    for layer in (Conv2d, ConvTranspose2d):
        with pytest.raises(InputError, match="kernel and stride must be at least 1, padding at least 0"):
            layer(1, 1, **setting)
    with pytest.raises(InputError, match=r"output_padding must lie in \[0, stride\)"):
        ConvTranspose2d(1, 1, 2, stride=2, output_padding=2)


# ---- GANs of convolutions


def small_dcgan(backend: Backend, batch_norm_in_D: bool) -> tuple[Network, Network, Array, Array]:
    """DCGAN's layers on images of 8 x 8, with a batch of 3 real ones and of noise, in float64."""
    rng = np.random.default_rng(0)
    G: list[Layer] = [Linear(3, 16), Reshape((2, 2, 4)), BatchNorm(4), ReLU()]
    G += [ConvTranspose2d(4, 3, 4, stride=2, padding=1), BatchNorm(3), ReLU()]
    G += [ConvTranspose2d(3, 1, 4, stride=2, padding=1), Tanh()]
    D: list[Layer] = [Conv2d(1, 3, 4, stride=2, padding=1), LeakyReLU(), Conv2d(3, 4, 4, stride=2, padding=1)]
    D += [BatchNorm(4)] if batch_norm_in_D else []
    D += [LeakyReLU(), Flatten(), Linear(16, 1)]
    real, z = rng.uniform(-1, 1, (3, 8, 8, 1)), rng.standard_normal((3, 3))
    return (
        Network(G, 3, backend=backend, dtype=np.float64, rng=rng),
        Network(D, (8, 8, 1), backend=backend, dtype=np.float64, rng=rng),
        backend.asarray(real),
        backend.asarray(z),
    )


@pytest.mark.parametrize("batch_norm_in_D", [False, True])
def test_both_steps_of_a_dcgan_are_the_slopes_of_their_losses(backend: Backend, batch_norm_in_D: bool) -> None:
    G, D, real, z = small_dcgan(backend, batch_norm_in_D)
    loss = BCEWithLogits().bind(backend, np.float64)
    for report in (
        check_step(lambda: discriminator_gradients(D, loss, real, G.forward(z), real_label=0.9), D, G, count=4),
        check_step(lambda: generator_gradients(G, D, loss, G.forward(z)), G, D, count=4),
    ):
        assert report.passed, report
        assert all(row.checked for row in report.rows), report


def test_batch_norm_in_D_never_mixes_real_and_fake(backend: Backend) -> None:
    """What D says of real images doesn't depend on the fake ones in the step, nor do its running averages mix them."""
    G, D, real, z = small_dcgan(backend, batch_norm_in_D=True)
    loss = BCEWithLogits().bind(backend, np.float64)
    start = backend.to_host(D.state).copy()
    alone = []
    for images in (real, G.forward(z)):
        alone.append(backend.to_host(D.forward(images)).copy())
    followed = backend.to_host(D.state).copy()
    D.state[...] = backend.asarray(start)
    _, real_logits, fake_logits = discriminator_step(G, D, loss, SGD(lr=1e-12).bind(D), real, z)
    np.testing.assert_allclose(backend.to_host(real_logits), alone[0], rtol=1e-9)
    np.testing.assert_allclose(backend.to_host(fake_logits), alone[1], rtol=1e-9)
    np.testing.assert_allclose(backend.to_host(D.state), followed, rtol=1e-9)


def dcgan_peaks(n: int, batch_norm_in_D: bool, steps: int = 3) -> list[int]:
    """Most bytes held at a time during each step of the small DCGAN after the first, above those held before it."""
    rng = np.random.default_rng(0)
    G, D, *_ = small_dcgan(NUMPY, batch_norm_in_D)
    loss = BCEWithLogits().bind(NUMPY, np.float64)
    discriminator, generator = Adam(lr=2e-4).bind(D), Adam(lr=2e-4).bind(G)
    real, z = rng.uniform(-1, 1, (n, 8, 8, 1)), rng.standard_normal((n, 3))
    peaks = []
    tracemalloc.start()
    for _ in range(1 + steps):
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        discriminator_step(G, D, loss, discriminator, real, z)
        generator_step(G, D, loss, generator, z)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    return peaks[1:]


@pytest.mark.parametrize("batch_norm_in_D", [False, True])
def test_the_memory_of_a_step_grows_neither_with_the_batch_nor_from_step_to_step(batch_norm_in_D: bool) -> None:
    """600 more images of float64 take 307,200 bytes; what NumPy casts at a time grows up to 8192 numbers, 64 KiB."""
    small, large = dcgan_peaks(600, batch_norm_in_D), dcgan_peaks(1200, batch_norm_in_D)
    assert max(large) - max(small) < 65536
    assert max(small) - min(small) < 4096, "steps differ by small objects of Python's"
