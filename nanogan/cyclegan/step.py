"""The step of CycleGAN (Zhu et al. 2017): pictures a and pictures b, of which no two belong together.

G makes a b of an a, and F an a of a b. D_b tells real b from those that G makes, D_a likewise. That alone would let G
draw any b whatever it is given. So what F makes of G's b has to be the a that it came from, and the other way round:

    G and F:  make  L(D_b(G(a)), 1) + L(D_a(F(b)), 1)                        small:  be taken for real
                    + cycle_weight    (|F(G(a)) - a| + |G(F(b)) - b|)        there and back is nothing
                    + identity_weight (|F(a) - a| + |G(b) - b|)              what is an a already stays as it is
    D_a:      makes L(D_a(a), 1) + L(D_a(earlier F(b)), 0)  small, and D_b likewise

(|.| is a mean over all values.) Each of G and F runs three times in that sum, but a layer keeps what its backward pass
needs in one place. It is enough if the terms are taken in the right order. A *round trip* a -> G(a) -> F(G(a)) has all
terms that begin with a, and runs each network once, because F can bring G(a) back and leave a alone in one batch. So
each forward pass is followed by its own backward pass:

    fake = G(a)                          home, same = F([fake, a])
    d(fake) = what F passes back for `home` + what D_b passes back
    gradients of F, from d(home) and d(same)         gradients of G, from d(fake)

The other round trip, b -> F(b) -> G(F(b)), is the same function with G and F in each other's place. The loss is the sum
of both, and the derivative of a sum is the sum of the derivatives: the gradients of both trips are added.

That one batch holds two kinds of pictures is why no layer of G or F may mix the rows of a batch (`networks.py`).
The steps of D_a and D_b are `gan.discriminator_gradients`, on pictures out of a `pool.Pool`.
"""

from __future__ import annotations

from ..backend import Array
from ..losses import Loss
from ..network import Network


def both_trips_gradients(
    G: Network,
    F: Network,
    D_a: Network,
    D_b: Network,
    loss: Loss,
    l1: Loss,
    a: Array,
    b: Array,
    *,
    cycle_weight: float = 10.0,
    identity_weight: float = 5.0,
) -> tuple[Array, Array, Array]:
    """Write the gradients of the whole loss to G.grads and F.grads. Returns the loss, F(b) and G(a).

    a, b: a batch each, (N, ...), of as many pictures. The fakes are valid until the next call.
    """
    weights = {"cycle_weight": cycle_weight, "identity_weight": identity_weight}
    of_a, fake_b = round_trip_gradients(G, F, D_b, loss, l1, a, **weights)
    kept = [_copied(G, "G(a)", fake_b), _copied(G, "gradients of a", G.grads), _copied(F, "gradients of a", F.grads)]
    of_b, fake_a = round_trip_gradients(F, G, D_a, loss, l1, b, **weights)
    fake_b, G_grads, F_grads = kept
    G.grads += G_grads
    F.grads += F_grads
    return of_a + of_b, fake_a, fake_b


def round_trip_gradients(
    G: Network,
    F: Network,
    D: Network,
    loss: Loss,
    l1: Loss,
    a: Array,
    *,
    cycle_weight: float = 10.0,
    identity_weight: float = 5.0,
) -> tuple[Array, Array]:
    """Write the gradients of all terms that begin with a to G.grads and F.grads. Returns these terms' sum, and G(a).

    D judges what G makes; its own gradients are never computed. identity_weight: 0 leaves out F(a), so that a and b may
    have different channels. G(a) is valid until G's next forward pass.
    """
    n = len(a)
    fake = G.forward(a)
    logits = D.forward(fake)
    made = F.forward(_one_batch(F, fake, a) if identity_weight else fake)
    dmade = F.buffer("dmade", made.shape)
    value = loss.generator_forward(logits)
    for rows, weight in ((slice(n), cycle_weight), (slice(n, None), identity_weight)):
        if len(made[rows]):
            value = value + weight * l1.forward(made[rows], a)
            dmade[rows] = l1.backward(made[rows], a)
            dmade[rows] *= weight
    dfake = G.buffer("dfake", fake.shape)
    G.xp.add(F.backward(dmade)[:n], D.backward_input(loss.generator_backward(logits)), out=dfake)  # both paths' sum
    G.backward_params(dfake)
    return value, fake


def _one_batch(F: Network, fake: Array, a: Array) -> Array:
    """fake and a, one after the other, (2N, ...)"""
    both = F.buffer("fake and a", (len(fake) + len(a), *a.shape[1:]))
    both[: len(fake)] = fake
    both[len(fake) :] = a
    return both


def _copied(network: Network, name: str, array: Array) -> Array:
    kept = network.buffer(name, array.shape)
    kept[...] = array
    return kept
