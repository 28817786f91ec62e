"""Do networks rank the same on two sets of photographs, and what does a transfer save?

    python benchmarks/transfer.py --first npz:DIR --second folder:DIR --json OUT [--folder WORK] [--force]

On each set of images a small space (benchmarks/spaces/small_photos.yaml, 32 x 32) is searched as `edgenas run` does up
to the front: table, supernet, search. Then each run is carried over to the other images by `edgenas transfer
--against-scratch`. Printed are, for both directions, the rank correlation of the networks with its interval beside that
of plain MACs, the predictor started from the run and from nothing, and what was saved against supernets from scratch.

Everything is kept in WORK, and a run that was stopped is taken up. With 2,500 training images of CIFAR-10's form and
2,200 photographs it takes ten minutes on one core, of which measuring two tables takes two.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from edgenas.cli.console import print_table
from edgenas.config.load import validate
from edgenas.config.settings import RunSettings
from edgenas.data import parse_source
from edgenas.display import progress_bar
from edgenas.pipeline.commands.run import run_some
from edgenas.pipeline.commands.transfer.command import RESULT_FILE, transfer
from edgenas.pipeline.core.open_run import open_run
from edgenas.pipeline.stages import DATA, LATENCY_TABLE, SEARCH, SUPERNET

SPACE = Path(__file__).parent / "spaces" / "small_photos.yaml"
STAGES = (DATA, LATENCY_TABLE, SUPERNET, SEARCH)


def settings_of(arguments: argparse.Namespace, name: str, source: str) -> RunSettings:
    """The same settings for both sets of images."""
    kind, path = parse_source(source)
    return validate(
        {
            "name": name,
            "output": str(arguments.folder),
            "threads": 1,
            "seed": arguments.seed,
            "data": {"source": kind, "path": path, "resolution": 32, "train_limit": 2500, "validation_limit": 800,
                     "test_limit": 1000, "validation_fraction": 0.25},
            "space": {"name": str(SPACE)},
            "target": {"budget_share": 0.6},
            "latency": {"networks": 60, "validation_networks": 0, "force": arguments.force},
            "supernet": {"epochs": arguments.epochs, "recalibration_images": 256, "learning_rate": 0.006,
                         "augment": {"crop_padding": 3, "flip": True}},
            "search": {"evaluations": 64, "objectives": ["accuracy", "latency_ms"], "baseline": False},
        },
        source="benchmarks/transfer.py",
    )  # fmt: skip


def carried(arguments: argparse.Namespace, runs: dict[str, Path], source: str, other: RunSettings) -> dict[str, Any]:
    """Carry a run over to the images of the other; a transfer that was finished is read back."""
    folder = arguments.folder / f"{source}-on-{other.name}"
    if not (folder / RESULT_FILE).is_file():
        run = open_run(runs[source], progress=progress_bar, say=print)
        transfer(run, other, folder, networks=arguments.networks, scratch=True)
    document: dict[str, Any] = json.loads((folder / RESULT_FILE).read_text())
    return document


def row_of(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    """Cells of the printed table."""
    saved = "none as good" if found["saved"] is None else f"{100 * found['saved']:.0f} %"
    scratch = ", ".join(f"{entry['epochs']}: {100 * entry['mean_accuracy']:.1f} %" for entry in found["scratch"])
    few = next(iter(found["learned"]), None)
    return (
        name,
        f"{found['spearman']:.2f} ({found['spearman_low']:.2f} to {found['spearman_high']:.2f})",
        f"{found['macs_spearman']:.2f}",
        "" if few is None else f"{few['warm']:.2f} / {few['cold']:.2f}",
        f"{found['epochs']}: {100 * found['mean_accuracy']:.1f} %",
        scratch,
        saved,
    )


def main() -> None:
    """Search on both, carry over both ways, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", required=True, help="such as npz:DIR")
    parser.add_argument("--second", required=True, help="such as folder:DIR")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmark-transfer"))
    parser.add_argument("--epochs", type=int, default=16, help="of each run's supernet")
    parser.add_argument("--networks", type=int, default=32, help="judged on both sets of images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--force", action="store_true", help="measure tables on a busy machine")
    arguments = parser.parse_args()
    settings = {name: settings_of(arguments, name, getattr(arguments, name)) for name in ("first", "second")}
    runs = {name: run_some(STAGES, one, progress=progress_bar, say=print) for name, one in settings.items()}
    found = {
        "first to second": carried(arguments, runs, "first", settings["second"]),
        "second to first": carried(arguments, runs, "second", settings["first"]),
    }
    columns = ("direction", "rho between the sets", "rho of MACs", "predictor after 4, warm / cold",
               "epochs of adapting", "epochs from scratch", "epochs saved")  # fmt: skip
    print_table(columns, [row_of(name, one) for name, one in found.items()])
    kept = ("spearman", "spearman_low", "spearman_high", "kendall", "macs_spearman", "mean_accuracy", "unadapted_mean",
            "epochs", "seconds", "judging_seconds", "learned", "scratch", "saved", "replaced")  # fmt: skip
    document = {
        name: {
            **{key: one[key] for key in kept},
            "source_accuracy": [entry["source_accuracy"] for entry in one["networks"]],
            "accuracy": [entry["accuracy"] for entry in one["networks"]],
            "proposed_accuracy": [entry["accuracy"] for entry in one["proposed"]],
        }
        for name, one in found.items()
    }
    document = {"epochs": arguments.epochs, "seed": arguments.seed, "directions": document}
    arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
