"""The image-to-image step: its gradients, what it returns, what it costs. Its trainer: log, checkpoint, translation."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import double
import numpy as np
import pytest
from tiny import tiny_trainer

from nanogan import L1, NUMPY, Adam, Conv2d, ConvTranspose2d, Network, Skip, Upsample
from nanogan.backend import Array, Backend
from nanogan.data.images import load_mnist
from nanogan.errors import InputError, ShapeError
from nanogan.gan import discriminator_gradients
from nanogan.gradcheck import translators
from nanogan.gradcheck.translators import IMAGE_TO_IMAGE, prove_image_to_image
from nanogan.io import checkpoint
from nanogan.pix2pix.networks import dense, unet
from nanogan.pix2pix.pairs import Pairs, digit_pairs, split
from nanogan.pix2pix.step import concat_channels, paired_generator_gradients
from nanogan.pix2pix.trainer import (
    ImageToImageTrainer,
    inputs_as_outputs,
    load_image_to_image,
    scores,
    side_by_side,
    translate,
)
from nanogan.recipes.recipe import ImageToImage, describe
from nanogan.training.gan_trainer import generate
from nanogan.training.loop import train
from nanogan.training.run_folder import RunFolder
from nanogan.training.trained import load_generator

# ---- the step


@pytest.mark.parametrize("recipe", IMAGE_TO_IMAGE, ids=lambda recipe: f"{recipe.name}-{recipe.input_shape}")
def test_both_updates_are_the_slopes_of_their_losses(recipe: ImageToImage) -> None:
    for report in prove_image_to_image(recipe, count=2):
        assert report.passed, report
        assert all(row.checked for row in report.rows), report


def test_the_proof_sees_a_gradient_of_the_wrong_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if D's input gradient for the condition went to G."""

    def swapped(D: Network, name: str, condition: Array, image: Array) -> Array:
        return concat_channels(D, name, image, condition)

    monkeypatch.setattr(translators, "concat_channels", swapped)
    d_update, g_update = prove_image_to_image(dense((4, 3, 2), (4, 3, 2)), count=4)
    assert d_update.passed and not g_update.passed


@dataclass
class Step:
    """Networks of a recipe, optimizers and a batch of pairs on their backend."""

    recipe: ImageToImage
    backend: Backend = NUMPY
    n: int = 3
    dtype: Any = np.float64

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        (height, width, a), b = self.recipe.input_shape, self.recipe.image_shape[-1]
        build: dict[str, Any] = {"backend": self.backend, "dtype": self.dtype, "rng": rng}
        self.G = Network(self.recipe.generator, (height, width, a), **build)
        self.D = Network(self.recipe.discriminator, (height, width, a + b), **build)
        self.losses = self.recipe.loss.bind(self.backend, self.dtype), L1().bind(self.backend, self.dtype)
        self.G_adam, self.D_adam = Adam(lr=1e-3).bind(self.G), Adam(lr=1e-3).bind(self.D)
        shapes = self.recipe.input_shape, self.recipe.image_shape
        self.pair = [self.backend.asarray(rng.uniform(-1, 1, (self.n, *shape)).astype(self.dtype)) for shape in shapes]

    def __call__(self, **weights: Any) -> list[Array]:
        """One update of D, then one of G: D's loss and outputs, and both parts of G's loss."""
        (condition, target), (loss, l1), D = self.pair, self.losses, self.D
        fake = self.G.forward(condition)
        real_pair = concat_channels(D, "real pair", condition, target)
        fake_pair = concat_channels(D, "fake pair", condition, fake)
        found = [part.copy() for part in discriminator_gradients(D, loss, real_pair, fake_pair)]
        self.D_adam.step()
        found += paired_generator_gradients(self.G, D, loss, l1, fake_pair, fake, target, **weights)
        self.G_adam.step()
        return found


