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
    G: Network, D: Network, loss: Loss, optimizer: Optimizer, real: Array, z: Array, *, real_label: float = 1.0
) -> tuple[Array, Array, Array]:
    """One update of D from a batch of real images and one of noise, (N, ...) each.

    Returns the loss, and D's outputs for real and fake before the update, valid until D's next forward pass. G is asked
    for no gradient: its images are constants here (what other libraries call detach).
    """
    gradients = _one_by_one if D.couples_batch else _together
    value, on_real, on_fake = gradients(D, loss, real, G.forward(z), real_label)
    optimizer.step()
    return value, on_real, on_fake


def _together(D: Network, loss: Loss, real: Array, fake: Array, real_label: float) -> tuple[Array, Array, Array]:
    """D's gradients with real and fake as one batch: half as many products, each twice as large."""
    n = len(real)
    both = D.buffer("real and fake", (n + len(fake), *real.shape[1:]))
    both[:n] = real
    both[n:] = fake
    logits = D.forward(both)
    on_real, on_fake = logits[:n], logits[n:]
    value = loss.forward(on_real, real_label) + loss.forward(on_fake, 0.0)
    dlogits = D.buffer("dlogits", logits.shape)
    loss.backward(on_real, real_label, out=dlogits[:n])
    loss.backward(on_fake, 0.0, out=dlogits[n:])
    D.backward_params(dlogits)
    return value, on_real, on_fake


def _one_by_one(D: Network, loss: Loss, real: Array, fake: Array, real_label: float) -> tuple[Array, Array, Array]:
    """D's gradients from real images, then from fake ones, added up: for a D with batch statistics.

    In one batch, BatchNorm would normalise each kind by the mean of both. D would learn to judge batches of which one
    half is real, and in the generator's step be asked about one in which nothing is.
    """
    on_real, of_real = D.buffer("on real", (len(real), *D.shape)), D.buffer("gradients of real", D.grads.shape)
    on_real[...] = D.forward(real)
    D.backward_params(loss.backward(on_real, real_label))
    of_real[...] = D.grads
    on_fake = D.forward(fake)
    D.backward_params(loss.backward(on_fake, 0.0))
    D.grads += of_real
    return loss.forward(on_real, real_label) + loss.forward(on_fake, 0.0), on_real, on_fake


def generator_step(G: Network, D: Network, loss: Loss, optimizer: Optimizer, z: Array) -> Array:
    """One update of G from a batch of noise (N, ...). Returns the loss before the update.

    The gradient flows through D to its input, the images, and on into G. D's own gradients are never computed.
    """
    logits = D.forward(G.forward(z))
    value = loss.forward(logits, 1.0)
    dlogits = loss.backward(logits, 1.0)
    dimages = D.backward_input(dlogits)
    G.backward_params(dimages)
    optimizer.step()
    return value
