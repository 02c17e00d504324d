"""The feature network that defines FD-mnist, and the training of small classifiers."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nanogan import Linear, Network, ReLU
from nanogan.backend import Array
from nanogan.data.images import load_mnist
from nanogan.errors import InputError, ShapeError
from nanogan.metrics import classifier
from nanogan.metrics.classifier import WEIGHTS, WEIGHTS_SHA256, feature_network, load_feature_network
from nanogan.metrics.samples import frechet_distance

ROOT = Path(__file__).parents[2]
TRAIN, TRAIN_LABELS = load_mnist("train", scale=(0, 1))
TEST, TEST_LABELS = load_mnist("test", scale=(0, 1))


def test_the_shipped_network_reads_real_digits_and_sets_the_floor() -> None:
    """99.46 % of the test images; FD-mnist of 10,000 training against 10,000 test images 0.098."""
    test_features, digits = classifier.features_and_digits(TEST)
    assert (digits == TEST_LABELS).mean() >= 0.992
    assert test_features.shape == (10_000, 64)
    assert test_features.dtype == np.float32
    assert (test_features >= 0).all() and (test_features.max(axis=0) > 0).all(), "no feature is dead"
    train_features, _ = classifier.features_and_digits(TRAIN[:10_000])
    assert frechet_distance(test_features, train_features) == pytest.approx(0.0984, rel=0.01)


def test_features_do_not_depend_on_the_other_images() -> None:
    """In evaluation, batch norm has no batch: one image alone gives what it gives among 700."""
    together, digits = classifier.features_and_digits(TEST[:700])
    for i in (0, 650):
        alone, digit = classifier.features_and_digits(TEST[i : i + 1])
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-4, atol=1e-5)
        assert digit[0] == digits[i]


def test_the_weights_are_small_and_those_that_were_hashed(tmp_path: Path) -> None:
    content = WEIGHTS.read_bytes()
    assert len(content) <= 400_000
    assert hashlib.sha256(content).hexdigest() == WEIGHTS_SHA256
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=r"damaged\.npz: not the weights .*SHA-256 differs"):
        load_feature_network(damaged)
    with pytest.raises(InputError, match=r"absent\.npz: .*reinstall"):
        load_feature_network(tmp_path / "absent.npz")


def test_weights_survive_saving_in_half_precision(tmp_path: Path) -> None:
    network = feature_network(np.random.default_rng(3))
    first, again = (classifier.save_weights(network, tmp_path / name) for name in ("a.npz", "b.npz"))
    assert first == again, "the same weights give the same bytes"
    loaded = load_feature_network(tmp_path / "a.npz", first)
    np.testing.assert_array_equal(loaded.params, network.params.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(loaded.state, network.state)


def test_importing_loads_no_weights() -> None:
    code = "import nanogan, nanogan.metrics.classifier as c; print(c.load_feature_network.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "0"


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(N, 28, 28, 1\), got \(2, 28, 28\)"):
        classifier.features_and_digits(TEST[:2, :, :, 0])


# ---- training


def small(seed: int = 0) -> tuple[Network, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return Network([Linear(784, 32), ReLU(), Linear(32, 10)], 784, rng=rng), rng


def test_a_small_classifier_learns_and_repeats() -> None:
    """2,000 digits, 5 epochs: about 86 % of the test images; the same weights again from the same seed."""
    lines: list[str] = []

    def trained(seed: int) -> Network:
        network, rng = small(seed)
        images = TRAIN[:2050].reshape(-1, 784)  # 50 too many for the batches
        classifier.train_classifier(network, images, TRAIN_LABELS[:2050], epochs=5, lr=3e-3, rng=rng, log=lines.append)
        return network

    first, again, other = trained(0), trained(0), trained(1)
    np.testing.assert_array_equal(first.params, again.params)
    assert (first.params != other.params).any()
    assert (classifier.predict(first, TEST.reshape(-1, 784)) == TEST_LABELS).mean() > 0.83
    assert [line.partition(":")[0] for line in lines[:5]] == [f"epoch {i} of 5" for i in range(1, 6)]


def test_the_step_size_falls_to_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []

    class Recorded(classifier.Adam):
        def step(self) -> None:
            rates.append(self.lr)
            super().step()

    monkeypatch.setattr(classifier, "Adam", Recorded)
    network, rng = small()
    classifier.train_classifier(
        network, TRAIN[:300].reshape(-1, 784), TRAIN_LABELS[:300], epochs=2, lr=1e-3, rng=rng, batch=50
    )
    assert len(rates) == 12
    assert rates[0] == 1e-3
    assert rates[6] == pytest.approx(0.5e-3)
    assert all(a > b > 0 for a, b in itertools.pairwise(rates))


def test_moved_images_are_shifts_with_zeros_moving_in() -> None:
    images = TRAIN[:200]
    moved = classifier.moved(images, np.random.default_rng(0))
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    seen = set()
    for image, result in zip(padded, moved, strict=True):
        fits = [(i, j) for i in range(5) for j in range(5) if (image[i : i + 28, j : j + 28] == result).all()]
        assert len(fits) == 1
        seen.update(fits)
    assert len(seen) == 25, "every shift comes up"
    assert moved.shape == images.shape and moved.dtype == np.float32


def test_predict_takes_any_number_of_images() -> None:
    network, _ = small()
    images = TEST[:1201].reshape(-1, 784)
    expected = network.forward(images, training=False).argmax(axis=1).copy()
    np.testing.assert_array_equal(classifier.predict(network, images), expected)


@pytest.mark.parametrize(
    ("n", "labels"),
    [(50, np.zeros(50, int)), (200, np.zeros(199, int)), (200, np.full(200, 10)), (200, np.full(200, -1))],
)
def test_labels_that_do_not_fit_are_refused(n: int, labels: Array) -> None:
    network, rng = small()
    with pytest.raises(InputError, match=r"at least 100 images and a label in 0 \.\.\. 9 for each"):
        classifier.train_classifier(network, TRAIN[:n].reshape(-1, 784), labels, epochs=1, lr=1e-3, rng=rng)


def test_the_script_trains_the_feature_network(tmp_path: Path) -> None:
    """On 2,000 of the 60,000 images, twice: about 79 % of the test images."""
    out = tmp_path / "w.npz"
    script = [sys.executable, "tools/train_classifier.py", "--out", str(out), "--images", "2000", "--epochs", "2"]
    env = {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}  # 1 s; two threads on busy cores wait for each other
    done = subprocess.run(script, capture_output=True, text=True, cwd=ROOT, env=env)
    assert done.returncode == 0, done.stderr
    accuracy = float(done.stdout.partition("half precision: ")[2].partition(" %")[0])
    assert accuracy > 65
    assert hashlib.sha256(out.read_bytes()).hexdigest() in done.stdout
