"""`edgenas scale`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgenas.cli.configuration import Overrides, find_configuration
from edgenas.cli.console import print_table, progress_bar
from edgenas.cli.quantities import milliseconds

if TYPE_CHECKING:
    from edgenas.arch import Architecture


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
    runtime: Annotated[Literal["ort", "litert"], typer.Option()] = "ort",
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
    from edgenas.cli.networks import find_architecture
    from edgenas.errors import InputError, explain

    architecture = find_architecture(network)
    if fit is not None:
        if phi is not None or targets is not None:
            raise InputError(explain("--fit finds the growths", remedy="Give --phi or --targets in a second command."))
        _fit(architecture, fit, by, step, out, overrides or [])
        return
    if (phi is None) == (targets is None):
        raise InputError(explain("scale needs --phi or --targets, and not both", got=f"phi {phi}, targets {targets}"))
    if phi is not None:
        members = _by_phi(architecture, phi, (alpha, beta, gamma), memory_mib)
    else:
        assert targets is not None
        members = _by_latency(architecture, targets, (alpha, beta, gamma), runtime, precision, threads)
    if out is not None:
        _write(members, out, recipe)


def _fit(
    architecture: Architecture,
    configuration: str,
    by: Literal["macs", "latency"],
    step: float,
    out: Path | None,
    overrides: list[str],
) -> None:
    from edgenas.config.load import load
    from edgenas.pipeline.commands.scale import RESULT_FILE, fit_coefficients, results_folder
    from edgenas.pipeline.core.context import RunContext
    from edgenas.pipeline.core.directory import RunDirectory

    folder = results_folder(out, by)
    settings = load(find_configuration(configuration), overrides)
    context = RunContext(settings, RunDirectory(path=folder), progress=progress_bar, say=print)
    rows = []
    for entry in fit_coefficients(context, architecture, by=by, step=step):
        point = entry.candidate.coefficients
        cells = (point.alpha, point.beta, point.gamma, entry.candidate.ratio)
        rows.append((*(f"{value:.2f}" for value in cells), entry.candidate.architecture.resolution,
                     *_counts(entry.candidate.architecture), f"{100 * entry.quality:.2f} %"))  # fmt: skip
    columns = ("alpha", "beta", "gamma", f"{by} at phi 1", "resolution", "MACs", "params", "validation accuracy")
    print_table(columns, rows)
    print(f"stored in {folder / RESULT_FILE}")


def _counts(architecture: Architecture) -> tuple[str, str]:
    from edgenas.arch import lower
    from edgenas.cost import macs, params

    graph = lower(architecture)
    return f"{macs(graph):,}", f"{params(graph):,}"


def _by_phi(
    architecture: Architecture, phis: list[float], growth: tuple[float, float, float], memory_mib: int
) -> dict[str, Architecture]:
    from edgenas.arch.zoo import EFFICIENTNET_SCALES, published
    from edgenas.scale import compound, scaled

    base = architecture.digest == published("efficientnet_b0").digest and growth == (1.2, 1.1, 1.15)
    members, rows = {}, []
    for phi in phis:
        if base and phi in EFFICIENTNET_SCALES:
            # The published family is a table, not exact powers.
            width, depth, resolution = EFFICIENTNET_SCALES[int(phi)]
            member = scaled(
                architecture, width=width, depth=depth, resolution=resolution, memory_limit_bytes=memory_mib * 2**20
            )
        else:
            member = compound(
                architecture,
                alpha=growth[0],
                beta=growth[1],
                gamma=growth[2],
                phi=phi,
                memory_limit_bytes=memory_mib * 2**20,
            )
        members[f"phi{phi:g}"] = member
        rows.append((f"{phi:g}", member.resolution, sum(1 for _ in member.blocks()), *_counts(member)))
    print_table(("phi", "resolution", "blocks", "MACs", "params"), rows)
    if base:
        print("EfficientNet-B0 with the published coefficients: whole phi from 0 to 7 are B0 to B7 as published")
    return members


def _by_latency(
    architecture: Architecture,
    targets: str,
    growth: tuple[float, float, float],
    runtime: Literal["ort", "litert"],
    precision: Literal["fp32", "int8"],
    threads: int,
) -> dict[str, Architecture]:
    from edgenas.pipeline.core.device_latency import measured_latency
    from edgenas.scale import Coefficients, family

    with progress_bar("find members") as report:
        found = family(
            architecture,
            Coefficients(alpha=growth[0], beta=growth[1], gamma=growth[2]),
            [milliseconds(part) for part in targets.split(",")],
            lambda member: measured_latency(member, runtime=runtime, precision=precision, threads=threads),
            progress=report,
        )
    rows = [
        (
            f"{member.target_ms:g}",
            f"{member.latency_ms:.4f}",
            f"{100 * member.latency_ms / member.target_ms:.1f} %",
            member.architecture.resolution,
            sum(1 for _ in member.architecture.blocks()),
            *_counts(member.architecture),
        )
        for member in found
    ]
    print_table(("target, ms", "measured, ms", "share", "resolution", "blocks", "MACs", "params"), rows)
    return {f"{member.target_ms:g}ms": member.architecture for member in found}


def _write(members: dict[str, Architecture], out: Path, recipe: str | None) -> None:
    from edgenas.arch.document import to_document
    from edgenas.pipeline.commands.export import export_untrained
    from edgenas.pipeline.core.directory import RunDirectory

    for name, member in members.items():
        RunDirectory(path=out).write_json(f"{name}.json", to_document(member))
        if recipe is not None:
            export_untrained(member, recipe, out / name, force=False)
    print(f"{len(members)} members in {out}")
