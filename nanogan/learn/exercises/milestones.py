"""The two milestones: the learner's own layers, loss, steps and Adam train a GAN on the ring, and then on digits.

What the learner hasn't written (forward passes, the loop) is the book's, plain.py.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from ... import plain
from ...backend import Array
from ...data.images import load_mnist
from ...io.plots import Scene, save_grid, save_scenes
from ...io.streams import say
from ...metrics.classifier import features_and_digits
from ...metrics.mixtures import RING, modes
from ...metrics.samples import digit_shares
from .checking import check_many
from .cut import Cut
from .folder import Folder, find
from .grading import Verdict, namespace, read

NEEDED = ("linear_dw", "linear_dx", "bias", "leaky_relu", "tanh", "bce", "d_step", "g_step", "adam")


@dataclass(frozen=True)
class Milestone:
    """train: a GAN of these parts, with this randomness; it leaves a picture in a file, and returns the verdict."""

    name: str
    title: str
    train: Callable[[Any, np.random.Generator, Path], Verdict]

    @property
    def picture(self) -> str:
        return f"{self.name}.png"


def reach(milestone: Milestone, folder: Folder) -> Verdict:
    """Check the exercises that it is made of, put them together, and train."""
    exercises = [find(name) for name in NEEDED]
    say(f"{milestone.name}: checking the {len(NEEDED)} exercises that it is made of")
    verdicts = check_many([(exercise, folder.file(exercise)) for exercise in exercises])
    for exercise, verdict in zip(exercises, verdicts, strict=True):
        if not verdict.passed:
            folder.forget(exercise.name)
            return Verdict(False, [f"{milestone.name} is made of your code, and this isn't right:", *verdict.lines])
    folder.keep(folder.path / milestone.picture)
    files = {exercise.name: folder.file(exercise) for exercise in exercises}
    try:
        code = {name: namespace(read(file), str(file)) for name, file in files.items()}
        return milestone.train(assemble(code), np.random.default_rng(0), folder.path / milestone.picture)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(frame.filename) in files.values()]
        if not own:
            raise
        return Verdict(False, [f"{own[-1].filename}:{own[-1].lineno}: {type(error).__name__}: {error}"])


# ---- putting the learner's code together


def assemble(code: dict[str, ModuleType]) -> Any:
    """What plain.py's `train` needs, in the learner's form. code: the module of each exercise."""
    for step in ("d_step", "g_step"):
        vars(code[step])["bce_with_logits"] = code["bce"].bce_with_logits
    return SimpleNamespace(
        Linear=_own_linear(code["linear_dw"].Linear, code["bias"].Linear, code["linear_dx"].Linear),
        ReLU=code["leaky_relu"].ReLU,
        Tanh=code["tanh"].Tanh,
        Network=plain.Network,
        bce_with_logits=code["bce"].bce_with_logits,
        Adam=code["adam"].Adam,
        discriminator_step=code["d_step"].discriminator_step,
        generator_step=code["g_step"].generator_step,
    )


def _own_linear(weights: Any, bias: Any, inputs: Any) -> type[plain.Linear]:
    """One layer of the three that the learner has written a third of each."""

    class Linear(plain.Linear):
        def __init__(self, n_in: int, n_out: int, rng: np.random.Generator) -> None:
            super().__init__(n_in, n_out, rng)
            self.thirds = [third(n_in, n_out, np.random.default_rng(0)) for third in (weights, bias, inputs)]
            for third in self.thirds:  # all see the same arrays
                third.W, third.b, third.dW, third.db = self.W, self.b, self.dW, self.db

        def forward(self, x: Array) -> Array:
            return [third.forward(x) for third in self.thirds][-1]

        def backward_params(self, dy: Array) -> None:
            for third in self.thirds[:2]:
                third.backward_params(dy)

        def backward_input(self, dy: Array) -> Array:
            return self.thirds[2].backward_input(dy)

    return Linear


# ---- the two

STEPS, BATCH, NOISE, WIDTH, RATE = 8000, 128, 8, 64, 1e-3


def train_ring(own: Any, rng: np.random.Generator, picture: Path) -> Verdict:
    """Eight heaps of points on a ring: at least seven have to be hit (metrics/mixtures.py)."""
    say(f"your layers train on the ring, {STEPS:,} steps: about a minute")
    G, D = (
        plain.Network(
            [
                *(own.Linear(n_in, WIDTH, rng), own.ReLU(slope)),
                *(own.Linear(WIDTH, WIDTH, rng), own.ReLU(slope)),
                own.Linear(WIDTH, n_out, rng),
            ]
        )
        for n_in, n_out, slope in ((NOISE, 2, 0.0), (2, 1, 0.2))
    )
    G_adam, D_adam = (own.Adam(network, lr=RATE, beta1=0.5) for network in (G, D))
    fixed, scenes = rng.standard_normal((2500, NOISE)).astype(np.float32), []
    for step in range(1, STEPS + 1):
        G_adam.lr = D_adam.lr = RATE * (1 - step / STEPS)  # or the points swing around the modes to the end
        z, z_again = rng.standard_normal((2, BATCH, NOISE), dtype=np.float32)
        own.discriminator_step(G, D, D_adam, RING.sample(BATCH, rng).astype(np.float32), z)
        own.generator_step(G, D, G_adam, z_again)
        if step in (STEPS // 60, STEPS // 6, STEPS // 2, STEPS):
            points = G.forward(fixed)
            pushes = -D.backward_input(own.bce_with_logits(D.forward(points), 1)[1])
            hit = modes(RING, points).hit
            scenes.append(Scene(f"step {step:,}: {hit} of 8 modes", points.copy(), pushes))
            say(f"  {scenes[-1].title}")
    save_scenes(picture, scenes, RING.centres, 3 * RING.sigma)
    return Verdict(hit >= 7, [f"{hit} of 8 modes, at least 7 are asked for; {picture} shows the points"])


EPOCHS, DRAWN = 4, 1000


def train_digits(own: Any, rng: np.random.Generator, picture: Path) -> Verdict:
    """The loop of plain.py, on MNIST, with the networks of `vanilla`: at least half of the digits have to be drawn."""
    say(f"your layers train on 60,000 digits, {EPOCHS} epochs: about a minute")
    G = book_loop(own)(load_mnist()[0].reshape(-1, 784), EPOCHS, rng)
    fake = G.forward(rng.standard_normal((DRAWN, plain.NOISE), dtype=np.float32))
    pictures = (fake.reshape(-1, 28, 28, 1) + 1) / 2
    save_grid(picture, pictures[:64])
    kinds = int((digit_shares(features_and_digits(pictures)[1]) >= 0.01).sum())
    return Verdict(kinds >= 5, [f"{kinds} of the ten digits are drawn, at least 5 are asked for; {picture} shows 64"])


def book_loop(own: Any) -> Callable[[Array, int, np.random.Generator], Any]:
    """`train` of plain.py, with the learner's parts in the place of plain.py's."""
    code = namespace(Cut(plain, ("train",), ()).solution, plain.__file__)
    vars(code).update(vars(own), BATCH=plain.BATCH, NOISE=plain.NOISE)
    return code.train


MILESTONES = (
    Milestone("ring", "your layers train a GAN on the ring", train_ring),
    Milestone("digits", "your layers draw vanilla's first digits", train_digits),
)
