"""examples/augment.py as a user types it: what it leaves, how it goes on, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from making import write_picture
from running import ROOT, run

EXAMPLE = str(ROOT / "examples" / "augment.py")
SHORT = ("--gan-steps", 2, "--classifier-steps", 40)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, count in (("dark", 20), ("light", 30)):
        for number in range(count):
            pixels = rng.integers(0, 120, (8, 8), dtype=np.uint8) + (130 if name == "light" else 0)
            write_picture(tmp_path / "data" / name / f"{number}.png", pixels.astype(np.uint8))
    return tmp_path


def test_it_leaves_results_and_goes_on(pictures: Path) -> None:
    given = (EXAMPLE, "--data", "data", "--per-class", 5, *SHORT)
    done = run(*given, "--seeds", 1, cwd=pictures)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("50 pictures of 8 x 8, grey") and "2 classes: dark, light" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("one seed says nothing yet")
    out = pictures / "runs" / "augment-data-5"
    assert {file.name for file in out.iterdir()} == {"results.json", "table.md", "accuracy.png", "generated.png"}
    again = run(*given, "--seeds", 2, cwd=pictures)
    assert again.returncode == 2 and "already holds results" in again.stderr and len(again.stderr.splitlines()) == 1
    done = run(*given, "--seeds", 2, "--resume", "--quiet", cwd=pictures)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 8 and "generated pictures" in done.stdout.splitlines()[-1]
    results = json.loads((out / "results.json").read_text())
    assert [seed["seed"] for seed in results["seeds"]] == [0, 1]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("--per-class", 0), "'0' is not a whole number of at least 1"),
        (("--per-class", 13), "class 'dark': 12 pictures are left to train on"),
        (("--data", "data/dark"), "no classes found"),
        (("--data", "nowhere"), "nowhere: no such file or folder"),
        (("--size", 9), "images of 9 x 9 don't fit"),
        (("--out", "data/results"), "lies in --data data"),
        (("--resume",), "nothing to resume"),
    ],
)
def test_a_mistake_is_one_line(pictures: Path, typed: tuple[object, ...], message: str) -> None:
    done = run(EXAMPLE, "--data", "data", *typed, *SHORT, cwd=pictures)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (pictures / "runs").exists()


def test_pictures_that_cannot_be_read_are_said(pictures: Path) -> None:
    for number in range(3):
        (pictures / "data" / "dark" / f"broken{number}.png").write_bytes(b"no picture")
    done = run(EXAMPLE, "--data", "data", "--per-class", 5, *SHORT, cwd=pictures)
    assert done.returncode == 2 and "pictures could not be read" in done.stderr
