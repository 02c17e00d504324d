"""The shape of the images, and the settings of a recipe, as a user gives them; and a recipe of one's own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
from running import ROOT, run
from tiny import IMAGES, TINY, tiny_trainer

from nanogan.backend import Array
from nanogan.errors import InputError
from nanogan.layer import Layer
from nanogan.layers import Linear
from nanogan.optim import Adam
from nanogan.pix2pix.trainer import load_image_to_image
from nanogan.reshape import Flatten
from nanogan.training.gan_trainer import Trainer
from nanogan.training.loop import train
from nanogan.training.run_folder import RunFolder
from nanogan.training.trained import load_generator

EXAMPLE = str(ROOT / "examples" / "mnist_gan.py")


@pytest.fixture
def data(tmp_path):
    def made(*shape):
        np.save(tmp_path / "d.npy", np.random.default_rng(0).integers(0, 256, (16, *shape), dtype=np.uint8))
        return "d.npy"

    return made


def trained(folder, *arguments, steps=2):
    arguments = ("--steps", steps, "--batch-size", 8, "--quiet", "--seed", 0, *arguments)
    done = run(EXAMPLE, *arguments, "--out", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "run" / "config.json").read_text())


SHAPES = {  # the data's shape, what is given, and the images'
    "as large as they are": ((64, 64, 3), (), (64, 64, 3)),
    "grey": ((32, 32), (), (32, 32, 1)),
    "made grey": ((32, 32, 3), ("--channels", 1), (32, 32, 1)),
    "made colour": ((28, 28), ("--channels", 3, "--size", 32), (32, 32, 3)),
    "not a size of this recipe": ((30, 30, 3), (), (28, 28, 3)),
    "a size of this one": ((30, 30, 3), ("--recipe", "vanilla"), (30, 30, 3)),
    "not square": ((50, 90), ("--width", 2), (32, 32, 1)),
    "too large for a CPU": ((130, 130), ("--recipe", "vanilla"), (64, 64, 1)),
    "as large as asked for": ((64, 64), ("--size", 96, "--width", 2), (96, 96, 1)),
}


@pytest.mark.parametrize("case", SHAPES)
def test_images_have_the_size_asked_for_or_that_of_the_data(tmp_path, data, case):
    natural, given, expected = SHAPES[case]
    config = trained(tmp_path, "--data", data(*natural), *given, steps=1)
    assert (config["size"], config["size"], config["channels"]) == expected
    G, recipe = load_generator(tmp_path / "run" / "checkpoint.npz")
    assert recipe.image_shape == G.shape == expected


def test_settings_are_kept_and_taken_up_again(tmp_path, data):
    given = {"lr": 0.003, "beta1": 0.25, "noise-size": 7, "width": 4, "weight-average": 0.5, "size": 32}
    config = trained(tmp_path, "--data", data(28, 28), *(word for name in given for word in (f"--{name}", given[name])))
    assert {name: config[name.replace("-", "_")] for name in given} == given
    _, recipe = load_generator(tmp_path / "run" / "checkpoint.npz")
    assert isinstance(recipe.optimizer, Adam)
    assert (recipe.optimizer.lr, recipe.optimizer.betas, recipe.ema_decay) == (0.003, (0.25, 0.999), 0.5)
    assert recipe.input_shape == (7,) and recipe.image_shape == (32, 32, 1) and recipe.batch_size == 64
    done = run(EXAMPLE, "--resume", "--steps", 4, "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert log[-1].split(",")[1] == "4"
    for change, message in (
        (("--lr", 0.001), "was trained with lr 0.003, not 0.001;"),
        (("--beta1", 0.5), "was trained with betas (0.25, 0.999), not (0.5, 0.999);"),
        (("--width", 2), "was trained with generator with layer 0 Linear(n_in=7, n_out=64"),
        (("--weight-average", 0), "was trained with ema_decay 0.5, not None;"),
    ):
        done = run(EXAMPLE, "--resume", "--steps", 6, "--out", "run", *change, cwd=tmp_path)
        assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
        assert len(done.stderr) < 500
    done = run(EXAMPLE, "--resume", "--steps", 6, "--out", "run", "--lr", 0.001, "--allow-change", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_run_of_old_goes_on_in_grey_28_x_28(tmp_path, data):
    """Its config.json has none of these settings."""
    config = trained(tmp_path, "--data", data(64, 64, 3), "--size", 28, "--channels", 1)
    new = ("size", "channels", "lr", "beta1", "noise_size", "width", "weight_average")
    kept = {name: value for name, value in config.items() if name not in new}
    (tmp_path / "run" / "config.json").write_text(json.dumps(kept))
    assert trained(tmp_path, "--resume", steps=4)["size"] == 28


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--size", "50"], "images of 50 x 50 don't fit"),
        (["--size", "3"], "'3' is not a whole number from 4 to 1,024"),
        (["--channels", "2"], "'2' is not 1 (grey) or 3 (colour)"),
        (["--lr", "0"], "'0' is not a number above 0"),
        (["--lr", "nan"], "'nan' is not a number above 0"),
        (["--beta1", "1"], "'1' is not a number of at least 0 and below 1"),
        (["--weight-average", "1.5"], "'1.5' is not a number of at least 0 and below 1"),
        (["--width", "0"], "'0' is not a whole number of at least 1"),
        (["--recipe", "paper-2014", "--beta1", "0.5"], "its SGD has no beta1; leave it out"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(tmp_path, arguments, message):
    done = run(EXAMPLE, *arguments, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
    assert not any(tmp_path.iterdir()) and done.stdout == ""


def test_the_list_shows_every_setting(tmp_path):
    lines = run(EXAMPLE, "--list", cwd=tmp_path).stdout.splitlines()
    names = re.split(r" {2,}", lines[0])
    row = dict(zip(names, re.split(r" {2,}", lines[1]), strict=True))
    expected = {"lr": "0.001", "beta1": "0.5", "batch": "64", "length": "10 epochs", "noise": "64", "width": "16"}
    assert row | expected | {"average": "0.999"} == row


@pytest.mark.parametrize("model", ["dense", "unet"])
def test_image_to_image_takes_what_makes_sense_there(tmp_path, data, model):
    given = ("--lr", 0.003, "--beta1", 0.25, "--width", 4, "--steps", 1, "--batch-size", 4, "--seed", 0, "--quiet")
    command = (ROOT / "examples" / "image_to_image.py", "--data", data(28, 28), "--model", model, "--out", "run")
    done = run(*command, "--task", "restore", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    _, recipe = load_image_to_image(tmp_path / "run" / "checkpoint.npz")
    assert isinstance(recipe.optimizer, Adam)
    assert (recipe.optimizer.lr, recipe.optimizer.betas[0]) == (0.003, 0.25)
    first = next(layer for layer in recipe.generator if layer.param_count)
    assert getattr(first, "n_out", None) == 4 or getattr(first, "c_out", None) == 4


# ---- a recipe of one's own


@dataclass
class Scale(Layer):
    """y = factor x"""

    factor: float = 0.5

    def forward(self, x: Array, training: bool = True) -> Array:
        return float(self.factor) * x

    def backward_input(self, dy: Array) -> Array:
        return float(self.factor) * dy


OWN = replace(TINY, name="mine", generator=(*TINY.generator, Scale(np.float64(0.5))))


def test_a_recipe_with_a_layer_of_ones_own_is_saved_resumed_and_sampled(tmp_path):
    whole = tiny_trainer(6, recipe=OWN)
    folder = RunFolder(tmp_path / "run", resume=False)
    folder.create()
    train(tiny_trainer(recipe=OWN), folder, 3, quiet=True)
    resumed = tiny_trainer(recipe=OWN)
    checkpoint = tmp_path / "run" / "checkpoint.npz"
    resumed.load(checkpoint)
    for _ in range(3):
        resumed.step()
    np.testing.assert_array_equal(resumed.G.params, whole.G.params)
    resumed.save(checkpoint)
    G, recipe = load_generator(checkpoint, layers={"Scale": Scale})
    assert recipe == OWN
    np.testing.assert_array_equal(G.params, whole.G.params)
    with pytest.raises(InputError, match=r"its recipe has a 'Scale', .*layers=\{'Scale': Scale\}"):
        load_generator(checkpoint)
    done = run("-m", "nanogan", "sample", checkpoint, cwd=tmp_path)
    assert done.returncode == 2 and "its recipe has a 'Scale'" in done.stderr and len(done.stderr.splitlines()) == 1


class NoDataclass(Layer):
    def forward(self, x: Array, training: bool = True) -> Array:
        return x


Impostor: type[Layer] = dataclass(type("Flatten", (Layer,), {"output_shape": Flatten.output_shape}))


@pytest.mark.parametrize(
    "layer, message",
    [(NoDataclass(), "make NoDataclass a @dataclass"), (Impostor(), "nanogan has a class of that name")],
)
def test_a_layer_that_could_not_be_read_again_is_refused_at_once(layer, message):
    with pytest.raises(InputError, match=message):
        Trainer(replace(TINY, discriminator=(layer, Flatten(), Linear(4, 1))), IMAGES, seed=0)
