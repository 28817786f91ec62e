"""`edgenas scale`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

import edgenas as en
from edgenas.cli.commands.configuration import Overrides
from edgenas.cli.console import print_table
from edgenas.cli.quantities import milliseconds


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("scale")(scale)


def scale(
    network: Annotated[str, typer.Argument(help="A name of the zoo, a file, a run directory, or a notation.")],
    phi: Annotated[list[float] | None, typer.Option(help="How far; repeatable. Negative makes it smaller.")] = None,
    targets: Annotated[str | None, typer.Option(help="Latencies on this device, such as 1ms,2ms,5ms.")] = None,
    alpha: Annotated[float, typer.Option(min=1.0, help="Growth of depth.")] = 1.2,
    beta: Annotated[float, typer.Option(min=1.0, help="Growth of width.")] = 1.1,
    gamma: Annotated[float, typer.Option(min=1.0, help="Growth of resolution.")] = 1.15,
    runtime: Annotated[str, typer.Option()] = "ort",
    precision: Annotated[Literal["fp32", "int8"], typer.Option()] = "fp32",
    threads: Annotated[int, typer.Option(min=1)] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for the members' JSON documents.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Also write each member's files, untrained.")] = None,
    memory_mib: Annotated[int, typer.Option(min=1, help="Refuse members that need more.")] = 4096,
    fit: Annotated[str | None, typer.Option(help="Find the growths instead, on this configuration's images.")] = None,
    by: Annotated[Literal["macs", "latency"], typer.Option(help="What doubles at phi = 1 when fitting.")] = "macs",
    step: Annotated[float, typer.Option(help="Of the grid when fitting.")] = 0.2,
    overrides: Overrides = None,
) -> None:
    """Make a family of a network: by phi (compound scaling), or one member for each latency on this device.

    With --fit: train every point of a grid of growths at phi = 1 and print them, best first.
    """
    from edgenas.errors import InputError, explain

    architecture = en.load_network(network)
    if fit is not None:
        if phi is not None or targets is not None:
            raise InputError(explain("--fit finds the growths", remedy="Give --phi or --targets in a second command."))
        _fit(architecture, fit, by, step, out, overrides or [])
        return
    members = en.scale(
        architecture, phi=phi, targets_ms=None if targets is None else [milliseconds(part) for part in
        targets.split(",")], alpha=alpha, beta=beta, gamma=gamma, runtime=runtime, precision=precision,
        threads=threads, memory_mib=memory_mib,
    )  # fmt: skip
    if phi is not None:
        _print_by_phi(architecture, members, (alpha, beta, gamma))
    else:
        _print_by_latency(members)
    if out is not None:
        _write(members, out, recipe)


def _fit(
    architecture: en.Architecture,
    configuration: str,
    by: Literal["macs", "latency"],
    step: float,
    out: Path | None,
    overrides: list[str],
) -> None:
    from edgenas.api.reuse.scale import FIT_FILE, fit_folder

    folder = fit_folder(out, by)
    rows = []
    settings = en.load_config(configuration, overrides)
    for entry in en.fit_scaling(architecture, settings, by=by, step=step, folder=folder):
        point = entry.candidate.coefficients
        cells = (point.alpha, point.beta, point.gamma, entry.candidate.ratio)
        rows.append((*(f"{value:.2f}" for value in cells), entry.candidate.architecture.resolution,
                     *_counts(entry.candidate.architecture), f"{100 * entry.quality:.2f} %"))  # fmt: skip
    columns = ("alpha", "beta", "gamma", f"{by} at phi 1", "resolution", "MACs", "params", "validation accuracy")
    print_table(columns, rows)
    print(f"stored in {folder / FIT_FILE}")


def _counts(architecture: en.Architecture) -> tuple[str, str]:
    counts = en.count(architecture)
    return f"{counts.macs:,}", f"{counts.params:,}"


def _sizes(architecture: en.Architecture) -> tuple[object, ...]:
    return architecture.resolution, sum(1 for _ in architecture.blocks()), *_counts(architecture)


def _print_by_phi(
    architecture: en.Architecture, members: Sequence[en.ScaledNetwork], growth: tuple[float, float, float]
) -> None:
    from edgenas.api.reuse.scale import is_published_family

    rows = [(f"{member.phi:g}", *_sizes(member.architecture)) for member in members]
    print_table(("phi", "resolution", "blocks", "MACs", "params"), rows)
    if is_published_family(architecture, growth):
        print("EfficientNet-B0 with the published coefficients: whole phi from 0 to 7 are B0 to B7 as published")


def _print_by_latency(members: Sequence[en.ScaledNetwork]) -> None:
    rows = []
    for member in members:
        assert member.latency_ms is not None and member.target_ms is not None
        share = f"{100 * member.latency_ms / member.target_ms:.1f} %"
        rows.append((f"{member.target_ms:g}", f"{member.latency_ms:.4f}", share, *_sizes(member.architecture)))
    print_table(("target, ms", "measured, ms", "share", "resolution", "blocks", "MACs", "params"), rows)


def _write(members: Sequence[en.ScaledNetwork], out: Path, recipe: str | None) -> None:
    for member in members:
        member.write(out)
        if recipe is not None:
            en.export_untrained(member.architecture, out / member.name, recipe=recipe)
    print(f"{len(members)} members in {out}")
