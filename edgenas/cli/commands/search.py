"""`edgenas search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import edgenas as en
from edgenas.cli.commands.configuration import Overrides
from edgenas.cli.console import print_table

if TYPE_CHECKING:
    from edgenas.config.settings import RunSettings

_SHOWN = (25, 50, 100, 200, 400, 800)


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
    texts = list(overrides or []) + ([f"search.strategy={strategy}"] if strategy else [])
    settings = en.load_config(configuration, texts)
    folder = Path(settings.output) / settings.name
    if compare is not None:
        _compare([name.strip() for name in compare.split(",") if name.strip()], settings, folder, seeds)
        return
    found = en.search(config=settings, folder=folder)
    rows = [
        (
            entry.architecture.digest[:10],
            entry.judged,
            f"{entry.latency_ms:.4f}",
            f"{entry.macs:,}",
            f"{entry.params:,}",
        )
        for entry in found.front
    ]
    columns = ("network", "accuracy or score", "predicted, ms", "MACs", "params")
    print_table(columns, rows, title=f"front of {len(found.evaluations)} networks judged by {found.strategy}")


def _compare(names: list[str], settings: RunSettings, folder: Path, seeds: int) -> None:
    from edgenas.api.search import COMPARISON_FILE, PLOT_FILE

    document = en.compare_strategies(names, config=settings, folder=folder, seeds=seeds)
    shown = [count for count in _SHOWN if count <= settings.search.evaluations]
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
    print(f"stored in {folder / COMPARISON_FILE}; plot: {folder / PLOT_FILE}")
