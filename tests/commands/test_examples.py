"""The commands as a user types them: real processes, real data, few steps; and the mistakes people make."""

import re
import shlex
import signal
import time

import numpy as np
import pytest
from running import ROOT, run, size_of, start

from nanogan.recipes.mnist import RECIPES

EXAMPLE = str(ROOT / "examples" / "mnist_gan.py")


@pytest.fixture(scope="module")
def small_data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "digits.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (256, 28, 28), dtype=np.uint8))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A short run on real digits, as the README starts it."""
    folder = tmp_path_factory.mktemp("trained")
    done = run(EXAMPLE, "--seed", "0", "--steps", "200", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_the_main_command_trains_on_real_digits(trained):
    folder, done = trained
    results = folder / "runs" / "nanogan"
    assert re.fullmatch(
        r"epoch 1/1  D \d\.\d\d  G \d\.\d\d  D\(x\) 0\.\d\d  D\(G\(z\)\) 0\.\d\d  [\d,]+ images/s", done.stdout.strip()
    )
    assert sorted(path.name for path in results.iterdir()) == [
        "checkpoint.npz", "config.json", "environment.json", "log.csv", "losses.png", "report.html", "samples",
        "samples.gif",
    ]  # fmt: skip
    log = np.genfromtxt(results / "log.csv", delimiter=",", names=True)
    assert log["step"] == 200 and 0.5 < log["d_real"] <= 1 and 0 <= log["d_fake"] < 0.5
    assert log["gradient_norm"] > 0 and 0 <= log["digit_entropy"] <= np.log(10) and 0.1 <= log["top_digit_share"] <= 1
    assert size_of(results / "samples" / "epoch-0001.png") == (466, 466)
    report = (results / "report.html").read_text(encoding="utf-8")
    assert "while real digits have 0." in report and 'http-equiv="refresh"' not in report
    assert str(folder) not in report


def test_new_digits_from_the_checkpoint(trained):
    folder, _ = trained
    checkpoint = folder / "runs" / "nanogan" / "checkpoint.npz"
    for _ in range(2):
        done = run("-m", "nanogan", "sample", checkpoint, "--count", 5, "--seed", 1, "--out", "new.npy", cwd=folder)
        assert done.returncode == 0, done.stderr
        images = np.load(folder / "new.npy")
        assert images.shape == (5, 28, 28) and images.dtype == np.float32
        assert images.min() >= 0 and images.max() <= 1 and images.std() > 0.05
    run("-m", "nanogan", "sample", checkpoint, "--count", 5, "--seed", 2, "--out", "other.npy", cwd=folder)
    assert not np.array_equal(images, np.load(folder / "other.npy"))
    done = run("-m", "nanogan", "sample", checkpoint, "--out", "grid.png", cwd=folder)
    assert size_of(folder / "grid.png") == (466, 466) and done.stdout.startswith("seed ")


def test_an_evaluation_writes_over_nothing_else(trained):
    folder, _ = trained
    (folder / "notes.json").write_text('{"precious": 1}')
    (folder / "folder.json").mkdir()
    for arguments, message in (
        (["--out", "notes.json"], "notes.json: holds something else than an evaluation; choose another --out"),
        (["--out", "folder.json"], "folder.json: holds something else"),
        (["--out", "nowhere/e.json"], "its folder doesn't exist"),
        (["--out", "e.csv"], "expected a name ending in .json"),
        (["--count", "99"], "expected at least 100 digits"),
    ):
        done = run("-m", "nanogan", "evaluate", "runs/nanogan/checkpoint.npz", *arguments, cwd=folder)
        assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    assert (folder / "notes.json").read_text() == '{"precious": 1}'


@pytest.mark.parametrize("recipe", [name for name, recipe in RECIPES.items() if recipe.class_names is None])
def test_every_recipe_runs(tmp_path, recipe, small_data):
    """That with labels is run by docs/conditional.md."""
    done = run(EXAMPLE, "--recipe", recipe, "--steps", 2, "--data", small_data, "--quiet", "--seed", 0, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "runs" / recipe / "samples" / "epoch-0001.png").is_file()


def test_the_seed_is_printed_when_it_was_chosen(tmp_path, small_data):
    done = run(EXAMPLE, "--steps", 1, "--data", small_data, cwd=tmp_path)
    assert re.match(r"seed \d+\n", done.stdout)


def test_ctrl_c_saves_and_resume_continues(tmp_path, small_data):
    command = (EXAMPLE, "--data", small_data, "--epochs", 2000, "--seed", 0, "--quiet", "--out", "a run")
    process = start(*command, cwd=tmp_path)
    checkpoint = tmp_path / "a run" / "checkpoint.npz"
    while not (tmp_path / "a run" / "log.csv").exists():  # the first epoch is over: it is training
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130
    at = re.search(r"stopped at step (\d+); go on with: (.*)", stderr)
    assert at and int(at[1]) >= 4 and checkpoint.is_file()
    assert shlex.split(at[2]) == ["python", *map(str, command), "--resume"]
    total = int(at[1]) + 3
    done = run(EXAMPLE, "--out", "a run", "--resume", "--steps", total, cwd=tmp_path)  # the rest is in its config
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "a run" / "log.csv").read_text().splitlines()
    assert log[-1].split(",")[1] == str(total)