@pytest.mark.parametrize("recipe", IMAGE_TO_IMAGE[:2], ids=lambda recipe: recipe.name)
def test_the_gradient_at_the_images_is_the_sum_of_two(backend: Backend, recipe: ImageToImage) -> None:
    """G's gradients with weights (3, 0) and (0, 2), added, are those with (3, 2): each part alone is switched off by 0.
    D's and the condition's own gradients are not asked for."""
    found = []
    for adversarial_weight, l1_weight in ((3.0, 0.0), (0.0, 2.0), (3.0, 2.0)):
        step = Step(recipe, backend)
        step(adversarial_weight=adversarial_weight, l1_weight=l1_weight)
        found.append(backend.to_host(step.G.grads).copy())
    scale = np.abs(found[2]).max()
    np.testing.assert_allclose(found[0] + found[1], found[2], rtol=0, atol=1e-12 * scale)
    assert all(np.abs(part).max() > 1e-3 * scale for part in found)


def test_what_the_step_returns(backend: Backend) -> None:
    """D's loss and outputs before its update; G's adversarial part after it, from the discriminator that has moved."""
    step = Step(dense((4, 3, 1), (4, 3, 2)), backend)
    host = backend.to_host
    condition, target = map(host, step.pair)
    fake = host(step.G.forward(step.pair[0])).copy()
    before = [
        host(step.D.forward(backend.asarray(np.concatenate([condition, y], axis=-1)))).copy() for y in (target, fake)
    ]
    d_loss, real_logits, fake_logits, adversarial, distance = step()
    np.testing.assert_allclose(host(real_logits), before[0], rtol=1e-12)
    np.testing.assert_allclose(host(fake_logits), before[1], rtol=1e-12)
    assert float(d_loss) == pytest.approx(np.logaddexp(0, -before[0]).mean() + np.logaddexp(0, before[1]).mean())
    after = host(step.D.forward(backend.asarray(np.concatenate([condition, fake], axis=-1))))
    assert float(adversarial) == pytest.approx(np.logaddexp(0, -after).mean())
    assert float(adversarial) != pytest.approx(np.logaddexp(0, -before[1]).mean())
    assert float(distance) == pytest.approx(np.abs(fake - target).mean())
    for array, kept in zip(step.pair, (condition, target), strict=True):
        np.testing.assert_array_equal(host(array), kept)


def test_a_step_never_reads_from_the_device_and_computes_the_same_there(device_reads: double.Count) -> None:
    on_double, on_numpy = Step(IMAGE_TO_IMAGE[1], double.backend()), Step(IMAGE_TO_IMAGE[1])
    device_reads.count = 0
    for step in (on_double, on_numpy):
        for _ in range(3):
            step()
    assert device_reads.count == 0
    # nearly: there, convolutions multiply patches, so sums are added in another order
    np.testing.assert_allclose(on_double.backend.to_host(on_double.G.params), on_numpy.G.params, rtol=0, atol=1e-12)


@pytest.mark.parametrize("model", [dense, unet])
def test_a_step_allocates_nothing_that_grows_with_the_batch(model: Any) -> None:
    def peak(n: int) -> int:
        step = Step(model((16, 16, 1), (16, 16, 1)), n=n, dtype=np.float32)
        step()
        tracemalloc.start()
        step()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    logits = Network(model((16, 16, 1), (16, 16, 1)).discriminator, (16, 16, 2)).shape
    a_few_numbers_per_logit = 8 * 4 * 96 * int(np.prod(logits))
    assert abs(peak(128) - peak(32)) < 1024 + a_few_numbers_per_logit, "96 images more take 98,304 bytes"


def test_an_odd_side_cannot_be_halved() -> None:
    for shape in ((28, 27, 1), (27, 28, 1)):
        with pytest.raises(ShapeError, match=rf"found {shape[0]} x {shape[1]} pixels; resize them to an even .*dense"):
            unet(shape, shape)


@pytest.mark.parametrize(("side", "smallest"), [(28, 7), (16, 1), (256, 16), (30, 15)])
def test_a_u_net_halves_while_it_can_but_four_times_at_most(side: int, smallest: int) -> None:
    shape: tuple[int, ...] = (side, side, 3)
    layers, sides = list(unet((side, side, 3), (side, side, 1)).generator), []
    while layers:
        layer = layers.pop(0)
        if isinstance(layer, Skip):
            layers = layer.layers
            continue
        if isinstance(layer, ConvTranspose2d):
            break
        shape = layer.output_shape(shape)
        sides.append(shape[0])
    assert min(sides) == smallest


# ---- the trainer


