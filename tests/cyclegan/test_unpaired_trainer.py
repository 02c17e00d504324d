"""A style in training: resumed to the bit, the same on every backend, its log; and its generators, for larger sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import tiny_trainer

from nanogan import NUMPY, InputError
from nanogan.backend import Backend
from nanogan.cyclegan.networks import unpaired
from nanogan.cyclegan.sides import Sides
from nanogan.cyclegan.trainer import Translator, UnpairedTrainer
from nanogan.errors import ShapeError
from nanogan.io import checkpoint
from nanogan.training.find_nan import explain
from nanogan.training.gan_trainer import generate
from nanogan.workers import Workers

RNG = np.random.default_rng(0)
A, B = (8, 12, 3), (8, 12, 1)


def pictures(count_a: int, count_b: int) -> Sides:
    return Sides("x", RNG.random((count_a, *A), dtype=np.float32), RNG.random((count_b, *B), dtype=np.float32))


TRAIN, TEST = pictures(12, 17), pictures(5, 3)
"""An epoch of 3 steps goes once through a; b is shuffled anew after 4."""


def trainer_of(train: Sides = TRAIN, *, backend: Backend = NUMPY, seed: int = 0, **options: Any) -> UnpairedTrainer:
    recipe = unpaired(A, B, **{"width": 2, "batch_size": 4, "pool": 6, "epochs": 4, **options})
    return UnpairedTrainer(recipe, train, TEST, seed=seed, backend=backend)


def run_steps(trainer: UnpairedTrainer, count: int) -> UnpairedTrainer:
    for _ in range(count):
        trainer.step()
    return trainer


@pytest.mark.parametrize("at", [1, 3, 4, 7])  # with a pool half full, at the end of a's epoch, of b's, and later
def test_resume_is_exact(tmp_path: Path, at: int) -> None:
    straight = run_steps(trainer_of(), 11)
    run_steps(trainer_of(), at).save(tmp_path / "c.npz")
    resumed = trainer_of()
    resumed.load(tmp_path / "c.npz")
    run_steps(resumed, 11 - at)
    assert checkpoint.digest(straight.arrays()) == checkpoint.digest(resumed.arrays())
    assert straight.means() == resumed.means() and straight.measure() == resumed.measure()


def test_all_four_networks_learn_and_every_picture_has_its_turn() -> None:
    trainer = trainer_of()
    before = {name: network.params.copy() for name, network in trainer.networks.items()}
    run_steps(trainer, 4)
    assert all((network.params != before[name]).mean() > 0.9 for name, network in trainer.networks.items())
    assert len(set(trainer.shuffled["order_b"].order[:16])) == 16 and trainer.shuffled["order_b"].position == 16
    assert trainer.pools["a"].count == trainer.pools["b"].count == 6


def test_a_run_is_the_same_on_every_backend(backend: Backend) -> None:
    here, on_numpy = run_steps(trainer_of(backend=backend), 5), run_steps(trainer_of(), 5)
    assert here.log_epoch() == pytest.approx({**on_numpy.log_epoch(), "seconds": here.seconds}, rel=1e-3, nan_ok=True)
    np.testing.assert_allclose(here.sample(), on_numpy.sample(), atol=1e-3)


def test_the_log_and_the_samples_say_what_they_are() -> None:
    trainer = run_steps(trainer_of(), 3)
    row, before = trainer.log_epoch(), checkpoint.digest(trainer.arrays())
    to_b, to_a = trainer.networks["to_b"], trainer.networks["to_a"]
    there = generate(to_b, trainer.recipe, TEST.a * 2 - 1)
    back = generate(to_a, trainer.recipe, there * 2 - 1)
    assert row["cycle_a"] == pytest.approx(np.abs(back - TEST.a).mean(), rel=1e-5) and np.isnan(row["read"])
    sample = trainer.sample()
    assert sample.shape == (3 * 6, *A) and checkpoint.digest(trainer.arrays()) == before
    np.testing.assert_allclose(sample[2], back[0], atol=1e-6)
    np.testing.assert_allclose(sample[1], there[0].repeat(3, axis=-1), atol=1e-6)


def test_what_cant_be_continued_or_shared_is_said(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    run_steps(trainer_of(), 1).save(path)
    for other, said in (
        (trainer_of(cycle_weight=3.0), "cycle_weight 10.0, not 3.0"),
        (trainer_of(width=4), "to_b with layer 0 Conv2d"),
        (trainer_of(replace(TRAIN, b=TRAIN.b[::-1])), "data [0-9a-f]{16}, not"),
    ):
        with pytest.raises(InputError, match=rf"c\.npz: was trained with .*{said}"):
            other.load(path)
    two = Workers()
    two.size = 2
    with pytest.raises(InputError, match="a style trains in one process"):
        trainer_of().share(two)
    with pytest.raises(ShapeError, match=r"expected \(N, \(8, 12, 3\)\) and"):
        trainer_of(replace(TRAIN, a=TRAIN.b))


def test_a_nan_is_found_in_whichever_network_it_is(tmp_path: Path) -> None:
    trainer = trainer_of()
    trainer.save(tmp_path / "c.npz")
    trainer.step()
    trainer.networks["to_a"].params[5] = np.nan
    run_steps(trainer, 1)
    assert "NaN or infinity" in explain(trainer, tmp_path / "c.npz")
    trainer.networks["judge_b"].params[0] = np.inf
    trainer.save(tmp_path / "d.npz")
    with pytest.raises(InputError, match=r"its judge_b\.params holds NaN or infinity"):
        trainer_of().load(tmp_path / "d.npz")


# ---- trained generators


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[UnpairedTrainer, Path]:
    path = tmp_path_factory.mktemp("run") / "c.npz"
    trainer = run_steps(trainer_of(), 2)
    trainer.save(path)
    return trainer, path


def test_a_generator_turns_pictures_of_any_multiple_of_4(saved: tuple[UnpairedTrainer, Path]) -> None:
    trainer, path = saved
    for to, channels in (("b", 3), ("a", 1)):
        translate = Translator(path, to)
        for height, width in ((8, 12), (20, 16), (8, 12)):
            picture = RNG.integers(0, 256, (height, width, channels), dtype=np.uint8)
            found = translate(picture)
            assert found.shape == (height, width, 4 - channels) and 0 <= found.min() <= found.max() <= 1
        expected = trainer.made(f"to_{to}", picture[np.newaxis] / 255)[0]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_other_sizes_and_channels_are_refused(saved: tuple[UnpairedTrainer, Path]) -> None:
    translate = Translator(saved[1])
    with pytest.raises(ShapeError, match=r"is 14 x 8 pixels, but the networks take sides that are multiples of 4"):
        translate(np.zeros((8, 14, 3), np.uint8))
    with pytest.raises(ShapeError, match=r"is 12 x 8 pixels, grey, but .* trained on pictures in colour; convert it"):
        translate(np.zeros((8, 12, 1), np.uint8))


def test_a_checkpoint_of_another_kind_is_refused(tmp_path: Path) -> None:
    tiny_trainer().save(tmp_path / "noise.npz")
    with pytest.raises(InputError, match=r"noise\.npz: holds Recipe, not Unpaired: it is of another kind of run"):
        Translator(tmp_path / "noise.npz")
