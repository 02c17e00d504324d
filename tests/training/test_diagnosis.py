"""Live diagnosis: figures that are what they say, a run that doesn't notice, and warnings on runs that really fail."""

import re
from dataclasses import replace
from typing import Any

import double
import numpy as np
import pytest
from tiny import tiny_trainer

from nanogan.data.images import load_mnist
from nanogan.io import checkpoint
from nanogan.layers import Dropout, LeakyReLU, Linear, ReLU, Tanh
from nanogan.losses import BCEWithLogits
from nanogan.norm import BatchNorm
from nanogan.optim import Adam
from nanogan.recipes.cures import cured
from nanogan.recipes.mnist import RECIPES, get_recipe
from nanogan.reshape import Flatten, Reshape
from nanogan.training.diagnosis import Diagnosis, digit_figures, findings
from nanogan.training.gan_trainer import Trainer, gradient_norm
from nanogan.training.log import complete
from nanogan.training.loop import train
from nanogan.training.run_folder import RunFolder

SMALL = replace(
    get_recipe("vanilla"),
    name="small",
    generator=(Linear(16, 64), ReLU(), Linear(64, 784), Tanh(), Reshape((28, 28, 1))),
    discriminator=(Flatten(), Linear(784, 64), LeakyReLU(), Linear(64, 1)),
    noise_size=16,
    batch_size=32,
    optimizer=Adam(lr=5e-3, betas=(0.5, 0.999)),
)
"""Draws most digits after 1,500 steps of half a millisecond."""


@pytest.fixture(scope="module")
def digits():
    return load_mnist("train")[0][:8000]


def run_folder(path):
    folder = RunFolder(path, resume=path.exists())
    folder.create()
    return folder


def watched(trainer, folder, steps):
    train(trainer, folder, steps, quiet=True, diagnosis=Diagnosis(trainer, digits=True))


# ---- figures


def test_the_gradient_norm_is_the_mean_of_what_each_sample_alone_would_get(backend):
    """Of a batch of 4 as training leaves it, against four batches of one, in which the mean is the sample itself."""
    trainer = tiny_trainer(steps=2, backend=backend)
    G, D, loss = trainer.G, trainer.D, trainer.loss
    fake = backend.to_host(G.layers[-2].y).reshape(-1, 2, 2, 1).copy()  # of its last forward pass
    found = gradient_norm(backend.to_host(D.dx), loss)
    norms = []
    for sample in fake:  # G's step has not moved D
        dlogit = loss.backward(D.forward(backend.asarray(sample[None])), 1.0)
        norms.append(np.linalg.norm(backend.to_host(D.backward_input(dlogit))))
    assert found == pytest.approx(np.mean(norms), rel=1e-5) and found > 0.01


def test_the_gradient_of_a_summed_loss_is_not_divided_by_the_batch():
    dx = np.array([[3.0, 4.0], [0.0, 1.0]], np.float32)
    assert gradient_norm(dx, BCEWithLogits()) == 6
    assert gradient_norm(dx, BCEWithLogits(reduction="sum")) == 3


def test_a_gradient_too_small_to_be_squared_in_its_precision_is_not_zero():
    dx = np.full((2, 4), 1e-30, np.float32)
    assert gradient_norm(dx, BCEWithLogits()) == pytest.approx(4e-30)


def test_digit_figures_of_real_digits_and_of_one():
    images, labels = load_mnist("test", scale=(0, 1))
    found = digit_figures(images[:2000])
    p = np.bincount(labels[:2000]) / 2000
    assert found["top_digit_share"] == pytest.approx(p.max(), abs=0.003)
    assert found["digit_entropy"] == pytest.approx(-(p * np.log(p)).sum(), abs=0.003) and found["digit_entropy"] > 2.29
    assert digit_figures(images[:1].repeat(50, axis=0)) == {"digit_entropy": 0, "top_digit_share": 1}
    in_halves = digit_figures(images[[0, 1]].repeat(50, axis=0).astype(np.float64))  # a 7 and a 2
    assert in_halves == {"digit_entropy": pytest.approx(np.log(2)), "top_digit_share": 0.5}


