"""The benchmark suite compares what is the same: every contender that is installed here computes nanogan's losses."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import double
import numpy as np
import pytest

from benchmarks import __main__ as suite
from benchmarks import machine
from benchmarks.speed import environment, parts, plots, tables, turns
from benchmarks.speed.contenders import BEFORE, JAX, KERAS, NAIVE, OURS, TORCH, build
from benchmarks.speed.naive_step import LADDER
from benchmarks.speed.ours import Nanogan
from benchmarks.speed.profile import profile
from benchmarks.speed.reference import COMPARED, Missing, Setup, recorded
from benchmarks.speed.turns import OtherLosses, Turns
from nanogan.pix2pix.networks import unet
from nanogan.recipes.mnist import RECIPES, VANILLA

RESULTS = Path(parts.__file__).parents[1] / "results"


@pytest.fixture(autouse=True)
def one_process_tells_what_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PROCESSES", 1)


def largest_difference(name: str, setup: Setup) -> float:
    plain = setup.without_dropout()
    contender = build(name, plain)
    return max(np.abs(np.subtract(contender.losses(step), step.losses)).max() for step in recorded(plain))


@pytest.mark.parametrize("recipe", COMPARED)
def test_the_naive_step_computes_the_same_losses(recipe: str) -> None:
    assert largest_difference(NAIVE, Setup(RECIPES[recipe], 8)) < 1e-4


@pytest.mark.parametrize("rung", LADDER)
@pytest.mark.parametrize("recipe", ["vanilla", "keras", "course"])
def test_every_trick_leaves_the_losses_as_they_are(rung: str, recipe: str) -> None:
    assert largest_difference(rung, Setup(RECIPES[recipe], 8)) < 1e-4


@pytest.mark.skipif(not find_spec("torch"), reason="needs PyTorch: pip install nanogan[bench]")
@pytest.mark.parametrize("recipe", COMPARED)
def test_pytorch_computes_the_same_losses(recipe: str) -> None:
    for form in TORCH[:3]:
        assert largest_difference(form, Setup(RECIPES[recipe], 8)) < 1e-4


@pytest.mark.skipif(not find_spec("torch"), reason="needs PyTorch: pip install nanogan[bench]")
def test_pytorch_computes_the_same_losses_from_picture_to_picture() -> None:
    for form in TORCH[:3]:
        assert largest_difference(form, Setup(unet((28, 28, 1), (28, 28, 1)), 8)) < 1e-3


@pytest.mark.skipif(not find_spec("jax"), reason="needs JAX: pip install nanogan[bench]")
@pytest.mark.parametrize("recipe", COMPARED)
def test_jax_computes_the_same_losses(recipe: str) -> None:
    assert largest_difference(JAX, Setup(RECIPES[recipe], 8)) < 1e-3


def test_a_library_that_is_not_installed_is_missing() -> None:
    absent = [name for name in KERAS if not find_spec("keras") or not find_spec(KERAS[name])]
    for name in absent:
        with pytest.raises(Missing, match="is not installed"):
            build(name, Setup(RECIPES["keras"], 8))


def test_the_floor_has_the_products_of_a_step() -> None:
    """Counted by hand for vanilla: G twice forward; D forward with 2 N and with N rows; and what is backward of it."""
    n, G, D = 8, 64 * 256 + 256 * 256 + 256 * 784, 784 * 256 + 256 * 256 + 256
    forward = 2 * n * G + 2 * n * D + n * D
    D_step = 2 * n * D + 2 * n * (D - 784 * 256)  # every dW; every dx but that of the images
    G_step = n * D + n * G + n * (G - 64 * 256)  # D's dx; G's dW, and its dx but that of the noise
    contender = Nanogan(Setup(VANILLA, n))
    contender.parts()
    facts = contender.facts()
    assert facts["gflop"] * 1e9 == pytest.approx(2 * (forward + D_step + G_step))
    weights = contender.trainer.G.param_count + contender.trainer.D.param_count
    assert facts["copy_MB"] == pytest.approx(7 * 4 * weights / 1e6, rel=1e-5)  # Adam reads 4 vectors and writes 3


def test_what_is_timed_runs_on_the_double_of_a_gpu() -> None:
    with double.installed():
        contender = Nanogan(Setup(RECIPES["dcgan"], 4, backend="cupy"))
    for work in contender.parts().values():
        work(1)
    contender.finish()
    assert contender.trainer.steps == 1


def test_contenders_take_turns_in_processes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup(RECIPES["udacity"], 16)
    row = turns.measure(setup, [OURS, NAIVE, "Keras on PyTorch"], rounds=1, processes=2)
    assert set(row["ms"]) == {OURS, NAIVE}
    assert "Keras on PyTorch" in row["left_out"]
    assert row["speedup"][OURS] == [1, 1, 1]
    assert 0 < row["share_of_floor"][1] < 1.5
    assert row["largest_difference"][OURS] == 0
    assert "left out: Keras on PyTorch" in tables.lines(row)
    monkeypatch.setitem(turns.TOLERANCE, NAIVE, 1e-15)
    with pytest.raises(OtherLosses, match="naive NumPy computes other losses"):
        Turns(setup, [NAIVE])


def test_an_earlier_nanogan_takes_its_turns(tmp_path: Path) -> None:
    """Here it is a copy, once as it is, and once with another step size."""
    root = environment.ROOT
    for folder in ("nanogan", "benchmarks"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "results"))
    setup = Setup(RECIPES["udacity"], 16, before=tmp_path)
    row = turns.measure(setup, [OURS, BEFORE], rounds=1, processes=1)
    assert set(row["ms"]) == {OURS, BEFORE} and row["largest_difference"] == {OURS: 0, BEFORE: 0}
    optim = tmp_path / "nanogan" / "optim.py"
    optim.write_text(optim.read_text().replace("rate = self.lr /", "rate = 2 * self.lr /"))
    with pytest.raises(OtherLosses, match="nanogan before computes other losses"):
        Turns(setup, [OURS, BEFORE])


@pytest.mark.skipif(not find_spec("torch"), reason="needs PyTorch: pip install nanogan[bench]")
def test_pytorch_computes_the_same_losses_of_large_images() -> None:
    options = parts.Options(False, 1, 1, "numpy", 1, "wall", None)
    *_, (fields, measured) = parts.pictures(options)
    assert fields == {"workload": "nanogan, 64 x 64 in colour", "batch_size": 64}
    assert isinstance(measured, partial)
    setup, names, *_ = measured.args
    assert names == [OURS, "PyTorch eager", "PyTorch careful"]
    assert largest_difference("PyTorch careful", replace(setup, batch_size=4)) < 1e-3


def test_processes_are_compared_in_pairs() -> None:
    """The second pair ran while the machine was slow, which its ratio doesn't show."""
    ours, theirs = ([{"step": ms, "products": ms / 4, "copy": ms / 4} for ms in found] for found in ((1, 9), (3, 18)))
    result = turns.compared([{OURS: a, NAIVE: b} for a, b in zip(ours, theirs, strict=True)])
    assert result["ms"] == {OURS: [1, 5, 9], NAIVE: [3, 10.5, 18]}
    assert result["speedup"] == {OURS: [1, 1, 1], NAIVE: [2, 2.5, 3]}
    assert result["floor_ms"] == [0.5, 2.5, 4.5] and result["share_of_floor"] == [0.5, 0.5, 0.5]


