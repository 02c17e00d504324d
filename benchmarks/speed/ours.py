"""nanogan's own step, and its floor: what a step of the same products and parameters must take on this machine."""

from __future__ import annotations

from copy import copy
from types import SimpleNamespace

from nanogan.backend import Backend
from nanogan.backends import get_backend
from nanogan.network import Network
from nanogan.optim import Optimizer
from nanogan.training.floor import Product, RecordingModule, copied_vectors

from .reference import Contender, Setup, Step, Work


class Nanogan(Contender):
    """`Trainer.step`, with everything that it does: batch, noise, both updates, and the sums of losses for the log.

    Its parts are the step; the optimizers' share of it; and the two halves of the floor: the matrix products alone, the
    same arrays in the same order, and a copy that moves as many bytes as an update of all parameters must.
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.backend = get_backend(setup.backend)
        self.trainer = setup.trainer(self.backend)

    def losses(self, step: Step) -> tuple[float, float]:
        return step.losses  # this is the reference

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.trainer.step()

    def parts(self) -> dict[str, Work]:
        self.products = recorded_products(self.setup, self.backend)
        networks = (self.trainer.D, self.trainer.G)
        self.copies = [copied_vectors(network, self.recipe.optimizer) for network in networks]
        self.optimizers = [self._optimizer(network) for network in (self.trainer.D, self.trainer.G)]
        return {"step": self.run, "optimizer": self._update, "products": self._multiply, "copy": self._copy_all}

    def facts(self) -> dict[str, float]:
        """What the floor's parts do in a step. Bytes count every operand of a product once."""
        return {
            "parameters": sum(network.param_count for network in (self.trainer.D, self.trainer.G)),
            "products": len(self.products),
            "gflop": sum(2 * a.shape[0] * a.shape[1] * b.shape[1] for _, a, b, _ in self.products) / 1e9,
            "product_MB": sum(a.nbytes + b.nbytes + out.nbytes for _, a, b, out in self.products) / 1e6,
            "copy_MB": sum(source.nbytes + target.nbytes for source, target in self.copies) / 1e6,
        }

    def _optimizer(self, network: Network) -> Optimizer:
        """The recipe's, with parameters of its own, as updates without new gradients would ruin the networks."""
        params, grads = self.backend.xp.ones_like(network.params), self.backend.xp.ones_like(network.params)
        return self.recipe.optimizer.bind(SimpleNamespace(backend=self.backend, params=params, grads=grads))

    def _update(self, steps: int) -> None:
        for _ in range(steps):
            for optimizer in self.optimizers:
                optimizer.step()

    def _multiply(self, steps: int) -> None:
        for _ in range(steps):
            for multiply, a, b, out in self.products:
                multiply(a, b, out=out)

    def _copy_all(self, steps: int) -> None:
        for _ in range(steps):
            for source, target in self.copies:
                target[...] = source

    def finish(self) -> None:
        self.backend.synchronize()

    def seconds(self, work: Work, repetitions: int) -> float:
        """On a GPU, the time between two events in its own stream."""
        if self.backend.name == "numpy":
            return super().seconds(work, repetitions)
        before, after = self.backend.xp.cuda.Event(), self.backend.xp.cuda.Event()
        self.finish()
        before.record()
        work(repetitions)
        after.record()
        after.synchronize()
        return self.backend.xp.cuda.get_elapsed_time(before, after) / 1000


def recorded_products(setup: Setup, backend: Backend) -> list[Product]:
    """Every product of a step, in order."""
    recording = copy(backend)
    recording.xp = RecordingModule(backend.xp)
    trainer = setup.trainer(recording)
    trainer.step()  # work arrays have been allocated, and keep their places
    recording.xp.products.clear()
    trainer.step()
    return recording.xp.products
