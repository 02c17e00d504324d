"""A data set in two parts, and in batches."""

import numpy as np
import pytest

from nanogan.data.batches import Batches, train_test_split
from nanogan.errors import InputError


def test_split_is_disjoint_complete_and_repeatable():
    images = np.arange(100)
    train, test = train_test_split(images, 0.2, rng=np.random.default_rng(3))
    assert len(train) == 80 and len(test) == 20
    assert sorted([*train, *test]) == list(range(100))
    np.testing.assert_array_equal(test, train_test_split(images, 0.2, rng=np.random.default_rng(3))[1])
    assert not np.array_equal(test, train_test_split(images, 0.2, rng=np.random.default_rng(4))[1])


@pytest.mark.parametrize("share", [0, 1, 0.001, -1])
def test_split_refuses_an_empty_part(share):
    with pytest.raises(InputError, match="empty"):
        train_test_split(np.arange(10), share, rng=np.random.default_rng(0))


def test_every_epoch_gives_every_image_once_in_another_order():
    batches = Batches(10, 3, np.random.default_rng(0))
    epochs = [np.concatenate([batches.next() for _ in range(batches.steps_per_epoch)]) for _ in range(3)]
    for epoch in epochs:
        assert len(epoch) == 9 and len(set(epoch)) == 9  # the partial last batch is dropped
    assert not np.array_equal(epochs[0], epochs[1])


def test_batches_go_on_from_a_saved_position():
    batches = Batches(10, 3, np.random.default_rng(0))
    for _ in range(4):
        batches.next()
    saved = batches.order, batches.position, batches.rng.bit_generator.state
    expected = [batches.next() for _ in range(5)]

    again = Batches(10, 3, np.random.default_rng(99))
    again.order, again.position, again.rng.bit_generator.state = saved
    np.testing.assert_array_equal([again.next() for _ in range(5)], expected)


@pytest.mark.parametrize("size, message", [(11, "larger than the data set of 10 images"), (0, "at least 1")])
def test_batches_refuse_a_wrong_size(size, message):
    with pytest.raises(InputError, match=message):
        Batches(10, size, np.random.default_rng(0))
