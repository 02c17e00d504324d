"""docs/data.md keeps its promises: its commands and its code run, its options and lines are the program's."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from making import NO_PILLOW, colour, grey, write_picture
from running import ROOT, run

from nanogan.data.images import MNIST_FOLDER, read_images

pytest.importorskip("PIL.Image", reason=NO_PILLOW)

TEXT = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with everything that the page's commands name."""
    folder = tmp_path_factory.mktemp("page")
    for number, (light, photograph) in enumerate(zip(grey(70), colour(70, 30, 40), strict=True)):
        write_picture(folder / "my_pictures" / str(number % 2) / f"{number}.png", light)
        write_picture(folder / "photographs" / f"{number}.jpg", photograph)
        write_picture(folder / "pairs" / "A" / f"{number}.png", photograph[:28, :28])
        write_picture(folder / "pairs" / "B" / f"{number}.png", photograph[: 28 + 2 * (number % 2), :28])
    np.savez(folder / "digits.npz", x_train=grey(70), y_train=np.arange(70) % 10)
    np.savetxt(folder / "train.csv", grey(70).reshape(70, -1), "%d", delimiter=",")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_run_and_say_what_the_data_are(folder, command):
    words = shlex.split(command)
    assert words.pop(0) == "python"
    done = run(ROOT / words[0], *words[1:], "--steps", 2, "--seed", 0, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert re.match(r"70 (pictures|pairs) of \d\d x \d\d.* from ", done.stdout.splitlines()[0])
    assert ("inverted" in done.stdout) == ("--invert" in words) and ("on black" in done.stdout) == ("black" in words)


def test_the_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    names: dict = {}
    exec(compile(code, "data.md", "exec"), names)
    np.testing.assert_array_equal(names["images"], names["same"])
    assert names["images"].shape == (100, 28, 28, 1) and names["halves"].shape == (100, 16, 16, 3)


def test_the_line_of_mnist_is_as_shown():
    shown = next(block for _, block in BLOCKS if block.startswith("70,000 pictures"))
    said = read_images(MNIST_FOLDER).description
    assert re.sub(r"from .*;|[67]0,000", "", shown.strip()) == re.sub(r"from .*;|[67]0,000", "", said)


def test_every_option_is_explained_and_exists():
    usage = run(ROOT / "examples" / "mnist_gan.py", "--help", cwd=Path.cwd()).stdout
    usage += run(ROOT / "examples" / "image_to_image.py", "--help", cwd=Path.cwd()).stdout
    for option in set(re.findall(r"--[a-z]+", TEXT)):
        assert option in usage
    for option in ("--fit crop", "--fit pad", "--fit squeeze", "--background", "--invert"):
        assert f"| `{option}" in TEXT
