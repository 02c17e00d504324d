"""Make the golden file of a GAN whose D sees changed images, as `make_golden.py` makes the others.

python -m tools.make_golden_augment        (needs torch; the test that reads the file doesn't)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.make_golden import FOLDER, Host, Run, batches, first_weights, last_weights, torch_network

AUGMENTED = Run("augmented", generator=(16, 64, 144), discriminator=(144, 96, 1), batch=16, lr=1e-3, betas=(0.5, 0.999))
"""Of images of 12 x 12, with a penalty on D's slopes with respect to the images as they are."""
SIDE, R1, SEED = 12, 2.0, 5
MOST, RATIO, CUT, FILL = 0.5, 0.25, 0.5, -1.0
"""Of brightness and contrast; how far images are moved, and how much is cut out, as shares of a side; what moves in."""


def changed(x: Any, u: Host) -> Any:
    """Images (N, 144) as the authors of DiffAugment change them, from numbers u (4, N, 2), uniform in [0, 1).

    Padding and an index for each pixel move an image, a mask cuts it: https://github.com/mit-han-lab/data-efficient-gans
    """
    import torch

    b, c, moves, cut = torch.from_numpy(u)
    x = x.reshape(-1, 1, SIDE, SIDE)
    x = x + MOST * (2 * b[:, :1, None, None] - 1)
    mean = x.mean(dim=[1, 2, 3], keepdim=True)
    x = (x - mean) * (1 + MOST * (2 * c[:, :1, None, None] - 1)) + mean

    most = int(SIDE * RATIO + 0.5)
    down, right = (torch.floor(moves * (2 * most + 1)).long() - most).T
    batch, row, column = torch.meshgrid(torch.arange(len(x)), torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    row = torch.clamp(row - down[:, None, None] + 1, 0, SIDE + 1)
    column = torch.clamp(column - right[:, None, None] + 1, 0, SIDE + 1)
    padded = torch.nn.functional.pad(x, [1, 1, 1, 1], value=FILL).permute(0, 2, 3, 1)
    x = padded[batch, row, column].permute(0, 3, 1, 2)

    size = int(SIDE * CUT + 0.5)
    first = torch.floor(cut * (SIDE + 1 - size % 2)).long() - size // 2
    mask = torch.ones(len(x), 1, SIDE, SIDE, dtype=torch.float64)
    for image, (top, left) in zip(mask, first.tolist(), strict=True):
        image[:, max(top, 0) : top + size, max(left, 0) : left + size] = 0
    return (x * mask + FILL * (1 - mask)).reshape(len(x), -1)


def torch_augmented(run: Run) -> dict[str, Host]:
    """The losses of both networks at every step, D's with its penalty, and a digest of their last weights."""
    import torch

    G_weights, D_weights = first_weights(run)
    G = torch_network(G_weights, "ReLU", run.outputs[0])
    D = torch_network(D_weights, run.hidden, run.outputs[1])
    D_optimizer = torch.optim.Adam(D.parameters(), lr=run.lr, betas=run.betas)
    G_optimizer = torch.optim.Adam(G.parameters(), lr=run.lr, betas=run.betas)
    bce, ones = torch.nn.BCEWithLogitsLoss(), torch.ones(run.batch, 1, dtype=torch.float64)
    rng, d_losses, g_losses = np.random.default_rng(SEED), [], []
    for batch in batches(run):
        real, z, z_again = map(torch.from_numpy, batch)
        D_optimizer.zero_grad()
        judged = D(changed(torch.cat([real, G(z).detach()]), rng.random((4, 2 * run.batch, 2))))
        d_loss = bce(judged[: run.batch], ones) + bce(judged[run.batch :], 0 * ones)
        x = real.clone().requires_grad_()
        output = D(changed(x, rng.random((4, run.batch, 2)))).sum()
        slopes = torch.autograd.grad(output, x, create_graph=True)[0]
        d_loss = d_loss + R1 / 2 * (slopes**2).sum(1).mean()
        d_loss.backward()
        D_optimizer.step()

        G_optimizer.zero_grad()
        g_loss = bce(D(changed(G(z_again), rng.random((4, run.batch, 2)))), ones)
        g_loss.backward()
        G_optimizer.step()
        d_losses.append(d_loss.item())
        g_losses.append(g_loss.item())
    return {"d_losses": np.array(d_losses), "g_losses": np.array(g_losses), **last_weights(G, D)}


if __name__ == "__main__":
    np.savez_compressed(FOLDER / f"{AUGMENTED.name}.npz", **torch_augmented(AUGMENTED))  # type: ignore[arg-type]
