"""How long one step of the recipe `dcgan` takes (D's update, then G's), beside PyTorch's, and what the time goes to.

    python -m benchmarks.dcgan_step [--batch 64] [--threads 2] [--rounds 15]

nanogan and PyTorch, if it is installed, compute the same step of the same networks in float32 with as many threads,
each in a process of its own, by turns, so that whatever else the machine does meets both. Printed are medians over the
rounds. The table times the parts of nanogan's step; the floor is the time of its matrix products alone, called again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

import nanogan
from nanogan import Layer, conv
from nanogan.backend import NUMPY, Array, Backend
from nanogan.interop import torch_source
from nanogan.recipes import DCGAN as recipe

STEPS = 4  # a round: enough for a clock, short enough that both sides meet the same disturbances


# ---- the step, with nanogan and with PyTorch


def nanogan_step(batch: int, backend: Backend = NUMPY) -> Callable[[], None]:
    """A function that does one step: fresh noise, D's update, fresh noise, G's update."""
    rng = np.random.default_rng(0)
    G = nanogan.Network(recipe.generator, recipe.noise_size, backend=backend, rng=rng)
    D = nanogan.Network(recipe.discriminator, recipe.image_shape, backend=backend, rng=rng)
    loss = recipe.loss.on(backend, np.float32)
    for_G, for_D = recipe.optimizer.attach(G), recipe.optimizer.attach(D)
    real = rng.uniform(-1, 1, (batch, *recipe.image_shape)).astype(np.float32)
    z = np.empty((batch, recipe.noise_size), np.float32)

    def step() -> None:
        nanogan.discriminator_step(G, D, loss, for_D, real, recipe.draw_noise(rng, out=z))
        nanogan.generator_step(G, D, loss, for_G, recipe.draw_noise(rng, out=z))

    return step


def torch_step(batch: int) -> Callable[[], None]:
    """The same with PyTorch, from its own kernels: eager, channels-first, as its users write it."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    G = eval(torch_source(nanogan.Network(recipe.generator, recipe.noise_size)), {"nn": torch.nn})
    D = eval(torch_source(nanogan.Network(recipe.discriminator, recipe.image_shape)), {"nn": torch.nn})
    for_G, for_D = (torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (G, D))
    loss = torch.nn.BCEWithLogitsLoss()
    real = torch.rand(batch, 1, 28, 28) * 2 - 1
    ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)

    def step() -> None:
        with torch.no_grad():
            fake = G(torch.randn(batch, recipe.noise_size))
        for_D.zero_grad()
        (loss(D(real), ones) + loss(D(fake), zeros)).backward()
        for_D.step()
        for_G.zero_grad()
        loss(D(G(torch.randn(batch, recipe.noise_size))), ones).backward()
        for_G.step()

    return step


# ---- by turns


def work(side: str, batch: int) -> None:
    """In a process of its own: for every line read, a step to warm up and then a timed round; prints ms a step."""
    step = {"nanogan": nanogan_step, "torch": torch_step}[side](batch)
    step()
    for _ in sys.stdin:
        step()
        start = time.perf_counter()
        for _ in range(STEPS):
            step()
        print((time.perf_counter() - start) / STEPS * 1000, flush=True)


