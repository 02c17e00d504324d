"""examples/image_to_image.py and `translate` as a user types them, and the mistakes people make."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from running import ROOT, run, size_of

from nanogan.data.images import load_mnist
from nanogan.pix2pix.pairs import TASKS

EXAMPLE = ROOT / "examples" / "image_to_image.py"


def save(path, pixels, mode=None):
    Image = pytest.importorskip("PIL.Image")
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """100 digits, a folder of 10 pairs of 16 x 12 in colour, and one picture of each kind to translate."""
    folder = tmp_path_factory.mktemp("data")
    np.save(folder / "digits.npy", (load_mnist("test", scale=(0, 1))[0][:100, ..., 0] * 255).astype(np.uint8))
    rng = np.random.default_rng(0)
    (folder / "pairs").mkdir()
    for number in range(10):
        save(folder / "pairs" / f"{number}.png", rng.integers(0, 256, (12, 32, 3), dtype=np.uint8))
    save(folder / "digit.png", np.load(folder / "digits.npy")[0])
    save(folder / "colour.png", np.zeros((12, 16, 3), np.uint8))
    return folder


@pytest.fixture(scope="module")
def trained(data):
    """200 steps on 8,000 digits with damage."""
    done = run(EXAMPLE, "--seed", 0, "--steps", 200, "--batch-size", 32, "--out", "run", cwd=data)
    assert done.returncode == 0, done.stderr
    return data / "run", done.stdout.splitlines()


def test_damaged_digits_become_better(trained):
    folder, (inputs, epoch) = trained
    number = r"\d+\.\d+"
    assert inputs.startswith("8,000 pairs to train on, 2,000 to test; the inputs as they are: L1 0.1")
    pattern = rf"epoch 1/1  D {number}  G {number}  L1 {number}  on the test part: L1 {number}  PSNR {number} dB  "
    assert re.fullmatch(pattern + rf"SSIM {number}  read right {number}%  [\d,]+ images/s", epoch)
    found = [float(re.findall(rf"PSNR ({number}) dB", line)[0]) for line in (inputs, epoch)]
    assert found[1] > found[0] + 3
    with open(folder / "log.csv") as file:
        (row,) = csv.DictReader(file)
    assert float(row["psnr"]) == pytest.approx(found[1], abs=0.01)
    assert {"adversarial", "l1", "test_adversarial", "test_l1", "ssim", "accuracy"} <= row.keys()
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.npz", "config.json", "environment.json", "log.csv", "losses.png", "report.html", "samples",
        "samples.gif",
    ]  # fmt: skip
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "The outputs are nearer to their targets than the inputs are." in report
    assert "Worst outputs of the test part" in report and "L1 part of the loss" in report
    assert size_of(folder / "samples" / "epoch-0001.png") == (2 * (3 * 29 + 1), 2 * (12 * 29 + 1))


def test_a_new_picture_is_translated(trained, data):
    folder, _ = trained
    done = run("-m", "nanogan", "translate", folder / "checkpoint.npz", "digit.png", "new.png", cwd=data)
    assert (done.returncode, done.stderr) == (0, "") and size_of(data / "new.png") == (28, 28)
    Image = pytest.importorskip("PIL.Image")
    with Image.open(data / "new.png") as picture, Image.open(data / "digit.png") as digit:
        new, old = np.asarray(picture) / 255, np.asarray(digit) / 255
    assert new.shape == (28, 28) and 0.01 < np.abs(new - old).mean() < 0.1  # a digit without damage stays one


@pytest.mark.parametrize(("task", "model"), list(zip(TASKS, ["dense", "unet"] * 2, strict=True)))
def test_every_task_and_model_runs(data, tmp_path, task, model):
    settings = ("--data", data / "digits.npy", "--steps", 2, "--batch-size", 8, "--seed", 0, "--quiet")
    done = run(EXAMPLE, "--task", task, "--model", model, *settings, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "runs" / f"{task}-{model}" / "checkpoint.npz").is_file()


def test_a_folder_of_pairs_backwards_and_resumed(data, tmp_path):
    """The rest of the settings is in the run's config, also the direction and the weights."""
    settings = ("--data", data / "pairs", "--direction", "BtoA", "--l1-weight", 10, "--batch-size", 4, "--seed", 0)
    done = run(EXAMPLE, *settings, "--epochs", 1, "--quiet", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "runs" / "pairs-unet"
    done = run(EXAMPLE, "--out", folder, "--resume", "--epochs", 2, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and "8 pairs to train on, 2 to test" in done.stdout
    assert "read right" not in done.stdout
    config = json.loads((folder / "config.json").read_text())
    assert config["direction"] == "BtoA" and config["l1_weight"] == 10 and config["epochs"] == 2
    done = run(EXAMPLE, "--out", folder, "--resume", "--l1-weight", 20, cwd=tmp_path)
    assert done.returncode == 2 and "l1_weight 10.0, not 20.0" in done.stderr
    run("-m", "nanogan", "translate", folder / "checkpoint.npz", data / "colour.png", "new.png", cwd=tmp_path)
    assert size_of(tmp_path / "new.png") == (16, 12)


MISTAKES = {
    "unknown task": (["--task", "restor"], "'restor' is not one of restore, super-resolution, edges, colour"),
    "unknown model": (["--model", "resnet"], "'resnet' is not one of dense, unet"),
    "unknown direction": (["--direction", "atob"], "'atob' is not one of AtoB, BtoA"),
    "negative weight": (["--l1-weight", "-1"], "'-1' is not a number of at least 0"),
    "weight of nan": (["--adversarial-weight", "nan"], "'nan' is not a number of at least 0"),
    "missing data": (["--data", "nowhere"], "nowhere: no such file or folder"),
    "a task of pairs": (["--data", "PAIRS", "--task", "edges"], "leave --task edges out"),
    "a direction of digits": (["--direction", "BtoA"], "--direction BtoA: is for a folder of pairs"),
    "odd width": (["--data", "ODD"], "a.png: is 13 x 12 pixels, colour; expected two pictures side by side"),
    "unequal sizes": (["--data", "UNEQUAL"], "b.png: is 32 x 14 pixels, colour, but a.png is 32 x 12"),
    "unequal channels": (["--data", "CHANNELS"], "b.png: is 32 x 12 pixels, grey, but a.png is 32 x 12 pixels, colour"),
    "odd height": (["--data", "HEIGHT"], "found 13 x 16 pixels; resize them to an even height and width"),
    "too small": (["--data", "SMALL", "--model", "dense"], "expected pictures of at least 11 x 11 pixels"),
    "one pair": (["--data", "ONE"], "leaves one part of 1 images empty"),
    "a batch larger than the data": (["--data", "PAIRS"], "batch size 32 is larger than the data set of 8 images"),
}
FOLDERS: dict[str, dict[str, tuple[int, ...]]] = {
    "ODD": {"a.png": (12, 13, 3)},
    "UNEQUAL": {"a.png": (12, 32, 3), "b.png": (14, 32, 3)},
    "CHANNELS": {"a.png": (12, 32, 3), "b.png": (12, 32)},
    "HEIGHT": {f"{number}.png": (13, 32, 3) for number in range(5)},
    "SMALL": {f"{number}.png": (10, 20, 3) for number in range(5)},
    "ONE": {"a.png": (12, 32, 3)},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_status_2(data, tmp_path, mistake):
    arguments, message = MISTAKES[mistake]
    for name, pictures in FOLDERS.items():
        if name in arguments:
            (tmp_path / name).mkdir()
            for number, (picture, shape) in enumerate(pictures.items()):
                save(tmp_path / name / picture, np.resize(np.arange(number, 251, dtype=np.uint8), shape))
    arguments = [str(data / "pairs") if argument == "PAIRS" else argument for argument in arguments]
    done = run(EXAMPLE, "--seed", 0, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


TRANSLATIONS = {
    "no picture": (["CHECKPOINT", "missing.png", "o.png"], "missing.png: there is no such file"),
    "no checkpoint": (["missing.npz", "digit.png", "o.png"], "missing.npz: there is no such file"),
    "other size": (["CHECKPOINT", "colour.png", "o.png"], "colour.png: is 16 x 12 pixels, colour, but the network was"),
    "not a picture": (["CHECKPOINT", "digits.npy", "o.png"], "digits.npy: cannot be read as a picture"),
    "not to PNG": (["CHECKPOINT", "digit.png", "o.jpg"], "o.jpg: expected a name ending in .png"),
    "no folder": (["CHECKPOINT", "digit.png", "nowhere/o.png"], "nowhere/o.png: could not be written"),
}


@pytest.mark.parametrize("case", TRANSLATIONS)
def test_what_cannot_be_translated_is_one_line(trained, data, case):
    arguments, message = TRANSLATIONS[case]
    checkpoint = str(trained[0] / "checkpoint.npz")
    arguments = [checkpoint if argument == "CHECKPOINT" else argument for argument in arguments]
    done = run("-m", "nanogan", "translate", *arguments, cwd=data)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    assert not Path(data / "o.png").exists()
