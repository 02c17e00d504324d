"""20 steps of a D that sees changed images, with a penalty through the change, are PyTorch's."""

from __future__ import annotations

import numpy as np
from test_golden import assert_last_weights, give_weights, golden

from nanogan import Adam, BCEWithLogits, Brightness, Contrast, Cutout, Flatten, LeakyReLU, Linear, Network, ReLU, Tanh
from nanogan.augment import Translation
from nanogan.backend import Backend
from nanogan.gan import discriminator_gradients, generator_gradients
from nanogan.penalties import zero_centred_penalty
from nanogan.reshape import Reshape
from tools.make_golden import batches, first_weights
from tools.make_golden_augment import AUGMENTED, CUT, FILL, MOST, R1, RATIO, SEED, SIDE


def test_twenty_steps_of_a_d_that_sees_changed_images_are_pytorchs(backend: Backend) -> None:
    run, expected = AUGMENTED, golden("augmented")
    (noise, hidden, pixels), (_, features, _), image = run.generator, run.discriminator, (SIDE, SIDE, 1)
    changes = [Brightness(MOST), Contrast(MOST), Translation(RATIO, fill=FILL), Cutout(CUT, fill=FILL)]
    G = Network(
        [Linear(noise, hidden), ReLU(), Linear(hidden, pixels), Tanh(), Reshape(image)],
        noise,
        backend=backend,
        dtype=np.float64,
    )
    D = Network(
        [*changes, Flatten(), Linear(pixels, features), LeakyReLU(slope=0.2), Linear(features, 1)],
        image,
        backend=backend,
        dtype=np.float64,
    )
    for net, weights in zip((G, D), first_weights(run), strict=True):
        give_weights(net, weights)
    D.rng.bit_generator.state = np.random.default_rng(SEED).bit_generator.state
    loss, adam = BCEWithLogits().bind(backend, np.float64), Adam(lr=run.lr, betas=run.betas)
    of_G, of_D = adam.bind(G), adam.bind(D)
    losses = []
    for host in batches(run):
        real, z, z_again = map(backend.asarray, host)
        real = real.reshape(-1, *image)
        d_loss = discriminator_gradients(D, loss, real, G.forward(z))[0] + zero_centred_penalty(D, real, R1)
        of_D.step()
        g_loss = generator_gradients(G, D, loss, G.forward(z_again))
        of_G.step()
        losses.append([float(d_loss), float(g_loss)])
    for found, name in zip(np.transpose(losses), ("d_losses", "g_losses"), strict=True):
        np.testing.assert_allclose(found, expected[name], rtol=0, atol=1e-9)
    assert_last_weights(G, D, expected)
