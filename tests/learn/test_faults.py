"""Faults on purpose: each changes the line that it shows, is undone afterwards, and is found by the right alarm."""

from __future__ import annotations

import json
import math
import traceback
from pathlib import Path

import numpy as np
import pytest
from running import ROOT, run, size_of

from benchmarks.reliability import faults as benchmark
from nanogan import gan, losses
from nanogan.errors import InputError
from nanogan.gradcheck.checks import check_loss
from nanogan.learn.faults import examine, school, show
from nanogan.learn.faults.catalog import DERIVATIVE, FAULTS, TRAINING, get_fault
from nanogan.learn.faults.change import Change
from nanogan.losses import BCEWithLogits
from nanogan.training.log import complete

BY_NAME = {fault.name: fault for fault in FAULTS}
PROVED = [fault.name for fault in FAULTS if fault.kind is not TRAINING]


# ---- a change of the source


@pytest.mark.parametrize("name", BY_NAME)
def test_the_lines_shown_are_those_of_the_source(name: str) -> None:
    lines = [line for change in BY_NAME[name].changes for line in change.lines()]
    assert lines
    for line in lines:
        assert (ROOT / line.file).read_text(encoding="utf-8").splitlines()[line.number - 1] == line.sound
        assert line.broken != line.sound


def test_a_change_reaches_every_caller_and_is_undone() -> None:
    """`everything.py` has imported `generator_gradients` by name, and methods are called through instances."""
    before = gan.generator_gradients.__code__
    with Change(gan.generator_gradients, {"D.backward_input(dlogits)": "0 * D.backward_input(dlogits)"}).applied():
        assert not any(report.passed for report in examine.prove_recipe(school.dense(), count=1)[1:])
    assert gan.generator_gradients.__code__ is before
    with (
        pytest.raises(RuntimeError, match="inside"),
        Change(losses.Loss.backward, {"dx /= x.size": "raise RuntimeError('inside')"}).applied(),
    ):
        check_loss(BCEWithLogits())
    assert check_loss(BCEWithLogits()).passed


def test_a_broken_line_is_traced_to_its_place_in_the_file() -> None:
    (place,) = BY_NAME["sum-for-mean"].changes[0].lines()
    with (
        pytest.raises(RuntimeError) as caught,
        Change(losses.Loss.backward, {"dx /= x.size": "raise RuntimeError"}).applied(),
    ):
        BCEWithLogits().backward(np.zeros((2, 1), np.float32), 1.0)
    innermost = traceback.extract_tb(caught.tb)[-1]
    assert (Path(innermost.filename).name, innermost.lineno) == ("losses.py", place.number)


@pytest.mark.parametrize("text", ["dx /= x.shape", "x"])
def test_text_that_does_not_stand_there_once_is_refused(text: str) -> None:
    change = Change(losses.Loss.backward, {text: "pass"})
    with pytest.raises(InputError, match=r"Loss\.backward: expected .* once, found it \d+ times"):
        change.lines()
    with pytest.raises(InputError), change.applied():
        pass


# ---- which alarm finds it


def test_there_are_fourteen_and_none_lacks_a_word() -> None:
    assert len(BY_NAME) == 14
    for fault in FAULTS:
        assert fault.title and fault.sees.endswith(".") and fault.cure.endswith(".") and fault.changes
    assert [sum(fault.kind is kind for fault in FAULTS) for kind in dict.fromkeys(f.kind for f in FAULTS)] == [4, 3, 7]


def no_run() -> examine.Run:
    return examine.Run([], np.empty(0), [])


@pytest.mark.parametrize("name", BY_NAME)
def test_the_proofs_find_what_is_theirs_and_nothing_else(name: str) -> None:
    fault = BY_NAME[name]
    with examine.broken_by(fault):
        found = examine.verdict(examine.proofs(fault.recipe(), seed=0), no_run)
    assert found.alarm == (fault.kind.alarm if name in PROVED else None), found.said


@pytest.mark.parametrize("name", BY_NAME)
def test_every_broken_run_goes_to_its_end(name: str) -> None:
    with examine.broken_by(BY_NAME[name]):
        run = examine.train(BY_NAME[name].recipe, 2, seed=0)
    assert run.rows[-1]["step"] == 2 and run.images.shape == (64, 28, 28, 1)


@pytest.mark.parametrize("recipe", {fault.recipe for fault in FAULTS}, ids=lambda recipe: recipe.__name__)
def test_the_sound_recipes_are_proved(recipe) -> None:
    assert examine.verdict(examine.proofs(recipe(), seed=1), no_run).alarm is None


