"""`edgenas search`."""

from __future__ import annotations

from typing import Annotated

import typer

from edgenas.cli.configuration import Overrides, find_configuration
from edgenas.cli.console import print_table, progress_bar


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("search")(search)


def search(
    configuration: Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped one.")],
    strategy: Annotated[str | None, typer.Option(help="Another strategy than the configuration's.")] = None,
    compare: Annotated[str | None, typer.Option(help="Several at equal cost: random,nsga2,surrogate")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Searches of each when comparing.")] = 5,
    overrides: Overrides = None,
) -> None:
    """Search only: table, supernet and search of a configuration; or compare strategies at equal cost."""
    from edgenas.config.load import load
    from edgenas.pipeline.commands.run import run_some
    from edgenas.pipeline.core.artifacts import SEARCH_FILE
    from edgenas.pipeline.core.open_run import open_run
    from edgenas.pipeline.search.comparison import COMPARISON_FILE, PLOT_FILE
    from edgenas.pipeline.search.comparison import compare as compare_strategies
    from edgenas.pipeline.stages import DATA, LATENCY_TABLE, SEARCH, SUPERNET

    texts = list(overrides or []) + ([f"search.strategy={strategy}"] if strategy else [])
    settings = load(find_configuration(configuration), texts)
    before = (DATA, LATENCY_TABLE, SUPERNET)
    if compare is None:
        directory = run_some((*before, SEARCH), settings, progress=progress_bar, say=print)
        context = open_run(directory, progress=progress_bar, say=print)
        _print_front(context.directory.read_json(SEARCH_FILE))
        return
    directory = run_some(before, settings, progress=progress_bar, say=print)
    context = open_run(directory, progress=progress_bar, say=print)
    names = [name.strip() for name in compare.split(",") if name.strip()]
    document = compare_strategies(context, names, seeds=seeds)
    shown = [count for count in (25, 50, 100, 200, 400, 800) if count <= settings.search.evaluations]
    rows = []
    for name, curve in document["strategies"].items():
        values = [
            f"{curve['median'][count - 1]:.4f} ({curve['low'][count - 1]:.4f} to {curve['high'][count - 1]:.4f})"
            if count <= len(curve["median"])
            else ""
            for count in shown
        ]
        rows.append((name, *values))
    title = f"hypervolume, median and quartiles of {seeds} seeds, after so many distinct networks"
    print_table(("strategy", *(str(count) for count in shown)), rows, title=title)
    print(f"stored in {directory / COMPARISON_FILE}; plot: {directory / PLOT_FILE}")


def _print_front(document: dict) -> None:  # type: ignore[type-arg]
    rows = []
    for index in document["front"]:
        entry = document["evaluations"][index]
        metrics = entry["metrics"]
        rows.append(
            (
                entry["digest"][:10],
                f"{100 * metrics['accuracy']['value']:.2f} %",
                f"{metrics['latency_ms']['value']:.4f}",
                f"{metrics['macs']['value']:,.0f}",
                f"{metrics['params']['value']:,.0f}",
            )
        )
    columns = ("network", "inherited accuracy", "predicted, ms", "MACs", "params")
    print_table(columns, rows, title=f"front of {document['judged']} networks judged by {document['strategy']}")
