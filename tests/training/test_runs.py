"""A run's folder: one run at a time, whole files, checkpoints in between, and commands that continue or refuse."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import tiny_trainer

from nanogan.errors import InputError
from nanogan.io import checkpoint
from nanogan.training.loop import Checkpoints, steps_in_all, train
from nanogan.training.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
EXAMPLE = str(ROOT / "examples" / "mnist_gan.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "OPENBLAS_NUM_THREADS": "1"}

flock = pytest.mark.skipif(os.name == "nt", reason="Windows can't lock a folder; what holds there is in the docstring")


def run(*arguments, cwd, **options):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=900, **options)


def created(path, **options):
    folder = RunFolder(path, **options)
    folder.create()
    return folder


# ---- one run at a time


@flock
def test_two_runs_into_one_folder(tmp_path):
    first = created(tmp_path / "run")
    second = RunFolder(tmp_path / "run")  # nothing is there yet
    with pytest.raises(InputError, match="another run is writing here; wait for it, or choose another --out"):
        second.create()
    del first
    second.create()
    assert sorted(path.name for path in second.path.iterdir()) == ["samples"]  # a lock leaves no file


@flock
def test_a_run_that_came_and_went_in_between_is_not_written_over(tmp_path):
    late = RunFolder(tmp_path / "run")
    created(tmp_path / "run").write_config({})
    with pytest.raises(InputError, match=r"already holds a run \(config.json\)"):
        late.create()


@flock
def test_a_killed_run_leaves_no_lock(tmp_path):
    hold = "import sys, time; from nanogan.training.loop import RunFolder; folder = RunFolder(sys.argv[1]);"
    hold += "folder.create();"
    command = [sys.executable, "-c", hold + "print('held', flush=True); time.sleep(60)", str(tmp_path / "run")]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as holding:
        assert holding.stdout and holding.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another run is writing here"):
            created(tmp_path / "run")
        holding.send_signal(signal.SIGKILL)
        holding.wait()
    created(tmp_path / "run")


# ---- checkpoints in between


def saves(trainer, path, **options):
    """After which of 8 steps a checkpoint was written."""
    checkpoints = Checkpoints(trainer, path, **options)
    found = []
    for _ in range(8):
        trainer.step()
        checkpoints.after_step()
        found.append(checkpoint.load(path)[1]["steps"])
    return sorted(set(found) - {0})


def test_checkpoint_every_so_many_steps_or_seconds(tmp_path, monkeypatch):
    assert saves(tiny_trainer(), tmp_path / "a.npz") == []
    assert saves(tiny_trainer(), tmp_path / "b.npz", every="3") == [3, 6]
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))  # each look at it is 10 seconds later
    assert saves(tiny_trainer(), tmp_path / "c.npz", every="25s") == [3, 6]


@pytest.mark.parametrize("at", [3, 6, 7])  # the ends of epochs 1 and 2, and of the run in the midst of the third
def test_killed_between_the_last_step_of_an_epoch_and_its_row(tmp_path, monkeypatch, at):
    """A checkpoint that falls due just then must not say that the epoch is over while the log doesn't have it."""

    class Killed(BaseException):
        pass

    def killed(**figures):
        if trainer.steps == at:
            raise Killed
        return type(trainer).log_epoch(trainer, **figures)

    folder, trainer = created(tmp_path / "run"), tiny_trainer()
    monkeypatch.setattr(trainer, "log_epoch", killed)
    with pytest.raises(Killed):
        train(trainer, folder, 7, quiet=True, checkpoint_every="1")
    resumed = tiny_trainer()
    resumed.load(folder.checkpoint)
    assert train(resumed, folder, 7, quiet=True)
    assert [row["step"] for row in resumed.rows] == [3, 6, 7]


def test_ctrl_c_at_the_end_of_an_epoch_loses_no_row(tmp_path, monkeypatch):
    folder, trainer = created(tmp_path / "run"), tiny_trainer()

    def step():
        type(trainer).step(trainer)
        if trainer.steps == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(trainer, "step", step)
    assert not train(trainer, folder, 7, quiet=True)
    assert checkpoint.load(folder.checkpoint)[1]["steps"] == 3 and [row["step"] for row in trainer.rows] == [3]


def test_epochs_and_steps_are_the_total():
    trainer = tiny_trainer(steps=5)
    assert steps_in_all(trainer, epochs=2, steps=None) == 6 and steps_in_all(trainer, epochs=None, steps=5) == 5
    with pytest.raises(InputError, match="has made 5 steps already, more than the 3 asked for"):
        steps_in_all(trainer, epochs=1, steps=None)


def test_a_folder_that_vanishes_in_a_run_is_one_line(tmp_path):
    folder = created(tmp_path / "run")
    trainer = tiny_trainer()
    shutil.rmtree(folder.path)
    with pytest.raises(InputError, match=r"checkpoint\.npz: could not be written \(No such file or directory\)"):
        train(trainer, folder, 9, quiet=True)


def test_a_log_that_cannot_be_written_leaves_the_old_one(tmp_path, capsys):
    folder = created(tmp_path / "run")
    folder.write_epoch(tiny_trainer(steps=3))
    before = folder.log.read_text()
    folder.log.with_name("log.csv.new").mkdir()
    folder.write_epoch(tiny_trainer(steps=6))
    assert "log.csv: could not be written" in capsys.readouterr().err
    assert folder.log.read_text() == before


def test_a_sample_that_somebody_has_damaged_is_named(tmp_path, capsys):
    folder = created(tmp_path / "run")
    folder.write_epoch(tiny_trainer(steps=3))
    (folder.samples / "epoch-0001.png").write_bytes(b"\x89PNG?")
    folder.write_pictures(tiny_trainer(steps=3))
    (line,) = capsys.readouterr().err.splitlines()
    assert "epoch-0001.png: cannot be read as a picture" in line and folder.losses.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a process's files")