DIGITS, LABELS = load_mnist("test", scale=(0, 1))
PAIRS = digit_pairs("restore", DIGITS[:100], LABELS[:100], seed=0)
TRAIN, TEST = split(PAIRS, 0)
GREY = (28, 28, 1)
SMALL = {"dense": dense(GREY, GREY, epochs=100), "unet": unet(GREY, GREY, width=4, epochs=100)}


def trainer_of(model: str = "unet", **options: Any) -> ImageToImageTrainer:
    recipe = replace(SMALL[model], **options.pop("change", {}))
    parts = options.pop("parts", (TRAIN, TEST))
    return ImageToImageTrainer(recipe, *parts, **{"seed": 0, "batch_size": 20, **options})


def run_steps(trainer: ImageToImageTrainer, count: int) -> ImageToImageTrainer:
    for _ in range(count):
        trainer.step()
    return trainer


@pytest.mark.parametrize("model", SMALL)
def test_training_brings_outputs_nearer_to_their_targets(model: str) -> None:
    trainer = trainer_of(model)
    before = trainer.measure()
    after = run_steps(trainer, 60).measure()
    assert after["l1"] < 0.5 * before["l1"] and after["test_l1"] < 0.5 * before["test_l1"]
    assert after["psnr"] > before["psnr"] + 3


def test_the_log_tells_the_parts_and_the_two_kinds_of_pairs_apart() -> None:
    trainer = run_steps(trainer_of(), 8)
    row = trainer.log_epoch()
    assert tuple(row) == trainer.columns and trainer.rows == [row] and row["epoch"] == 2 and row["step"] == 8
    outputs = generate(trainer.G, trainer.recipe, TEST.conditions * 2 - 1)
    assert row["test_l1"] == pytest.approx(np.abs(outputs - TEST.targets).mean())
    assert {name: row[name] for name in ("psnr", "ssim", "accuracy")} == pytest.approx(
        {name: value for name, value in scores(outputs, TEST).items() if name != "l1"}
    )
    seen = generate(trainer.G, trainer.recipe, TRAIN.conditions[:20] * 2 - 1)
    assert row["l1"] == pytest.approx(np.abs(seen - TRAIN.targets[:20]).mean())
    for name, part, images in (("adversarial", TRAIN.take(slice(20)), seen), ("test_adversarial", TEST, outputs)):
        logits = trainer.D.forward(np.concatenate([part.conditions * 2 - 1, images * 2 - 1], axis=-1), training=False)
        assert row[name] == pytest.approx(np.logaddexp(0, -logits).mean(), rel=1e-4)


def test_the_weights_of_the_losses_are_used() -> None:
    """The first g_loss is a a + w l; D's first loss doesn't depend on them, the weights afterwards do."""
    params, means = [], []
    for l1_weight, adversarial_weight in ((100.0, 1.0), (0.0, 1.0), (100.0, 0.0)):
        change = {"l1_weight": l1_weight, "adversarial_weight": adversarial_weight}
        trainer = run_steps(trainer_of(change=change), 1)
        means.append(trainer.means())
        params.append(trainer.G.params.copy())
    assert means[0]["d_loss"] == means[1]["d_loss"] == means[2]["d_loss"]
    assert means[0]["g_loss"] == pytest.approx(means[1]["g_loss"] + means[2]["g_loss"], rel=1e-6)
    assert not np.array_equal(params[0], params[1]) and not np.array_equal(params[0], params[2])


def test_the_learning_rate_stays_for_half_of_the_epochs_and_then_falls() -> None:
    trainer, rates = trainer_of("dense", change={"epochs": 2}), []
    for _ in range(9):
        trainer.step()
        assert trainer.optimizers["G"].lr == trainer.optimizers["D"].lr
        rates.append(trainer.optimizers["G"].lr / 1e-3)
    assert rates == pytest.approx([1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0.25])


