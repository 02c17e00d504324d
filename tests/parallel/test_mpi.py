"""Real processes: the same bits as threads, the commands as one types them, and what goes wrong."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import thread_workers
from running import ROOT
from small_gans import RECIPES, make

from nanogan.io import checkpoint

if find_spec("mpi4py") is None:  # not imported here, where it would start MPI in the process of all tests
    pytest.skip("several processes need the extra mpi", allow_module_level=True)
MPIEXEC = Path(sys.executable).parent / "mpiexec"
EXAMPLE = str(ROOT / "examples" / "mnist_gan.py")
PYTHON = (sys.executable, "-m", "mpi4py")
SHORT = ("--recipe", "vanilla", "--batch-size", "8", "--seed", "0", "--dtype", "float64", "--quiet")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1"}


def start(count: int, *arguments: object, python: tuple[str, ...] = PYTHON) -> subprocess.Popen[str]:
    command = [str(MPIEXEC), "-n", str(count), *python, *map(str, arguments)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=ENVIRONMENT, text=True, **pipes)  # type: ignore[call-overload]


def end(process: subprocess.Popen[str], timeout: float = 60) -> tuple[int, str]:
    """Its status, and what it said on stderr."""
    try:
        _, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, stderr


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (64, 28, 28), dtype=np.uint8))
    return path


@pytest.mark.parametrize("size", [2, 3])
def test_processes_have_the_bits_of_threads_that_add_in_the_order_of_ranks(tmp_path: Path, size: int) -> None:
    assert end(start(size, Path(__file__).with_name("program.py"), tmp_path)) == (0, "")
    for name in RECIPES:
        expected = thread_workers.train(lambda name=name: make(name, np.float32), size, 5)[0].arrays()  # type: ignore[misc]
        with np.load(tmp_path / f"{name}.npz") as found:
            assert found.keys() == expected.keys()
            for array, values in expected.items():
                np.testing.assert_array_equal(found[array], values, err_msg=f"{name} {array}")


def test_a_run_goes_on_with_another_number_of_processes_to_the_same_end(tmp_path: Path, data: Path) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    assert end(start(1, EXAMPLE, *SHORT, "--data", data, "--steps", 12, "--out", one)) == (0, "")
    assert end(start(2, EXAMPLE, *SHORT, "--data", data, "--steps", 6, "--out", many)) == (0, "")
    assert end(start(3, EXAMPLE, "--resume", "--steps", 12, "--quiet", "--out", many)) == (0, "")
    (expected, meta), (found, their_meta) = (checkpoint.load(path / "checkpoint.npz") for path in (one, many))
    assert (their_meta["rng"], their_meta["steps"]) == (meta["rng"], 12)
    for name in expected.keys() - {"log"}:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-9, err_msg=name)
    seconds = meta["columns"].index("seconds")
    rows, theirs = (np.delete(arrays["log"][-1], seconds) for arrays in (expected, found))
    np.testing.assert_allclose(theirs, rows, rtol=1e-6)
    files = [sorted(path.relative_to(folder) for path in folder.rglob("*")) for folder in (one, many)]
    assert {Path("samples.gif"), Path("log.csv")} < set(files[0]) <= set(files[1])


def test_image_to_image_has_the_same_bits_on_every_rank(tmp_path: Path, data: Path) -> None:
    program = ROOT / "examples" / "image_to_image.py"
    options = ("--data", data, "--model", "dense", "--width", 8, "--batch-size", 4, "--steps", 3, "--seed", 0)
    assert end(start(2, program, *options, "--checkpoint-every", 1, "--out", tmp_path / "run")) == (0, "")
    assert checkpoint.load(tmp_path / "run" / "checkpoint.npz")[1]["steps"] == 3


# ---- what goes wrong


def test_mpiexec_without_mpi4py_would_be_separate_runs_in_one_folder(tmp_path: Path, data: Path) -> None:
    options = (*SHORT, "--data", data, "--steps", 1, "--out", tmp_path / "run")
    status, said = end(start(2, EXAMPLE, *options, python=(sys.executable,)))
    assert status == 2 and not (tmp_path / "run").exists()
    assert "write python -m mpi4py instead of python" in said


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--steps", "0"), r"argument --steps: '0' is not a whole number of at least 1 \(see --help\)"),
        (("--batch-size", "1"), "a batch of 1 images can't be shared by 2 processes; choose a larger --batch-size .*"),
        (("--resume",), "nothing to resume, there is no checkpoint.npz; .*"),
        (("--lr", "1e300", "--steps", "9"), r"step \d: (first|NaN|infinity).*"),
    ],
)
def test_a_mistake_is_one_line_though_every_process_makes_it(
    tmp_path: Path, data: Path, options: tuple[str, ...], line: str
) -> None:
    out = ("--data", data, "--out", tmp_path / "run")
    status, said = end(start(2, EXAMPLE, *SHORT, *out, *options))
    assert status == 2
    assert re.fullmatch(rf"mnist_gan.py: error: (.*: )?{line}\n", said), said


def test_a_process_that_was_told_something_else_is_named(tmp_path: Path, data: Path) -> None:
    options = ("--data", data, "--steps", 2, "--out", tmp_path / "run")
    other = [":", "-n", 1, *PYTHON, EXAMPLE, *SHORT, *options, "--seed", 1, "--batch-size", 4]
    status, said = end(start(1, EXAMPLE, *SHORT, *options, *other))
    assert status == 2 and not (tmp_path / "run").exists()
    assert re.search(
        r"the processes don't train the same: rank 1 on \S+ has batch_size 4, rank 0 on \S+ has .*8; ", said
    )
    assert re.search(r"; rank 1 on \S+ has seed 1, rank 0 on \S+ has seed 0; ", said) and said.count("\n") == 1


linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the processes in /proc")


@pytest.fixture
def endless(tmp_path: Path, data: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run of two processes that has written its first checkpoint, and its folder."""
    folder = tmp_path / "run"
    process = start(
        2, EXAMPLE, *SHORT, "--data", data, "--steps", 10**6, "--checkpoint-every", 20, "--patience", 4, "--out", folder
    )
    deadline = time.monotonic() + 60
    while not (folder / "checkpoint.npz").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    yield process, folder
    process.kill()


