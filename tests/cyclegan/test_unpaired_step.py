"""The step of CycleGAN: its gradients, PyTorch's numbers, its pool, and what it costs."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from nanogan import L1, NUMPY, BatchNorm, InputError, Network
from nanogan.backend import Backend
from nanogan.cyclegan import step
from nanogan.cyclegan.networks import unpaired
from nanogan.cyclegan.pool import Pool
from nanogan.cyclegan.step import both_trips_gradients, round_trip_gradients
from nanogan.errors import ShapeError
from nanogan.gan import discriminator_gradients
from nanogan.gradcheck.translators import UNPAIRED, prove_unpaired
from nanogan.recipes.translators import Unpaired
from tools.make_golden import FOLDER, digest
from tools.make_golden_unpaired import NAME, NETWORKS, RECIPE, batches, first_values, pool_rng


@pytest.mark.parametrize("recipe", UNPAIRED, ids=lambda recipe: repr(recipe.loss))
def test_all_four_updates_are_the_slopes_of_their_losses(recipe: Unpaired) -> None:
    for report in prove_unpaired(recipe, count=2):
        assert report.passed, report
        assert all(row.checked for row in report.rows), report


def test_the_proof_sees_that_one_trip_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the second round trip overwrote the gradients of the first."""
    monkeypatch.setattr(step, "_copied", lambda network, name, array: np.zeros_like(array) if "grad" in name else array)
    to_b, to_a, *judges = prove_unpaired(UNPAIRED[0], count=4)
    assert not to_b.passed and not to_a.passed and all(report.passed for report in judges)


