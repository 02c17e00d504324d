"""What happens around a run: streams that are gone, threads, a kept traceback, files held open, drawing that fails."""

import io
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_trainer

from nanogan.commands.arguments import errors_in_one_line
from nanogan.errors import InputError
from nanogan.io import checkpoint, files, plots
from nanogan.io.streams import Forgiving, say, warn
from nanogan.training.diagnosis import Diagnosis
from nanogan.training.loop import Every, train
from nanogan.training.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    return folder


# ---- streams


class Gone(io.TextIOBase):
    """A stream on which every write and flush fails in one way."""

    encoding = "utf-8"

    def __init__(self, error):
        self.error = error

    def isatty(self):
        return True  # so that a progress bar is drawn, too

    def write(self, text):
        raise self.error

    def flush(self):
        raise self.error


GONE = {
    "none": None,
    "pipe": Gone(BrokenPipeError(32, "Broken pipe")),
    "full": Gone(OSError(28, "No space left on device")),
    "terminal": Gone(OSError(5, "Input/output error")),
    "closed": Gone(ValueError("I/O operation on closed file")),
    "reentrant": Gone(RuntimeError("reentrant call inside <_io.BufferedWriter>")),
}


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("case", GONE)
def test_a_run_goes_on_when_a_stream_is_gone(folder, monkeypatch, name, case):
    trainer = tiny_trainer()
    monkeypatch.setattr(sys, name, GONE[case])
    assert train(trainer, folder, 9, diagnosis=Diagnosis(trainer, digits=False))
    assert checkpoint.load(folder.checkpoint)[1]["steps"] == 9 and len(folder.log.read_text().splitlines()) == 4


def test_without_stderr_warnings_do_not_go_to_stdout(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)  # where `print(file=None)` would write to stdout
    warn("a warning")
    assert capsys.readouterr().out == ""


