"""Numbers and lists as people give them, NumPy's too; and one line, naming the argument, for what makes no sense."""

# mypy: disable-error-code="arg-type, list-item, type-abstract"

import json
import random
from dataclasses import replace
from typing import Any

import double
import numpy as np
import pytest
from tiny import IMAGES, TINY, tiny_trainer

from nanogan import (
    BCE,
    L1,
    SGD,
    Adam,
    BatchNorm,
    BCEWithLogits,
    Conv2d,
    ConvTranspose2d,
    CrossEntropy,
    Dropout,
    FanIn,
    Flatten,
    Glorot,
    InstanceNorm,
    LeakyReLU,
    Linear,
    Maxout,
    Network,
    Normal,
    Pack,
    ReLU,
    Reshape,
    Sequential,
    Skip,
    Uniform,
    Upsample,
    discriminator_gradients,
)
from nanogan.backend import NUMPY
from nanogan.data.batches import Batches, train_test_split
from nanogan.errors import ArrayError, InputError
from nanogan.metrics.mixtures import RING
from nanogan.recipes.mnist import get_recipe
from nanogan.recipes.recipe import ImageToImage, Schedule, describe, restore
from nanogan.training import Trainer

# ---- random numbers


def first_weights(rng):
    return Network([Linear(3, 4)], 3, rng=rng).params


@pytest.mark.parametrize("seed", [0, 7, np.int64(0), np.uint8(7), 10**30])
def test_a_seed_is_a_seed_everywhere(seed):
    """0, too, which is false."""
    np.testing.assert_array_equal(first_weights(seed), first_weights(np.random.default_rng(int(seed))))
    np.testing.assert_array_equal(first_weights(seed), first_weights(seed))
    for draw in (
        lambda rng: RING.sample(5, rng),
        lambda rng: Batches(9, 3, rng).next(),
        lambda rng: train_test_split(np.arange(20), rng=rng)[1],
        lambda rng: TINY.draw_noise(rng, np.empty((3, 2), np.float32)),
    ):
        np.testing.assert_array_equal(draw(seed), draw(np.random.default_rng(int(seed))))


def test_no_seed_is_another_each_time_and_a_generator_goes_on():
    assert not np.array_equal(first_weights(None), first_weights(None))
    rng = np.random.default_rng(0)
    assert not np.array_equal(first_weights(rng), first_weights(rng))
    old = np.random.RandomState(0)
    assert not np.array_equal(first_weights(old), first_weights(old))


@pytest.mark.parametrize("rng", [0.5, "0", -1, float("nan"), np.random, random.Random(0), np.random.default_rng])
def test_what_is_no_source_of_random_numbers_is_refused(rng):
    with pytest.raises(InputError, match="rng must be a seed, a NumPy Generator or None, got"):
        first_weights(rng)


# ---- numbers of NumPy's, and lists

i, f = np.int64, np.float32

ALIKE: list[tuple[Any, Any]] = [
    (Linear(i(3), np.uint8(4), bias=np.True_), Linear(3, 4)),
    (Conv2d(i(1), i(2), i(3), stride=i(2), padding=np.int8(1)), Conv2d(1, 2, 3, stride=2, padding=1)),
    (ConvTranspose2d(i(1), i(2), i(4), stride=i(2)), ConvTranspose2d(1, 2, 4, stride=2)),
    (BatchNorm(i(3), momentum=f(0.5), eps=np.float64(1e-3)), BatchNorm(3, momentum=0.5, eps=1e-3)),
    (LeakyReLU(slope=f(0.25)), LeakyReLU(slope=0.25)),
    (LeakyReLU(slope=1), LeakyReLU(slope=1.0)),
    (Dropout(f(0.5)), Dropout(0.5)),
    (Maxout(i(3), i(4), i(2)), Maxout(3, 4, 2)),
    (Pack(i(2)), Pack(2)),
    (Upsample(i(2)), Upsample(2)),
    (Reshape([i(2), 3]), Reshape((2, 3))),
    (Reshape(np.array([2, 3])), Reshape((2, 3))),
    (Reshape(6), Reshape((6,))),
    (Normal(f(0.5), mean=i(1)), Normal(0.5, mean=1.0)),
    (Uniform(f(0.5)), Uniform(0.5)),
    (Adam(lr=f(0.5), betas=[0.5, f(0.75)], eps=np.float64(1e-8)), Adam(lr=0.5, betas=(0.5, 0.75))),
    (SGD(lr=i(1), momentum=f(0.5)), SGD(lr=1.0, momentum=0.5)),
    (Schedule(f(1.0), f(0.5), [0.5, f(0.75)], i(2)), Schedule(1.0, 0.5, (0.5, 0.75), 2)),
    (
        replace(TINY, generator=list(TINY.generator), batch_size=i(4), pixels=[-1, f(1)], image_shape=[i(2), 2, 1]),
        TINY,
    ),
    (replace(TINY, discriminator=iter(TINY.discriminator)), TINY),
]


