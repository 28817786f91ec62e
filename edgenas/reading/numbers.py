"""Numbers from texts: those of YAML 1.2 (core schema) and of JSON. They must be finite and of bounded length."""

from __future__ import annotations

import math
import re

# A double has 17 digits and an exponent of three; an int64 has 19 digits. Random states of numpy have 39.
DIGITS = 64
WHOLE_LIMIT = 2**63 - 1

_DECIMAL = re.compile(r"[-+]?[0-9]+\Z")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_OTHER_BASE = re.compile(r"0x[0-9a-fA-F]+\Z|0o[0-7]+\Z")
_NOT_FINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")


class NumberError(ValueError):
    """A text that looks like a number and is not an allowed one. The message says why."""


def number(text: str) -> int | float | None:
    """Return the number that a plain YAML scalar is, or None where it is a text.

    Source: YAML 1.2.2, section 10.3.2, with one exception. A decimal with a leading zero is refused: YAML 1.1 reads it
    as octal, YAML 1.2 as decimal, and a person may mean either.

    Args:
        text: The scalar.

    Raises:
        NumberError: Infinite, not a number, too many digits, a leading zero, or beyond 64 bits.
    """
    if _NOT_FINITE.match(text):
        raise NumberError("it is not finite")
    real, based = _REAL.match(text), _OTHER_BASE.match(text)
    if not (real or based):
        return None
    if len(text) > DIGITS:
        raise NumberError(f"it has {len(text):,} letters, where {DIGITS} are the most")
    if based:
        return _whole(int(text, 0))
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        plain = digits.lstrip("0") or "0"
        raise NumberError(f'it has a leading zero. Write {plain}, or "{text}" for a text, or 0o17 for an octal number')
    if _DECIMAL.match(text):
        return _whole(int(text))
    return finite(float(text))


def finite(value: float) -> float:
    """Return a value that is finite.

    Raises:
        NumberError: It is not.
    """
    if not math.isfinite(value):
        raise NumberError("it is not finite")
    return value


def _whole(value: int) -> int:
    if abs(value) > WHOLE_LIMIT:
        raise NumberError("a whole number must fit 64 bits")
    return value
