"""tools/digits_8x8.py writes what scikit-learn has, or says what is missing; a stand-in takes scikit-learn's place."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from nanogan.data.images import read_images
from nanogan.errors import InputError
from tools.digits_8x8 import write


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.zeros((4, 8, 8))
    images[:, 2, 3] = [16, 8, 4, 0]
    digits = types.SimpleNamespace(images=images, target=np.array([3, 1, 3, 1]))
    datasets = types.SimpleNamespace(load_digits=lambda: digits)
    monkeypatch.setitem(sys.modules, "sklearn", types.SimpleNamespace(datasets=datasets))
    monkeypatch.setitem(sys.modules, "sklearn.datasets", datasets)


def test_every_digit_is_a_picture_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    assert write(tmp_path / "digits") == 4
    found = read_images(tmp_path / "digits")
    assert found.class_names == ("1", "3") and found.shape == (8, 8, 1)
    assert found.pixels[:, 2, 3, 0].tolist() == [128, 0, 255, 64]
    with pytest.raises(InputError, match="exists already"):
        write(tmp_path / "digits")


def test_without_scikit_learn_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match="pip install scikit-learn"):
        write(tmp_path / "digits")
