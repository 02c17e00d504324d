"""The README's promises: every command in it runs, its code runs, its links lead somewhere."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as suite
from benchmarks.quality import augment, conditional, cures, few, image_to_image, ingredients, ring, stacked, style
from benchmarks.quality import recipes as quality
from benchmarks.speed import sizes

ROOT = Path(__file__).parents[1]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))}
README = PAGES["README.md"]


def blocks(text: str) -> list[tuple[str, str]]:
    """The code blocks of a page: language and content."""
    return re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


ONE_LINERS = [line for _, block in blocks(README) for line in block.splitlines() if line.startswith("python3 -m venv")]
COMMANDS = {
    name: [line.split("#")[0].strip() for kind, block in blocks(text) if kind == "sh" for line in block.splitlines()]
    for name, text in PAGES.items()
}
"""In the order in which the reader meets them: later ones use the results of earlier ones."""
LONG = ("gradcheck", "evaluate", "break", "pytest", "benchmarks", "augment.py")  # each has tests of its own


def run(command: str, cwd: Path) -> subprocess.CompletedProcess:
    """A README command with this Python; training is cut to a few steps."""
    words = [str(ROOT / word) if word.startswith("examples/") else word for word in shlex.split(command)]
    assert Path(words[0]).name in ("python", "mpiexec")
    programs = {"python": sys.executable, "mpiexec": str(Path(sys.executable).parent / "mpiexec")}
    words = [programs.get(Path(word).name, word) for word in words]
    if (
        any(word.endswith(("mnist_gan.py", "image_to_image.py", "style.py")) for word in words)
        and "--list" not in words
    ):
        if "--epochs" in words:
            del words[words.index("--epochs") : words.index("--epochs") + 2]
        words += ["--steps", "4" if "--resume" in words else "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


def a_digit(mode: str = "L") -> bytes:
    """A PNG of 28 x 28 grey pixels, or coloured ones ("RGB"), such as the image-to-image commands take."""
    from PIL import Image

    file = io.BytesIO()
    Image.new(mode, (28, 28), 40 if mode == "L" else (40, 80, 90)).save(file, "PNG")
    return file.getvalue()


def test_the_two_commands_set_everything_up_themselves():
    training, testing = ONE_LINERS
    assert training == ("python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/python examples/mnist_gan.py")
    assert testing.endswith(".venv/bin/python -m pytest -n auto")  # .ci/run runs this line as it stands


OWN_TEST = ("data.md",)  # tests/data/test_data_page.py, which makes the data that its commands read


@pytest.mark.parametrize("page", [page for page, commands in COMMANDS.items() if commands and page not in OWN_TEST])
def test_the_commands_run_in_order(tmp_path, page):
    for name in ("damaged.png", "seven.png"):
        (tmp_path / name).write_bytes(a_digit())
    (tmp_path / "drawing.png").write_bytes(a_digit("RGB"))
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "seven.png").write_bytes(a_digit())
    np.save(tmp_path / "crops.npy", np.random.default_rng(0).integers(0, 256, (64, 64, 64, 3), dtype=np.uint8))
    for command in COMMANDS[page]:
        if not any(word in command for word in LONG):
            done = run(command, tmp_path)
            assert done.returncode == 0, f"{command}\n{done.stderr}"
        for made in re.findall(r"(?:--out |translate \S+ \S+ )(\S+\.(?:png|npy))", command):
            assert (tmp_path / made).is_file()


def test_the_readme_is_short_and_shows_enough():
    assert len(README.split()) < 1800
    assert len(COMMANDS["README.md"]) >= 6


def test_the_first_command_trains(tmp_path):
    done = run(ONE_LINERS[0].split("&&")[-1].strip(), tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^epoch 1/1  D .* images/s$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("code", [block for kind, block in blocks(README) if kind == "python"])
def test_the_code_runs_and_learns(code):
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    assert abs(names["radius"].mean() - 1) < 0.1 and names["radius"].std() < 0.2


def test_the_classes_of_a_plane_are_learned():
    ((_, code),) = [block for block in blocks(PAGES["conditional.md"]) if block[0] == "python"]
    names: dict = {}
    exec(compile(code, "conditional.md", "exec"), names)
    for c, centre in enumerate(names["centres"]):
        assert np.linalg.norm(names["points"][c::3].mean(axis=0) - centre) < 0.4


def test_a_recipe_of_ones_own_is_trained_resumed_and_sampled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ((_, code),) = blocks(PAGES["own-recipe.md"])
    names: dict = {"__name__": "own_recipe"}
    monkeypatch.setitem(sys.modules, "own_recipe", types.ModuleType("own_recipe"))  # where dataclasses look
    exec(compile(code, "own-recipe.md", "exec"), names)
    assert names["resumed"].steps == 60 and names["digits"].shape == (100, 28, 28, 1)
    assert names["G"].layers[1] == names["Sine"](0.5)


def test_the_crops_are_cut_as_the_page_says(tmp_path, monkeypatch):
    pytest.importorskip("skimage", reason="its wheel brings the photographs")
    monkeypatch.chdir(tmp_path)
    exec(compile(dict(blocks(PAGES["sizes.md"]))["python"], "sizes.md", "exec"), {})
    assert np.load("crops.npy").shape == (5000, 64, 64, 3)


TABLES = {ring: "recipes.md", ingredients: "recipes.md", quality: "recipes.md", image_to_image: "image-to-image.md"}
TABLES |= {cures: "stability.md", conditional: "conditional.md", style: "style.md"}
TABLES |= {augment: "augment.md", few: "augment.md"}
NAMES = {ring: "ring", ingredients: "ingredients", quality: "quality", image_to_image: "image_to_image", cures: "cures"}
NAMES |= {conditional: "conditional", style: "style", augment: "augment", few: "few"}


@pytest.mark.parametrize("part", TABLES)
def test_tables_are_what_their_command_prints(part):
    """From the committed results: python -m benchmarks.quality.ring and so on."""
    results = json.loads((ROOT / "benchmarks" / "results" / f"{NAMES[part]}.json").read_text())
    assert part.table(results["runs" if part is ring else "rows"]) in PAGES[TABLES[part]]


def test_every_seed_of_few_pictures_is_what_was_saved():
    """python -m benchmarks.quality.few --table"""
    assert few.every_seed(few.load_results()["rows"]) in PAGES["augment.md"]


def test_the_grid_with_penalties_is_what_was_saved():
    """python -m benchmarks.quality.ring --setting penalties ..."""
    results = json.loads((ROOT / "benchmarks" / "results" / "penalties.json").read_text())
    assert ring.table(results["runs"]) in PAGES["stability.md"]


def test_the_table_of_stacked_mnist_is_what_was_saved():
    """python -m benchmarks.quality.stacked --table"""
    assert stacked.table(json.loads(stacked.RESULTS.read_text())) in PAGES["stability.md"]


def test_the_times_of_cures_are_what_was_saved():
    """python -m benchmarks.quality.cures --table"""
    assert cures.time_table(cures.load_results()["step_ms"]) in PAGES["stability.md"]


def test_benchmarks_are_what_was_saved():
    """python -m benchmarks --table"""
    tables = suite.saved_tables(suite.RESULTS)
    assert len(tables) >= 3
    for table in tables:
        assert table in PAGES["benchmarks.md"]


def test_the_table_of_sizes_is_what_was_saved():
    """python -m benchmarks.speed.sizes --table"""
    rows = json.loads(sizes.RESULTS.read_text(encoding="utf-8"))["rows"]
    assert sizes.table(rows) in PAGES["sizes.md"]


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_exist(page):
    folder = ROOT if page == "README.md" else ROOT / "docs"
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", PAGES[page]) if "://" not in target]
    missing = [target for target in targets if not (folder / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_commands_named_in_the_text_exist(page):
    """Each `python -m nanogan ...`, `python -m benchmarks.x` and `python examples/...` in a sentence or table."""
    for command in re.findall(r"`(python [^`]+)`", PAGES[page]):
        for module in re.findall(r"-m ((?:benchmarks|tools)\.[\w.]+)", command):
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), command
        for path in re.findall(r"(?:examples|tests|benchmarks|tools)/\w+\.py", command):
            assert (ROOT / path).is_file(), command
