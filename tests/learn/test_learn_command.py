"""`python -m nanogan learn` as a learner uses it, and the mistakes they make with it."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from running import run

from nanogan import __main__ as program
from nanogan.learn.exercises import EXERCISES, checking
from nanogan.learn.exercises.checking import check
from nanogan.learn.exercises.folder import FILES, PROGRESS, Folder, find

SOLVED = {FILES[exercise.name]: exercise.cut.solution for exercise in EXERCISES}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder of exercises, and the current folder."""
    Folder.start(tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine"


def solve(folder: Path, *numbers: int) -> None:
    for name in list(SOLVED)[:14] if not numbers else [list(SOLVED)[n - 1] for n in numbers]:
        (folder / name).write_text(SOLVED[name], encoding="utf-8")


def learn(*words: str) -> int:
    return program.main(["learn", *words])


def fails(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line with which a command ends with status 2."""
    with pytest.raises(SystemExit) as ended:
        learn(*words)
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    return line


# ---- start


def test_start_writes_fourteen_files_and_says_which_is_first(tmp_path: Path) -> None:
    done = run("-m", "nanogan", "learn", "start", "mine", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "01_linear_dw.py" in done.stdout and "learn check" in done.stdout
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {*FILES.values(), PROGRESS}


def test_start_again_replaces_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "01_linear_dw.py").write_text("mine")
    (folder / "02_linear_dx.py").unlink()
    assert learn("start", str(folder)) == 0
    assert (folder / "01_linear_dw.py").read_text() == "mine"
    assert "02_linear_dx.py" in capsys.readouterr().out and (folder / "02_linear_dx.py").is_file()


def test_start_wants_a_folder_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    assert "thesis.tex" in fails(capsys, "start", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert "is a file" in fails(capsys, "start", str(tmp_path / "thesis.tex"))
    assert "thesis.tex" in fails(capsys, "start", str(tmp_path / "thesis.tex" / "deeper"))


def test_start_mends_a_folder_without_its_record(folder: Path) -> None:
    solve(folder, 1)
    (folder / "notes.txt").write_text("mine")
    (folder / PROGRESS).unlink()
    assert learn("start", ".") == 0
    assert (folder / "01_linear_dw.py").read_text() == SOLVED["01_linear_dw.py"]
    assert learn("check", "--all") == 1
    assert json.loads((folder / PROGRESS).read_text())["passed"] == ["linear_dw"]


def test_two_at_once_share_the_record(folder: Path) -> None:
    one, other = Folder(folder), Folder(folder)
    one.record("tanh")
    other.record("bias")
    assert Folder(folder).passed == ["tanh", "bias"]


# ---- check


def test_check_goes_through_the_exercises_in_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert learn("check") == 1
    assert "01_linear_dw.py:" in capsys.readouterr().out
    solve(folder, 1, 2)
    assert learn("check") == 0
    out = capsys.readouterr().out
    assert "01_linear_dw.py: passed" in out and "next: 02_linear_dx.py" in out
    assert learn("check", "02_linear_dx.py") == 0
    assert learn("list") == 0
    assert capsys.readouterr().out.count("passed  0") == 2


def test_a_wrong_form_is_told_place_values_and_ratio(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = SOLVED["03_bias.py"].replace("dy.sum(axis=0)", "dy.mean(axis=0)")
    (folder / "03_bias.py").write_text(wrong)
    assert learn("check", "3") == 1
    out = capsys.readouterr().out
    line = 2 + next(n for n, text in enumerate(wrong.splitlines()) if "def backward_params" in text)
    assert out.startswith(f"03_bias.py:{line}: db[1] is wrong: yours ") or out.startswith(f"03_bias.py:{line}: db[0]")
    assert "numeric " in out and "ratio 0.333333" in out and "batch size, 3" in out
    assert "hint: a mean where a sum belongs" in out and "dy = [[" in out


def test_a_file_may_be_named_from_anywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solve(folder, 3)
    monkeypatch.chdir(folder.parent)
    assert learn("check", "mine/03_bias.py") == 0
    assert learn("hint", "3", "--folder", "mine") == 0


def test_a_passed_exercise_that_is_spoiled_is_passed_no_more(folder: Path) -> None:
    solve(folder, 1)
    assert learn("check", "1") == 0
    (folder / "01_linear_dw.py").write_text("")
    assert learn("check", "1") == 1
    assert json.loads((folder / PROGRESS).read_text())["passed"] == []


def test_a_class_checks_everything_and_gets_a_status(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solve(folder)
    assert learn("check", "--all") == 0
    assert "14 of 14 exercises pass" in capsys.readouterr().out
    (folder / "05_tanh.py").unlink()
    assert learn("check", "--all", "--folder", str(folder)) == 1
    out = capsys.readouterr().out
    assert "13 of 14 exercises pass" in out and "05_tanh.py: cannot be read" in out
    assert "either" in fails(capsys, "check", "--all", "5")


HOSTILE: dict[str, tuple[bytes | str, str]] = {
    "syntax": ("def f(:\n", ":1: SyntaxError"),
    "no text": (b"\xff\xfe\x00", ": cannot be read (it is not UTF-8 text)"),
    "empty": ("", "Linear.backward_params is missing"),
    "exit": ("import sys\nsys.exit(0)\n", ":2: SystemExit"),
    "input": ("name = input()\n", ":1: EOFError"),
    "recursion": ("def f():\n    f()\nf()\n", ":2: RecursionError"),
    "os exit": ("import os\nos._exit(0)\n", ": Python has crashed (exit status 0)"),
    "crash": ("import ctypes\nctypes.string_at(0)\n", "Segmentation fault"),
    "another signature": (SOLVED["01_linear_dw.py"].replace("self, dy: Array", "self"), "TypeError"),
    "wrong name": (SOLVED["01_linear_dw.py"].replace("self.x.T @", "self.y.T @"), "AttributeError"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_whatever_is_in_the_file_is_one_line(folder: Path, kind: str) -> None:
    content, expected = HOSTILE[kind]
    path = folder / "01_linear_dw.py"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    verdict = check(EXERCISES[0], path)
    assert not verdict.passed
    (line,) = verdict.lines
    assert line.startswith(str(path)) and expected in line and len(line.splitlines()) == 1


def test_an_endless_loop_is_stopped_and_named(folder: Path) -> None:
    path = folder / "01_linear_dw.py"
    path.write_text("import os\nprint('here')\nwhile True:\n    pass\n")
    printed, line = check(EXERCISES[0], path, patience=1).lines
    assert printed == "  | here"
    assert line.startswith(f"{path}:") and "endless" in line


def test_a_crash_among_others_is_its_own(folder: Path) -> None:
    solve(folder, 1, 3)
    (folder / "02_linear_dx.py").write_text("import os\nprint('two')\nos._exit(3)\n")
    (folder / "03_bias.py").write_text(SOLVED["03_bias.py"] + "\nprint('three')\n")
    verdicts = checking.check_many([(exercise, folder / FILES[exercise.name]) for exercise in EXERCISES[:3]])
    assert [verdict.passed for verdict in verdicts] == [True, False, True]
    assert verdicts[0].lines == ["01_linear_dw.py: passed"]
    assert "crashed (exit status 3)" in verdicts[1].lines[-1]
    assert verdicts[2].lines == ["  | three", "03_bias.py: passed"]


def test_what_the_learner_prints_is_shown(folder: Path) -> None:
    path = folder / "01_linear_dw.py"
    path.write_text(SOLVED["01_linear_dw.py"] + "\nfor i in range(1000):\n    print(i)\n")
    verdict = check(EXERCISES[0], path)
    assert verdict.passed and verdict.lines[0] == "  | 0"
    assert verdict.lines[checking.LINES] == f"  | ... and {1000 - checking.LINES} lines more"


def test_a_check_takes_less_than_a_second(folder: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows counts a child's time elsewhere")
    solve(folder, 14)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run("-m", "nanogan", "learn", "check", "14", cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert (
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
    )  # of CPU; a busy machine takes longer


# ---- hints, solutions, reset


def test_hints_come_one_by_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for shown in (1, 2, 3, 3):
        assert learn("hint", "tanh") == 0
        out = capsys.readouterr().out
        assert [f"  {kind}: " in out for kind in ("idea", "formula", "line")] == [n <= shown for n in (1, 2, 3)]
        assert ("one more" in out) == (shown < 3)


def test_a_solution_is_shown_after_passing_or_a_clear_yes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--yes" in fails(capsys, "solution", "5")
    assert learn("solution", "5", "--yes") == 0
    out = capsys.readouterr().out
    assert "nanogan/plain.py:" in out and "return dy * (1 - self.y**2)" in out and "also right" in out
    solve(folder, 5)
    assert learn("check", "5") == 0 and learn("solution", "5") == 0


def test_a_yes_is_asked_for_on_a_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    for answer, shown in (("n", False), ("", False), ("yes", True)):
        monkeypatch.setattr("builtins.input", lambda prompt, answer=answer: answer)
        assert learn("solution", "5") == 0
        assert ("self.y**2" in capsys.readouterr().out) == shown


def test_reset_keeps_every_version(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version in ("first", "second"):
        (folder / "03_bias.py").write_text(version)
        assert learn("reset", "bias") == 0
        assert "NotImplementedError" in (folder / "03_bias.py").read_text()
    assert [(folder / "backups" / f"03_bias.{n}.py").read_text() for n in (1, 2)] == ["first", "second"]
    assert "backups/03_bias.2.py" in capsys.readouterr().out.replace("\\", "/")


# ---- mistakes


@pytest.mark.parametrize("word", ["0", "15", "linear", "1.5", "-", "", "ring.py"])
def test_what_is_no_exercise_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert "no such exercise" in fails(capsys, "check", "--", word)


@pytest.mark.parametrize("word", ["3", "03", "bias", "03_bias", "03_bias.py", "./03_bias.py", "/home/me/03_bias.py"])
def test_an_exercise_has_many_names(word: str) -> None:
    assert find(word).name == "bias"


@pytest.mark.parametrize("verb", ["check", "hint", "solution", "list", "watch", "reset"])
def test_another_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    words = [verb, "--folder", str(tmp_path), *(["1"] if verb == "reset" else [])]
    assert "learn start FOLDER" in fails(capsys, *words)


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"passed": 1, "hints": {}}', '{"passed": [], "hints": []}', "\0"])
def test_a_damaged_record_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str], record: str) -> None:
    (folder / PROGRESS).write_text(record)
    assert "damaged" in fails(capsys, "list")


def test_a_milestone_has_no_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("hint", "solution", "reset"):
        assert "milestone" in fails(capsys, verb, "ring")


def test_no_exercise_is_left_when_all_is_passed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / PROGRESS).write_text(json.dumps({"passed": [*FILES, "ring", "digits"], "hints": {}}))
    assert "everything is passed" in fails(capsys, "hint")
    solve(folder)
    assert learn("check") == 0
    assert "Read nanogan/layer.py next" in capsys.readouterr().out


# ---- watch


def _pass_on(stdout: Iterable[str], lines: queue.SimpleQueue[str]) -> None:
    for line in stdout:
        lines.put(line)


@pytest.fixture
def watched(folder: Path) -> Iterator[tuple[subprocess.Popen, queue.SimpleQueue]]:
    """`learn watch` in a process, and its lines as they come."""
    command = [sys.executable, "-m", "nanogan", "learn", "watch"]
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True).start()
    yield process, lines
    process.kill()
    process.communicate()


def until(lines: queue.SimpleQueue, text: str) -> list[str]:
    """The lines that come, up to one with this text."""
    seen: list[str] = []
    while not seen or text not in seen[-1]:
        seen.append(lines.get(timeout=30))
    return seen


def test_watch_checks_on_every_save_and_goes_on_only_when_told(
    folder: Path, watched: tuple[subprocess.Popen, queue.SimpleQueue]
) -> None:
    process, lines = watched
    assert process.stdin

    def type_in(word: str) -> None:
        assert process.stdin
        process.stdin.write(f"{word}\n")
        process.stdin.flush()

    until(lines, "01_linear_dw.py:")
    type_in("n")
    until(lines, "01_linear_dw.py isn't passed yet")
    type_in("h")
    until(lines, "idea: ")
    solve(folder, 1)
    assert not any("02" in line for line in until(lines, "passed"))
    assert "n goes on to 02_linear_dx.py" in until(lines, "02_")[-1]
    type_in("n")
    until(lines, "02_linear_dx.py:")
    solve(folder, 2)
    until(lines, "02_linear_dx.py: passed")
    type_in("q")
    assert process.wait(timeout=30) == 0
