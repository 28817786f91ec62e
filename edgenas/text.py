"""Text that users or files supply: making it safe to print, and checking names that become part of a path."""

from __future__ import annotations

import re

from edgenas.errors import EdgenasError, explain

SAFE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$"
_SAFE = re.compile(SAFE_NAME.removesuffix("$"), re.ASCII)
# Windows opens devices under these names, whatever their ending.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}


_SECRETS = ((re.compile(r"(://[^:/@\s]*):[^@\s]*@"), r"\1:***@"), (re.compile(r"(password=)[^&\s]+", re.I), r"\1***"))


def without_password(words: str) -> str:
    """Return a URL or a message without the passwords in it."""
    for pattern, kept in _SECRETS:
        words = pattern.sub(kept, words)
    return words


def printable(text: str, *, keep: str = "") -> str:
    r"""Escape characters that would move the cursor, colour the terminal or break a line. All others stay.

    Args:
        text: Of any origin.
        keep: Characters that stay as they are, such as line ends.

    Returns:
        Text that every terminal and every encoding of Unicode takes: a line end is "\n", an escape "\x1b".
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else _spelled(character) for character in text
    )


def _spelled(character: str) -> str:
    # Python calls the spaces of other scripts not printable, but they are harmless.
    if character.isspace() and ord(character) > 0xA0 and character not in "\u2028\u2029":
        return character
    return character.encode("unicode_escape").decode("ascii")


def is_safe_name(name: str) -> bool:
    """Whether a name can be one component of a path on every system: no folder above, no separator, no hidden file."""
    if not _SAFE.fullmatch(name) or name.endswith("."):
        return False
    return name.partition(".")[0].lower() not in _DEVICES


def require_safe_name(name: str, what: str, *, error: type[EdgenasError]) -> str:
    """Return a name that becomes a file or folder, or refuse it.

    Args:
        name: One component of a path.
        what: What it names, for the message.
        error: What is raised.

    Raises:
        EdgenasError: It could lead out of its folder, hide, or mean something else on another system.
    """
    if is_safe_name(name):
        return name
    raise error(
        explain(
            f"{what} cannot be a file name",
            got=repr(name[:120]),
            allowed="letters, digits, . _ -; beginning with a letter, digit or _; at most 100",
        )
    )
