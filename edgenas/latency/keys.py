"""Read a unit back from its key."""

from __future__ import annotations

from typing import get_args

from edgenas.arch import TensorShape
from edgenas.errors import TableError, explain
from edgenas.latency.units import Unit, UnitKind

_FLAGS = ("residual", "gated", "pooled", "same")


def parse_key(key: str) -> Unit:
    """Return the unit whose `Unit.key` this is.

    Args:
        key: Such as `depthwise k5 s2 96x112x112 96x56x56 relu`.

    Raises:
        TableError: It is no key.
    """
    words = key.split()
    try:
        kind, rest = words[0], words[1:]
        if kind not in get_args(UnitKind):
            raise ValueError(kind)
        numbers = {word[0]: int(word[1:]) for word in rest if word[0] in "ks" and word[1:].isdigit()}
        shapes = [TensorShape(*map(int, word.split("x"))) for word in rest if word[0].isdigit()]
        names = [word for word in rest if word[0].isalpha() and not word[1:].isdigit() and word not in _FLAGS]
        unit = Unit(
            kind=kind,  # type: ignore[arg-type]  # checked above
            source=shapes[0],
            result=shapes[1],
            kernel=numbers.get("k", 1),
            stride=numbers.get("s", 1),
            activation=names[0] if names else "",
            residual="residual" in rest,
            gated="gated" in rest,
            pooled="pooled" in rest,
            same="same" in rest,
        )
    except (ValueError, IndexError, TypeError) as error:
        raise TableError(explain("not a unit's key", got=repr(key))) from error
    if unit.key != key:
        raise TableError(explain("not a unit's key", got=repr(key), allowed=repr(unit.key)))
    return unit
