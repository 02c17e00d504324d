"""benchmarks/image_to_image.py goes on where it was stopped, and its table says what is in the rows."""

import json
import sys

import pytest

from benchmarks.quality import image_to_image
from nanogan.pix2pix.pairs import TASKS


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Every (task, way, seed, epochs) that would have been run; the fifth one is interrupted."""
    asked = []

    def run(task, way, seed, epochs):
        asked.append((task, way, seed, epochs))
        if len(asked) == 5:
            raise KeyboardInterrupt
        image_to_image.OUTPUTS.mkdir(exist_ok=True)
        image_to_image.outputs_file(task, way).touch()
        row = {"task": task, "way": way, "seed": seed, "epochs": 0 if way == "inputs" else epochs}
        return row | {"l1": 0.1 + 0.01 * seed, "psnr": 15.0 + seed, "ssim": 0.5, "accuracy": 0.9, "fd": 1.0}

    monkeypatch.setattr(image_to_image, "run", run)
    monkeypatch.setattr(image_to_image, "RESULT", tmp_path / "result.json")
    monkeypatch.setattr(image_to_image, "OUTPUTS", tmp_path / "outputs")
    monkeypatch.setattr(image_to_image, "draw", lambda: None)
    monkeypatch.setattr(sys, "argv", ["image_to_image", "--seeds", "2", "--epochs", "3"])
    return asked


def test_finished_runs_are_not_run_again(asked, capsys):
    with pytest.raises(SystemExit, match="130"):  # what a shell expects after Ctrl-C
        image_to_image.main()
    assert len(json.loads(image_to_image.RESULT.read_text())["rows"]) == 4
    assert image_to_image.main() == 0
    wanted = {(task, way, seed, 3) for task in TASKS for way in ("inputs", *image_to_image.WAYS) for seed in (0, 1)}
    assert len(asked) == 33 and set(asked) == wanted and asked[4] == asked[5]
    capsys.readouterr()
    assert image_to_image.main() == 0 and len(asked) == 33
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| task | trained by | seeds | L1 | PSNR, dB |")
    assert (
        lines[2]
        == "| restore | inputs | 2 | 0.1050 ± 0.0071 | 15.50 ± 0.71 | 0.500 ± 0.000 | 90.0 ± 0.0 | 1.00 ± 0.00 |"
    )
    assert len(lines) == 2 + 4 * len(TASKS)
    image_to_image.outputs_file("edges", "L1 only").unlink()
    assert image_to_image.main() == 0 and asked[33:] == [("edges", "L1 only", 0, 3)]
    assert len(json.loads(image_to_image.RESULT.read_text())["rows"]) == 32
