"""What the notation calls activations, gates and kinds of blocks."""

from __future__ import annotations

import re
from typing import Protocol, TypeVar

from edgenas.errors import ArchitectureError, PluginError, explain
from edgenas.registry import Registry

NUMBERED = frozenset(("k", "a", "s", "c", "x", "e", "se", "f", "fn", "n"))
"""What stands before a number in the notation of a block, stem or head."""
WORDS = frozenset(("stem", "head", "add", "noadd"))
"""Other words of the notation."""


def require_short_name(short: str) -> None:
    """Require a name that the notation can tell from all else.

    Raises:
        ArchitectureError: It cannot.
    """
    found = re.fullmatch("([a-z]+)[0-9]*", short) if isinstance(short, str) else None
    if found is None or short in WORDS or found[1] in NUMBERED:
        taken = ", ".join(sorted(NUMBERED | WORDS))
        allowed = f"lower-case letters, then digits if any, but for what the notation says itself: {taken}"
        raise ArchitectureError(explain("not a short name for the notation", got=repr(short), allowed=allowed))


class _Named(Protocol):
    @property
    def short(self) -> str:
        """Its name in the notation."""


_Row = TypeVar("_Row", bound=_Named)


def by_short_name(registry: Registry[_Row], short: str) -> str | None:
    """Return the name of the entry that the notation calls so; None where there is none.

    Packages are asked only for what is none of edgenas's own.
    """
    return next((name for name in registry.names() if registry[name].short == short), None)


def short_name(registry: Registry[_Row], name: str) -> str:
    """Return what the notation calls an entry.

    Raises:
        EdgenasError: There is none of that name (the kind of error is the registry's).
        PluginError: The notation calls another one so.
    """
    short = registry[name].short
    other = by_short_name(registry, short)
    if other not in (name, None):
        got = f"{short!r} of {name} ({registry.origin(name)}) and of {other} ({registry.origin(str(other))})"
        what = f"two entries have one short name as {registry.what}"
        raise PluginError(explain(what, got=got, remedy="Rename the package's."))
    return short
