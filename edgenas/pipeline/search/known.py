"""Known results for a warm start: the store's outcomes in the same space by the same judge.

They are written to `search-known.json` when a search begins, and every later start of it reads them back. So a killed
search is replayed with the same known results. Networks that it judged itself are not among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgenas.errors import EdgenasError, StoreError
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.search.limits import target_document
from edgenas.reading.json_text import plain_text, plain_value
from edgenas.space import SearchSpace
from edgenas.study import Context, Evaluation, Failure, Outcome
from edgenas.study.document import decode_outcome, encode_outcome
from edgenas.study.store import Store
from edgenas.types import Genes

KNOWN_FILE = "search-known.json"


def known_outcomes(context: RunContext, judged_in: Context, store: Store) -> tuple[Outcome, ...]:
    """Return what a search starts from: nothing unless `search.warm_start` is `store`.

    Failures are part of it, so that they are not proposed again, unless `search.retry_failures` asks for that. Those
    that earlier versions stored have no code and are left out.

    Args:
        context: Of the run.
        judged_in: Evaluator, settings, data and device; others' evaluations are not comparable.
        store: Of the run, or shared.

    Raises:
        StoreError: The store cannot be read, or the file of an earlier start cannot be written.
    """
    if context.settings.search.warm_start == "none":
        return ()
    about = _about(context, judged_in)
    kept = _kept(context, about)
    if kept is None:
        kept = tuple(o for o in store.of_context(judged_in) if _is_member(o, artifacts.space(context)))
        document = {"about": about, "outcomes": [encode_outcome(outcome) for outcome in kept]}
        context.directory.write_json(KNOWN_FILE, document)
    if context.settings.search.retry_failures:
        kept = tuple(outcome for outcome in kept if isinstance(outcome, Evaluation))
    failed = sum(isinstance(outcome, Failure) for outcome in kept)
    words = f" and {failed} failures" if failed else ""
    context.say(f"  the search starts from {len(kept) - failed} evaluations{words} of the store")
    return kept


def forget_known(context: RunContext) -> None:
    """Delete what a finished search started from; its `search.json` holds it, and the next one looks anew."""
    (context.directory.path / KNOWN_FILE).unlink(missing_ok=True)


def genes_of(known: Sequence[Outcome]) -> Genes:
    """Codes (N, D) of outcomes, at least one."""
    return np.array([outcome.genes for outcome in known], dtype=np.int64)


def _about(context: RunContext, judged_in: Context) -> list[Any]:
    """What the walk depends on: another search begins with what the store knows by then."""
    settings = context.settings
    search = settings.search.model_dump(mode="json", exclude={"store", "retry_failures"})
    whole = [settings.seed, search, target_document(settings.target), artifacts.space(context).digest]
    found: list[Any] = plain_value(plain_text([*whole, judged_in.text()]))
    return found


def _kept(context: RunContext, about: list[Any]) -> tuple[Outcome, ...] | None:
    """Outcomes that an earlier start of this search wrote down; None where there was none."""
    if not context.directory.has(KNOWN_FILE):
        return None
    try:
        document = context.directory.read_json(KNOWN_FILE)
        if document["about"] != about:
            return None
        kept = [decode_outcome(text, KNOWN_FILE) for text in document["outcomes"]]
        return tuple(outcome for outcome in kept if _is_member(outcome, artifacts.space(context)))
    except (StoreError, KeyError, TypeError, ValueError):
        context.say(f"  {KNOWN_FILE} cannot be read: the search starts from what the store knows now")
        return None


def _is_member(outcome: Outcome, space: SearchSpace) -> bool:
    """Whether an outcome is of a network of this space, and its code one of this space."""
    cards = space.cardinalities
    if len(outcome.genes) != len(cards) or not all(0 <= g < c for g, c in zip(outcome.genes, cards, strict=True)):
        return False
    try:
        return space.decode(np.array(outcome.genes, dtype=np.int64)).digest == outcome.digest
    except (EdgenasError, ValueError, IndexError):
        return False
