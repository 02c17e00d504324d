"""What benchmarks/parallel says: the counts of a real run, a model that adds up, tables as the page has them."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.parallel import model
from benchmarks.parallel.launch import RESULTS, launch

PAGE = (Path(__file__).parents[2] / "docs" / "parallel.md").read_text(encoding="utf-8")
STEP = model.Step(fixed=1e-3, per_row=1e-4, draws_per_row=0.0, sums=10, bytes=8e6, report=0.0)


def test_the_parts_are_those_of_the_formula() -> None:
    alone = STEP.parts(1, 64, 1e-6, 1e-9)
    assert sum(alone.values()) == pytest.approx(1e-3 + 64e-4)
    four = STEP.parts(4, 64, 1e-6, 1e-9)
    assert four["computes"] == pytest.approx(1e-3 + 16e-4)
    assert four["small sums"] == pytest.approx(10 * 2 * 1e-6)
    assert four["gradients"] == pytest.approx(4 * 3 * 1e-6 + 2 * 3 / 4 * 8e-3)


def test_the_least_batch_has_80_percent_and_a_smaller_one_has_not() -> None:
    found = model.least(STEP, 16, 1e-6, 1e-9)
    rows = found["batch"] // 16
    assert model.efficiency(STEP, 16, found["batch"], 1e-6, 1e-9) >= 0.8
    assert model.efficiency(STEP, 16, rows // 2 * 16, 1e-6, 1e-9) < 0.8
    drawing = model.Step(**{**vars(STEP), "draws_per_row": 1e-4})  # which no worker can share
    assert model.least(drawing, 16, 1e-6, 1e-9)["batch"] is None


def test_the_curve_is_that_of_the_saved_measurements_and_in_the_documentation() -> None:
    saved = json.loads((RESULTS / model.FILE).read_text())
    assert model.curve({name: model.Step(**step) for name, step in saved["networks"].items()}) == saved["curve"]
    assert model.table(saved["curve"]) in PAGE


@pytest.mark.skipif(find_spec("mpi4py") is None, reason="several processes need the extra mpi")
def test_a_launch_counts_what_two_workers_send() -> None:
    job = {"recipe": "vanilla", "width": 4, "batch_size": 8, "steps": 2, "delay": 1.0, "apart": True}
    (found,) = launch(2, 1, [job])
    assert found["workers"] == 2 and found["sums"] == 3  # D's gradients, G's, the losses
    assert found["messages"] == 7  # each with a barrier, and what rank 0 announces
    assert 0 < found["least_ms"] <= found["tenth_ms"] <= found["ms"]
