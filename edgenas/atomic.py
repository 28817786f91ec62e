"""Atomic writing of files and folders: at any moment either the whole old or the whole new content is there.

Content is written to a draft, a file beside the final one with a unique name. The draft is forced to the disk and then
renamed into place. So a killed process, a power cut or a second writer never leaves a mixture of two contents.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DRAFT = ".partial"
ASIDE = ".aside"
BROKEN = ".broken"
_TOKEN = "[0-9a-f]" * 20
_OLD_SECONDS = 3600.0
"""A draft untouched for this long belongs to a process that was killed."""


def json_text(document: Any, *, indent: int | None = 1) -> str:
    """Return strict JSON with a final line break.

    Raises:
        ValueError: It holds NaN or an infinity, which no other program reads.
    """
    return json.dumps(document, indent=indent, allow_nan=False) + "\n"


def write_json(path: Path, document: Any, *, indent: int | None = 1) -> None:
    """Write strict JSON; see `json_text` and `write_bytes`."""
    write_text(path, json_text(document, indent=indent))


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8; see `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whose folder exists.

    Raises:
        OSError: It cannot be written. The file there before is untouched, and no draft is left.
    """

    def fill(draft: Path) -> None:
        with draft.open("xb") as file:
            file.write(data)

    write_by(path, fill)


def write_by(path: Path, fill: Callable[[Path], None]) -> None:
    """Let a function write a file under another name, and move it into place.

    Args:
        path: The file.
        fill: Told where to write.

    Raises:
        OSError: It cannot be written; what was there is untouched.
    """
    draft = draft_of(path)
    try:
        fill(draft)
        _sync(draft)
        os.replace(draft, path)
    except BaseException:
        # Half a file on a full disk would only use up the rest of the space.
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


@contextlib.contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Fill a folder beside its final place; it replaces what is there when the block ends without an error.

    Args:
        target: The folder; the one above it is made.

    Raises:
        OSError: It cannot be written; what was there is still there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    restore_folder(target)
    sweep(target.parent, name=target.name)
    draft = draft_of(target)
    draft.mkdir()
    try:
        yield draft
        replace_folder(draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def replace_folder(draft: Path, target: Path) -> None:
    """Move a folder into place; the one that it replaces is deleted afterwards.

    Raises:
        OSError: It cannot be moved; what was there is still there.
    """
    for file in sorted(draft.rglob("*")):
        if file.is_file() and not file.is_symlink():
            _sync(file)
    aside = _beside(target, ASIDE)
    moved = target.exists()
    if moved:
        os.replace(target, aside)
    try:
        os.replace(draft, target)
    except BaseException:
        if moved:
            os.replace(aside, target)
        raise
    _sync_folder(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def restore_folder(target: Path) -> None:
    """Put back the folder that `replace_folder` had moved aside when its process was killed."""
    found = target.parent.glob(f".{_escaped(target.name)}.{_TOKEN}{ASIDE}")
    kept = sorted(found, key=lambda path: path.stat().st_mtime)
    if kept and not target.exists():
        os.replace(kept.pop(), target)


def draft_of(path: Path) -> Path:
    """Return a name beside a path that no other process writes to."""
    return _beside(path, DRAFT)


def sweep(folder: Path, *, name: str = "*", deep: bool = False, old_seconds: float = _OLD_SECONDS) -> None:
    """Delete the drafts that killed processes left in a folder.

    Args:
        folder: Where to look.
        name: Of the file or folder that the drafts were for; all of them if left out.
        deep: Whether to look into the folders below too.
        old_seconds: Younger drafts are left where their process may be alive.
    """
    wanted = name if name == "*" else _escaped(name)
    find = folder.rglob if deep else folder.glob
    for path in list(find(f".{wanted}.{_TOKEN}{ASIDE}")):
        with contextlib.suppress(OSError):
            restore_folder(path.with_name(path.name[1 : -len(ASIDE) - 21]))
    for ending in (DRAFT, ASIDE):
        for path in list(find(f".{wanted}.{_TOKEN}{ending}")):
            with contextlib.suppress(OSError):
                if _is_dead(path.name.rsplit(".", 2)[1]) or time.time() - path.lstat().st_mtime >= old_seconds:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def set_aside(path: Path) -> Path:
    """Move a broken file or folder to a free name beside it (`NAME.broken-1`), and return that name.

    Raises:
        OSError: It cannot be moved.
    """
    number = 1
    while (kept := path.with_name(f"{path.name}{BROKEN}-{number}")).exists():
        number += 1
    os.replace(path, kept)
    return kept


def remedy_for(error: OSError) -> str:
    """Say what a user can do about a file that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Free some space or write elsewhere; what was finished is kept."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Make it writable or write elsewhere; what was finished is kept."
    return "Write elsewhere; what was finished is kept."


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f".{path.name}.{_host()}{os.getpid():08x}{uuid.uuid4().hex[:8]}{ending}")


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]


def _is_dead(token: str) -> bool:
    """Whether a draft is of a process of this machine that has ended."""
    if token[:4] != _host() or os.name != "posix":
        return False
    try:
        os.kill(int(token[4:12], 16), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _sync(path: Path) -> None:
    # Opened for writing too: some systems do not sync a file that is open for reading only.
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(path: Path) -> None:
    """Force the folder's names to the disk, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
