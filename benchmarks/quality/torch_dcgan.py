"""The recipe `dcgan` as a careful PyTorch program: the same networks, training, log, pictures and checkpoints.

    python -m benchmarks.quality.torch_dcgan --out FOLDER [--epochs 10] [--seed 0] [--steps N]

With care means: Adam in one call, no gradients of D in G's step, no graph of G in D's, images that stay where they are
instead of a DataLoader, losses that are read once per epoch. `over_time.py` runs it beside nanogan.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nanogan.data.images import load_mnist
from nanogan.io.plots import save_grid

BATCH, NOISE = 64, 64


def generator() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(NOISE, 3136, bias=False),
        nn.Unflatten(1, (64, 7, 7)),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    )


def discriminator() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 32, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(3136, 1),
    )


def start(module: nn.Module) -> None:
    """Radford et al. 2016, section 4"""
    if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Run:
    """Both networks in training."""

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self.G, self.D = generator().apply(start), discriminator().apply(start)
        self.G_adam, self.D_adam = (
            torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True) for net in (self.G, self.D)
        )
        self.loss = nn.BCEWithLogitsLoss()
        self.ones, self.zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def step(self, rows: Tensor) -> Tensor:
        """One update of D and one of G; the losses of both."""
        with torch.no_grad():
            fake = self.G(torch.randn(BATCH, NOISE))
        d_loss = self.loss(self.D(self.images[rows]), self.ones) + self.loss(self.D(fake), self.zeros)
        self.D_adam.zero_grad()
        d_loss.backward()
        self.D_adam.step()
        self.D.requires_grad_(False)
        g_loss = self.loss(self.D(self.G(torch.randn(BATCH, NOISE))), self.ones)
        self.G_adam.zero_grad()
        g_loss.backward()
        self.G_adam.step()
        self.D.requires_grad_(True)
        return torch.stack([d_loss.detach(), g_loss.detach()])

    def draw(self, z: Tensor) -> np.ndarray:
        """Images (N, 28, 28, 1) in [0, 1], in evaluation mode."""
        self.G.eval()
        with torch.no_grad():
            images = self.G(z)
        self.G.train()
        return np.asarray((images.permute(0, 2, 3, 1) + 1) / 2)

    def save(self, path: Path, step: int) -> None:
        """As nanogan does: another file first, so that what has this name is always whole."""
        parts = {name: getattr(self, name).state_dict() for name in ("G", "D", "G_adam", "D_adam")}
        torch.save({"step": step, **parts}, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.torch_dcgan", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, help="of each epoch (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True)
    images, _ = load_mnist("train", scale=(-1, 1))
    run = Run(torch.from_numpy(images).reshape(-1, 1, 28, 28))
    fixed, steps, log = torch.randn(64, NOISE), args.steps or len(images) // BATCH, ["epoch,step,d_loss,g_loss"]
    run.save(args.out / "checkpoint.pt", 0)
    for epoch in range(1, args.epochs + 1):
        order, sums = torch.randperm(len(images)), torch.zeros(2)
        for step in range(steps):
            sums += run.step(order[step * BATCH : (step + 1) * BATCH])
        d_loss, g_loss = (sums / steps).tolist()
        log.append(f"{epoch},{epoch * steps},{d_loss},{g_loss}")
        (args.out / "log.csv").write_text("\n".join(log) + "\n")
        save_grid(args.out / f"epoch-{epoch:04}.png", run.draw(fixed))
        run.save(args.out / "checkpoint.pt", epoch * steps)
        print(f"epoch {epoch}/{args.epochs}  D {d_loss:.2f}  G {g_loss:.2f}", flush=True)


if __name__ == "__main__":
    main()
