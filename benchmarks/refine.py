"""NetAdapt against the width multiplier: the same latency, the same training, on your own images.

    python benchmarks/refine.py --data DIR --json OUT [--folder WORK] [--seeds 3] [--resolution 64]

DIR holds one folder of image files a class, or train/ and test/ folders of such folders. For each seed a narrow
MobileNetV3-Small is trained (`seed`). `edgenas refine` brings it to a share of its measured latency (`netadapt`), and
the width multiplier to the latency that NetAdapt reached, or the next above: every layer narrowed by one factor,
weights carried over by the same rule. Two multipliers are trained: `multiplier` for as many steps as the refined one
was along its own way (its short trainings and the one at the end), `multiplier, all steps` for as many as the whole
walk took, proposals that were dropped included. All networks of a seed are measured alternately at the end.

Images are decoded once; everything is kept in WORK, and a run that was stopped is taken up. Three seeds on 2,900
photographs at 64 pixels take 20 minutes on one core, of which measuring takes three.
"""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from photographs import decode
from uniform_width import uniform

from edgenas.arch import Architecture
from edgenas.arch.notation import format_notation
from edgenas.arch.zoo import published
from edgenas.cli.console import print_table
from edgenas.config.load import load
from edgenas.config.settings import RunSettings
from edgenas.display import progress_bar
from edgenas.latency import LatencyTable, predict, read_table, write_table
from edgenas.measure import build_table
from edgenas.nn import Checkpoint, load_checkpoint
from edgenas.pipeline.commands.refine.result import Plan, Refined
from edgenas.pipeline.commands.refine.trials import Refiner
from edgenas.pipeline.commands.refine.walk import refine
from edgenas.pipeline.commands.train import Alone, train_alone
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.device_latency import Share, measured_networks, pooled, shares
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.scale import scaled
from edgenas.space import SearchSpace, with_task
from edgenas.space import load as load_space

CONFIGURATION = Path(__file__).parents[1] / "configs" / "image_folder.yaml"
SEED_EPOCHS, FINISH_EPOCHS = 40, 10
STEP_SHARE, SHORT_STEPS = 0.06, 16
VISITS = 5


def settings_of(arguments: argparse.Namespace, *, seed: int, epochs: int) -> RunSettings:
    """The configuration of class folders, on the images as they were decoded."""
    return load(
        CONFIGURATION,
        [
            "data.source=npz", f"data.path={arguments.folder / 'images'}", f"data.resolution={arguments.resolution}",
            f"seed={seed}", "threads=1", f"train.epochs={epochs}", "train.augment.crop_padding=6",
        ],
    )  # fmt: skip


def seed_network(arguments: argparse.Namespace) -> Architecture:
    """The network to be narrowed."""
    return scaled(published("mobilenet_v3_small"), width=arguments.width, resolution=arguments.resolution)


def train_seed(arguments: argparse.Namespace, seed: int) -> Alone:
    """Train the network to be narrowed; a training that was finished is read back."""
    folder = arguments.folder / f"seed-{seed}" / "network"
    return train_alone(
        seed_network(arguments), settings_of(arguments, seed=seed, epochs=SEED_EPOCHS), folder,
        progress=progress_bar, say=print,
    )  # fmt: skip


def narrowings(resolution: int, width: float, classes: int) -> SearchSpace:
    """The space of a MobileNetV3-Small whose kernels, depths and activations are fixed, and whose channels are not."""
    definition, stages = load_space("mobilenet_v3_small").definition, []
    for number, stage in enumerate(definition.stages):
        blocks = published("mobilenet_v3_small").stages[number].blocks
        stages.append(
            replace(
                stage,
                depth=(len(blocks),),
                kernel=(blocks[0].kernel,),
                expansion=(0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 4.5, 6.0) if blocks[0].expand else (1.0,),
                squeeze_excite=(0.25 if blocks[0].se else 0.0,),
                activation=(blocks[0].activation,),
                keep_expand=blocks[0].expand,
            )
        )
    widths = tuple(round(share * width, 4) for share in (0.35, 0.5, 0.65, 0.8, 1.0))
    space = SearchSpace(
        definition=replace(
            definition, name="narrowings", resolution=(resolution,), width=widths, stages=tuple(stages)
        )
    )
    return with_task(space, classes=classes, in_channels=3)


def table_of(arguments: argparse.Namespace, classes: int) -> LatencyTable:
    """A latency table of the narrowings, measured once."""
    path = arguments.folder / "latency.json"
    if path.is_file():
        return read_table(path)
    found = build_table(
        narrowings(arguments.resolution, arguments.width, classes), networks=80,
        samples=path.with_suffix(".jsonl"), force=arguments.force,
    )  # fmt: skip
    write_table(found, path)
    return found


def context_of(arguments: argparse.Namespace, seed: int, name: str, *, epochs: int) -> RunContext:
    """A folder with the settings of a training."""
    folder = RunDirectory(path=arguments.folder / f"seed-{seed}" / name)
    return RunContext(settings_of(arguments, seed=seed, epochs=epochs), folder, progress=progress_bar, say=print)


def multiplier(seed: Checkpoint, share: float) -> float:
    """The factor of the narrowest uniform network that is not faster than a share of the seed network."""
    distinct: dict[str, tuple[float, Architecture]] = {}
    for factor in np.arange(0.3, 1.0, 0.02).tolist():
        network, _ = uniform(seed.architecture, seed.weights, factor)
        distinct.setdefault(network.digest, (factor, network))
    found = shares(measured_networks([seed.architecture, *(network for _, network in distinct.values())]))
    return next(
        factor for (factor, _), each in zip(distinct.values(), found, strict=True) if each.value >= share
    )


