"""The step in PyTorch: as a tutorial writes it, and in every form that may be faster."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nanogan import interop, optim
from nanogan.backend import Array
from nanogan.layer import Layer
from nanogan.layers import Dropout, Linear, Maxout
from nanogan.losses import BCEWithLogits
from nanogan.network import Network

from .reference import Contender, Missing, Setup, Step, Work


@dataclass(frozen=True)
class Form:
    """fused: an optimizer that updates all parameters in one call.
    careful: no gradient is computed that nobody needs, and real and fake go through D as one batch where that is right.
    compiled: G and both losses go through torch.compile.
    graphed: the step is recorded once, as a CUDA graph, and replayed.
    """

    fused: bool = False
    careful: bool = False
    compiled: bool = False
    graphed: bool = False


FORMS = {
    "PyTorch eager": Form(),
    "PyTorch fused": Form(fused=True),
    "PyTorch careful": Form(fused=True, careful=True),
    "PyTorch compiled": Form(fused=True, careful=True, compiled=True),
    "PyTorch graphed": Form(fused=True, careful=True, graphed=True),
}


class PyTorch(Contender):
    def __init__(self, setup: Setup, form: Form) -> None:
        super().__init__(setup)
        if form.compiled and not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))):
            raise Missing("torch.compile needs a C++ compiler")
        self.device = "cpu" if setup.backend == "numpy" else "cuda"
        if form.graphed and self.device == "cpu":
            raise Missing("a CUDA graph needs a GPU")
        torch.set_num_threads(setup.threads)
        recipe, trainer = self.recipe, setup.trainer()
        self.compiles = form.compiled
        self.form, self.depends_on_batch = form, trainer.D.depends_on_batch
        self.G, self.D = (model(network).to(self.device) for network in (trainer.G, trainer.D))
        self.G_optimizer, self.D_optimizer = (self._optimizer(net.parameters()) for net in (self.G, self.D))
        self.loss = nn.BCEWithLogitsLoss() if isinstance(recipe.loss, BCEWithLogits) else nn.BCELoss()
        self.ones, self.zeros = (make((setup.batch_size, 1), device=self.device) for make in (torch.ones, torch.zeros))
        self.real_labels = self.ones * recipe.real_label
        self.images = channels_first(setup.images).to(self.device)
        compiled = torch.compile if form.compiled else lambda function: function
        self.generate, self.d_loss, self.g_loss = map(compiled, (self.G, self._d_loss, self._g_loss))

    def _optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        settings, fused = self.recipe.optimizer, self.form.fused or None
        if isinstance(settings, optim.Adam):
            return torch.optim.Adam(
                parameters, settings.lr, settings.betas, settings.eps, fused=fused, capturable=self.form.graphed
            )
        assert isinstance(settings, optim.SGD)
        return torch.optim.SGD(parameters, settings.lr, settings.momentum, fused=fused)

    def losses(self, step: Step) -> tuple[float, float]:
        real = channels_first(step.real)
        noise = [None if z is None else torch.from_numpy(z).to(self.device) for z in (step.z, step.z_again)]
        d_loss, g_loss = self._step(real.to(self.device), *noise)
        return float(d_loss), float(g_loss)

    def run(self, steps: int) -> None:
        step = self.recorded if self.form.graphed else self.one_step
        for _ in range(steps):
            step()

    def one_step(self) -> None:
        rows = torch.randint(len(self.images), (self.setup.batch_size,), device=self.device)
        self._step(self.images[rows], self._noise(), None if self.recipe.same_fake else self._noise())

    @functools.cached_property
    def recorded(self) -> Callable[[], None]:
        """One step as a graph; before, a few on a stream beside the default one, as PyTorch's manual has it."""
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                self.one_step()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.one_step()
        return graph.replay

    def finish(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def parts(self) -> dict[str, Work]:
        """The optimizers have parameters of their own, as updates without new gradients would ruin the networks."""
        self.alone = []
        for net in (self.G, self.D):
            copies = [nn.Parameter(p.detach().clone()) for p in net.parameters()]
            for p in copies:
                p.grad = torch.ones_like(p)
            self.alone.append(self._optimizer(copies))
        return {"step": self.run, "optimizer": self._update}

    def _update(self, steps: int) -> None:
        for _ in range(steps):
            for optimizer in self.alone:
                optimizer.step()

    def seconds(self, work: Work, repetitions: int) -> float:
        if self.device == "cpu":
            return super().seconds(work, repetitions)
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.finish()
        before.record()
        work(repetitions)
        after.record()
        after.synchronize()
        return before.elapsed_time(after) / 1000

    def _noise(self) -> Tensor:
        shape, bound = (self.setup.batch_size, self.recipe.noise_size), self.recipe.noise_bound
        if bound is None:
            return torch.randn(shape, device=self.device)
        return torch.empty(shape, device=self.device).uniform_(-bound, bound)

    # ---- the step

    def _step(self, real: Tensor, z: Tensor, z_again: Tensor | None) -> tuple[Tensor, Tensor]:
        recipe = self.recipe
        with torch.set_grad_enabled(not self.form.careful or recipe.same_fake):
            fake = self.generate(z)
        if recipe.simultaneous:
            g_loss = self._backward_G(fake)
            d_loss = self._backward_D(real, fake.detach())
            self.D_optimizer.step()
        else:
            d_loss = self._backward_D(real, fake.detach())
            self.D_optimizer.step()
            g_loss = self._backward_G(fake if z_again is None else self.generate(z_again))
        self.G_optimizer.step()
        return d_loss, g_loss

    def _backward_D(self, real: Tensor, fake: Tensor) -> Tensor:
        loss = self.d_loss(real, fake)
        self.D_optimizer.zero_grad()
        loss.backward()
        return loss.detach()

    def _backward_G(self, fake: Tensor) -> Tensor:
        if self.form.careful:
            self.D.requires_grad_(False)
        loss = self.g_loss(fake)
        self.G_optimizer.zero_grad()
        loss.backward()
        if self.form.careful:
            self.D.requires_grad_(True)
        return loss.detach()

    def _d_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        if self.form.careful and not self.depends_on_batch:
            real_logits, fake_logits = self.D(torch.cat([real, fake])).chunk(2)
        else:
            real_logits, fake_logits = self.D(real), self.D(fake)
        loss = self.loss(real_logits, self.real_labels) + self.loss(fake_logits, self.zeros)
        return loss / 2 if self.recipe.mean_of_terms else loss

    def _g_loss(self, fake: Tensor) -> Tensor:
        return self.loss(self.D(fake), self.ones)


# ---- nanogan's networks as PyTorch's


class Largest(nn.Module):
    """What makes a Linear layer with its output split into pieces, (N, pieces, n_out), a Maxout layer."""

    def forward(self, x: Tensor) -> Tensor:
        return x.amax(dim=1)


def model(network: Network) -> nn.Sequential:
    """The same layers with the same weights."""
    if any(isinstance(layer, Maxout) for layer in network.layers):
        return nn.Sequential(*(module for layer in network.layers for module in modules(layer)))
    net = eval(interop.torch_source(network), {"nn": nn})
    net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in interop.to_torch(network).items()})
    return net


def modules(layer: Layer) -> Iterator[nn.Module]:
    """What stands for a layer of a network that PyTorch has no modules for, all of which is fully connected."""
    if isinstance(layer, (Linear, Maxout)):
        linear = nn.Linear(*layer.W.shape)
        linear.load_state_dict({"weight": torch.tensor(layer.W.T), "bias": torch.tensor(layer.b)})
        yield linear
        if isinstance(layer, Maxout):
            yield nn.Unflatten(1, (layer.pieces, layer.n_out))
            yield Largest()
    else:
        yield nn.Dropout(layer.p) if isinstance(layer, Dropout) else nn.Flatten()


def channels_first(images: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
