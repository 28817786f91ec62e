"""How many images a second do trainings take in, and how long do they wait for images?

    python benchmarks/training_speed.py --photographs DIR --json OUT

On every device that is here (the CPU; a GPU where there is one) networks are trained for some steps by the whole
recipe of augmentation, from images in memory, on a GPU in every precision that it has; then a supernet; then, where a
folder of photographs is named, from files that are decoded while training, with one and with two threads that read. At
the end, a step and a judgement beside plain PyTorch on the networks of torchvision and timm where they are installed,
on one thread of the CPU; `--pairs N` does only this.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plain_pytorch import beside_plain

from edgenas.arch import Architecture
from edgenas.arch.notation import parse_notation
from edgenas.arch.zoo import published
from edgenas.data import ArraySplit, AugmentSettings, DataSettings, ImageData
from edgenas.data import load as load_images
from edgenas.nn import build
from edgenas.space import load as load_space
from edgenas.space import with_task
from edgenas.supernet import Supernet, SupernetSettings, train_supernet
from edgenas.train import TrainSettings, fit

SIZE, CLASSES, BATCH = 64, 10, 64
SMALL = "r64 | stem_k3_s2_c16_re | mb_k3_s2_x3_c24_re | mb_k3_s2_x3_c40_re | mb_k3_s2_x3_c80_re | head_c256_re | n10"
AUGMENT = AugmentSettings(crop_padding=6, flip=True, jitter=0.2, randaugment_ops=1, erase_probability=0.25,
                          mixup_alpha=0.2, cutmix_alpha=1.0)  # fmt: skip
RECIPE = TrainSettings(epochs=None, steps=1, batch_size=BATCH, averaging_decay=0.99, label_smoothing=0.1,
                       evaluate_every=10**6, augment=AUGMENT)  # fmt: skip


def networks() -> dict[str, Architecture]:
    """Networks of rising cost, for 64 x 64 colour images."""
    found = {"small": parse_notation(SMALL)} | {name: published(name) for name in ("mnasnet_small", "mobilenet_v2")}
    return {name: replace(network, resolution=SIZE, classes=CLASSES) for name, network in found.items()}


def images_in_memory() -> ImageData:
    """Random images: what is in them costs nothing."""
    rng = np.random.default_rng(0)

    def split(count: int) -> ArraySplit:
        images = rng.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
        return ArraySplit(images=images, labels=np.arange(count, dtype=np.int64) % CLASSES)

    return ImageData(train=split(4096), validation=split(256), test=split(10), classes=tuple("abcdefghij"),
                     native_size=(SIZE, SIZE), skipped=(), notes=(), digest="random")  # fmt: skip


def precisions(device: str) -> tuple[str, ...]:
    """What trainings on a device are given; on a CPU, what `auto` takes there."""
    if device == "cpu":
        return ("fp32",)
    return ("fp32", "bf16", "fp16") if torch.cuda.is_bf16_supported(including_emulation=False) else ("fp32", "fp16")


def trained(network: Architecture, data: ImageData, device: str, precision: str, steps: int, workers: int) -> Any:
    """Train for some steps, after a few that warm up."""
    network = replace(network, classes=len(data.classes))
    model = build(network)
    settings = replace(RECIPE, precision=precision, workers=workers)  # type: ignore[arg-type]
    fit(model, data, replace(settings, steps=2), device=device)
    return fit(model, data, replace(settings, steps=steps), device=device)


def shared(data: ImageData, device: str, precision: str, steps: int) -> Any:
    """Train a supernet for some steps, after a few that warm up."""
    space = with_task(load_space("mobilenet_v3_small"), classes=CLASSES, in_channels=3, resolutions=[SIZE])
    train = replace(RECIPE, precision=precision)  # type: ignore[arg-type]
    supernet = Supernet(space)
    for count in (4, steps):
        found = train_supernet(supernet, data, SupernetSettings(train=replace(train, steps=count)), device=device)
    return found


def row(device: str, what: str, source: str, precision: str, workers: int | None, found: Any) -> dict[str, Any]:
    """Print and return one figure."""
    place = f"{device:5} {what:28} {source:10} {precision:5} {workers or '':>2}"
    waiting = f"{100 * found.waiting_share:5.1f} % waiting"
    print(f"{place} {found.images_per_second:9,.0f} images/s, {waiting}", flush=True)
    return {"device": device, "network": what, "images": source, "precision": precision, "workers": workers,
            "images_per_second": round(found.images_per_second, 1),
            "waiting_share": round(found.waiting_share, 4)}  # fmt: skip


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, help="a folder of class folders, decoded while training")
    parser.add_argument("--steps", type=int, default=12, help="of every training on a CPU; 20 times as many on a GPU")
    parser.add_argument("--pairs", type=int, help="only the comparison with plain PyTorch, so many times")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(cores)
    devices = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
    memory, rows = images_in_memory(), []
    for device in devices if options.pairs is None else ():
        steps = options.steps * (20 if device == "cuda" else 1)
        for name, network in networks().items():
            for precision in precisions(device):
                found = trained(network, memory, device, precision, steps, 2)
                rows.append(row(device, name, "memory", precision, None, found))
        for precision in precisions(device):
            found = shared(memory, device, precision, steps)
            rows.append(row(device, "supernet mobilenet_v3_small", "memory", precision, None, found))
        if options.photographs is not None:
            photographs = load_images(DataSettings(source="folder", path=str(options.photographs), resolution=SIZE,
                                                   memory_limit_mib=1, validation_limit=50, test_limit=10))  # fmt: skip
            for name, network in networks().items():
                for workers in (1, 2):
                    found = trained(network, photographs, device, "auto", options.steps, workers)
                    rows.append(row(device, name, "decoded", "auto", workers, found))
    torch.set_num_threads(1)
    plain = beside_plain(options.pairs or 20)
    if options.json is not None:
        card = torch.cuda.get_device_name() if torch.cuda.is_available() else "not measured: no CUDA device here"
        about = {"machine": platform.machine(), "cores": cores, "torch": torch.__version__, "cuda": card,
                 "batch": BATCH, "size": SIZE, "steps": options.steps, "rows": rows,
                 "plain": plain}  # fmt: skip
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(about, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
