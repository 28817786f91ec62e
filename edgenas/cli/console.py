"""Printing: tables, progress with remaining time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from edgenas.types import Progress

_LOG_SECONDS = 10.0


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> None:
    """Print a table; numbers are right-aligned.

    Args:
        columns: Headings.
        rows: One sequence of cells a row.
        title: Printed above.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(_is_number(str(row[index])) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)


def _is_number(text: str) -> bool:
    return (
        bool(text)
        and text.strip("-+%x").replace(",", "").replace(".", "").replace(" ", "").isdigit()
        or text
        in (
            "",
            "-",
        )
    )


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Show progress with remaining time: a bar on a terminal, a line every ten seconds elsewhere.

    Args:
        title: What is going on.

    Yields:
        A function of (done, total, what).
    """
    if sys.stderr.isatty():
        with _bar(title) as report:
            yield report
    else:
        yield _log(title)


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None)

        def report(done: int, total: int, what: str) -> None:
            bars.update(task, completed=done, total=total, description=f"{title}: {what}" if what else title)

        yield report


def _log(title: str) -> Progress:
    started = last = time.monotonic()

    def report(done: int, total: int, what: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _LOG_SECONDS or done <= 0:
            return
        last = now
        left = (now - started) / done * (total - done)
        print(
            f"  {title}: {what + ', ' if what else ''}{done} of {total}, {left:.0f} s left", file=sys.stderr, flush=True
        )

    return report
