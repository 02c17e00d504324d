"""Training gives the same numbers on every backend, and never makes the host wait for the device.

The double computes with NumPy, so there the numbers are equal bit for bit, although the code takes other ways: arrays
are copied to the device, Adam is one kernel over the whole vector. If sums are added in another order, as convolutions
and a real GPU do it, the numbers come close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import double
import numpy as np
import pytest
from steps import discriminator_step, generator_step

from nanogan.augment import AUGMENTATIONS, augmentations
from nanogan.backend import NUMPY, Array, Backend
from nanogan.conv import Conv2d, ConvTranspose2d
from nanogan.layer import Layer
from nanogan.layers import Dropout, LeakyReLU, Linear, ReLU, Sigmoid, Tanh
from nanogan.losses import BCE, MSE, BCEWithLogits, Loss
from nanogan.network import Network
from nanogan.norm import BatchNorm
from nanogan.optim import SGD, Adam, Optimizer
from nanogan.reshape import Flatten, Reshape

BATCH, STEPS = 16, 3
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}  # of a real GPU, relative: its sums are added in another order


@dataclass
class Setting:
    """Two networks and how they learn."""

    G: list[Layer]
    D: list[Layer]
    loss: Loss
    optimizer: Optimizer


def vanilla(hidden: list[Layer]) -> list[Layer]:
    """The discriminator 784-256-256-1, with the layers `hidden` after each hidden Linear."""
    return [Linear(784, 256), *hidden, Linear(256, 256), *hidden, Linear(256, 1)]


GENERATOR: list[Layer] = [Linear(64, 256), ReLU(), Linear(256, 256), ReLU(), Linear(256, 784), Tanh()]
# No bias before BatchNorm, which takes it away again: its gradient would be 0 but for rounding, and Adam, which divides
# by the gradient's own size, would move it by +-lr in every step, as the rounding has it.
UPWARDS: list[Layer] = [
    *(Linear(64, 7 * 7 * 8, bias=False), Reshape((7, 7, 8)), BatchNorm(8), ReLU()),
    *(ConvTranspose2d(8, 8, 4, stride=2, padding=1, bias=False), BatchNorm(8), ReLU()),
    *(ConvTranspose2d(8, 1, 4, stride=2, padding=1), Tanh(), Flatten()),
]
DOWNWARDS: list[Layer] = [
    *(Reshape((28, 28, 1)), Conv2d(1, 8, 4, stride=2, padding=1), LeakyReLU()),
    *(Conv2d(8, 16, 4, stride=2, padding=1, bias=False), BatchNorm(16), LeakyReLU(), Flatten(), Linear(784, 1)),
]
SETTINGS = {
    "vanilla": Setting(GENERATOR, vanilla([LeakyReLU()]), BCEWithLogits(), Adam(lr=2e-4)),
    "dropout": Setting(GENERATOR, vanilla([LeakyReLU(), Dropout(0.3)]), BCEWithLogits(), Adam(lr=2e-4)),
    "probabilities": Setting(GENERATOR, [*vanilla([ReLU()]), Sigmoid()], BCE(), Adam(lr=2e-4, weight_decay=0.01)),
    "least squares": Setting(GENERATOR, vanilla([LeakyReLU()]), MSE(), SGD(lr=0.01, momentum=0.5)),
    "augmented": Setting(
        GENERATOR,
        [Reshape((28, 28, 1)), *augmentations(AUGMENTATIONS), Flatten(), *vanilla([LeakyReLU()])],
        BCEWithLogits(),
        Adam(lr=2e-4),
    ),
    "convolutions": Setting(UPWARDS, DOWNWARDS, BCEWithLogits(), Adam(lr=2e-4)),
}


@dataclass
class Run:
    """A training in progress: networks on a backend, the images there, and the host's random numbers."""

    setting: Setting
    backend: Backend
    dtype: str

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(1)
        G, D = self.setting.G, self.setting.D
        self.G = Network(G, 64, backend=self.backend, dtype=self.dtype, rng=self.rng)
        self.D = Network(D, 784, backend=self.backend, dtype=self.dtype, rng=self.rng)
        self.loss = self.setting.loss.bind(self.backend, self.dtype)
        self.G_optimizer = self.setting.optimizer.bind(self.G)
        self.D_optimizer = self.setting.optimizer.bind(self.D)
        self.images = self.backend.asarray(self.rng.uniform(-1, 1, (50, 784)).astype(self.dtype))
        self.real = self.backend.xp.empty((BATCH, 784), dtype=self.dtype)
        self.losses: list[tuple[Array, Array]] = []

    def noise(self) -> Array:
        return self.backend.asarray(self.rng.standard_normal((BATCH, 64)).astype(self.dtype))

    def step(self) -> None:
        self.backend.take_rows(self.images, self.rng.choice(50, BATCH, replace=False), self.real)
        d_loss, _, _ = discriminator_step(
            self.G, self.D, self.loss, self.D_optimizer, self.real, self.noise(), real_label=0.9
        )
        g_loss = generator_step(self.G, self.D, self.loss, self.G_optimizer, self.noise())
        self.losses.append((d_loss, g_loss))

    def results(self) -> list[Any]:
        """Everything that training has changed, on the host."""
        host = self.backend.to_host
        vectors = [vector for net in (self.G, self.D) for vector in (net.params, net.grads, net.state) if vector.size]
        moments = [v for optimizer in (self.G_optimizer, self.D_optimizer) for v in optimizer.moments.values()]
        return [*map(host, vectors), *map(host, moments), [(float(d), float(g)) for d, g in self.losses]]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", SETTINGS)
def test_training_is_the_same_on_every_backend(backend: Backend, name: str, dtype: str) -> None:
    runs = Run(SETTINGS[name], backend, dtype), Run(SETTINGS[name], NUMPY, dtype)
    for run in runs:
        for _ in range(STEPS):
            run.step()
    in_order = name != "convolutions"  # a GPU multiplies patches, where NumPy adds up shifted products
    exact = backend is NUMPY or (double.is_double(backend) and in_order)
    for got, expected in zip(runs[0].results(), runs[1].results(), strict=True):
        scale = float(np.abs(expected).max())
        np.testing.assert_allclose(got, expected, rtol=0, atol=0 if exact else scale * TOLERANCE[dtype])


@pytest.mark.parametrize("name", SETTINGS)
def test_a_training_step_never_reads_from_the_device(name: str, device_reads: double.Count) -> None:
    run = Run(SETTINGS[name], double.backend(), "float32")
    device_reads.count = 0
    for _ in range(STEPS):
        run.step()
    assert device_reads.count == 0
    run.results()  # and the count works: two networks' vectors, their moments, the losses
    vectors = sum(2 + bool(net.state.size) for net in (run.G, run.D))
    assert device_reads.count == vectors + 2 * len(run.G_optimizer.moments) + 2 * STEPS
