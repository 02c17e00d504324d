"""Whether D still teaches G: figures for the log, taken once an epoch, and the rules that read them.

Losses alone don't tell. D's is small when D has won, but also while G is about to catch up; G's may look fine while it
draws the same digit for every z. So the log also holds what comes back to G through D, which digits G draws, and the
figures of `health.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..backend import Array
from ..io.streams import warn
from ..layers import Dropout
from ..losses import BCE, BCEWithLogits, Loss
from ..metrics.classifier import features_and_digits
from ..metrics.samples import digit_shares
from ..norm import BatchNorm
from ..optim import Adam
from ..recipes.recipe import Recipe, has
from . import health
from .gan_trainer import FIXED_NOISE, Trainer, generate
from .log import COLUMNS, DIAGNOSED, Row

SAMPLES = 4 * FIXED_NOISE
"""In how many pictures digits are counted: a share of 97 % then has a standard error of 1 %."""

VANISHED = 1e-6
"""Gradient norms below it count as none. Runs that learn had 1e-4 (`paper-2014`, first steps) to 10."""
WON = 0.005
"""D(G(z)) of an epoch below it: D doubts nothing. `vanilla`, which learns, comes down to 0.027 in its third epoch."""
ONE_DIGIT = 0.95
"""A share from which on samples count as one digit: the classifier reads a few of the others into any picture."""
VARIED = 0.5
"""The most frequent digit's share up to which G counts as drawing several."""
SLOW_START = 15_000
"""Steps after which G must draw several digits. `vanilla` draws one for 9,000 steps, then learns the others."""
CHANCE = 2 * math.log(2)
"""D's loss if it says 1/2 to everything. Runs that learn stay below it or little above, not at twice as much."""
CONTRADICTION = 0.25
"""How far G's loss may lie below the least that D(G(z)) allows. Runs that learn lie above it."""
SETTLED = 1000
"""Steps after which D(x) + D(G(z)) is about the sum of the labels; in the first hundreds it is up to 0.25 more."""
SURPLUS = 0.1
"""How far D(x) + D(G(z)) may be more than that. Runs that learn have 0.05 or less once they have settled."""


