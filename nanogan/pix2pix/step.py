"""The step of image to image (Isola et al. 2017): G is given a condition c, a picture, and there is one right answer t.

    discriminator D:  makes  L(D(c, t), 1) + L(D(c, G(c)), 0)  small
    generator G:      makes  L(D(c, G(c)), 1) + 100 mean |G(c) - t|  small:  be taken for real, and be near the target

D judges pairs (`concat_channels`): an image that is real but belongs to another condition is no answer. Its gradients
are those of `gan.discriminator_gradients`, with pairs for images. G is run once for both updates.
"""

from __future__ import annotations

from ..backend import Array
from ..losses import Loss
from ..network import Network


def concat_channels(D: Network, name: str, condition: Array, image: Array) -> Array:
    """The pair that D judges, (N, H, W, A + B), in its work array `name`: the condition, then the image."""
    channels = condition.shape[-1]
    pair = D.buffer(name, (*image.shape[:-1], channels + image.shape[-1]))
    pair[..., :channels] = condition
    pair[..., channels:] = image
    return pair


def paired_generator_gradients(
    G: Network,
    D: Network,
    loss: Loss,
    l1: Loss,
    fake_pair: Array,
    fake: Array,
    target: Array,
    *,
    l1_weight: float = 100.0,
    adversarial_weight: float = 1.0,
) -> tuple[Array, Array]:
    """Leave the gradients of both parts of G's loss in G.grads. Returns the parts, without their weights.

    Both pull at the images: dfake is the sum of two arrays,

        adversarial_weight d(adversarial)/d(fake)      what D passes back, without the condition's channels
        l1_weight d(L1)/d(fake)                        on which side of the target each pixel lies

    fake: what G's last forward pass returned; fake_pair: beside its condition.
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
