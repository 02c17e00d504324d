"""The options that steady a GAN, of `python -m nanogan train` and examples/mnist_gan.py; see `recipes/cures.py`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from .arguments import one_of, rate, switch, weight

LOSSES = ("bce", "relativistic", "hinge", "wasserstein", "least-squares")
"""Those of `recipes/cures.py`, named here because help should not have to load them."""

AUGMENTATIONS = ("brightness", "contrast", "translation", "cutout")
"""Those of `augment.py`."""


def augmentation(text: str) -> str:
    """An argument type: one of AUGMENTATIONS, or several, or all, or none. It stays text."""
    return " ".join(map(one_of((*AUGMENTATIONS, "all", "none")), text.split()))


class Joined(argparse.Action):
    """--augment translation cutout as "translation cutout", so that it is one value in config.json; alone, it is the
    one that was best where it was measured (docs/augment.md).
    """

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        setattr(namespace, self.dest, " ".join(values) or "translation")


CURES: dict[str, Callable[[str], Any]] = {
    "loss": one_of(LOSSES),
    "r1": weight,
    "r2": weight,
    "gradient_penalty": weight,
    "spectral_norm": switch,
    "d_lr": rate,
    "augment": augmentation,
}
"""Each option's name, and what checks it."""


def add_cures(parser: argparse.ArgumentParser) -> None:
    """What isn't given is None, and leaves what the recipe has."""
    group = parser.add_argument_group("cures", "against instability and mode collapse: docs/stability.md")
    group.add_argument("--loss", type=one_of(LOSSES), metavar="NAME", help=f"one of {', '.join(LOSSES)}, on logits")
    group.add_argument("--r1", type=weight, metavar="G", help="gamma of the gradient penalty on real images")
    group.add_argument("--r2", type=weight, metavar="G", help="gamma of the gradient penalty on generated images")
    group.add_argument(
        "--gradient-penalty", type=weight, metavar="W", help="weight of the penalty between the two (WGAN-GP: 10)"
    )
    group.add_argument(
        "--spectral-norm", action="store_const", const=True, help="divide D's weights by their largest singular value"
    )
    group.add_argument(
        "--augment",
        type=augmentation,
        nargs="*",
        action=Joined,
        metavar="KIND",
        help="change all that D sees at random, for few images: some of "
        f"{', '.join(AUGMENTATIONS)}; all; none (alone: translation)",
    )
    group.add_argument("--d-lr", type=rate, metavar="X", help="D's own learning rate (default: --lr)")


def chosen_cures(args: argparse.Namespace) -> dict[str, Any]:
    """The cures among the arguments, as `recipes.cures.cured` takes them."""
    chosen = {name: getattr(args, name) for name in CURES}
    if args.augment is not None:
        words = AUGMENTATIONS if args.augment == "all" else args.augment.split()
        chosen["augment"] = [word for word in words if word != "none"]
    return chosen
