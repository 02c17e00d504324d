"""examples/style.py and `translate` as a user types them, and the mistakes people make."""

import csv
import json
import time

import numpy as np
import pytest
from running import ROOT, run, size_of, start

from nanogan.io import checkpoint

EXAMPLE = ROOT / "examples" / "style.py"
SHORT = ("--a", "a", "--b", "b", "--seed", 0, "--batch-size", 4, "--width", 2, "--out", "run")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a and b, 15 pictures each of 12 x 8, one kind in colour; and a run of 7 steps on them."""
    Image = pytest.importorskip("PIL.Image")
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for name, shape in (("a", (8, 12, 3)), ("b", (8, 12))):
        (folder / name).mkdir()
        for number in range(15):
            Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / name / f"{number}.png")
    (folder / "none").mkdir()
    (folder / "album" / "inner").mkdir(parents=True)
    for name, size in (("one.jpg", (24, 16)), ("inner/two.png", (12, 8)), ("odd.png", (14, 8))):
        target = folder / ("." if name == "odd.png" else "album") / name
        Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).save(target)
    done = run(EXAMPLE, *SHORT, "--steps", 7, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_a_run_leaves_what_others_leave(data):
    folder, said = data
    found, *epochs = said.splitlines()
    assert found.startswith("a: ") and "; b: " in found
    assert len(epochs) == 2 and "there and back: a 0." in epochs[-1] and "read right" not in epochs[-1]
    with open(folder / "run" / "log.csv") as file:
        last = list(csv.DictReader(file))[-1]
    assert last["step"] == "7" and 0 < float(last["cycle_a"]) < 1 and last["read"] == ""
    page = (folder / "run" / "report.html").read_text()
    assert "There and back" in page and "Nothing is drawn anew" not in page and str(folder) not in page
    assert "python examples/style.py --a a --b b" in page
    config = json.loads((folder / "run" / "config.json").read_text())
    assert config["identity_weight"] == 0 and config["a"] == str(folder / "a")


def test_a_run_that_is_killed_and_resumed_ends_with_the_same_bits(data):
    folder, _ = data
    steps = (*SHORT[:-1], "whole", "--steps", 40, "--quiet", "--no-report")
    assert run(EXAMPLE, *steps, cwd=folder).returncode == 0
    killed = start(EXAMPLE, *SHORT[:-1], "killed", *steps[len(SHORT) :], "--checkpoint-every", 3, cwd=folder)
    path = folder / "killed" / "checkpoint.npz"
    while killed.poll() is None and not (path.exists() and checkpoint.load(path)[1]["steps"]):
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert 0 < checkpoint.load(path)[1]["steps"] < 40, "killed on the way"
    done = run(EXAMPLE, "--out", "killed", "--resume", "--quiet", "--no-report", cwd=folder)
    assert done.returncode == 0, done.stderr
    (straight, of_straight), (resumed, of_resumed) = map(checkpoint.load, (folder / "whole" / "checkpoint.npz", path))
    for arrays in (straight, resumed):
        del arrays["log"]  # it has the seconds
    assert checkpoint.digest(straight) == checkpoint.digest(resumed) and "pool_a.kept" in resumed
    assert of_straight["rng"] == of_resumed["rng"] and of_straight["steps"] == of_resumed["steps"] == 40


def test_pictures_and_folders_are_translated_both_ways(data):
    folder, _ = data
    done = run("-m", "nanogan", "translate", "run/checkpoint.npz", "album", "out", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "2 pictures of album translated to out\n"), done.stderr
    assert size_of(folder / "out" / "one.png") == (24, 16) and size_of(folder / "out" / "inner" / "two.png") == (12, 8)
    done = run("-m", "nanogan", "translate", "run/checkpoint.npz", "b/3.png", "back.png", "--to", "a", cwd=folder)
    assert done.returncode == 0 and size_of(folder / "back.png") == (12, 8), done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("odd.png", "x.png"), "odd.png: is 14 x 8 pixels, but the networks take sides that are multiples of 4"),
        (("odd.png", "x.jpg"), "x.jpg: expected a name ending in .png"),
        (("b/3.png", "x.png"), "grey, but the network was trained on pictures in colour; convert it"),
        (("album", "album/out"), "album/out: lies in album, whose pictures are read; choose another folder"),
        (("album", "odd.png"), "odd.png: is a file, but album is a folder; give a folder for the results"),
        (("none", "x"), "none: holds no pictures"),
        (("odd.png", "x.png", "--to", "c"), "'c' is not one of a, b"),
    ],
)
def test_what_cant_be_translated_is_said_in_one_line(data, arguments, said):
    folder, _ = data
    done = run("-m", "nanogan", "translate", "run/checkpoint.npz", *arguments, cwd=folder)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--a", "a"), "--b: a folder is missing; a style needs two, --a FOLDER and --b FOLDER"),
        (("--a", "a", "--b", "a"), "--a and --b are one folder, a; a style needs two kinds of pictures"),
        (("--a", "a", "--b", "b", "--task", "ink"), "--task ink: makes pictures of its own; leave it out"),
        (("--a", "a", "--b", "b", "--identity-weight", "1"), "have one shape, and these are (8, 12, 3) and (8, 12, 1)"),
        (
            ("--a", "a", "--b", "b", "--out", "a/run"),
            "--out a/run: lies in --a a, and its pictures would be read",
        ),
        (("--a", "a", "--b", "b", "--size", "30"), "is 30 x 30 pixels, but the networks take sides that are multiples"),
        (("--a", "a", "--b", "b", "--batch-size", "99"), "batch size 99 is larger than the data set"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(data, arguments, said):
    folder, _ = data
    before = sorted(folder.rglob("*"))
    out = () if "--out" in arguments else ("--out", "other")
    done = run(EXAMPLE, *arguments, "--seed", 0, *out, cwd=folder)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert sorted(folder.rglob("*")) == before
