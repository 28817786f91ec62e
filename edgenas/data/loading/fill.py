"""Splits whose images lie in the shared cache. What is missing there is prepared and added."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgenas.data.cache.room import make_room
from edgenas.data.cache.rows import StoredSplit
from edgenas.data.cache.store import ABSENT, BROKEN, ImageStore, Keys
from edgenas.data.identity import Contents
from edgenas.data.loading.contents import known_contents
from edgenas.data.loading.plan import PREPARATION_VERSION, Plan, preparation_of
from edgenas.data.settings import DataSettings
from edgenas.data.sources.raw import UnreadableImageError, describe
from edgenas.data.values import Images, Skipped
from edgenas.types import Progress

CHUNK, CHUNK_BYTES = 64, 4 * 2**20
"""Images that a thread prepares at a time: so many, or so many bytes."""
WAITING = "images that another process prepares"
_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Filled:
    """Splits in the cache.

    Attributes:
        splits: In the order of the plans, without images that cannot be decoded.
        skipped: Those.
        contents: Of the images that are left, (N,) uint64 each.
        whole_contents: Of the images of the plans.
        store: Where they lie.
    """

    splits: tuple[StoredSplit, ...]
    skipped: tuple[Skipped, ...]
    contents: tuple[Contents, ...]
    whole_contents: tuple[Contents, ...]
    store: ImageStore


def fill(plans: Sequence[Plan], settings: DataSettings, progress: Progress | None) -> Filled | None:
    """Return the splits from the cache, after adding what is missing there; None if it has no room for them.

    Args:
        plans: Of the splits.
        settings: Name the cache.
        progress: Told of the images that are prepared, if any are.

    Raises:
        StoreError: The cache cannot be written.
    """
    assert settings.cache_dir is not None
    store = ImageStore(settings.cache_dir, _about(plans, settings), plans[0].shape)
    filler = _Filler(plans, store, workers=settings.workers)
    missing = filler.missing()
    if missing:
        cache = Path(settings.cache_dir).expanduser()
        wanted = len(missing) * int(np.prod(plans[0].shape))
        if not make_room(cache, wanted, limit_gib=settings.cache_limit_gib, keep=store.folder):
            return None
        report: Progress = progress if progress is not None else lambda *_: None
        with store.writing(waiting=lambda: report(0, len(missing), WAITING)):
            filler.add(filler.missing(), report)
    return filler.result()


def _about(plans: Sequence[Plan], settings: DataSettings) -> dict[str, object]:
    path = settings.path or ""
    here = os.path.exists(os.path.expanduser(path))
    return {
        "version": PREPARATION_VERSION,
        "source": settings.source,
        "place": os.path.realpath(os.path.expanduser(path)) if here else path,
        "kind": plans[0].prepare.reader.kind,
        **preparation_of(plans[0].prepare),
    }


class _Prepared:
    def __init__(self, *, count: int) -> None:
        self.count = count
        self.images: list[Images] = []
        self.keys: list[int] = []
        self.broken: dict[int, str] = {}


class _Filler:
    def __init__(self, plans: Sequence[Plan], store: ImageStore, *, workers: int) -> None:
        self._plans, self._store, self._workers = plans, store, workers
        found = [known_contents(plan.prepare.reader, plan.indices, workers=workers) for plan in plans]
        self._contents = [numbers for numbers, _ in found]
        self._known = [known for _, known in found]
        # Images that cannot be read at all have no content, and are met anew at every start.
        self._unreadable: dict[tuple[int, int], Skipped] = {}

    def missing(self) -> list[tuple[int, int]]:
        """Return plan and position of the images that are not in the cache."""
        wanted = []
        for number in range(len(self._plans)):
            absent = (self._rows(number) == ABSENT) | ~self._known[number]
            wanted += [(number, position) for position in np.flatnonzero(absent).tolist()]
        return wanted

    def add(self, missing: list[tuple[int, int]], progress: Progress) -> None:
        """Prepare images with several threads, and add them in order."""
        size = max(1, min(CHUNK, CHUNK_BYTES // int(np.prod(self._plans[0].shape))))
        chunks = deque(missing[start : start + size] for start in range(0, len(missing), size))
        waiting: deque[Future[_Prepared]] = deque()
        done = 0
        pool = ThreadPoolExecutor(self._workers)
        try:
            while chunks or waiting:
                # Bounded: where the disk is slower than the threads, prepared images would fill the memory.
                while chunks and len(waiting) < 2 * self._workers + 1:
                    waiting.append(pool.submit(self._prepare, chunks.popleft()))
                prepared = waiting.popleft().result()
                self._take(prepared)
                done += prepared.count
                progress(done, len(missing), "images")
        finally:
            pool.shutdown(cancel_futures=True)

    def result(self) -> Filled:
        """Return the splits, and the images that were left out."""
        file = self._store.open_rows()
        splits, contents, skipped = [], [], []
        for number, plan in enumerate(self._plans):
            rows = self._rows(number)
            for plan_number, position in self._unreadable:
                if plan_number == number:
                    rows[position] = BROKEN
            kept = np.flatnonzero(rows >= 0)
            skipped += [self._skipped(number, position) for position in np.flatnonzero(rows < 0).tolist()]
            splits.append(StoredSplit(file=file, rows=rows[kept], labels=plan.labels[kept]))
            contents.append(self._contents[number][kept])
        return Filled(
            splits=tuple(splits), skipped=tuple(skipped), contents=tuple(contents),
            whole_contents=tuple(self._contents), store=self._store,
        )  # fmt: skip

    def _prepare(self, chunk: list[tuple[int, int]]) -> _Prepared:
        out = _Prepared(count=len(chunk))
        for number, position in chunk:
            plan = self._plans[number]
            index = int(plan.indices[position])
            try:
                content = plan.prepare.reader.content(index)
            except UnreadableImageError as error:
                self._unreadable[number, position] = Skipped(name=error.name, reason=error.reason)
                continue
            self._contents[number][position], self._known[number][position] = content, True
            key = self._key(number, position)
            if self._store.has(key):
                continue
            try:
                out.images.append(plan.prepare(index))
                out.keys.append(key)
            except UnreadableImageError as error:
                out.broken[key] = error.reason
        return out

    def _take(self, prepared: _Prepared) -> None:
        for key, reason in prepared.broken.items():
            self._store.set_broken(key, reason)
        # An image that the source holds twice is stored once.
        new = [place for place, key in enumerate(prepared.keys) if not self._store.has(key)]
        new = list({prepared.keys[place]: place for place in new}.values())
        if new:
            images = np.stack([prepared.images[place] for place in new])
            self._store.append(images, [prepared.keys[place] for place in new])

    def _rows(self, number: int) -> np.ndarray:
        return self._store.rows_of(self._keys(number))

    def _keys(self, number: int) -> Keys:
        """Return what the images of a plan are stored under: their content, and with noise their place too."""
        plan, contents = self._plans[number], self._contents[number]
        if not plan.prepare.noise_std:
            return contents
        place = (np.uint64(plan.part) << np.uint64(48)) + plan.indices.astype(np.uint64) + np.uint64(1)
        return contents ^ (place * np.uint64(_GOLDEN))

    def _key(self, number: int, position: int) -> int:
        plan, content = self._plans[number], int(self._contents[number][position])
        if not plan.prepare.noise_std:
            return content
        place = (plan.part << 48) + int(plan.indices[position]) + 1
        return content ^ (place * _GOLDEN % 2**64)

    def _skipped(self, number: int, position: int) -> Skipped:
        if (number, position) in self._unreadable:
            return self._unreadable[number, position]
        plan = self._plans[number]
        name = describe(plan.prepare.reader, int(plan.indices[position]))
        return Skipped(name=name, reason=self._store.reason(self._key(number, position)))
