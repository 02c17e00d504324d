"""The algorithm: two networks, each trained against the other (Goodfellow et al. 2014).

    discriminator D:  makes  L(D(x), 1) + L(D(G(z)), 0)  small:  tell real images x from generated ones
    generator G:      makes  L(D(G(z)), 1)               small:  be taken for real (the non-saturating form)

L is binary cross-entropy. Where neither can gain anything, D says 1/2 to everything: D's loss is 2 ln 2 = 1.386 and
G's is ln 2 = 0.693. Every line below is a forward pass, a loss, a backward pass or an update. `training.py` runs these
steps over a data set; `conv.py` and `norm.py` hold the convolutional layers.
"""

from __future__ import annotations

from .backend import Array
from .losses import Loss
from .network import Network
from .optim import Optimizer


def discriminator_step(
    G: Network,
    D: Network,
    loss: Loss,
    optimizer: Optimizer,
    real: Array,
    z: Array,
    *,
    real_label: float = 1.0,
    average: bool = False,
) -> tuple[Array, Array, Array]:
    """One update of D from a batch of real images and one of noise, (N, ...) each.

    real_label: below 1, one-sided label smoothing. average: the mean of the two terms instead of their sum.
    Returns the loss and D's outputs for real and fake before the update, one an image (or a `Pack`), valid until D's
    next step.
    """
    value, on_real, on_fake = discriminator_gradients(G, D, loss, real, z, real_label=real_label, average=average)
    optimizer.step()
    return value, on_real, on_fake


def generator_step(
    G: Network, D: Network, loss: Loss, optimizer: Optimizer, z: Array | None, *, saturating: bool = False
) -> Array:
    """One update of G from a batch of noise (N, ...). Returns the loss before the update.

    z: None trains on the fake images that the discriminator's step has just used.
    saturating: the minimax form, which makes log(1 - D(G(z))) small, and hardly moves while D is sure of itself.
    """
    value = generator_gradients(G, D, loss, z, saturating=saturating)
    optimizer.step()
    return value


def simultaneous_step(
    G: Network,
    D: Network,
    loss: Loss,
    G_optimizer: Optimizer,
    D_optimizer: Optimizer,
    real: Array,
    z: Array,
    *,
    real_label: float = 1.0,
    average: bool = False,
    saturating: bool = False,
) -> tuple[Array, Array, Array, Array]:
    """One update of both from the same point and the same fake images: neither sees the other's move.

    Returns D's loss, D's outputs for real and fake, and G's loss.
    """
    d_value, on_real, on_fake = discriminator_gradients(G, D, loss, real, z, real_label=real_label, average=average)
    g_value = generator_gradients(G, D, loss, None, saturating=saturating)
    D_optimizer.step()
    G_optimizer.step()
    return d_value, on_real, on_fake, g_value


def discriminator_gradients(
    G: Network, D: Network, loss: Loss, real: Array, z: Array, *, real_label: float, average: bool
) -> tuple[Array, Array, Array]:
    """D's gradients, its loss, and its outputs for real and fake.

    G is asked for no gradient: its images are constants here (what other libraries call detach).
    """
    gradients = _one_by_one if D.couples_batch else _together
    value, on_real, on_fake = gradients(D, loss, real, G.forward(z), real_label)
    if average:
        D.grads *= 0.5
        value = value * 0.5
    return value, on_real, on_fake


def _together(D: Network, loss: Loss, real: Array, fake: Array, real_label: float) -> tuple[Array, Array, Array]:
    """D's gradients with real and fake as one batch: half as many products, each twice as large."""
    n = len(real)
    both = D.buffer("real and fake", (n + len(fake), *real.shape[1:]))
    both[:n] = real
    both[n:] = fake
    logits = _kept(D, "logits", D.forward(both))  # G's step will take D forward again
    on_real, on_fake = logits[:n], logits[n:]
    value = loss.forward(on_real, real_label) + loss.forward(on_fake, 0.0)
    dlogits = D.buffer("dlogits", logits.shape)
    loss.backward(on_real, real_label, out=dlogits[:n])
    loss.backward(on_fake, 0.0, out=dlogits[n:])
    D.backward_params(dlogits)
    return value, on_real, on_fake


def _one_by_one(D: Network, loss: Loss, real: Array, fake: Array, real_label: float) -> tuple[Array, Array, Array]:
    """D's gradients from real images, then from fake ones, added up: for a D with batch statistics or packs.

    In one batch, BatchNorm would normalise each kind by the mean of both. D would learn to judge batches of which one
    half is real, and in the generator's step be asked about one in which nothing is. A pack at the seam would hold both
    kinds.
    """
    of_real = D.buffer("gradients of real", D.grads.shape)
    on_real = _kept(D, "on real", D.forward(real))
    D.backward_params(loss.backward(on_real, real_label))
    of_real[...] = D.grads
    on_fake = _kept(D, "on fake", D.forward(fake))
    D.backward_params(loss.backward(on_fake, 0.0))
    D.grads += of_real
    return loss.forward(on_real, real_label) + loss.forward(on_fake, 0.0), on_real, on_fake


def _kept(D: Network, name: str, logits: Array) -> Array:
    """A copy of D's outputs that outlives its next forward pass."""
    kept = D.buffer(name, logits.shape)
    kept[...] = logits
    return kept


def generator_gradients(G: Network, D: Network, loss: Loss, z: Array | None, *, saturating: bool) -> Array:
    """G's gradients, and its loss.

    They flow through D to its input, the images, and on into G. D's own gradients are never computed.
    """
    fake = G.output if z is None else G.forward(z)
    logits = D.forward(fake)
    target = 0.0 if saturating else 1.0
    value, dlogits = loss.forward(logits, target), loss.backward(logits, target)
    if saturating:  # up the discriminator's slope instead of down one's own
        value = -value
        dlogits *= -1
    G.backward_params(D.backward_input(dlogits))
    return value
