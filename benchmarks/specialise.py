"""One trained supernet, three devices: each target's winner measured on all three, without training.

    python benchmarks/specialise.py RUN --out DIR --json OUT [--budget-share 0.5] [--force]

ONNX Runtime fp32, ONNX Runtime int8 and LiteRT int8 of this machine stand for three devices. A table of each is
measured in DIR (and kept), each gets its own budget, the share of the latency of the space's largest network there,
and the three winners are measured alternately on all three. Where the best network of a device is not its own winner,
the last lines say so. `inherited` is the accuracy that the search saw (validation images, float weights); `file, test`
that of the exported file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from edgenas.cli.console import print_table, progress_bar
from edgenas.config.settings import TargetSection
from edgenas.pipeline.device_tables import device_table
from edgenas.pipeline.latencies import measured_networks
from edgenas.pipeline.reopen import open_run
from edgenas.pipeline.specialising import specialise

DEVICES = (("ort", "fp32"), ("ort", "int8"), ("litert", "int8"))


def main() -> None:
    """Specialise for each device, measure every winner on every device, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--budget-share", type=float, default=0.5)
    parser.add_argument("--force", action="store_true", help="measure on a busy machine")
    arguments = parser.parse_args()
    source = open_run(arguments.run, progress=progress_bar, say=print)
    winners = {}
    for runtime, precision in DEVICES:
        folder = arguments.out / f"{runtime}-{precision}"
        table = device_table(source, folder, table=None, runtime=runtime, precision=precision, force=arguments.force)
        target = TargetSection(budget_share=arguments.budget_share)
        winners[f"{runtime} {precision}"] = specialise(source, table, target, folder, force=True)
    measured = measure_everywhere({name: found.architecture for name, found in winners.items()})
    rows = [
        (
            name,
            found.architecture.digest[:8],
            f"{100 * found.found.accuracy:.1f} %",
            f"{100 * found.file_accuracy:.1f} %",
            f"{found.budget_ms:.4f}",
            *(f"{value:.4f}" for value in measured[name].values()),
            f"{found.seconds:.0f}",
        )
        for name, found in winners.items()
    ]
    columns = ("winner of", "network", "inherited", "file, test", "budget, ms", *winners, "seconds")
    print_table(columns, rows, title="latency in ms on each device")
    for name, found in winners.items():
        within = [
            (other.found.accuracy, rival)
            for rival, other in winners.items()
            if measured[rival][name] <= found.budget_ms
        ]
        best = max(within, default=(np.nan, "none"))
        own = best[0] == found.found.accuracy
        verdict = "its own winner is the best of them" if own else f"{best[1]}'s is better"
        print(f"on {name}: {len(within)} of {len(winners)} winners are within its budget; {verdict}")
    document = {name: {**found.to_dict(), "measured_ms_on": measured[name]} for name, found in winners.items()}
    arguments.json.write_text(json.dumps({"run": str(arguments.run), "winners": document}, indent=1) + "\n")


def measure_everywhere(networks: dict) -> dict[str, dict[str, float]]:
    """Measure networks on every device, alternately within each; milliseconds by network and device."""
    found: dict[str, dict[str, float]] = {name: {} for name in networks}
    for runtime, precision in DEVICES:
        measured = measured_networks(list(networks.values()), runtime=runtime, precision=precision)
        for name, latency in zip(networks, measured, strict=True):
            found[name][f"{runtime} {precision}"] = latency.latency_ms
    return found


if __name__ == "__main__":
    main()
