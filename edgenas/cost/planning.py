"""Placing buffers in one arena: the planners of LiteRT and of TensorFlow Lite Micro, step by step.

A buffer is needed from one operation to another, both included. Two buffers may share addresses if no operation needs
both.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from typing import NamedTuple

FOREVER = 1 << 30
"""Last operation of a buffer that nothing may overwrite."""

_Placed = tuple[int, int, int, int]
"""Offset and size, bytes; first and last operation."""


class Buffer(NamedTuple):
    """A tensor, or a kernel's scratch memory.

    Attributes:
        size: Bytes.
        first, last: Indices of the first and of the last operation that need it.
    """

    size: int
    first: int
    last: int


def best_fit(buffers: Iterable[Buffer], *, alignment: int = 64) -> int:
    """Return the length of LiteRT's arena, bytes (`arena_planner.cc`, `simple_memory_arena.cc`).

    What lives from the first operation to the end comes first, then the larger before the smaller, equal ones by their
    first operation. Each takes the smallest gap that holds it, else the end.

    Args:
        buffers: In the order of their tensors.
        alignment: Of every offset, bytes.
    """
    given = tuple(buffers)
    whole = [buffer for buffer in given if (buffer.first, buffer.last) == (0, FOREVER)]
    others = [buffer for buffer in given if (buffer.first, buffer.last) != (0, FOREVER)]
    placed: list[_Placed] = []
    for buffer in (*whole, *sorted(others, key=lambda buffer: (-buffer.size, buffer.first))):
        _put(placed, buffer, _best_gap(placed, buffer, alignment))
    return _length(placed)


def first_fit(buffers: Iterable[Buffer], *, alignment: int = 16) -> int:
    """Return the length of the planned part of TensorFlow Lite Micro's arena, bytes (`greedy_memory_planner.cc`).

    The larger before the smaller, of equal ones the later; each takes the first gap that holds it, else the end.

    Args:
        buffers: In the order of their tensors.
        alignment: To which every size is rounded up, bytes.
    """
    rounded = [buffer._replace(size=aligned(buffer.size, alignment)) for buffer in buffers]
    placed: list[_Placed] = []
    for buffer in sorted(reversed(rounded), key=lambda buffer: -buffer.size):
        _put(placed, buffer, _first_gap(placed, buffer))
    return _length(placed)


def aligned(size: int, alignment: int) -> int:
    """Round a size up to a multiple."""
    return -(-size // alignment) * alignment


def _best_gap(placed: Sequence[_Placed], buffer: Buffer, alignment: int) -> int:
    end, found, smallest = 0, -1, FOREVER
    for offset, size, first, last in placed:
        if first > buffer.last or last < buffer.first:
            continue
        start = aligned(end, alignment)
        if start + buffer.size <= offset and offset - start < smallest:
            found, smallest = start, offset - end
        end = max(end, offset + size)
    return aligned(end, alignment) if found < 0 else found


def _first_gap(placed: Sequence[_Placed], buffer: Buffer) -> int:
    end = 0
    for offset, size, first, last in placed:
        if first > buffer.last or last < buffer.first:
            continue
        if offset - end >= buffer.size:
            break
        end = max(end, offset + size)
    return end


def _put(placed: list[_Placed], buffer: Buffer, offset: int) -> None:
    insort(placed, (offset, buffer.size, buffer.first, buffer.last))


def _length(placed: Sequence[_Placed]) -> int:
    return max((offset + size for offset, size, _, _ in placed), default=0)
