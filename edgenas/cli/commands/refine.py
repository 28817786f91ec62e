"""`edgenas refine`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import edgenas as en
from edgenas.cli.commands.configuration import Overrides
from edgenas.cli.console import print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("refine")(refine)


def refine(
    source: Annotated[Path, typer.Argument(help="A run directory or a checkpoint; it stays as it is.")],
    to_share: Annotated[float | None, typer.Option(help="Wanted share of its measured latency, such as 0.7.")] = None,
    budget_ms: Annotated[float | None, typer.Option(help="Or: wanted latency, ms.")] = None,
    data: Annotated[str | None, typer.Option(help="For a checkpoint: the configuration of its images.")] = None,
    table: Annotated[str | None, typer.Option(help="Latency table; the run's own if left out.")] = None,
    step_share: Annotated[float, typer.Option(help="What each step saves at least.")] = 0.05,
    short_steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of each proposal.")] = 40,
    out: Annotated[Path | None, typer.Option(help="Folder; beside the source if left out.")] = None,
    overrides: Overrides = None,
) -> None:
    """Narrow a trained network step by step to a latency budget (NetAdapt), its weights carried over."""
    found = en.refine(
        source, to_share=to_share, budget_ms=budget_ms, table=table, step_share=step_share, short_steps=short_steps,
        folder=out, config=data, overrides=overrides or [],
    )  # fmt: skip
    print_table(
        ("network", "latency, ms", "validation accuracy"),
        [
            ("before", f"{found.seed_ms:.4f}", f"{100 * found.seed_accuracy:.2f} %"),
            ("refined", f"{found.latency_ms:.4f}", f"{100 * found.accuracy:.2f} %"),
        ],
    )
    print(
        f"{len(found.steps)} steps; {100 * found.measured_share:.1f} +- {100 * found.share_error:.1f} % of the latency"
        f", wanted {100 * found.goal_share:.1f} %; test accuracy {100 * found.test_accuracy:.2f} %"
    )
    print(f"checkpoint {found.checkpoint}")
