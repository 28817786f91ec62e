"""Outcomes as the JSON documents of a store."""

from __future__ import annotations

from edgenas.errors import SearchError, StoreError, explain
from edgenas.reading.json_text import plain_text, plain_value
from edgenas.study.values import Evaluation, Failure, Metric, Outcome

REMEDY = "`edgenas store verify --repair` removes damaged entries, so that they are evaluated again."


def encode_outcome(outcome: Outcome) -> str:
    """Write an outcome as JSON, as it stands in a store."""
    if isinstance(outcome, Failure):
        about = {"failure": outcome.reason, "digest": outcome.digest, "seconds": outcome.seconds}
        return plain_text({**about, "genes": [int(g) for g in outcome.genes]})
    metrics = [[name, m.value, m.standard_error, m.unit, m.source] for name, m in outcome.metrics]
    return plain_text(
        {
            "digest": outcome.digest,
            "genes": [int(g) for g in outcome.genes],
            "metrics": metrics,
            "fidelity": outcome.fidelity,
            "seconds": outcome.seconds,
        }
    )


def decode_outcome(text: str, name: str) -> Outcome:
    """Read an outcome that `encode_outcome` wrote.

    Args:
        text: JSON.
        name: Of the store or file it comes from, for the error.

    Raises:
        StoreError: It is none.
    """
    try:
        value = plain_value(text)
        if "failure" in value:
            # Earlier versions wrote no code of a failure, and read over the one that is written now.
            genes = tuple(value.get("genes", ()))
            return Failure(reason=value["failure"], digest=value["digest"], genes=genes, seconds=value["seconds"])
        metrics = tuple(
            (key, Metric(value=v, standard_error=error, unit=unit, source=source))
            for key, v, error, unit, source in value["metrics"]
        )
        return Evaluation(
            digest=value["digest"],
            genes=tuple(value["genes"]),
            metrics=metrics,
            fidelity=value["fidelity"],
            seconds=value["seconds"],
        )
    except (ValueError, KeyError, TypeError, SearchError) as error:
        raise StoreError(
            explain(f"the store {name} holds an entry that is not an outcome", got=text[:80], remedy=REMEDY)
        ) from error