MISTAKES = {
    "unknown recipe": (["--recipe", "vanila"], "recipe 'vanila' is unknown: choose one of nanogan, vanilla"),
    "unknown backend": (["--backend", "cuda"], "invalid choice: 'cuda'"),
    "unknown dtype": (["--dtype", "float16"], "invalid choice: 'float16'"),
    "no epochs": (["--epochs", "0"], "'0' is not a whole number of at least 1"),
    "negative steps": (["--steps", "-3"], "'-3' is not a whole number of at least 1"),
    "half a batch": (["--batch-size", "0.5"], "'0.5' is not a whole number of at least 1"),
    "negative seed": (["--seed", "-1"], "'-1' is not a whole number of at least 0"),
    "epochs and steps": (["--epochs", "1", "--steps", "1"], "not allowed with argument"),
    "batch larger than the data": (["--data", "DATA", "--batch-size", "257"], "larger than the data set of 256 images"),
    "missing data": (["--data", "nowhere"], "nowhere: no such file or folder"),
    "empty folder": (["--data", ".", "--out", "../elsewhere"], "found none: the folder is empty"),
    "empty name": (["--data", ""], "--data: '' is not the name of a file or folder"),
    "results in the data": (
        ["--data", ".", "--out", "run"],
        "--out run: lies in --data ., and its pictures",
    ),
    "results over the data": (["--data", ".", "--out", "."], "--out .: lies in --data ."),
    "unknown fit": (["--fit", "stretch"], "'stretch' is not one of crop, pad, squeeze"),
    "unknown background": (["--background", "pink"], "'pink' is not white, black or #rrggbb"),
    "nothing to resume": (["--resume"], "nothing to resume"),
    "output is a file": (["--data", "DATA", "--out", "a-file/run"], "cannot be written"),
    "unknown argument": (["--epoch-count", "3"], "unrecognized arguments"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_status_2(tmp_path, mistake, small_data):
    arguments, message = MISTAKES[mistake]
    arguments = [str(small_data) if argument == "DATA" else argument for argument in arguments]
    if mistake == "output is a file":
        (tmp_path / "a-file").write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    done = run(EXAMPLE, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_without_a_gpu_the_cupy_backend_stops_with_one_line(tmp_path):
    done = run(EXAMPLE, "--backend", "cupy", "--steps", 1, cwd=tmp_path)
    if done.returncode == 0:
        pytest.skip("a GPU works here")
    assert done.returncode == 2 and "use --backend numpy" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not any(tmp_path.iterdir())


def test_a_run_is_never_overwritten(trained):
    folder, _ = trained
    checkpoint = folder / "runs" / "nanogan" / "checkpoint.npz"
    before = checkpoint.read_bytes()
    for arguments, message in (
        ([], "already holds a run"),
        (["--resume", "--seed", "9"], "trained with seed 0, not 9"),
        (["--resume", "--recipe", "dcgan", "--out", "runs/nanogan"], "trained with recipe nanogan, not dcgan"),
    ):
        done = run(EXAMPLE, *arguments, cwd=folder)
        assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["sample", "missing.npz"], "missing.npz: there is no such file"),
        (["sample", "missing.npz", "--out", "a.bmp"], "expected a name ending in .png"),
        (["sample", "missing.npz", "--count", "0"], "'0' is not a whole number from 1 to 1,000,000"),
        (["sample", "missing.npz", "--count", "9" * 30], "is not a whole number from 1 to 1,000,000"),
        (["evaluate", "missing.npz"], "missing.npz: there is no such file"),
        (["sampel"], "invalid choice: 'sampel'"),
        ([], "required"),
    ],
)
def test_mistakes_with_the_package_commands(tmp_path, arguments, message):
    done = run("-m", "nanogan", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
