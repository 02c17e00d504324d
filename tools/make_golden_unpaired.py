"""Make the golden file of ten steps of CycleGAN, as `make_golden.py` makes the others.

python -m tools.make_golden_unpaired        (needs torch; the test that reads the file doesn't)

PyTorch's step is written as in the paper: every network runs as often as its term of the loss asks for, and all terms
are derived at once. nanogan's takes the terms in an order in which no forward pass has to be kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nanogan.cyclegan.networks import unpaired
from nanogan.network import Network
from tools.make_golden import FOLDER, Host, digest

NAME, STEPS, BATCH, POOL = "unpaired", 10, 4, 6
RECIPE = unpaired((12, 8, 3), (12, 8, 3), width=4, cycle_weight=2.0, identity_weight=1.5, pool=POOL)
"""The networks of `cyclegan/networks.py`, with all parts of the loss, and a pool that is full after two steps."""
NETWORKS = ("to_b", "to_a", "judge_a", "judge_b")


def first_values() -> dict[str, dict[str, Host]]:
    """The first weights of each network, by the names of its `state_dict`."""
    rng = np.random.default_rng(5)
    of_networks = {name: Network(getattr(RECIPE, name), RECIPE.shape_a).state_dict() for name in NETWORKS}
    return {
        name: {own: np.asarray(0.15 * rng.standard_normal(array.shape)) for own, array in arrays.items()}
        for name, arrays in of_networks.items()
    }


def batches() -> Iterator[NDArray[Any]]:
    """For every step, pictures a and b."""
    rng = np.random.default_rng(6)
    for _ in range(STEPS):
        yield rng.uniform(-1, 1, (2, BATCH, *RECIPE.shape_a))


def pool_rng() -> np.random.Generator:
    """Of both pools, first that of a: in a step, either asks for a number per picture, or two."""
    return np.random.default_rng(7)


def torch_networks() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The networks as functions of images (N, C, H, W), and their parameters by nanogan's names."""
    import torch
    from torch.nn import functional as f

    def parameter(name: str, value: Host) -> Any:
        if name.endswith(".b"):
            return torch.nn.Parameter(torch.from_numpy(value.copy()))
        kernel = 3 if name in ("3.3.0.W", "5.W") else 4
        return torch.nn.Parameter(
            torch.from_numpy(value.reshape(kernel, kernel, -1, value.shape[1]).transpose(3, 2, 0, 1).copy())
        )

    parameters = {
        network: {name: parameter(name, value) for name, value in values.items()}
        for network, values in first_values().items()
    }

    def generator(p: dict[str, Any]) -> Any:
        def run(x: Any) -> Any:
            half = f.leaky_relu(f.instance_norm(f.conv2d(x, p["0.W"], stride=2, padding=1)), 0.2)
            quarter = f.leaky_relu(f.instance_norm(f.conv2d(half, p["3.0.W"], stride=2, padding=1)), 0.2)
            inner = f.relu(f.instance_norm(f.conv2d(quarter, p["3.3.0.W"], padding=1)))
            both = torch.cat([quarter, inner], dim=1)
            up = f.relu(f.instance_norm(f.conv_transpose2d(both, p["3.4.W"], stride=2, padding=1)))
            return torch.tanh(f.conv_transpose2d(torch.cat([half, up], dim=1), p["4.W"], p["4.b"], stride=2, padding=1))

        return run

    def discriminator(p: dict[str, Any]) -> Any:
        def run(x: Any) -> Any:
            half = f.leaky_relu(f.conv2d(x, p["0.W"], p["0.b"], stride=2, padding=1), 0.2)
            quarter = f.leaky_relu(f.instance_norm(f.conv2d(half, p["2.W"], stride=2, padding=1)), 0.2)
            return f.conv2d(quarter, p["5.W"], p["5.b"], padding=1)

        return run

    made = {"to": generator, "judge": discriminator}
    return {name: made[name.split("_")[0]](own) for name, own in parameters.items()}, parameters


class TorchPool:
    """The authors' pool: a list."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.kept = rng, list[Any]()

    def exchange(self, fakes: Any) -> Any:
        import torch

        shown = []
        for fake in fakes.detach():
            if len(self.kept) < POOL:
                self.kept.append(fake)
                shown.append(fake)
            elif self.rng.random() < 0.5:
                place = self.rng.integers(POOL)
                shown.append(self.kept[place])
                self.kept[place] = fake
            else:
                shown.append(fake)
        return torch.stack(shown)


def torch_unpaired() -> dict[str, Host]:
    """The losses of the generators and of both discriminators at every step, and a digest of the last weights."""
    import torch

    networks, parameters = torch_networks()
    G, F, D_a, D_b = (networks[name] for name in NETWORKS)
    adams = {name: torch.optim.Adam(parameters[name].values(), lr=1e-3, betas=(0.5, 0.999)) for name in NETWORKS}
    mse, l1 = torch.nn.MSELoss(), torch.nn.L1Loss()
    rng = pool_rng()
    pools, losses = [TorchPool(rng), TorchPool(rng)], []

    def judged(logits: Any, t: float) -> Any:
        return mse(logits, torch.full_like(logits, t))

    for both in batches():
        a, b = (torch.from_numpy(x.transpose(0, 3, 1, 2).copy()) for x in both)
        fake_b, fake_a = G(a), F(b)
        cycle, identity = l1(F(fake_b), a) + l1(G(fake_a), b), l1(F(a), a) + l1(G(b), b)
        g_loss = judged(D_b(fake_b), 1.0) + judged(D_a(fake_a), 1.0)
        g_loss = g_loss + RECIPE.cycle_weight * cycle + RECIPE.identity_weight * identity
        shown = [pool.exchange(fake) for pool, fake in zip(pools, (fake_a, fake_b), strict=True)]
        for adam in adams.values():
            adam.zero_grad()
        g_loss.backward()
        adams["to_b"].step()
        adams["to_a"].step()
        of_step = [g_loss.item()]
        for name, D, real, fake in zip(("judge_a", "judge_b"), (D_a, D_b), (a, b), shown, strict=True):
            adams[name].zero_grad()
            d_loss = judged(D(real), 1.0) + judged(D(fake), 0.0)
            d_loss.backward()
            adams[name].step()
            of_step.append(d_loss.item())
        losses.append(of_step)
    golden = {"losses": np.array(losses)}
    for network, own in parameters.items():
        for name, value in own.items():
            array = value.detach().numpy()
            golden[f"{network} {name}"] = digest(
                array if array.ndim == 1 else array.transpose(2, 3, 1, 0).reshape(-1, len(array))
            )
    return golden


if __name__ == "__main__":
    golden = torch_unpaired()
    np.savez_compressed(FOLDER / f"{NAME}.npz", **golden)  # type: ignore[arg-type]
    print(f"{NAME}.npz: {len(golden)} arrays; last losses {golden['losses'][-1]}")