@pytest.mark.parametrize("stops", [[(2, 8), (6, 24)], [(2, 6), (6, 20)], [(6, 4), (2, 8)], [(2, 8), (4, 10), (6, 24)]])
def test_another_length_changes_the_learning_rate_without_a_jump(tmp_path: Path, stops: list[tuple[int, int]]) -> None:
    """Runs of (epochs, steps made), 4 steps an epoch, each resumed by the next: finished, in the midst, shortened."""
    rates: list[float] = []
    for epochs, steps in stops:
        trainer = trainer_of("dense", change={"epochs": epochs})
        if rates:
            trainer.load(tmp_path / "c.npz")
            assert trainer.note.startswith("learning rate: ") and f"to 0 at epoch {epochs}" in trainer.note
        while trainer.steps < steps:
            trainer.step()
            rates.append(trainer.optimizers["G"].lr / 1e-3)
        trainer.save(tmp_path / "c.npz")
        again = trainer_of("dense", change={"epochs": epochs})
        again.load(tmp_path / "c.npz")  # killed, and resumed as it was
        assert again.shift == trainer.shift and not again.note
    slopes = np.diff(rates)
    assert abs(slopes).max() <= 0.2501  # as steep as the shortest of the schedules, never steeper
    assert 0 < rates[-1] < 0.5 and min(rates) > 0 and max(rates[stops[0][1] :]) > rates[-1]


def test_a_damaged_shift_of_the_learning_rate_is_refused(tmp_path: Path) -> None:
    trainer_of("dense").save(tmp_path / "c.npz")
    arrays, meta = checkpoint.load(tmp_path / "c.npz")
    for shift in ([1.0, 2.0], [float("nan")] * 3, "abc", 3):
        checkpoint.save(tmp_path / "c.npz", arrays, {**meta, "shift": shift})
        with pytest.raises(InputError, match=r"c\.npz: is no checkpoint of a run"):
            trainer_of("dense").load(tmp_path / "c.npz")


def test_measuring_changes_nothing() -> None:
    one, other = run_steps(trainer_of(), 3), run_steps(trainer_of(), 3)
    one.log_epoch()
    one.sample()
    run_steps(one, 2), run_steps(other, 2)
    assert checkpoint.digest(one.arrays()) == checkpoint.digest(other.arrays())


@pytest.mark.parametrize("model", SMALL)
@pytest.mark.parametrize("at", [2, 4, 5])  # in the middle of an epoch of 4 steps, at its end, in the second
def test_resume_is_exact(tmp_path: Path, model: str, at: int) -> None:
    """Also where the learning rate is falling: from step 4 on."""
    two_epochs: dict[str, Any] = {"change": {"epochs": 2}}
    straight = run_steps(trainer_of(model, **two_epochs), 7)
    run_steps(trainer_of(model, **two_epochs), at).save(tmp_path / "c.npz")
    resumed = trainer_of(model, **two_epochs)
    resumed.load(tmp_path / "c.npz")
    run_steps(resumed, 7 - at)
    assert checkpoint.digest(straight.arrays()) == checkpoint.digest(resumed.arrays())
    assert straight.means() == resumed.means() and straight.measure() == resumed.measure()


def test_a_run_is_the_same_on_every_backend(backend: Backend) -> None:
    here, on_numpy = run_steps(trainer_of(backend=backend), 4), run_steps(trainer_of(), 4)
    assert here.log_epoch() == pytest.approx({**on_numpy.log_epoch(), "seconds": here.seconds}, rel=1e-3)
    np.testing.assert_allclose(here.sample(), on_numpy.sample(), atol=1e-3)


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "weight": ({"change": {"l1_weight": 10.0}}, "l1_weight 100.0, not 10.0"),
    "model": ({"model": "dense"}, "recipe unet, not dense"),
    "seed": ({"seed": 1}, "seed 0, not 1"),
    "task": ({"parts": [replace(part, task="edges") for part in (TRAIN, TEST)]}, "task restore, not edges"),
    "training part": ({"parts": (TRAIN.take(slice(None, None, -1)), TEST)}, "data [0-9a-f]{16}, not"),
    "test part": ({"parts": (TRAIN, TEST.take(slice(None, None, -1)))}, "test_data [0-9a-f]{16}, not"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_run_cannot_be_continued(tmp_path: Path, case: str) -> None:
    options, message = OTHERS[case]
    trainer_of().save(tmp_path / "c.npz")
    with pytest.raises(InputError, match=message):
        trainer_of(**options).load(tmp_path / "c.npz")


def test_pairs_of_another_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"expected \(N, \(28, 28, 1\)\) and"):
        trainer_of(parts=(digit_pairs("colour", PAIRS.targets, None, 0), TEST))
    tiny = Pairs("tiny", PAIRS.targets[:, :10, :10], PAIRS.targets[:, :10, :10])
    with pytest.raises(ShapeError, match=r"at least 11 x 11 pixels, got \(10, 10\)"):
        ImageToImageTrainer(dense((10, 10, 1), (10, 10, 1)), tiny, tiny, seed=0)


