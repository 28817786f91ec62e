"""`edgenas refine`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgenas.cli.configuration import Overrides, find_configuration
from edgenas.cli.console import print_table, progress_bar


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
    from edgenas.config.load import apply_overrides, load, validate
    from edgenas.errors import InputError, explain
    from edgenas.latency import open_table
    from edgenas.pipeline.commands.refine.result import Plan
    from edgenas.pipeline.commands.refine.walk import refine
    from edgenas.pipeline.core.context import RunContext
    from edgenas.pipeline.core.directory import RunDirectory
    from edgenas.pipeline.core.open_run import open_run

    plan = Plan(share=to_share, budget_ms=budget_ms, step_share=step_share, short_steps=short_steps)
    run = source if source.is_dir() else source.parent
    checkpoint = source / "model.safetensors" if source.is_dir() else source
    if data is not None:
        settings = load(find_configuration(data), overrides or [])
    elif (run / "settings.json").is_file():
        own = open_run(run, progress=progress_bar, say=print).settings
        settings = validate(apply_overrides(own.model_dump(), overrides or []), source=str(run / "settings.json"))
    else:
        raise InputError(explain(f"no images to train {source} with", remedy="Name a configuration: --data CONFIG."))
    kept = run / "latency" / "table.json"
    found_table = open_table(table) if table is not None else open_table(kept) if kept.is_file() else None
    if found_table is None:
        print("  no latency table: every proposal is measured")
    folder = out or source.resolve().with_name(f"{source.resolve().stem}-refined")
    context = RunContext(settings, RunDirectory(path=folder), progress=progress_bar, say=print)
    found = refine(context, checkpoint, plan, table=found_table)
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
