"""`edgenas cache list|clear`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from edgenas.api.cache import cache_folder, clear_cache, list_cache
from edgenas.cli.console import print_table

Folder = Annotated[
    Path | None, typer.Option("--folder", help="Of the cache; EDGENAS_CACHE, or ~/.cache/edgenas, if left out.")
]
_MIB = 2**20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    cache = typer.Typer(help="The cache of prepared images that all runs share.", no_args_is_help=True)
    cache.command("list")(list_entries)
    cache.command("clear")(clear)
    app.add_typer(cache, name="cache")


def list_entries(folder: Folder = None) -> None:
    """List what the cache holds, least recently used first."""
    found = list_cache(folder)
    rows = [
        (
            entry.kind, entry.what, f"{entry.nbytes / _MIB:,.1f}",
            datetime.fromtimestamp(entry.used).strftime("%Y-%m-%d %H:%M"), "yes" if entry.in_use else "",
        )
        for entry in found
    ]  # fmt: skip
    total = sum(entry.nbytes for entry in found) / _MIB
    print_table(("kind", "of", "MiB", "last used", "in use"), rows, title=f"{cache_folder(folder)}: {total:,.1f} MiB")


def clear(folder: Folder = None) -> None:
    """Remove what the cache holds. Images that are still wanted are prepared again by the next run."""
    gone, left = clear_cache(folder)
    print(f"removed {len(gone)} entries, {sum(entry.nbytes for entry in gone) / _MIB:,.1f} MiB")
    for entry in left:
        print(f"left, since a process uses it: {entry.what}")
