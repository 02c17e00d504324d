"""How near images are to their targets: against the definitions written out, and scikit-image's figures."""

from __future__ import annotations

import numpy as np
import pytest

from nanogan.backend import Array
from nanogan.data.images import load_mnist
from nanogan.errors import ShapeError
from nanogan.pix2pix import similarity


def images(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).random(shape)


def plain_ssim(x: Array, y: Array) -> float:
    """Of one channel of one image: window after window."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    found = []
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            ma, mb = (weights * a).sum(), (weights * b).sum()
            va, vb = (weights * (a - ma) ** 2).sum(), (weights * (b - mb) ** 2).sum()
            cov = (weights * (a - ma) * (b - mb)).sum()
            found.append((2 * ma * mb + 1e-4) * (2 * cov + 9e-4) / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4)))
    return float(np.mean(found))


def test_ssim_is_the_definition() -> None:
    x, y = images(0, 3, 12, 14, 2), images(1, 3, 12, 14, 2)
    y[1] = 0.5 * x[1] + 0.2  # less contrast, brighter
    expected = [np.mean([plain_ssim(a[..., c], b[..., c]) for c in range(2)]) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(similarity.ssim(x, y), expected, rtol=1e-9)
    np.testing.assert_allclose(similarity.ssim(x, x), 1, rtol=1e-12)
    np.testing.assert_allclose(similarity.ssim(y, x), expected, rtol=1e-9)


def test_on_digits_the_figures_are_scikit_images() -> None:
    """Recorded with scikit-image 0.26.0: structural_similarity(a, b, gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=1) and peak_signal_noise_ratio(a, b, data_range=1)."""
    x = load_mnist("test", scale=(0, 1), dtype=np.float64)[0][:4]
    y = np.roll(x, 1, axis=2) * 0.9 + 0.05
    ssim = [0.5081099161680932, 0.5383123687087069, 0.20240133190999438, 0.6002851369510959]
    psnr = [15.539784326899985, 14.981322838384937, 15.27108839660038, 13.683555955137148]
    np.testing.assert_allclose(similarity.ssim(x, y), ssim, rtol=1e-9)
    np.testing.assert_allclose(similarity.psnr(x, y), psnr, rtol=1e-12)


def test_l1_and_psnr_of_a_known_distance() -> None:
    x = images(0, 2, 5, 4, 3)
    y = x + np.array([0.1, -0.01])[:, None, None, None]
    np.testing.assert_allclose(similarity.l1(x, y), [0.1, 0.01])
    np.testing.assert_allclose(similarity.psnr(x, y), [20, 40])
    assert (similarity.psnr(x, x) == np.inf).all()


def test_float32_images_are_measured_as_precisely() -> None:
    x, y = images(0, 2, 28, 28, 1), images(1, 2, 28, 28, 1)
    for measure in (similarity.l1, similarity.psnr, similarity.ssim):
        np.testing.assert_allclose(measure(x.astype(np.float32), y.astype(np.float32)), measure(x, y), rtol=1e-5)


@pytest.mark.parametrize("measure", [similarity.l1, similarity.psnr, similarity.ssim])
def test_images_of_two_shapes_are_refused(measure) -> None:
    with pytest.raises(ShapeError, match="two sets of images of one shape"):
        measure(images(0, 2, 12, 12, 1), images(0, 2, 12, 12, 3))


def test_ssim_needs_room_for_its_window() -> None:
    with pytest.raises(ShapeError, match="at least 11 x 11 pixels"):
        similarity.ssim(images(0, 2, 10, 12, 1), images(0, 2, 10, 12, 1))
