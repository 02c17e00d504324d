"""The two kinds of pictures: tasks that are made here, folders, and what is wrong with folders."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from nanogan import InputError
from nanogan.backend import Array
from nanogan.cyclegan import sides, tasks
from nanogan.cyclegan.sides import load_sides, read_sides
from nanogan.data.images import load_mnist

# ---- tasks


def test_no_digit_is_in_both_styles_or_in_training_and_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """With drawings that are the digits themselves, as colour."""
    monkeypatch.setattr(tasks, "ink", lambda digits, rng: digits.repeat(3, axis=-1))
    parts = [images for part in load_sides("ink", None, None, seed=0) for images in (part.a[..., :1], part.b)]
    contents = [image.tobytes() for images in parts for image in images]
    assert [len(images) for images in parts] == [10_000, 10_000, 1_000, 1_000]
    assert len(set(contents)) == len(contents)


def test_ink_draws_an_outline_and_a_wash_on_paper() -> None:
    digits, _ = load_mnist("test", scale=(0, 1))
    drawn = tasks.ink(digits[:50], np.random.default_rng(0))
    assert drawn.shape == (50, 28, 28, 3) and drawn.dtype == np.float32 and 0 <= drawn.min() <= drawn.max() <= 1
    np.testing.assert_allclose(drawn[:, :2, :2].mean(axis=(0, 1, 2)), tasks.PAPER, atol=0.01)
    edges = (digits[:50, ..., 0] > 0.2) & (digits[:50, ..., 0] < 0.5)
    assert drawn[edges].mean() < 0.5 < drawn[digits[:50, ..., 0] == 0].mean()
    full = digits[:50].mean(axis=(1, 2, 3))
    redness = (drawn[..., 0] - drawn[..., 2]).max(axis=(1, 2))
    assert redness[full.argmax()] > 0.3 > redness[full.argmin()]
    same = tasks.ink(digits[:50], np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, same)


def test_a_photograph_is_drawn_with_lines_where_it_changes_and_pale_washes() -> None:
    picture = np.full((1, 24, 24, 3), 0.1, np.float32)
    picture[:, :, 12:] = (0.9, 0.6, 0.3)
    drawn = tasks.pen_and_wash(picture)
    assert drawn.shape == picture.shape and drawn.dtype == np.float32
    np.testing.assert_allclose(drawn[0, :, 11:13], np.broadcast_to(tasks.INK, (24, 2, 3)), atol=0.01)
    dark, light = drawn[0, 5, 4], drawn[0, 5, 20]
    np.testing.assert_allclose(dark, tasks.PAPER * (1 - tasks.STRENGTH * 0.9), atol=1e-6)
    assert (dark > 0.4).all() and (light > dark).all() and light[0] > light[1] > light[2]


def test_photographs_need_scikit_image_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'come with scikit-image: pip install "nanogan\[photographs\]"'):
        load_sides("photographs", None, None, seed=0)


@pytest.mark.skipif(find_spec("skimage") is None, reason="scikit-image's wheel brings the photographs")
def test_photographs_are_cut_into_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "CROPS", 12)
    train, test = load_sides("photographs", None, None, seed=0)
    assert train.a.shape == train.b.shape == (12, 64, 64, 3) and len(test.a) == len(test.b) == sides.FEWEST
    assert 0 <= train.a.min() < 0.2 < 0.8 < train.a.max() <= 1


# ---- folders


def fill(folder: Path, pictures: Array) -> Path:
    Image = pytest.importorskip("PIL.Image")
    folder.mkdir()
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """12 and 15 pictures, of 12 x 8 pixels, in colour and in grey; two of the second are equal."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (15, 8, 12), dtype=np.uint8)
    grey[4] = grey[9]
    return fill(tmp_path / "a", rng.integers(0, 256, (12, 8, 12, 3), dtype=np.uint8)), fill(tmp_path / "b", grey)


def test_a_fifth_of_each_folder_is_set_aside(folders: tuple[Path, Path]) -> None:
    train, test = read_sides(*folders, seed=0, quiet=True)
    assert (train.a.shape, train.b.shape[1:]) == ((10, 8, 12, 3), (8, 12, 1)) and len(test.a) == 2
    assert len(train.b) + len(test.b) == 15 and 3 <= len(test.b) <= 4
    assert not {x.tobytes() for x in train.b} & {x.tobytes() for x in test.b}, "equal pictures stay together"
    assert train.task == "a and b" and "a: " in train.description and "b: " in train.description
    assert train.suits == {}
    square, _ = read_sides(*folders, seed=0, size=16, quiet=True)
    assert square.a.shape[1:] == (16, 16, 3) and square.b.shape[1:] == (16, 16, 1)


def test_folders_that_make_no_sense_are_refused(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    a, b = folders
    rng = np.random.default_rng(1)
    few = fill(tmp_path / "few", rng.integers(0, 256, (9, 8, 12), dtype=np.uint8))
    large = fill(tmp_path / "large", rng.integers(0, 256, (12, 16, 12), dtype=np.uint8))
    (tmp_path / "empty").mkdir()
    inner = fill(a / "inner", rng.integers(0, 256, (12, 8, 12), dtype=np.uint8))
    copied = fill(tmp_path / "copied", rng.integers(0, 256, (11, 8, 12), dtype=np.uint8))
    (copied / "again.png").write_bytes((b / "3.png").read_bytes())
    for one, other, said in (
        (a, tmp_path / "empty", r"empty: .*no (pictures|images|files)|empty"),
        (a, tmp_path / "missing", "missing"),
        (b, b, "--a and --b are one folder, .*; a style needs two kinds of pictures"),
        (b, tmp_path / "a" / ".." / "b", "are one folder"),
        (a, inner, "inner lies in .*: its pictures would be of both kinds"),
        (inner, a, "inner lies in"),
        (b, copied, r"3\.png and .*again\.png are one picture; keep it in one folder"),
        (few, b, "few: holds 9 pictures; a style needs at least 10"),
        (b, large, r"b holds 12 x 8 pixels, grey, .*large 12 x 16 pixels, grey; make them one size, as --size 64 does"),
    ):
        with pytest.raises(InputError, match=said) as refused:
            read_sides(one, other, seed=0, quiet=True)
        assert "\n" not in str(refused.value)


def test_arguments_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InputError, match="--task ink: makes pictures of its own; leave it out, or --a and --b"):
        load_sides("ink", "x", "y", seed=0)
    for a, b, missing in (("x", None, "b"), (None, "y", "a")):
        with pytest.raises(InputError, match=f"--{missing}: a folder is missing; a style needs two"):
            load_sides(None, a, b, seed=0)
