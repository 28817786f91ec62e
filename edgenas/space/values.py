"""Checks of the values in a space's definition. A message begins with the path of the value."""

from __future__ import annotations

from collections.abc import Sequence

from edgenas.arch import limits
from edgenas.errors import SpaceError, explain, nearest


def require(condition: bool, what: str, *, got: object = None, allowed: object = None, remedy: str = "") -> None:
    """Raise a SpaceError unless a condition holds."""
    if not condition:
        raise SpaceError(explain(what, got=got, allowed=allowed, remedy=remedy))


def require_member(path: str, value: object, allowed: Sequence[str]) -> None:
    """Require one of some names."""
    require(
        value in allowed, f"{path}: unknown value{nearest(str(value), allowed)}", got=repr(value),
        allowed=", ".join(allowed),
    )


def require_distinct(path: str, values: Sequence[object]) -> None:
    """Require that no value is given twice."""
    require(len(set(values)) == len(values), f"{path}: a value is given twice", got=list(values))


def require_names(path: str, values: Sequence[object], allowed: Sequence[str]) -> None:
    """Require at least one name, each among some and none twice."""
    require(len(values) > 0, f"{path}: no value is left for the first block")
    require_distinct(path, values)
    for value in values:
        require_member(path, value, allowed)


def require_numbers(path: str, values: Sequence[object], *, low: float, high: float) -> None:
    """Require at least one number, ascending and within bounds."""
    require(isinstance(values, tuple) and len(values) > 0, f"{path}: needs at least one value")
    for value in values:
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
        require(number, f"{path}: impossible value", got=repr(value), allowed=f"{low} to {high}")
    require_distinct(path, values)
    require(list(values) == sorted(values), f"{path}: values must ascend", got=list(values))  # type: ignore[type-var]


def require_kernels(path: str, values: Sequence[object], *, zero: bool) -> None:
    """Require odd sizes; 0 for none only where that can be."""
    require_numbers(path, values, low=0 if zero else 1, high=limits.KERNEL)
    for value in values:
        require(
            isinstance(value, int) and (value % 2 == 1 or value == 0), f"{path}: a kernel must be odd", got=value,
            allowed="1, 3, ..., 15" + (", or 0 for none" if zero else ""),
        )


def require_divisible(path: str, channels: Sequence[float], *, divisor: int) -> None:
    """Require channels that are multiples of a space's divisor."""
    for count in channels:
        require(
            count % divisor == 0, f"{path}: channels must be multiples of the divisor", got=count,
            allowed=f"multiples of {divisor}", remedy="Set `divisor: 4` (or 2, 1) for narrow networks.",
        )
