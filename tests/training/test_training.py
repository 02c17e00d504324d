"""The trainer and the run folder: what is learned, logged, saved, continued and refused."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from typing import Any

import double
import numpy as np
import pytest

from nanogan.data.images import load_mnist
from nanogan.errors import InputError
from nanogan.io import checkpoint, plots
from nanogan.recipes.mnist import RECIPES, get_recipe
from nanogan.recipes.recipe import Recipe, describe, restore
from nanogan.training.gan_trainer import Trainer
from nanogan.training.loop import epoch_line, train
from nanogan.training.run_folder import RunFolder
from nanogan.training.trained import load_generator

VANILLA = get_recipe("vanilla")


@pytest.fixture(scope="module")
def digits():
    return load_mnist("test")[0]


def trainer_on(images, *, seed=0, recipe=VANILLA, **options):
    return Trainer(recipe, images, seed=seed, **options)


def run_steps(trainer, count):
    for _ in range(count):
        trainer.step()
    return trainer


def everything(trainer):
    """All that a run consists of, as arrays."""
    moments = [m for optimizer in trainer.optimizers.values() for m in optimizer.moments.values()]
    vectors = (trainer.G.params, trainer.D.params, *moments, trainer.sums, trainer.batches.order, trainer.fixed_noise)
    return [np.array(trainer.backend.to_host(vector)) for vector in vectors]


def assert_same_run(one, other):
    for a, b in zip(everything(one), everything(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.rng.bit_generator.state == other.rng.bit_generator.state
    assert (one.steps, one.batches.position) == (other.steps, other.batches.position)


# ---- learning


def test_300_steps_teach_the_generator_where_digits_are_dark(digits):
    """Corners of MNIST are black, the middle is grey: a generator that learned anything draws that."""
    trainer = trainer_on(digits)
    before = trainer.sample()
    after = run_steps(trainer, 300).sample()
    assert after.shape == (64, 28, 28, 1) and after.min() >= 0 and after.max() <= 1
    assert before[:, :4, :4].mean() > 0.45  # tanh of almost nothing: grey all over
    assert after[:, :4, :4].mean() < 0.25
    assert after[:, 10:18, 10:18].mean() > 0.3


def test_a_seed_repeats_a_run_and_another_does_not(digits):
    one, same, other = (run_steps(trainer_on(digits, seed=seed), 5) for seed in (1, 1, 2))
    assert_same_run(one, same)
    assert not np.array_equal(one.G.params, other.G.params)


def test_means_are_those_of_the_epoch_so_far(digits):
    trainer = run_steps(trainer_on(digits[:256]), 4)
    first = trainer.means()
    assert first["d_loss"] > 0 and first["g_loss"] > 0 and 0 < first["d_fake"] < 1 and 0 < first["d_real"] < 1
    total_at_4 = trainer.sums[0]
    assert first["d_loss"] == pytest.approx(total_at_4 / 4)
    run_steps(trainer, 1)  # step 5 opens epoch 2
    assert trainer.epoch == 2 and trainer.means()["d_loss"] == pytest.approx(trainer.sums[0])


def test_float64_is_float64_throughout(digits):
    trainer = run_steps(trainer_on(digits[:128].astype(np.float64), dtype=np.float64), 2)
    assert {array.dtype for array in everything(trainer)} == {np.dtype(np.float64), np.dtype(np.int64)}


def test_uniform_noise_stays_within_its_bound():
    recipe = replace(VANILLA, noise_bound=2.0)
    z = recipe.draw_noise(np.random.default_rng(0), np.empty((500, 64), np.float32))
    assert -2 <= z.min() < -1.99 and 1.99 < z.max() <= 2
    assert abs(z.mean()) < 0.05


# ---- on every backend


def test_a_run_is_the_same_on_every_backend(backend, digits):
    here = run_steps(trainer_on(digits[:256], backend=backend), 4)
    on_numpy = run_steps(trainer_on(digits[:256]), 4)
    assert here.means() == pytest.approx(on_numpy.means(), rel=1e-3)
    np.testing.assert_allclose(here.sample(), on_numpy.sample(), atol=1e-3)


def test_on_the_double_a_run_has_the_same_bits_and_reads_the_device_once_an_epoch(digits, device_reads):
    on_double = trainer_on(digits[:256], backend=double.backend())
    device_reads.count = 0
    run_steps(on_double, 4)
    assert device_reads.count == 0
    row = on_double.log_epoch()
    assert device_reads.count == 1
    on_numpy = run_steps(trainer_on(digits[:256]), 4)
    assert_same_run(on_double, on_numpy)
    assert {**row, "seconds": 0} == {**on_numpy.log_epoch(), "seconds": 0}


# ---- saving and continuing


@pytest.mark.parametrize("at", [1, 4, 6])  # in the middle of an epoch of 4 steps, at its end, in the second
def test_resume_is_exact(tmp_path, digits, at):
    straight = run_steps(trainer_on(digits[:256]), 9)
    run_steps(trainer_on(digits[:256]), at).save(tmp_path / "c.npz")
    resumed = trainer_on(digits[:256])
    resumed.load(tmp_path / "c.npz")
    assert_same_run(straight, run_steps(resumed, 9 - at))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"seed": 1}, "trained with seed 0, not 1"),
        ({"batch_size": 32}, "trained with batch_size 64, not 32"),
        ({"recipe": replace(VANILLA, name="mine")}, "trained with recipe vanilla, not mine"),
        ({"recipe": replace(VANILLA, real_label=0.9)}, "trained with real_label 1.0, not 0.9"),
    ],
)
def test_another_run_cannot_be_continued(tmp_path, digits, change, message):
    trainer_on(digits[:256]).save(tmp_path / "c.npz")
    with pytest.raises(InputError, match=message):
        trainer_on(digits[:256], **change).load(tmp_path / "c.npz")


def test_the_generator_alone_comes_back_from_a_checkpoint(tmp_path, digits):
    trainer = run_steps(trainer_on(digits), 3)
    trainer.save(tmp_path / "c.npz")
    G, recipe = load_generator(tmp_path / "c.npz")
    np.testing.assert_array_equal(G.params, trainer.G.params)
    assert recipe == VANILLA


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "other npz", "future"])
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path, digits, damage):
    path = tmp_path / "c.npz"
    trainer_on(digits[:256]).save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    elif damage == "text":
        path.write_text("not a checkpoint")
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other npz":
        np.savez(path, a=np.zeros(3))
    elif damage == "future":
        arrays, meta = checkpoint.load(path)
        checkpoint.save(path, arrays, {**meta, "format": 99})
    with pytest.raises(InputError, match=r"c\.npz.*(whole nanogan checkpoint|update nanogan)"):
        load_generator(path)


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path, digits, monkeypatch):
    path = tmp_path / "c.npz"
    trainer = trainer_on(digits[:256])
    trainer.save(path)
    old = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(InputError, match=r"could not be written \(No space left on device\)"):
        run_steps(trainer, 1).save(path)
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["c.npz"]


# ---- recipes as data


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_json(name):
    recipe = RECIPES[name]
    assert restore(json.loads(json.dumps(describe(recipe)))) == recipe
    assert isinstance(recipe, Recipe) and recipe.name == name


@pytest.mark.parametrize("description", [{"type": "Popen"}, {"type": "Linear", "size": 3}, {}])
def test_a_strange_description_is_refused(description):
    with pytest.raises(InputError, match="this nanogan"):
        restore(description)


def test_an_unknown_recipe_is_refused():
    with pytest.raises(InputError, match="'vanila' is unknown: choose one of nanogan, vanilla"):
        get_recipe("vanila")


# ---- the run folder


def test_a_run_leaves_exactly_what_is_promised(tmp_path, digits, capsys):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.write_config({"seed": 0})
    assert train(trainer_on(digits[:256]), folder, total_steps=9)
    found = sorted(str(path.relative_to(folder.path)) for path in folder.path.rglob("*") if path.is_file())
    assert found == [
        "checkpoint.npz",
        "config.json",
        "log.csv",
        "losses.png",
        "samples.gif",
        "samples/epoch-0001.png",
        "samples/epoch-0002.png",
        "samples/epoch-0003.png",
    ]
    with open(folder.log) as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:7] == ["epoch", "step", "seconds", "d_loss", "g_loss", "d_real", "d_fake"]
    assert list(rows[0])[7:10] == ["gradient_norm", "digit_entropy", "top_digit_share"]
    assert set(list(rows[0].values())[7:]) == {""}  # nobody looked
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "4"), ("2", "8"), ("3", "9")]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[0].startswith("epoch 1/3  D ") and lines[0].endswith(" images/s")


def test_epoch_line():
    row = {"epoch": 3, "d_loss": 0.741, "g_loss": 1.928, "d_real": 0.72, "d_fake": 0.238}
    assert epoch_line(row, 50, 14209.7) == ("epoch 3/50  D 0.74  G 1.93  D(x) 0.72  D(G(z)) 0.24  14,210 images/s")


def test_a_longer_run_replaces_the_row_of_an_unfinished_epoch(tmp_path, digits):
    folder = RunFolder(tmp_path)
    folder.create()
    train(trainer_on(digits[:256]), folder, total_steps=6, quiet=True)
    resumed = trainer_on(digits[:256])
    resumed.load(folder.checkpoint)
    train(resumed, folder, total_steps=12, quiet=True)
    straight = run_steps(trainer_on(digits[:256]), 12)
    assert_same_run(resumed, straight)
    assert [row["step"] for row in resumed.rows] == [4, 8, 12]


def test_interrupting_saves_and_resuming_ends_the_same(tmp_path, digits):
    """Ctrl-C in the middle: the step is finished, a checkpoint saved, and the resumed run ends with the same bits."""
    folder = RunFolder(tmp_path)
    folder.create()
    trainer = trainer_on(digits[:256])
    steps = 2000
    threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
    assert not train(trainer, folder, steps, quiet=True)
    assert 0 < trainer.steps < steps
    resumed = trainer_on(digits[:256])
    resumed.load(folder.checkpoint)
    assert resumed.steps == trainer.steps
    assert_same_run(run_steps(resumed, 3), run_steps(trainer, 3))


def test_a_folder_with_a_run_is_not_written_over(tmp_path):
    (tmp_path / "log.csv").write_text("precious")
    with pytest.raises(InputError, match=r"already holds a run \(log.csv\); continue it with --resume"):
        RunFolder(tmp_path)
    with pytest.raises(InputError, match="nothing to resume"):
        RunFolder(tmp_path, resume=True)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written.*choose another --out"):
        RunFolder(tmp_path / "file" / "run").create()


# ---- import


def test_import_is_light():
    """`import nanogan` loads nothing heavy but NumPy, and costs at most 1.3 times `import numpy`."""
    code = "import sys, nanogan; print(*(m for m in ('matplotlib', 'tqdm', 'cupy', 'PIL') if m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


@pytest.mark.parametrize("name", ["vanilla", "keras", "udacity"])
def test_the_curves_show_the_recipes_own_equilibrium(name: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D's best answer to images that are real or not by the toss of a coin, found by trying: keras takes the mean of
    both terms, udacity says 0.9 of real images.
    """
    drawn: list[Any] = []
    monkeypatch.setattr(plots, "save_figure", lambda path, figure: drawn.append(figure))
    recipe = get_recipe(name)
    answer = np.linspace(0.001, 0.999, 999)
    loss = -recipe.real_label * np.log(answer) - (2 - recipe.real_label) * np.log(1 - answer)
    best = answer[loss.argmin()]
    trainer = Trainer(recipe, np.zeros((64, 28, 28, 1), np.float32), seed=0, batch_size=32)
    trainer.step()
    trainer.log_epoch()
    trainer.draw_curves(tmp_path / "losses.png")
    losses, outputs = drawn[0].axes
    dashed = [line.get_ydata()[0] for axes in (losses, outputs) for line in axes.lines if line.get_linestyle() == "--"]
    expected = [loss.min() / (2 if recipe.mean_of_terms else 1), -np.log(best), best]
    assert dashed == pytest.approx(expected, abs=1e-9)
