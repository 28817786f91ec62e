"""The short table at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.cli.console import print_table

if TYPE_CHECKING:
    from edgenas.api.runs import Run


def print_summary(result: Run) -> None:
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
        print(f"budget    {summary['budget_ms']:.4f} ms; {summary['target_file']} takes {summary['latency_ms']:.4f} ms")
    print(f"searched  {summary['evaluations']} networks, {summary['front_size']} on the front")
    for warning in summary["warnings"]:
        print(f"warning   {warning}")
    print(f"report    {result.report}")
    print(f"files     {result.path / 'export'}")
    if result.unchanged:
        print(f"nothing had to be done: no input has changed ({result.seconds:.1f} s)")
    else:
        print(f"took      {result.seconds:.0f} s, {summary['peak_memory_mib']:.0f} MiB at most")
