"""The cures as options: kept, taken up again, said where they take something out, and refused in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from running import ROOT, run

from nanogan import Cutout, Translation
from nanogan.adversarial import Relativistic
from nanogan.training.trained import load_generator

EXAMPLE = str(ROOT / "examples" / "mnist_gan.py")
SHORT = ("--batch-size", 8, "--seed", 0, "--out", "run")


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "d.npy", np.random.default_rng(0).integers(0, 256, (16, 8, 8), dtype=np.uint8))
    return tmp_path


def test_cures_are_kept_and_taken_up_again(folder):
    given = ("--recipe", "course", "--width", 8, "--loss", "relativistic", "--r1", 10, "--r2", 5, "--d-lr", 0.001)
    more = ("--spectral-norm", "--augment", "translation", "cutout")
    done = run(EXAMPLE, *given, *more, "--data", "d.npy", "--steps", 2, *SHORT, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "course: D is without its last Sigmoid, and judges by logits\n" in done.stdout
    config = json.loads((folder / "run" / "config.json").read_text())
    assert [config[name] for name in ("loss", "r1", "r2", "gradient_penalty", "spectral_norm", "d_lr")] == [
        *("relativistic", 10, 5, None, True, 0.001)
    ]
    assert config["augment"] == "translation cutout"
    _, recipe = load_generator(folder / "run" / "checkpoint.npz")
    assert recipe.discriminator[:2] == (Translation(fill=-1.0), Cutout(fill=-1.0))
    assert (recipe.loss, recipe.r1, recipe.r2) == (Relativistic(), 10, 5)
    assert recipe.d_optimizer is not None and recipe.d_optimizer.lr == 0.001 and recipe.optimizer.lr == 0.0002

    done = run(EXAMPLE, "--resume", "--steps", 4, "--out", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    for change, message in (
        (("--r1", 3), "was trained with r1 10.0, not 3.0;"),
        (("--augment",), "was trained with discriminator with layer 1 Cutout("),
        (("--d-lr", 0.002), "was trained with D's lr 0.001, not 0.002;"),
        (("--loss", "hinge"), "was trained with loss Relativistic(reduction='mean'), not Hinge(reduction='mean');"),
    ):
        done = run(EXAMPLE, "--resume", "--steps", 6, "--out", "run", *change, cwd=folder)
        assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            ("--loss", "wasserstein"),
            "the Wasserstein loss only makes D steeper: add --gradient-penalty 10 or --spectral",
        ),
        (("--loss", "mse"), "'mse' is not one of bce, relativistic, hinge, wasserstein, least-squares"),
        (("--r1", "-1"), "'-1' is not a number of at least 0"),
        (("--r2", "inf"), "'inf' is not a number of at least 0"),
        (("--augment", "flip"), "'flip' is not one of brightness, contrast, translation, cutout, all, none"),
        (("--d-lr", "0"), "'0' is not a number above 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_line(folder, typed, message):
    done = run(EXAMPLE, *typed, "--data", "d.npy", "--steps", 2, *SHORT, cwd=folder)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (folder / "run").exists()
