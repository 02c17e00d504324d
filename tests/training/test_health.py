"""What D says of single images, and how far a step moves each layer: against the plain definition."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import TINY, tiny_trainer

from nanogan.augment import AUGMENTATIONS
from nanogan.backend import Backend
from nanogan.layers import LeakyReLU, Linear
from nanogan.network import Network
from nanogan.optim import SGD, Adam
from nanogan.recipes.cures import cured
from nanogan.reshape import Flatten
from nanogan.training.diagnosis import Diagnosis
from nanogan.training.health import HELD_OUT, OPINIONS, Moves, move_columns, opinions, quantiles
from nanogan.training.loop import train
from nanogan.training.run_folder import RunFolder


def test_opinions_are_the_probabilities_of_single_images(backend: Backend) -> None:
    trainer = tiny_trainer(steps=2, backend=backend)
    D, images = trainer.D, trainer.on_device["images"]
    said = opinions(D, trainer.loss, [(images[:5], None), (images[5:12], None)])
    logits = backend.to_host(D.forward(images, training=False)).ravel()
    assert said == pytest.approx(1 / (1 + np.exp(-logits)), rel=1e-6)


def test_quantiles_of_eleven_values() -> None:
    said = np.arange(11, dtype=np.float32)[::-1] / 10
    found = quantiles("d_real", said)
    assert found == pytest.approx({"d_real_low": 0.1, "d_real_mid": 0.5, "d_real_high": 0.9})
    assert list(found | quantiles("d_fake", said)) == list(OPINIONS)


def test_moves_are_the_change_over_the_length_of_each_layers_weights(backend: Backend) -> None:
    network = Network([Linear(2, 2), Linear(2, 1)], 2, backend=backend, rng=0)
    first, last = network.layers
    first.W[...], last.W[...], last.b[...] = 3.0, 2.0, 1.0
    moves = Moves({"G": network})
    first.W[...] = 3.3
    moves.mark()
    first.W[0, 0] += 1.0
    last.b[...] = 100.0  # no weight
    found = moves.ratios()
    assert found == pytest.approx({"move_G_0.W": 1 / 6.6, "move_G_1.W": 0.0}, rel=1e-6)
    assert list(found) == move_columns({"G": network})
    last.W[...] = 0.0
    moves.mark()
    assert math.isnan(moves.ratios()["move_G_1.W"])


def test_the_log_has_the_last_step_of_an_epoch_alone(tmp_path: Path) -> None:
    """With plain SGD, a step moves W by lr |dW|, which the last step has left."""
    trainer = tiny_trainer(recipe=replace(TINY, optimizer=SGD(lr=0.125)))
    folder = RunFolder(tmp_path / "run")
    folder.create()
    assert train(trainer, folder, 6, quiet=True, diagnosis=Diagnosis(trainer, digits=False))
    layer = trainer.G.layers[3]
    before = layer.W + 0.125 * layer.dW
    expected = 0.125 * np.linalg.norm(layer.dW) / np.linalg.norm(before)
    assert trainer.rows[-1]["move_G_3.W"] == pytest.approx(expected, rel=1e-3)
    assert set(OPINIONS) < set(trainer.columns) and all(0 < trainer.rows[0][name] < 1 for name in OPINIONS)
    assert folder.log.read_text().splitlines()[0] == ",".join(trainer.columns)


def test_held_out_images_are_asked_about_as_they_are_and_64_at_a_time() -> None:
    """Also of a D that augments all that it trains on."""
    trainer = tiny_trainer(steps=2, recipe=cured(TINY, augment=AUGMENTATIONS))
    images = np.random.default_rng(0).uniform(-1, 1, (130, 2, 2, 1))
    before = trainer.rng.bit_generator.state
    found = Diagnosis(trainer, digits=False, held_out={"images": images}).figures()
    logits = trainer.D.forward(images[:128].astype(np.float32), training=False).astype(np.float64)
    low, mid, high = np.quantile(1 / (1 + np.exp(-logits)), [0.1, 0.5, 0.9])
    assert [found[name] for name in HELD_OUT] == pytest.approx([low, mid, high], rel=1e-6)
    assert trainer.rng.bit_generator.state == before and set(HELD_OUT) < set(trainer.columns)
    assert not set(HELD_OUT) & set(Diagnosis(trainer, digits=False, held_out={"images": images[:63]}).figures())


def test_a_discriminator_that_knows_its_images_by_heart_is_seen() -> None:
    """On noise, of which nothing can be learned but the images themselves."""
    rng, layers = np.random.default_rng(0), (Flatten(), Linear(4, 200), LeakyReLU(), Linear(200, 1))
    recipe = replace(TINY, discriminator=layers, optimizer=Adam(lr=0.02))
    images, held_out = rng.uniform(-1, 1, (2, 64, 2, 2, 1)).astype(np.float32)
    trainer = tiny_trainer(recipe=recipe, images=images[:8])
    for _ in range(300):
        trainer.step()
    found = Diagnosis(trainer, digits=False, held_out={"images": held_out}).figures()
    assert found["d_real_mid"] > found["d_held_out_mid"] + 0.2


def test_a_log_without_them_is_taken_up(tmp_path: Path) -> None:
    old = tiny_trainer(steps=3)
    old.columns = old.columns[:10]
    old.rows = [{name: row[name] for name in old.columns} for row in old.rows]
    old.save(tmp_path / "checkpoint.npz")
    trainer = tiny_trainer()
    trainer.load(tmp_path / "checkpoint.npz")
    assert [list(row) for row in trainer.rows] == [list(trainer.columns)]
    assert math.isnan(trainer.rows[0]["d_fake_mid"])
