"""`edgenas latency build|validate|check|predict|list`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import edgenas as en
from edgenas.cli.console import print_table
from edgenas.cli.results import print_prediction

Table = Annotated[str, typer.Argument(help="A table file, or the name of a shipped one (see `latency list`).")]
SpaceOption = Annotated[str | None, typer.Option(help="The space, where the table's own is no preset.")]
Force = Annotated[bool, typer.Option("--force", help="Measure on a busy machine too.")]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device", help='Command that runs a shell line on the device, such as "ssh user@host"; here if left out.'
    ),
]
DevicePython = Annotated[str, typer.Option(help="Python on that device, with numpy and the runtime.")]
DeviceName = Annotated[
    str, typer.Option(help="Name of that device where it does not say which processor it has, else of its board.")
]
DeviceCpus = Annotated[
    str, typer.Option(help="Its processors to measure on: big (the most powerful kind), all, or numbers such as 4,5.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    latency = typer.Typer(help="Build, validate and use latency tables.", no_args_is_help=True)
    for command in (build, validate, check, predict):
        latency.command(command.__name__)(command)
    latency.command("list")(list_all)
    app.add_typer(latency, name="latency")


def build(
    space: Annotated[str, typer.Option(help="A preset or a YAML file.")],
    out: Annotated[Path, typer.Option(help="Where to write the table.")],
    runtime: Annotated[str, typer.Option(help="ONNX Runtime or LiteRT.")] = "ort",
    precision: Annotated[Literal["fp32", "fp16", "int8"], typer.Option()] = "fp32",
    threads: Annotated[int, typer.Option(min=1)] = 1,
    mode: Annotated[Literal["hot", "cold"], typer.Option(help="Back-to-back runs, or alternated.")] = "hot",
    networks: Annotated[int, typer.Option(min=4, help="Networks to measure.")] = 100,
    seconds: Annotated[
        float, typer.Option(min=0, help="Further visits begin within this time, while measurements repeat badly.")
    ] = 60.0,
    resolution: Annotated[list[int] | None, typer.Option(min=1, help="Replace the space's; repeatable.")] = None,
    classes: Annotated[int | None, typer.Option(min=2, help="Replace the space's.")] = None,
    channels: Annotated[int | None, typer.Option(min=1, max=3, help="Channels of the images.")] = None,
    scheme: Annotated[str, typer.Option(help="int8 scheme of the writer; its default if left out.")] = "",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    force: Force = False,
    device: DeviceOption = None,
    device_python: DevicePython = "python3",
    device_name: DeviceName = "",
    device_cpus: DeviceCpus = "big",
) -> None:
    """Measure a table of a space, here or on a device; the same command goes on where it was stopped."""
    chosen = en.load_space(space, classes=classes, channels=channels, resolutions=resolution)
    table = en.measure_table(
        chosen, runtime=runtime, precision=precision, threads=threads, mode=mode, scheme=scheme, networks=networks,
        seconds=seconds, seed=seed, out=out, force=force, device=device, device_python=device_python,
        device_name=device_name, device_cpus=_cpus(device_cpus),
    )  # fmt: skip
    print(f"{len(table.entries)} entries from {table.build.networks} networks in {table.build.seconds:.0f} s: {out}")
    print(f"expected 90 % interval: +-{100 * table.interval.relative:.1f} % (cross-validated)")
    print(f"measured from {table.build.begun} to {table.build.ended}; predictions speak of the end of that")
    print(f"a network that computes nothing takes {1000 * (table.build.floor_ms or 0.0):.1f} us of every latency")
    for record in table.build.settling:
        print(
            f"after other networks ran, the first run of the {record.network} network ({record.latency_ms:.3g} ms) "
            f"takes {record.first_percent:+.0f} %; {record.samples} samples of each turn do not count"
        )
    _print_warnings(table)
    there = f" --device {device!r}" if device else ""
    print(f"check it on held-out networks: edgenas latency validate {out}{there}")


def validate(
    file: Table,
    networks: Annotated[int, typer.Option(min=1, help="Held-out networks to measure.")] = 80,
    space: SpaceOption = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    plot: Annotated[Path | None, typer.Option(help="PNG; beside the table if left out.")] = None,
    force: Force = False,
    device: DeviceOption = None,
    device_python: DevicePython = "python3",
    device_name: DeviceName = "",
    device_cpus: DeviceCpus = "big",
) -> None:
    """Measure held-out networks, print the error, and store it in the table."""
    from edgenas.report.latency_plot import plot_validation

    table = en.validate_table(
        file, networks=networks, space=space, seed=seed, force=force, device=device, device_python=device_python,
        device_name=device_name, device_cpus=_cpus(device_cpus),
    )  # fmt: skip
    picture = plot or Path(file).with_suffix(".png")
    plot_validation(table, picture)
    _print_validation(table)
    _print_warnings(table)
    print(f"stored in {file}; plot: {picture}")


def check(
    file: Table,
    device: DeviceOption = None,
    device_python: DevicePython = "python3",
    device_name: DeviceName = "",
    device_cpus: DeviceCpus = "big",
) -> None:
    """Say in seconds whether a table is still true on this machine, or on a device."""
    found = en.check_table(
        file, device=device, device_python=device_python, device_name=device_name, device_cpus=_cpus(device_cpus)
    )
    if found.differences:
        print(f"not for {'that device' if device else 'this machine'}: " + "; ".join(found.differences))
        raise SystemExit(1)
    print(
        f"same kind of device, same runtime; at {found.at} the reference network runs at "
        f"{1 + found.reference_drift:.3f} +- {found.reference_error:.3f} of its time at "
        f"{en.load_table(file).reference.at or 'the build'}"
    )
    print("probe networks relative to it: " + ", ".join(f"{100 * change:+.1f} %" for change in found.probe_changes))
    for line in found.doubts:
        print(line)
    print("the table holds here" if found.passed else "the table does NOT hold here: build another")
    raise SystemExit(0 if found.passed else 1)


def predict(
    file: Table,
    architecture: Annotated[str, typer.Argument(help="A name of the zoo, a file, or a notation.")],
    interpolate: Annotated[bool, typer.Option("--interpolate", help="Estimate what the table lacks, marked.")] = False,
) -> None:
    """Predict the latency of a network, with its interval, in all and by layer."""
    print_prediction(en.load_network(architecture), file, interpolate=interpolate)


def list_all(
    folder: Annotated[list[Path] | None, typer.Argument(help="Folders of your own tables.")] = None,
) -> None:
    """List the shipped tables and those in your folders, with their errors and dates."""
    from edgenas.resources import resource_folder

    shipped = resource_folder("latency_tables")
    rows: list[tuple[object, ...]] = []
    for found in en.list_tables(folder or []):
        name = found.path.relative_to(shipped) if found.shipped and shipped else found.path
        if found.table is None:
            rows.append((name, "broken", found.problem, "", "", ""))
            continue
        table, checked = found.table, found.table.validation
        error = f"{checked.mape_percent:.2f} %" if checked else "not validated"
        error += " (!)" if table.build.warnings or table.faults else ""
        within = f"{checked.within_5_percent:.0f} %" if checked else ""
        rows.append((name, table.build.space, len(table.entries), error, within, table.build.date))
    print_table(("table", "space", "entries", "mean error", "within 5 %", "date"), rows)


def _cpus(text: str) -> Literal["big", "all"] | list[int]:
    """Read `--device-cpus`."""
    if text == "big":
        return "big"
    if text == "all":
        return "all"
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"got {text!r}; allowed: big, all, or numbers such as 4,5")
    return [int(part) for part in parts]


def _print_warnings(table: en.LatencyTable) -> None:
    for line in (*table.build.warnings, *table.faults):
        print(f"WARNING: {line}")


def _known(percent: float | None) -> str:
    return "not known, since no network was measured twice" if percent is None else f"{percent:.2f} %"


def _print_validation(table: en.LatencyTable) -> None:
    checked = table.validation
    assert checked is not None
    rows = [
        ("networks", f"{checked.networks}"),
        ("mean absolute error", f"{checked.mape_percent:.2f} %"),
        ("median, worst", f"{checked.median_percent:.2f} %, {checked.worst_percent:.2f} %"),
        ("within 5 %", f"{checked.within_5_percent:.1f} %"),
        ("within 10 %", f"{checked.within_10_percent:.1f} %"),
        ("Kendall tau", f"{checked.kendall_tau:.3f}"),
        ("inside the 90 % interval", f"{checked.interval_coverage_percent:.1f} %"),
        ("drift of the reference", f"{checked.reference_drift_percent:+.1f} %"),
        ("error of the measured", f"{_known(checked.measured_error_percent)} ({checked.visits:.1f} visits)"),
    ]
    print_table(("held-out networks", ""), rows)
    loops = checked.loops
    if loops is None:
        return
    rows = [
        ("networks, processes each", f"{loops.networks}, {loops.processes}"),
        ("bias of predictions", f"{loops.bias_percent:+.2f} +- {loops.bias_error_percent:.2f} %"),
        ("mean absolute error", f"{loops.mape_percent:.2f} %"),
        ("inside the 90 % interval, bias aside", f"{loops.coverage_percent:.0f} %"),
        ("of it by the protocol", f"{loops.protocol_percent:+.2f} %"),
        ("90 % interval with the bias", f"+-{100 * table.interval.relative:.1f} %"),
    ]
    print_table((f"loops in fresh processes, {loops.at}", ""), rows)
