"""Several workers make the update that one process makes of the whole batch, whatever the networks are made of.

Here the workers are threads (`thread_workers.py`); `test_mpi.py` holds processes to the same bits.
"""

from __future__ import annotations

from typing import Any

import double
import numpy as np
import pytest
from small_gans import BATCH, RECIPES, make
from thread_workers import train

from nanogan.backend import Array
from nanogan.errors import InputError
from nanogan.training.trainer import BaseTrainer
from nanogan.workers import ALONE, Shard, Workers


def alone(name: str, steps: int, **options: Any) -> BaseTrainer:
    trainer = make(name, **options)
    for _ in range(steps):
        trainer.step()
    return trainer


def numbers(trainer: BaseTrainer) -> dict[str, Array]:
    """All that a checkpoint holds, and the gradients that the last step has left."""
    return {**trainer.arrays(), "G.grads": trainer.G.grads, "D.grads": trainer.D.grads}


def assert_near(found: BaseTrainer, expected: BaseTrainer, tolerance: float) -> None:
    for name, array in numbers(expected).items():
        np.testing.assert_allclose(numbers(found)[name], array, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("batch_size", [BATCH, 10])
@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("name", RECIPES)
def test_both_gradients_of_a_step_are_those_of_the_whole_batch(name: str, size: int, batch_size: int) -> None:
    whole = alone(name, 1, batch_size=batch_size)
    for trainer in train(lambda: make(name, batch_size=batch_size), size, 1):
        assert_near(trainer, whole, 1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("name", RECIPES)
def test_20_steps_are_those_of_one_process(name: str, size: int) -> None:
    first, *others = train(lambda: make(name), size, 20)
    assert_near(first, alone(name, 20), 1e-9)
    for other in others:
        for array, same in zip(numbers(first).values(), numbers(other).values(), strict=True):
            np.testing.assert_array_equal(array, same)
        assert other.rng.bit_generator.state == first.rng.bit_generator.state


def test_on_a_gpu_batch_norm_adds_up_the_workers_too() -> None:
    """Its kernels know of their own rows alone, so the plain formulas take their place."""
    backend = double.backend()
    whole = alone("normed", 3)
    for name, array in train(lambda: make("normed", backend=backend), 2, 3)[1].arrays().items():
        np.testing.assert_allclose(backend.to_host(array), whole.arrays()[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_a_draw_or_a_sum_that_is_not_shared_out_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: each worker's own statistics are others than those of the whole batch."""
    whole = alone("normed", 1)
    for trainer in train(lambda: make("normed"), 2, 1, own_statistics=True):
        with pytest.raises(AssertionError):
            assert_near(trainer, whole, 1e-6)
    monkeypatch.setattr(Shard, "take", lambda shard, array: array[: shard.count])
    with pytest.raises(AssertionError):
        assert_near(train(lambda: make("dense"), 2, 1)[0], alone("dense", 1), 1e-6)


def test_with_own_statistics_all_workers_keep_the_same_numbers() -> None:
    first, second = train(lambda: make("normed"), 2, 5, own_statistics=True)
    for name, array in numbers(first).items():
        np.testing.assert_array_equal(array, numbers(second)[name], err_msg=name)


def test_a_worker_that_has_other_numbers_is_named() -> None:
    def spoiled() -> BaseTrainer:
        trainer = make("dense")
        share = trainer.share

        def share_and_spoil(workers: Workers) -> None:
            share(workers)
            trainer.expect_same_bits()
            trainer.optimizers["G"].moments["m"][3] += 1e-9 * workers.rank

        vars(trainer).update(share=share_and_spoil, step=trainer.expect_same_bits)
        return trainer

    text = r"rank 2 has numbers with SHA-256 \w+ after step 0, rank 0 has numbers with SHA-256 \w+ after step 0"
    with pytest.raises(InputError, match=f"don't train the same: rank 1 has .*; {text}$"):
        train(spoiled, 3, 1)


# ---- who has which rows


class Nobody(Workers):
    """A worker whose others do nothing."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size


@pytest.mark.parametrize(("batch_size", "pack"), [(64, 1), (7, 1), (64, 2), (12, 4)])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_row_has_one_worker_and_no_pack_has_two(batch_size: int, pack: int, size: int) -> None:
    shards = [Shard(Nobody(rank, size), batch_size, pack=pack) for rank in range(size)]
    rows = np.arange(batch_size)
    assert np.concatenate([shard.take(rows) for shard in shards]).tolist() == rows.tolist()
    assert all(shard.start % pack == 0 for shard in shards)
    counts = [shard.count for shard in shards]
    assert max(counts) - min(counts) <= pack
    for shard in shards:
        assert shard.whole(shard.count) == batch_size
        real_and_fake = shard.take(np.concatenate([rows, 100 + rows]))
        assert real_and_fake.tolist() == [*shard.take(rows), *(100 + shard.take(rows))]
        if pack > 1:
            of_packs = shard.take(np.arange(batch_size // pack))
            assert (of_packs * pack).tolist() == shard.take(rows)[::pack].tolist()


def test_a_batch_that_is_too_small_is_refused() -> None:
    with pytest.raises(InputError, match="a batch of 3 images can't be shared by 4 processes; choose a larger"):
        Shard(Nobody(0, 4), 3)
    with pytest.raises(InputError, match="in packs of 2"):
        make("packed", batch_size=6).share(Nobody(0, 4))


def test_alone_nothing_is_copied() -> None:
    trainer, array = make("normed"), np.ones(3)
    assert trainer.workers is ALONE and trainer.shard.is_whole
    assert trainer.shard.take(array) is array and trainer.shard.sum(array) is array
    assert trainer.shard.means(np, array)[0] is array and trainer.shard.totals(np, array)[0] is array
    assert all(layer.shard.is_whole for layer in trainer.G.layers)
