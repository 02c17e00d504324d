"""Several processes that train one pair of networks together, and the part of every batch that each of them computes.

The gradient of a batch is the sum of its rows' gradients. So each worker computes those of its rows, all add theirs to
one sum, and all make the same update. Alone, a process has all rows, and this costs nothing. `parallel/` has the
workers that talk to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .backend import Array
from .errors import InputError


class Workers:
    """This process alone: nothing to add, and nobody to tell."""

    rank = 0
    """Which of the workers this is. Rank 0 decides, writes and speaks."""
    size = 1
    names: Sequence[str] = ("this process",)

    def sum(self, array: Array) -> Array:
        """`array`, in which each value has become its sum over the workers, added in the order of their ranks."""
        return array

    def broadcast(self, value: Any) -> Any:
        """Rank 0's value, in every worker."""
        return value

    def gather(self, value: Any) -> list[Any]:
        """Every worker's value, in the order of their ranks."""
        return [value]

    def expect_equal(self, texts: dict[str, str]) -> None:
        """On rank 0: raise InputError, naming who differs in what, unless every worker has the same texts."""
        differing = [
            f"{name} has {theirs.get(key)}, {self.names[0]} has {ours}"
            for name, theirs in zip(self.names, self.gather(texts), strict=True)
            for key, ours in texts.items()
            if theirs.get(key) != ours
        ]
        if differing and self.rank == 0:
            raise InputError(f"the processes don't train the same: {'; '.join(differing)}")

    def announce(self, method: str) -> None:
        """On rank 0: let the others, who wait for it, call this method of their trainer. "": nothing more comes."""


ALONE = Workers()


class Shard:
    """A worker's rows of every batch: start ... stop - 1 of batch_size.

    pack: as many rows stay together. own_statistics: BatchNorm takes those of these rows alone.
    Raises InputError if a worker would have none.
    """

    def __init__(
        self, workers: Workers = ALONE, batch_size: int = 1, *, pack: int = 1, own_statistics: bool = False
    ) -> None:
        packs = batch_size // pack
        if packs < workers.size:
            raise InputError(
                f"a batch of {batch_size} images can't be shared by {workers.size} processes"
                + (f", in packs of {pack}" if pack > 1 else "")
                + "; choose a larger --batch-size or fewer processes"
            )
        self.workers, self.batch_size, self.own_statistics = workers, batch_size, own_statistics
        self.is_whole = workers.size == 1
        self.start, end = (packs * rank // workers.size * pack for rank in (workers.rank, workers.rank + 1))
        self.stop = batch_size if workers.rank == workers.size - 1 else end  # a part of a pack is for Pack to refuse
        self.count = self.stop - self.start
        self.share = self.count / batch_size

    def whole(self, count: int) -> int:
        """How many the whole batch has of what there are `count` of here: rows, packs, or values of a channel."""
        return count * self.batch_size // self.count

    def take(self, array: Array) -> Array:
        """This worker's rows of what was drawn for the whole batch, or for several of them, or for its packs."""
        if self.is_whole:
            return array
        if len(array) < self.batch_size:
            pack = self.batch_size // len(array)
            return array[self.start // pack : self.stop // pack]
        batches = array.reshape(-1, self.batch_size, *array.shape[1:])
        return batches[:, self.start : self.stop].reshape(-1, *array.shape[1:])

    def sum(self, array: Array) -> Array:
        """See `Workers.sum`."""
        return self.workers.sum(array)

    def mean(self, array: Array) -> Array:
        """`array`, a mean over this worker's rows like the gradients of a loss, which becomes that over all rows."""
        if self.is_whole:
            return array
        array *= self.share
        return self.workers.sum(array)

    def means(self, xp: Any, *values: Any) -> tuple[Any, ...]:
        """`mean` of some small arrays of one shape, or numbers, in one message; they themselves stay."""
        return values if self.is_whole else tuple(self.mean(xp.stack(values)))

    def totals(self, xp: Any, *sums: Array) -> tuple[Array, ...]:
        """Sums over rows of what the mean of a loss passes back, over all rows, in units of this worker's mean."""
        return sums if self.is_whole else tuple(self.mean(xp.stack(sums)) / self.share)


WHOLE = Shard()
