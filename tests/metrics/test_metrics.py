"""Every metric against a closed form, a constructed case, or the published figure for real data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nanogan.backend import Array
from nanogan.data.images import load_mnist
from nanogan.errors import InputError, ShapeError
from nanogan.metrics import samples as metrics
from nanogan.metrics.mixtures import GRID, RING, Mixture, modes
from nanogan.metrics.samples import PARZEN_SIGMAS, Bins

TRAIN, TRAIN_LABELS = load_mnist("train", scale=(0, 1))
TEST, TEST_LABELS = load_mnist("test", scale=(0, 1))


def normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


# ---- distances


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_squared_distances_are_those_of_the_definition(n: int, m: int, d: int, seed: int) -> None:
    x, y = normal(seed, n, d), normal(seed + 100, m, d)
    expected = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(metrics.squared_distances(x, y), expected, atol=1e-12)


def test_results_do_not_depend_on_the_size_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = normal(0, 90, 3), normal(1, 70, 3)

    def all_of_them() -> list[float]:
        likelihood = metrics.parzen_log_likelihood(x, y, y[::2])
        bins = metrics.fit_bins(x, np.random.default_rng(0), n_bins=7)
        return [*metrics.precision_recall_density_coverage(x, y), *likelihood, *metrics.different_bins(bins, y)]

    whole = all_of_them()
    monkeypatch.setattr(metrics, "BLOCK", 200)  # one to three rows at a time
    np.testing.assert_allclose(all_of_them(), whole, rtol=1e-6)


# ---- Frechet distance


def test_frechet_distance_of_a_set_with_itself_is_zero() -> None:
    x = normal(0, 500, 20) @ normal(1, 20, 20)
    assert metrics.frechet_distance(x, x) == pytest.approx(0, abs=1e-9 * np.trace(np.cov(x.T)))
    flat = np.hstack([x, np.zeros((500, 5))])  # dead features: a singular covariance
    assert metrics.frechet_distance(flat, flat) == pytest.approx(0, abs=1e-5 * np.trace(np.cov(x.T)))


def test_frechet_distance_of_a_moved_and_stretched_set() -> None:
    """y = a x + b has covariance a^2 S, so the distance is |mean difference|^2 + (1 - a)^2 tr(S), exactly."""
    x = normal(0, 400, 6) @ normal(1, 6, 6)
    a, b = 1.7, normal(2, 6)
    y = a * x + b
    shift = x.mean(axis=0) - y.mean(axis=0)
    expected = shift @ shift + (1 - a) ** 2 * np.trace(np.cov(x.T))
    assert metrics.frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)
    assert metrics.frechet_distance(y, x) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_covariances_that_do_not_commute() -> None:
    """In two dimensions tr((AB)^(1/2)) = sqrt(tr(AB) + 2 sqrt(det(AB))): no eigenvalues needed."""
    x, y = (
        normal(0, 300, 2) @ np.array([[2.0, 1.0], [0.0, 0.5]]),
        normal(1, 200, 2) @ np.array([[1.0, 0.0], [-3.0, 1.0]]),
    )
    A, B = np.cov(x.T), np.cov(y.T)
    assert np.abs(A @ B - B @ A).max() > 1
    shift = x.mean(axis=0) - y.mean(axis=0)
    overlap = math.sqrt(np.trace(A @ B) + 2 * math.sqrt(np.linalg.det(A @ B)))
    expected = shift @ shift + np.trace(A + B) - 2 * overlap
    assert metrics.frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_large_gaussian_samples_approaches_the_closed_form() -> None:
    """N(0, I) and N(1, 4 I) in 3 dimensions: 3 + 3 (1 - 2)^2 = 6."""
    assert metrics.frechet_distance(normal(0, 100_000, 3), 1 + 2 * normal(1, 100_000, 3)) == pytest.approx(6, abs=0.1)


# ---- precision, recall, density, coverage


def test_precision_and_its_kin_on_a_line() -> None:
    """k = 1. Real 0, 1, 10: their balls are [-1, 1], [0, 2], [1, 19]. Fake 0.5, 4, 30: [-3, 4], [0.5, 7.5], [4, 56].

    0.5 lies in two real balls, 4 in one, 30 in none: precision 2/3, density 3/3. Each real ball holds a fake point.
    Real 0, 1, 10 lie in the fake balls 1, 1 and 2, 3: all are recalled.
    """
    real, fake = np.array([[0.0], [1], [10]]), np.array([[0.5], [4], [30]])
    scores = metrics.precision_recall_density_coverage(real, fake, k=1)
    assert scores == pytest.approx((2 / 3, 1, 1, 1))


def test_a_collapsed_set_has_precision_and_nothing_else() -> None:
    real = normal(0, 400, 4)
    scores = metrics.precision_recall_density_coverage(real, np.tile(real[:1], (400, 1)))
    assert scores.precision == 1
    assert scores.recall <= 1 / 400  # at most the point that it sits on
    assert scores.coverage < 0.05


def test_a_set_far_away_scores_zero() -> None:
    assert metrics.precision_recall_density_coverage(normal(0, 50, 3), 100 + normal(1, 50, 3)) == (0, 0, 0, 0)


def test_half_the_modes_give_half_the_coverage_and_recall_at_full_precision() -> None:
    real, fake = normal(0, 1000, 4), normal(1, 500, 4)
    real[500:] += 100
    scores = metrics.precision_recall_density_coverage(real, fake)
    both = metrics.precision_recall_density_coverage(real[:500], fake)
    assert scores.recall == pytest.approx(both.recall / 2)
    assert scores.coverage == pytest.approx(both.coverage / 2)
    assert scores.precision == both.precision


def test_equal_distributions_have_the_expected_density_and_coverage() -> None:
    """Naeem et al. 2020, section 3: density 1, coverage 1 - product over i = 1 ... k of (N - i) / (2 N - i)."""
    n, k = 3000, 5
    scores = metrics.precision_recall_density_coverage(normal(0, n, 8), normal(1, n, 8), k=k)
    expected = 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    assert expected == pytest.approx(1 - 2**-k, abs=0.001)
    assert scores.coverage == pytest.approx(expected, abs=0.01)
    assert scores.density == pytest.approx(1, abs=0.03)


# ---- digits


def test_digit_shares_and_their_distance_from_uniform() -> None:
    shares = metrics.digit_shares(np.array([0, 0, 0, 9]))
    np.testing.assert_array_equal(shares, [0.75, 0, 0, 0, 0, 0, 0, 0, 0, 0.25])
    assert metrics.distance_from_uniform(shares) == pytest.approx(0.8)
    assert metrics.distance_from_uniform(np.eye(10)[3]) == pytest.approx(0.9)
    assert metrics.distance_from_uniform(np.full(10, 0.1)) == pytest.approx(0, abs=1e-15)
    assert metrics.distance_from_uniform(metrics.digit_shares(TEST_LABELS)) == pytest.approx(0.0214, abs=1e-4)


# ---- Parzen


def test_parzen_of_one_sample_is_the_log_density_of_a_gaussian() -> None:
    """One sample s: the density is N(s, sigma^2 I), and validation points at sigma0 sqrt(d) choose sigma0."""
    d, sigma = 4, float(PARZEN_SIGMAS[6])
    samples = np.zeros((1, d))
    validation = np.full((1, d), sigma)  # log p = -d sigma0^2 / (2 sigma^2) - d log sigma: largest at sigma = sigma0
    test = np.array([[0.3, 0, 0, 0], [0, 0, 1.0, 0]])
    result = metrics.parzen_log_likelihood(samples, validation, test)
    terms = -np.array([0.09, 1.0]) / (2 * sigma**2) - d * math.log(sigma * math.sqrt(2 * math.pi))
    assert result.sigma == pytest.approx(sigma)
    assert result.mean == pytest.approx(terms.mean(), rel=1e-5)
    assert result.error == pytest.approx(terms.std() / math.sqrt(2), rel=1e-5)


def test_parzen_averages_densities_not_their_logs() -> None:
    """Two samples, a test point on one and far from the other: half the density of the near one, log 2 less."""
    near, far = np.zeros((1, 3)), np.full((1, 3), 50.0)
    one = metrics.parzen_log_likelihood(near, near, near)
    two = metrics.parzen_log_likelihood(np.vstack([near, far]), near, near)
    assert two.mean == pytest.approx(one.mean - math.log(2), rel=1e-6)


def test_parzen_of_real_digits_is_the_published_one() -> None:
    """241.9 +- 2.3 (Sohl-Dickstein et al. 2015, Table 2, from bits). The first 10,000 training images: 241.2 +- 2.1."""
    result = metrics.parzen_log_likelihood(TRAIN[:10_000], TRAIN[50_000:51_000], TEST)
    assert result.mean == pytest.approx(241.9, abs=2.3)
    assert result.error == pytest.approx(2.3, abs=0.3)
    assert result.sigma == pytest.approx(0.1668, abs=1e-4)


# ---- bins


def test_k_means_finds_separate_clusters() -> None:
    centres = 10 * np.eye(4)[:2]
    points = np.repeat(centres, [5, 20], axis=0) + 0.1 * normal(0, 25, 4)
    bins = metrics.fit_bins(points, np.random.default_rng(0), n_bins=2)
    order = bins.counts.argsort()
    np.testing.assert_array_equal(bins.counts[order], [5, 20])
    np.testing.assert_allclose(bins.centres[order], [points[:5].mean(axis=0), points[5:].mean(axis=0)], rtol=1e-5)


def test_a_centre_without_points_is_no_error() -> None:
    bins = metrics.fit_bins(np.ones((8, 2)), np.random.default_rng(0), n_bins=3)
    assert sorted(bins.counts) == [0, 0, 8]
    np.testing.assert_array_equal(bins.centres, 1)


def test_different_bins_by_hand() -> None:
    """Shares 1/2 and 3/4 of 100 each, pooled s = 5/8: z = (1/4) / sqrt(s (1 - s) 2 / 100) = 3.65, in both bins."""
    bins = Bins(np.array([[0.0], [10.0]], dtype=np.float32), np.array([50, 50]))
    fake = np.repeat([[1.0], [9.0]], [75, 25], axis=0)
    a = np.array([0.625, 0.375])
    js = (0.5 * np.log(0.5 / a)).sum() / 2 + (np.array([0.75, 0.25]) * np.log(np.array([0.75, 0.25]) / a)).sum() / 2
    assert metrics.different_bins(bins, fake) == (2, pytest.approx(js))
    assert metrics.different_bins(bins, fake, z=3.7).ndb == 0
    assert metrics.different_bins(bins, np.repeat([[1.0], [9.0]], 50, axis=0)) == (0, 0)


def test_disjoint_bins_have_the_largest_divergence() -> None:
    bins = Bins(np.array([[0.0], [10.0]], dtype=np.float32), np.array([80, 0]))
    assert metrics.different_bins(bins, np.full((90, 1), 9.0)) == (2, pytest.approx(math.log(2)))


def test_bins_of_real_digits_give_the_published_figures() -> None:
    """Published: held-out training images 0 bins, JS 0.0014; test images 4, 0.0041; held-out ones without 9: 11, 0.016.

    Here, over 20 random starts of 20 iterations: 0 to 2, 0.0012 to 0.0019; 4 to 12, 0.0034 to 0.0050; 9 to 14, 0.0114
    to 0.0162. The test does 5 iterations.
    """
    rng = np.random.default_rng(0)
    order = rng.permutation(60_000)
    bins = metrics.fit_bins(TRAIN[order[:50_000]], rng, iterations=5)
    held_out, labels = TRAIN[order[50_000:]], TRAIN_LABELS[order[50_000:]]
    same = metrics.different_bins(bins, held_out)
    test = metrics.different_bins(bins, TEST)
    without_nine = metrics.different_bins(bins, held_out[labels < 9])
    assert same.ndb <= 2 and same.js == pytest.approx(0.0014, abs=0.0007)
    assert test.ndb == pytest.approx(8, abs=4) and test.js == pytest.approx(0.0041, abs=0.0009)
    assert without_nine.ndb == pytest.approx(11, abs=3) and without_nine.js == pytest.approx(0.016, abs=0.004)


# ---- the plane


@pytest.mark.parametrize(("mixture", "n_modes"), [(RING, 8), (GRID, 25)])
def test_a_perfect_sampler_hits_all_modes_with_98_89_percent(mixture: Mixture, n_modes: int) -> None:
    assert mixture.centres.shape == (n_modes, 2)
    found = modes(mixture, mixture.sample(200_000, np.random.default_rng(0)))
    assert found.hit == n_modes
    assert found.high_quality == pytest.approx(0.9889, abs=0.0007)  # three standard errors
    assert modes(mixture, mixture.sample(2500, np.random.default_rng(1))).hit == n_modes


def test_modes_of_single_points() -> None:
    points = RING.centres[[0, 0, 2]] + np.array([[0.029, 0], [0.031, 0], [0, -0.029]])  # inside, outside, inside
    assert modes(RING, points) == (2, pytest.approx(2 / 3))
    assert modes(RING, np.zeros((5, 2))) == (0, 0)


def test_ring_and_grid_lie_where_the_papers_put_them() -> None:
    np.testing.assert_allclose(np.hypot(*RING.centres.T), 1)
    np.testing.assert_allclose(RING.centres[[0, 2]], [[1, 0], [0, 1]], atol=1e-15)
    assert sorted(map(tuple, GRID.centres)) == [(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)]
    assert (RING.sigma, GRID.sigma) == (0.01, 0.05)


# ---- bad input


def test_bad_input_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="fake: NaN or infinity"):
        metrics.frechet_distance(np.ones((5, 2)), np.full((5, 2), np.nan))
    with pytest.raises(ShapeError, match="differ in dimension: 2 and 3"):
        metrics.frechet_distance(np.ones((5, 2)), np.ones((5, 3)))
    with pytest.raises(ShapeError, match="at least 6 points"):
        metrics.precision_recall_density_coverage(np.ones((5, 2)), np.ones((5, 2)))
    with pytest.raises(ShapeError, match="at least 100 points"):
        metrics.fit_bins(np.ones((5, 2)), np.random.default_rng(0))
    with pytest.raises(ShapeError, match=r"expected samples of shape \(N, 2\), got \(2,\)"):
        modes(RING, np.ones(2))
    with pytest.raises(InputError, match="the generator has diverged"):
        modes(RING, np.full((3, 2), np.inf))
