"""Losses made for GANs: relativistic pairs, hinge and Wasserstein. Least squares is `MSE`.

What D and G each make small is `Loss.discriminator_forward` and `Loss.generator_forward`: for most losses their terms
with targets, 1 for real and 0 for fake. Here r = D(x) and f = D(G(z)) are outputs without a Sigmoid:

    Relativistic    D: softplus(-(r - f))                G: softplus(-(f - r))    softplus(a) = log(1 + exp(a))
    Hinge           D: max(0, 1 - r) + max(0, 1 + f)     G: -f
    Wasserstein     D: -r + f                            G: -f
"""

from __future__ import annotations

from .backend import Array
from .errors import InputError, ShapeError
from .gan import judge_together
from .losses import BCEWithLogits, Loss
from .network import Network


class Relativistic(BCEWithLogits):
    """Binary cross-entropy on the logit r - f: is this image more real than that one? (Jolicoeur-Martineau 2019)

    G can't please D by a digit that D takes for real; each of its images is compared with a real one. There is nothing
    to gain by drawing one image again and again (Sun et al. 2020; Huang et al. 2024 with the penalties R1 and R2).
    """

    compares = True

    def discriminator_forward(self, real: Array, fake: Array, real_label: float = 1.0) -> Array:
        return self.forward(self._difference(real, fake), real_label)

    def discriminator_backward(self, real: Array, fake: Array, real_label: float = 1.0) -> Array:
        """dr = sigmoid(r - f) - real_label      df = -dr      (over the number of pairs)"""
        slope = self.backward(self._difference(real, fake), real_label)
        return self.xp.concatenate([slope, -slope])

    def generator_forward(self, fake: Array, real: Array | None = None) -> Array:
        return self.forward(self._difference(fake, real), 1.0)

    def generator_backward(self, fake: Array, real: Array | None = None) -> Array:
        """df = sigmoid(f - r) - 1      dr = -df"""
        slope = self.backward(self._difference(fake, real), 1.0)
        return self.xp.concatenate([-slope, slope])

    def mean_opinions(self, real: Array, fake: Array) -> tuple[Array, Array]:
        """The probability that the real image of a pair is the real one, and 1 less it: 1/2 at equilibrium."""
        p = self.mean_probability(self._difference(real, fake))
        return p, 1 - p

    def _difference(self, of: Array, to: Array | None) -> Array:
        if to is None:
            raise InputError(f"{self}: compares images, so G's step needs real ones: use pair_generator_gradients")
        if of.shape != to.shape:
            raise ShapeError(
                f"{self}: compares pairs, so it needs as many real as fake images, got {of.shape}, {to.shape}"
            )
        return of - to


class Wasserstein(Loss):
    """(1 - 2 t) x: D's score of a real image should be large, that of a fake one small (Arjovsky et al. 2017).

    It estimates a distance only if D isn't steep: use it with `one_centred_penalty` or `SpectralNorm`.
    """

    is_score = True

    def terms(self, x: Array, t: Array | float) -> Array:
        return (1 - 2 * t) * x

    def gradient(self, x: Array, t: Array | float) -> Array:
        """1 - 2 t"""
        return self.xp.zeros_like(x) + (1 - 2 * t)


class Hinge(Loss):
    """max(0, 1 - (2 t - 1) x): D stops where an image is on its side by a margin of 1 (Lim and Ye 2017)."""

    is_score = True

    def terms(self, x: Array, t: Array | float) -> Array:
        return self.xp.maximum(1 - (2 * t - 1) * x, 0)

    def gradient(self, x: Array, t: Array | float) -> Array:
        """1 - 2 t, or 0 beyond the margin"""
        return (1 - 2 * t) * ((2 * t - 1) * x < 1).astype(x.dtype)

    def generator_forward(self, fake: Array, real: Array | None = None) -> Array:
        """The mean of -f: G has no margin to stop at."""
        return -fake.mean() if self.reduction == "mean" else -fake.sum()

    def generator_backward(self, fake: Array, real: Array | None = None) -> Array:
        """-1"""
        return self.xp.zeros_like(fake) - (1 / fake.size if self.reduction == "mean" else 1)


def pair_generator_gradients(
    G: Network,
    D: Network,
    loss: Loss,
    real: Array,
    fake: Array,
    *,
    labels: Array | None = None,
    fake_labels: Array | None = None,
) -> Array:
    """`gan.generator_gradients` for a loss that compares each generated image with a real one. Returns the loss.

    labels, fake_labels: the classes of both batches, if D uses them.
    """
    if not loss.compares:
        raise InputError(f"{loss}: compares no images; use generator_gradients")
    real_logits, fake_logits = judge_together(D, real, fake, labels, fake_labels)
    dfake = D.backward_input(loss.generator_backward(fake_logits, real_logits))[len(real) :]
    G.backward_params(dfake)
    return loss.generator_forward(fake_logits, real_logits)
