"""HTML for notebooks: small tables. All texts are escaped, since names of classes and files come from users' data."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def html_table(columns: Sequence[object], rows: Sequence[Sequence[object]], *, title: str = "", note: str = "") -> str:
    """Return a table as HTML.

    Args:
        columns: Headings; none for a table of facts without a head.
        rows: One sequence of cells a row; every cell is turned into text and escaped.
        title: A line above; escaped.
        note: A line below; escaped.
    """
    head = f"<thead><tr>{_cells('th', columns)}</tr></thead>" if columns else ""
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    caption = f"<p><b>{escape(title)}</b></p>" if title else ""
    below = f"<p>{escape(note)}</p>" if note else ""
    return f"<div>{caption}<table>{head}<tbody>{body}</tbody></table>{below}</div>"


def _cells(tag: str, values: Sequence[object]) -> str:
    return "".join(f'<{tag} style="text-align: left">{escape(str(value))}</{tag}>' for value in values)
