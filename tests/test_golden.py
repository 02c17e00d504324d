"""nanogan follows PyTorch: 20 training steps of six GANs, 50 steps of the optimizers, and every loss, in float64.

`tools/make_golden.py` made the files and says what is in them; `make_golden_conditional.py` made
the one with labels. PyTorch isn't needed here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from steps import discriminator_step, generator_step

import nanogan
from nanogan import L1, Adam, ConditionalBatchNorm, Embedding, LeakyReLU, Linear, Network, Projection, ReLU, Tanh
from nanogan.adversarial import Relativistic, pair_generator_gradients
from nanogan.backend import Array, Backend
from nanogan.gan import discriminator_gradients, generator_gradients
from nanogan.layer import Layer
from nanogan.penalties import between, one_centred_penalty, zero_centred_penalty
from nanogan.pix2pix.networks import dense
from nanogan.pix2pix.step import concat_channels, paired_generator_gradients
from tools.make_golden import (
    FOLDER,
    GRADIENT_PENALTY,
    IMAGE_TO_IMAGE,
    L1_WEIGHT,
    LOSSES,
    OPTIMIZERS,
    PENALTIES,
    R1,
    R2,
    RUNS,
    TARGETS,
    Run,
    batches,
    descent,
    digest,
    first_weights,
    pairs,
    shares,
)
from tools.make_golden_conditional import CLASSES, CONDITIONAL, EMBEDDING, first_tables, labelled_batches


def golden(name: str) -> dict[str, Array]:
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


def network(backend: Backend, weights: list[tuple[Array, Array]], hidden: Layer, output: str) -> Network:
    """Linear layers of these weights with activations between them, and perhaps one at the end."""
    layers: list[Layer] = []
    for W, _ in weights:
        layers += [Linear(*W.shape), hidden]
    layers[-1:] = [getattr(nanogan, output)()] if output else []
    net = Network(layers, len(weights[0][0]), backend=backend, dtype=np.float64)
    give_weights(net, weights)
    return net


def give_weights(net: Network, weights: list[tuple[Array, Array]]) -> None:
    """To the net's Linear layers, in their order."""
    positions = [position for position, layer in enumerate(net.layers) if isinstance(layer, Linear)]
    net.load_state_dict(
        {
            f"{position}.{name}": array
            for position, pair in zip(positions, weights, strict=True)
            for name, array in zip("Wb", pair, strict=True)
        }
    )


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_twenty_training_steps_are_pytorchs(run: Run, backend: Backend) -> None:
    expected = golden(run.name)
    G_weights, D_weights = first_weights(run)
    G = network(backend, G_weights, ReLU(), run.outputs[0])
    D = network(backend, D_weights, LeakyReLU(slope=0.2) if run.hidden == "LeakyReLU" else ReLU(), run.outputs[1])
    loss = getattr(nanogan, run.loss)().bind(backend, np.float64)
    adam = Adam(lr=run.lr, betas=run.betas, weight_decay=run.weight_decay)
    of_D, of_G = adam.bind(D), adam.bind(G)
    d_losses, g_losses = [], []
    for host in batches(run):
        real, z, z_again = map(backend.asarray, host)
        d_loss, _, _ = discriminator_step(G, D, loss, of_D, real, z, real_label=run.real_label)
        d_losses.append(float(d_loss))
        g_losses.append(float(generator_step(G, D, loss, of_G, z_again)))

    np.testing.assert_allclose(d_losses, expected["d_losses"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(g_losses, expected["g_losses"], rtol=0, atol=1e-9)
    assert_last_weights(G, D, expected)


def assert_last_weights(G: Network, D: Network, expected: dict[str, Array]) -> None:
    for name, net in (("G", G), ("D", D)):
        linears = [layer for layer in net.layers if isinstance(layer, Linear)]
        assert len(linears) == sum(key.startswith(name) for key in expected) / 2
        for position, layer in enumerate(linears):
            for which in "Wb":
                got = digest(net.backend.to_host(getattr(layer, which)))
                np.testing.assert_allclose(got, expected[f"{name} {position} {which}"], rtol=0, atol=1e-9)


def test_twenty_image_to_image_steps_are_pytorchs(backend: Backend) -> None:
    """The dense networks, as the example trains them on 28 x 28 pixels."""
    run, expected = IMAGE_TO_IMAGE, golden("image_to_image")
    grey = (28, 28, 1)
    recipe = dense(grey, grey)
    assert recipe.optimizer == Adam(lr=run.lr, betas=run.betas) and recipe.l1_weight == L1_WEIGHT
    G = Network(recipe.generator, grey, backend=backend, dtype=np.float64)
    D = Network(recipe.discriminator, (28, 28, 2), backend=backend, dtype=np.float64)
    for net, weights in zip((G, D), first_weights(run), strict=True):
        give_weights(net, weights)
    loss, l1 = recipe.loss.bind(backend, np.float64), L1().bind(backend, np.float64)
    G_adam, D_adam = recipe.optimizer.bind(G), recipe.optimizer.bind(D)
    found = []
    for condition, target in pairs(run):
        condition, target = (backend.asarray(array.reshape(-1, *grey)) for array in (condition, target))
        fake = G.forward(condition)
        real_pair = concat_channels(D, "real pair", condition, target)
        fake_pair = concat_channels(D, "fake pair", condition, fake)
        d_loss, *_ = discriminator_gradients(D, loss, real_pair, fake_pair)
        D_adam.step()
        adversarial, distance = paired_generator_gradients(G, D, loss, l1, fake_pair, fake, target)
        G_adam.step()
        found.append([float(d_loss), float(adversarial), float(distance)])
    for values, name in zip(np.transpose(found), ("d_losses", "adversarial", "l1"), strict=True):
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-9)
    assert_last_weights(G, D, expected)


def test_twenty_steps_with_penalties_are_pytorchs_with_its_double_backward_pass(backend: Backend) -> None:
    run, expected = PENALTIES, golden("penalties")
    G_weights, D_weights = first_weights(run)
    G = network(backend, G_weights, ReLU(), run.outputs[0])
    D = network(backend, D_weights, LeakyReLU(slope=0.2), run.outputs[1])
    loss = Relativistic().bind(backend, np.float64)
    of_D, of_G = (Adam(lr=run.lr, betas=run.betas).bind(net) for net in (D, G))
    d_losses, g_losses = [], []
    for host, share in zip(batches(run), shares(run), strict=True):
        real, z, z_again, s = map(backend.asarray, (*host, share[:, 0]))
        fake = G.forward(z)
        d_loss, _, _ = discriminator_gradients(D, loss, real, fake)
        d_loss = d_loss + zero_centred_penalty(D, real, R1) + zero_centred_penalty(D, fake, R2)
        d_loss = d_loss + one_centred_penalty(D, between(D, real, fake, s), GRADIENT_PENALTY)
        of_D.step()
        d_losses.append(float(d_loss))
        g_losses.append(float(pair_generator_gradients(G, D, loss, real, G.forward(z_again))))
        of_G.step()
    np.testing.assert_allclose(d_losses, expected["d_losses"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(g_losses, expected["g_losses"], rtol=0, atol=1e-9)
    assert_last_weights(G, D, expected)


def test_twenty_conditional_steps_are_pytorchs(backend: Backend) -> None:
    """An embedding beside z, a class-conditional BatchNorm, a projection, and their gradients in both steps."""
    run, expected = CONDITIONAL, golden("conditional")
    noise, hidden, pixels = run.generator[0] - EMBEDDING, run.generator[1], run.generator[2]
    settings: dict[str, Any] = {"backend": backend, "dtype": np.float64}
    first, norm, last = Linear(noise + EMBEDDING, hidden), ConditionalBatchNorm(hidden, CLASSES), Linear(hidden, pixels)
    G = Network([Embedding(CLASSES, EMBEDDING), first, norm, ReLU(), last, Tanh()], noise, **settings)
    D = Network([Linear(pixels, hidden), LeakyReLU(slope=0.2), Projection(hidden, CLASSES)], pixels, **settings)
    (G_first, G_last), (D_first, (W, b)) = first_weights(run)
    tables = first_tables(run)
    values = {"0.E": tables["embedding"], "2.gamma": tables["gamma"], "2.beta": tables["beta"]}
    values |= {"1.W": G_first[0], "1.b": G_first[1], "4.W": G_last[0], "4.b": G_last[1]}
    G.load_state_dict(G.state_dict() | values)
    D.load_state_dict({"0.W": D_first[0], "0.b": D_first[1], "2.W": W[:, 0], "2.E": tables["projection"], "2.b": b})
    loss, adam = nanogan.BCEWithLogits().bind(backend, np.float64), Adam(lr=run.lr, betas=run.betas)
    of_G, of_D = adam.bind(G), adam.bind(D)
    losses = []
    for host in labelled_batches(run):
        real, of_real, z, asked, z_again, asked_again = map(backend.asarray, host)
        fake = G.forward(z, labels=asked)
        d_loss, *_ = discriminator_gradients(D, loss, real, fake, labels=of_real, fake_labels=asked)
        of_D.step()
        g_loss = generator_gradients(G, D, loss, G.forward(z_again, labels=asked_again), labels=asked_again)
        of_G.step()
        losses.append([float(d_loss), float(g_loss)])
    for values_found, name in zip(np.transpose(losses), ("d_losses", "g_losses"), strict=True):
        np.testing.assert_allclose(values_found, expected[name], rtol=0, atol=1e-9)
    for net, own, name in (
        *((G, own, name) for own, name in (("0.E", "embedding"), ("2.gamma", "gamma"), ("2.beta", "beta"))),
        *((G, f"{layer}.{which}", f"G {place} {which}") for place, layer in enumerate((1, 4)) for which in "Wb"),
        *((D, f"{layer}.{which}", f"D {place} {which}") for place, layer in enumerate((0, 2)) for which in "Wb"),
        (D, "2.E", "projection"),
    ):
        np.testing.assert_allclose(digest(net.state_dict()[own]), expected[name], rtol=0, atol=1e-9, err_msg=name)


def test_a_digest_sees_a_change_of_any_number() -> None:
    weights = np.zeros((40, 50))
    before = digest(weights)
    for index in ((0, 0), (17, 3), (39, 49)):
        changed = weights.copy()
        changed[index] = 1e-6
        assert np.abs(digest(changed) - before).max() > 1e-9


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_of_an_optimizer_are_pytorchs(name: str, backend: Backend) -> None:
    kind, settings = OPTIMIZERS[name]
    start, gradients = descent()

    class Numbers:
        params, grads = backend.asarray(start.copy()), backend.asarray(np.zeros_like(start))

    numbers: Any = Numbers()
    numbers.backend = backend
    optimizer = getattr(nanogan, kind)(**settings).bind(numbers)
    path = []
    for g in gradients:
        numbers.grads[...] = backend.asarray(g)
        optimizer.step()
        path.append(backend.to_host(numbers.params).copy())
    np.testing.assert_allclose(path, golden("optimizers")[name], rtol=0, atol=1e-9)
    assert np.abs(np.diff(path, axis=0)).min(axis=0).max() > 1e-6, "the parameters do move"


@pytest.mark.parametrize("t", TARGETS)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_slopes_are_pytorchs(name: str, t: float, backend: Backend) -> None:
    """One number at a time, so that a sum hides nothing: from logits of 1e4 to probabilities of exactly 0 and 1."""
    values, slopes = golden("losses")[f"{name} {t}"]
    loss = getattr(nanogan, name)(reduction="sum").bind(backend, np.float64)
    x = backend.asarray(LOSSES[name])
    got = [float(loss.forward(x[i : i + 1], t)) for i in range(len(values))]
    np.testing.assert_allclose(got, values, rtol=1e-12, atol=1e-15)
    # PyTorch's bound of 1e-12 on p (1 - p) is a float32, so that it differs in the ninth digit.
    np.testing.assert_allclose(backend.to_host(loss.backward(x, t)), slopes, rtol=1e-8, atol=1e-15)


def test_the_runs_differ_where_their_names_say() -> None:
    """Each golden run has its own losses: none was made from another's settings by mistake."""
    first = [golden(run.name)["d_losses"][0] for run in RUNS]
    assert all(abs(one - other) > 1e-3 for one, other in pairwise(sorted(first)))
