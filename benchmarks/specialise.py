"""One trained supernet, three devices: each target's winner measured on all three, without training.

    python benchmarks/specialise.py RUN --out DIR --json OUT [--budget-share 0.5] [--force]

ONNX Runtime fp32, ONNX Runtime int8 and LiteRT int8 of this machine stand for three devices. A table of each is
measured in DIR (and kept), each gets its own budget, the share of the latency of the space's largest network there,
and the three winners are measured alternately on all three. Networks judged for one device are known on the others.
The last lines say whether each device's own winner is the best of those within its budget. `inherited` is the accuracy
that the search saw (validation images, float weights); `file, test` that of the exported file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from edgenas.cli.console import print_table
from edgenas.config.sections.target import TargetSection
from edgenas.display import progress_bar
from edgenas.pipeline.commands.specialise.command import specialise
from edgenas.pipeline.commands.specialise.device_table import device_table
from edgenas.pipeline.commands.specialise.result import Specialised
from edgenas.pipeline.core.device_latency import measured_networks
from edgenas.pipeline.core.open_run import open_run

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
    folders = {f"{runtime} {precision}": arguments.out / f"{runtime}-{precision}" for runtime, precision in DEVICES}
    target, tables, first = TargetSection(budget_share=arguments.budget_share), {}, {}
    for (name, folder), (runtime, precision) in zip(folders.items(), DEVICES, strict=True):
        tables[name] = device_table(
            source, folder, table=None, runtime=runtime, precision=precision, force=arguments.force
        )
        first[name] = specialise(source, tables[name], target, folder, force=True)
    # What was judged for one device is known on all: without that, chance decides which search met the best network.
    winners = {
        name: specialise(source, table, target, arguments.out / "second" / folders[name].name, evaluations=8,
                         also=list(folders.values()), force=True)
        for name, table in tables.items()
    }  # fmt: skip
    measured = measure_everywhere({name: found.architecture for name, found in winners.items()})
    images = source.directory.read_json("data.json")["counts"]["validation"]
    rows = [
        (
            name,
            found.architecture.digest[:8],
            f"{100 * found.found.accuracy:.1f} %",
            f"{100 * found.file_accuracy:.1f} %",
            f"{found.budget_ms:.4f}",
            *(f"{value:.4f}" for value in measured[name].values()),
            f"{first[name].seconds:.0f}",
        )
        for name, found in winners.items()
    ]
    columns = ("winner of", "network", "inherited", "file, test", "budget, ms", *winners, "seconds")
    print_table(columns, rows, title="latency in ms on each device")
    for name in winners:
        print(f"on {name}: {verdict(name, winners, measured, images)}")
    document = {
        name: {**{key: value for key, value in found.to_dict().items() if key not in ("networks", "architecture")},
               "seconds_alone": first[name].seconds, "measured_ms_on": measured[name]}
        for name, found in winners.items()
    }  # fmt: skip
    facts = {"budget_share": arguments.budget_share, "validation_images": images}
    arguments.json.write_text(json.dumps({**facts, "winners": document}, indent=1) + "\n")


def verdict(
    name: str, winners: dict[str, Specialised], measured: dict[str, dict[str, float]], images: int
) -> str:
    """Say whether a device's own winner is the best of those within its budget, and by how much."""
    own = winners[name]
    if len({found.architecture.digest for found in winners.values()}) == 1:
        return "the winners are one network"
    rivals = {
        rival: found.found.accuracy for rival, found in winners.items()
        if found.architecture.digest != own.architecture.digest and measured[rival][name] <= own.budget_ms
    }  # fmt: skip
    if not rivals:
        return "no other winner is within its budget"
    best = max(rivals, key=lambda rival: rivals[rival])
    gap = 100 * (own.found.accuracy - rivals[best])
    error = 100 * float(np.sqrt(own.found.accuracy * (1 - own.found.accuracy) / images))
    return f"{gap:+.1f} points over the best other winner within its budget ({best}'s); standard error {error:.1f}"


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
