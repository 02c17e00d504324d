"""Two more figures of an epoch for the log: what D says of single images, and how far a step moves each layer.

Means hide what matters here. A mean D(G(z)) of 0.3 may be 0.3 of every image, or 1 of some and 0 of the others. And one
learning rate moves each layer by another share of its weights. `diagnosis.py` takes the figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from ..backend import Array
from ..losses import Loss
from ..network import Network

# ---- what D says

QUANTILES = {"low": 0.1, "mid": 0.5, "high": 0.9}
OPINIONS = tuple(f"{of}_{name}" for of in ("d_real", "d_fake") for name in QUANTILES)
"""Columns of the log: the 10 %, 50 % and 90 % quantiles of D(x), and of D(G(z))."""
HELD_OUT = tuple(f"d_held_out_{name}" for name in QUANTILES)
"""The same of images that aren't trained on. Where D says less of them, it knows its training images by heart."""


def opinions(D: Network, loss: Loss, batches: Iterable[tuple[Array, Array | None]]) -> Array:
    """What D says of each image, in evaluation mode: an array on the host. batches: images and labels, on its device.

    (The outputs are copied at once, because they are work arrays.)
    """
    said = [np.array(D.backend.to_host(loss.probability(D.forward(x, False, labels)))) for x, labels in batches]
    return np.concatenate(said).ravel()


def quantiles(of: str, said: Array) -> dict[str, float]:
    """The columns of OPINIONS or HELD_OUT that begin with `of`."""
    values = np.quantile(said.astype(np.float64), list(QUANTILES.values()))
    return {f"{of}_{name}": float(value) for name, value in zip(QUANTILES, values, strict=True)}


# ---- how far a step moves


class Moves:
    """How far the steps since `mark` have moved the weights W of each layer: |change of W| / |W|, Euclidean.

    columns: the ratios' names in the log, as "move_G_0.W" of G's first layer.
    """

    def __init__(self, networks: Mapping[str, Network]) -> None:
        self.networks = networks
        self.before = {name: network.params.copy() for name, network in networks.items()}

    def mark(self) -> None:
        """From here on. Copies the weights on their device."""
        for name, network in self.networks.items():
            self.before[name][...] = network.params

    def ratios(self) -> dict[str, float]:
        """Of each layer with a W, by column. Waits for the device. NaN if all weights were 0."""
        found = {}
        for name, network in self.networks.items():
            before, now = (network.backend.to_host(v).astype(np.float64) for v in (self.before[name], network.params))
            for column, place in _weights(name, network):
                length = np.linalg.norm(before[place])
                found[column] = float(np.linalg.norm((now - before)[place]) / length) if length else math.nan
        return found


def move_columns(networks: Mapping[str, Network]) -> Sequence[str]:
    """The columns of `Moves.ratios`."""
    return [column for name, network in networks.items() for column, _ in _weights(name, network)]


def _weights(name: str, network: Network) -> Iterator[tuple[str, slice]]:
    """The column of each W, and where in the flat vector it is."""
    end = 0
    for array, (shape, _, learned) in network.declare().items():
        if learned:
            start, end = end, end + math.prod(shape)
            if array.endswith("W"):
                yield f"move_{name}_{array}", slice(start, end)
