"""Progress of long work: a bar in a terminal, one updated line in a notebook, plain lines elsewhere.

Every job of the Python interface and of the command line takes `progress` and `say`; these are their defaults. rich and
IPython are imported only when they are used.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from edgenas.text import printable
from edgenas.types import Progress, ProgressFactory, Say

LINE_SECONDS = 60.0
"""Outside of terminals and notebooks progress is at most one line in this time, seconds."""
_REFRESH_SECONDS = 0.2
_BAR_WIDTH = 30


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Show progress with the time that is left: the `ProgressFactory` that is used where none is given.

    Args:
        title: What is going on.

    Yields:
        A function of (done, total, what).
    """
    if in_notebook():
        with _moving_line(title) as report:
            yield report
    elif sys.stderr.isatty():
        with _bar(title) as report:
            yield report
    else:
        yield _lines(title)


@contextmanager
def no_progress(title: str) -> Iterator[Progress]:
    """Show nothing: a `ProgressFactory` for quiet work.

    Args:
        title: What is going on; unused.

    Yields:
        A function that does nothing.
    """
    yield lambda done, total, what: None


def say_line(text: str) -> None:
    """Print a line for people at once: the `Say` that is used where none is given.

    Args:
        text: The line.
    """
    print(printable(text, keep="\n\t"), flush=True)


def say_nothing(text: str) -> None:
    """Print nothing: a `Say` for quiet work.

    Args:
        text: The line; unused.
    """


def or_default(progress: ProgressFactory | None, say: Say | None) -> tuple[ProgressFactory, Say]:
    """Return the given values, with the defaults in place of None."""
    return progress or progress_bar, say or say_line


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook; IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return type(shell).__name__ == "ZMQInteractiveShell"


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(printable(title), total=None)

        def report(done: int, total: int, what: str) -> None:
            bars.update(task, completed=done, total=total, description=_worded(title, what))

        yield report


@contextmanager
def _moving_line(title: str) -> Iterator[Progress]:
    """One line of a notebook's output that is written anew; it needs no widgets."""
    from IPython.display import display

    handle = display({"text/plain": title}, raw=True, display_id=True)
    started, last = time.monotonic(), -_REFRESH_SECONDS

    def report(done: int, total: int, what: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _REFRESH_SECONDS or done >= total:
            last = now
            handle.update({"text/plain": _line(title, done, total, what, now - started, bar=True)}, raw=True)

    yield report
    handle.update({"text/plain": f"{title}: {time.monotonic() - started:.0f} s"}, raw=True)


def _lines(title: str) -> Progress:
    started = last = time.monotonic()

    def report(done: int, total: int, what: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < LINE_SECONDS or done <= 0:
            return
        last = now
        print(f"  {_line(title, done, total, what, now - started)}", file=sys.stderr, flush=True)

    return report


def _line(title: str, done: int, total: int, what: str, seconds: float, *, bar: bool = False) -> str:
    """Say how far work is and how long it may still take."""
    left = f", {seconds / done * (total - done):.0f} s left" if done > 0 else ""
    drawn = round(_BAR_WIDTH * min(done, total) / total) if total > 0 else 0
    shown = f"[{'#' * drawn}{'.' * (_BAR_WIDTH - drawn)}] " if bar else ""
    return f"{_worded(title, what)}: {shown}{done} of {total}{left}"


def _worded(title: str, what: str) -> str:
    return printable(f"{title}: {what}" if what else title)
