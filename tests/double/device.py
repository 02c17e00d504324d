"""The double's device: what it counts, when its kernels run, and what it refuses while a graph is recorded.

Kernels run at once, unless a stream records them: then nothing runs until the graph is launched, and what would make
the host wait, copy or call cuBLAS through CuPy is an error. A copy from pinned host memory is done when the host has
waited for it, not before: who has written to that memory by then has sent something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

TINY = np.finfo(np.float32).smallest_normal


class Count:
    """How often something has happened. Set it to 0 before counting."""

    count = 0


reads = Count()  # by the host from the device, each of which would wait for a GPU
launches = Count()  # of kernels, copies and graphs
hidden_copies = Count()  # of operands and inputs, which CuPy makes without being asked


class Task:
    """What a graph does later: so many launches, one function."""

    def __init__(self, run: Callable[[], Any], launches: int) -> None:
        self.run, self.launches = run, launches


class Device:
    """The state of the one device there is."""

    recorded: list[Task] | None = None  # while a stream is captured
    own_pool = False  # whether new arrays come from another memory pool than everybody's
    copies_done = 0

    def __init__(self) -> None:
        self.copies: list[
            tuple[np.ndarray, np.ndarray]
        ] = []  # from pinned memory, not known to be done: array, as it was


device = Device()


def launch(run: Callable[[], Any], times: int = 1) -> None:
    """Run a kernel now or, while a graph is recorded, in each of its launches. times: how many kernels it is."""
    if device.recorded is not None:
        device.recorded.append(Task(run, times))
        return
    launches.count += times
    run()


def refuse_while_recording(what: str, error: type[Exception] = RuntimeError) -> None:
    if device.recorded is not None:
        raise error(f"{what} during stream capture is currently unsupported")


def count_read() -> None:
    """The host waits for the device."""
    refuse_while_recording("a copy from the device, or waiting for it,")
    reads.count += 1
    finish_copies()


# ---- memory


def allocated(host: np.ndarray) -> np.ndarray:
    """A new array. What a graph uses must not go to others when Python lets go of it."""
    if device.recorded is not None and not device.own_pool:
        raise AssertionError("allocated from everybody's memory pool while a graph is recorded: others will get it")
    return host


class PinnedMemory(bytearray):
    """Host memory that the device reads by itself, whenever it comes to that."""


def is_pinned(host: np.ndarray) -> bool:
    owner: Any = host
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return isinstance(owner.obj if isinstance(owner, memoryview) else owner, PinnedMemory)


def sent(host: np.ndarray) -> np.ndarray:
    """A host array on its way to the device: pageable memory is copied aside first, pinned memory isn't."""
    refuse_while_recording("a copy from the host")
    if is_pinned(host):
        device.copies.append((host, host.copy()))
    launches.count += 1
    return host


def finish_copies(until: int | None = None) -> None:
    """Wait for the copies up to the number `until`, all by default."""
    count = len(device.copies) if until is None else max(0, until - device.copies_done)
    done, device.copies[:] = device.copies[:count], device.copies[count:]
    device.copies_done += len(done)
    for host, then in done:
        if not np.array_equal(host, then):
            raise AssertionError("pinned host memory was written to before its copy to the device was done")


@contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    before, device.own_pool = device.own_pool, allocator is not None
    try:
        yield
    finally:
        device.own_pool = before


# ---- what a kernel does with its arrays


def check_inputs(inputs: Any, outputs: Any) -> None:
    """Count the inputs that CuPy would copy first: any that shares memory with an output and isn't that very array."""
    for x in inputs:
        if any(x is not out and np.may_share_memory(x._host, out._host) for out in outputs):
            hidden_copies.count += 1
            launches.count += device.recorded is None


def check_output(host: np.ndarray) -> None:
    """A GPU writes all at once: two places of an array must not be the same memory."""
    if overlaps_itself(host):
        raise AssertionError("written to an array that overlaps itself: on a GPU, who comes last is left to chance")


