"""The exception tree of edgenas.

    EdgenasError                      everything that edgenas raises on purpose
    ├── InputError                    what the user gave cannot be used
    │   ├── ConfigError               a run's YAML: unknown key, wrong type, impossible value
    │   ├── ArchitectureError         an architecture that is not one (shapes, notation, file)
    │   ├── SpaceError                a search space or genes that do not fit it
    │   ├── DataError                 images, labels, folders, arrays
    │   ├── WeightsError              a checkpoint or state dict that does not fit
    │   └── BudgetError               a limit that nothing can meet
    ├── TableError                    a latency table: broken, foreign, incomplete
    ├── DeviceError                   a device or runtime that is missing, busy or gone
    ├── ExportError                   a file that could not be written, loaded or verified
    ├── TrainingError                 a training that cannot go on (NaN loss, out of memory)
    ├── PluginError                   an installed package that adds something to edgenas and cannot be used
    ├── StoreError                    a store or run directory that cannot be read or written
    └── SearchError                   ask / tell out of order, a space that is exhausted

Every message says what is wrong, what was given, what is allowed and what to do. `explain` composes one.
The command line prints the message and exits with status 2; it never shows a traceback for these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EdgenasError(Exception):
    """Base of every error that edgenas raises on purpose."""


class InputError(EdgenasError):
    """What the user gave cannot be used."""


class ConfigError(InputError):
    """A configuration holds an unknown key, a wrong type or an impossible value."""


class ArchitectureError(InputError):
    """An architecture, its notation or its file is not valid."""


class SpaceError(InputError):
    """A search space, or genes that are said to lie in it, are not valid."""


class DataError(InputError):
    """Images, labels or their files cannot be used."""


class WeightsError(InputError):
    """A checkpoint or state dict does not fit the architecture."""


class BudgetError(InputError):
    """A budget or limit that no known network meets."""


class TableError(EdgenasError):
    """A latency table is broken, foreign to this use, or lacks an entry."""


class DeviceError(EdgenasError):
    """A device or runtime is missing, busy, or went away."""


class ExportError(EdgenasError):
    """A deployable file could not be written, loaded or verified."""


class TrainingError(EdgenasError):
    """A training cannot go on."""


class PluginError(EdgenasError):
    """An installed package that adds something to edgenas cannot be used."""


class StoreError(EdgenasError):
    """A store or run directory cannot be read or written."""


class SearchError(EdgenasError):
    """A searcher was used out of order, or has nothing left to propose."""


# A message shall fit a screen of 24 lines of 80 characters.
_WHAT_LENGTH, _GOT_LENGTH, _ALLOWED_LENGTH, _REMEDY_LENGTH = 400, 200, 600, 300


def shorten(text: str, length: int) -> str:
    """Return a text that fits: its beginning, its end and its length where it is longer.

    Args:
        text: Any text.
        length: Most characters.
    """
    if len(text) <= length:
        return text
    note = f" ... ({len(text):,} characters) ... "
    room = max(length - len(note), 2)
    return text[: room * 2 // 3] + note + text[len(text) - room // 3 :]


def explain(what: str, *, got: object = None, allowed: object = None, remedy: str = "") -> str:
    """Compose an error message: what is wrong, what was given, what is allowed, what to do.

    Each part is shortened, so that a message fits a screen whatever was given.

    Args:
        what: The problem, a clause without a final full stop.
        got: What was given; left out when None.
        allowed: What would have been accepted; left out when None.
        remedy: What the user can do, a sentence.

    Returns:
        One line of text.
    """
    parts = [shorten(what, _WHAT_LENGTH)]
    if got is not None:
        parts.append(f"got {shorten(str(got), _GOT_LENGTH)}")
    if allowed is not None:
        parts.append(f"allowed: {shorten(str(allowed), _ALLOWED_LENGTH)}")
    text = "; ".join(parts)
    return f"{text}. {shorten(remedy, _REMEDY_LENGTH)}" if remedy else f"{text}."


def nearest(name: str, names: Iterable[str]) -> str:
    """Return " (did you mean X?)" for the closest of `names`, or an empty string.

    Args:
        name: What was given.
        names: What is allowed.
    """
    if len(name) > 100:
        # The time to compare grows with the square of the length, and no allowed name is this long.
        return ""
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""
