"""Few labelled pictures: the parts never meet, mixtures are what they say, validation chooses, the test is looked at
once; and what several seeds say together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import write_picture

from nanogan.backend import Array, Shape
from nanogan.errors import InputError
from nanogan.few import experiment
from nanogan.few.classify import accuracy, classifier, mixture, shifted_and_turned, trained
from nanogan.few.experiment import ARMS, MIXED, SHARES, Settings, best, run_seed
from nanogan.few.folder import Folder
from nanogan.few.parts import Part, Parts, read_parts
from nanogan.few.summary import advice, gain, mean, table


def bars(count: int, seed: int = 0) -> Part:
    """Two classes that are easily told apart: a bright row somewhere, or a bright column, in noise."""
    rng = np.random.default_rng(seed)
    images = rng.uniform(0, 0.2, (count, 8, 8, 1)).astype(np.float32)
    labels = np.arange(count) % 2
    for image, label, place in zip(images, labels, rng.integers(1, 7, count), strict=True):
        image[(place, slice(None)) if label else (slice(None), place)] = 1
    return Part(images, labels)


PARTS = Parts(bars(80), bars(40, 1), bars(60, 2), ("column", "row"), "bars")
SHORT = Settings(per_class=10, gan_steps=3, classifier_steps=40, width=4)


# ---- parts


def as_they_are(natural: Shape) -> Shape:
    return natural


def folder_of(path: Path, **counts: int) -> Path:
    for name, count in counts.items():
        for number, picture in enumerate(bars(count).images):
            write_picture(path / name / f"{number}.png", (255 * picture[..., 0]).astype(np.uint8))
    return path


def test_a_folder_is_split_class_by_class_and_the_same_for_every_seed(tmp_path: Path) -> None:
    parts = read_parts(str(folder_of(tmp_path, a=20, b=40)), as_they_are)
    assert parts.class_names == ("a", "b") and parts.shape == (8, 8, 1)
    for part, share in ((parts.test, 0.3), (parts.validation, 0.1), (parts.pool, 0.6)):
        assert np.bincount(part.labels).tolist() == [round(20 * share), round(40 * share)]
    again = read_parts(str(tmp_path), as_they_are)
    np.testing.assert_array_equal(parts.test.images, again.test.images)
    assert "36 to train on, 6 to choose by, 18 for the test (drawn by chance" in parts.description


def test_mnist_keeps_its_own_test_part() -> None:
    parts = read_parts(None, as_they_are)
    assert [len(part) for part in (parts.pool, parts.validation, parts.test)] == [59_500, 500, 10_000]
    assert parts.test.labels[:4].tolist() == [7, 2, 1, 0] and parts.class_names[7] == "7"
    few = parts.few(3, np.random.default_rng(0))
    assert np.bincount(few.labels).tolist() == [3] * 10 and few.images.max() == 1
    known = {image.tobytes() for image in parts.validation.images}
    assert not any(image.tobytes() in known for image in few.images)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            {"cat": 30, "dog": 15},
            "class 'dog': 9 pictures are left to train on, .* --per-class asks for 10; choose fewer",
        ),
        ({"cat": 30}, "no classes found, and a classifier needs at least two: a folder for each class"),
    ],
)
def test_too_few_pictures_or_classes_are_named(tmp_path: Path, counts: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_parts(str(folder_of(tmp_path, **counts)), as_they_are).expect(10)


# ---- classifiers


def test_a_small_shift_and_turn_moves_a_line_as_it_says() -> None:
    """Bilinear: the mean stays, a line stays near, and no two images are moved alike."""
    images = np.zeros((200, 29, 29, 1), np.float32)
    images[:, 14] = 1  # a row in the middle
    changed = shifted_and_turned(images, np.random.default_rng(0))
    assert changed.shape == images.shape and changed.dtype == np.float32
    assert 0 <= changed.min() and changed.max() <= 1
    middle = (changed[:, :, 14, 0] * np.arange(29)).sum(axis=1) / changed[:, :, 14, 0].sum(axis=1)
    assert abs(middle - 14).max() < 2.6 and middle.std() > 0.8
    left = (changed[:, :, 4, 0] * np.arange(29)).sum(axis=1) / changed[:, :, 4, 0].sum(axis=1)
    slope = (middle - left) / 10
    assert abs(slope).max() <= math.tan(math.radians(12)) + 0.01 and slope.std() > 0.08
    assert len(np.unique(changed.reshape(200, -1), axis=0)) == 200


def test_nothing_is_changed_where_nothing_is_drawn() -> None:
    class Middle:
        def uniform(self, low: float, high: float, shape: Any) -> Array:
            return np.zeros(shape)

    images = bars(6).images
    np.testing.assert_allclose(shifted_and_turned(images, Middle()), images, atol=1e-6)  # type: ignore[arg-type]


def test_a_mixture_has_the_share_that_it_says() -> None:
    real, generated = bars(10), Part(np.full((50, 8, 8, 1), 2, np.float32), np.ones(50, np.int64))
    for share in (0.0, 0.3, 1.0):
        mixed = mixture(real, generated, share, 200, np.random.default_rng(0))
        assert len(mixed) == 200 and (mixed.images[:, 0, 0, 0] == 2).mean() == share
    mixed = mixture(real, generated, 0.5, 40, np.random.default_rng(0))
    of_real = [image.tobytes() for image in mixed.images[:20]]
    assert all(of_real.count(image.tobytes()) == 2 for image in real.images), "each real one as often"
    assert [dict(zip((i.tobytes() for i in real.images), real.labels, strict=True))[i] for i in of_real] == list(
        mixed.labels[:20]
    )


def test_the_classifier_learns_what_is_easy() -> None:
    network = trained([bars(400)], 2, lr=3e-3, steps=80, rng=np.random.default_rng(0))
    assert accuracy(network, PARTS.test) > 0.9
    untrained = classifier((8, 8, 1), 2, np.random.default_rng(0))
    assert 0.2 < accuracy(untrained, PARTS.test) < 0.8


def test_validation_chooses_and_the_test_part_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    told = iter([0.5, 0.9, 0.7, 0.25])

    def watched(network: Any, part: Part) -> float:
        seen.append(len(part))
        return next(told)

    monkeypatch.setattr(experiment, "accuracy", watched)
    candidates = [(1e-3, share) for share in SHARES]
    found, _ = best(PARTS, bars(20), bars(100), "all", candidates, SHORT, 0)
    assert seen == [40, 40, 40, 60]
    assert (found["share"], found["validation"], found["test"]) == (SHARES[1], 0.9, 0.25)
    assert [one["validation"] for one in found["tried"]] == [0.5, 0.9, 0.7]


def test_one_seed_repeats_and_draws_every_class() -> None:
    (row, shown), (again, _) = (run_seed(PARTS, SHORT, 0) for _ in range(2))
    assert row["arms"] == again["arms"] and list(row["arms"]) == list(ARMS)
    assert shown.shape == (20, 8, 8, 1) and 0 <= shown.min() <= shown.max() <= 1
    assert row["arms"]["all"]["lr"] == row["arms"]["shifts"]["lr"] and MIXED % 2 == 0


# ---- several seeds


def row(seed: int, *of_arms: float) -> dict[str, Any]:
    """Of ARMS in order, the test's; validation prefers real, and all."""
    tests = dict(zip(ARMS, of_arms, strict=True))
    validation = {"real": 0.2, "shifts": 0.1, "generated": 0.1, "all": 0.3}
    arms = {
        arm: {"test": value, "validation": validation[arm], "share": 0.3 * (arm in ARMS[2:]), "lr": 1e-3}
        for arm, value in tests.items()
    }
    return {"seed": seed, "arms": arms}


