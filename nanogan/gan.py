"""The algorithm: two networks, each trained against the other (Goodfellow et al. 2014, algorithm 1).

    discriminator D:  makes  L(D(x), 1) + L(D(G(z)), 0)  small:  tell real images x from generated ones
    generator G:      makes  L(D(G(z)), 1)               small:  be taken for real (the non-saturating form)

L is binary cross-entropy; `adversarial.py` has other losses. If neither can gain anything, D says 1/2 to everything:
D's loss is 2 ln 2 = 1.386 and G's is ln 2 = 0.693. A training step is the gradients and an update of D, then the
gradients and an update of G:

    fake = G.forward(z)
    discriminator_gradients(D, loss, real, fake)
    D_adam.step()

    fake = G.forward(new z)
    generator_gradients(G, D, loss, fake)
    G_adam.step()

Variants leave out or move a line. Without the second `fake = ...`, G is trained on the images that D has just
seen. With both `step()` calls last, the updates are simultaneous. Read `conv.py` next, which has the layers
that work on images.
"""

from __future__ import annotations

from .backend import Array
from .losses import Loss
from .network import Network


def discriminator_gradients(
    D: Network,
    loss: Loss,
    real: Array,
    fake: Array,
    *,
    real_label: float = 1.0,
    labels: Array | None = None,
    fake_labels: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Write the gradients of L(D(real), real_label) + L(D(fake), 0) to D.grads.

    real, fake: a batch each, (N, ...). To D, fake images are constants: nothing flows back into G (what other
    libraries call detach). real_label: below 1, one-sided label smoothing (Salimans et al. 2016, 3.4).
    labels, fake_labels: the classes of both batches, (N,) each, if D uses them (`conditional.py`).
    Returns the loss and D's outputs for real and for fake, one per image (or per `Pack`), valid until D's next forward.
    """
    gradients = _one_after_the_other if D.depends_on_batch and not loss.compares else _as_one_batch
    return gradients(D, loss, real, fake, real_label, labels, fake_labels)


def _as_one_batch(
    D: Network, loss: Loss, real: Array, fake: Array, real_label: float, *labels: Array | None
) -> tuple[Array, Array, Array]:
    """Real and fake in one batch of 2N: half as many matrix products, each twice as large, which is faster."""
    real_logits, fake_logits = judge_together(D, real, fake, *labels)
    D.backward_params(loss.discriminator_backward(real_logits, fake_logits, real_label))
    return loss.discriminator_forward(real_logits, fake_logits, real_label), real_logits, fake_logits


def judge_together(D: Network, real: Array, fake: Array, *labels: Array | None) -> tuple[Array, Array]:
    """D's outputs for real and for fake images, from one pass over both."""
    n = len(real)
    D.expect_input(real, labels[0])
    D.expect_input(fake, labels[1])
    images = D.buffer("real and fake", (n + len(fake), *real.shape[1:]))
    images[:n] = real
    images[n:] = fake
    logits = D.forward(images, labels=D.xp.concatenate(labels) if D.uses_labels else None)
    n_real = n * len(logits) // len(images)  # fewer than n if they are packed
    return logits[:n_real], logits[n_real:]


def _one_after_the_other(
    D: Network, loss: Loss, real: Array, fake: Array, real_label: float, *labels: Array | None
) -> tuple[Array, Array, Array]:
    """Real images, then fake ones, their gradients added: for a D with batch statistics or packs.

    In one batch, BatchNorm would normalise each kind by the mean of both. D would train on batches that are half real,
    but in the generator's step it would see a batch with no real image. A pack across the boundary would hold both
    kinds.
    """
    real_logits = D.forward(real, labels=labels[0]).copy()  # the next forward pass overwrites it
    D.backward_params(loss.backward(real_logits, real_label))
    real_grads = D.buffer("gradients of real", D.grads.shape)
    real_grads[...] = D.grads
    fake_logits = D.forward(fake, labels=labels[1])
    D.backward_params(loss.backward(fake_logits, 0.0))
    D.grads += real_grads
    return loss.discriminator_forward(real_logits, fake_logits, real_label), real_logits, fake_logits


def generator_gradients(
    G: Network, D: Network, loss: Loss, fake: Array, *, saturating: bool = False, labels: Array | None = None
) -> Array:
    """Write the gradients of L(D(fake), 1) to G.grads. Returns this loss.

    They flow through D to its input, the images, and on into G. D's own gradients are never computed.

    fake: the output of G's last forward pass, because G's backward pass uses what that pass stored.
    saturating: the minimax form, which makes log(1 - D(G(z))) small. Its gradient all but vanishes while D tells fake
    images from real ones with certainty, so no recipe uses it. labels: what G was asked for, if D uses them.
    """
    logits = D.forward(fake, labels=labels)
    if saturating:  # climb D's loss on fake images, instead of descending one of G's own
        value, dlogits = -loss.forward(logits, 0.0), -loss.backward(logits, 0.0)
    else:
        value, dlogits = loss.generator_forward(logits), loss.generator_backward(logits)
    G.backward_params(D.backward_input(dlogits))
    return value