class Diagnosis:
    """The eye on a run: `figures` for the log's row of the epoch that has just ended, and `warn`.

    trainer: loaded already, if it is to continue a run, so that what was said in it isn't said again.
    digits: whether the images are MNIST's, or like them. The classifier that counts digits knows nothing else.
    held_out: "images" and perhaps "labels", as the trainer was given, that it isn't trained on: D is asked about them,
    64 at a time, to see whether it knows the others by heart. Fewer than 64 are left out.

    Nothing here changes the run: samples come from noise of their own, drawn in evaluation mode, and the gradient is
    what the generator's last step has left. What was warned of isn't saved, as the rows tell.
    """

    def __init__(self, trainer: Trainer, *, digits: bool, held_out: Mapping[str, Array] | None = None) -> None:
        recipe = trainer.recipe
        self.trainer, self.digits = trainer, digits and recipe.image_shape == (28, 28, 1)
        images = trainer.on_device["images"]
        self.data = narrow_range(float(images.min()), float(images.max()), recipe)
        rng = np.random.default_rng([trainer.seed, 1])  # another stream than the run's, default_rng(seed)
        like = trainer.fixed_noise
        self.noise = [recipe.draw_noise(rng, np.empty_like(like)) for _ in range(SAMPLES // FIXED_NOISE)]
        looked_at = rng.integers(trainer.count, size=(len(self.noise), FIXED_NOISE))
        self.looked_at = [trainer.backend.asarray(rows) for rows in looked_at]
        self.held_out = list(batches_of(trainer, held_out or {}))
        self.moves = health.Moves({"G": trainer.G, "D": trainer.D})
        self.warned = {name for n in range(len(trainer.rows)) for name in self._found(n + 1)}

    def before_step(self) -> None:
        """To be called before the last step that `figures` are to tell of: layers' moves are those since then."""
        self.moves.mark()

    def figures(self) -> dict[str, float]:
        """The log's last columns, after a step: gradient_norm, `health.py`'s, and for digits those of `digit_figures`.

        Waits for the device. Digits take 21 ms on one core, 0.4 % of an epoch of `vanilla`, and the norm 0.1 ms.
        """
        trainer = self.trainer
        found = {"gradient_norm": trainer.gradient_norm()} | self.moves.ratios() | self._opinions()
        if self.digits:  # 64 at a time, as many as the pictures of an epoch, so that no work array grows
            images = [generate(trainer.generator, trainer.recipe, z, trainer.fixed_labels) for z in self.noise]
            found |= digit_figures(np.concatenate(images))
        return found

    def _opinions(self) -> dict[str, float]:
        """D on `SAMPLES` training images, on as many by G itself, not by the average of its weights, and on held-out
        ones: in evaluation mode, in which nothing is augmented.
        """
        trainer = self.trainer
        images, labels, on_device = (
            trainer.on_device["images"],
            trainer.on_device.get("labels"),
            trainer.backend.asarray,
        )
        asked = None if trainer.fixed_labels is None else on_device(trainer.fixed_labels)
        reals = ((images[rows], None if labels is None else labels[rows]) for rows in self.looked_at)
        fakes = ((trainer.G.forward(on_device(z), training=False, labels=asked), asked) for z in self.noise)
        said_of_real = health.opinions(trainer.D, trainer.loss, reals)
        said_of_fake = health.opinions(trainer.D, trainer.loss, fakes)
        found = health.quantiles("d_real", said_of_real) | health.quantiles("d_fake", said_of_fake)
        if self.held_out:
            found |= health.quantiles("d_held_out", health.opinions(trainer.D, trainer.loss, self.held_out))
        return found

    def warn(self) -> None:
        """Say on stderr what the last row shows. Each rule speaks once in a run."""
        for name, text in self.news().items():
            warn(f"epoch {self.trainer.epoch}: {name}: {text}")

    def news(self) -> dict[str, str]:
        """What the last row shows, by the name of the rule, and wasn't asked for before."""
        found = self._found(len(self.trainer.rows))
        new = {name: text for name, text in found.items() if name not in self.warned}
        self.warned |= new.keys()
        return new

    def _found(self, count: int) -> dict[str, str]:
        return self.data | findings(self.trainer.rows[:count], self.trainer.recipe)


# ---- figures


def batches_of(trainer: Trainer, data: Mapping[str, Array]) -> Iterator[tuple[Array, Array | None]]:
    """Images and their labels, if the recipe uses them, on the trainer's device, 64 at a time; a rest is left out."""
    images, labels = data.get("images", ()), data.get("labels")
    for start in range(0, len(images) - FIXED_NOISE + 1, FIXED_NOISE):
        rows, on_device = slice(start, start + FIXED_NOISE), trainer.backend.asarray
        of_rows = None if trainer.labels is None or labels is None else on_device(labels[rows].astype(np.int64))
        yield on_device(images[rows].astype(trainer.dtype)), of_rows


def digit_figures(images: Array) -> dict[str, float]:
    """Entropy of the digits in images (N, 28, 28, 1), in [0, 1], and the share of the most frequent one.

    Entropy: -sum p log p over the ten digits as FD-mnist's classifier reads them, in nats: ln 10 = 2.303 where all are
    equally frequent, 0 if there is one. NaN if a pixel isn't finite.
    """
    if not np.isfinite(images).all():
        return {"digit_entropy": math.nan, "top_digit_share": math.nan}
    _, digits = features_and_digits(images.astype(np.float32, copy=False))
    shares = digit_shares(digits)
    p = shares[shares > 0]
    return {"digit_entropy": float((p * np.log(1 / p)).sum()), "top_digit_share": float(shares.max())}


# ---- rules


def findings(rows: Sequence[Row], recipe: Recipe) -> dict[str, str]:
    """What the last row of the log shows, read with those before it: the name of each rule that speaks, and its text.

    Two rows in a row must agree, or a gradient be gone: a single bad epoch is common. Figures that weren't taken are
    NaN, and no comparison with NaN is true. The text ends in what may help, as far as the recipe hasn't got it.
    """
    untaken = dict.fromkeys((*COLUMNS, *DIAGNOSED), math.nan)
    row, before = (untaken | row for row in (rows[-1], rows[-2] if len(rows) > 1 else untaken))
    lately = (row, before)
    found = of_discriminator(lately, recipe) | of_generator(lately, recipe)
    if all(row["top_digit_share"] >= ONE_DIGIT for row in lately) and (
        has_won(lately, recipe) or row["step"] >= SLOW_START or min(row["top_digit_share"] for row in rows) <= VARIED
    ):
        norms = [] if has(recipe.generator, BatchNorm) else ["BatchNorm in G"]
        found["collapse"] = (
            f"{100 * row['top_digit_share']:.0f} % of samples are one digit; try "
            f"{listed([*steadier(recipe), *smaller_steps(recipe), 'another --seed'], norms)}"
        )
    return found


def of_discriminator(lately: Sequence[Row], recipe: Recipe) -> dict[str, str]:
    """What is wrong with D, if anything, by the last row and the one before it.

    D's last bias comes to rest where its gradient, the mean of p - label over real and fake images, is 0: there D(x) +
    D(G(z)) is the sum of the two labels.
    """
    row, options = lately[0], [*steadier(recipe), *smaller_steps(recipe)]
    d_real, d_fake, norm, label = row["d_real"], row["d_fake"], row["gradient_norm"], recipe.real_label
    on_logits = ["--loss bce"] if isinstance(recipe.loss, BCE) else []
    if has_won(lately, recipe) or (norm < VANISHED and d_fake < 0.5 and not recipe.loss.is_score):
        effect = "vanishes" if norm < VANISHED else "doesn't change that"
        smooth = ["a real label of 0.9"] if label == 1 else []
        dropout = [] if has(recipe.discriminator, Dropout) else ["dropout in D"]
        text = f"D(G(z)) = {d_fake:.2g} and the gradient reaching G {effect} (norm {norm:.2g}); try "
        return {"D has won": text + listed(options + on_logits, smooth + dropout)}
    if norm < VANISHED:
        says = f"D(x) = {d_real:.2g}, D(G(z)) = {d_fake:.2g}"
        text = f"{says} and the gradient reaching G vanishes (norm {norm:.2g}); try "
        return {"D is stuck": text + listed(options + on_logits, [])}
    if not is_cross_entropy(recipe.loss):
        return {}
    chance = CHANCE / (1 + recipe.mean_of_terms)
    if all(row["d_loss"] > 2 * chance for row in lately):
        text = f"its loss is {row['d_loss']:.2g}, and {chance:.2g} if it only guessed: its steps are too large; try "
        own_rate = f"--d-lr {(recipe.d_optimizer or recipe.optimizer).lr / 4:.3g}"
        return {"D overshoots": text + listed([*smaller_steps(recipe), own_rate], [])}
    if all(row["step"] >= SETTLED and row["d_real"] + row["d_fake"] > label + SURPLUS for row in lately):
        text = f"D(x) + D(G(z)) = {d_real + d_fake:.2f}, and labels of {label:g} and 0 make {label:g}; "
        return {"labels": text + "smooth the label of real images alone, not that of fake ones"}
    return {}


def has_won(lately: Sequence[Row], recipe: Recipe) -> bool:
    return not recipe.loss.is_score and all(row["d_fake"] < WON for row in lately)


def of_generator(lately: Sequence[Row], recipe: Recipe) -> dict[str, str]:
    """Whether G's loss is less than it can be. The mean of -log p is at least -log of the mean p, which is D(G(z)).

    D(G(z)) is from D's step. D's update, which lies between the two, makes G's loss larger.
    """
    d_fake, g_loss = lately[0]["d_fake"], lately[0]["g_loss"]
    if not is_cross_entropy(recipe.loss) or not all(
        row["g_loss"] < -math.log(max(row["d_fake"], 1e-30)) - CONTRADICTION for row in lately
    ):
        return {}
    if g_loss <= 0:
        form = "the saturating form, whose gradient vanishes while D is right; let G make -log D(G(z)) small"
        return {"G's loss": f"it is {g_loss:.2g}, below 0: {form}"}
    return {
        "G's loss": f"D(G(z)) = {d_fake:.2g} in D's step, and a loss of {g_loss:.2g} needs {math.exp(-g_loss):.2g} in "
        "G's: D's BatchNorm sees other batches there; give D real and fake images in batches of their own"
    }


def is_cross_entropy(loss: Loss) -> bool:
    return isinstance(loss, (BCE, BCEWithLogits)) and not loss.compares


def narrow_range(lowest: float, highest: float, recipe: Recipe) -> dict[str, str]:
    """Whether the training images use only one half of the values that G draws, by which D tells them from G's."""
    black, white = recipe.pixels
    if lowest < (black + white) / 2 < highest or lowest == highest:
        return {}
    return {
        "pixels": f"the images have values of {lowest:g} to {highest:g}, and G draws {black:g} to {white:g}; scale "
        f"them, so that black is {black:g} and white is {white:g}"
    }


def steadier(recipe: Recipe) -> list[str]:
    """The cure that kept `course` and `keras` from collapsing, for recipes like them (docs/stability.md).

    Its strength is measured for pixels in [-1, 1] and in [0, 1]: a slope is per unit of a pixel.
    """
    penalised = recipe.r1 or recipe.r2 or recipe.gradient_penalty
    if penalised or has(recipe.discriminator, BatchNorm) or not isinstance(recipe.optimizer, Adam):
        return []
    gamma = 30 if recipe.pixels[1] - recipe.pixels[0] > 1 else 10
    return [f"--loss relativistic --r1 {gamma} --r2 {gamma}"]


def smaller_steps(recipe: Recipe) -> list[str]:
    """The options that calm an optimizer: a quarter of its learning rate, and beta1 = 0.5 (Radford et al. 2016)."""
    optimizer, options = recipe.optimizer, [f"--lr {recipe.optimizer.lr / 4:.3g}"]
    if isinstance(optimizer, Adam) and optimizer.betas[0] > 0.5:
        options.append("--beta1 0.5")
    return options


def listed(options: list[str], in_python: list[str]) -> str:
    """--lr 5e-05 or --beta1 0.5; in a recipe of your own: dropout in D, a loss on logits"""
    typed = " or ".join(options)
    return f"{typed}; in a recipe of your own: {', '.join(in_python)}" if in_python else typed
