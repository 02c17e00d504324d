"""The part `quality-time`: each checkpoint of a run is seen, kept and judged, nanogan's and PyTorch's."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import over_time
from benchmarks.quality.over_time import PROGRAMS, seconds_to, table
from benchmarks.speed import plots
from benchmarks.speed.parts import Options
from nanogan.interop import to_torch, torch_source
from nanogan.network import Network
from nanogan.recipes.mnist import DCGAN

OPTIONS = Options(quick=True, rounds=1, processes=1, backend="numpy", threads=1, clock="wall", recipes=["dcgan"])

WRITER = """
import os, time
for number in range(3):
    with open("new", "w") as file:
        file.write(str(number))
    os.replace("new", "there")
    time.sleep(0.4)
"""


def row(name: str, seed: int, fd: list[float], seconds: list[float]) -> dict:
    points = zip(fd, seconds, strict=True)
    curve = [{"step": 10 * n, "seconds": at, "fd_mnist": value} for n, (value, at) in enumerate(points)]
    return {"workload": name, "seed": seed, "curve": curve, "seconds": seconds[-1] + 1}


def test_every_checkpoint_is_kept_and_timed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER], cwd=tmp_path)
    kept = tmp_path / "kept"
    kept.mkdir()
    *seconds, end = over_time.watched(process, tmp_path / "there", kept)
    assert [(kept / str(n)).read_text() for n in range(len(seconds))] == ["0", "1", "2"]
    assert 0.3 < seconds[1] - seconds[0] < 5 and end >= seconds[2] + 0.3


def test_a_run_is_a_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_time, "judged", lambda step, G, recipe: (step, 1000 - step + G.params.size))
    program = PROGRAMS["dcgan"]
    found = over_time.curve(program._replace(command=(*program.command, "--steps", "3")), 0, quick_without_epochs())
    first, last = found["curve"]
    assert (first["step"], last["step"]) == (0, 3) and first["fd_mnist"] - last["fd_mnist"] == 3
    assert 0 < first["seconds"] < last["seconds"] <= found["seconds"]


def quick_without_epochs() -> Options:
    """`--steps` instead."""
    return Options(quick=False, rounds=1, processes=1, backend="numpy", threads=1, clock="wall", recipes=None)


def test_a_program_that_fails_is_no_result() -> None:
    failing = PROGRAMS["dcgan"]._replace(command=("-c", "raise SystemExit(3)"))
    with pytest.raises(RuntimeError, match="ended with status 3"):
        over_time.curve(failing, 0, OPTIONS)


def test_what_is_asked_for_runs() -> None:
    torch = [] if not over_time.installed("torch") else ["PyTorch careful"]
    fields = [fields for fields, _ in over_time.quality_time(OPTIONS)]
    assert fields == [{"workload": name, "seed": 0} for name in ("dcgan", *torch)]
    ours_alone = replace(OPTIONS, only=["nanogan"])
    assert [fields["workload"] for fields, _ in over_time.quality_time(ours_alone)] == ["dcgan"]
    assert len([*over_time.quality_time(quick_without_epochs())]) == 7 + len(torch)


def test_pytorch_trains_the_same_networks(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install nanogan[bench]")
    from benchmarks.quality import torch_dcgan

    for module, layers, shape in (
        (torch_dcgan.generator(), DCGAN.generator, DCGAN.input_shape),
        (torch_dcgan.discriminator(), DCGAN.discriminator, DCGAN.image_shape),
    ):
        ours = eval(torch_source(Network(layers, shape)), {"nn": torch.nn})
        assert str(module) == str(ours)
    torch.manual_seed(0)
    run = torch_dcgan.Run(torch.rand(100, 1, 28, 28))
    losses = [run.step(torch.randperm(100)[:64]) for _ in range(8)]
    assert losses[-1][0] < losses[0][0]  # D learns
    run.save(tmp_path / "checkpoint.pt", 8)
    step, G, recipe = over_time.from_pytorch(tmp_path / "checkpoint.pt")
    assert (step, recipe) == (8, DCGAN)
    z = np.random.default_rng(0).standard_normal((5, 64), dtype=np.float32)
    np.testing.assert_allclose(over_time.generate(G, recipe, z), run.draw(torch.from_numpy(z)), atol=1e-5)
    assert to_torch(G).keys() == run.G.state_dict().keys()


def test_the_table_says_when_each_quality_was_there() -> None:
    rows = [
        row("nanogan", 0, [700, 9, 0.9], [1, 20, 40]),
        row("nanogan", 1, [700, 2, 1.1], [1, 22, 42]),
        row("PyTorch careful", 0, [700, 20, 12], [2, 30, 60]),
    ]
    assert seconds_to(3, rows[1]) == 22 and seconds_to(1.0, rows[1]) is None
    _, _, ours, theirs = table(rows).splitlines()
    assert ours.startswith("| `nanogan` | 2 | 21 (20 to 22) s | 31 (22 to 40) s | 41 (40 to 42) s | 40 s, 1 of 2 |")
    assert theirs == "| `dcgan` in PyTorch | 1 | never | never | never | never | 12.00 | 61 |"
    assert set(plots.quality_time(rows)) == {"quality-time"}
