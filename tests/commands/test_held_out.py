"""--images N trains on so many images, and D is asked about others: kept, taken up again, refused in one line."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import pytest
from running import ROOT, run

from nanogan.commands.data import HELD_OUT, parts, spread
from nanogan.errors import InputError
from nanogan.training.health import HELD_OUT as COLUMNS

EXAMPLE = str(ROOT / "examples" / "mnist_gan.py")
NUMBERED = np.arange(600, dtype=np.float32).reshape(-1, 1, 1, 1)


def parted(images: int | None, data: Any = NUMBERED, path: str | None = "d.npy") -> tuple[Any, Any]:
    return parts(argparse.Namespace(images=images, data=path), {"images": data, "labels": np.arange(len(data))}, (0, 1))


def test_both_parts_are_spread_evenly_and_have_nothing_in_common() -> None:
    trained, held_out = parted(200)
    assert trained["labels"].tolist() == list(range(0, 600, 3)) and len(held_out["images"]) == HELD_OUT
    assert not set(trained["labels"]) & set(held_out["labels"])
    assert np.diff(held_out["labels"]).max() <= 4 and held_out["labels"][-1] > 590
    for part in (trained, held_out):
        np.testing.assert_array_equal(part["images"].ravel(), part["labels"])


def test_a_folder_of_classes_leaves_some_of_each() -> None:
    labels = np.repeat(np.arange(10), 60)[parted(20)[0]["labels"]]
    np.testing.assert_array_equal(np.bincount(labels), np.full(10, 2))


def test_all_images_leave_none_but_those_of_mnists_test_part() -> None:
    trained, held_out = parted(None)
    assert trained["images"] is NUMBERED and len(held_out["images"]) == 0
    trained, held_out = parted(None, np.zeros((70, 28, 28, 1), np.float32), path=None)
    assert held_out["images"].shape == (HELD_OUT, 28, 28, 1) and held_out["labels"][:4].tolist() == [7, 2, 1, 0]
    assert spread(0, np.arange(0)).size == 0


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match="--images 601: there are only 600; choose fewer"):
        parted(601)


def test_a_run_on_some_of_the_images_says_what_d_says_of_others(tmp_path: Any) -> None:
    np.save(tmp_path / "d.npy", np.random.default_rng(0).integers(0, 256, (100, 8, 8), dtype=np.uint8))
    given = ("--images", 32, "--recipe", "vanilla", "--width", 8, "--batch-size", 8, "--seed", 0, "--out", "run")
    done = run(EXAMPLE, *given, "--data", "d.npy", "--epochs", 1, "--augment", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "config.json").read_text())["images"] == 32
    done = run(EXAMPLE, "--resume", "--epochs", 2, "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    log = np.genfromtxt(tmp_path / "run" / "log.csv", delimiter=",", names=True)
    assert log["step"].tolist() == [4, 8]
    assert all(0 < value < 1 for name in COLUMNS for value in log[name])
    assert "D(x), held out" in (tmp_path / "run" / "report.html").read_text()
