"""Kill one process of a run of several at random moments, resume each, and compare with a run that nobody stopped.

    python -m benchmarks.reliability.kill_workers      50 runs; the result goes to benchmarks/results/kill_workers.json

Each run is the user's own command, `mpiexec -n 2 python -m mpi4py examples/mnist_gan.py`. SIGKILL goes to a rank drawn
by chance, at a moment drawn uniformly from the length of a whole run. The run must end, all processes of it, within ten
seconds. Then --resume with as many processes, to the end. Runs are compared as `kill.py` does: all files, bit for
bit, the clock left out. It finds processes in /proc, so it needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from nanogan.io import checkpoint

from .kill import ARGUMENTS, IMAGES, ROOT, identity

RESULT = Path(__file__).parents[1] / "results" / "kill_workers.json"
AT_MOST = 10.0
"""Seconds that a run may take to end once one of its processes is killed."""


def start(arguments: list[str], folder: Path, workers: int) -> subprocess.Popen[bytes]:
    mpiexec = str(Path(sys.executable).parent / "mpiexec")
    program = [sys.executable, "-m", "mpi4py", str(ROOT / "examples" / "mnist_gan.py")]
    command = [mpiexec, "-n", str(workers), *program, *arguments, "--out", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    nowhere = subprocess.DEVNULL  # mpiexec tells on stdout that a process was killed
    return subprocess.Popen(command, env=environment, stdin=nowhere, stdout=nowhere, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    _, said = process.communicate()
    if process.returncode:
        raise SystemExit(f"a run ended with status {process.returncode}: {said.decode()}")


def ranks(folder: Path) -> dict[int, int]:
    """The processes of the run in this folder: their ids by rank."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
        except OSError:  # ended meanwhile
            continue
        rank = [item for item in environment.split(b"\0") if item.startswith(b"PMI_RANK=")]
        if str(folder).encode() in command and rank:
            found[int(rank[0].removeprefix(b"PMI_RANK="))] = int(path.name)
    return found


def kill_and_resume(
    arguments: list[str], folder: Path, workers: int, victim: int, after: float
) -> dict[str, Any] | None:
    """What a run left whose process `victim` was killed after so many seconds; None if it had ended before."""
    process = start(arguments, folder, workers)
    time.sleep(after)
    if (id_of_victim := ranks(folder).get(victim)) is None or process.poll() is not None:
        process.kill()
        process.communicate()
        return None
    os.kill(id_of_victim, signal.SIGKILL)
    killed = time.monotonic()
    try:
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    record = {
        "rank": victim,
        "after": round(after, 3),
        "seconds to end": round(time.monotonic() - killed, 3),
        "status": process.returncode,
        "processes left": len(ranks(folder)),
    }
    saved = folder / "checkpoint.npz"
    record["checkpoint at step"] = checkpoint.load(saved)[1]["steps"] if saved.exists() else None
    begun = saved.exists() or (folder / "config.json").exists()
    finish(start([*arguments, *["--resume"] * begun], folder, workers))
    return {**record, "identity": identity(folder)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--recipe", default="vanilla")
    parser.add_argument("--seed", type=int, default=0, help="of ranks and moments")
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    moments, records = random.Random(args.seed), list[dict[str, Any]]()
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "images.npy"
        np.save(data, np.random.default_rng(0).integers(0, 256, (IMAGES, 28, 28), dtype=np.uint8))
        arguments = [*ARGUMENTS, "--recipe", args.recipe, "--data", str(data)]
        began = time.monotonic()
        finish(start(arguments, Path(scratch) / "whole", args.workers))
        length, expected = time.monotonic() - began, identity(Path(scratch) / "whole")
        while len(records) < args.kills:
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                victim, after = moments.randrange(args.workers), moments.uniform(0, length)
                run = kill_and_resume(arguments, Path(folder) / "run", args.workers, victim, after)
            records += [run] if run else []
    for run in records:
        run["identical"] = run.pop("identity") == expected
        run["clean end"] = run["seconds to end"] <= AT_MOST and run["status"] != 0 and not run["processes left"]
    result = {
        "command": " ".join(["python -m benchmarks.reliability.kill_workers", *sys.argv[1:]]),
        "workers": args.workers,
        "files compared in each run": sorted(expected),
        "seconds of a whole run": round(length, 2),
        "kills": len(records),
        "clean ends": sum(run["clean end"] for run in records),
        "seconds to end at most": max(run["seconds to end"] for run in records),
        "identical": sum(run["identical"] for run in records),
        "before the first checkpoint": sum(run["checkpoint at step"] is None for run in records),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n  ".join(map(json.dumps, records))
    args.out.write_text(f'{json.dumps(result, indent=1)[:-2]},\n "runs": [\n  {lines}\n ]\n}}\n')
    print(json.dumps(result, indent=1))
    return 0 if result["identical"] == result["clean ends"] == args.kills else 1


if __name__ == "__main__":
    sys.exit(main())
