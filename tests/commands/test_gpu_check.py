"""`python -m nanogan gpu-check` on the double: it finds what is right, what is wrong, and writes all of it down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import double
import pytest
from double.cublas import Cublas

from nanogan.__main__ import main
from nanogan.commands import gpu_check
from nanogan.commands.gpu_check import CHECKS


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check, "LONG_WORK", 4)
    monkeypatch.setattr(gpu_check, "SAME_NUMBERS", {"vanilla": 2})
    monkeypatch.setattr(gpu_check, "TIMED", ("vanilla",))


def report(path: Path, *arguments: str) -> tuple[int, dict]:
    with double.installed():
        status = main(["gpu-check", "--steps", "2", "--out", str(path), *arguments])
    return status, json.loads(path.read_text())


def test_it_finds_the_double_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = report(tmp_path / "a.json")
    printed = capsys.readouterr().out
    assert status == 0 and found["failed"] == [] and "0 of 10 checks failed" in printed
    assert found["device"].startswith("double of a GPU") and found["CuPy"].startswith("14.2.0")
    assert list(found["findings"]) == list(CHECKS) and all(name in printed for name in CHECKS)
    times = found["findings"]["step of vanilla, ms"]["found"]
    assert set(times) == {"eager_host_ms", "queued_gpu_ms", "replayed_host_ms", "replayed_gpu_ms"}


def test_it_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """A product that is a little off, and a check that breaks."""
    right = Cublas._gemm

    def without_the_last_term(self: Cublas, *args: Any) -> int:
        T, handle, a_transposed, b_transposed, m, n, k, *rest = args
        return right(self, T, handle, a_transposed, b_transposed, m, n, max(k - 1, 1), *rest)

    monkeypatch.setattr(Cublas, "_gemm", without_the_last_term)
    monkeypatch.setattr(gpu_check, "checkpoint", None)
    status, found = report(tmp_path / "b.json")
    assert status == 1
    assert found["failed"] == ["NumPy's numbers", "the same bits twice", "replayed as run", "products"]
    printed = capsys.readouterr().out
    assert "FAILED  products: " in printed and "FAILED  the same bits twice: AttributeError: " in printed


def test_without_a_gpu_it_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["gpu-check"])
    assert stopped.value.code == 2 and capsys.readouterr().err.count("\n") == 1
