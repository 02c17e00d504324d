"""The algorithm: two networks, each trained against the other (Goodfellow et al. 2014).

    discriminator D:  makes  L(D(x), 1) + L(D(G(z)), 0)  small:  tell real images x from generated ones
    generator G:      makes  L(D(G(z)), 1)               small:  be taken for real (the non-saturating form)

L is binary cross-entropy. Where neither can gain anything, D says 1/2 to everything: D's loss is 2 ln 2 = 1.386 and
G's is ln 2 = 0.693. A step is forward passes, losses, backward passes and an update, in this order; the rest keeps
arrays apart. Read `conv.py` next, which has the layers that see an image as an image.

Image to image (Isola et al. 2017), G is given a condition c, a picture, and there is one right answer, the target t:

    discriminator D:  makes  L(D(c, t), 1) + L(D(c, G(c)), 0)  small
    generator G:      makes  L(D(c, G(c)), 1) + 100 mean |G(c) - t|  small:  be taken for real, and be near the target
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
    value, on_real, on_fake = discriminator_gradients(
        D, loss, real, G.forward(z), real_label=real_label, average=average
    )
    optimizer.step()
    return value, on_real, on_fake


def generator_step(
    G: Network, D: Network, loss: Loss, optimizer: Optimizer, z: Array | None, *, saturating: bool = False
) -> Array:
    """One update of G from a batch of noise (N, ...). Returns the loss before the update.

    z: None trains on the fake images that the discriminator's step has just used.
    saturating: the minimax form, which makes log(1 - D(G(z))) small. Its gradient all but vanishes while D tells fake
    images from real ones with certainty, so no recipe uses it.
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
    d_value, on_real, on_fake = discriminator_gradients(
        D, loss, real, G.forward(z), real_label=real_label, average=average
    )
    g_value = generator_gradients(G, D, loss, None, saturating=saturating)
    D_optimizer.step()
    G_optimizer.step()
    return d_value, on_real, on_fake, g_value


def image_to_image_step(
    G: Network,
    D: Network,
    loss: Loss,
    l1: Loss,
    G_optimizer: Optimizer,
    D_optimizer: Optimizer,
    condition: Array,
    target: Array,
    *,
    l1_weight: float = 100.0,
    adversarial_weight: float = 1.0,
) -> tuple[Array, Array, Array, Array, Array]:
    """One update of D, then one of G, from a batch of conditions (N, H, W, A) and their targets (N, H, W, B).

    D judges pairs, (N, H, W, A + B): an image that is real but belongs to another condition is no answer.
    Returns D's loss, its outputs for real and fake, and the two parts of G's loss, each without its weight:
    adversarial and L1.
    """
    fake = G.forward(condition)  # serves both updates
    real_pair, fake_pair = beside(D, "real pair", condition, target), beside(D, "fake pair", condition, fake)
    d_value, on_real, on_fake = discriminator_gradients(D, loss, real_pair, fake_pair, real_label=1.0, average=False)
    D_optimizer.step()
    adversarial, distance = translator_gradients(
        G, D, loss, l1, fake_pair, fake, target, l1_weight=l1_weight, adversarial_weight=adversarial_weight
    )
    G_optimizer.step()
    return d_value, on_real, on_fake, adversarial, distance


def discriminator_gradients(
    D: Network, loss: Loss, real: Array, fake: Array, *, real_label: float, average: bool
) -> tuple[Array, Array, Array]:
    """D's gradients, its loss, and its outputs for real and fake.

    G is asked for no gradient: its images are constants here (what other libraries call detach).
    """
    gradients = _one_by_one if D.couples_batch else _together
    value, on_real, on_fake = gradients(D, loss, real, fake, real_label)
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
    if saturating:  # climb D's loss on fake images, instead of descending one of G's own
        value = -value
        dlogits *= -1
    G.backward_params(D.backward_input(dlogits))
    return value


def translator_gradients(
    G: Network,
    D: Network,
    loss: Loss,
    l1: Loss,
    fake_pair: Array,
    fake: Array,
    target: Array,
    *,
    l1_weight: float,
    adversarial_weight: float,
) -> tuple[Array, Array]:
    """G's gradients, and the two parts of its loss. Both pull at the images: dfake is the sum of two arrays,

    adversarial_weight d(adversarial)/d(fake)      what D passes back, without the condition's channels
    l1_weight d(L1)/d(fake)                        on which side of the target each pixel lies
    """
    logits = D.forward(fake_pair)
    adversarial, dlogits = loss.forward(logits, 1.0), loss.backward(logits, 1.0)
    distance, dl1 = l1.forward(fake, target), l1.backward(fake, target)
    dlogits *= adversarial_weight
    dl1 *= l1_weight
    dadversarial = D.backward_input(dlogits)[..., -fake.shape[-1] :]
    dfake = G.xp.add(dadversarial, dl1, out=G.buffer("dfake", fake.shape))  # dadversarial + dl1
    G.backward_params(dfake)
    return adversarial, distance


def beside(D: Network, name: str, condition: Array, image: Array) -> Array:
    """The pair that D judges, (N, H, W, A + B), in its work array `name`: the condition, then the image."""
    channels = condition.shape[-1]
    pair = D.buffer(name, (*image.shape[:-1], channels + image.shape[-1]))
    pair[..., :channels] = condition
    pair[..., channels:] = image
    return pair
