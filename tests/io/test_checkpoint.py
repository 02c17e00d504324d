"""Checkpoints: damage that is found, versions, and contents that are wrong though the SHA-256 is right."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import double
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import IMAGES, TINY, tiny_trainer

from nanogan.errors import InputError
from nanogan.io import checkpoint
from nanogan.layers import Linear
from nanogan.recipes.recipe import describe
from nanogan.reshape import Reshape, Upsample
from nanogan.training.gan_trainer import generate
from nanogan.training.trained import load_generator

FIXTURES = Path(__file__).parents[1] / "checkpoints"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "c.npz"
    tiny_trainer(steps=5).save(path)
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch") / "c.npz"


def same(one, other):
    return checkpoint.digest(one[0]) == checkpoint.digest(other[0]) and one[1] == other[1]


@settings(max_examples=200)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_wherever_it_is(saved, scratch, position, bit):
    """Either it is found, or it is one that no reader looks at (a date in the zip format), and nothing has changed."""
    content = bytearray(saved.read_bytes())
    content[int(position * len(content))] ^= 1 << bit
    scratch.write_bytes(content)
    try:
        assert same(checkpoint.load(scratch), checkpoint.load(saved))
    except InputError as error:
        assert "c.npz" in str(error) and "\n" not in str(error)


def test_a_number_that_was_changed_with_its_sum_in_the_zip_is_found(saved, scratch):
    """Damage before the file was written, in memory say, has a right CRC and the wrong SHA-256."""
    with np.load(saved) as held:
        members = dict(held)
    members["G.params"][3] += 1e-6
    np.savez(scratch, **members)
    with pytest.raises(
        InputError, match=r"c\.npz: was changed or damaged since it was written \(its SHA-256 differs\)"
    ):
        checkpoint.load(scratch)


# ---- versions


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_checkpoints_of_every_format_are_read_for_ever(version):
    """Written by the nanogan of their time, after 7 steps of 3 an epoch. Never make these files again."""
    path = FIXTURES / f"format-{version}.npz"
    G, recipe = load_generator(path)
    drawn = generate(G, recipe, np.ones((1, 2), np.float32))
    np.testing.assert_allclose(drawn.ravel(), [0.80210847, 0.40027189, 0.61367786, 0.25736639], rtol=1e-5)
    trainer = tiny_trainer()
    trainer.load(path)
    assert trainer.steps == 7 and [row["step"] for row in trainer.rows] == [3, 6]
    straight = tiny_trainer(steps=9)
    for _ in range(2):
        trainer.step()
    # float32: the formats are older than the present form of BatchNorm, which rounds elsewhere.
    np.testing.assert_allclose(trainer.G.params, straight.G.params, rtol=1e-3, atol=1e-5)
    assert trainer.rng.bit_generator.state == straight.rng.bit_generator.state


def test_there_is_a_fixture_of_this_format():
    assert (FIXTURES / f"format-{checkpoint.FORMAT}.npz").is_file(), "commit a checkpoint of the new format, too"


@pytest.mark.parametrize(
    "version, message",
    [
        (
            checkpoint.FORMAT + 1,
            rf"format {checkpoint.FORMAT + 1}, but this nanogan reads up to format .*update nanogan",
        ),
        (0, "is not a whole nanogan checkpoint"),
        ("2", "is not a whole nanogan checkpoint"),
        (None, "is not a whole nanogan checkpoint"),
    ],
)
def test_a_newer_format_is_refused_and_others_never_were(saved, scratch, version, message):
    arrays, meta = checkpoint.load(saved)
    checkpoint.save(scratch, arrays, {**meta, "format": version})
    with pytest.raises(InputError, match=message):
        checkpoint.load(scratch)


def test_a_log_that_had_fewer_columns_is_taken_over(saved, scratch):
    arrays, meta = checkpoint.load(saved)
    row = {"epoch": 1, "step": 3, "d_loss": 1.5}
    checkpoint.save(scratch, arrays, {**meta, "rows": [row]})
    trainer = tiny_trainer()
    trainer.load(scratch)
    assert trainer.rows[0]["d_loss"] == 1.5 and np.isnan(trainer.rows[0]["g_loss"])


# ---- wrong contents with the right SHA-256

WRONG_META: dict[str, dict[str, Any]] = {
    "no steps": {"steps": None},
    "half a step": {"steps": 2.5},
    "steps back": {"steps": -1},
    "other random generator": {"rng": {"bit_generator": "MT19937"}},
    "no random generator": {"rng": 3},
    "rows of text": {"rows": [{"epoch": "one"}]},
    "rows of another log": {"rows": [{"epoch": 1, "step": 1, "price": 3}]},
    "one optimizer": {"optimizer_steps": {"G": 1}},
    "settings of text": {"settings": "all"},
}


@pytest.mark.parametrize("case", WRONG_META)
def test_wrong_meta_data_are_refused_and_nothing_is_changed(saved, scratch, case):
    arrays, meta = checkpoint.load(saved)
    checkpoint.save(scratch, arrays, {**meta, **WRONG_META[case]})
    trainer = tiny_trainer()
    before = {name: np.array(array) for name, array in trainer.arrays().items()}
    with pytest.raises(InputError, match=r"c\.npz: is no checkpoint of a run \(\w+: ") as caught:
        trainer.load(scratch)
    assert "\n" not in str(caught.value) and trainer.steps == 0
    assert checkpoint.digest(before) == checkpoint.digest(trainer.arrays())


WRONG_ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"G.m": None}, "holds no array G.m"),
    "other shape": ({"D.params": np.zeros(3, "f4")}, "its D.params is float32 of shape"),
    "other kind": ({"D.params": np.zeros(19, "i8")}, "its D.params is int64"),
    "not a number": ({"D.v": np.full(19, np.nan, "f4")}, "its D.v holds NaN or infinity"),
    "no shuffle": ({"order": np.full(12, 3)}, "order of the images doesn't name each of them once"),
}


@pytest.mark.parametrize("case", WRONG_ARRAYS)
def test_wrong_arrays_are_refused_by_name(saved, scratch, case):
    changes, message = WRONG_ARRAYS[case]
    arrays, meta = checkpoint.load(saved)
    arrays = {name: array for name, array in {**arrays, **changes}.items() if array is not None}
    checkpoint.save(scratch, arrays, meta)
    with pytest.raises(InputError, match=rf"c\.npz: .*{message}"):
        tiny_trainer().load(scratch)


WRONG_RECIPES: dict[str, tuple[dict[str, Any], str]] = {
    "other sizes": ({"generator": (Linear(2, 9), Linear(9, 4), Reshape((2, 2, 1)))}, "parameters of G, found"),
    "no image": ({"generator": TINY.generator[:-1]}, "draws no images"),
    "huge image": ({"generator": (*TINY.generator, Upsample(10**6))}, "arrays of 4,000,000,000,000 numbers"),
    "huge noise": ({"noise_size": 10**12}, "arrays of 1,000,000,000,000 numbers"),
    "sizes as text": ({"noise_size": "two"}, "noise_size must be a whole number"),
    "no fit": ({"noise_size": 3}, "expected inputs of shape"),
}


@pytest.mark.parametrize("case", WRONG_RECIPES)
def test_a_recipe_that_cannot_be_built_is_refused_before_memory_is_taken(saved, scratch, case):
    changes, message = WRONG_RECIPES[case]
    arrays, meta = checkpoint.load(saved)
    checkpoint.save(
        scratch,
        arrays,
        {**meta, "description": describe(TINY) | {name: describe(value) for name, value in changes.items()}},
    )
    with pytest.raises(InputError, match=rf"c\.npz: .*{message}"):
        load_generator(scratch)


def test_text_that_is_nested_too_deep_is_refused(saved, scratch):
    with np.load(saved) as held:
        members = dict(held)
    np.savez(scratch, **{**members, "meta": np.array("[" * 100_000)})
    with pytest.raises(InputError, match="is not a whole nanogan checkpoint"):
        checkpoint.load(scratch)


def test_resume_is_exact_on_the_double_of_a_gpu(scratch):
    straight = tiny_trainer(steps=8, backend=double.backend())
    tiny_trainer(steps=5, backend=double.backend()).save(scratch)
    resumed = tiny_trainer(backend=double.backend())
    resumed.load(scratch)
    for _ in range(3):
        resumed.step()
    for one, other in zip(straight.arrays().values(), resumed.arrays().values(), strict=True):
        np.testing.assert_array_equal(resumed.backend.to_host(other), straight.backend.to_host(one))


# ---- another run


def test_all_settings_that_differ_are_named_at_once(saved):
    other = tiny_trainer(images=IMAGES[::-1], seed=3, recipe=replace(TINY, real_label=0.9, noise_bound=1.0))
    with pytest.raises(InputError) as caught:
        other.load(saved)
    message = str(caught.value)
    for name in (
        "seed 0, not 3",
        "data d939410e561536f7, not ",
        "real_label 1.0, not 0.9",
        "noise_bound None, not 1.0",
    ):
        assert name in message
    assert "images" not in message.split("; continue")[0] and "batch_size" not in message  # these are the same
    assert "--allow-change" in message and "\n" not in message


def test_the_same_number_of_other_images_is_another_run(saved):
    with pytest.raises(InputError, match="was trained with data"):
        tiny_trainer(images=np.roll(IMAGES, 1, axis=0)).load(saved)


def test_a_change_that_is_meant_keeps_weights_and_place(saved):
    straight, changed = tiny_trainer(), tiny_trainer(recipe=replace(TINY, real_label=0.9))
    straight.load(saved)
    changed.load(saved, allow_change=True)
    assert checkpoint.digest(straight.arrays()) == checkpoint.digest(changed.arrays())
    assert changed.steps == 5 and changed.batches.position == straight.batches.position == 8
    changed.step()
    assert np.isfinite(changed.G.params).all()


@pytest.mark.parametrize("options", [{"batch_size": 2}, {"images": np.concatenate([IMAGES, IMAGES])}])
def test_with_another_batch_or_other_images_the_epoch_begins_anew(saved, options):
    changed = tiny_trainer(**options)
    changed.load(saved, allow_change=True)
    assert changed.steps == 6 and changed.epoch == 1 and changed.epoch_is_over  # one epoch, in its steps: 6, not 3
    seen = [changed.batches.next() for _ in range(6)]
    assert sorted(np.concatenate(seen)) == list(range(changed.count))
    assert [row["epoch"] for row in changed.rows] == [1]


def test_another_precision_is_a_change_and_casts(saved):
    changed = tiny_trainer(images=IMAGES.astype(np.float64), dtype=np.float64)
    with pytest.raises(InputError, match="dtype float32, not float64"):
        changed.load(saved)
    changed.load(saved, allow_change=True)
    assert changed.G.params.dtype == np.float64
    changed.step()


def test_other_networks_cannot_be_continued_even_so(saved):
    other = tiny_trainer(recipe=replace(TINY, discriminator=(*TINY.discriminator[:1], Linear(4, 1))))
    with pytest.raises(InputError, match="of other networks or data"):
        other.load(saved, allow_change=True)


def test_images_with_a_nan_are_refused_by_number():
    images = IMAGES.copy()
    images[7, 0, 1] = np.inf
    with pytest.raises(InputError, match="image number 7, counted from 0, holds NaN or infinity"):
        tiny_trainer(images=images)


def test_meta_data_are_plain_json(saved):
    """So that a checkpoint can be looked into with NumPy alone."""
    with np.load(saved, allow_pickle=False) as held:
        assert json.loads(str(held["meta"]))["format"] == checkpoint.FORMAT