@pytest.mark.parametrize(("given", "plain"), ALIKE)
def test_numpys_numbers_and_lists_are_the_same_settings(given, plain):
    """To JSON, too, in which a checkpoint keeps them, and in type, because np.float64 promotes float32 arrays."""
    assert describe(given) == describe(plain) and repr(given) == repr(plain)
    assert restore(json.loads(json.dumps(describe(given)))) == plain if hasattr(given, "name") else True


@pytest.mark.parametrize("shape", [4, i(4), (4,), [4], np.array([4]), (i(4),)])
def test_an_input_shape_may_be_a_number_or_any_sequence(shape):
    network = Network((layer for layer in (Linear(4, 2), ReLU())), shape, dtype="float64", rng=0)
    assert network.input_shape == (4,) and network.forward(np.ones((1, 4))).dtype == np.float64


def test_a_trainer_takes_numpys_numbers_and_can_be_saved(tmp_path):
    trainer = tiny_trainer(seed=i(3), batch_size=i(6), dtype="float32")
    trainer.step()
    trainer.save(tmp_path / "c.npz")
    same = tiny_trainer(seed=3, batch_size=6)
    same.load(tmp_path / "c.npz")
    np.testing.assert_array_equal(same.G.params, trainer.G.params)


@pytest.mark.parametrize("target", [f(1), np.float64(1), i(1), 1, True])
def test_a_target_may_be_any_number(target):
    x, loss = np.linspace(-1, 1, 4, dtype=np.float32)[:, None], BCEWithLogits().bind()
    assert loss.forward(x, target) == loss.forward(x, 1.0) and loss.backward(x, target).dtype == np.float32


# ---- what makes no sense

LINEAR = Linear(2, 2)

