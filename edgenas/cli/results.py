"""What several commands print: the end of a run, a card, a prediction."""

from __future__ import annotations

import edgenas as en
from edgenas.cli.console import print_table


def print_summary(result: en.Run) -> None:
    """Print what was found and where everything lies.

    Args:
        result: Of the run.
    """
    summary = result.summary
    rows: list[tuple[object, ...]] = [("torch", f"{100 * summary['accuracy']:.2f} %", "", "", "")]
    for name, entry in summary["files"].items():
        if entry["accuracy"] is None:
            rows.append((name, "not judged here", "", "", f"{entry['bytes'] / 1024:,.1f}"))
            continue
        rows.append(
            (
                name,
                f"{100 * entry['accuracy']:.2f} %",
                f"{100 * entry['top1_agreement']:.2f} %",
                f"{entry['latency_ms']:.4f}",
                f"{entry['bytes'] / 1024:,.1f}",
            )
        )
    print_table(("file", "test accuracy", "agrees with torch", "latency, ms", "KiB"), rows)
    print(f"network   {summary['notation']}")
    if summary["budget_ms"] is not None:
        used = 100 * summary["latency_ms"] / summary["budget_ms"]
        takes = f"{summary['target_file']} takes {summary['latency_ms']:.4f} ms, {used:.0f} % of it"
        print(f"budget    {summary['budget_ms']:.4f} ms; {takes}")
    print(f"searched  {summary['evaluations']} networks, {summary['front_size']} on the front")
    for warning in summary["warnings"]:
        print(f"warning   {warning}")
    print(f"report    {result.report}")
    print(f"files     {result.path / 'export'}")
    if result.unchanged:
        print(f"nothing had to be done: no input has changed ({result.seconds:.1f} s)")
    else:
        print(f"took      {result.seconds:.0f} s, {summary['peak_memory_mib']:.0f} MiB at most")


def print_prediction(architecture: en.Architecture, file: str, *, interpolate: bool = False) -> None:
    """Print what a table predicts for a network.

    Args:
        architecture: The network.
        file: The table.
        interpolate: Estimate what it lacks.
    """
    table = en.load_table(file)
    found = en.predict_latency(architecture, table, interpolate=interpolate)
    rows = [
        (
            layer.name,
            layer.key,
            f"{layer.latency_ms:.4f}",
            f"{layer.error_ms:.4f}",
            "estimated" if layer.interpolated else "",
        )
        for layer in found.layers
    ]
    print_table(("layer", "operation", "ms", "+-", ""), rows)
    print(f"overhead  {found.overhead_ms:.4f} ms")
    print(
        f"latency   {found.latency_ms:.4f} ms, {100 * found.level:.0f} % interval {found.low_ms:.4f} to "
        f"{found.high_ms:.4f} (predicted; {table.runtime.slug} on {table.device.cpu})"
    )
    print(f"moment    {found.at or 'not known'}: `edgenas latency check` says what the clock makes of it now")
    for line in table.faults:
        print(f"WARNING: {line}")
    if found.interpolated:
        print(f"{len(found.interpolated)} operations are not in the table and were estimated from similar ones")
