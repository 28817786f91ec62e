"""`edgenas run`: from images to deployed files."""

from __future__ import annotations

from typing import Annotated

import typer

import edgenas as en
from edgenas.cli.commands.configuration import Overrides


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    configuration: Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped one (quickstart).")],
    overrides: Overrides = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Another search strategy.")] = None,
) -> None:
    """Search, measure, train and export: the whole job, from images to deployed files.

    The same command again goes on where a killed run stopped, and skips what has not changed.
    """
    from edgenas.cli.results import print_summary

    print_summary(en.run(configuration, overrides or [], seed=seed, strategy=strategy))
