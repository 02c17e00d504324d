"""Every recipe and optimizer is proved, wrong optimizers are not, and the command that runs it all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nanogan
from nanogan import (
    SGD,
    Adam,
    InputError,
    Layer,
    Network,
)
from nanogan.backend import Array
from nanogan.gradcheck.everything import LAYERS, LOSSES, prove_augmented, prove_recipe, run
from nanogan.gradcheck.optimizers import check_optimizer, textbook_adam, textbook_sgd
from nanogan.losses import Loss
from nanogan.recipes.mnist import RECIPES
from nanogan.recipes.recipe import Recipe

# ---- recipes


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_both_steps_of_every_recipe_are_proved(recipe: Recipe) -> None:
    for report in prove_recipe(replace(recipe, real_label=0.9), count=2):
        assert report.passed, report
        assert all(row.checked for row in report.rows), report


def test_both_steps_are_proved_where_d_sees_changed_images() -> None:
    reports = list(prove_augmented())
    assert len(reports) == 6
    for report in reports:
        assert report.passed and all(row.checked for row in report.rows), report


# ---- optimizers


class AdamWithoutT(Adam):
    """Divides by 1 - beta instead of 1 - beta^t at every step."""

    def step(self) -> None:
        self.t = 0
        super().step()


class AdamEpsInside(Adam):
    """Adds eps under the root."""

    def update(self, p: Array, g: Array, *moments: Array, numbers: Array, work: Array) -> None:
        m, v = moments
        m[...] = self.betas[0] * m + (1 - self.betas[0]) * g
        v[...] = self.betas[1] * v + (1 - self.betas[1]) * g * g
        m_hat, v_hat = m / (1 - self.betas[0] ** self.t), v / (1 - self.betas[1] ** self.t)
        p -= self.lr * m_hat / np.sqrt(v_hat + self.eps)


class SGDDampened(SGD):
    """Weights the gradient by 1 - momentum."""

    def update(self, p: Array, g: Array, *moments: Array, numbers: Array, work: Array) -> None:
        super().update(p, g * (1 - self.momentum), *moments, numbers=numbers, work=work)


def test_optimizers_are_the_textbooks() -> None:
    assert check_optimizer(Adam(lr=0.01, weight_decay=0.1), textbook_adam).passed
    assert check_optimizer(SGD(lr=0.01, momentum=0.9, weight_decay=0.1), textbook_sgd).passed


@pytest.mark.parametrize(
    "wrong", [AdamWithoutT(lr=0.01), AdamEpsInside(lr=0.01, eps=1e-7)], ids=lambda o: type(o).__name__
)
def test_a_wrong_adam_is_caught(wrong: Adam) -> None:
    report = check_optimizer(wrong, textbook_adam)
    assert not report.passed
    assert "step" in str(report)


def test_a_wrong_sgd_is_caught() -> None:
    report = check_optimizer(SGDDampened(lr=0.01, momentum=0.5), textbook_sgd)
    assert "a factor of 2" in report["movement"].hint


# ---- the command


def test_the_command_proves_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    printed = capsys.readouterr().out
    for name in ("Linear(", "Dropout(", "BCEWithLogits(", "BCE(", "Adam(", "all OK"):
        assert name in printed
    for recipe in RECIPES:
        assert f"{recipe}: discriminator step" in printed and f"{recipe}: generator step" in printed
    assert "FAIL" not in printed


def test_the_command_forgets_no_layer_and_no_loss() -> None:
    """Whatever nanogan exports and can be differentiated is in the tables."""
    exported = [value for value in vars(nanogan).values() if isinstance(value, type)]
    layers = {kind for kind in exported if issubclass(kind, Layer)} - {Layer, Network}
    assert {type(layer) for layer, _ in LAYERS} == layers
    assert {loss for loss, _, _ in LOSSES} == {kind for kind in exported if issubclass(kind, Loss)}


MINE = """
from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from nanogan import Layer


def doubled(x):
    return FACTOR * x


FACTOR = 2.0


@dataclass
class Mine(Layer):
    _: KW_ONLY
    power: int = 3

    def forward(self, x, training=True):
        self.x = x
        return doubled(x) ** self.power

    def backward_input(self, dy):
        return dy * self.power * FACTOR**self.power * self.x ** (self.power - 1)


class Wrong(Mine):
    def backward_input(self, dy):
        return -super().backward_input(dy)


@dataclass
class Sized(Mine):
    size: int

    def output_shape(self, input_shape):
        if input_shape != (self.size,):
            raise ValueError("no")
        return input_shape


sized = Sized(11)
told = Sized(11)
told.example_shape = (11,)
not_a_layer = 3
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def test_the_command_checks_a_layer_of_ones_own(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"{mine}:Mine") == 0
    assert "Mine(power=3)" in capsys.readouterr().out
    assert run(f"{mine}:told") == 0
    assert run(f"{mine}:Wrong") == 1
    assert "the sign is wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere.py:Mine", "there is no file 'nowhere.py'"),
        ("MINE", "expected path/to/file.py:MyLayer"),
        (":Mine", "expected path/to/file.py:MyLayer"),
        ("MINE:", "expected path/to/file.py:MyLayer"),
        ("MINE:Yours", "has no nanogan.Layer called 'Yours'"),
        ("MINE:not_a_layer", "has no nanogan.Layer called 'not_a_layer'"),
        ("MINE:Sized", "Sized needs arguments"),
        ("MINE:sized", "fits none of the input shapes"),
        ("BROKEN:Mine", "can't be run: SyntaxError"),
    ],
)
def test_what_the_command_cannot_check_is_one_clear_line(mine: Path, place: str, message: str) -> None:
    broken = mine.with_name("broken.py")
    broken.write_text("def (")
    with pytest.raises(InputError, match=message.replace("(", r"\(")) as caught:
        run(place.replace("MINE", str(mine)).replace("BROKEN", str(broken)))
    assert "\n" not in str(caught.value)
