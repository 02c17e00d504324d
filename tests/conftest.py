"""Where the tests compute: `backend` is NumPy, then the strict double of CuPy; with `pytest -m gpu`, a real GPU.

A test that takes the `backend` fixture builds its networks on it, brings host arrays there with `backend.asarray` and
results back with `backend.to_host`; so the same test holds on every backend. It must import nothing but pytest,
hypothesis, numpy and nanogan, which is all that a machine with a GPU then needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

# Before NumPy is loaded: for matrices as small as the tests', BLAS threads mostly wait for each other. On a machine
# with other work to do, one thread made the suite ten times faster.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import double
import hypothesis
import pytest

from nanogan.backend import NUMPY, Backend
from nanogan.backend_cupy import CupyBackend
from nanogan.errors import InputError

pytest_plugins = ["browser"]  # the fixture `visit`; it loads Playwright where a test asks for it

# One seed, so that a failure repeats; no deadline, as the first call of a kernel or a cold cache is slow.
hypothesis.settings.register_profile("nanogan", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.load_profile("nanogan")


@pytest.fixture(scope="session", params=["numpy", "double", pytest.param("gpu", marks=pytest.mark.gpu)])
def backend(request: pytest.FixtureRequest) -> Backend:
    """NumPy and the double by default; the first CUDA device with `-m gpu`."""
    if request.param == "numpy":
        return NUMPY
    return double.backend() if request.param == "double" else CupyBackend()


@pytest.fixture
def device_reads() -> Iterator[double.Count]:
    """`device_reads.count`, from 0: how often the test has read from the double's device."""
    double.reads.count = 0
    yield double.reads


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a device, `-m gpu` is one skip that says why, not one for each test."""
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not on_gpu:
        return
    try:
        CupyBackend()
    except InputError as error:
        on_gpu[0].add_marker(pytest.mark.skip(reason=f"{error} ({len(on_gpu)} tests need the GPU)"))
        config.hook.pytest_deselected(items=on_gpu[1:])
        items[:] = [item for item in items if item not in on_gpu[1:]]
