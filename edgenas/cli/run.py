"""`edgenas run`: from images to deployed files."""

from __future__ import annotations

from typing import Annotated

import typer

from edgenas.cli.configuration import Overrides, find_configuration


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
    from edgenas.config.load import load

    texts = list(overrides or [])
    texts += [f"seed={seed}"] if seed is not None else []
    texts += [f"search.strategy={strategy}"] if strategy is not None else []
    settings = load(find_configuration(configuration), texts)

    from edgenas.cli.console import progress_bar
    from edgenas.cli.results import print_summary
    from edgenas.pipeline.commands.run import run_pipeline

    result = run_pipeline(settings, progress=progress_bar, say=print)
    print_summary(result)
