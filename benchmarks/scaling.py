"""Compound scaling by MACs and by measured latency: what each makes of a small network on your own images.

    python benchmarks/scaling.py --data DIR --json OUT --png OUT [--folder WORK] [--seeds 2]

DIR holds one folder of image files a class, or train/ and test/ folders of such folders. As `edgenas scale --fit` does,
the growths alpha, beta, gamma are found twice on the same grid: among the points that double the multiply-accumulates,
and among those that double the latency measured on this device; every point is trained the same way, and the most
accurate on validation images is taken. Both families are then made for phi from -1 to 2, every member trained from
scratch the same way with several seeds, and measured alternately in one visit. Printed and drawn is test accuracy
against measured latency.

Images are decoded once; everything is kept in WORK, and a run that was stopped is taken up. On 2,900 photographs it
takes 12 minutes on one core, of which measuring takes one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from photographs import decode

from edgenas.arch import Architecture, lower
from edgenas.arch.notation import format_notation, parse_notation
from edgenas.cli.console import print_table
from edgenas.config.load import validate
from edgenas.cost import macs, params
from edgenas.display import progress_bar
from edgenas.pipeline.commands.scale import RESULT_FILE, fit_coefficients
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.device_latency import measured_networks
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.training.network import train_afresh
from edgenas.scale import compound
from edgenas.train import evaluate

BASE = "r32 | stem_k3_s2_c16_hs | mb_k3_e2_c16_hs | mb_k3_s2_e3_c24_hs*2 | mb_k5_s2_e3_c40_hs*2 | head_c128_hs | n5"
PHIS = (-1, 0, 1, 2)
LARGEST = 96
Kind = Literal["macs", "latency"]
KINDS: tuple[Kind, ...] = ("macs", "latency")


def context_of(arguments: argparse.Namespace, name: str, *, seed: int = 0) -> RunContext:
    """A folder with the one recipe of all trainings."""
    settings = validate(
        {
            "name": name,
            "seed": seed,
            "threads": 1,
            "data": {"source": "npz", "path": str(arguments.folder / "images"), "resolution": 32},
            "train": {"epochs": arguments.epochs, "learning_rate": 0.004, "averaging_decay": 0.98,
                      "label_smoothing": 0.1, "augment": {"crop_padding": 3, "flip": True}},
        },
        source="benchmarks/scaling.py",
    )  # fmt: skip
    return RunContext(settings, RunDirectory(path=arguments.folder / name), progress=progress_bar, say=print)


def fitted(arguments: argparse.Namespace, by: Kind) -> dict[str, Any]:
    """The points of a grid, best first; trained points and a finished grid are read back."""
    context = context_of(arguments, f"fit-by-{by}")
    if not context.directory.has(RESULT_FILE):
        fit_coefficients(context, parse_notation(BASE), by=by, step=arguments.step)
    return context.directory.read_json(RESULT_FILE)


def members(base: Architecture, point: dict[str, Any]) -> dict[int, Architecture]:
    """The family of a point."""
    growth = {name: point[name] for name in ("alpha", "beta", "gamma")}
    return {phi: compound(base, **growth, phi=phi) for phi in PHIS}


def test_accuracies(arguments: argparse.Namespace, network: Architecture) -> list[float]:
    """Test accuracy of a network trained from scratch, for each seed."""
    found = []
    for seed in range(arguments.seeds):
        context = context_of(arguments, f"family-{seed}", seed=seed)
        kept = f"{network.digest[:16]}.json"
        if not context.directory.has(kept):
            with progress_bar(f"train {network.digest[:8]}, seed {seed}") as report:
                trained = train_afresh(
                    context, network, folder="trained", seed=context.seed("family"), report=report
                )
            accuracy = evaluate(trained.module, trained.data.test, trained.preprocessing, device="cpu").value
            context.directory.write_json(kept, {"test": accuracy})
        found.append(float(context.directory.read_json(kept)["test"]))
    return found


def rows_of(arguments: argparse.Namespace, fits: dict[Kind, dict[str, Any]]) -> list[dict[str, Any]]:
    """Train and measure both families."""
    base = parse_notation(fits["macs"]["base"])
    families = {by: members(base, found["points"][0]) for by, found in fits.items()}
    places = [(by, phi, network) for by, family in families.items() for phi, network in family.items()]
    accuracies = [test_accuracies(arguments, network) for _, _, network in places]
    measured = measured_networks([network for _, _, network in places])
    return [
        {
            "by": by,
            "phi": phi,
            "notation": format_notation(network),
            "resolution": network.resolution,
            "macs": macs(lower(network)),
            "params": params(lower(network)),
            "latency_ms": latency.latency_ms,
            "latency_error_ms": latency.standard_error_ms,
            "test_accuracies": found,
        }
        for (by, phi, network), found, latency in zip(places, accuracies, measured, strict=True)
    ]


def draw(rows: list[dict[str, Any]], fits: dict[Kind, dict[str, Any]], path: Path) -> None:
    """Draw test accuracy against measured latency, one line a family."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for by, colour, marker in (("macs", "#4477aa", "o"), ("latency", "#cc6677", "s")):
        own = [row for row in rows if row["by"] == by]
        means = [100 * float(np.mean(row["test_accuracies"])) for row in own]
        spread = [100 * np.ptp(row["test_accuracies"]) / 2 for row in own]
        point = fits[by]["points"][0]
        growth = ", ".join(f"{sign} {point[name]:.1f}" for sign, name in
                           (("α", "alpha"), ("β", "beta"), ("γ", "gamma")))  # fmt: skip
        name = "MACs" if by == "macs" else "measured latency"
        axes.errorbar([row["latency_ms"] for row in own], means, yerr=spread, color=colour, marker=marker, capsize=3,
                      label=f"by {name} ({growth})")  # fmt: skip
        for row, mean in zip(own, means, strict=True):
            below = by == "macs"
            axes.annotate(f"φ = {row['phi']}", (row["latency_ms"], mean), textcoords="offset points",
                          xytext=(7, -13) if below else (-7, 7), ha="left" if below else "right",
                          fontsize=8, color=colour)  # fmt: skip
    axes.set_xscale("log")
    axes.margins(x=0.1)
    ticks = sorted({float(f"{row['latency_ms']:.2g}") for row in rows})
    apart = [tick for place, tick in enumerate(ticks) if place == 0 or tick > 1.2 * ticks[place - 1]]
    axes.set_xticks(apart)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()
    axes.set_xlabel("measured latency, ms")
    axes.set_ylabel("test accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Fit, train and measure both families, print, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmark-scaling"))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--step", type=float, default=0.2)
    arguments = parser.parse_args()
    decode(arguments.data, arguments.folder / "images", resolution=LARGEST)
    fits = {by: fitted(arguments, by) for by in KINDS}
    for by, found in fits.items():
        print_table(
            ("alpha", "beta", "gamma", f"{by} at phi 1", "validation accuracy"),
            [
                (*(f"{point[name]:.2f}" for name in ("alpha", "beta", "gamma", "ratio")),
                 f"{100 * point['accuracy']:.1f} %")
                for point in found["points"]
            ],
            title=f"the grid by {by}",
        )  # fmt: skip
    rows = rows_of(arguments, fits)
    print_table(
        ("family", "phi", "resolution", "MACs", "params", "latency, ms", "test accuracy"),
        [
            (row["by"], row["phi"], row["resolution"], f"{row['macs']:,}", f"{row['params']:,}",
             f"{row['latency_ms']:.4f}", " ".join(f"{100 * each:.1f}" for each in row["test_accuracies"]) + " %")
            for row in rows
        ],
    )  # fmt: skip
    draw(rows, fits, arguments.png)
    settings = {name: getattr(arguments, name) for name in ("seeds", "epochs", "step")}
    document = {"settings": settings, "fits": fits, "rows": rows}
    arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
