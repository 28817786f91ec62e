"""What do a training step and a judgement cost beside plain PyTorch?

MobileNetV3-Small as it is built here, in torchvision and in timm, on the same batch: a step of `edgenas.train` (the
`Stepper` of every training) beside forward, backward and AdamW by hand, and `evaluate_batches` beside a loop over the
same tensors. Both alternate in processor time of one thread, and the low halves are compared. `training_speed.py` reads
images, and this does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgenas.arch.zoo import published
from edgenas.data import ArraySplit, fit_preprocessing
from edgenas.data.batches import Batch, Batches
from edgenas.nn import build
from edgenas.train import TrainSettings
from edgenas.train.accuracy import evaluate_batches
from edgenas.train.loop.step import PartLoss, Stepper
from edgenas.train.losses import batch_loss

SIZE, BATCH, JUDGED, CLASSES = 96, 32, 128, 1000
SETTINGS = TrainSettings(epochs=1, batch_size=BATCH)


def others() -> dict[str, Callable[[], nn.Module]]:
    """Makers of the same network in the packages that are here."""
    found: dict[str, Callable[[], nn.Module]] = {}
    try:
        from torchvision.models import mobilenet_v3_small

        found["torchvision"] = mobilenet_v3_small
    except (ImportError, RuntimeError):
        print("torchvision is not here")
    try:
        import timm

        found["timm"] = lambda: timm.create_model("mobilenetv3_small_100")
    except ImportError:
        print("timm is not here")
    return found


def seconds(first: Callable[[], object], second: Callable[[], object], pairs: int) -> tuple[float, float]:
    """Processor time of two things, alternated: means of the faster halves."""
    taken: tuple[list[float], list[float]] = ([], [])
    for pair in range(pairs + 2):
        for which in (0, 1) if pair % 2 else (1, 0):
            before = time.thread_time()
            (first, second)[which]()
            if pair > 1:
                taken[which].append(time.thread_time() - before)
    low = [float(np.mean(np.sort(values)[: max(1, len(values) // 2)])) for values in taken]
    return low[0], low[1]


def steps(theirs: nn.Module, pairs: int) -> tuple[float, float]:
    """Seconds of a step of ours and of a plain one."""
    ours = build(published("mobilenet_v3_small")).to(memory_format=torch.channels_last).train()
    theirs = theirs.to(memory_format=torch.channels_last).train()
    images = torch.randn(BATCH, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
    batch = Batch(images=images, labels=torch.arange(BATCH) % CLASSES)
    stepper = Stepper(ours, SETTINGS, device=torch.device("cpu"), section="train")
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=1e-3)

    def losses(part: Batch) -> Iterator[PartLoss]:
        with stepper.precision.autocast():
            logits = ours(part.images)
        yield PartLoss(batch_loss(logits, part, SETTINGS, None), (logits.argmax(1) == part.labels).sum())

    def plain() -> None:
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(theirs(batch.images), batch.labels).backward()
        optimizer.step()

    return seconds(lambda: stepper.step(batch, 1e-3, losses), plain, pairs)


def judgements(theirs: nn.Module, pairs: int) -> tuple[float, float]:
    """Seconds to judge ours and to judge plainly; both read, normalise and count."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (JUDGED, SIZE, SIZE, 3), dtype=np.uint8)
    split = ArraySplit(images=images, labels=np.arange(JUDGED, dtype=np.int64))
    preprocessing = fit_preprocessing(split)
    batches = Batches(split, preprocessing, batch_size=BATCH)
    ours = build(published("mobilenet_v3_small")).to(memory_format=torch.channels_last).eval()
    theirs = theirs.to(memory_format=torch.channels_last).eval()
    factor, offset = (torch.from_numpy(values)[:, None, None] for values in preprocessing.affine())
    pixels, labels = torch.from_numpy(images), torch.arange(JUDGED)

    @torch.no_grad()
    def plain() -> int:
        right = 0
        for start in range(0, JUDGED, BATCH):
            batch = pixels[start : start + BATCH].permute(0, 3, 1, 2).float() * factor + offset
            right += int((theirs(batch).argmax(1) == labels[start : start + BATCH]).sum())
        return right

    return seconds(lambda: evaluate_batches(ours, batches), plain, pairs)


def beside_plain(pairs: int) -> list[dict[str, Any]]:
    """Print and return both comparisons with each package that is here."""
    rows = []
    for name, make in others().items():
        for what, compare in (("step", steps), ("judgement", judgements)):
            ours, plain = compare(make(), pairs)
            print(f"{what:10} beside {name:12} {1000 * ours:8.1f} ms, plain {1000 * plain:8.1f} ms, "
                  f"ratio {ours / plain:.3f}", flush=True)  # fmt: skip
            rows.append({"what": what, "beside": name, "ours_ms": 1000 * ours, "plain_ms": 1000 * plain,
                         "ratio": ours / plain})  # fmt: skip
    return rows
