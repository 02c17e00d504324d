"""The backends: which is chosen, what each failure says, and the few operations that differ."""

from __future__ import annotations

import numpy as np

from nanogan.backend import Backend


def test_a_round_trip_keeps_the_numbers(backend: Backend) -> None:
    host = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(backend.to_host(backend.asarray(host)), host)


def test_take_rows_fills_out(backend: Backend) -> None:
    images = np.arange(12, dtype=np.float32).reshape(4, 3)
    out = backend.xp.empty((2, 3), dtype=np.float32)
    backend.take_rows(backend.asarray(images), np.array([3, 1]), out)
    np.testing.assert_array_equal(backend.to_host(out), images[[3, 1]])