def overlaps_itself(host: np.ndarray) -> bool:
    """Whether two places are the same memory: surely not, if each axis steps over all that the smaller steps reach."""
    if host.flags.c_contiguous:
        return False
    reach = host.itemsize
    for step, size in sorted(
        (abs(step), size) for step, size in zip(host.strides, host.shape, strict=True) if size > 1
    ):
        if step < reach:
            break
        reach += step * (size - 1)
    else:
        return False
    places = sum(
        step * index.astype(np.int64)
        for step, index in zip(host.strides, np.indices(host.shape, np.int32), strict=True)
    )
    return len(np.unique(places)) < host.size


def flushed(x: Any) -> Any:
    """x as CuPy's kernels see it, which are compiled with -ftz=true: float32 numbers below 1.2e-38 are 0."""
    if isinstance(x, np.ndarray | np.generic) and x.dtype == np.float32:
        small = np.abs(x) < TINY
        if small.any() and np.any(x[small]):  # type: ignore[index]
            return np.where(small, np.copysign(np.float32(0), x), x)
    return x


def flush(host: np.ndarray) -> None:
    """The same, in place."""
    if (after := flushed(host)) is not host:
        host[...] = after


# ---- streams, events, graphs: cupy.cuda's


class Graph:
    """Recorded kernels."""

    def __init__(self, tasks: list[Task], recorded_on: Stream) -> None:
        self.tasks, self.recorded_on = tasks, recorded_on
        self.kernels = sum(task.launches for task in tasks)

    def upload(self, stream: Any = None) -> None:
        """Nothing to do."""

    def launch(self, stream: Any = None) -> None:
        refuse_while_recording("launching another graph")
        if current is self.recorded_on:
            raise AssertionError("launched on the stream that it was recorded on, beside everything else: a race")
        launches.count += 1
        for task in self.tasks:
            task.run()


class Stream:
    """A queue in which everything has been done already, but for copies from pinned memory."""

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.null, self.non_blocking, self.ptr = null, non_blocking, 0 if null else id(self)

    def __enter__(self) -> Stream:
        global current
        self.before, current = current, self
        return self

    def __exit__(self, *error: object) -> None:
        global current
        current = self.before

    def synchronize(self) -> None:
        refuse_while_recording("waiting for a stream")
        finish_copies()

    def begin_capture(self, mode: int | None = None) -> None:
        if self.null or not self.non_blocking:
            raise RuntimeError("cannot capture on the default stream, or on one that it waits for")
        if self is not current:
            raise AssertionError("a stream is captured that isn't used: nothing would be recorded")
        refuse_while_recording("another capture")
        device.recorded = []

    def end_capture(self) -> Graph:
        if device.recorded is None:
            raise RuntimeError("cudaErrorIllegalState: no capture was begun")
        tasks, device.recorded = device.recorded, None
        return Graph(tasks, self)


current = Stream(null=True)


def get_current_stream(device_id: int = -1) -> Stream:
    return current


class Event:
    """A mark in a stream."""

    def __init__(self, block: bool = False, disable_timing: bool = False) -> None:
        self.copies, self.timed = 0, not disable_timing

    def record(self, stream: Stream | None = None) -> None:
        self.copies = device.copies_done + len(device.copies)

    def synchronize(self) -> None:
        refuse_while_recording("waiting for an event")
        finish_copies(self.copies)


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds; here they say nothing."""
    if not (start_event.timed and end_event.timed):
        raise RuntimeError("cudaErrorInvalidResourceHandle: an event without a time")
    return 1.0


class MemoryPool:
    """Somebody's own memory."""

    def malloc(self, size: int) -> Any:
        raise NotImplementedError("the double allocates with NumPy")


def alloc_pinned_memory(size: int) -> PinnedMemory:
    return PinnedMemory(size)
