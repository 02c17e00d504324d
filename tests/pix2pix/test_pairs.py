"""Pairs: what the tasks make of digits, what a folder may hold, and a test part that stays apart."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from nanogan.backend import Array
from nanogan.data.images import load_mnist
from nanogan.errors import InputError
from nanogan.pix2pix.pairs import TASKS, Pairs, digit_pairs, load_pairs, split
from nanogan.pix2pix.tasks import BLOCK, NOISE

Image = pytest.importorskip("PIL.Image", reason="Pillow isn't needed on a machine that only tests a GPU")

DIGITS, LABELS = (array[:300] for array in load_mnist("test", scale=(0, 1)))


def hashes(images: Array) -> list[str]:
    return [hashlib.sha256(image.tobytes()).hexdigest() for image in images]


# ---- tasks


@pytest.mark.parametrize("task", TASKS)
def test_a_task_gives_pairs_that_depend_on_digits_and_seed_alone(task: str) -> None:
    one, same = (digit_pairs(task, DIGITS, LABELS, seed=3) for _ in range(2))
    channels = 3 if task == "colour" else 1
    assert one.conditions.shape == (300, 28, 28, 1) and one.targets.shape == (300, 28, 28, channels)
    for found, again in ((one.conditions, same.conditions), (one.targets, same.targets)):
        assert found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
        np.testing.assert_array_equal(found, again)
    other = digit_pairs(task, DIGITS, LABELS, seed=4)
    assert (task == "restore") != np.array_equal(one.conditions, other.conditions)
    np.testing.assert_array_equal(DIGITS, load_mnist("test", scale=(0, 1))[0][:300])  # not written to


def test_restore_erases_a_square_and_adds_noise() -> None:
    """On white pictures, without clipping at white: what is far from white is the square."""
    white = np.full((200, 28, 28, 1), 0.999, np.float32)
    damaged, target = TASKS["restore"](white, np.random.default_rng(0))
    np.testing.assert_array_equal(target, white)
    grey = digit_pairs("restore", np.full_like(white, 0.5), None, 0).conditions
    outside = grey[:, [0, -1]]  # the border is never erased
    assert outside.mean() == pytest.approx(0.5, abs=0.01) and outside.std() == pytest.approx(NOISE, rel=0.1)
    corners = set()
    for picture in damaged[..., 0]:
        means = np.lib.stride_tricks.sliding_window_view(picture, (BLOCK, BLOCK)).mean(axis=(2, 3))
        top, left = np.unravel_index(means.argmin(), means.shape)
        assert means.min() < 0.25  # of an erased square, where noise below black is clipped
        assert 4 <= top <= 24 - BLOCK and 4 <= left <= 24 - BLOCK
        corners.add((top, left))
    rows, columns = zip(*corners, strict=True)
    assert min(rows) == min(columns) == 4 and max(rows) == max(columns) == 24 - BLOCK


def test_super_resolution_keeps_the_mean_of_every_4_by_4_pixels() -> None:
    small, target = TASKS["super-resolution"](DIGITS, np.random.default_rng(0))
    np.testing.assert_array_equal(target, DIGITS)
    for i, j in ((0, 0), (12, 8), (24, 24)):
        tile = small[:, i : i + 4, j : j + 4]
        np.testing.assert_allclose(
            tile, DIGITS[:, i : i + 4, j : j + 4].mean(axis=(1, 2), keepdims=True) + 0 * tile, atol=1e-6
        )


def test_edges_are_the_pixels_that_touch_the_outside() -> None:
    square = np.zeros((1, 9, 9, 1), np.float32)
    square[0, 2:7, 2:7] = 1
    square[0, 0, 0] = 1  # at the border of the picture, alone
    outline, _ = TASKS["edges"](square, np.random.default_rng(0))
    expected = square.copy()
    expected[0, 3:6, 3:6] = 0
    np.testing.assert_array_equal(outline, expected)


def test_colour_is_a_function_of_the_ink_and_keeps_the_brightness() -> None:
    grey, coloured = TASKS["colour"](DIGITS, np.random.default_rng(0))
    np.testing.assert_array_equal(grey, DIGITS)
    np.testing.assert_allclose(coloured.max(axis=-1, keepdims=True), DIGITS, atol=1e-6)
    shares = coloured.sum(axis=(1, 2))
    warmth = (shares[:, 0] - shares[:, 2]) / shares.max(axis=1)  # -1 blue ... 1 red
    order = DIGITS.mean(axis=(1, 2, 3)).argsort()
    assert (np.diff(warmth[order]) > -1e-6).all() and warmth.min() < -0.9 and warmth.max() > 0.9


# ---- the split


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", [0, 1])
def test_no_test_image_is_trained_on_and_a_seed_repeats_the_split(task: str, seed: int) -> None:
    pairs = digit_pairs(task, DIGITS, np.arange(300), seed)  # labels that number the digits
    train, test = split(pairs, seed)
    assert train.labels is not None and test.labels is not None
    assert len(test) == 60 and sorted([*train.labels, *test.labels]) == list(range(300))
    assert not set(hashes(train.targets)) & set(hashes(test.targets))
    assert not set(hashes(train.conditions)) & set(hashes(test.conditions))
    for part in (train, test):
        np.testing.assert_array_equal(part.conditions, pairs.conditions[part.labels])
        np.testing.assert_array_equal(part.targets, pairs.targets[part.labels])
    np.testing.assert_array_equal(test.labels, split(pairs, seed)[1].labels)
    again = split(pairs, seed + 1)[1].labels
    assert again is not None and not np.array_equal(test.labels, again)


def test_copies_of_a_target_fall_into_one_part() -> None:
    targets = np.concatenate([DIGITS[:50]] * 3)
    train, test = split(Pairs("copies", np.arange(150, dtype=np.float32).reshape(150, 1, 1, 1), targets), 0)
    assert len(test) == 30 and len(train) == 120 and not set(hashes(train.targets)) & set(hashes(test.targets))


def test_all_of_mnists_test_file_is_split_four_to_one() -> None:
    train, test = split(load_pairs(None, task=None, direction=None, seed=0), 0)
    assert train.task == "restore" and (len(train), len(test)) == (8000, 2000)
    assert not set(hashes(train.targets)) & set(hashes(test.targets))


def test_too_few_pairs_cannot_be_split() -> None:
    with pytest.raises(InputError, match="leaves one part of 2 images empty"):
        split(digit_pairs("edges", DIGITS[:2], None, 0), 0)


def test_digits_of_ones_own_become_a_task(tmp_path: Path) -> None:
    np.save(tmp_path / "digits.npy", (DIGITS[:20, ..., 0] * 255).astype(np.uint8))
    pairs = load_pairs(tmp_path / "digits.npy", task="edges", direction=None, seed=0)
    assert pairs.task == "edges" and pairs.labels is None and len(pairs) == 20


def test_the_options_of_pictures_apply_to_digits(tmp_path: Path) -> None:
    plain, inverted = (
        load_pairs(None, task="edges", direction=None, seed=0, invert=invert) for invert in (False, True)
    )
    np.testing.assert_allclose(inverted.targets, 1 - plain.targets, atol=1e-6)
    np.save(tmp_path / "digits.npy", (DIGITS[:20, ..., 0] * 255).astype(np.uint8))
    pairs = load_pairs(tmp_path / "digits.npy", task="edges", direction=None, seed=0, invert=True)
    np.testing.assert_allclose(pairs.targets, 1 - DIGITS[:20], atol=1e-2)
    assert pairs.description.startswith("20 pictures of 28 x 28, grey, 0..255, from digits.npy")