def process_of(rank: int, folder: Path) -> int:
    """The process id of a rank of the run in this folder."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
        except OSError:  # ended, or somebody else's
            continue
        if str(folder).encode() in command and f"PMI_RANK={rank}".encode() in environment.split(b"\0"):
            return int(path.name)
    raise AssertionError(f"no rank {rank}")


@linux
def test_a_killed_process_ends_the_run_and_leaves_a_good_checkpoint(
    endless: tuple[subprocess.Popen[str], Path],
) -> None:
    process, folder = endless
    os.kill(process_of(1, folder), signal.SIGKILL)
    status, _ = end(process, timeout=10)
    assert status != 0
    trained = checkpoint.load(folder / "checkpoint.npz")[1]["steps"]
    assert end(start(2, EXAMPLE, "--resume", "--steps", trained + 2, "--quiet", "--out", folder)) == (0, "")
    assert checkpoint.load(folder / "checkpoint.npz")[1]["steps"] == trained + 2


@linux
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_hangs_is_named(endless: tuple[subprocess.Popen[str], Path], rank: int) -> None:
    process, folder = endless
    os.kill(process_of(rank, folder), signal.SIGSTOP)
    status, said = end(process, timeout=20)
    assert status == 2 and said.count("\n") == 1
    assert re.search(rf"no answer from rank {rank} on \S+ for 4 s, so the run ends; its last checkpoint is whole", said)


@linux
def test_ctrl_c_finishes_the_step_and_saves(endless: tuple[subprocess.Popen[str], Path]) -> None:
    process, folder = endless
    process.send_signal(signal.SIGINT)
    status, said = end(process, timeout=20)
    assert status == 130
    steps = checkpoint.load(folder / "checkpoint.npz")[1]["steps"]
    assert f"stopped at step {steps}; go on with: mpiexec -n 2 python -m mpi4py" in said and "Traceback" not in said