def test_the_proof_sees_that_a_term_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if what F passes back for G(a) were lost: G would be trained by its discriminator alone."""

    def forgetful(G: Network, F: Network, *others: Any, **weights: Any) -> Any:
        backward = F.backward
        monkeypatch.setattr(F, "backward", lambda dy: 0 * backward(dy), raising=False)
        return round_trip_gradients(G, F, *others, **weights)

    monkeypatch.setattr(step, "round_trip_gradients", forgetful)
    to_b, *_ = prove_unpaired(UNPAIRED[1], count=4)
    assert not to_b.passed


def networks_of(recipe: Unpaired, backend: Backend, dtype: Any = np.float64) -> dict[str, Network]:
    shapes = {"to_b": recipe.shape_a, "to_a": recipe.shape_b, "judge_a": recipe.shape_a, "judge_b": recipe.shape_b}
    build: dict[str, Any] = {"backend": backend, "dtype": dtype, "rng": np.random.default_rng(0)}
    return {name: Network(getattr(recipe, name), shape, **build) for name, shape in shapes.items()}


def test_ten_steps_are_pytorchs(backend: Backend) -> None:
    """Generators, pools and discriminators, with all parts of the loss."""
    with np.load(FOLDER / f"{NAME}.npz", allow_pickle=False) as file:
        expected = dict(file)
    networks = networks_of(RECIPE, backend)
    for name, values in first_values().items():
        networks[name].load_state_dict(values)
    to_b, to_a, judge_a, judge_b = networks.values()
    adams = {name: RECIPE.optimizer.bind(network) for name, network in networks.items()}
    loss, l1 = RECIPE.loss.bind(backend, np.float64), L1().bind(backend, np.float64)
    rng, found = pool_rng(), []
    pools = [Pool(RECIPE.pool, RECIPE.shape_a, rng, backend, np.dtype(np.float64)) for _ in "ab"]
    weights = {"cycle_weight": RECIPE.cycle_weight, "identity_weight": RECIPE.identity_weight}
    for host in batches():
        real = [backend.asarray(x.copy()) for x in host]
        a, b = real
        g_loss, *fakes = both_trips_gradients(to_b, to_a, judge_a, judge_b, loss, l1, a, b, **weights)
        shown = [pool.exchange(fake) for pool, fake in zip(pools, fakes, strict=True)]
        adams["to_b"].step()
        adams["to_a"].step()
        found.append([float(g_loss)])
        for name, x, fake in zip(("judge_a", "judge_b"), real, shown, strict=True):
            found[-1].append(float(discriminator_gradients(networks[name], loss, x, fake)[0]))
            adams[name].step()
    np.testing.assert_allclose(found, expected["losses"], rtol=0, atol=1e-9)
    for name in NETWORKS:
        for own, value in networks[name].state_dict().items():
            np.testing.assert_allclose(
                digest(value), expected[f"{name} {own}"], rtol=0, atol=1e-9, err_msg=f"{name} {own}"
            )


def test_a_step_allocates_nothing_that_grows_with_the_batch() -> None:
    recipe = unpaired((16, 16, 1), (16, 16, 1), width=4, identity_weight=1.0)

    def peak(n: int) -> int:
        to_b, to_a, judge_a, judge_b = networks_of(recipe, NUMPY, np.float32).values()
        loss, l1 = recipe.loss.bind(), L1().bind()
        a, b = np.random.default_rng(0).uniform(-1, 1, (2, n, *recipe.shape_a)).astype(np.float32)
        pool = Pool(8, recipe.shape_a, np.random.default_rng(0), NUMPY, np.dtype(np.float32))

        def one() -> None:
            _, fake, _ = both_trips_gradients(to_b, to_a, judge_a, judge_b, loss, l1, a, b)
            discriminator_gradients(judge_a, loss, a, pool.exchange(fake))

        one()
        tracemalloc.start()
        one()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    of_scores = 4 * 96 * 16 * 8  # D's 4 x 4 scores of 96 images more, a few times
    assert abs(peak(128) - peak(32)) < 1024 + of_scores, "96 images more take 98,304 bytes"


# ---- the pool


def test_a_pool_shows_each_picture_once_or_keeps_it(backend: Backend) -> None:
    pool = Pool(6, (1,), np.random.default_rng(0), backend, np.dtype(np.float64))
    seen: list[float] = []
    for first in range(0, 400, 4):
        fakes = np.arange(first, first + 4, dtype=np.float64)[:, None]
        shown = backend.to_host(pool.exchange(backend.asarray(fakes))).ravel().tolist()
        if first == 0:
            assert shown == [0, 1, 2, 3]
        seen += shown
    kept = backend.to_host(pool.kept).ravel().tolist()
    assert int(pool.count) == 6 and len(set(kept)) == 6
    again = [number for number in set(seen) if seen.count(number) > 1]
    assert set(seen) | set(kept) == set(range(400)), "nothing is lost"
    assert set(again) <= set(range(6)), "only those that filled the pool were shown at once and later"
    delays = [place - int(number) for place, number in enumerate(seen)]
    assert 0.35 < np.mean([delay > 0 for delay in delays[100:]]) < 0.65


def test_a_pool_of_nothing_shows_what_comes(backend: Backend) -> None:
    pool = Pool(0, (2,), np.random.default_rng(0), backend, np.dtype(np.float64))
    fakes = np.random.default_rng(1).standard_normal((3, 2))
    np.testing.assert_array_equal(backend.to_host(pool.exchange(backend.asarray(fakes))), fakes)


# ---- recipes that can't be


def test_what_a_recipe_refuses() -> None:
    with pytest.raises(ShapeError, match=r"is 30 x 28 pixels, but .* multiples of 4, at least 8; cut or resize it"):
        unpaired((28, 30, 1), (28, 30, 1))
    with pytest.raises(ShapeError, match="at least 8"):
        unpaired((4, 8, 1), (4, 8, 1))
    with pytest.raises(InputError, match=r"identity_weight 1: pictures can stay as they are only if .*; set it to 0"):
        unpaired((8, 8, 1), (8, 8, 3), identity_weight=1.0)
    with pytest.raises(InputError, match=r"BatchNorm.* mixes the rows of a batch; choose InstanceNorm"):
        unpaired((8, 8, 1), (8, 8, 1), to_b=(BatchNorm(1),))
    with pytest.raises(InputError, match="cycle_weight, identity_weight and pool must be at least 0"):
        unpaired((8, 8, 1), (8, 8, 1), cycle_weight=-1.0)
