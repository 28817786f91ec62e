"""A set of codes that takes and tests whole populations at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgenas.search.protocol import Genes, Mask

Keys = NDArray[np.uint64]
_EMPTY = np.uint64(0)


class CodeKeys:
    """Maps codes (N, D) to 64-bit keys: the exact mixed-radix number where it fits, else a linear hash.

    The hash is a random odd multiplier a gene, modulo 2**64; among a million codes a collision has a chance of about
    3e-8, and its only effect is that one network is not proposed.
    """

    def __init__(self, cardinalities: Sequence[int]) -> None:
        size = 1
        for c in cardinalities:
            size *= int(c)
        if size < 2**63:
            weights = np.ones(len(cardinalities), dtype=np.uint64)
            weights[1:] = np.cumprod(np.asarray(cardinalities[:-1], dtype=np.uint64))
        else:
            rng = np.random.default_rng(20261124)
            weights = rng.integers(0, 2**63, size=len(cardinalities), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._weights = weights

    def __call__(self, genes: Genes) -> Keys:
        """Return keys (N,), never 0."""
        keys = genes.astype(np.int64, copy=False).view(np.uint64) @ self._weights
        keys += np.uint64(1)
        keys[keys == _EMPTY] = np.uint64(2**63)
        return np.asarray(keys)


class SeenCodes:
    """Open addressing over one array, so that adding a thousand codes is a handful of array operations.

    At most a quarter of the slots is used: a batch takes as many rounds as its longest walk.
    """

    def __init__(self, cardinalities: Sequence[int]) -> None:
        self.keys = CodeKeys(cardinalities)
        self._slots = np.zeros(1024, dtype=np.uint64)
        self._used = 0

    def contains(self, keys: Keys) -> Mask:
        """Mark the keys (N,) that are in the set."""
        slot = self._home(keys)
        held = self._slots[slot]
        found = held == keys
        index = np.flatnonzero((held != _EMPTY) & ~found)
        slot = slot[index]
        while len(index):
            slot = self._next(slot)
            wanted, held = keys[index], self._slots[slot]
            same = held == wanted
            found[index[same]] = True
            go = np.flatnonzero((held != _EMPTY) & ~same)
            index, slot = index[go], slot[go]
        return found

    def claim(self, keys: Keys) -> Mask:
        """Add keys (N,), and mark those that were not in the set: the first of each among them."""
        if 4 * (self._used + len(keys)) > len(self._slots):
            self._grow(self._used + len(keys))
        return self._insert(keys)

    def fresh(self, keys: Keys) -> NDArray[np.int64]:
        """Indices of keys that are not in the set, each key once, in the order given."""
        unseen = np.flatnonzero(~self.contains(keys))
        first = np.unique(keys[unseen], return_index=True)[1]
        return unseen[np.sort(first)]

    def _home(self, keys: Keys) -> NDArray[np.int64]:
        mixed = keys * np.uint64(0x9E3779B97F4A7C15)
        return (mixed >> np.uint64(32)).astype(np.int64) & (len(self._slots) - 1)

    def _next(self, slot: NDArray[np.int64]) -> NDArray[np.int64]:
        return (slot + 1) & (len(self._slots) - 1)

    def _insert(self, keys: Keys) -> Mask:
        claimed = np.zeros(len(keys), dtype=bool)
        slot, index = self._home(keys), np.arange(len(keys))
        while len(index):
            wanted = keys[index]
            # Several keys may want one free slot. The first of them writes last, and so reads its own number back.
            free = np.flatnonzero(self._slots[slot] == _EMPTY)
            at, number = slot[free], index[free].astype(np.uint64)
            self._slots[at[::-1]] = number[::-1]
            won = free[self._slots[at] == number]
            self._slots[slot[won]] = wanted[won]
            claimed[index[won]] = True
            # A key that finds itself in the slot is stored now or was before. The others try the next slot.
            go = np.flatnonzero(self._slots[slot] != wanted)
            index, slot = index[go], self._next(slot[go])
        self._used += int(np.count_nonzero(claimed))
        return claimed

    def _grow(self, needed: int) -> None:
        held = self._slots[self._slots != _EMPTY]
        size = len(self._slots)
        while 4 * needed > size:
            size *= 2
        self._slots, self._used = np.zeros(size, dtype=np.uint64), 0
        self._insert(held)
