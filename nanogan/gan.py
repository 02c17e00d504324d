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

    Returns the loss and D's outputs for real and fake before the update. G is asked for no gradient: its images are
    constants here (what other libraries call detach).
    """
    n = len(real)
    both = D.buffer("real and fake", (n + len(z), *real.shape[1:]))
    both[:n] = real
    both[n:] = G.forward(z)
    logits = D.forward(both)
    on_real, on_fake = logits[:n], logits[n:]
    value = loss.forward(on_real, real_label) + loss.forward(on_fake, 0.0)
    dlogits = D.buffer("dlogits", logits.shape)
    loss.backward(on_real, real_label, out=dlogits[:n])
    loss.backward(on_fake, 0.0, out=dlogits[n:])
    D.backward_params(dlogits)
    optimizer.step()
    return value, on_real, on_fake


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
