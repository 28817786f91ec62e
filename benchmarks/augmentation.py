"""What does augmentation bring, and what does it cost?

    python benchmarks/augmentation.py --data FLOWERS --json OUT [--seeds 3] [--epochs 15] [--resolution 64]

MobileNetV3-Small is trained from nothing on class folders of photographs with the same optimiser, steps and seeds and
with different augmentation: none, that of `configs/image_folder.yaml`, the same with random resized crops, and that of
the recipe `mobilenet_v4`. Crops are cut from images of one and a half times the side. The cost is the processor time of
augmentation as a share of that of a training step. Trainings that the JSON holds already are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from edgenas import atomic
from edgenas.arch.zoo import published
from edgenas.config.sections.training import TrainSection
from edgenas.data import AugmentSettings, DataSettings, ImageData, fit_preprocessing, load
from edgenas.data.batches import Batches
from edgenas.train import TrainSettings, evaluate, fit
from edgenas.train.architecture import untrained

BATCH = 64
OLD = AugmentSettings(crop_padding=8, flip=True, jitter=0.2)
RECIPE = AugmentSettings(**TrainSection(recipe="mobilenet_v4").augment.model_dump())
AUGMENTATIONS = {
    "none": AugmentSettings(),
    "image_folder.yaml": OLD,
    "random resized crop": replace(OLD, crop_padding=0, crop_scale=0.25),
    "mobilenet_v4": RECIPE,
}


def settings(augment: AugmentSettings, *, epochs: int, seed: int) -> TrainSettings:
    """The recipe of `configs/image_folder.yaml` with another augmentation."""
    return TrainSettings(epochs=epochs, batch_size=BATCH, learning_rate=0.002, averaging_decay=0.99,
                         label_smoothing=0.1, evaluate_every=10**6, augment=augment, seed=seed)  # fmt: skip


def images(source: Path, side: int) -> ImageData:
    """Photographs at a side, the same splits for all."""
    return load(DataSettings(source="folder", path=str(source), resolution=side, validation_fraction=0.1))


def trained(data: ImageData, train: TrainSettings, resolution: int) -> tuple[dict[str, Any], float]:
    """Train once; return a row and the processor seconds of a step."""
    network = replace(published("mobilenet_v3_small"), classes=len(data.classes), resolution=resolution)
    model = untrained(network, train)
    before = time.process_time()
    found = fit(model, data, train, preprocessing=fit_preprocessing(data.train, resolution=resolution))
    step = (time.process_time() - before) / found.steps
    judged = evaluate(model, data.test, found.preprocessing)
    return {
        "steps": found.steps,
        "test_accuracy": round(judged.value, 4),
        "standard_error": round(judged.standard_error, 4),
        "train_loss": round(found.history[-1].train_loss, 4),
    }, step


def cost(data: ImageData, augment: AugmentSettings, resolution: int, *, batches: int = 12) -> float:
    """Processor seconds of a batch's augmentation, beyond reading and normalising it: the least of three passes."""
    source = Batches(data.train, fit_preprocessing(data.train, resolution=resolution), batch_size=BATCH)

    def seconds(changes: AugmentSettings) -> float:
        taken = source.shuffled(seed=0, epoch=0, classes=len(data.classes), augment=changes)
        next(taken)
        before = time.process_time()
        count = sum(1 for _ in islice(taken, batches))
        return (time.process_time() - before) / count

    return max(0.0, min(seconds(augment) for _ in range(3)) - min(seconds(AugmentSettings()) for _ in range(3)))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="class folders of photographs")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--resolution", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1)
    plain = images(options.data, options.resolution)
    large = images(options.data, options.resolution * 3 // 2)
    known = json.loads(options.json.read_text(encoding="utf-8")) if options.json.is_file() else {"rows": []}
    rows: list[dict[str, Any]] = known["rows"]
    for seed in range(options.seeds):
        for name, augment in AUGMENTATIONS.items():
            place = {"augmentation": name, "seed": seed, "epochs": options.epochs, "resolution": options.resolution}
            if any(place.items() <= row.items() for row in rows):
                continue
            data = plain if augment.crop_scale is None else large
            train = settings(augment, epochs=options.epochs, seed=seed)
            row, step = trained(data, train, options.resolution)
            extra = cost(data, augment, options.resolution)
            costs = {"augmentation_ms": round(1000 * extra, 1), "step_ms": round(1000 * step, 1),
                     "augmentation_share": round(extra / step, 4)}  # fmt: skip
            rows.append({**place, **row, **costs})
            document = {"network": "mobilenet_v3_small", "images": len(plain.train), "test_images": len(plain.test),
                        "machine": platform.machine(), "threads": torch.get_num_threads(), "rows": rows}  # fmt: skip
            atomic.write_json(options.json, document)
            print(rows[-1], flush=True)
    chosen = [row for row in rows if (row["epochs"], row["resolution"]) == (options.epochs, options.resolution)]
    print(f"{'augmentation':22} {'test accuracy':>14} {'by seed':24} {'share of a step':>15}")
    for name in AUGMENTATIONS:
        own = [row for row in chosen if row["augmentation"] == name]
        if own:
            seeds = ", ".join(f"{100 * row['test_accuracy']:.1f}" for row in own)
            share = mean(row["augmentation_share"] for row in own)
            accuracy = mean(row["test_accuracy"] for row in own)
            print(f"{name:22} {100 * accuracy:12.1f} % {seeds:24} {100 * share:13.1f} %")


if __name__ == "__main__":
    main()
