"""The floor of a step: which products it counts, and that measuring it leaves the run as it was."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import tiny_trainer

from nanogan.io import checkpoint
from nanogan.layers import Linear
from nanogan.network import Network
from nanogan.optim import SGD, Adam
from nanogan.training import floor


def test_a_recorded_product_is_the_product() -> None:
    xp = floor.RecordingModule(np)
    a, b, out = np.eye(2) * 2, np.ones((2, 3)), np.empty((2, 3))
    assert (xp.matmul(a, b, out=out) == 2).all() and (xp.dot(a, out, out=b) == 4).all()
    assert [(multiply, left is a) for multiply, left, *_ in xp.products] == [(np.matmul, True), (np.dot, True)]


@pytest.mark.parametrize(("optimizer", "vectors"), [(SGD(lr=1), 3 + 2), (Adam(lr=1), 3 + 4)])
def test_a_copy_moves_as_many_bytes_as_an_update(optimizer: SGD | Adam, vectors: int) -> None:
    network = Network([Linear(9, 10)], 9, rng=0)
    source, target = floor.copied_vectors(network, optimizer)
    assert source.nbytes + target.nbytes == pytest.approx(vectors * 100 * 4, abs=8)


def test_measuring_counts_every_product_and_leaves_the_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """TINY has two Linear layers each. D's step: forward 2 of D and G; dW of 2, dx of 1. G's step: forward 2 of G, 2 of
    D; dx through D 2, dW of 2 and dx of 1 of G.
    """
    counted = []

    def seconds(products: list[floor.Product], copies: object) -> float:
        counted.append(len(products))
        return 0.002

    monkeypatch.setattr(floor, "_seconds", seconds)
    trainer = tiny_trainer(steps=4)
    before = checkpoint.digest(trainer.arrays()), trainer.rng.bit_generator.state
    assert floor.floor_ms(trainer) == 2.0
    assert (checkpoint.digest(trainer.arrays()), trainer.rng.bit_generator.state) == before
    assert counted == floor.ROUNDS * [4 + 3 + 4 + 2 + 3]


def test_it_takes_time() -> None:
    assert 0 < floor.floor_ms(tiny_trainer(steps=1)) < 1000
