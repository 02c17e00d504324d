"""NaN and infinity in training: the step, the layer and the array where they began, and a checkpoint from before."""

from dataclasses import replace

import double
import numpy as np
import pytest
from tiny import IMAGES, TINY, tiny_trainer

from nanogan import SGD, Adam
from nanogan.errors import InputError
from nanogan.io import checkpoint
from nanogan.training.find_nan import is_finite, losses_are_finite, watched
from nanogan.training.loop import Checkpoints, train
from nanogan.training.run_folder import RunFolder


def spoil(trainer, network, layer, verb, array, value, *, at_step):
    """Let a layer write `value` into one number of `array` in that step, on whatever trainer state it is called."""
    layer = getattr(trainer, network).layers[layer]
    method = getattr(layer, verb)

    def spoiled(*arguments):
        result = method(*arguments)
        if trainer.steps == at_step - 1:
            (result if array in ("y", "dx") else getattr(layer, array)).ravel()[0] = value
        return result

    # In the class, not on the object: what a search wraps, and unwraps, is the object's.
    layer.__class__ = type(type(layer).__name__, (type(layer),), {verb: staticmethod(spoiled)})


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    return folder


SPOILED = {
    "output of G": (("G", 3, "forward", "y", np.nan), "G, layer 3 (Linear(n_in=4, n_out=4, ", "NaN", "y"),
    "gradient of G": (("G", 0, "backward_params", "dW", np.inf), "G, layer 0 (Linear(n_in=2, ", "infinity", "dW"),
    "gradient of D": (("D", 1, "backward_params", "db", np.nan), "D, layer 1 (Linear(n_in=4, ", "NaN", "db"),
    "gradient through D": (("D", 2, "backward_input", "dx", -np.inf), "D, layer 2 (LeakyReLU(", "infinity", "dx"),
    "running mean": (
        ("G", 1, "forward", "running_mean", np.nan),
        "G, layer 1 (BatchNorm(",
        "NaN",
        "running_mean after the update",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
@pytest.mark.parametrize("at_step", [1, 5])
def test_the_step_the_layer_and_the_array_are_named(folder, case, at_step):
    spoiled, layer, kind, array = SPOILED[case]
    trainer = tiny_trainer()
    spoil(trainer, *spoiled, at_step=at_step)
    with pytest.raises(InputError) as caught:
        train(trainer, folder, 30, quiet=True)
    message = str(caught.value)
    assert message.startswith(f"step {at_step}: first {kind}: {layer}") and "\n" not in message
    assert f"), {array}. The checkpoint from before is kept. Try" in message
    arrays, meta = checkpoint.load(folder.checkpoint)
    assert meta["steps"] == (at_step - 1) // 3 * 3  # the last epoch's end: 3 steps each
    assert all(np.isfinite(array).all() for name, array in arrays.items() if name != "log")  # not all was measured


def test_a_run_that_really_explodes_stops_where_a_look_at_everything_finds_it(folder):
    exploding = replace(TINY, optimizer=SGD(lr=1e9))
    with np.errstate(all="ignore"):
        reference = tiny_trainer(recipe=exploding)
        while is_finite(reference):
            reference.step()
    with pytest.raises(InputError, match=rf"^step {reference.steps}: first (NaN|infinity): [GD], layer \d") as caught:
        train(tiny_trainer(recipe=exploding), folder, 300, quiet=True, checkpoint_every="1")
    assert "Try --lr 2.5e+08 or --dtype float64" in str(caught.value)
    assert checkpoint.load(folder.checkpoint)[1]["steps"] == reference.steps - 1


def test_an_overflow_in_the_optimizer_alone_is_found_before_saving(folder):
    """g^2 overflows where g doesn't: Adam's v is infinite, the update 0, the losses fine for ever."""
    trainer = tiny_trainer(recipe=replace(TINY, optimizer=Adam(lr=1e-3)))
    spoil(trainer, "D", 1, "backward_params", "dW", 1e30, at_step=2)
    with pytest.raises(InputError, match=r"^step 2: first infinity: D, layer 1 .*, the optimizer's v after the update"):
        train(trainer, folder, 6, quiet=True)


def test_trouble_that_does_not_come_again_is_said_to_be_the_machine(folder):
    trainer = tiny_trainer()
    checkpoints = Checkpoints(trainer, folder.checkpoint)
    trainer.step()
    trainer.G.params[0] = np.nan  # as a flipped bit in memory might
    with pytest.raises(InputError, match="step 1: NaN or infinity, but not when the steps were repeated: the machine"):
        checkpoints.save()


def test_who_wants_to_watch_may(folder, capsys):
    trainer = tiny_trainer()
    spoil(trainer, "G", 0, "backward_params", "dW", np.nan, at_step=5)
    assert train(trainer, folder, 12, quiet=True, allow_nonfinite=True)
    assert np.isnan(trainer.G.params).any() and trainer.steps == 12
    assert checkpoint.load(folder.checkpoint)[1]["steps"] == 3  # the last good one
    assert [row.split(",")[1] for row in folder.log.read_text().splitlines()] == ["step", "3", "6", "9", "12"]
    assert capsys.readouterr().err.split("\n")[1:] == [
        "NaN or infinity by step 6: no more checkpoints while it lasts",
        "",
    ]


def test_a_network_is_as_before_after_a_search():
    trainer, same = tiny_trainer(), tiny_trainer()
    with watched(trainer.G, "G"), watched(trainer.D, "D"):
        trainer.step()
    assert not any(verb in vars(layer) for layer in trainer.G.layers for verb in ("forward", "backward"))
    for one in (trainer, same, same):
        one.step()
    assert checkpoint.digest(trainer.arrays()) == checkpoint.digest(same.arrays())


def test_looking_reads_a_gpu_once_in_a_hundred_steps_only(folder, device_reads):
    trainer = tiny_trainer(backend=double.backend())
    checkpoints = Checkpoints(trainer, folder.checkpoint)
    device_reads.count = 0
    for _ in range(99):
        trainer.step()
        checkpoints.after_step()
    assert device_reads.count == 0
    trainer.step()
    checkpoints.after_step()
    assert device_reads.count == 1


def test_on_the_double_the_same_array_is_named(folder):
    trainer = tiny_trainer(backend=double.backend(), recipe=replace(TINY, optimizer=SGD(lr=1e9)), images=IMAGES)
    on_numpy = tiny_trainer(recipe=trainer.recipe)
    messages = []
    for one, path in ((trainer, folder.path / "a"), (on_numpy, folder.path / "b")):
        other = RunFolder(path)
        other.create()
        with pytest.raises(InputError) as caught:
            train(one, other, 300, quiet=True)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_losses_alone_show_a_nan_to_the_end_of_the_epoch():
    trainer = tiny_trainer(steps=1)
    assert losses_are_finite(trainer)
    trainer.sums[1] = np.inf
    trainer.step()
    assert not losses_are_finite(trainer)