@pytest.mark.parametrize(
    ("name", "steps", "rule"),
    [("pixel-range", 250, "pixels"), ("d-lr", 750, "D overshoots"), ("one-batch", 500, "G's loss")],
)
def test_the_diagnosis_finds_what_trains_badly(name: str, steps: int, rule: str) -> None:
    """Those that show first; all fourteen, with three seeds: python -m benchmarks.reliability.faults"""
    fault = BY_NAME[name]
    with examine.broken_by(fault):
        broken = examine.train(fault.recipe, steps, seed=0)
    assert rule in [found for _, found, _ in broken.said]


def test_a_sound_run_is_silent_and_draws_several_digits() -> None:
    run = examine.train(school.dense, 1000, seed=0)
    assert run.said == [] and run.rows[-1]["top_digit_share"] < 0.6
    assert run.images.shape == (64, 28, 28, 1) and 0 <= run.images.min() < 0.1 and 0.9 < run.images.max() <= 1


def test_the_page_has_what_was_measured() -> None:
    """python -m benchmarks.reliability.faults --table"""
    results = json.loads(benchmark.RESULT.read_text(encoding="utf-8"))
    assert set(results["faults"]) <= set(BY_NAME) and set(results["sound"]) <= set(benchmark.SOUND)
    assert benchmark.table(results) in (ROOT / "docs" / "break.md").read_text(encoding="utf-8")


# ---- what is printed


def a_run(*said: tuple[int, str, str]) -> examine.Run:
    row = {"epoch": 1, "step": 250, "d_loss": 1e5, "g_loss": -0.5, "d_real": 1.0, "d_fake": math.nan}
    return examine.Run([complete(row, (*row, *show.SHOWN))], np.zeros((64, 28, 28, 1)), list(said))


def test_the_wrong_alarm_and_none_are_said_to_be_so() -> None:
    fault = get_fault("no-gradient")
    assert fault.kind is DERIVATIVE
    wrong = show.conclusion(fault, examine.Verdict("diagnosis", "  step 5: D has won: ..."), a_run())
    assert "gradcheck: silent\nobjective: silent\ndiagnosis:\n  step 5: D has won" in wrong
    assert "found by diagnosis; gradcheck should have" in wrong and "the sound run" not in wrong
    none = show.conclusion(fault, examine.Verdict(None, ""), a_run((7, "collapse", "100 %")))
    assert "diagnosis: silent" in none and "not found" in none and "an alarm, too:\n  step 7: collapse: 100 %" in none


def test_figures_of_any_size_keep_the_columns() -> None:
    _, names, figures = show.side_by_side(a_run(), a_run()).splitlines()
    assert len(names) == len(figures) and names.split()[1:3] == ["D", "G"]
    assert figures.split()[:5] == ["250", "1.0e+05", "-0.500", "1.000", "nan"]


# ---- the command


def test_the_command_lists_all(tmp_path: Path) -> None:
    done = run("-m", "nanogan", "break", "--list", cwd=tmp_path)
    assert done.returncode == 0
    listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert listed == list(BY_NAME)


def test_the_command_trains_both_and_draws_them(tmp_path: Path) -> None:
    done = run("-m", "nanogan", "break", "pixel-range", "--steps", "100", "--out", "pair.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "broken  return rescale(self.pixels, (self.black, self.white), (0.0, 1.0), dtype)" in done.stdout
    assert "diagnosis:\n  step 100: pixels: the images have values of 0 to 1, and G draws -1 to 1" in done.stdout
    assert size_of(tmp_path / "pair.png") == ((17 * 29 + 1) * 2, (8 * 29 + 1) * 2)


def test_a_fault_that_is_not_found_in_time_is_exit_status_1(tmp_path: Path) -> None:
    done = run("-m", "nanogan", "break", "d-lr", "--steps", "2", cwd=tmp_path)
    assert done.returncode == 1 and "not found; diagnosis should have" in done.stdout
    assert (tmp_path / "break-d-lr.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a fault"),
        (["d_lr"], "fault 'd_lr' is unknown: choose one of sum-for-mean, "),
        (["d-lr", "--out", "pair.gif"], "expected a name ending in .png"),
        (["d-lr", "--out", "nowhere/pair.png"], "its folder doesn't exist"),
        (["d-lr", "--out", "folder.png"], "is a folder"),
        (["d-lr", "--steps", "0"], "'0' is not a whole number of at least 1"),
        (["d-lr", "init"], "unrecognized arguments: init"),
    ],
)
def test_mistakes_are_one_clear_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "folder.png").mkdir()
    done = run("-m", "nanogan", "break", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    assert done.stdout == "" and len(list(tmp_path.iterdir())) == 1
