"""Ctrl-C: work that is worth finishing is finished first, and a second Ctrl-C stops at once.

    with finishing("this evaluation"):
        outcome = evaluate(candidate)
        store.put(outcome)

Outside of such a block Ctrl-C stops at once, as everywhere in Python.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

STATUS = 130
"""Exit status of a command that Ctrl-C stopped, as shells have it."""


class Stopped(KeyboardInterrupt):
    """Raised at the end of a block that was finished after Ctrl-C."""


class _Waiting:
    """The Ctrl-C of this process that waits for the end of a block."""

    def __init__(self) -> None:
        self.depth, self.asked, self.what = 0, False, ""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take a signal: the first one is noted, the second one stops."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        # Not by print: the signal may have come in the middle of one.
        with contextlib.suppress(OSError):
            os.write(2, f"\nstopping after {self.what}; Ctrl-C again stops at once\n".encode())


_waiting = _Waiting()


@contextlib.contextmanager
def finishing(what: str) -> Iterator[None]:
    """Let the first Ctrl-C wait for the end of a block; the second one stops at once.

    Of blocks in blocks the outermost one is finished. In a thread beside the main one, and where the program handles
    the signal itself, this does nothing.

    Args:
        what: What is finished, for people, such as "this evaluation".

    Raises:
        Stopped: At the end of the block, where Ctrl-C was pressed in it.
        KeyboardInterrupt: In the middle of the block, at the second Ctrl-C.
    """
    if _waiting.depth:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        _waiting.depth += 1
        try:
            yield
        finally:
            _waiting.depth -= 1
        return
    if not _ours():
        yield
        return
    _waiting.depth, _waiting.asked, _waiting.what = 1, False, what
    signal.signal(signal.SIGINT, _waiting)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _waiting.depth = 0
    if _waiting.asked:
        raise Stopped


def stops_here() -> bool:
    """Whether Ctrl-C was pressed in the innermost block, and the program stops at the end of it.

    Long work asks this in order to write a checkpoint that it would otherwise write later. In a block within another
    one it is False: the outer one is finished first.
    """
    return _waiting.asked and _waiting.depth == 1


@contextlib.contextmanager
def terminating() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C in a block: torchrun and the schedulers of clusters send it before they kill.

    In a thread beside the main one, and where the program handles the signal itself, this does nothing.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def out_of_reach() -> Iterator[None]:
    """Start processes in this block that Ctrl-C does not reach: a terminal sends it to all that it runs.

    What they do for this process is then finished or ended by this process.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ours() -> bool:
    """Whether this thread gets signals, and Python's own handler takes this one."""
    main = threading.current_thread() is threading.main_thread()
    return main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
