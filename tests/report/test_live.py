"""The page of a run while it goes on, and what becomes of it when the run ends, well or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from running import ROOT, run, start
from tiny import tiny_trainer

from nanogan.errors import InputError
from nanogan.report import live
from nanogan.report.live import LivePage
from nanogan.report.page import NAME
from nanogan.training.loop import train
from nanogan.training.run_folder import RunFolder

EXAMPLE = ROOT / "examples" / "mnist_gan.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setattr(live, "SLOW", np.inf)  # the machine may be busy
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.write_config({"recipe": "tiny", "epochs": 3, "seed": 0})
    return folder


def test_the_page_follows_the_run(folder: RunFolder) -> None:
    pages = []
    with LivePage(folder.path) as page:

        def look() -> None:
            page.update()
            pages.append((folder.path / NAME).read_text())

        assert train(tiny_trainer(), folder, 9, quiet=True, after_epoch=[look])
    for epoch, text in enumerate(pages, start=1):
        assert f"still going on, {3 * epoch} of 9 steps" in text and 'http-equiv="refresh"' in text
    text = (folder.path / NAME).read_text()
    assert "finished, 9 steps, 3 epochs in the log" in text and 'http-equiv="refresh"' not in text


def test_a_run_that_fails_leaves_a_page_that_says_how_far_it_came(folder: RunFolder) -> None:
    trainer = tiny_trainer()

    def ruin() -> None:
        trainer.G.params[...] = np.nan

    with pytest.raises(InputError, match="NaN"), LivePage(folder.path) as page:
        train(trainer, folder, 9, quiet=True, after_epoch=[page.update, ruin])
    assert "stopped after 3 of 9 steps" in (folder.path / NAME).read_text()


def test_ctrl_c_does_not_wait_for_it(folder: RunFolder) -> None:
    with pytest.raises(KeyboardInterrupt), LivePage(folder.path):
        raise KeyboardInterrupt
    assert not (folder.path / NAME).exists()


def test_ctrl_c_while_it_is_made_costs_the_page_alone(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(live, "write_report", interrupted)
    with LivePage(folder.path):
        pass
    assert f"python -m nanogan report {folder.path} makes it" in capsys.readouterr().err


def test_a_page_that_cannot_be_made_is_worth_one_line(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    (folder.path / NAME).mkdir()
    with LivePage(folder.path) as page:
        assert train(tiny_trainer(), folder, 9, quiet=True, after_epoch=[page.update])
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "report.html: left out, and the run goes on" in said[0]


def test_no_report_and_a_killed_run(tmp_path: Path) -> None:
    data = tmp_path / "digits.npy"
    np.save(data, np.random.default_rng(0).integers(0, 256, (64, 28, 28), dtype=np.uint8))
    common = ["--data", data, "--recipe", "vanilla", "--seed", 0, "--batch-size", 32]
    done = run(EXAMPLE, *common, "--steps", 2, "--out", "quiet", "--no-report", cwd=tmp_path)
    assert done.returncode == 0 and not (tmp_path / "quiet" / NAME).exists()
    process = start(EXAMPLE, *common, "--epochs", 10**6, "--out", "killed", cwd=tmp_path)
    while not (tmp_path / "killed" / NAME).exists():
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert "still going on" in (tmp_path / "killed" / NAME).read_text(encoding="utf-8")
    assert run("-m", "nanogan", "report", "killed", cwd=tmp_path).returncode == 0
    text = (tmp_path / "killed" / NAME).read_text(encoding="utf-8")
    assert "stopped after" in text and "of 2,000,000 steps" in text and "--data digits.npy" in text


def test_a_page_that_takes_long_is_made_less_often(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    made, now = [], iter(range(0, 1000, 3))
    monkeypatch.setattr(live, "SLOW", 0.1)
    monkeypatch.setattr(live.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(live, "write_report", lambda *arguments, quick: made.append(quick))
    page = LivePage(folder.path)
    for _ in range(22):  # the clock is read twice where the page is made, which takes 3 s, and else once
        page.update()
    assert made == [True, True]
