"""Pairs in folders: side by side or in A and B, with parts or without, and what is no pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from making import NO_PILLOW

from nanogan.backend import Array
from nanogan.errors import InputError
from nanogan.pix2pix.pairs import load_pairs, read_pairs, split

Image = pytest.importorskip("PIL.Image", reason=NO_PILLOW)


def save(path: Path, pixels: Array, mode: str | None = None) -> None:
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three colour pairs of 6 x 4: A is dark, B bright, each of its own shade."""
    for number in range(3):
        pixels = np.full((4, 12, 3), 10 * number, np.uint8)
        pixels[:, 6:] = 200 + 10 * number
        save(tmp_path / f"{number}.png", pixels)
    return tmp_path


def test_left_is_a_and_right_is_b(folder: Path) -> None:
    for direction, dark in (("AtoB", "conditions"), ("BtoA", "targets")):
        pairs = read_pairs(folder, direction)
        assert pairs.conditions.shape == pairs.targets.shape == (3, 4, 6, 3) and pairs.labels is None
        bright = {"conditions": "targets", "targets": "conditions"}[dark]
        shades = np.arange(3)[:, None, None, None] * 10
        np.testing.assert_allclose(getattr(pairs, dark), np.broadcast_to(shades / 255, (3, 4, 6, 3)), atol=1e-6)
        np.testing.assert_allclose(
            getattr(pairs, bright), np.broadcast_to((200 + shades) / 255, (3, 4, 6, 3)), atol=1e-6
        )
    assert load_pairs(folder, task=None, direction="BtoA", seed=0).conditions.min() > 0.7


def halves(number: int, *, grey: bool = False) -> tuple[Array, Array]:
    """The pair `number`: A is dark, B bright, each of its own shade and not of one grey all over."""
    shape = (4, 6) if grey else (4, 6, 3)
    a = np.full(shape, 10 * number, np.uint8)
    a[:, :2] = 100
    return a, 255 - a


def test_grey_pairs_have_one_channel(tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg"):
        save(tmp_path / name, np.concatenate(halves(0, grey=True), axis=1))
    assert read_pairs(tmp_path, "AtoB").targets.shape == (2, 4, 6, 1)


PLACES = {
    "side by side": ["{n}.png"],
    "side by side, deeper": ["data/more/{n}.png"],
    "A and B": ["A/{n}.png", "B/{n}.png"],
    "a and b, with other endings": ["a/{n}.png", "b/{n}.BMP"],
    "images and masks": ["images/{n}.png", "masks/{n}.png"],
    "input and target": ["data/input/{n}.png", "data/target/{n}.png"],
    "A and B, in folders": ["A/x/{n}.png", "B/x/{n}.png"],
}


@pytest.mark.parametrize("place", PLACES)
def test_pairs_are_found(tmp_path: Path, place: str) -> None:
    for number in range(3):
        pair = halves(number)
        pictures = pair if len(PLACES[place]) == 2 else [np.concatenate(pair, axis=1)]
        for name, pixels in zip(PLACES[place], pictures, strict=True):
            (tmp_path / name.format(n=number)).parent.mkdir(parents=True, exist_ok=True)
            save(tmp_path / name.format(n=number), pixels)
    (tmp_path / "._0.png").write_bytes(b"junk")
    for direction in ("AtoB", "BtoA"):
        pairs = load_pairs(tmp_path, task=None, direction=direction, seed=0)
        a, b = (pairs.conditions, pairs.targets) if direction == "AtoB" else (pairs.targets, pairs.conditions)
        for found, side in ((a, 0), (b, 1)):
            expected = np.stack([halves(number)[side] for number in range(3)]) / 255
            np.testing.assert_allclose(found, expected, atol=1e-6)
    assert pairs.is_test is None and pairs.description.startswith("3 pairs of 6 x 4 pixels, colour and 6 x 4 pixels, ")
    assert len(load_pairs(tmp_path, task=None, direction=None, seed=0, invert=True)) == 3
    inverted = read_pairs(tmp_path, "AtoB", invert=True)
    np.testing.assert_allclose(inverted.conditions, 1 - a, atol=1e-6)


PARTS = {
    "side by side": ["{part}/{n}.png"],
    "above A and B": ["{part}/A/{n}.png", "{part}/B/{n}.png"],
    "below A and B": ["A/{part}/{n}.png", "B/{part}/{n}.png"],
    "in one word": ["{part}A/{n}.png", "{part}B/{n}.png"],
    "in a name": ["my_{part}/A/{n}.png", "my_{part}/B/{n}.png"],
}


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "val"), ("train", "val", "test"), ("Training", "Test")])
@pytest.mark.parametrize("place", PARTS)
def test_the_folders_of_parts_are_the_split(tmp_path: Path, place: str, parts: tuple[str, ...]) -> None:
    if place == "in one word" and parts[0] == "Training":
        parts = ("train", "test")
    for count, part in zip((4, 2, 1), parts, strict=False):
        for number in range(count):
            pair = halves(number + 4 * (part != parts[0]))
            pictures = pair if len(PARTS[place]) == 2 else [np.concatenate(pair, axis=1)]
            for name, pixels in zip(PARTS[place], pictures, strict=True):
                file = tmp_path / name.format(part=part, n=number)
                file.parent.mkdir(parents=True, exist_ok=True)
                save(file, pixels)
    pairs = read_pairs(tmp_path, "AtoB")
    train, test = split(pairs, seed=5)
    assert len(train) == 4 and len(test) == (1 if len(parts) == 3 else 2)
    dark = train.conditions[:, 0, -1, 0]
    np.testing.assert_allclose(np.sort(dark), np.arange(4) * 10 / 255, atol=1e-6)
    assert test.conditions[:, 0, -1, 0].min() > dark.max()
    assert f"{len(test)} of them in the folder of the test part" in pairs.description
    assert ("2 in other folders left out" in pairs.description) == (len(parts) == 3)