def train_multiplier(
    arguments: argparse.Namespace, refiner: Refiner, seed: int, network: Architecture, weights: Any, steps: int
) -> dict[str, Any]:
    """Train a multiplier as the refined network is trained at the end, for a number of steps."""
    settings = replace(refiner.settings(), epochs=None, steps=steps, evaluate_every=10**6)
    folder = RunDirectory(path=arguments.folder / f"seed-{seed}" / f"{network.digest[:12]}-{steps}")
    with progress_bar(f"train the multiplier for {steps} steps") as report:
        module, found = refiner.trained(
            network, weights, settings, folder=folder.file("state/x").parent,
            report=lambda done, total: report(done, total, "steps"),
        )  # fmt: skip
    return {
        "steps": found.steps,
        "validation": found.validation_accuracy,
        "test": refiner.accuracy(network, module.weights(), "test"),
    }


def compare(arguments: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Do everything of one seed; what was finished before is read back."""
    done = RunDirectory(path=arguments.folder / f"seed-{seed}")
    if done.has("row.json"):
        return done.read_json("row.json")
    trained = train_seed(arguments, seed)
    first = load_checkpoint(trained.checkpoint)
    table = table_of(arguments, first.architecture.classes)
    context = context_of(arguments, seed, "refined", epochs=FINISH_EPOCHS)
    plan = Plan(share=arguments.share, step_share=STEP_SHARE, short_steps=SHORT_STEPS)
    refined = refine(context, trained.checkpoint, plan, table=table)
    refiner = Refiner(context, first, plan=plan, table=table)
    if not done.has("multiplier.json"):
        # Kept, since another measurement may choose another one.
        done.write_json("multiplier.json", {"factor": multiplier(first, refined.measured_share)})
    network, weights = uniform(first.architecture, first.weights, done.read_json("multiplier.json")["factor"])
    row = {
        "seed": seed,
        "networks": {
            "seed": {"steps": 0, "validation": trained.validation_accuracy, "test": trained.test_accuracy,
                     "notation": format_notation(first.architecture)},
            "netadapt": {"steps": refined.own_steps, "validation": refined.accuracy, "test": refined.test_accuracy,
                         "notation": format_notation(refined.architecture)},
            "multiplier": {**train_multiplier(arguments, refiner, seed, network, weights, refined.own_steps),
                           "notation": format_notation(network)},
            "multiplier, all steps": {**train_multiplier(arguments, refiner, seed, network, weights,
                                                         refined.all_steps),
                                      "notation": format_notation(network)},
        },
        "steps": [asdict(step) for step in refined.steps],
        "predicted_share": predict(table, refined.architecture, interpolate=True).latency_ms
        / predict(table, first.architecture, interpolate=True).latency_ms,
    }  # fmt: skip
    for name, share in final_shares(first.architecture, refined, network).items():
        row["networks"][name] |= {"latency_share": share.value, "latency_share_error": share.error}
    row["seed_ms"] = refined.seed_ms
    done.write_json("row.json", row)
    return row


def final_shares(first: Architecture, refined: Refined, network: Architecture) -> dict[str, Share]:
    """Latencies over the seed network's, several visits, all measured alternately."""
    visits = [shares(measured_networks([first, refined.architecture, network])) for _ in range(VISITS)]
    adapted, narrow = (pooled([visit[place] for visit in visits]) for place in (0, 1))
    return {"seed": Share(value=1.0, error=0.0), "netadapt": adapted, "multiplier": narrow,
            "multiplier, all steps": narrow}  # fmt: skip


def paired(rows: list[dict[str, Any]], other: str, split: str) -> dict[str, float]:
    """Mean difference of NetAdapt from another network over the seeds, with its standard error."""
    gaps = [row["networks"]["netadapt"][split] - row["networks"][other][split] for row in rows]
    error = float(np.std(gaps, ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else float("nan")
    return {"mean": float(np.mean(gaps)), "standard_error": error}


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmark-refine"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--share", type=float, default=0.7)
    parser.add_argument("--force", action="store_true", help="measure the table on a busy machine")
    return parser.parse_args()


def main() -> None:
    """Compare on every seed, print and write."""
    arguments = parsed()
    decode(arguments.data, arguments.folder / "images", resolution=arguments.resolution)
    rows = [compare(arguments, seed) for seed in range(arguments.seeds)]
    cells = [
        (row["seed"], name, entry["steps"], f"{100 * entry['latency_share']:.1f} %",
         f"{100 * entry['validation']:.1f} %", f"{100 * entry['test']:.1f} %")
        for row in rows for name, entry in row["networks"].items()
    ]  # fmt: skip
    print_table(("seed", "network", "steps", "latency", "validation", "test"), cells)
    gaps = {
        other: {split: paired(rows, other, split) for split in ("validation", "test")}
        for other in ("multiplier", "multiplier, all steps")
    }
    for other, found in gaps.items():
        for split, gap in found.items():
            print(f"netadapt over {other}, {split}: {100 * gap['mean']:+.2f} points, standard error "
                  f"{100 * gap['standard_error']:.2f}")  # fmt: skip
    settings = {name: value for name, value in vars(arguments).items() if name not in ("data", "json", "folder")}
    document = {"machine": platform.machine(), "settings": settings, "rows": rows, "netadapt_over": gaps}
    arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
