"""Locks of the operating system on files of the cache. A process that ends, however it ends, lets go of them."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # only missing on Windows, where the cache is then not locked
    fcntl = None  # type: ignore[assignment]

BUSY = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK)
PAUSE_SECONDS = 0.5


def hold_shared(handle: int) -> None:
    """Mark an open file as in use until it is closed."""
    if fcntl is not None:
        # It fails on file systems without locks. An open file that is removed stays readable all the same.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)


def is_held(path: Path) -> bool:
    """Whether a process holds a lock on a file."""
    if fcntl is None:
        return False
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except OSError as error:
        return error.errno in BUSY
    finally:
        os.close(handle)


@contextlib.contextmanager
def only_writer(path: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Be the only process that writes, as soon as another one has finished.

    Args:
        path: The lock's file; it is made and stays.
        waiting: Called now and then while another process writes.

    Raises:
        OSError: The file cannot be made, or the file system has no locks.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not _taken(handle):
            waiting()
            time.sleep(PAUSE_SECONDS)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        if error.errno not in BUSY:
            raise
        return False
