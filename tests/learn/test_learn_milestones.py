"""The milestones: what a learner has written is what trains, and computes what plain.py does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nanogan import plain
from nanogan.data.images import load_mnist
from nanogan.learn.exercises import EXERCISES, milestones
from nanogan.learn.exercises.folder import FILES, Folder, find
from nanogan.learn.exercises.grading import grade_source, namespace
from nanogan.learn.exercises.milestones import MILESTONES, NEEDED, assemble, book_loop, reach

RING, DIGITS = MILESTONES
DOCS = Path(__file__).parents[2] / "docs" / "learn.md"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """All exercises solved."""
    folder, _ = Folder.start(tmp_path)
    for exercise in EXERCISES:
        folder.file(exercise).write_text(exercise.cut.solution, encoding="utf-8")
    return folder


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a second; few digits."""
    few = tuple(array[:1280] for array in load_mnist("test"))
    monkeypatch.setattr(milestones, "load_mnist", lambda: few)
    monkeypatch.setattr(milestones, "STEPS", 60)
    monkeypatch.setattr(milestones, "EPOCHS", 1)


def solved() -> dict[str, Any]:
    return {name: namespace(find(name).cut.solution, name) for name in NEEDED}


def test_the_parts_put_together_train_as_the_book_does() -> None:
    def trained(parts: Any) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        G = plain.Network([parts.Linear(3, 8, rng), parts.ReLU(), parts.Linear(8, 2, rng), parts.Tanh()])
        D = plain.Network([parts.Linear(2, 8, rng), parts.ReLU(0.2), parts.Linear(8, 1, rng)])
        G_adam, D_adam = (parts.Adam(network, lr=0.01, beta1=0.5) for network in (G, D))
        for _ in range(5):
            real, z = rng.standard_normal((4, 2)), rng.standard_normal((4, 3))
            parts.discriminator_step(G, D, D_adam, real, z)
            parts.generator_step(G, D, G_adam, z)
        return G.params + D.params

    for mine, book in zip(trained(assemble(solved())), trained(plain), strict=True):
        np.testing.assert_array_equal(mine, book)


def test_each_part_is_the_learners() -> None:
    """Each spoiled in turn: the training, which needs all of them, ends in that part."""

    def spoiled(*arguments: Any) -> None:
        raise ArithmeticError

    images = load_mnist("test")[0][:64].reshape(-1, 784)
    for name in NEEDED:
        code = solved()
        holder, _, function = find(name).cut.names[0].rpartition(".")
        setattr(getattr(code[name], holder) if holder else code[name], function, spoiled)
        with pytest.raises(ArithmeticError):
            book_loop(assemble(code))(images, 1, np.random.default_rng(0))


def test_the_ring_leaves_a_picture_and_keeps_the_old_one(folder: Folder, short: None) -> None:
    (folder.path / "ring.png").write_text("mine")
    verdict = reach(RING, folder)
    assert re.match(r"[0-8] of 8 modes", verdict.lines[0])
    assert verdict.passed == (verdict.lines[0][0] in "78")
    assert (folder.path / "ring.png").read_bytes().startswith(b"\x89PNG")
    assert (folder.path / "backups" / "ring.1.png").read_text() == "mine"


def test_the_digits_leave_a_picture(folder: Folder, short: None, capsys: pytest.CaptureFixture[str]) -> None:
    verdict = reach(DIGITS, folder)
    assert re.match(r"\d+ of the ten digits", verdict.lines[0])
    assert (folder.path / "digits.png").read_bytes().startswith(b"\x89PNG")
    assert "epoch 1/1  D " in capsys.readouterr().out


def test_a_milestone_names_what_is_not_right_yet(folder: Folder) -> None:
    folder.reset(find("tanh"))
    verdict = reach(RING, folder)
    assert not verdict.passed and "05_tanh.py:" in verdict.lines[1] and "not written yet" in verdict.lines[1]


def test_an_error_during_training_is_one_line(folder: Folder, short: None) -> None:
    """Right on three images, wrong on 128."""
    path = folder.file(find("bias"))
    path.write_text(path.read_text().replace("dy.sum(axis=0)", "dy.sum(axis=0) if len(dy) < 9 else dy[:, :, 0]"))
    verdict = reach(RING, folder)
    line = 1 + path.read_text().split("dy[:, :, 0]")[0].count("\n")
    assert not verdict.passed and verdict.lines[0].startswith(f"{path}:{line}: IndexError")


# ---- the page


def test_the_page_shows_what_a_check_says() -> None:
    (shown,) = re.findall(r"^```\n(01_linear_dw.*?)^```", DOCS.read_text(encoding="utf-8"), re.M | re.S)
    starter = EXERCISES[0].starter(1, len(EXERCISES))
    mine = re.sub(r"raise NotImplementedError.*", "self.dW[...] = self.x.T @ dy / len(dy)", starter)
    assert "\n".join(grade_source(EXERCISES[0], mine, Path(FILES["linear_dw"])).lines) == shown.rstrip()
