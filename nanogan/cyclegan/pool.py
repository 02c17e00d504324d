"""Earlier fakes, shown to a discriminator again, so that it doesn't forget them (Shrivastava et al. 2017, 2.3)."""

from __future__ import annotations

import numpy as np

from ..backend import Array, Backend, Shape, Workspace


class Pool(Workspace):
    """The first `size` pictures that come are kept and shown. Then each new one is shown itself, or, with probability
    1/2, it takes the place of a kept one, which is shown instead (as in CycleGAN's code; the paper, section 4, has 50).

    The kept pictures and the new ones lie in one array, so what is shown, and what is kept from then on, are rows of
    it: the host draws their indices, and pictures never leave the device. A checkpoint has to hold `kept` and `count`.
    """

    def __init__(self, size: int, shape: Shape, rng: np.random.Generator, backend: Backend, dtype: np.dtype) -> None:
        self._use(backend, dtype)
        self.size, self.rng = size, rng
        self.kept = self.xp.zeros((size, *shape), dtype=self.dtype)
        self.count = np.zeros((), np.int64)  # of the kept ones; on the host

    def exchange(self, fakes: Array) -> Array:
        """As many pictures as `fakes` are, (N, ...), to show in their place. Valid until the next call."""
        n = len(fakes)
        both = self.buffer("both", (self.size + n, *fakes.shape[1:]))
        both[: self.size] = self.kept
        both[self.size :] = fakes
        rows = self.backend.fresh(lambda: self._draw(n))
        self.backend.take_rows(both, rows[n:], out=self.kept)
        return self.backend.take_rows(both, rows[:n], out=self.buffer("shown", fakes.shape))

    def _draw(self, n: int) -> Array:
        """Indices into `both`: first of the n that are shown, then of those that are kept, (n + size,)."""
        shown, kept = list(range(self.size, self.size + n)), list(range(self.size))
        for new in range(n):
            if self.count < self.size:
                kept[int(self.count)] = shown[new]
                self.count += 1
            elif self.size and self.rng.random() < 0.5:
                place = self.rng.integers(self.size)
                kept[place], shown[new] = shown[new], kept[place]
        return np.array([*shown, *kept])