REFUSED: dict[str, tuple[Any, str]] = {
    "half a unit": (lambda: Linear(2.5, 2), "Linear: n_in must be a whole number, got 2.5"),
    "a whole float": (lambda: Linear(2.0, 2), "n_in must be a whole number"),
    "no units": (lambda: Linear(0, 2), "n_in must be at least 1"),
    "fewer than none": (lambda: Linear(2, -1), "n_out must be at least 1"),
    "a word": (lambda: Linear("2", 2), "n_in must be a whole number, got '2'"),
    "perhaps a bias": (lambda: Linear(2, 2, bias="no"), "bias must be True or False, got 'no'"),
    "a class of weights": (lambda: Linear(2, 2, init=FanIn), "init is the class FanIn; make an instance: FanIn"),
    "no channels": (lambda: BatchNorm(0), "channels must be at least 1"),
    "a shape of halves": (lambda: Reshape((2, 1.5)), "shape must be a whole number, got 1.5"),
    "a shape in words": (lambda: Reshape("28x28"), "shape must be a tuple of numbers"),
    "three betas": (lambda: Adam(lr=1e-3, betas=(0.5, 0.9, 0.9)), "Adam: betas must be two numbers"),
    "one beta": (lambda: Adam(lr=1e-3, betas=0.5), "Adam: betas must be a tuple of numbers, got 0.5"),
    "a class of losses": (lambda: replace(TINY, loss=BCE), "Recipe: loss is the class BCE"),
    "a class of optimizers": (lambda: replace(TINY, optimizer=Adam), "optimizer is the class Adam"),
    "layers of a recipe": (lambda: replace(TINY, generator=LINEAR), "tiny: generator: layers must be a list"),
    "half a batch": (lambda: replace(TINY, batch_size=2.5), "Recipe: batch_size must be a whole number"),
    "a layer alone": (lambda: Network(LINEAR, 2), r"layers must be a list of layers, got Linear\(n_in=2"),
    "nothing": (lambda: Network(None, 2), "layers must be a list of layers, got None"),
    "a class of layers": (lambda: Network([ReLU], 2), r"layers: number 0 is the class ReLU; write ReLU\(...\)"),
    "a list in a list": (lambda: Network([[LINEAR]], 2), "layers: number 0 is no layer: "),
    "a function": (lambda: Network([LINEAR, np.tanh], 2), "layers: number 1 is no layer: <ufunc 'tanh'>"),
    "a layer in a Skip": (lambda: Skip(Flatten()), "layers must be a list of layers"),
    "a class in a Sequential": (lambda: Sequential([Flatten]), "layers: number 0 is the class Flatten"),
    "a shape of words": (lambda: Network([LINEAR], "2"), "input_shape must be a tuple of numbers"),
    "half a shape": (lambda: Network([LINEAR], 2.0), "input_shape must be a tuple of numbers"),
    "a backend by name": (lambda: Network([LINEAR], 2, backend="numpy"), "backend must be a Backend, such as get_b"),
    "a module": (lambda: Network([LINEAR], 2, backend=np), "backend must be a Backend"),
    "whole numbers": (lambda: Network([LINEAR], 2, dtype=int), "dtype must be a floating point type"),
    "no type": (lambda: Network([LINEAR], 2, dtype=None), "dtype must be a floating point type .*, got None"),
    "no such type": (lambda: BCE().bind(NUMPY, "floaty"), "dtype must be a floating point type"),
    "an array to bind": (lambda: Adam(lr=1).bind(np.ones(3)), r"Adam\.bind: network must be a Network"),
    "a class to bind": (lambda: Adam(lr=1).bind(Network), r"Adam\.bind: network must be a Network"),
    "a layer to bind": (lambda: SGD(lr=1).bind(LINEAR), r"SGD\.bind: network must be a Network"),
    "half a seed": (lambda: Trainer(TINY, IMAGES, seed=0.5), "seed must be a whole number, got 0.5"),
    "no seed": (lambda: Trainer(TINY, IMAGES, seed=None), "seed must be a whole number, got None"),
    "no batch": (lambda: Trainer(TINY, IMAGES, seed=0, batch_size=0), "batch size 0: expected at least 1"),
    "half batches": (lambda: Batches(9, 2.5, 0), "batch size must be a whole number, got 2.5"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_one_line_that_names_the_argument(case):
    make, message = REFUSED[case]
    with pytest.raises(InputError, match=message) as refused:
        make()
    assert "\n" not in str(refused.value)


PIX2PIX: dict[str, Any] = {
    "generator": (Linear(1, 1),), "discriminator": (Linear(2, 1),), "input_shape": (1,), "image_shape": (1,),
    "loss": BCE(), "optimizer": Adam(lr=1), "batch_size": 1, "epochs": 1,
}  # fmt: skip
NUMBERS: dict[str, Any] = {
    "Adam lr": lambda x: Adam(lr=x),
    "Adam weight_decay": lambda x: Adam(lr=1, weight_decay=x),
    "Adam eps": lambda x: Adam(lr=1, eps=x),
    "Adam betas": lambda x: Adam(lr=1, betas=(0.5, x)),
    "SGD momentum": lambda x: SGD(lr=1, momentum=x),
    "LeakyReLU slope": lambda x: LeakyReLU(slope=x),
    "Dropout p": lambda x: Dropout(x),
    "BatchNorm momentum": lambda x: BatchNorm(1, momentum=x),
    "BatchNorm eps": lambda x: BatchNorm(1, eps=x),
    "InstanceNorm eps": lambda x: InstanceNorm(eps=x),
    "Normal std": lambda x: Normal(x),
    "Normal mean": lambda x: Normal(1, mean=x),
    "Uniform bound": lambda x: Uniform(x),
    "Schedule lr_decay": lambda x: Schedule(x, 1, (0, 1), 2),
    "Recipe real_label": lambda x: replace(TINY, real_label=x),
    "Recipe noise_bound": lambda x: replace(TINY, noise_bound=x),
    "Recipe ema_decay": lambda x: replace(TINY, ema_decay=x),
    "Recipe pixels": lambda x: replace(TINY, pixels=(0, x)),
    "ImageToImage l1_weight": lambda x: ImageToImage("x", **PIX2PIX, l1_weight=x),
}


@pytest.mark.parametrize(
    "value",
    [10**400, np.ones((3, 3)), float("nan"), float("inf"), -float("inf"), np.float32("nan"), "0.5", None, [0.5]],
)
@pytest.mark.parametrize("setting", NUMBERS)
def test_a_setting_that_is_no_number_is_refused(setting, value):
    owner, name = setting.split()
    if value is None and name in ("noise_bound", "ema_decay"):
        return  # where None has a meaning
    with pytest.raises(InputError, match=f"{owner}: {name} must be a finite number, got"):
        NUMBERS[setting](value)


def test_glorot_has_no_settings_and_published_recipes_are_as_they_were():
    assert Glorot() == Glorot() and get_recipe("vanilla").pixels == (-1.0, 1.0)


# ---- arrays


@pytest.mark.parametrize("x", [[[1.0, 2.0]], 3.0, None, "x"])
def test_what_is_no_array_is_said_to_be_none(x):
    network, loss = Network([LINEAR], 2), BCE().bind()
    for call in (network.forward, lambda x: loss.forward(x, 1.0), lambda x: loss.backward(x, 1.0)):
        with pytest.raises(ArrayError, match=r"as an array of numpy, got builtins\.\w+; use np\.asarray\(x, dtype\)"):
            call(x)
    assert issubclass(ArrayError, TypeError) and issubclass(ArrayError, InputError)


def test_a_list_of_targets_is_said_to_be_no_array():
    with pytest.raises(ArrayError, match=r"expected a target as an array of numpy, got builtins\.list"):
        BCE().bind().forward(np.full((2, 1), 0.5, np.float32), [[0], [1]])


def test_a_numpy_array_on_a_gpu_is_told_the_way():
    backend = double.backend()
    D = Network([Linear(2, 1)], 2, backend=backend, rng=0)
    loss, host = BCEWithLogits().bind(backend), np.ones((3, 2), np.float32)
    there = backend.asarray(host)
    match = r"as an array of cupy, got numpy\.ndarray; use backend\.asarray\(x\)"
    for call in (
        lambda: D.forward(host),
        lambda: discriminator_gradients(D, loss, host, there),
        lambda: discriminator_gradients(D, loss, there, host),
        lambda: loss.forward(host[:, :1], 1.0),
        lambda: loss.forward(D.forward(there), host[:, :1]),
    ):
        with pytest.raises(ArrayError, match=match):
            call()
    with pytest.raises(ArrayError, match=r"as an array of numpy, got .*ndarray; use np\.asarray"):
        Network([Linear(2, 1)], 2).forward(there)


@pytest.mark.parametrize("real", [np.ones((3, 2)), np.ones((1, 2), np.float32), np.ones((3, 3), np.float32)])
def test_real_images_of_another_kind_are_not_cast_in_silence(real):
    """float64 was rounded; one image is a batch of one."""
    D, fake = Network([Linear(2, 1)], 2, rng=0), np.zeros((3, 2), np.float32)
    loss = BCEWithLogits().bind()
    if real.shape == (1, 2):
        assert [len(logits) for logits in discriminator_gradients(D, loss, real, fake)[1:]] == [1, 3]
    else:
        with pytest.raises(InputError, match="network: expected"):
            discriminator_gradients(D, loss, real, fake)


def test_class_losses_say_what_they_need():
    loss = CrossEntropy().bind()
    with pytest.raises(InputError, match="integer targets"):
        loss.forward(np.zeros((2, 3), np.float32), np.zeros(2, np.float32))
    with pytest.raises(ArrayError, match="expected outputs of float32, got float64"):
        L1().bind().forward(np.zeros(3), 1.0)
