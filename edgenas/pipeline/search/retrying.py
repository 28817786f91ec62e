"""A view of a store in which candidates that failed before are unknown, so that they are tried again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edgenas.study import Context, Failure, Outcome
from edgenas.study.store import Store


class RetryingStore(Store):
    """Hides the failures of earlier runs.

    Failures of this run are kept, so that no candidate is tried twice in one run.
    """

    def __init__(self, store: Store, tried: set[str]) -> None:
        """Wrap a store.

        Args:
            store: Read and written.
            tried: Keys whose outcome is of this run; written to.
        """
        self._store, self._tried = store, tried

    def get_many(self, keys: Iterable[str]) -> dict[str, Outcome]:
        """Return what is known, without the failures of earlier runs."""
        found = self._store.get_many(keys)
        return {key: o for key, o in found.items() if key in self._tried or not isinstance(o, Failure)}

    def put_many(self, outcomes: Mapping[str, Outcome], *, context: Context | None = None) -> None:
        """Write outcomes."""
        self._store.put_many(outcomes, context=context)
        self._tried.update(outcomes)
