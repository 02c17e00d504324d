"""Digits on demand from the command line: train with labels, draw a class, truncate, evaluate."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import ROOT, run, size_of

from nanogan.__main__ import main
from nanogan.io import checkpoint
from nanogan.training.trained import load_generator

EXAMPLE = ROOT / "examples" / "mnist_gan.py"
SHORT = ("--recipe", "vanilla", "--conditional", "--batch-size", "4", "--seed", "0", "--quiet")


def pictures(count: int = 12, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled data, without labels, and a run on them that was begun by --conditional and resumed without it."""
    folder = tmp_path_factory.mktemp("conditional")
    np.savez(folder / "d.npz", images=pictures(), labels=np.array(["emu", "cat", "dog"] * 4))
    np.save(folder / "plain.npy", pictures())
    done = run(EXAMPLE, *SHORT, "--data", "d.npz", "--steps", 4, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run(EXAMPLE, "--resume", "--out", "runs/vanilla-conditional", "--steps", 6, "--quiet", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


CHECKPOINT = "runs/vanilla-conditional/checkpoint.npz"


def test_a_run_keeps_its_classes(folder: Path) -> None:
    G, recipe = load_generator(folder / CHECKPOINT)
    assert recipe.class_names == ("cat", "dog", "emu") and recipe.name == "vanilla" and G.classes == 3
    config = json.loads((folder / "runs/vanilla-conditional/config.json").read_text())
    assert config["conditional"] is True and config["recipe"] == "vanilla"
    assert size_of(folder / "runs/vanilla-conditional/samples/epoch-0001.png") == (2 * (8 * 29 + 1), 2 * (3 * 29 + 1))


KILLED = """
import os, signal, sys
from nanogan.__main__ import main
from nanogan.training.gan_trainer import Trainer

step = Trainer.step

def killed(trainer):
    step(trainer)
    if trainer.steps == 5:
        os.kill(os.getpid(), signal.SIGKILL)

Trainer.step = killed
main(sys.argv[1:])
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_run_goes_on_to_the_same_bits(folder: Path, tmp_path: Path) -> None:
    """Killed at step 5, with a checkpoint of step 4, in the second of two epochs of 3 steps."""
    train = ("train", *SHORT, "--data", folder / "d.npz", "--steps", 6, "--checkpoint-every", 2)
    done = run("-c", KILLED, *train, "--out", "killed", cwd=tmp_path)
    assert done.returncode == -signal.SIGKILL
    done = run("-m", "nanogan", *train, "--out", "killed", "--resume", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert run("-m", "nanogan", *train, "--out", "whole", cwd=tmp_path).returncode == 0
    killed, whole = (checkpoint.load(tmp_path / name / "checkpoint.npz")[0] for name in ("killed", "whole"))
    for name, array in whole.items():
        if name != "log":  # which has the seconds
            np.testing.assert_array_equal(killed[name], array, name)


def test_a_class_all_classes_and_a_truncated_z_are_drawn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    drawn = {}
    for name, options in {
        "dog": ["--class", "dog", "--count", "5"],
        "two": ["--class", "dog, cat", "--count", "40"],
        "all": ["--class", "all", "--count", "5"],
        "any": ["--count", "40"],
        "typical": ["--class", "dog", "--count", "5", "--truncate", "0.5"],
        "more": ["--class", "dog", "--count", "9", "--truncate", "0.5"],
    }.items():
        assert main(["sample", CHECKPOINT, "--seed", "3", "--out", f"{name}.npy", *options]) == 0
        drawn[name] = np.load(f"{name}.npy")
    assert drawn["all"].shape == (15, 28, 28) and drawn["any"].shape == (40, 28, 28)
    assert abs(drawn["dog"] - drawn["typical"]).max() > 1e-3
    np.testing.assert_array_equal(drawn["more"][:5], drawn["typical"])
    assert drawn["typical"].std(axis=0).mean() < drawn["dog"].std(axis=0).mean()
    assert main(["sample", CHECKPOINT, "--seed", "3", "--class", "all", "--out", "all.png"]) == 0
    assert size_of(Path("all.png")) == (2 * (10 * 29 + 1), 2 * (3 * 29 + 1)), "a row for each class"


def test_classes_are_found_in_folders_and_tables(tmp_path: Path) -> None:
    from PIL import Image

    for number, pixels in enumerate(pictures(20)):
        place = tmp_path / "animals" / ("cat" if number % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number}.png")
    rows = [f"{number % 3}," + ",".join(map(str, pixels.ravel())) for number, pixels in enumerate(pictures(20))]
    (tmp_path / "d.csv").write_text("\n".join(["label," + ",".join(map(str, range(784))), *rows]) + "\n")
    for data, names in (("animals", ("cat", "dog")), ("d.csv", ("0", "1", "2"))):
        done = run(EXAMPLE, *SHORT, "--data", data, "--steps", 1, "--out", f"run-{len(names)}", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert load_generator(tmp_path / f"run-{len(names)}" / "checkpoint.npz")[1].class_names == names


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["train", "--data", "plain.npy", "--conditional", "--out", "x"],
            "plain.npy: no labels found, and a conditional",
        ),
        (["train", "--data", "plain.npy", "--recipe", "conditional", "--out", "x"], "plain.npy: no labels found"),
        (["sample", CHECKPOINT, "--class", "cow"], "there is no class 'cow'; choose of cat, dog, emu, or all"),
        (["sample", CHECKPOINT, "--class", "dog,cow"], "there is no class 'cow'"),
        (["sample", CHECKPOINT, "--class", "1"], "there is no class '1'"),
        (["sample", CHECKPOINT, "--truncate", "0"], "'0' is not a number of at least 0.1"),
        (["sample", CHECKPOINT, "--class", "all", "--count", "1000000"], "a grid holds at most"),
        (["sample", "plain.npz", "--class", "7"], "this run was trained without labels; leave it out"),
        (["sample", "uniform.npz", "--truncate", "1"], "its z is uniform, not normal; it can't be truncated"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from nanogan.recipes.mnist import get_recipe
    from nanogan.training.gan_trainer import Trainer

    monkeypatch.chdir(folder)
    for name, recipe in (("plain", "vanilla"), ("uniform", "udacity")):
        if f"{name}.npz" in arguments:
            images = np.zeros((4, 28, 28, 1), np.float32)
            Trainer(get_recipe(recipe, width=2), images, seed=0, batch_size=4).save(f"{name}.npz")
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and message in error and len(error.splitlines()) == 1
    assert not (folder / "x").exists() and not (folder / "samples.png").exists()


def test_a_run_is_conditional_or_not_for_good(folder: Path) -> None:
    resume = ("--resume", "--out", "runs/vanilla-conditional", "--steps", "8", "--quiet")
    np.savez(folder / "other.npz", images=pictures(), labels=np.array(["emu", "dog", "cat"] * 4))
    done = run(EXAMPLE, *resume, "--data", "other.npz", cwd=folder)
    assert done.returncode == 2 and "was trained with data " in done.stderr and len(done.stderr.splitlines()) == 1
