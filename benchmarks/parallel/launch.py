"""Starting `worker.py` in several processes, and reading what it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def launch(workers: int, threads: int, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What rank 0 of so many workers, each with so many BLAS threads, found for each job."""
    mpiexec = str(Path(sys.executable).parent / "mpiexec")
    program = [sys.executable, "-m", "mpi4py", "-m", "benchmarks.parallel.worker", json.dumps(jobs)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(threads))
    command = [mpiexec, "-n", str(workers), *program]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def save(name: str, result: dict[str, Any]) -> None:
    (RESULTS / name).write_text(json.dumps(result, indent=1) + "\n")
