"""Does a GAN help a classifier that has few labelled pictures? One seed of the experiment: four arms, judged alike.

Each arm trains the same classifier for as many steps, on
    real       the few pictures
    shifts     the same, each shifted and turned a little, anew every time
    generated  at first these and, in a share of the pictures, what a conditional GAN draws that was trained on the few;
               in the second half of the steps the real ones alone
    all        the same, shifted and turned

Generated pictures that the classifier without them reads as another class than they were asked to be are left out.
The learning rate and the share are those with which the classifier tells most of the validation part right. The test
part is looked at once, by the classifier that was chosen.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import Array
from ..data.images import rescale
from ..metrics.classifier import predict
from ..network import Network
from ..recipes.cures import cured
from ..recipes.mnist import get_recipe
from ..training.gan_trainer import Trainer, generate
from .classify import accuracy, mixture, shifted_and_turned, trained
from .parts import Part, Parts

ARMS = ("real", "shifts", "generated", "all")
RATES = (1e-3, 3e-3)
SHARES = (0.05, 0.2, 0.5)
VERSIONS = 4_000
"""Pictures that the GAN is trained on: the few, each shifted and turned in many ways. Of ten pictures as they are, it
learns to draw one per class, whatever the noise."""
MIXED = 2_000
"""Pictures in an epoch of a classifier, whatever they are."""
SHOWN = 10
"""Generated pictures of each class in the grid."""


@dataclass(frozen=True)
class Settings:
    """per_class: real pictures of each class. gan_steps, classifier_steps: how long both are trained. width: of the
    GAN's networks, half of the recipe's, because few pictures need no more. augment: what its D sees them through.
    """

    per_class: int
    gan_steps: int = 1_200
    classifier_steps: int = 200
    width: int = 8
    augment: Sequence[str] = ("translation",)


def run_seed(parts: Parts, settings: Settings, seed: int) -> tuple[dict[str, Any], Array]:
    """The results of one seed, ready for JSON, and generated pictures, (classes x SHOWN, H, W, C), in [0, 1]."""
    few = parts.few(settings.per_class, np.random.default_rng([seed, 3]))
    started = time.process_time()
    generated = draw(few, parts.class_names, settings, seed)
    gan_seconds = time.process_time() - started
    arms: dict[str, Any] = {}
    networks: dict[str, Network] = {}
    for arm in ("real", "shifts"):
        candidates = [(lr, 0.0) for lr in RATES]
        arms[arm], networks[arm] = best(parts, few, generated, arm, candidates, settings, seed)
    reader = max(networks, key=lambda arm: arms[arm]["validation"])
    readable = generated.take(np.flatnonzero(predict(networks[reader], generated.images) == generated.labels))
    for arm, base in (("generated", "real"), ("all", "shifts")):
        candidates = [(arms[base]["lr"], share) for share in SHARES]
        arms[arm], _ = best(parts, few, readable if len(readable) else generated, arm, candidates, settings, seed)
    shown = np.concatenate(
        [generated.images[generated.labels == label][:SHOWN] for label in range(len(parts.class_names))]
    )
    seconds = {"gan": round(gan_seconds, 1), "all": round(time.process_time() - started, 1)}
    return {"seed": seed, "cpu_seconds": seconds, "readable": len(readable) / len(generated), "arms": arms}, shown


def draw(few: Part, class_names: Sequence[str], settings: Settings, seed: int) -> Part:
    """MIXED pictures, as many of each class, by a GAN that was trained on the few, shifted and turned."""
    recipe = get_recipe("conditional", few.images.shape[1:], class_names=class_names, width=settings.width)
    recipe = cured(recipe, augment=settings.augment)
    rng = np.random.default_rng([seed, 6])
    again = few.take(np.resize(np.arange(len(few)), max(VERSIONS, len(few))))
    images = rescale(shifted_and_turned(again.images, rng), (0, 1), recipe.pixels)
    trainer = Trainer(recipe, images, labels=again.labels, seed=seed)
    while trainer.steps < settings.gan_steps:
        trainer.step()
    labels = np.arange(MIXED) % len(class_names)
    z = recipe.draw_noise(np.random.default_rng([seed, 5]), np.empty((MIXED, recipe.noise_size), np.float32))
    return Part(generate(trainer.generator, recipe, z, labels), labels)


def best(
    parts: Parts,
    few: Part,
    generated: Part,
    arm: str,
    candidates: Sequence[tuple[float, float]],
    settings: Settings,
    seed: int,
) -> tuple[dict[str, Any], Network]:
    """Of the candidates, each a learning rate and a share, the one that validation prefers, and its test accuracy."""
    change = shifted_and_turned if arm in ("shifts", "all") else None
    tried, chosen = [], None
    for lr, share in candidates:
        rng = np.random.default_rng([seed, 4])  # the same first weights for all
        halves = [mixture(few, generated, now, MIXED, rng) for now in (share, 0.0)]
        half = settings.classifier_steps // 2
        network = trained(halves, len(parts.class_names), lr=lr, steps=half, rng=rng, change=change)
        tried.append({"lr": lr, "share": share, "validation": accuracy(network, parts.validation)})
        if chosen is None or tried[-1]["validation"] > chosen[0]["validation"]:
            chosen = tried[-1], network
    assert chosen
    return {**chosen[0], "test": accuracy(chosen[1], parts.test), "tried": tried}, chosen[1]
