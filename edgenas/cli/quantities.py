"""Reading quantities that a person typed."""

from __future__ import annotations

import math


def milliseconds(text: str) -> float:
    """Return the milliseconds of `3ms` or `3`.

    Raises:
        InputError: It is no latency.
    """
    from edgenas.errors import InputError, explain

    try:
        value = float(text.strip().removesuffix("ms"))
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise InputError(explain("not a latency", got=repr(text), allowed="such as 2ms or 0.5ms"))
    return value


def budget(text: str) -> tuple[float | None, float | None]:
    """Return milliseconds and share of a budget, one of them None: `3ms` is (3.0, None), `50%` is (None, 0.5).

    Raises:
        InputError: It is neither.
    """
    from edgenas.errors import InputError, explain

    if not text.strip().endswith("%"):
        return milliseconds(text), None
    try:
        share = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise InputError(explain("not a budget", got=repr(text), allowed="such as 3ms, or 50% of the largest network"))
    return None, share
