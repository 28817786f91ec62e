"""Printing tables to a terminal; progress is in `edgenas.display`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from edgenas.text import printable


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> None:
    """Print a table; numbers are right-aligned, texts are taken as they are.

    Args:
        columns: Headings.
        rows: One sequence of cells a row.
        title: Printed above.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    def plain(value: object) -> Text:
        # Names from users' data may hold markup, emoji codes and control characters.
        return Text(printable(str(value)))

    table = Table(title=plain(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(_is_number(str(row[index])) for row in rows)
        table.add_column(plain(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)


def _is_number(text: str) -> bool:
    digits = text.strip("-+%x").replace(",", "").replace(".", "").replace(" ", "")
    return bool(text) and digits.isdigit() or text in ("", "-")
