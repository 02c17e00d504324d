"""Exercises 8 and 9: the two steps of a GAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from ... import plain
from ...backend import Array
from .cut import Cut
from .exercise import Exercise, Mistake, Results, Truth, exact, slopes
from .linear import in_float64

IMPORTS = "from nanogan.plain import Adam, Network, bce_with_logits"


def network(*layers: object) -> plain.Network:
    """In float64, with a bias that isn't 0."""
    return plain.Network([in_float64(layer) for layer in layers])


def gradients(name: str, player: plain.Network) -> dict[str, Array]:
    """Of each Linear of a network, as live arrays: {"D's dW 1": ...}."""
    linears = [layer for layer in player.layers if isinstance(layer, plain.Linear)]
    return {f"{name}'s d{p} {k}": getattr(layer, "d" + p) for k, layer in enumerate(linears, 1) for p in "Wb"}


def measured_gradients(name: str, player: plain.Network, loss: object) -> dict[str, Truth]:
    return {key: slopes(loss, values) for key, values in zip(gradients(name, player), player.params, strict=True)}  # type: ignore[arg-type]


class Counter:
    """In Adam's place: counts the steps, and moves nothing."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self) -> None:
        self.steps += 1


@dataclass(frozen=True)
class StepProbe:
    """One step of a GAN of a few units on three images. player: which network learns, "D" or "G"."""

    player: str

    @property
    def given(self) -> Mapping[str, Array]:
        rng = np.random.default_rng(6)
        return {"real": rng.standard_normal((3, 2)), "z": rng.standard_normal((3, 2))}

    @property
    def counts(self) -> dict[str, int]:
        return {"batch size": 3}

    @property
    def networks(self) -> dict[str, plain.Network]:
        rng = np.random.default_rng(5)
        linear = plain.Linear
        G = network(linear(2, 3, rng), plain.Tanh(), linear(3, 2, rng))
        return {"G": G, "D": network(linear(2, 3, rng), plain.ReLU(0.2), linear(3, 1, rng))}

    @property
    def other(self) -> str:
        return "G" if self.player == "D" else "D"

    def observe(self, code: ModuleType) -> Results:
        players, given, adam = self.networks, self.given, Counter()
        if self.player == "D":
            loss = code.discriminator_step(players["G"], players["D"], adam, given["real"], given["z"])
        else:
            loss = code.generator_step(players["G"], players["D"], adam, given["z"])
        return {
            **gradients(self.player, players[self.player]),
            "loss": loss,
            "steps of Adam": np.array(adam.steps),
            **gradients(self.other, players[self.other]),
        }

    def measure(self, book: ModuleType) -> dict[str, Truth]:
        players, given = self.networks, self.given
        G, D = players["G"], players["D"]

        def loss() -> float:
            fake_logits = D.forward(G.forward(given["z"]))
            if self.player == "G":
                return float(plain.bce_with_logits(fake_logits, 1)[0])
            fake_loss = plain.bce_with_logits(fake_logits, 0)[0]
            return float(plain.bce_with_logits(D.forward(given["real"]), 1)[0] + fake_loss)

        untouched = {name: exact(values) for name, values in gradients(self.other, players[self.other]).items()}
        wanted = measured_gradients(self.player, players[self.player], loss)
        return {**wanted, "loss": exact(loss()), "steps of Adam": exact(1), **untouched}


BOTH = "np.concatenate([dreal_logits, dfake_logits])"
LABELS = "(real_logits, 1)\n    fake_loss, dfake_logits = bce_with_logits(fake_logits, 0)"
SPLIT = "    real_logits, fake_logits = np.split(D.forward(np.concatenate([real, fake])), 2)\n"
SPLIT += f"    real_loss, dreal_logits = bce_with_logits{LABELS}\n    D.backward_params({BOTH})"
TWICE = """    real_loss, dreal_logits = bce_with_logits(D.forward(real), 1)
    D.backward_params(dreal_logits)
    of_real = [0 * g for g in D.grads]
    fake_loss, dfake_logits = bce_with_logits(D.forward(fake), 0)
    D.backward_params(dfake_logits)
    for g, more in zip(D.grads, of_real):
        g += more"""
APART = f"""    real_logits, fake_logits = D.forward(real), D.forward(fake)
    real_loss, dreal_logits = bce_with_logits{LABELS}
    D.backward_params({BOTH})"""
STALE = """    real_loss, dreal_logits = bce_with_logits(D.forward(real), 1)
    fake_loss, dfake_logits = bce_with_logits(D.forward(fake), 0)
    D.backward_params(dreal_logits + dfake_logits)"""
LEAK = f"D.backward_params({BOTH})\n    D.forward(fake)\n    G.backward_params(D.backward_input(dfake_logits))"

D_STEP = Exercise(
    name="d_step",
    title="the discriminator's step",
    task="""D learns to say 1 to real images and 0 to fake ones. Its loss is bce(D(real), 1) + bce(D(fake), 0), each a
mean over its own N images. Compute real_loss and fake_loss, and leave the gradients of their sum in D. G gets none.""",
    steps=(
        "D.backward_params(dlogits) overwrites the gradients in D by those of the batch that D.forward has seen last.",
        "So show D both kinds in one batch: D.forward(np.concatenate([real, fake])) is the logits of 2N images.",
        "np.split(logits, 2) is the two halves. bce_with_logits(logits, t) is the loss and d(loss)/d(logits).",
        "Give D.backward_params both gradients, in the order of the images.",
    ),
    example=""">>> from nanogan.plain import Linear