def test_letters_that_a_stream_does_not_have_are_spelt_out(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    say("bïld 画 \udcff")
    assert raw.getvalue() == b"b\\xefld \\u753b \\udcff\n"


def test_a_full_disk_is_known_at_the_end_and_a_closed_pipe_is_none():
    full, pipe = Forgiving(GONE["full"]), Forgiving(GONE["pipe"])
    for stream in (full, pipe):
        print("lost", file=stream, flush=True)
        stream.settle()
    assert (full.trouble, pipe.trouble) == ("No space left on device", "")


def test_the_epoch_is_saved_before_its_line_is_printed(folder, monkeypatch):
    saved = []

    class Looks(io.StringIO):
        def write(self, text):
            if text.startswith("epoch "):
                saved.append(checkpoint.load(folder.checkpoint)[1]["steps"])
            return len(text)

    monkeypatch.setattr(sys, "stdout", Looks())
    train(tiny_trainer(), folder, 7)
    assert saved == [3, 6, 7]


# ---- threads, and the lock


def test_a_run_in_another_thread(folder):
    trainer, done = tiny_trainer(), []
    thread = threading.Thread(target=lambda: done.append(train(trainer, folder, 6, quiet=True)))
    thread.start()
    thread.join()
    assert done == [True] and trainer.steps == 6


def test_the_lock_goes_with_the_run_that_failed_though_its_traceback_lives(tmp_path, monkeypatch):
    """As in a notebook, whose kernel keeps the last traceback, and with it every object of the cell."""
    first = RunFolder(tmp_path / "run")
    first.create()
    trainer = tiny_trainer()
    monkeypatch.setattr(trainer, "step", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError) as kept:
        train(trainer, first, 3, quiet=True)
    second = RunFolder(tmp_path / "run", resume=True)
    second.create()
    assert kept.value.__traceback__ is not None and first.path == second.path
    second.release()
    assert train(tiny_trainer(), first, 3, quiet=True)  # locked anew, and let go of again
    RunFolder(tmp_path / "run", resume=True).create()


# ---- Ctrl-C


def test_a_second_ctrl_c_stops_at_once_and_restores_the_handlers(folder, monkeypatch):
    before, trainer = signal.getsignal(signal.SIGINT), tiny_trainer()

    def step():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(trainer, "step", step)
    with pytest.raises(KeyboardInterrupt):
        train(trainer, folder, 3, quiet=True)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_in_the_first_checkpoint_waits_for_it(folder, monkeypatch):
    trainer, saves = tiny_trainer(), iter(range(9))

    def save(path):
        if next(saves) == 0:
            signal.raise_signal(signal.SIGINT)
        type(trainer).save(trainer, path)

    monkeypatch.setattr(trainer, "save", save)
    assert not train(trainer, folder, 3, quiet=True)
    assert checkpoint.load(folder.checkpoint)[1]["steps"] == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_the_end_of_a_service_or_terminal_saves(folder, monkeypatch, name):
    trainer = tiny_trainer()
    number = getattr(signal, name, None) or pytest.skip("Windows has no such signal")

    def step():
        type(trainer).step(trainer)
        if trainer.steps == 2:
            signal.raise_signal(number)

    monkeypatch.setattr(trainer, "step", step)
    assert not train(trainer, folder, 9, quiet=True)
    assert checkpoint.load(folder.checkpoint)[1]["steps"] == 2


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_a_signal_that_is_ignored_stays_so(folder, monkeypatch):
    """nohup, and `&` in a script."""
    trainer = tiny_trainer()

    def step():
        signal.raise_signal(signal.SIGHUP)
        type(trainer).step(trainer)

    monkeypatch.setattr(trainer, "step", step)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert train(trainer, folder, 6, quiet=True)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ctrl_c_while_pictures_are_drawn_leaves_a_complete_run(folder, monkeypatch, capsys):
    trainer = tiny_trainer()
    monkeypatch.setattr(trainer, "draw_curves", lambda path: signal.raise_signal(signal.SIGINT))
    assert train(trainer, folder, 3, quiet=True)
    assert capsys.readouterr().err == "\nthe animation and the curves are left out\n"


def test_ctrl_c_outside_training_is_a_word_and_status_130(capsys):
    with pytest.raises(SystemExit) as ended, errors_in_one_line("program"):
        signal.raise_signal(signal.SIGINT)
    assert ended.value.code == 130 and capsys.readouterr().err == "interrupted\n"


# ---- files that can't be written


def held_open(monkeypatch, name, times):
    """os.replace, refused so many times for files of this name, as Windows does while somebody reads them."""
    replace, left = os.replace, [times]

    def refused(old, new):
        if Path(new).name == name and left[0] > 0:
            left[0] -= 1
            raise PermissionError(13, "The process cannot access the file because it is being used by another process")
        replace(old, new)

    monkeypatch.setattr(os, "replace", refused)
    monkeypatch.setattr(files, "PATIENCE", (0.001,) * 3)


@pytest.mark.parametrize("name", ["checkpoint.npz", "log.csv", "epoch-0001.png"])
def test_a_file_that_is_held_open_for_a_moment_is_waited_for(folder, monkeypatch, capsys, name):
    held_open(monkeypatch, name, 3)
    assert train(tiny_trainer(), folder, 6, quiet=True)
    assert capsys.readouterr().err == "" and not list(folder.path.rglob("*.new"))


@pytest.mark.parametrize("name", ["log.csv", "epoch-0001.png", "samples.gif", "losses.png"])
def test_a_file_that_stays_held_open_is_one_line(folder, monkeypatch, capsys, name):
    held_open(monkeypatch, name, 99)
    assert train(tiny_trainer(), folder, 9, quiet=True)
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{name}: could not be written (The process cannot access" in line and "the run goes on" in line
    assert checkpoint.load(folder.checkpoint)[1]["steps"] == 9


def test_only_the_checkpoint_is_worth_stopping_for(folder, monkeypatch):
    held_open(monkeypatch, "checkpoint.npz", 99)
    with pytest.raises(InputError, match=r"checkpoint\.npz: could not be written"):
        train(tiny_trainer(), folder, 9, quiet=True)


@pytest.mark.parametrize("error", [ImportError("no module"), AttributeError("another ABI"), MemoryError(), OSError(28)])
def test_a_library_that_cannot_draw_costs_the_plot_alone(folder, monkeypatch, capsys, error):
    def broken(*size):
        raise error

    monkeypatch.setattr(plots, "new_figure", broken)
    assert train(tiny_trainer(), folder, 6, quiet=True)
    (line,) = capsys.readouterr().err.splitlines()
    assert "losses.png: left out, and the run goes on" in line
    assert folder.animation.exists() and not folder.losses.exists()


# ---- when a run reports


def moments(folder):
    return [int(line.split(",")[1]) for line in folder.log.read_text().splitlines()[1:]]


def pictures(folder):
    return sorted(path.name for path in folder.samples.iterdir())


def test_epochs_that_are_shorter_than_the_pause_report_by_the_clock(folder, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    trainer = tiny_trainer()

    def step():
        type(trainer).step(trainer)
        now[0] += 0.1

    monkeypatch.setattr(trainer, "step", step)
    assert train(trainer, folder, 90, quiet=True, pause="2s")  # 30 epochs of 0.3 s
    assert moments(folder) == [3, 24, 45, 66, 87, 90]  # the first, then after 2 s each, and the last
    assert pictures(folder) == [f"epoch-{step // 3:04}.png" for step in moments(folder)]


def test_pictures_every_so_many_steps_whatever_an_epoch_is(folder):
    assert train(tiny_trainer(), folder, 12, quiet=True, sample_every="2", pause="2s")
    assert moments(folder) == [3, 6, 9, 12]
    epochs = [f"epoch-{n:04}.png" for n in (1, 2, 3, 4)]
    assert pictures(folder) == [*epochs, "step-000002.png", "step-000004.png", "step-000008.png", "step-000010.png"]


def test_the_log_follows_steps_that_are_longer_than_an_epoch_and_resuming_changes_nothing(tmp_path):
    found = []
    for stops in ([30], [11, 19, 30]):
        path = tmp_path / str(len(stops))
        for total in stops:
            trainer, folder = tiny_trainer(), RunFolder(path, resume=path.exists())
            folder.create()
            if folder.checkpoint.exists():
                trainer.load(folder.checkpoint)
            train(trainer, folder, total, quiet=True, sample_every="7")
        found.append(moments(folder))
    assert found[0] == [3, 9, 15, 21, 30] and set(found[0]) < set(found[1])


def test_an_animation_has_at_most_100_frames_evenly_spread(folder):
    Image = pytest.importorskip("PIL.Image")
    for number in range(1, 451):
        plots.save_picture(folder.samples / f"step-{number:06}.png", np.full((2, 2, 1), number / 450))
    for number in (1, 30_000):  # of 3 steps each; 30,000 comes after 9,999, though not in the alphabet
        plots.save_picture(folder.samples / f"epoch-{number:04}.png", np.full((2, 2, 1), min(number - 1, 1)))
    folder.write_pictures(tiny_trainer(steps=3))
    with Image.open(folder.animation) as animation:
        shades = []
        for frame in range(animation.n_frames):
            animation.seek(frame)
            shades.append(animation.convert("L").getpixel((0, 0)))
    assert 90 < len(shades) <= 100 and shades[-1] == 255  # frames that are alike count once


@pytest.mark.parametrize("text", ["0", "1.5s", "s", "-3", "5m", "1e3", ""])
def test_what_is_no_interval_is_one_line(text):
    if text:
        with pytest.raises(InputError, match="is not a number of steps"):
            Every(text)
    else:
        assert not Every(text).is_over(10**6)
