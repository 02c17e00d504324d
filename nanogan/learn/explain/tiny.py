"""A GAN of 30 weights that learns points in the plane, and the two steps of it that are explained.

The steps are the library's own, `gan.py` and `optim.py`, in float64. First weights and inputs have one decimal, so that
the first lines can be checked in one's head. Read `questions.py` next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import CodeType

import numpy as np

from ...backend import Array, Shape
from ...gan import discriminator_gradients, generator_gradients
from ...layer import Layer
from ...layers import LeakyReLU, Linear, Tanh
from ...losses import BCEWithLogits
from ...network import Network
from ...norm import BatchNorm
from ...optim import Adam, Optimizer
from .formulas import BY_CODE
from .record import Record, line_with
from .trace import Tracer

SEED = 381
"""Of those tried: both slopes of LeakyReLU occur in every pass, and no number is close to 0."""
H = 1e-5
"""How far a weight is moved to either side for its central difference."""
CHECK_DIGITS = 12
"""Of what central differences are made of: their numbers differ late."""


@dataclass(frozen=True)
class Flags:
    """What is done otherwise, or looked at more closely; `python -m nanogan explain --help` says what each means."""

    through_fakes: bool = False
    saturating: bool = False
    mixed_batch: bool = False
    label: float = 1.0
    same_fake: bool = False


class TinyGAN:
    """Two networks, their optimizers, and the random numbers of a training that begins."""

    def __init__(self, flags: Flags) -> None:
        norm: list[Layer] = [BatchNorm(3)] if flags.mixed_batch else []
        self.G = Network([Linear(2, 3), LeakyReLU(), Linear(3, 2), Tanh()], 2, dtype=np.float64)
        self.D = Network([Linear(2, 3), *norm, LeakyReLU(), Linear(3, 1)], 2, dtype=np.float64)
        self.networks = {"G": self.G, "D": self.D}
        adam = Adam(lr=0.01, betas=(0.5, 0.999))
        self.optimizers: dict[str, Optimizer] = {name: adam.bind(network) for name, network in self.networks.items()}
        self.loss = BCEWithLogits().bind(dtype=np.float64)
        self.flags = flags
        self.rng = np.random.default_rng(SEED)
        self.n = 3 if flags.mixed_batch else 2  # of two values, BatchNorm always makes -1 and 1

    def explained(self) -> tuple[Record, Record]:
        """D's step, then G's step."""
        of_D = Record(self.networks, self.optimizers)
        with watching(of_D):
            for network in self.networks.values():
                for layer in network.layers:
                    draw(layer, self.rng)
            loss_with = self.discriminator_gradients()
        if self.flags.through_fakes:
            of_D.part = PART
            with watching(of_D):
                self.through_fakes(of_D.arrays["dfake_logits" if self.D.depends_on_batch else "dlogits"])
            of_D.part = ""
        self.update(of_D, "D", loss_with)

        of_G = Record(self.networks, self.optimizers)
        self.take_weights(of_D, of_G)
        if self.flags.same_fake:
            of_G.take(
                of_D, lambda entry: entry.name in ("z", "fake") or (entry.name[0] == "G" and entry.part == "forward")
            )
        with watching(of_G):
            loss_with = self.generator_gradients()
        self.update(of_G, "G", loss_with)
        return of_D, of_G

    # ---- the two steps, which are traced: see OWN

    def discriminator_gradients(self) -> Callable[[], Array]:
        """Returns D's loss as a function of its weights."""
        real = tenths(self.rng, (self.n, 2))
        z = tenths(self.rng, (self.n, 2))
        fake = self.G.forward(z)
        discriminator_gradients(self.D, self.loss, real, fake, real_label=self.flags.label)
        self.z, self.fake = z, fake
        loss, D = self.loss, self.D
        return lambda: loss.forward(D.forward(real), self.flags.label) + loss.forward(D.forward(fake), 0.0)

    def generator_gradients(self) -> Callable[[], Array]:
        """Returns G's loss as a function of its weights."""
        if self.flags.same_fake:
            return self.generator_gradients_of(self.z, self.fake)
        z = tenths(self.rng, (self.n, 2))
        fake = self.G.forward(z)
        return self.generator_gradients_of(z, fake)

    def generator_gradients_of(self, z: Array, fake: Array) -> Callable[[], Array]:
        loss, G, D, saturating = self.loss, self.G, self.D, self.flags.saturating
        generator_gradients(G, D, loss, fake, saturating=saturating)
        if saturating:
            return lambda: -loss.forward(D.forward(G.forward(z)), 0.0)
        return lambda: loss.forward(D.forward(G.forward(z)), 1.0)

    def through_fakes(self, dlogits: Array) -> None:
        """What D's step leaves out: its gradient goes on through the fake points into G."""
        dimages = self.D.backward_input(dlogits)
        dfake = dimages[-self.n :]
        self.G.backward_params(dfake)

    # ---- around them

    def update(self, record: Record, name: str, loss_with: Callable[[], Array]) -> None:
        """The optimizer's step, and the first weight's central difference from before it."""
        network, optimizer = self.networks[name], self.optimizers[name]
        weight, gradient = network.params[0].copy(), record.name_of(network.grads)
        losses = []
        for moved in (weight + H, weight - H):
            network.params[0] = moved
            losses.append(loss_with())
        network.params[0] = weight
        record.part = "update"
        flat = (line_with(Network._memory, "yield"),)
        record.given(network.params, f"{name}.params", WHOLE.format(name), record.flat(network, ""), lines=flat)
        for moment, array in optimizer.moments.items():
            record.given(array, f"{name}.{moment}", "0 before the first step")
        with watching(record):
            optimizer.step()
        record.part = "check"
        self.check(record, name, weight, gradient, losses)
        record.part = ""

    def check(self, record: Record, name: str, weight: Array, gradient: str, losses: list[Array]) -> None:
        """The gradient of the first weight beside its central difference, and what the step has made of it."""
        digits = {"digits": CHECK_DIGITS}
        (plus, minus), network = losses, self.networks[name]
        record.given(weight, "weight", "the first weight of all", f"{name}0.W[0, 0]", **digits)
        written = record.given(network.grads[0].copy(), "gradient", "by the chain rule", f"{gradient}[0]", **digits)
        record.given(
            plus, "loss_plus", "the loss if the weight were a little larger", f"loss_at({weight + H:.6g})", **digits
        )
        record.given(minus, "loss_minus", "and a little smaller", f"loss_at({weight - H:.6g})", **digits)
        difference = f"(loss_plus - loss_minus) / (2 * {H:g})"
        central = record.given((plus - minus) / (2 * H), "central", "the central difference", difference, **digits)
        record.given(written / central, "ratio", "1 if the gradient is right", "gradient / central", **digits)
        new = f"{name}.params_new[0]"
        record.given(network.params[0].copy(), "updated", "the weight after the step", new, **digits)

    def take_weights(self, of_D: Record, of_G: Record) -> None:
        """What G's step starts with: G's weights, and D's as its step has left them."""
        self.D.grads[...] = np.nan  # a step overwrites gradients, and G's step must leave D's alone
        for name, network in self.networks.items():
            for position, layer in enumerate(network.layers):
                for own in layer.param_names():
                    before = of_D[f"{name}{position}.{own}"]
                    lines = of_D["D.params_new"].lines if name == "D" else before.lines
                    what = f"{before.what}, after D's step" if name == "D" else before.what
                    of_G.given(getattr(layer, own), before.name, what, lines=lines)


