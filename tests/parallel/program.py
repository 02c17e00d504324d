"""What `test_mpi.py` starts with mpiexec: five steps of each of the small GANs. Rank 0 saves the numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from small_gans import RECIPES, make

from nanogan.parallel.mpi import SMALL
from nanogan.parallel.run import follow
from nanogan.parallel.world import world


def main(folder: Path) -> None:
    workers = world()
    assert workers.gather(workers.rank) == list(range(workers.size))
    assert workers.broadcast(f"from {workers.rank}") == "from 0"
    for count in (5, SMALL // 4 + 7):  # whole, and by blocks that differ in length
        parts = np.random.default_rng(0).standard_normal((workers.size, count), dtype=np.float32)
        expected = parts[0].copy()
        for part in parts[1:]:
            expected += part
        np.testing.assert_array_equal(workers.sum(parts[workers.rank].copy()), expected)
    for name in RECIPES:
        trainer = make(name, np.float32)
        trainer.share(workers)
        if workers.rank:
            follow(trainer)
            continue
        for _ in range(5):
            trainer.step()
        trainer.expect_same_bits()
        workers.announce("")
        np.savez(folder / f"{name}.npz", allow_pickle=False, **trainer.arrays())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
