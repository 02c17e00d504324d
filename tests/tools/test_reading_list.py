"""tools/reading_list.py counts what runs, once, and no blank lines."""

from __future__ import annotations

import inspect

import numpy as np

from nanogan import NUMPY, Network, Tanh
from nanogan.numerics import channel_sums, sigmoid
from tools.reading_list import PACKAGE, length, one_step, reading_list


def lines_of(code: object) -> int:
    return sum(bool(line.strip()) for line in inspect.getsource(code).splitlines())  # type: ignore[arg-type]


def test_a_function_counts_whole_and_once() -> None:
    x = np.ones((2, 3))

    def program() -> None:
        for _ in range(2):
            sigmoid(np, x)
            channel_sums(x, np.empty(3))

    ((path, found),) = reading_list(program).items()
    assert path == PACKAGE / "numerics.py"
    assert [passage.name for passage in found] == ["sigmoid", "channel_sums"]
    assert [length(path, passage) for passage in found] == [lines_of(sigmoid), lines_of(channel_sums)]


def test_a_method_brings_the_head_of_its_class() -> None:
    tanh = Network([Tanh()], 3, dtype=np.float64).layers[0]
    found = reading_list(lambda: tanh.forward(np.ones((2, 3))))[PACKAGE / "layers.py"]
    assert [passage.name for passage in found] == ["class Tanh", "Tanh.forward"]
    head, forward = (length(PACKAGE / "layers.py", passage) for passage in found)
    assert head == 3  # @dataclass, class, docstring
    assert forward == lines_of(Tanh.forward)


def test_nothing_is_traced_afterwards_and_other_packages_never() -> None:
    assert reading_list(lambda: np.ones(3).mean()) == {}
    assert reading_list(lambda: NUMPY) == {}


def test_a_step_of_both_is_on_the_list() -> None:
    names = {passage.name for found in reading_list(one_step).values() for passage in found}
    assert {"Network.forward", "Linear.backward_params", "Tanh.backward_input", "Adam.update", "class Adam"} <= names
    assert not any("BatchNorm" in name or "SGD" in name for name in names)