PART = "through the fakes"
"""Of D's step, if its gradient goes on into G."""
WHOLE = "all weights of {} in one vector"


def draw(layer: Layer, rng: np.random.Generator) -> None:
    """A layer's first weights."""
    for name in layer.param_names():
        getattr(layer, name)[...] = tenths(rng, getattr(layer, name).shape)


def tenths(rng: np.random.Generator, shape: Shape) -> Array:
    """Random numbers of one decimal from -1 to 1, none of them 0."""
    return np.round(rng.integers(1, 11, shape) * rng.choice([-0.1, 0.1], shape), 1)


def watching(record: Record) -> AbstractContextManager[None]:
    return Tracer(record, {**BY_CODE, **OWN}).watching()


OWN: Mapping[CodeType, Mapping[str, str]] = {
    draw.__code__: {f"{name}: layer.{name}": "" for name in ("W", "b", "gamma", "beta")},
    TinyGAN.discriminator_gradients.__code__: {"real": "", "z": "", "fake": "known(fake)"},
    TinyGAN.generator_gradients.__code__: {"z": "", "fake": "known(fake)"},
    TinyGAN.through_fakes.__code__: {"dfake": "dimages[-self.n:]"},
}
"""What the functions of this file make, as `formulas.py` has it for the library's."""
