"""Make the golden files: what PyTorch computes in float64 for runs that nanogan has to reproduce.

    python tools/make_golden.py        (needs torch; the tests that read the files don't)

Weights, batches and noise come from NumPy seeds and are drawn again by the test, so a file holds little: every step's
losses, and of each weight array, at the end, 100 numbers and 4 random projections (sums of all its numbers with random
signs, divided by the root of their count), which no mistake in any number leaves unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Host = NDArray[np.float64]
FOLDER = Path(__file__).parents[1] / "tests" / "golden"
STEPS = 20
OPTIMIZER_STEPS = 50


@dataclass(frozen=True)
class Run:
    """A GAN of fully connected layers, and how it is trained.

    generator, discriminator: widths from input to output. hidden: the activation between the discriminator's layers
    (the generator's is "ReLU"). outputs: activations at the end of the generator and of the discriminator.
    loss: its class in torch.nn, but for "Loss".
    """

    name: str
    generator: tuple[int, ...] = (64, 256, 256, 784)
    discriminator: tuple[int, ...] = (784, 256, 256, 1)
    hidden: str = "LeakyReLU"
    outputs: tuple[str, str] = ("Tanh", "")
    loss: str = "BCEWithLogits"
    batch: int = 64
    lr: float = 2e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    real_label: float = 1.0


RUNS = [
    Run("vanilla"),
    Run(
        "probabilities",
        generator=(100, 256, 512, 784),
        discriminator=(784, 512, 256, 1),
        hidden="ReLU",
        outputs=("Tanh", "Sigmoid"),
        loss="BCE",
        batch=32,
    ),
    Run(
        "smoothing",
        generator=(100, 32, 64, 128, 784),
        discriminator=(784, 128, 64, 32, 1),
        batch=32,
        lr=2e-3,
        weight_decay=0.01,
        real_label=0.9,
    ),
    Run(
        "least_squares",
        generator=(100, 128, 256, 784),
        discriminator=(784, 256, 128, 1),
        outputs=("Sigmoid", ""),
        loss="MSE",
        batch=32,
        betas=(0.5, 0.999),
    ),
]

IMAGE_TO_IMAGE = Run(
    "image_to_image",
    generator=(784, 512, 512, 784),
    discriminator=(1568, 256, 256, 1),
    batch=16,
    lr=1e-3,
    betas=(0.5, 0.999),
)
"""The dense networks of `pix2pix/networks.py` for grey pictures of 28 x 28. Trained on pairs, by two losses."""
L1_WEIGHT = 100.0

PENALTIES = Run(
    "penalties", generator=(16, 64, 144), discriminator=(144, 96, 64, 1), batch=32, betas=(0.0, 0.99), lr=1e-3
)
"""Trained on pairs of real and generated images, with all three penalties: R1, R2, and WGAN-GP between the images."""
R1, R2, GRADIENT_PENALTY = 3.0, 2.0, 1.0

OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    f"adam {betas} {weight_decay}": ("Adam", {"lr": 1e-2, "betas": betas, "weight_decay": weight_decay})
    for betas in ((0.9, 0.999), (0.5, 0.999))
    for weight_decay in (0.0, 0.01)
} | {
    f"sgd {momentum} {weight_decay}": ("SGD", {"lr": 1e-2, "momentum": momentum, "weight_decay": weight_decay})
    for momentum in (0.0, 0.9)
    for weight_decay in (0.0, 0.01)
}

LOGITS = np.array([-1e4, -800.0, -40.0, -3.0, -1e-9, 0.0, 1e-9, 0.7, 36.0, 750.0, 1e4])
PROBABILITIES = np.array([0.0, 5e-324, 1e-50, 1e-13, 0.1, 0.5, 1 - 1e-13, 1 - 1e-16, 1.0])
LOSSES = {"BCEWithLogits": LOGITS, "BCE": PROBABILITIES, "L1": LOGITS, "MSE": LOGITS}
TARGETS = (0.0, 0.9, 1.0)


# ---- what both sides start from


def first_weights(run: Run) -> tuple[list[tuple[Host, Host]], list[tuple[Host, Host]]]:
    """W (n_in, n_out) and b (n_out) of each layer of both networks: uniform +-1/sqrt(n_in), as PyTorch's Linear."""
    rng = np.random.default_rng(1)

    def linear(n_in: int, n_out: int) -> tuple[Host, Host]:
        bound = n_in**-0.5
        return rng.uniform(-bound, bound, (n_in, n_out)), rng.uniform(-bound, bound, n_out)

    def network(widths: tuple[int, ...]) -> list[tuple[Host, Host]]:
        return [linear(n_in, n_out) for n_in, n_out in pairwise(widths)]

    return network(run.generator), network(run.discriminator)


def batches(run: Run) -> Iterator[tuple[Host, Host, Host]]:
    """For every step: real images in [-1, 1], noise for the discriminator's step, noise for the generator's."""
    rng = np.random.default_rng(2)
    for _ in range(STEPS):
        yield (
            rng.uniform(-1, 1, (run.batch, run.discriminator[0])),
            rng.standard_normal((run.batch, run.generator[0])),
            rng.standard_normal((run.batch, run.generator[0])),
        )


def pairs(run: Run) -> Iterator[tuple[Host, Host]]:
    """For every step: conditions and targets in [-1, 1], of which a part of each is the same."""
    rng = np.random.default_rng(2)
    for _ in range(STEPS):
        condition = rng.uniform(-1, 1, (run.batch, run.generator[0]))
        yield condition, 0.5 * condition + rng.uniform(-0.5, 0.5, condition.shape)


def shares(run: Run) -> Iterator[Host]:
    """For every step: where between a real and a generated image the penalty is taken, (N, 1)."""
    rng = np.random.default_rng(4)
    for _ in range(STEPS):
        yield rng.random((run.batch, 1))


def descent() -> tuple[Host, Host]:
    """First values of 12 parameters, and their gradients at every step, of sizes from 1e-5 to 1e2."""
    rng = np.random.default_rng(3)
    return rng.standard_normal(12), rng.standard_normal((OPTIMIZER_STEPS, 12)) * np.logspace(-5, 2, 12)


def digest(weights: Host) -> Host:
    """100 of the numbers (all, if there are fewer), then 4 random projections of them all."""
    flat = np.ascontiguousarray(weights).ravel()
    rng = np.random.default_rng(flat.size)
    chosen = np.sort(rng.choice(flat.size, min(flat.size, 100), replace=False))
    signs = rng.integers(0, 2, (4, flat.size)) * 2.0 - 1
    return np.concatenate([flat[chosen], signs @ flat / flat.size**0.5])


# ---- PyTorch's side


def torch_network(weights: list[tuple[Host, Host]], hidden: str, output: str) -> Any:
    """Linear layers of these weights with activations between them, and perhaps one at the end."""
    import torch

    layers: list[Any] = []
    for W, b in weights:
        linear = torch.nn.Linear(*W.shape, dtype=torch.float64)
        with torch.no_grad():
            linear.weight[...] = torch.from_numpy(W.T.copy())
            linear.bias[...] = torch.from_numpy(b)
        layers += [linear, torch.nn.LeakyReLU(0.2) if hidden == "LeakyReLU" else torch.nn.ReLU()]
    layers[-1:] = [getattr(torch.nn, output)()] if output else []
    return torch.nn.Sequential(*layers)


def torch_run(run: Run) -> dict[str, Host]:
    """The losses of both networks at every step and a digest of their last weights, as the tutorials train them."""
    import torch

    G_weights, D_weights = first_weights(run)
    G = torch_network(G_weights, "ReLU", run.outputs[0])
    D = torch_network(D_weights, run.hidden, run.outputs[1])
    criterion = getattr(torch.nn, run.loss + "Loss")()
    settings = {"lr": run.lr, "betas": run.betas, "weight_decay": run.weight_decay}
    D_optimizer = torch.optim.Adam(D.parameters(), **settings)
    G_optimizer = torch.optim.Adam(G.parameters(), **settings)
    d_losses, g_losses = [], []
    for real, z, z_again in batches(run):
        real_t, z_t, z_again_t = map(torch.from_numpy, (real, z, z_again))
        ones = torch.ones(run.batch, 1, dtype=torch.float64)

        D_optimizer.zero_grad()
        d_loss = criterion(D(real_t), run.real_label * ones) + criterion(D(G(z_t).detach()), 0 * ones)
        d_loss.backward()
        D_optimizer.step()

        G_optimizer.zero_grad()
        g_loss = criterion(D(G(z_again_t)), ones)
        g_loss.backward()
        G_optimizer.step()

        d_losses.append(d_loss.item())
        g_losses.append(g_loss.item())
    return {"d_losses": np.array(d_losses), "g_losses": np.array(g_losses), **last_weights(G, D)}


def torch_image_to_image(run: Run) -> dict[str, Host]:
    """The losses of both networks, G's in two parts, at every step, and a digest of their last weights.

    The discriminator is shown condition and image as two channels, of which the last axis has both: pixel by pixel.
    """
    import torch

    G_weights, D_weights = first_weights(run)
    G = torch_network(G_weights, "ReLU", run.outputs[0])
    D = torch_network(D_weights, run.hidden, run.outputs[1])
    bce, l1 = torch.nn.BCEWithLogitsLoss(), torch.nn.L1Loss()
    D_optimizer = torch.optim.Adam(D.parameters(), lr=run.lr, betas=run.betas)
    G_optimizer = torch.optim.Adam(G.parameters(), lr=run.lr, betas=run.betas)
    losses: dict[str, list[float]] = {"d_losses": [], "adversarial": [], "l1": []}
    ones = torch.ones(run.batch, 1, dtype=torch.float64)
    for condition, target in pairs(run):
        c, t = torch.from_numpy(condition), torch.from_numpy(target)
        fake = G(c)

        D_optimizer.zero_grad()
        real_pair, fake_pair = (torch.stack([c, image], dim=2).flatten(1) for image in (t, fake.detach()))
        d_loss = bce(D(real_pair), ones) + bce(D(fake_pair), 0 * ones)
        d_loss.backward()
        D_optimizer.step()

        G_optimizer.zero_grad()
        adversarial = bce(D(torch.stack([c, fake], dim=2).flatten(1)), ones)
        distance = l1(fake, t)
        (adversarial + L1_WEIGHT * distance).backward()
        G_optimizer.step()

        for values, loss in zip(losses.values(), (d_loss, adversarial, distance), strict=True):
            values.append(loss.item())
    return {**{name: np.array(values) for name, values in losses.items()}, **last_weights(G, D)}


def torch_penalties(run: Run) -> dict[str, Host]:
    """The losses of both networks at every step, D's with its penalties, whose gradients are PyTorch's second ones."""
    import torch

    G_weights, D_weights = first_weights(run)
    G = torch_network(G_weights, "ReLU", run.outputs[0])
    D = torch_network(D_weights, run.hidden, run.outputs[1])
    D_optimizer = torch.optim.Adam(D.parameters(), lr=run.lr, betas=run.betas)
    G_optimizer = torch.optim.Adam(G.parameters(), lr=run.lr, betas=run.betas)
    softplus = torch.nn.functional.softplus

    def slopes(x: Any) -> Any:
        x = x.detach().requires_grad_()
        return torch.autograd.grad(D(x).sum(), x, create_graph=True)[0]

    d_losses, g_losses = [], []
    for host, share in zip(batches(run), shares(run), strict=True):
        real, z, z_again, s = map(torch.from_numpy, (*host, share))
        fake = G(z).detach()
        D_optimizer.zero_grad()
        d_loss = softplus(D(fake) - D(real)).mean()
        for weight, x in ((R1, real), (R2, fake)):
            d_loss = d_loss + weight / 2 * (slopes(x) ** 2).sum(1).mean()
        d_loss = d_loss + GRADIENT_PENALTY * ((slopes(fake + s * (real - fake)).norm(dim=1) - 1) ** 2).mean()
        d_loss.backward()
        D_optimizer.step()

        G_optimizer.zero_grad()
        g_loss = softplus(D(real) - D(G(z_again))).mean()
        g_loss.backward()
        G_optimizer.step()
        d_losses.append(d_loss.item())
        g_losses.append(g_loss.item())
    return {"d_losses": np.array(d_losses), "g_losses": np.array(g_losses), **last_weights(G, D)}


def last_weights(G: Any, D: Any) -> dict[str, Host]:
    """A digest of every weight array of both networks."""
    import torch

    golden = {}
    for name, network in (("G", G), ("D", D)):
        linears = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
        for position, linear in enumerate(linears):
            golden[f"{name} {position} W"] = digest(linear.weight.detach().numpy().T)
            golden[f"{name} {position} b"] = digest(linear.bias.detach().numpy())
    return golden


def torch_optimizers() -> dict[str, Host]:
    """The parameters after every step, (steps, parameters), of every optimizer."""
    import torch

    golden = {}
    start, gradients = descent()
    for name, (kind, settings) in OPTIMIZERS.items():
        p = torch.nn.Parameter(torch.from_numpy(start.copy()))
        optimizer = getattr(torch.optim, kind)([p], **settings)
        path = []
        for g in gradients:
            p.grad = torch.from_numpy(g)
            optimizer.step()
            path.append(p.detach().numpy().copy())
        golden[name] = np.array(path)
    return golden


def torch_losses() -> dict[str, Host]:
    """For every loss and target, values and slopes of every number alone, (2, numbers)."""
    import torch

    golden = {}
    for name, numbers in LOSSES.items():
        for t in TARGETS:
            x = torch.tensor(numbers, requires_grad=True)
            terms = getattr(torch.nn, name + "Loss")(reduction="none")(x, torch.full_like(x, t))
            terms.sum().backward()
            assert x.grad is not None
            golden[f"{name} {t}"] = np.array([terms.detach().numpy(), x.grad.numpy()])
    return golden


def main() -> None:
    import torch

    print(f"PyTorch {torch.__version__}, NumPy {np.__version__}")
    golden = {run.name: torch_run(run) for run in RUNS}
    golden["image_to_image"] = torch_image_to_image(IMAGE_TO_IMAGE)
    golden["penalties"] = torch_penalties(PENALTIES)
    golden |= {"optimizers": torch_optimizers(), "losses": torch_losses()}
    for name, arrays in golden.items():
        path = FOLDER / f"{name}.npz"
        np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
        print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size:,} bytes", end="")
        if "g_losses" in arrays:
            print(f"; last losses: D {arrays['d_losses'][-1]:.6f}, G {arrays['g_losses'][-1]:.6f}", end="")
        print()


if __name__ == "__main__":
    main()
