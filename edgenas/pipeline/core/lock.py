"""One writer at a time for a folder of results; the operating system releases the lock when its process ends."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from edgenas.errors import StoreError, explain
from edgenas.pipeline.core.directory import make_folder
from edgenas.reading.json_text import plain_text, plain_value

try:
    import fcntl
except ImportError:  # only missing on Windows, where folders are then not locked
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lock"
_BUSY = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK)
_held: set[int] = set()
"""Open locks of this process. A forked child closes them, so that it does not hold them after its parent was killed."""


def _let_go() -> None:
    for handle in _held:
        with contextlib.suppress(OSError):
            os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder; readers need none.

    Args:
        folder: It exists.

    Yields:
        Whether the lock is held. It is not if the folder cannot be written: then nobody writes there.

    Raises:
        StoreError: Another process holds it; says which.
    """
    handle = _opened(folder / LOCK_FILE, folder)
    if handle is None:
        yield False
        return
    try:
        _take(handle, folder)
        _held.add(handle)
        yield True
    finally:
        if handle in _held:
            _held.discard(handle)
        with contextlib.suppress(OSError):
            os.close(handle)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make a folder of results, and hold its lock while its files are written.

    Raises:
        StoreError: The folder cannot be made, or another process writes there; says which.
    """
    make_folder(folder)
    with locked(folder):
        yield


@contextlib.contextmanager
def writing_beside(target: Path) -> Iterator[None]:
    """Hold a lock that lies beside a file, or beside a folder that is replaced as a whole, while it is written.

    The lock is a hidden file in the folder of the target, and is deleted at the end.

    Args:
        target: What is written; the folder that it is in is made.

    Raises:
        StoreError: That folder cannot be made, or another process writes the target; says which.
    """
    target = Path(os.path.abspath(target))
    make_folder(target.parent)
    path = target.parent / f".{target.name}{LOCK_FILE}"
    handle = None
    try:
        handle = _owned(path, target)
        yield
    finally:
        if handle is not None:
            # Deleted while it is held: whoever waits for this file then sees that it is gone, and takes a new one.
            with contextlib.suppress(OSError):
                path.unlink()
            _held.discard(handle)
            with contextlib.suppress(OSError):
                os.close(handle)


def holder(folder: Path) -> str | None:
    """Say which process holds the lock of a folder; None where none does. Nothing is written.

    Args:
        folder: It exists.
    """
    try:
        handle = os.open(folder / LOCK_FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        if fcntl is None or _has_ended(handle):
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return _holder(handle) if error.errno in _BUSY else None
        return None
    finally:
        os.close(handle)


def _has_ended(handle: int) -> bool:
    """Whether the last holder is a process of this machine that has ended. Then the lock is free without a look."""
    try:
        about = plain_value(os.pread(handle, 4096, 0))
        if about["host"] == socket.gethostname():
            os.kill(int(about["process"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return False
    return False


def _owned(path: Path, target: Path) -> int | None:
    """Take the lock file at `path`; None where the folder cannot be written."""
    while True:
        handle = _opened(path, target)
        if handle is None:
            return None
        try:
            _take(handle, target)
        except StoreError:
            os.close(handle)
            raise
        try:
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                _held.add(handle)
                return handle
        except FileNotFoundError:
            pass
        os.close(handle)  # its last holder deleted it in between


def _opened(path: Path, target: Path) -> int | None:
    """Open a lock file; None where its folder cannot be written."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise StoreError(explain(f"cannot lock {target}", got=error.strerror or str(error))) from error
        return None


def _take(handle: int, folder: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _BUSY:
            return  # a file system without locks
        raise StoreError(
            explain(
                f"another process is writing to {folder}",
                got=_holder(handle),
                remedy="Wait until it has ended, or end it; then give the same command again.",
            )
        ) from error
    about = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:4]])[:120],
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    # The lock file only names the process. A full disk must not end the command because of it.
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, plain_text(about).encode(), 0)


def _holder(handle: int) -> str:
    try:
        about = plain_value(os.pread(handle, 4096, 0))
        return f"process {about['process']} on {about['host']} ({about['command']}), since {about['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not said who it is"