def by_turns(sides: list[str], batch: int, rounds: int) -> dict[str, list[float]]:
    """ms a step of every round of every side."""
    times: dict[str, list[float]] = {side: [] for side in sides}
    with ExitStack() as stack:
        command = [sys.executable, "-m", "benchmarks.dcgan_step", "--batch", str(batch), "--side"]
        workers = {
            side: stack.enter_context(
                subprocess.Popen([*command, side], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
            )
            for side in sides
        }
        for _ in range(rounds):
            for side, worker in workers.items():
                assert worker.stdin and worker.stdout
                worker.stdin.write("go\n")
                times[side].append(float(worker.stdout.readline()))
        for worker in workers.values():
            assert worker.stdin
            worker.stdin.close()
    return times


# ---- where nanogan's time goes


class Clock:
    """Time by part, each without the parts inside it."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.inner = [0.0]

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.inner.append(0.0)
            start = time.perf_counter()
            result = function(*args, **kwargs)
            elapsed = time.perf_counter() - start
            self.seconds[part] += elapsed - self.inner.pop()
            self.inner[-1] += elapsed
            return result

        return call


class TimedBackend(Backend):
    """NumPy, with products that are timed and noted down."""

    def __init__(self, clock: Clock) -> None:
        self.products: list[tuple[Array, Array, Array]] = []
        self.xp = SimpleNamespace(**vars(np))
        self.xp.matmul = clock.timed("products", self.matmul)

    def matmul(self, a: Array, b: Array, out: Array) -> Array:
        self.products.append((a, b, out))
        return np.matmul(a, b, out=out)


@contextmanager
def parts_timed(clock: Clock) -> Iterator[None]:
    """All layers and optimizers time themselves while inside."""
    parts: dict[str, list[tuple[Any, str]]] = {
        "patches (im2col, padding)": [(conv, "im2col"), (conv._Convolution, "padded_windows")],
        "scatter (col2im)": [(conv, "col2im")],
        "Adam": [(nanogan.Adam, "step")],
    }
    for part, classes in {
        "rest of convolutions (bias, copies, sums of dW)": (nanogan.Conv2d, nanogan.ConvTranspose2d),
        "BatchNorm": (nanogan.BatchNorm,),
        "activations": (nanogan.ReLU, nanogan.LeakyReLU, nanogan.Tanh),
        "rest of Linear": (nanogan.Linear,),
    }.items():
        parts[part] = [(cls, verb) for cls in classes for verb in VERBS if getattr(cls, verb) != getattr(Layer, verb)]
    with ExitStack() as stack:
        for part, places in parts.items():
            for owner, name in places:
                stack.enter_context(mock.patch.object(owner, name, clock.timed(part, getattr(owner, name))))
        yield


VERBS = ("forward", "backward_params", "backward_input", "backward")


def table(batch: int, steps: int = 20) -> None:
    """Print what a step's time goes to, the floor, and the memory."""
    clock = Clock()
    backend = TimedBackend(clock)
    with parts_timed(clock):
        step = nanogan_step(batch, backend)
        step()
        clock.seconds.clear()
        start = time.perf_counter()
        for _ in range(steps):
            backend.products.clear()
            step()
        total = time.perf_counter() - start
    clock.seconds["everything else"] = total - sum(clock.seconds.values())
    for part, seconds in sorted(clock.seconds.items(), key=lambda item: -item[1]):
        print(f"  {part:50s} {seconds / steps * 1000:6.2f} ms {seconds / total:6.1%}")
    print(f"  {'sum':50s} {total / steps * 1000:6.2f} ms")

    floors = []
    for _ in range(steps):
        start = time.perf_counter()
        for a, b, out in backend.products:
            np.matmul(a, b, out=out)
        floors.append(time.perf_counter() - start)
    floor = statistics.median(floors)
    flop = sum(2 * a.shape[0] * a.shape[1] * b.shape[1] for a, b, _ in backend.products)
    rate = flop / floor / 1e9
    print(f"floor: the {flop / 1e9:.2f} GFLOP of products alone take {floor * 1000:.1f} ms ({rate:.0f} GFLOP/s)")

    tracemalloc.start()
    step = nanogan_step(batch)
    step()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    step()
    more = tracemalloc.get_traced_memory()[1] - held
    print(
        f"memory: {held / 2**20:.1f} MiB for networks, moments, work arrays and the batch, and {more / 2**20:.2f} MiB"
    )
    print("        more at the peak of a later step")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--side", choices=["nanogan", "torch", "table"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side == "table":
        table(arguments.batch)
    elif arguments.side:
        work(arguments.side, arguments.batch)
    else:
        # Thread pools read these when a library is loaded: so they are set before any child process starts.
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
            os.environ[name] = str(arguments.threads)
        sides = ["nanogan", "torch"] if find_spec("torch") else ["nanogan"]
        times = by_turns(sides, arguments.batch, arguments.rounds)
        for side, ms in times.items():
            middle = statistics.median(ms)
            spread = f"{min(ms):.1f} to {max(ms):.1f}"
            print(f"{side:8s} {middle:6.1f} ms a step ({spread}), {arguments.batch / middle * 1000:6.0f} images/s")
        if len(sides) == 2:
            ratios = [theirs / ours for ours, theirs in zip(times["nanogan"], times["torch"], strict=True)]
            print(f"nanogan / torch in images/s: {statistics.median(ratios):.2f} (median over {len(ratios)} rounds)")
        sys.stdout.flush()
        command = [sys.executable, "-m", "benchmarks.dcgan_step", "--batch", str(arguments.batch), "--side", "table"]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
