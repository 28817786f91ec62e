"""Files that a user names: their path is checked, their size is bounded, their text is UTF-8."""

from __future__ import annotations

import errno
import os
import unicodedata
from pathlib import Path

from edgenas.errors import EdgenasError, InputError, explain

# Linux takes 4,096 bytes in a path and 255 in a name; other systems take less.
PATH_BYTES = 4095
NAME_BYTES = 255
# The largest document that edgenas writes itself, a table of 12,000 units, has 1 MiB.
DOCUMENT_BYTES = 64 * 1024 * 1024

_REMEDIES = {
    errno.ENOENT: "Check the path.",
    errno.EACCES: "Change its permissions, or name another.",
    errno.EISDIR: "Name a file in it.",
}


def path_problem(text: str) -> str | None:
    """Say why a text cannot be a path, or return None.

    Args:
        text: What a user gave.
    """
    if not text:
        return "an empty text"
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        return "control characters in it"
    if len(text.encode()) > PATH_BYTES:
        return f"{len(text.encode()):,} bytes"
    longest = max(len(part.encode()) for part in text.split("/"))
    return f"a name of {longest:,} bytes" if longest > NAME_BYTES else None


def checked_path(
    path: str | os.PathLike[str], *, what: str = "the path", error: type[EdgenasError] = InputError
) -> Path:
    """Return a path that a user gave.

    Args:
        path: As given.
        what: How the message calls it.
        error: What is raised.

    Raises:
        EdgenasError: Of the class `error`: it is empty, too long, or holds control characters.
    """
    problem = path_problem(os.fspath(path))
    if problem is not None:
        allowed = f"a path of at most {PATH_BYTES:,} bytes, {NAME_BYTES} a name, without control characters"
        raise error(explain(f"{what} is not usable: {problem}", got=repr(os.fspath(path)), allowed=allowed))
    return Path(path)


def read_bytes(
    path: str | os.PathLike[str],
    *,
    what: str,
    error: type[EdgenasError] = InputError,
    limit: int = DOCUMENT_BYTES,
    remedy: str = "",
) -> bytes:
    """Read a whole file that a user named.

    Args:
        path: The file.
        what: What it should be, such as "the recipe".
        error: What is raised.
        limit: Largest size, bytes.
        remedy: What the user can do where it cannot be read.

    Raises:
        EdgenasError: Of the class `error`: it is missing, no file, may not be read, or is too large.
    """
    source = checked_path(path, what=f"the path of {what}", error=error)
    try:
        if source.exists() and not source.is_file():
            got = "a folder" if source.is_dir() else "a device, a socket or a pipe"
            raise error(explain(f"cannot read {what} {source}", got=got, allowed="a file", remedy=remedy))
        with source.open("rb") as file:
            # read(N) would make room for N bytes at once.
            size = os.fstat(file.fileno()).st_size
            content = file.read() if size <= limit else None
    except OSError as problem:
        reason = problem.strerror or str(problem)
        advice = remedy or _REMEDIES.get(problem.errno or 0, "")
        raise error(explain(f"cannot read {what} {source}", got=reason, remedy=advice)) from problem
    if content is None or len(content) > limit:
        raise error(explain(f"{what} {source} is too large", got=f"over {limit:,} bytes", allowed=f"{limit:,} bytes"))
    return content


def read_text(
    path: str | os.PathLike[str],
    *,
    what: str,
    error: type[EdgenasError] = InputError,
    limit: int = DOCUMENT_BYTES,
    remedy: str = "",
) -> str:
    """Read a text file that a user named; see `read_bytes`.

    Raises:
        EdgenasError: Of the class `error`: it cannot be read, or is not UTF-8.
    """
    content = read_bytes(path, what=what, error=error, limit=limit, remedy=remedy)
    return decode(content, what=f"{what} {path}", error=error)


def decode(content: bytes, *, what: str, error: type[EdgenasError] = InputError) -> str:
    """Return bytes as text; a byte order mark of UTF-8 is left out.

    Args:
        content: The bytes.
        what: How the message calls them.
        error: What is raised.

    Raises:
        EdgenasError: Of the class `error`: they are not UTF-8.
    """
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"))
    try:
        if not wide:
            return content.decode("utf-8-sig")
        got = "UTF-16 or UTF-32 (its byte order mark)"
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        got = f"byte 0x{content[problem.start]:02x} in line {line}"
    raise error(explain(f"cannot read {what}", got=got, allowed="UTF-8", remedy="Save it as UTF-8."))
