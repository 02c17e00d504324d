"""The image-to-image step of a U-Net in PyTorch: as a tutorial writes it, and in forms that may be faster.

It is the step of `gan.image_to_image_step`: G is run once for both updates, D judges pairs.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from nanogan import optim
from nanogan.conv import Conv2d, ConvTranspose2d
from nanogan.layer import Layer
from nanogan.layers import LeakyReLU, ReLU, Tanh
from nanogan.network import Sequential, Skip
from nanogan.norm import BatchNorm
from nanogan.pix2pix.trainer import scaled

from .reference import Contender, Setup, Step, restoration
from .with_torch import Form, channels_first


class PyTorchUNet(Contender):
    def __init__(self, setup: Setup, form: Form) -> None:
        super().__init__(setup)
        torch.set_num_threads(setup.threads)
        trainer, pairs = setup.trainer(), restoration()
        self.form, self.batch_size = form, setup.batch_size
        self.G, self.D = module(trainer.G), module(trainer.D)
        self.G_optimizer, self.D_optimizer = (self._adam(net.parameters()) for net in (self.G, self.D))
        self.bce, self.l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()
        self.conditions, self.targets = (
            channels_first(scaled(self.recipe, images)) for images in (pairs.conditions, pairs.targets)
        )

    def _adam(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        settings = self.recipe.optimizer
        assert isinstance(settings, optim.Adam)
        return torch.optim.Adam(parameters, settings.lr, settings.betas, settings.eps, fused=self.form.fused or None)

    def losses(self, step: Step) -> tuple[float, float]:
        d_loss, g_loss = self._step(channels_first(step.z), channels_first(step.real))
        return float(d_loss), float(g_loss)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            rows = torch.randint(len(self.targets), (self.batch_size,))
            self._step(self.conditions[rows], self.targets[rows])

    def _step(self, condition: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        fake = self.G(condition)
        d_loss = self._judged(condition, target, 1.0) + self._judged(condition, fake.detach(), 0.0)
        self.D_optimizer.zero_grad()
        d_loss.backward()
        self.D_optimizer.step()
        if self.form.careful:
            self.D.requires_grad_(False)
        g_loss = self.recipe.adversarial_weight * self._judged(condition, fake, 1.0)
        g_loss = g_loss + self.recipe.l1_weight * self.l1(fake, target)
        self.G_optimizer.zero_grad()
        g_loss.backward()
        self.G_optimizer.step()
        if self.form.careful:
            self.D.requires_grad_(True)
        return d_loss.detach(), g_loss.detach()

    def _judged(self, condition: Tensor, image: Tensor, label: float) -> Tensor:
        logits = self.D(torch.cat([condition, image], dim=1))
        return self.bce(logits, torch.full_like(logits, label))


# ---- nanogan's networks as PyTorch's


class Around(nn.Module):
    """What `Skip` does."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.inner(x)], dim=1)


def module(layer: Layer) -> nn.Module:
    """PyTorch's module for a layer, or for layers in order, with the same weights."""
    match layer:
        case Sequential():
            inner = nn.Sequential(*map(module, layer.layers))
            return Around(inner) if isinstance(layer, Skip) else inner
        case Conv2d() | ConvTranspose2d():
            return convolution(layer)
        case BatchNorm():
            return nn.BatchNorm2d(layer.channels, layer.eps, layer.momentum)  # gamma and beta start at 1 and 0
        case LeakyReLU():
            return nn.LeakyReLU(layer.slope)
        case ReLU():
            return nn.ReLU()
        case Tanh():
            return nn.Tanh()
    raise TypeError(f"{layer} is in no U-Net")


def convolution(layer: Conv2d | ConvTranspose2d) -> nn.Module:
    """W (k k a, b) becomes (b, a, k, k): b is c_out for a convolution, c_in for a transposed one, as PyTorch has it."""
    make = nn.Conv2d if isinstance(layer, Conv2d) else nn.ConvTranspose2d
    made = make(layer.c_in, layer.c_out, layer.kernel, layer.stride, layer.padding, bias=layer.bias)
    weight = layer.W.reshape(layer.kernel, layer.kernel, -1, layer.W.shape[1]).transpose(3, 2, 0, 1)
    values = {"weight": weight, **({"bias": layer.b} if layer.bias else {})}
    made.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in values.items()})
    return made
