"""`edgenas specialise`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import edgenas as en
from edgenas.cli.console import print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("specialise")(specialise)


def specialise(
    run: Annotated[Path, typer.Argument(help="A finished run; it stays as it is.")],
    budget: Annotated[str, typer.Option(help="Latency such as 3ms, or a share of the largest network such as 50%.")],
    table: Annotated[str | None, typer.Option(help="The other device's table; measured here if left out.")] = None,
    runtime: Annotated[str | None, typer.Option(help="Of the table; ort where one is measured here.")] = None,
    precision: Annotated[
        Literal["fp32", "int8"] | None, typer.Option(help="Of the table; fp32 where one is measured here.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the table; those of the run if left out.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; RUN-RUNTIME-PRECISION beside the run if left out.")] = None,
    evaluations: Annotated[int, typer.Option(min=1, help="Networks to judge.")] = 200,
    measure: Annotated[int, typer.Option(min=1, help="Networks to measure before one is exported.")] = 8,
    also: Annotated[
        list[Path] | None, typer.Option(help="Folder of a specialisation for another device, to know its networks too.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an export; measure on a busy machine.")] = False,
) -> None:
    """Take a run's trained supernet to another device: search on its table, export and measure; nothing is trained."""
    from edgenas.api.reuse.specialise import specialised_folder
    from edgenas.cli.quantities import budget as read_budget

    budget_ms, share = read_budget(budget)
    folder = specialised_folder(run, out, table or f"{runtime or 'ort'}-{precision or 'fp32'}")
    found = en.specialise(
        run, budget_ms=budget_ms, budget_share=share, table=table, runtime=runtime, precision=precision,
        threads=threads, evaluations=evaluations, measure=measure, also=also or [], folder=folder, force=force,
    )  # fmt: skip
    print_table(
        ("file", "test accuracy", "latency, ms", "predicted, ms", "budget, ms", "network"),
        [
            (
                found.file,
                f"{100 * found.file_accuracy:.2f} %",
                "not here" if found.file_latency_ms is None else f"{found.file_latency_ms:.4f}",
                f"{found.found.predicted_ms:.4f}",
                f"{found.budget_ms:.4f}",
                found.architecture.digest[:10],
            )
        ],
    )
    for note in found.notes:
        print(f"note      {note}")
    others = f", {found.from_others} from other devices" if found.from_others else ""
    print(f"{found.from_run} networks known from the run{others}, {len(found.judged)} judged now")
    print(f"{found.seconds:.1f} s, nothing was trained")
    print(f"bundle    {folder / 'export'}")