def test_a_process_is_held_to_avx2(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    if environment.vector_bits() == 128:
        monkeypatch.setattr(sys, "argv", ["benchmarks", "--avx2", "--quick"])
        with pytest.raises(SystemExit, match="2"):
            suite.main()
        assert "--avx2: this processor has no AVX2" in capsys.readouterr().err
    else:
        facts = machine.found_by_a_process(threads=1, avx2=True)
        assert facts["vectors, bits"] == 256 and facts[machine.RATE] > 1
        assert facts["BLAS kernel"] in ("Haswell", "unknown")


def test_the_command_saves_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    asked = []

    def part(options: parts.Options):
        """Two short rows."""

        def measured():
            asked.append(1)
            return {"rounds": options.rounds, "ms": {OURS: [1.0, 2.0, 3.0]}}

        for name in ("nothing", "little"):
            yield {"workload": name}, measured

    monkeypatch.setattr(suite, "PARTS", {"others": part})
    command = ["benchmarks", "--only", "others", "--rounds", "3", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    assert suite.main() == 0
    assert "2 ms (1 to 3)" in capsys.readouterr().out
    file = tmp_path / "others.json"
    saved = json.loads(file.read_text())
    assert saved["rows"][1] == {"workload": "little", "rounds": 3, "ms": {OURS: [1.0, 2.0, 3.0]}}
    assert saved["machine"]["numpy"] == np.__version__ and saved["machine"]["vectors, bits"] in (128, 256, 512)
    assert len(asked) == 2
    file.write_text(json.dumps(saved | {"rows": saved["rows"][:1]}))
    monkeypatch.setattr(sys, "argv", [*command, "--resume"])
    assert suite.main() == 0 and len(asked) == 3
    assert json.loads(file.read_text())["rows"] == saved["rows"]
    file.write_text(json.dumps(saved | {"machine": {**saved["machine"], "processor": "an abacus"}}))
    with pytest.raises(SystemExit, match="2"):
        suite.main()
    assert "measured with another processor; leave --resume out" in capsys.readouterr().err
    assert len(asked) == 3


def test_a_step_alone_is_timed_beside_its_floor_and_saved_only_where_out_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    before = {file: file.read_bytes() for file in suite.RESULTS.glob("*.json")}
    command = ["benchmarks", "--only", "steps", "--recipes", "vanilla", "--contenders", OURS, "--batch-size", "8"]
    command += ["--rounds", "1", "--processes", "1"]
    monkeypatch.setattr(sys, "argv", command)
    assert suite.main() == 0
    printed = capsys.readouterr().out
    assert "vanilla, batch 8" in printed and "floor: products" in printed and NAIVE not in printed
    assert {file: file.read_bytes() for file in suite.RESULTS.glob("*.json")} == before
    monkeypatch.setattr(sys, "argv", [*command, "--out", str(tmp_path)])
    assert suite.main() == 0
    (row,) = json.loads((tmp_path / "steps.json").read_text())["rows"]
    assert set(row["ms"]) == {OURS} and row["batch_size"] == 8


def test_a_folder_without_nanogan_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--quick", "--before", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        suite.main()
    assert f"--before {tmp_path}: no checkout of nanogan is there" in capsys.readouterr().err


def test_an_unknown_contender_is_refused(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--quick", "--contenders", "jax"])
    with pytest.raises(SystemExit) as left:
        suite.main()
    assert left.value.code == 2
    assert "'JAX jit'" in capsys.readouterr().err


def test_the_profile_adds_up() -> None:
    times = profile(Setup(RECIPES["dcgan"], 4), steps=1)
    assert {"matrix products", "patches and padding", "depth to space", "BatchNorm", "optimizer"} < times.keys()
    assert all(ms >= 0 for ms in times.values())


def test_a_power_law_has_its_exponent() -> None:
    sizes = [16, 64, 256, 1024]
    assert tables.exponent(sizes, [3 * size**0.7 for size in sizes]) == pytest.approx(0.7)


def test_the_tables_are_of_what_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--table", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        suite.main()
    assert left.value.code == 2
    assert "holds no results" in capsys.readouterr().err
    row = {"workload": "vanilla", "batch_size": 64, "share_of_floor": [0.6, 0.7, 0.8], "ms": {OURS: [3, 4, 5]}}
    row |= {"speedup": {OURS: [1, 1, 1], NAIVE: [3, 3.25, 4]}}
    (tmp_path / "steps.json").write_text(json.dumps({"rows": [row]}))
    assert suite.main() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "| vanilla | 64 | 4 ms | 70 % | 3.25 (3.00 to 4.00) |"
    (tmp_path / "ablation.json").write_text(json.dumps({"rows": [{"ms": {NAIVE: [7, 8, 9], OURS: [1, 2, 3]}}]}))
    (tmp_path / "others.json").write_text(
        json.dumps({"rows": [{"workload": "a run", "ms": {OURS: [9e3, 12e3, 15e3]}}]})
    )
    assert suite.main() == 0
    _, _, *ladder = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert ladder == ["| naive NumPy | 8.0 |  |", "| reused work arrays, `out=` (nanogan) | 2.0 | 4.00 |"]
    assert "| a run | 12.0 s | 9000 ms to 15.0 s |" in suite.saved_tables(tmp_path)[2]


def test_the_committed_results_can_be_drawn(tmp_path: Path) -> None:
    there = [part for part in plots.PLOTS if (RESULTS / f"{part}.json").exists()]
    assert {"steps", "ablation"} <= set(there)
    for part in there:
        (tmp_path / f"{part}.json").write_text((RESULTS / f"{part}.json").read_text())
    plots.draw(tmp_path)
    assert {"steps", "roofline", "ablation"} <= {file.stem for file in tmp_path.glob("*.png")}