def test_a_disk_that_is_full_in_a_real_process_is_one_line_and_loses_nothing(tmp_path):
    """The system itself refuses to write: no file of this process may grow beyond 1 MB, a checkpoint has 6.7."""
    np.save(tmp_path / "d.npy", np.random.default_rng(0).integers(0, 256, (128, 28, 28), dtype=np.uint8))
    command = (EXAMPLE, "--data", "d.npy", "--seed", 0, "--quiet", "--out", "run")
    assert run(*command, "--epochs", 1, cwd=tmp_path).returncode == 0
    before = (tmp_path / "run" / "checkpoint.npz").read_bytes()
    resource = pytest.importorskip("resource")
    done = run(
        *command, "--epochs", 2, "--resume", cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )  # fmt: skip
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "checkpoint.npz: could not be written (File too large); what was there is kept" in done.stderr
    assert (tmp_path / "run" / "checkpoint.npz").read_bytes() == before
    assert not list((tmp_path / "run").rglob("*.new"))


# ---- commands


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with data and a finished run of 2 epochs of 4 steps."""
    folder = tmp_path_factory.mktemp("begun")
    images = np.random.default_rng(0).integers(0, 256, (128, 28, 28), dtype=np.uint8)
    np.save(folder / "d.npy", images)
    np.save(folder / "other.npy", images[::-1])
    settings = ("--data", "d.npy", "--batch-size", 32, "--seed", 1, "--epochs", 2)
    done = run(EXAMPLE, *settings, "--out", "run", "--quiet", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def copied(begun, tmp_path):
    return Path(shutil.copytree(begun, tmp_path / "copy"))


REFUSED: dict[str, tuple[list[Any], str]] = {
    "other settings": (["--seed", 2, "--batch-size", 16], "seed 1, not 2"),
    "other images": (["--data", "other.npy"], "was trained with data "),
    "fewer epochs": (["--epochs", 1], "the run has made 8 steps already, more than the 4 asked for"),
    "no such interval": (["--checkpoint-every", "0"], "'0' is not a number of steps (500) or of seconds (30s)"),
    "minutes": (["--checkpoint-every", "5m"], "'5m' is not a number of steps"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_continued_is_one_line_and_changes_nothing(copied, case):
    arguments, message = REFUSED[case]
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    done = run(EXAMPLE, "--out", "run", "--resume", *arguments, cwd=copied)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    if case == "other settings":
        assert "batch_size 32, not 16" in done.stderr and "--allow-change" in done.stderr
    assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before


def test_a_change_that_is_meant_is_made(copied):
    command = (EXAMPLE, "--out", "run", "--resume", "--epochs", 3, "--quiet")
    done = run(*command, "--batch-size", 16, "--allow-change", cwd=copied)
    assert (done.returncode, done.stderr) == (0, "")
    with open(copied / "run" / "log.csv") as file:
        rows = [(row["epoch"], row["step"]) for row in csv.DictReader(file)]
    assert rows == [("1", "4"), ("2", "8"), ("3", "24")]  # from the third epoch on, 8 steps each
    assert json.loads((copied / "run" / "config.json").read_text())["batch_size"] == 16
    assert run(EXAMPLE, "--out", "run", "--resume", "--epochs", 4, "--quiet", cwd=copied).returncode == 0


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(copied):
    from benchmarks.reliability.kill import (
        fingerprint,  # which needs matplotlib and Pillow, as a collection of tests doesn't
    )

    straight = fingerprint(copied / "run" / "checkpoint.npz")
    for path in (copied / "run").iterdir():
        if path.is_file() and path.name != "config.json":
            path.unlink()
    shutil.rmtree(copied / "run" / "samples")
    done = run(EXAMPLE, "--out", "run", "--resume", "--quiet", cwd=copied)
    assert (done.returncode, done.stderr) == (0, "")
    assert fingerprint(copied / "run" / "checkpoint.npz") == straight


@pytest.mark.parametrize("config", ["", "[]", "3", '{"epochs": "many"}', '{"dtype": "int8"}', "[" * 9999])
def test_a_config_that_was_edited_badly_is_one_line(copied, config):
    (copied / "run" / "config.json").write_text(config)
    done = run(EXAMPLE, "--out", "run", "--resume", cwd=copied)
    assert done.returncode == 2 and "config.json" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_nan_in_training_is_one_line_and_the_checkpoint_stays(copied):
    """An epoch with weights that somebody has made huge, but finite."""
    path = copied / "run" / "checkpoint.npz"
    arrays, meta = checkpoint.load(path)
    arrays["G.params"] = np.full_like(arrays["G.params"], 1e30)
    checkpoint.save(path, arrays, meta)
    before = checkpoint.digest(checkpoint.load(path)[0])
    done = run(EXAMPLE, "--out", "run", "--resume", "--epochs", 3, cwd=copied)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "step 9: first infinity: G, layer 3 (Linear" in done.stderr and "--allow-nonfinite" in done.stderr
    assert checkpoint.digest(checkpoint.load(path)[0]) == before
    done = run(EXAMPLE, "--out", "run", "--resume", "--epochs", 3, "--allow-nonfinite", "--quiet", cwd=copied)
    assert done.returncode == 0 and "no more checkpoints while it lasts" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks")
def test_20_runs_killed_at_random_moments_end_as_one_that_was_not(tmp_path):
    """What `python -m benchmarks.reliability.kill` does 200 times."""
    done = run("-m", "benchmarks.reliability.kill", "--kills", 20, "--out", tmp_path / "kill.json", cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "kill.json").read_text())
    assert found["kills"] == found["identical"] == 20 and len(found["files compared in each run"]) == 9
