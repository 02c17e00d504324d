"""Make the golden file of a conditional GAN, as `make_golden.py` makes the others.

python -m tools.make_golden_conditional        (needs torch; the test that reads the file doesn't)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.make_golden import FOLDER, STEPS, Host, Run, digest, first_weights, last_weights, torch_network

CONDITIONAL = Run(
    "conditional", generator=(40, 128, 784), discriminator=(784, 128, 1), batch=32, lr=1e-3, betas=(0.5, 0.999)
)
"""Of both inputs of the generator, 8 are the class's; behind its first layer is a class-conditional BatchNorm."""
CLASSES, EMBEDDING = 10, 8


def first_tables(run: Run) -> dict[str, Host]:
    """What has a row for each class: the generator's embedding, gamma and beta, and the discriminator's projection."""
    rng = np.random.default_rng(4)
    hidden, features = run.generator[1], run.discriminator[-2]
    shapes = {"embedding": EMBEDDING, "gamma": hidden, "beta": hidden, "projection": features}
    return {name: rng.standard_normal((CLASSES, width)) for name, width in shapes.items()}


def labelled_batches(run: Run) -> Iterator[tuple[NDArray[Any], ...]]:
    """For every step: real images and their labels, and for each of both steps noise and labels asked for."""
    rng, noise = np.random.default_rng(2), run.generator[0] - EMBEDDING
    for _ in range(STEPS):
        real = rng.uniform(-1, 1, (run.batch, run.discriminator[0]))
        of_real, asked, asked_again = rng.integers(CLASSES, size=(3, run.batch))
        z, z_again = rng.standard_normal((2, run.batch, noise))
        yield real, of_real, z, asked, z_again, asked_again


def torch_conditional(run: Run) -> dict[str, Host]:
    """The losses of both networks at every step, and a digest of their last weights and tables."""
    import torch

    G_weights, D_weights = first_weights(run)
    G = torch_network(G_weights, "ReLU", run.outputs[0])
    D = torch_network(D_weights, run.hidden, run.outputs[1])
    norm = torch.nn.BatchNorm1d(run.generator[1], affine=False, dtype=torch.float64)
    tables = {name: torch.nn.Parameter(torch.from_numpy(table)) for name, table in first_tables(run).items()}

    def draw(z: Any, c: Any) -> Any:
        hidden = norm(G[0](torch.cat([z, tables["embedding"][c]], dim=1)))
        return G[1:](tables["gamma"][c] * hidden + tables["beta"][c])

    def judge(x: Any, c: Any) -> Any:
        features = D[:-1](x)
        projected = (features * tables["projection"][c]).sum(dim=1, keepdim=True)
        return D[-1](features) + projected / run.discriminator[-2] ** 0.5

    of_G = [*G.parameters(), *(tables[name] for name in ("embedding", "gamma", "beta"))]
    G_optimizer = torch.optim.Adam(of_G, lr=run.lr, betas=run.betas)
    D_optimizer = torch.optim.Adam([*D.parameters(), tables["projection"]], lr=run.lr, betas=run.betas)
    bce, ones = torch.nn.BCEWithLogitsLoss(), torch.ones(run.batch, 1, dtype=torch.float64)
    d_losses, g_losses = [], []
    for batch in labelled_batches(run):
        real, of_real, z, asked, z_again, asked_again = map(torch.from_numpy, batch)
        D_optimizer.zero_grad()
        d_loss = bce(judge(real, of_real), ones) + bce(judge(draw(z, asked).detach(), asked), 0 * ones)
        d_loss.backward()
        D_optimizer.step()

        G_optimizer.zero_grad()
        g_loss = bce(judge(draw(z_again, asked_again), asked_again), ones)
        g_loss.backward()
        G_optimizer.step()
        d_losses.append(d_loss.item())
        g_losses.append(g_loss.item())
    last = {name: digest(table.detach().numpy()) for name, table in tables.items()}
    return {"d_losses": np.array(d_losses), "g_losses": np.array(g_losses), **last_weights(G, D), **last}


if __name__ == "__main__":
    np.savez_compressed(FOLDER / f"{CONDITIONAL.name}.npz", **torch_conditional(CONDITIONAL))  # type: ignore[arg-type]
