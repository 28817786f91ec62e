"""Telling changed files and different images apart."""

from __future__ import annotations

import errno
import os
from hashlib import sha256
from pathlib import Path

CONTENT_BYTES = 8


def file_signature(state: os.stat_result) -> str:
    """Return a text that changes when a file is changed or another takes its place, without reading it.

    Size and modification time are not enough. Both stay the same if files of equal size swap names, or if a tool
    restores the time. The inode shows a swap. The time of the inode's last change shows a restored time, since no
    program can set it.

    Args:
        state: Of the file that a link leads to.
    """
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_dev} {state.st_ino}"


def tree_signature(root: Path) -> str:
    """Digest of the names and signatures of the files below a folder, or of one file; links are followed.

    Args:
        root: A folder or a file; what is not there is "absent".
    """
    if not root.exists():
        return "absent"
    digest = sha256()
    if not root.is_dir():
        digest.update(file_signature(root.stat()).encode())
        return digest.hexdigest()
    known: set[tuple[int, int]] = set()
    top = os.fspath(root)
    for folder, folders, files in os.walk(top, followlinks=True):
        state = os.stat(folder)
        below = os.path.relpath(folder, top)
        digest.update(f"{below}/ {state.st_ino}\n".encode("utf-8", "surrogateescape"))
        if (state.st_dev, state.st_ino) in known:
            folders.clear()
            continue
        known.add((state.st_dev, state.st_ino))
        folders.sort()
        prefix = "" if below == os.curdir else below + os.sep
        lines = [f"{prefix}{name}\0{_signature_at(os.path.join(folder, name))}\n" for name in sorted(files)]
        digest.update("".join(lines).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _signature_at(file: str) -> str:
    try:
        return file_signature(os.stat(file))
    except (FileNotFoundError, NotADirectoryError):
        return "broken link"
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "broken link"
        raise


def content_number(content: bytes | memoryview) -> int:
    """Return the first 64 bits of the SHA-256 of a content.

    Two different contents share them with a chance of 2^-64.
    """
    return int.from_bytes(sha256(content).digest()[:CONTENT_BYTES], "little")