def test_images_that_are_no_numbers_have_no_digits():
    images = np.zeros((3, 28, 28, 1), np.float32)
    images[1, 5, 5] = np.nan
    assert all(np.isnan(value) for value in digit_figures(images).values())


# ---- a run doesn't notice


def test_a_run_is_the_same_to_the_bit_with_and_without(digits):
    """With everything that could notice: running statistics, dropout, and one generator of random numbers."""
    generator, discriminator = list(SMALL.generator), list(SMALL.discriminator)
    generator[1:1] = [BatchNorm(64), Dropout(0.1)]
    discriminator[2:2] = [BatchNorm(64), Dropout(0.3)]
    recipe = replace(SMALL, generator=tuple(generator), discriminator=tuple(discriminator))
    seen, alone = (Trainer(recipe, digits[:128], seed=0) for _ in range(2))
    diagnosis = Diagnosis(seen, digits=True, held_out={"images": digits[128:256]})
    for trainer in (seen, alone):
        for _ in range(3 * 4):
            trainer.step()
            if trainer.epoch_is_over:
                trainer.log_epoch(**(diagnosis.figures() if trainer is seen else {}))
    assert checkpoint.digest(seen.arrays()) == checkpoint.digest(alone.arrays())
    assert seen.rng.bit_generator.state == alone.rng.bit_generator.state
    assert all(0.1 <= row["top_digit_share"] <= 1 and row["gradient_norm"] > 0 for row in seen.rows)
    assert all(np.isnan(row["top_digit_share"]) and np.isnan(row["gradient_norm"]) for row in alone.rows)


def test_a_resumed_run_logs_the_same(tmp_path, digits):
    straight = Trainer(SMALL, digits[:128], seed=0)
    watched(straight, run_folder(tmp_path / "straight"), 12)
    for steps in (6, 12):  # stopped in the middle of the second epoch
        resumed = Trainer(SMALL, digits[:128], seed=0)
        folder = run_folder(tmp_path / "resumed")
        if steps == 12:
            resumed.load(folder.checkpoint)
        watched(resumed, folder, steps)
        del folder  # and its lock
    timeless = [[{**row, "seconds": 0} for row in trainer.rows] for trainer in (straight, resumed)]
    assert str(timeless[0]) == str(timeless[1]) and not np.isnan(timeless[0][2]["digit_entropy"])


def test_the_device_is_read_at_the_end_of_an_epoch_only(digits, device_reads):
    trainer = Trainer(SMALL, digits[:64], seed=0, backend=double.backend())
    diagnosis = Diagnosis(trainer, digits=True)
    device_reads.count = 0
    trainer.step()
    assert device_reads.count == 0
    found = diagnosis.figures()
    assert device_reads.count == 17  # the gradient; both networks, twice; 4 batches drawn, and opinions of 8
    on_numpy = Trainer(SMALL, digits[:64], seed=0)
    diagnosis_on_numpy = Diagnosis(on_numpy, digits=True)
    on_numpy.step()
    assert found == diagnosis_on_numpy.figures()


def test_pictures_of_another_size_have_no_digits():
    trainer = tiny_trainer(steps=1)
    assert not any("digit" in name for name in Diagnosis(trainer, digits=True).figures())


# ---- runs that really fail, and one that doesn't

