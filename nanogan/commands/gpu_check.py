"""What `python -m nanogan gpu-check` finds out: whether this GPU gives the right numbers, and how long a step takes.

Each check has a value that it must find. All that was found goes into one JSON file, made to be attached to an issue.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import __version__
from ..backend import GPU, NUMPY, Array, Backend
from ..backends import get_backend, gpu_facts
from ..io import checkpoint
from ..losses import BCE
from ..recipes.mnist import get_recipe
from .arguments import positive_int

if TYPE_CHECKING:  # loaded in the functions, because other commands start faster without it
    from ..training.gan_trainer import Trainer

SAME_NUMBERS = {"vanilla": 20, "dcgan": 3, "nanogan": 3, "udacity": 3, "paper-2014": 3}
"""Steps on 16 images, in float64, after which weights must be NumPy's."""
TIMED = ("vanilla", "dcgan", "nanogan")
WARM_UP = 5


class Finding(NamedTuple):
    """What a check found, what it must find, and whether it has."""

    found: Any
    expected: str
    passed: bool


Check = Callable[[Backend, int], Finding]


def add_to(commands: Any) -> None:
    command = commands.add_parser("gpu-check", help="whether this GPU computes the right numbers", description=__doc__)
    command.add_argument(
        "--out", metavar="FILE", default="gpu-check.json", help="where the findings go (default: %(default)s)"
    )
    command.add_argument(
        "--steps", type=positive_int, default=100, metavar="N", help="how many steps to time (default: 100)"
    )
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run all checks, print a line for each, and write what they found. 1 if a check failed, else 0."""
    backend = get_backend(GPU)
    findings: dict[str, Finding] = {}
    began = time.perf_counter()
    for name, check in CHECKS.items():
        findings[name] = _run(check, backend, args.steps)
        mark = "ok    " if findings[name].passed else "FAILED"
        print(f"{mark}  {name}: {_short(findings[name].found)} (expected: {findings[name].expected})", flush=True)
    failed = [name for name, finding in findings.items() if not finding.passed]
    report = {
        "nanogan": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        "numpy": np.__version__,
        **gpu_facts(),
        "seconds": round(time.perf_counter() - began, 1),
        "failed": failed,
        "findings": {name: finding._asdict() for name, finding in findings.items()},
    }
    Path(args.out).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"{len(failed)} of {len(findings)} checks failed; {args.out} has all figures")
    return 1 if failed else 0


def _run(check: Check, backend: Backend, steps: int) -> Finding:
    try:
        return check(backend, steps)
    except Exception as error:  # a check that breaks is what the command is for; the others go on
        return Finding(f"{type(error).__name__}: {error}", "no error", False)


def _short(found: Any) -> str:
    if isinstance(found, dict):
        return ", ".join(f"{name} {_short(value)}" for name, value in found.items())
    return f"{found:.3g}" if isinstance(found, float) else str(found)


# ---- the numbers


def trainer(name: str, backend: Backend, dtype: str = "float32", batch_size: int | None = None) -> Trainer:
    """A recipe on random images, the same each time."""
    from ..training.gan_trainer import Trainer

    recipe = get_recipe(name)
    size = batch_size or recipe.batch_size
    images = np.random.default_rng(0).uniform(*recipe.pixels, (4 * size, *recipe.image_shape)).astype(dtype)
    return Trainer(recipe, images, seed=0, backend=backend, dtype=dtype, batch_size=size)


def weights(run: Trainer) -> dict[str, Array]:
    return {name: run.backend.to_host(array) for name, array in run.arrays().items()}


def same_numbers(backend: Backend, steps: int) -> Finding:
    """Largest difference of a weight, relative to the largest weight, between this GPU and NumPy."""
    found = {}
    for name, count in SAME_NUMBERS.items():
        runs = [trainer(name, where, "float64", 16) for where in (backend, NUMPY)]
        for own in runs:
            for _ in range(count):
                own.step()
        networks = [np.concatenate([backend.to_host(own.G.params), backend.to_host(own.D.params)]) for own in runs[:1]]
        plain = np.concatenate([runs[1].G.params, runs[1].D.params])
        found[name] = float(abs(networks[0] - plain).max() / abs(plain).max())
    return Finding(found, "at most 1e-9", max(found.values()) <= 1e-9)


def same_bits(backend: Backend, steps: int) -> Finding:
    """Whether two equal runs end with the same bits."""
    digests = set()
    for _ in range(2):
        own = trainer("nanogan", backend)
        for _ in range(steps):
            own.step()
        digests.add(checkpoint.digest(weights(own)))
    return Finding(len(digests) == 1, "True", len(digests) == 1)


def replayed_as_run(backend: Backend, steps: int) -> Finding:
    """Whether replayed steps give the bits of steps that Python starts kernel by kernel, dropout and all."""
    found = {}
    for name in ("vanilla", "nanogan", "udacity"):
        replayed, plain = trainer(name, backend), trainer(name, backend)
        plain.advance = plain.compute
        for own in (replayed, plain):
            for _ in range(10):
                own.step()
        found[name] = checkpoint.digest(weights(replayed)) == checkpoint.digest(weights(plain))
    return Finding(found, "True", all(found.values()))


def tiny_numbers(backend: Backend, steps: int) -> Finding:
    """The loss of a probability of 1.7e-40: its log is -91.5, that of 0 is clamped at -100."""
    x = backend.asarray(np.array([[1.7e-40]], np.float32))
    found = float(BCE().bind(backend).forward(x, 1.0))
    return Finding(found, "100, because kernels are compiled to flush subnormals to 0", found == 100)


def numbers_in_arrays(backend: Backend, steps: int) -> Finding:
    """Whether a kernel gives the same bits if a number comes in an array of no axes: that is how a graph gets it."""
    xp, rng = backend.xp, np.random.default_rng(0)
    vectors = [rng.random(999, dtype=np.float32) for _ in range(4)]
    results = []
    for scale, offset in ((3.7, 1e-5), backend.asarray(np.array((3.7, 1e-5), np.float32))):
        g, p, m, v = map(backend.asarray, vectors)
        backend.formulas.adam(  # type: ignore[attr-defined]
            g, 0.9, 0.1, 0.999, 0.001, scale, offset, p, m, v
        )
        results.append(backend.to_host(xp.stack((p, m, v))))
    same = bool((results[0] == results[1]).all())
    return Finding(same, "True", same)


def products(backend: Backend, steps: int) -> Finding:
    """Largest relative difference between the product that graphs use and NumPy's, in float64."""
    rng, worst = np.random.default_rng(0), 0.0
    for m, k, n in ((64, 784, 256), (64, 256, 1), (1, 7, 3), (3136, 64, 512)):
        a, b = rng.standard_normal((m, k)), rng.standard_normal((n, k))
        there = backend.xp.matmul(backend.asarray(a), backend.asarray(b).T)
        worst = max(worst, float(abs(backend.to_host(there) - a @ b.T).max()) / float(abs(a @ b.T).max()))
    return Finding(worst, "at most 1e-12", worst <= 1e-12)