BAD_PICTURES = {
    "odd width": (
        np.zeros((4, 13, 3), np.uint8),
        None,
        r"3\.png: is 13 x 4 pixels, colour; expected two pictures side",
    ),
    "other size": (np.zeros((6, 12, 3), np.uint8), None, r"3\.png: is 12 x 6 pixels, colour, but 0\.png is 12 x 4"),
    "grey": (np.zeros((4, 12), np.uint8), None, r"3\.png: is 12 x 4 pixels, grey, but 0\.png is 12 x 4 pixels, colour"),
}


@pytest.mark.parametrize("case", BAD_PICTURES)
def test_a_picture_that_is_no_such_pair_is_named(folder: Path, case: str) -> None:
    pixels, mode, message = BAD_PICTURES[case]
    save(folder / "3.png", pixels, mode)
    with pytest.raises(InputError, match=message) as caught:
        read_pairs(folder, "AtoB")
    assert "\n" not in str(caught.value)
    if case != "odd width":
        fitted = read_pairs(folder, "AtoB", fit="squeeze")
        assert fitted.targets.shape == (4, 4, 6, 3)


def test_transparent_pairs_show_the_background(folder: Path) -> None:
    save(folder / "3.png", np.zeros((4, 12, 4), np.uint8))
    pairs = read_pairs(folder, "AtoB", background="#ff0000")
    np.testing.assert_allclose(pairs.conditions[3], np.broadcast_to([1, 0, 0], (4, 6, 3)), atol=1e-6)
    assert "transparency painted on #ff0000 in 1" in pairs.description


def test_a_damaged_picture_is_named(folder: Path) -> None:
    (folder / "3.png").write_bytes((folder / "0.png").read_bytes()[:40])
    with pytest.raises(InputError, match=r"3\.png: cannot be read as a picture"):
        read_pairs(folder, "AtoB")


def test_a_few_damaged_pairs_are_skipped_and_listed(tmp_path: Path) -> None:
    for name, side in (("A", 0), ("B", 1)):
        (tmp_path / name).mkdir()
        for number in range(20):
            save(tmp_path / name / f"{number}.png", halves(number)[side])
    (tmp_path / "B" / "7.png").write_bytes(b"")
    pairs = read_pairs(tmp_path, "AtoB")
    assert len(pairs.conditions) == len(pairs.targets) == 19
    assert pairs.skipped.startswith("1 of 20 pictures could not be read: ") and "7.png" in pairs.skipped


NO_PAIRS = {
    "no partner": ({"A/1.png": 0, "B/1.png": 1, "A/2.png": 0}, r"A/2\.png has no partner of the same name"),
    "unpaired, as for CycleGAN": ({"trainA/1.png": 0, "trainB/2.png": 1}, "has no partner of the same name"),
    "in neither": ({"A/1.png": 0, "B/1.png": 1, "2.png": 0}, r"2\.png has no partner"),
    "two of one name": ({"1.png": 0, "1.jpg": 1}, r"1\.jpg and 1\.png have one name; put the halves"),
}


@pytest.mark.parametrize("case", NO_PAIRS)
def test_what_is_no_pair_is_named(tmp_path: Path, case: str) -> None:
    files, message = NO_PAIRS[case]
    for name, side in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save(tmp_path / name, halves(0)[side])
    with pytest.raises(InputError, match=message) as caught:
        read_pairs(tmp_path, "AtoB")
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_sides_of_two_sizes_and_of_no_contrast_are_refused(tmp_path: Path) -> None:
    for name in ("A", "B"):
        (tmp_path / name).mkdir()
    save(tmp_path / "A" / "1.png", halves(0)[0])
    save(tmp_path / "B" / "1.png", np.concatenate(halves(0), axis=1))
    with pytest.raises(InputError, match="A is 6 x 4 pixels, colour, B is 12 x 4 pixels, colour; resize one"):
        read_pairs(tmp_path, "AtoB")
    save(tmp_path / "B" / "1.png", np.full((4, 6, 3), 9, np.uint8))
    with pytest.raises(InputError, match="every pixel is 9"):
        read_pairs(tmp_path, "AtoB")


def test_pairs_of_16_bits(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png", np.concatenate(halves(number, grey=True), axis=1).astype(np.uint16) * 16)
    pairs = read_pairs(tmp_path, "AtoB")
    assert pairs.conditions.max() == 1 and pairs.conditions[..., -1, 0].min() == 0  # of 1600, the most that A holds
    save(tmp_path / "3.png", np.concatenate(halves(3, grey=True), axis=1))
    with pytest.raises(InputError, match="some pictures have more than 8 bits a pixel, some not"):
        read_pairs(tmp_path, "AtoB")


def test_what_does_not_go_together_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds pictures, which are taken as pairs; leave --task edges out"):
        load_pairs(folder, task="edges", direction=None, seed=0)
    with pytest.raises(InputError, match="--direction BtoA: is for a folder of pairs"):
        load_pairs(None, task="edges", direction="BtoA", seed=0)
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        load_pairs(tmp_path / "nowhere", task=None, direction=None, seed=0)
