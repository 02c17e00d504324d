"""What is known to steady a GAN, applied to any recipe: another loss, gradient penalties, spectral normalisation,
augmentation of what D sees.

`docs/stability.md` has what each was measured to do. A recipe that is cured stays the published one in all else, but
for two things that the cures rule out: a discriminator that judges by logits has no last Sigmoid, and one with a
gradient penalty no BatchNorm, because that makes an output depend on all images, and its slopes on each other
(Gulrajani et al. 2017, section 4, leave it out, too).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..adversarial import Hinge, Relativistic, Wasserstein
from ..augment import Augmentation, augmentations
from ..errors import InputError
from ..layer import Layer
from ..layers import Sigmoid
from ..losses import BCE, MSE, BCEWithLogits, Loss
from ..norm import BatchNorm
from ..spectral import SpectralNorm, has_matrix
from .recipe import Recipe, has

LOSSES: dict[str, Loss] = {
    "bce": BCEWithLogits(),
    "relativistic": Relativistic(),
    "hinge": Hinge(),
    "wasserstein": Wasserstein(),
    "least-squares": MSE(),
}
"""The losses that can be asked for by name, all on D's outputs without a Sigmoid."""


def cured(
    recipe: Recipe,
    *,
    loss: str | None = None,
    r1: float | None = None,
    r2: float | None = None,
    gradient_penalty: float | None = None,
    spectral_norm: bool | None = None,
    d_lr: float | None = None,
    augment: Sequence[str] | None = None,
) -> Recipe:
    """The recipe with these cures; None leaves what it has.

    loss: one of LOSSES. r1, r2, gradient_penalty: see `Recipe`. spectral_norm: of every layer of D that has weights W.
    d_lr: D's own learning rate. augment: what D's images go through first, some of AUGMENTATIONS; () takes all away.
    Raises InputError, with what to do, if the recipe can't have them.
    """
    weights = {"r1": r1, "r2": r2, "gradient_penalty": gradient_penalty}
    weights = {name: weight for name, weight in weights.items() if weight is not None}
    penalised = any(weights.values())
    changes: dict[str, Any] = dict(weights)
    D = recipe.discriminator
    if loss is not None or penalised:
        changes["loss"] = _loss(recipe, loss)
        D = D[:-1] if isinstance(D[-1], Sigmoid) else D
        if changes["loss"].compares:
            changes["mean_of_terms"] = False  # it has one term
    if penalised:
        D = _without_batch_norm(D)
    if spectral_norm:
        D = tuple(SpectralNorm(layer) if has_matrix(layer) else layer for layer in D)
    if loss == "wasserstein" and not (penalised or spectral_norm):
        raise InputError("the Wasserstein loss only makes D steeper: add --gradient-penalty 10 or --spectral-norm")
    if augment is not None:
        kept = tuple(layer for layer in D if not isinstance(layer, Augmentation))
        D = (*augmentations(augment, recipe.pixels), *kept)
    if d_lr is not None:
        changes["d_optimizer"] = replace(recipe.d_optimizer or recipe.optimizer, lr=d_lr)
    return replace(recipe, discriminator=D, **changes) if changes or D is not recipe.discriminator else recipe


def left_out(published: Recipe, cured: Recipe) -> str:
    """What the cures took from the discriminator, as a sentence; "" if nothing."""
    taken = [
        name
        for kind, name in ((Sigmoid, "its last Sigmoid"), (BatchNorm, "BatchNorm"))
        if has(published.discriminator, kind) and not has(cured.discriminator, kind)
    ]
    what = f"{published.name}: D is without {' and without '.join(taken)}" if taken else ""
    return f"{what}, and judges by logits" if "its last Sigmoid" in taken else what


def _loss(recipe: Recipe, name: str | None) -> Loss:
    """The loss of this name, or the recipe's own, on logits."""
    if name is None:
        return replace(LOSSES["bce"], reduction=recipe.loss.reduction) if isinstance(recipe.loss, BCE) else recipe.loss
    if name not in LOSSES:
        raise InputError(f"loss {name!r} is unknown: choose one of {', '.join(LOSSES)}")
    return LOSSES[name]


def _without_batch_norm(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers but BatchNorm; one before it gets the bias that BatchNorm's shift made superfluous."""
    kept: list[Layer] = []
    for layer in layers:
        if not isinstance(layer, BatchNorm):
            kept.append(layer)
        elif kept and getattr(kept[-1], "bias", True) is False:
            kept[-1] = replace(kept[-1], bias=True)  # type: ignore[type-var]
    return tuple(kept)