def test_a_nan_in_training_is_named_by_layer(tmp_path: Path) -> None:
    trainer = trainer_of("dense")
    folder = RunFolder(tmp_path / "run")
    folder.create()
    step = trainer.step

    def spoiled() -> None:
        if trainer.steps == 1:
            trainer.G.layers[1].W[0, 0] = np.inf
        step()

    trainer.step = spoiled  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"^step 2: first infinity: G, layer 1 \(Linear"):
        train(trainer, folder, 8, quiet=True)
    assert checkpoint.load(folder.checkpoint)[1]["steps"] == 0


# ---- what it makes of pictures


def test_rows_of_pictures() -> None:
    grey, colour = np.zeros((2, 3, 3, 1)), np.stack([np.full((3, 3, 3), shade) for shade in (0.25, 0.75)])
    rows = side_by_side(grey, colour)
    assert rows.shape == (4, 3, 3, 3)
    assert rows.mean(axis=(1, 2, 3)).tolist() == [0, 0.25, 0, 0.75]
    assert trainer_of().sample().shape == (36, 28, 28, 1)
    pairs = digit_pairs("colour", PAIRS.targets, None, 0)
    np.testing.assert_array_equal(inputs_as_outputs(pairs), np.repeat(pairs.conditions, 3, axis=-1))
    backwards = Pairs("grey", pairs.targets, pairs.conditions)
    np.testing.assert_allclose(inputs_as_outputs(backwards), pairs.targets.mean(axis=-1, keepdims=True))


def test_coloured_digits_are_read_by_their_brightness() -> None:
    labels = LABELS[:200]
    pairs = digit_pairs("colour", DIGITS[:200], labels, 0)
    assert scores(pairs.targets, pairs)["accuracy"] > 0.98
    wrong = replace(pairs, labels=(labels + 1) % 10)
    assert scores(pairs.targets, wrong)["accuracy"] < 0.02


def test_the_generator_comes_back_from_a_checkpoint_and_translates(tmp_path: Path) -> None:
    trainer = run_steps(trainer_of(), 5)
    trainer.save(tmp_path / "c.npz")
    G, recipe = load_image_to_image(tmp_path / "c.npz")
    assert describe(recipe) == describe(trainer.recipe)
    picture = (TEST.conditions[0] * 255).astype(np.uint8)
    expected = generate(trainer.G, trainer.recipe, (picture[None] / 127.5 - 1).astype(np.float32))[0]
    np.testing.assert_allclose(translate(G, recipe, picture), expected, atol=1e-6)
    with pytest.raises(
        ShapeError, match="is 27 x 28 pixels, grey, but the network was trained on 28 x 28 pixels, grey"
    ):
        translate(G, recipe, picture[:, 1:])


def test_checkpoints_of_the_two_kinds_are_told_apart(tmp_path: Path) -> None:
    trainer_of().save(tmp_path / "picture.npz")
    tiny_trainer().save(tmp_path / "noise.npz")
    with pytest.raises(InputError, match=r"noise\.npz: holds Recipe, not ImageToImage: it is of another kind of run"):
        load_image_to_image(tmp_path / "noise.npz")
    with pytest.raises(InputError, match=r"picture\.npz: holds ImageToImage, not Recipe"):
        load_generator(tmp_path / "picture.npz")
    with pytest.raises(InputError, match="recipe tiny, not unet"):
        trainer_of().load(tmp_path / "noise.npz")


def test_a_checkpoint_that_asks_for_absurd_sizes_within_a_skip_is_refused(tmp_path: Path) -> None:
    trainer = trainer_of("dense")
    trainer.save(tmp_path / "c.npz")
    arrays, meta = checkpoint.load(tmp_path / "c.npz")
    hidden = Skip([Upsample(10**6), Conv2d(1, 1, 10**6, stride=10**6)])
    checkpoint.save(
        tmp_path / "c.npz", arrays, {**meta, "description": describe(replace(SMALL["dense"], generator=(hidden,)))}
    )
    with pytest.raises(InputError, match="arrays of 784,000,000,000,000 numbers for one image"):
        load_image_to_image(tmp_path / "c.npz")
