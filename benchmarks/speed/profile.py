"""What the time of a training step goes to: matrix products, copies of patches, each kind of layer, the optimizer.

    python -m benchmarks.speed.profile [--recipe dcgan] [--batch-size 64] [--steps 20] [--clock wall]

Each part's time is without the parts inside it, so the parts add up to the step.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from nanogan import conv, layers, losses, norm, optim
from nanogan.backend import Backend
from nanogan.commands.arguments import Parser, errors_in_one_line, positive_int
from nanogan.layer import Layer
from nanogan.recipes.mnist import get_recipe
from nanogan.training.gan_trainer import Trainer

from .reference import CLOCKS, Setup

VERBS = ("forward", "backward_params", "backward_input", "backward")
LAYERS: dict[str, tuple[type[Layer], ...]] = {
    "convolutions: bias": (conv.Conv2d, conv.ConvTranspose2d),
    "BatchNorm": (norm.BatchNorm,),
    "Linear: bias": (layers.Linear,),
    "Maxout: the largest of its pieces": (layers.Maxout,),
    "Dropout": (layers.Dropout,),
    "activations": (layers.ReLU, layers.LeakyReLU, layers.Tanh, layers.Sigmoid),
}
FUNCTIONS: dict[str, list[tuple[Any, str]]] = {
    "patches and padding": [(conv._Convolution, "im2col")],
    "shifted products: sums": [(conv._Convolution, "convolve_transposed")],
    "depth to space": [(conv, "depth_to_space")],
    "optimizer": [(optim.Optimizer, "step")],
    "losses": [(losses.Loss, "forward"), (losses.Loss, "backward"), (losses.BCEWithLogits, "probability")],
    "batch and noise": [(Trainer, "noise"), (Backend, "take_rows")],
}


class Stopwatch:
    """Seconds by part, each without the parts inside it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.inner = [0.0]

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.inner.append(0.0)
            started = self.clock()
            result = function(*args, **kwargs)
            elapsed = self.clock() - started
            self.seconds[part] += elapsed - self.inner.pop()
            self.inner[-1] += elapsed
            return result

        return call


@contextmanager
def parts_timed(watch: Stopwatch) -> Iterator[None]:
    """Inside, layers, losses and optimizers time themselves."""
    places = dict(FUNCTIONS)
    for part, classes in LAYERS.items():
        places[part] = [(cls, verb) for cls in classes for verb in VERBS if verb in vars(cls)]
    with ExitStack() as stack:
        for part, owned in places.items():
            for owner, name in owned:
                stack.enter_context(mock.patch.object(owner, name, watch.timed(part, getattr(owner, name))))
        yield


def profile(setup: Setup, steps: int) -> dict[str, float]:
    """Milliseconds of a step by part; "everything else" is what they leave of the step."""
    watch, backend = Stopwatch(CLOCKS[setup.clock]), Backend()
    products = {name: watch.timed("matrix products", getattr(np, name)) for name in ("matmul", "dot")}
    backend.xp = SimpleNamespace(**{**vars(np), **products})
    with parts_timed(watch):
        trainer = setup.trainer(backend)
        trainer.step()  # work arrays are allocated
        watch.seconds.clear()
        started = watch.clock()
        for _ in range(steps):
            trainer.step()
        total = watch.clock() - started
    watch.seconds["everything else"] = total - sum(watch.seconds.values())
    return {part: 1000 * seconds / steps for part, seconds in watch.seconds.items()}


def memory(setup: Setup) -> tuple[float, float]:
    """MiB that a run holds after its first step, and that a later step takes above it at most."""
    tracemalloc.start()
    trainer = setup.trainer()
    trainer.step()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    trainer.step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / 2**20, (peak - held) / 2**20


def main() -> int:
    parser = Parser(prog="python -m benchmarks.speed.profile", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--recipe", default="dcgan", help="default: dcgan")
    parser.add_argument("--batch-size", type=positive_int, help="default: the recipe's")
    parser.add_argument("--steps", type=positive_int, default=20, help="default: 20")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="default: wall")
    args = parser.parse_args()
    with errors_in_one_line(parser.prog):
        recipe = get_recipe(args.recipe)
    setup = Setup(recipe, args.batch_size or recipe.batch_size, clock=args.clock)
    parts = profile(setup, args.steps)
    total = sum(parts.values())
    for part, ms in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"{part:42}{ms:8.2f} ms{100 * ms / total:7.1f} %")
    print(f"{'a step':42}{total:8.2f} ms")
    held, more = memory(setup)
    print(f"memory: {held:.1f} MiB after the first step, images included; a later step takes {more:.2f} MiB more")
    return 0


if __name__ == "__main__":
    sys.exit(main())