def test_the_mean_and_its_standard_error() -> None:
    assert mean([1.0, 2.0, 3.0]) == pytest.approx((2, 1 / math.sqrt(3)))
    assert str(mean([1.0, 2.0, 3.0])) == "2.0 +- 0.6" and str(mean([2.0])) == "2.0"


@pytest.mark.parametrize(
    ("better", "words"),
    [
        ((0.83, 0.84, 0.85), "generated pictures helped by 3.3 +- 0.3 points (all three, against real + shifts and "),
        ((0.79, 0.82, 0.81), "generated pictures made no difference that could be told: 0.0 +- 0.6 points"),
        ((0.75, 0.76, 0.77), "generated pictures did not help: -4.7 +- 0.3 points"),
    ],
)
def test_the_advice_weighs_the_gain_against_its_error(better: tuple[float, ...], words: str) -> None:
    seeds = [row(n, 0.7, 0.8 + 0.01 * min(n, 1), 0.72, value) for n, value in enumerate(better)]
    assert advice(seeds).startswith(words)
    assert advice(seeds).endswith("use shifts and small rotations") == (better[0] < 0.8)


def test_the_mixture_is_chosen_by_validation_and_held_against_the_best_of_the_others() -> None:
    seeds = [row(n, 0.7, 0.8, 0.9, 0.6) for n in range(2)]
    assert gain(seeds)[0].value == pytest.approx(-20) and gain(seeds)[1:] == ("all", "shifts")
    assert advice(seeds[:1]) == (
        "one seed says nothing yet: -20.0 points (all three, against real + shifts and small rotations); run more"
    )


def test_the_table_has_every_seed() -> None:
    text = table([row(0, 0.7, 0.8, 0.72, 0.8), row(1, 0.72, 0.8, 0.72, 0.81)])
    assert "| real pictures | 70.0 | 72.0 | 71.0 +- 1.0 % |  |" in text
    assert "| all three | 80.0 | 81.0 | 80.5 +- 0.5 % | 0.3 |" in text


# ---- the folder


def test_a_folder_keeps_each_seed_and_is_taken_up_with_the_same_settings_alone(tmp_path: Path) -> None:
    out, shown = tmp_path / "out", bars(20).images
    with Folder(out).opened(SHORT, PARTS) as folder:
        folder.add(row(1, 0.7, 0.8, 0.72, 0.8), shown)
        folder.add(row(0, 0.7, 0.8, 0.72, 0.8), shown)
    assert {file.name for file in out.iterdir()} == {"results.json", "table.md", "accuracy.png", "generated.png"}
    with pytest.raises(InputError, match="already holds results; go on with --resume, or choose another --out"):
        Folder(out)
    with pytest.raises(InputError, match="nothing to resume"):
        Folder(tmp_path / "other", resume=True)
    with Folder(out, resume=True).opened(SHORT, PARTS) as folder:
        assert folder.seeds == [0, 1]
    with pytest.raises(InputError, match="was made with other settings; give the same"):
        with Folder(out, resume=True).opened(Settings(per_class=20), PARTS):
            pass
    (out / "results.json").write_text('{"seeds": [{}]}')
    with pytest.raises(InputError, match="cannot be read"):
        with Folder(out, resume=True).opened(SHORT, PARTS):
            pass
