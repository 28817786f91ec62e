"""How far is the network that early stopping finds from the best of full training, and at what share of its epochs?

    python benchmarks/halving.py --json OUT
    python benchmarks/halving.py --data npz:DIR --train-limit 6000 --json OUT

Random networks of a space are compared by successive halving and by its asynchronous form (one worker), with several
seeds of networks, images' order and weights; then all of them are trained fully. Pieces of a training are true parts of
it, so both see the same full trainings. Prints the distance to the best one in points of validation accuracy, and the
share of the epochs of training all.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from estimator_tasks import for_images, load_arrays, load_digits, say

from edgenas.data import ImageData, fit_preprocessing, parse_source
from edgenas.evaluate.halving import HalvingSettings, TrainedCandidates, asynchronous_halving, successive_halving
from edgenas.nn import build
from edgenas.space import SearchSpace
from edgenas.space import load as load_space
from edgenas.train import TrainSettings

FIRST_RUNGS = (1, 3)


def candidates_of(
    space: SearchSpace, data: ImageData, recipe: TrainSettings, *, count: int, epochs: int, seed: int, folder: Path
) -> TrainedCandidates:
    """Return networks that are trained in pieces."""
    drawn = space.canonical(space.sample(20 * count, np.random.default_rng(seed)))
    genes = drawn[np.sort(np.unique(drawn, axis=0, return_index=True)[1])[:count]]
    networks = [space.decode(row) for row in genes]
    preprocessing = fit_preprocessing(data.train)
    return TrainedCandidates(
        lambda i: build(networks[i], generator=torch.Generator().manual_seed(seed)),
        data,
        replace(recipe, steps=None, epochs=epochs, averaging_decay=0.99, seed=seed),
        folder=folder,
        preprocessing=lambda i: replace(preprocessing, resolution=networks[i].resolution),
    )


def compare(candidates: TrainedCandidates, count: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    """Let each form choose, then train all fully and see how far its choice is from the best."""
    results = {}
    for first in FIRST_RUNGS:
        settings = HalvingSettings(min_epochs=first, max_epochs=epochs, reduction=3)
        rungs = ", ".join(str(rung) for rung in settings.rungs)
        results[f"halving at {rungs}"] = successive_halving(candidates, count, settings)
        results[f"ASHA at {rungs}"] = asynchronous_halving(candidates, count, settings, workers=1)
    full = np.array([candidates(number, 0, epochs) for number in range(count)])
    rows = []
    for name, result in results.items():
        assert result.best is not None
        row = {
            "method": name,
            "seed": seed,
            "points_from_best": float(100 * (full.max() - full[result.best])),
            "epochs": result.epochs,
            "share_of_epochs": result.epochs / (count * epochs),
            "rank": int((full > full[result.best]).sum()) + 1,
        }
        rows.append(row)
        say(f"seed {seed}, {name}: {row['points_from_best']:.2f} points from the best (rank {row['rank']} of {count}),"
            f" {100 * row['share_of_epochs']:.0f} % of the epochs")  # fmt: skip
    return rows


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="digits, or npz:DIR")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--space", help="preset or YAML file")
    parser.add_argument("--train-limit", type=int, default=12_000)
    parser.add_argument("--networks", type=int, default=27)
    parser.add_argument("--epochs", type=int, default=27, help="of a full training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where finished work is kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    source, path = parse_source(options.data)
    data, space, recipe = load_digits() if source == "digits" else load_arrays(path or "", options.train_limit)
    if options.space:
        space = for_images(load_space(options.space), data)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(options.seeds):
            folder = (options.folder or Path(scratch)) / f"seed-{seed}"
            made = candidates_of(
                space, data, recipe, count=options.networks, epochs=options.epochs, seed=seed, folder=folder
            )
            rows += compare(made, options.networks, options.epochs, seed)
    summary = {}
    for name in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == name]
        points = [row["points_from_best"] for row in own]
        share = float(np.mean([row["share_of_epochs"] for row in own]))
        summary[name] = {"points_from_best": points, "worst_points": max(points), "share_of_epochs": share}
        distance = f"{np.mean(points):.2f} points from the best (worst {max(points):.2f})"
        say(f"{name}: {distance}, {100 * share:.0f} % of the epochs")
    if options.json is not None:
        about = {"data": source, "space": space.name, "networks": options.networks, "epochs": options.epochs,
                 "validation_images": len(data.validation), "summary": summary, "rows": rows}  # fmt: skip
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(about, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
