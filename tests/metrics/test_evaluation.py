"""All metrics at once: real digits give the figures of the REAL column, a collapsed set is seen, the table says so."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nanogan.__main__ import main
from nanogan.backend import Array
from nanogan.data.images import load_mnist
from nanogan.errors import InputError, ShapeError
from nanogan.metrics.evaluation import REAL, ROWS, evaluate_samples, format_table
from nanogan.recipes.mnist import get_recipe
from nanogan.training.gan_trainer import Trainer, generate
from nanogan.training.trained import load_generator

TRAIN, _ = load_mnist("train", scale=(0, 1))


@pytest.fixture(scope="module")
def real() -> dict[str, Any]:
    return evaluate_samples(TRAIN[:10_000])


@pytest.fixture(scope="module")
def collapsed() -> dict[str, Any]:
    """500 times the same 5: the first training image, given as (N, 28, 28)."""
    return evaluate_samples(np.repeat(TRAIN[:1, :, :, 0], 500, axis=0))


def test_real_digits_give_the_column_beside_which_others_stand(real: dict[str, Any]) -> None:
    """Exactly what is printed, but for what another BLAS rounds otherwise: k-means and training amplify that."""
    assert list(ROWS) == list(REAL)
    loose = {"fd_mnist": 0.01, "ndb": 3, "js": 0.0005, "train_on_generated": 0.01}
    for name, value in REAL.items():
        assert real[name] == pytest.approx(value, abs=loose.get(name, 0.01 if "parzen" in name else 0.001)), name
    assert real["samples"] == 10_000
    assert math.fsum(real["digit_shares"]) == pytest.approx(1)


def test_real_digits_reach_the_published_likelihood(real: dict[str, Any]) -> None:
    """241.9 +- 2.3 nats (Sohl-Dickstein et al. 2015, Table 2)."""
    assert real["parzen"] == pytest.approx(241.9, abs=2.3)


def test_a_collapsed_set_is_seen_by_every_metric_of_variety(collapsed: dict[str, Any]) -> None:
    assert collapsed["digits_covered"] == 1
    assert collapsed["digit_shares"][5] == 1
    assert collapsed["rarest_digit"] == 0
    assert collapsed["distance_from_uniform"] == pytest.approx(0.9)
    assert collapsed["precision"] == 1, "it is a real digit, after all"
    assert collapsed["recall"] < 0.01 and collapsed["coverage"] < 0.01
    assert collapsed["fd_mnist"] > 100
    assert collapsed["parzen"] < 0
    assert collapsed["ndb"] >= 1, "its own bin; 500 samples can't tell a share of 1 % from 0 at 3 standard errors"
    assert collapsed["js"] > 0.6
    assert collapsed["train_on_generated"] == pytest.approx(0.0892), "says 5 to everything: 892 test images are"


def test_scores_are_plain_json(collapsed: dict[str, Any]) -> None:
    assert json.loads(json.dumps(collapsed)) == collapsed


def test_the_table_shows_every_score_beside_the_real_one(real: dict[str, Any], collapsed: dict[str, Any]) -> None:
    table = format_table(real)
    lines = table.splitlines()
    assert lines[0] == "10,000 samples"
    for text, _ in ROWS.values():
        assert sum(line.startswith(text) for line in lines) == 1
    fd = next(line for line in lines if line.startswith("FD-mnist")).split()
    assert fd[2] == "0.0984" and float(fd[1]) == pytest.approx(0.0984, abs=0.01)
    assert "Theis" in table
    assert max(map(len, lines)) <= 120
    assert format_table(collapsed).startswith("500 samples (the protocol asks for 10,000")


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((200, 784)), ShapeError, r"digits of shape \(N, 28, 28\), got \(200, 784\)"),
        (np.zeros((20, 28, 28)), ShapeError, "at least 100 digits"),
        (np.full((200, 28, 28), np.nan), InputError, "the generator has diverged"),
        (np.linspace(-1, 1, 200 * 784).reshape(200, 28, 28), InputError, r"in \[0, 1\], got \[-1, 1\]; map"),
    ],
)
def test_what_are_no_digits_is_refused(images: Array, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate_samples(images)


def test_the_command_prints_the_table_and_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "checkpoint.npz", tmp_path / "evaluation.json"
    Trainer(get_recipe("vanilla"), TRAIN[:64] * 2 - 1, seed=0).save(path)
    assert main(["evaluate", str(path), "--count", "200", "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"\nFD-mnist +\d+\.\d +0\.0984 +lower\n", printed), "the floor beside the figure"
    assert printed.endswith(f"\nThe same as JSON: {out}\n")

    G, recipe = load_generator(path)
    z = np.random.default_rng(3).standard_normal((200, 64), dtype=np.float32)
    scores = evaluate_samples(generate(G, recipe, z))
    expected = {"checkpoint": str(path), "recipe": "vanilla", "seed": 3, "scores": scores, "copied": 0.0, "real": REAL}
    assert json.loads(out.read_text()) == expected
    assert "0.0 % of samples lie nearer to a training image than 99 % of real test images do" in printed
    from PIL import Image

    with Image.open(tmp_path / "evaluation-neighbours.png") as picture:
        assert picture.size == (2 * (20 * 29 + 1), 2 * (10 * 29 + 1)), "50 pairs of samples, 50 of test images"


def test_the_command_evaluates_a_conditional_run_by_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And replaces an earlier evaluation."""
    path, out = tmp_path / "checkpoint.npz", tmp_path / "evaluation.json"
    Trainer(get_recipe("conditional"), TRAIN[:64] * 2 - 1, labels=np.arange(64) % 10, seed=0).save(path)
    out.write_text('{"checkpoint": "", "scores": {}}')
    assert main(["evaluate", str(path), "--count", "200"]) == 0
    assert re.search(r"\nread as asked, % +\d", capsys.readouterr().out)
    found = json.loads(out.read_text())
    assert (found["seed"], found["scores"]["samples"]) == (0, 200)
    by_class = found["scores"]["by_class"]
    assert [len(values) for values in by_class.values()] == [10] * 5 and sum(by_class["alignment"]) == pytest.approx(1)
