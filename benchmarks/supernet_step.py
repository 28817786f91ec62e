"""What does a training step of a supernet cost over one of the static network, and what does judging a member cost?

    python benchmarks/supernet_step.py --json OUT

Members spread over the costs of a space of 32 x 32 colour images. A step is forward, backward and optimiser with a
batch of 64; steps of the supernet and of the same network on its own alternate, in processor time of one thread, and
the low halves are compared. Judging is recalibration on 512 images and 2,000 validation images; the first member also
pays for reading them, so that the second is what counts. Random images: what is in them costs nothing.

A training takes a new member nearly every step. What it costs to find the shared weights of one, before anything is
computed, is measured in a space of some 10^19 networks, on members that were never seen, after the first 500.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from estimators import SMALL_COLOUR
from torch.nn import functional

from edgenas.data import ArraySplit, ImageData, fit_preprocessing
from edgenas.evaluate import stratified_networks
from edgenas.nn import build
from edgenas.space import load, population_costs, read, with_task
from edgenas.supernet import Supernet, SupernetEvaluator
from edgenas.train import TrainSettings
from edgenas.train.optimizer import make_optimizer

BATCH, JUDGED = 64, 2000


def random_images(count: int, rng: np.random.Generator) -> ArraySplit:
    """Draw images of 32 x 32."""
    images = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return ArraySplit(images=images, labels=np.arange(count, dtype=np.int64) % 10)


def image_data(rng: np.random.Generator) -> ImageData:
    """Make a set with 2,000 validation images."""
    return ImageData(
        train=random_images(1024, rng), validation=random_images(JUDGED, rng), test=random_images(10, rng),
        classes=tuple("abcdefghij"), native_size=(32, 32), skipped=(), notes=(), digest="random",
    )  # fmt: skip


def low_half(seconds: list[float]) -> float:
    """Mean of the faster half, robust against what else a machine does."""
    return float(np.mean(np.sort(seconds)[: max(1, len(seconds) // 2)]))


def step_seconds(genes: np.ndarray, supernet: Supernet, pairs: int) -> tuple[float, float]:
    """Processor time of a step of the supernet and of the static network, alternated."""
    static = build(supernet.space.decode(genes)).to(memory_format=torch.channels_last).train()
    settings = TrainSettings(epochs=1)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 3, 32, 32, generator=generator).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % 10
    optimizers = [make_optimizer(model, settings) for model in (supernet, static)]
    forwards: list[Callable[[], torch.Tensor]] = [lambda: supernet(images, genes), lambda: static(images)]
    found: list[list[float]] = [[], []]
    for pair in range(pairs + 3):
        for which in (0, 1) if pair % 2 else (1, 0):
            before = time.thread_time()
            optimizers[which].zero_grad(set_to_none=True)
            functional.cross_entropy(forwards[which](), labels).backward()
            optimizers[which].step()
            if pair >= 3:
                found[which].append(time.thread_time() - before)
    return low_half(found[0]), low_half(found[1])


def new_member_ms(name: str = "ofa_mobilenet_v3", *, first: int = 500, count: int = 1000) -> float:
    """Processor time to arrange the steps of a member that was never seen, in a large space, mean."""
    space = load(name)
    supernet = Supernet(space)
    genes = space.sample(first + count, np.random.default_rng(0))
    for row in genes[:first]:
        supernet.path(row)
    before = time.thread_time()
    for row in genes[first:]:
        supernet.path(row)
    return 1000 * (time.thread_time() - before) / count


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", help="preset or YAML file; a small space of colour images if left out")
    parser.add_argument("--networks", type=int, default=6)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    space = load(options.space) if options.space else read(SMALL_COLOUR)
    space = with_task(space, classes=10, in_channels=3, resolutions=[32])
    supernet = Supernet(space).to(memory_format=torch.channels_last)
    data = image_data(np.random.default_rng(0))
    evaluator = SupernetEvaluator(supernet, data, fit_preprocessing(data.train))
    evaluator.evaluate(space.sample(1, np.random.default_rng(1)))
    rows: list[dict[str, Any]] = []
    for genes in stratified_networks(space, options.networks, np.random.default_rng(0)):
        shared, static = step_seconds(genes, supernet, options.pairs)
        before = time.thread_time()
        evaluator.evaluate(genes[None])
        judged = time.thread_time() - before
        macs = int(population_costs(space).macs(genes[None])[0])
        rows.append({"macs": macs, "supernet_ms": 1000 * shared, "static_ms": 1000 * static,
                     "ratio": shared / static, "judge_seconds": judged})  # fmt: skip
        print(f"{macs:>12,} MACs: step {1000 * shared:7.2f} ms, static {1000 * static:7.2f} ms, ratio "
              f"{shared / static:.3f}; judged on {JUDGED:,} images in {judged:.3f} s", flush=True)  # fmt: skip
    ratios, seconds = [row["ratio"] for row in rows], [row["judge_seconds"] for row in rows]
    print(f"{space.name}: ratio {np.median(ratios):.3f} (median), {max(ratios):.3f} (largest); "
          f"judging {np.median(seconds):.3f} s (median), {max(seconds):.3f} s (largest)")  # fmt: skip
    new = new_member_ms()
    print(f"a new member of ofa_mobilenet_v3: {new:.3f} ms")
    if options.json is not None:
        about = {"new_member_ms": new,
                 "space": space.name, "batch": BATCH, "judged_images": JUDGED, "torch": torch.__version__,
                 "ratio_median": float(np.median(ratios)), "ratio_largest": max(ratios),
                 "judge_seconds_median": float(np.median(seconds)), "judge_seconds_largest": max(seconds),
                 "rows": rows}  # fmt: skip
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(about, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