FAILING: dict[str, tuple[dict[str, Any], int, int, list[str]]] = {
    # a recipe's changes, seed, epochs of 1,280 images, and what stderr says
    "D wins; sigmoid and BCE leave no gradient": (
        {"optimizer": Adam(lr=0.02)}, 0, 1,
        [r"epoch 1: D has won: D\(G\(z\)\) = 0\.0\d+ and the gradient reaching G vanishes \(norm 0\); try "],
    ),
    "D calls everything real, with no gradient": (
        {"optimizer": Adam(lr=0.03)}, 1, 3,
        [r"epoch 1: D is stuck: D\(x\) = 0\.9\d+, D\(G\(z\)\) = 0\.9\d+ and the gradient reaching G vanishes"],
    ),
    "D wins on logits; G's tanh is saturated": (
        {**vars(SMALL), "optimizer": Adam(lr=0.1)}, 0, 4,
        [r"epoch \d: D has won: D\(G\(z\)\) = \S+ and the gradient reaching G doesn't change that \(norm \d",
         r"epoch \d: collapse: 100 % of samples are one digit; try --loss relativistic .* or --lr 0.025 or --beta1 0.5 "
         "or another --seed;"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILING)
def test_a_run_that_fails_says_so_once(tmp_path, digits, capsys, case):
    changes, seed, epochs, expected = FAILING[case]
    trainer = Trainer(replace(get_recipe("student"), **changes), digits[:1280], seed=seed)
    watched(trainer, run_folder(tmp_path / "run"), epochs * trainer.batches.steps_per_epoch)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(expected), lines
    for line, pattern in zip(lines, expected, strict=True):
        assert re.match(pattern, line), line


def test_a_healthy_run_is_silent_until_a_change_ruins_it_and_is_told_once(tmp_path, digits, capsys):
    """Six good epochs; resumed with ten times the learning rate; and resumed again."""

    def go_on(epochs, **changes):
        trainer = Trainer(replace(SMALL, **changes), digits, seed=0)
        folder = run_folder(tmp_path / "run")
        if folder.resume:
            trainer.load(folder.checkpoint, allow_change=True)
        watched(trainer, folder, 250 * epochs)
        return trainer.rows[-1], [line.split(";")[0] for line in capsys.readouterr().err.splitlines()]

    row, said = go_on(6)
    assert said == [] and row["digit_entropy"] > 1.5 and row["top_digit_share"] < 0.5
    ruined = {"optimizer": replace(SMALL.optimizer, lr=0.05)}
    row, said = go_on(8, **ruined)
    assert said == ["epoch 8: collapse: 100 % of samples are one digit"] and row["digit_entropy"] == 0
    row, said = go_on(10, **ruined)
    assert [line.split(" = ")[0] for line in said] == ["epoch 9: D has won: D(G(z))"]


# ---- the rules, on the logs of longer runs

COURSE_RECIPE = get_recipe("course")
COURSE = {  # D(x), D(G(z)), gradient norm, commonest share, an epoch each: `course` as published, on all of MNIST
    0: """0.8251 0.3162 1.691 1,  0.9019 0.1354 2.383 1,  0.923 0.09753 2.099 1,
          0.9159 0.09922 3.097 0.6523,  0.951 0.05019 5.139 1,  0.9987 0.00136 5.783 1,
          0.9853 0.007191 3.815 1,  0.9923 0.00768 5.422 1,  0.9987 0.001449 5.984 1,
          0.9979 0.001878 4.652 1,  0.997 0.002896 6.896 1,  0.9514 0.002207 7.049 1""",
    1: """0.8096 0.3297 1.761 1,  0.892 0.145 2.097 1,  0.9114 0.1089 2.265 1,
          0.9445 0.05741 5.058 1,  0.9776 0.02434 2.981 1,  0.8908 0.1261 2.085 1,
          0.9243 0.07808 4.191 0.3008,  0.9973 0.002908 5.984 1,  0.9999 0.0001325 6.129 1,
          0.9907 0.008987 6.746 0.8477,  0.999 0.0009934 6.626 1,  0.998 0.002057 8.298 1,
          0.9999 0.0001321 1.877e-12 1""",
}


def rows_of(text, steps_per_epoch=937):
    names = ("d_real", "d_fake", "gradient_norm", "top_digit_share")
    return [
        {"epoch": epoch, "step": epoch * steps_per_epoch, **dict(zip(names, map(float, row.split()), strict=True))}
        for epoch, row in enumerate(text.split(","), start=1)
    ]


def first_said(rows):
    """The epoch in which each rule first speaks."""
    said: dict[str, int] = {}
    for epoch in range(1, len(rows) + 1):
        for name in findings(rows[:epoch], COURSE_RECIPE):
            said.setdefault(name, epoch)
    return said


def test_the_collapse_of_course_is_seen_when_it_happens():
    assert first_said(rows_of(COURSE[0])) == {"D has won": 10, "collapse": 10}
    rows = rows_of(COURSE[1])
    assert first_said(rows) == {"D has won": 9, "collapse": 9}
    assert findings(rows[:10], COURSE_RECIPE) == {}  # it recovers for an epoch
    assert "vanishes (norm 1.9e-12)" in findings(rows, COURSE_RECIPE)["D has won"]


def test_a_slow_start_is_no_collapse():
    """`vanilla` draws one digit for nine epochs, with a D that isn't sure, and learns the others in the next forty."""
    shares = "1 1 1 1 1 1 0.66 1 1 0.95 0.56 0.53 0.70 0.44 0.56 0.66 0.53 0.38".split()
    assert first_said(rows_of(",".join(f"0.95 0.03 5 {share}" for share in shares))) == {}
    never = rows_of(",".join(17 * ["0.8 0.2 5 1"]))
    assert first_said(never) == {"collapse": 17}  # at step 15,929, the first after SLOW_START


def test_the_advice_can_be_typed_and_leaves_out_what_the_recipe_has():
    rows = rows_of(COURSE[0])[:10]
    options = {name: findings(rows, get_recipe(name))["D has won"].split("; try ")[1] for name in RECIPES}
    pairs = "--loss relativistic --r1 30 --r2 30"
    own = "in a recipe of your own: a real label of 0.9"
    assert options["course"] == f"{pairs} or --lr 5e-05 or --loss bce; {own}, dropout in D"
    assert options["keras"].startswith("--loss relativistic --r1 10 --r2 10 or --lr")  # pixels in [0, 1]
    cured_course = findings(rows, cured(get_recipe("course"), r1=30))["D has won"]
    assert cured_course.endswith(f"; try --lr 5e-05; {own}, dropout in D")
    assert options["udacity"] == f"{pairs} or --lr 0.0005 or --beta1 0.5"
    assert options["paper-2014"] == "--lr 0.025; in a recipe of your own: a real label of 0.9"
    collapse = findings(rows, get_recipe("dcgan"))["collapse"]
    assert collapse == "100 % of samples are one digit; try --lr 5e-05 or another --seed"


def test_a_discriminator_that_overshoots_is_advised_by_its_own_rate():
    rows = [row | {"d_loss": 9.0} for row in rows_of("0.6 0.4 5 0.2, 0.6 0.4 5 0.2")]
    said = findings(rows, cured(get_recipe("dcgan"), d_lr=8e-3))["D overshoots"]
    assert said.endswith("; try --lr 5e-05 or --d-lr 0.002")


def test_one_bad_epoch_and_what_was_not_measured_are_no_reason():
    good, bad = "0.8 0.2 5 0.2", "0.99 0.001 5 1"
    assert findings(rows_of(bad), COURSE_RECIPE) == {} and findings(rows_of(f"{good}, {bad}"), COURSE_RECIPE) == {}
    assert first_said(rows_of(f"{good}, {bad}, {bad}")) == {"D has won": 3, "collapse": 3}
    empty = complete({"epoch": 1, "step": 1}, Trainer.columns)
    assert findings([empty], COURSE_RECIPE) == {} and findings([empty, empty], COURSE_RECIPE) == {}
    assert findings([empty, *rows_of(bad)], COURSE_RECIPE) == {}