def recording_products(backend: Backend, steps: int) -> Finding:
    """Whether the library's own products can be recorded in a graph now; that they can't is why there is another."""
    x = backend.library.ones((2, 2), dtype=np.float32)  # type: ignore[attr-defined]
    with backend.xp.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        try:
            x @ x
            found = "recorded"
        except NotImplementedError as error:
            found = f"refused: {error}"
        finally:
            stream.end_capture()
    return Finding(found, "refused (recorded would be good news)", True)


# ---- times


def times(name: str) -> Check:
    def measure(backend: Backend, steps: int) -> Finding:
        """ms a step: of Python's time kernel by kernel, of the GPU's alone, of the GPU's when replayed."""
        plain, replayed = trainer(name, backend), trainer(name, backend)
        for step in (plain.compute, replayed.step):
            for _ in range(WARM_UP):
                step()
        found = {
            "eager_host_ms": _host_ms(backend, plain.compute, min(steps, 50)),
            "queued_gpu_ms": _queued_ms(backend, plain.compute),
            "replayed_host_ms": _host_ms(backend, replayed.step, steps),
            "replayed_gpu_ms": _gpu_ms(backend, replayed.step, steps),
        }
        limit = 1.5 * found["queued_gpu_ms"]
        return Finding(
            found, f"replayed_gpu_ms at most 1.5 x queued_gpu_ms: {limit:.3g}", found["replayed_gpu_ms"] <= limit
        )

    return measure


def _host_ms(backend: Backend, step: Callable[[], None], count: int) -> float:
    """Wall clock per step, all of it: the GPU is waited for once, at the end."""
    backend.synchronize()
    began = time.perf_counter()
    for _ in range(count):
        step()
    backend.synchronize()
    return (time.perf_counter() - began) / count * 1e3


def _gpu_ms(backend: Backend, step: Callable[[], None], count: int) -> float:
    """Time per step between two marks in the GPU's queue."""
    before, after = (backend.xp.cuda.Event() for _ in range(2))
    before.record()
    for _ in range(count):
        step()
    after.record()
    after.synchronize()
    return float(backend.xp.cuda.get_elapsed_time(before, after)) / count


def _queued_ms(backend: Backend, step: Callable[[], None]) -> float:
    """The GPU's time for the kernels of one step that all wait in its queue: Python starts them behind long work.

    That is their own time and about 1 us between two of them. A queue holds about 1,000.
    """
    large = backend.xp.ones((LONG_WORK, LONG_WORK))
    for _ in range(100):
        backend.xp.matmul(large, large)
    return _gpu_ms(backend, step, 1)


LONG_WORK = 2560
"""Rows of a matrix whose product takes a fast GPU a millisecond in float64; a hundred are longer than Python's step."""

CHECKS: dict[str, Check] = {
    "NumPy's numbers": same_numbers,
    "the same bits twice": same_bits,
    "replayed as run": replayed_as_run,
    "tiny numbers": tiny_numbers,
    "numbers in arrays": numbers_in_arrays,
    "products": products,
    "recording products": recording_products,
    **{f"step of {name}, ms": times(name) for name in TIMED},
}