>>> rng = np.random.default_rng(0)
>>> G, D = Network([Linear(2, 2, rng)]), Network([Linear(2, 1, rng)])
>>> D.params[0][...] = 0  # W
>>> D.params[1][...] = 0  # b: D says 1/2 to everything
>>> loss = discriminator_step(G, D, Adam(D, lr=0.1), np.ones((4, 2)), np.ones((4, 2)))
>>> print(f"{loss:.4f}")  # 2 ln 2
1.3863""",
    cut=Cut(
        plain,
        parts=("discriminator_step",),
        blank=("discriminator_step: real_logits ... D.backward_params",),
        imports=IMPORTS,
    ),
    probe=StepProbe("D"),
    hints=(
        "The loss is a sum of two terms, and so is its gradient. One batch of 2N images gives both at once.",
        "real_loss = bce(D(real), 1), fake_loss = bce(D(fake), 0); each gives dlogits: put one after the other.",
        "fake_loss, dfake = bce_with_logits(fake_logits, ____); D.backward_params(np.concatenate([dreal, ____]))",
    ),
    mistakes=(
        Mistake(SPLIT, APART, "D's last forward pass had N images, these are 2N gradients: show D both in one batch"),
        Mistake(
            BOTH,
            "np.concatenate([dreal_logits, 0 * dfake_logits])",
            "D's fake term is missing: D learns from real images only",
        ),
        Mistake(
            SPLIT, TWICE, "D's real term is missing: the second backward pass overwrites the gradients of the first"
        ),
        Mistake(
            SPLIT, STALE, "the real term uses what D kept from the fake images: run backward before the next forward"
        ),
        Mistake(
            "(fake_logits, 0)", "(fake_logits, 1)", "fake images get the label 1: D would learn to take them for real"
        ),
        Mistake(
            LABELS, LABELS.replace("1)", "0.)").replace("0)", "1)"), "the labels are swapped: real is 1, fake is 0"
        ),
        Mistake(
            BOTH,
            "np.concatenate([dfake_logits, dreal_logits])",
            "the two gradients are in the wrong order: real comes first",
        ),
        Mistake(
            BOTH, f"{BOTH} / 2", "half of it: this is one mean over 2N images; the loss is the sum of two means over N"
        ),
        Mistake(
            f"D.backward_params({BOTH})",
            LEAK,
            "G got a gradient of D's loss: to D, fake is just an array (others call it detach)",
        ),
    ),
    also=((SPLIT, TWICE.replace("0 * g", "g.copy()")),),
)

LOSS = "loss, dlogits = bce_with_logits(D.forward(fake), 1)"
SATURATING = "loss, dlogits = (-term for term in bce_with_logits(D.forward(fake), 0))"

G_STEP = Exercise(
    name="g_step",
    title="the generator's step, through a frozen discriminator",
    task="""G learns to draw images to which D says 1: its loss is bce(D(fake), 1). Leave the gradients of this loss
in G. D's own gradients must stay as they are: D.backward_input(dlogits) returns d(loss)/d(images) and computes none
of them.""",
    steps=(
        "Get the loss and dlogits, with the label that G wants.",
        "Ask D for the gradient of its input: dfake.",
        "Give it to G.backward_params.",
    ),
    example=""">>> from nanogan.plain import Linear
>>> rng = np.random.default_rng(0)
>>> G, D = Network([Linear(2, 2, rng)]), Network([Linear(2, 1, rng)])
>>> D.params[0][...] = 0  # W
>>> D.params[1][...] = 0  # b: D says 1/2 to everything
>>> print(f"{generator_step(G, D, Adam(G, lr=0.1), np.ones((4, 2))):.4f}")  # ln 2
0.6931""",
    cut=Cut(
        plain,
        parts=("generator_step",),
        blank=("generator_step: loss, dlogits ... G.backward_params",),
        imports=IMPORTS,
    ),
    probe=StepProbe("G"),
    hints=(
        "The chain rule runs back the way that the images took: from the loss through D to the images, and on into G.",
        "dlogits = d(loss)/d(logits), then dfake = D.backward_input(dlogits), then G.backward_params(dfake).",
        "loss, dlogits = bce_with_logits(D.forward(fake), ____); dfake = D.____(dlogits); G.____(dfake)",
    ),
    mistakes=(
        Mistake(
            "(D.forward(fake), 1)",
            "(D.forward(fake), 0)",
            "the label: G wants D to say 1; with 0, it learns to be found out",
        ),
        Mistake(
            "G.backward_params(dfake)",
            "G.backward_params(-dfake)",
            "the sign: this is the gradient; Adam goes down it by itself",
        ),
        Mistake(LOSS, SATURATING, "this is the saturating form, -bce(D(fake), 0): its slope vanishes while D is sure"),
        Mistake(
            "G.backward_params(dfake)",
            "D.backward_params(dlogits)\n    G.backward_params(dfake)",
            "D's gradients were computed: in G's step, D is only passed through",
        ),
        Mistake("G.backward_params(dfake)", "pass", "G got no gradient: dfake has to go on into G"),
        Mistake(
            "dfake = D.backward_input(dlogits)",
            "dfake = fake",
            "dfake isn't the images: it is d(loss)/d(images), from D.backward_input",
        ),
        Mistake(
            "dfake = D.backward_input(dlogits)",
            "dfake = dlogits",
            "the gradient has to flow through D first: D.backward_input turns dlogits into dfake",
        ),
        Mistake(
            "G.backward_params(dfake)",
            "G.backward_params(dfake / len(fake))",
            "divided by N twice: dlogits has that factor already",
        ),
        Mistake(
            "dfake = D.backward_input(dlogits)",
            "dfake = D.backward_params(dlogits)",
            "backward_params returns nothing: the gradient of D's input is D.backward_input",
        ),
    ),
    also=(
        (
            "dfake = D.backward_input(dlogits)",
            "for layer in reversed(D.layers):\n        dlogits = layer.backward_input(dlogits)\n    dfake = dlogits",
        ),
    ),
)
