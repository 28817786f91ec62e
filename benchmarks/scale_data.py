"""How long large sets of images take to start with, and how much memory, beside torchvision's ImageFolder.

`python benchmarks/scale_data.py --images 200000 --json OUT` makes small JPEGs in 1,000 folders below a temporary
directory. Every start is a process of its own. A first start reads every file once (header and content), splits the
images, and takes mean and deviation of a sample; a second one does the same with what the first has kept. Preparing the
images for the cache is timed apart. The judge holds as many validation images as its limit lets it, of the whole set.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

FOLDERS = 1000
KINDS = 500
"""Different pictures; each file gets bytes of its own in a comment, as no two photographs are equal."""
SIDE, PREPARED = 96, 64
DECODED = 2048
BATCH = 256
JUDGED, JUDGE_SIDE = 128, 224


def make_images(root: Path, count: int, side: int) -> None:
    """Write JPEGs of noise that is enlarged six times, one after the other into the folders."""
    from io import BytesIO

    from PIL import Image

    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(KINDS):
        noise = rng.integers(0, 256, (side // 6, side // 6, 3), dtype=np.uint8)
        content = BytesIO()
        Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC).save(content, "JPEG", quality=85)
        pictures.append(content.getvalue())
    for number in range(FOLDERS):
        (root / f"class{number:04d}").mkdir(parents=True)
    for number in range(count):
        comment = f"image {number}".encode()
        head, rest = pictures[number % KINDS][:2], pictures[number % KINDS][2:]
        marker = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        (root / f"class{number % FOLDERS:04d}" / f"{number:07d}.jpg").write_bytes(head + marker + rest)


def _settings(root: Path, cache: Path, *, store: bool, side: int = PREPARED) -> Any:
    from edgenas.data import DataSettings

    workers = len(os.sched_getaffinity(0))
    return DataSettings(
        source="folder", path=str(root), resolution=side, cache_dir=str(cache), store=store, memory_limit_mib=1,
        workers=workers,
    )  # fmt: skip


def start(root: Path, cache: Path, *, store: bool) -> dict[str, float]:
    """Load the images and their statistics; wall seconds, CPU seconds and peak memory of this process."""
    from edgenas.data import load
    from edgenas.data.loading.signature import tree_signature
    from edgenas.data.statistics import fitted_preprocessing

    began = time.perf_counter()
    # What the data stage of a run does: it asks whether the files are those of the run, loads, and normalises.
    tree_signature(root)
    data = load(_settings(root, cache, store=store))
    fitted_preprocessing(data)
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time(),
        "peak_memory_mib": _peak_mib(),
        "images": len(data.train) + len(data.validation) + len(data.test),
    }


def rates(root: Path, cache: Path, threads: int) -> dict[str, float]:
    """Images a second of training batches from files and from the cache, and of batches in order."""
    import torch

    from edgenas.data import fit_preprocessing, load
    from edgenas.data.batches import Batches
    from edgenas.data.subset import some_of

    torch.set_num_threads(1)
    found = {}
    for name, store in (("files", False), ("cache", True)):
        data = load(_settings(root, cache, store=store))
        some = some_of(data.train, DECODED)
        batches = Batches(some, fit_preprocessing(some_of(some, 256)), batch_size=BATCH, workers=threads)
        began = time.perf_counter()
        count = sum(len(batch.labels) for batch in batches.shuffled(seed=0, epoch=0, classes=len(data.classes)))
        found[f"training_{name}"] = count / (time.perf_counter() - began)
        began = time.perf_counter()
        count = sum(len(batch.labels) for batch in batches.in_order())
        found[f"in_order_{name}"] = count / (time.perf_counter() - began)
    return found


def torchvision_rates(root: Path, threads: int) -> dict[str, float] | None:
    """The same by ImageFolder and DataLoader, with worker processes; None where torchvision is missing."""
    try:
        import torch
        from torch.utils.data import DataLoader, Subset
        from torchvision import datasets, transforms
    except (ImportError, RuntimeError):
        return None
    torch.set_num_threads(1)
    began = time.perf_counter()
    prepare = transforms.Compose(
        [
            transforms.Resize(PREPARED), transforms.CenterCrop(PREPARED), transforms.ToTensor(),
            transforms.Normalize((0.5,) * 3, (0.25,) * 3),
        ]
    )  # fmt: skip
    whole = datasets.ImageFolder(str(root), prepare)
    found = {"start_seconds": time.perf_counter() - began}
    chosen = np.random.default_rng(0).permutation(len(whole))[:DECODED].tolist()
    for name, shuffle in (("training", True), ("in_order", False)):
        loader = DataLoader(Subset(whole, chosen), batch_size=BATCH, shuffle=shuffle, num_workers=threads)
        began = time.perf_counter()
        count = sum(len(labels) for _, labels in loader)
        found[name] = count / (time.perf_counter() - began)
    return found


def judge(root: Path, cache: Path) -> dict[str, float]:
    """Peak memory of a judge whose images fill its limit: it holds them all, and judges the smallest member on some."""
    import torch

    from edgenas.data import fit_preprocessing, load
    from edgenas.data.subset import some_of
    from edgenas.space import load as load_space
    from edgenas.space import with_task
    from edgenas.supernet import Supernet, SupernetEvaluator
    from edgenas.supernet.judging.images import MEMORY_MIB

    torch.set_num_threads(1)
    data = load(_settings(root, cache, store=False, side=JUDGE_SIDE))
    space = with_task(load_space("mobilenet_v3"), classes=len(data.classes), resolutions=[JUDGE_SIDE])
    fitted = fit_preprocessing(some_of(data.train, 256))
    supernet = Supernet(space)
    holding = min(len(data.validation), MEMORY_MIB * 2**20 // (JUDGE_SIDE**2 * 3))
    holder = SupernetEvaluator(supernet, data, fitted, images=holding)
    before = _peak_mib()
    held = sum(len(batch.labels) for part in holder._images.at(JUDGE_SIDE) for batch in part)
    SupernetEvaluator(supernet, data, fitted, images=JUDGED).evaluate(space.smallest()[None])
    return {"peak_memory_mib": _peak_mib(), "before_mib": before, "held_images": held, "held_mib": _held(holder)}


def _held(evaluator: Any) -> float:
    return evaluator._images.nbytes / 2**20


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _in_process(*arguments: str, python: str = sys.executable) -> Any:
    """Run one measurement in a process of its own, so that its memory is its own."""
    done = subprocess.run([python, __file__, *arguments], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


def measure(count: int, *, side: int, torchvision_python: str | None) -> dict[str, Any]:
    """Make the images, and run every measurement in a process of its own."""
    threads = sorted({1, 2, len(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="edgenas-scale-") as temporary:
        root, cache = Path(temporary, "images"), Path(temporary, "cache")
        began = time.perf_counter()
        make_images(root, count, side)
        _say(f"{count} images made in {time.perf_counter() - began:.0f} s")
        # Files of the last two seconds are not kept in the index.
        time.sleep(3)
        places = ["--root", str(root), "--cache", str(cache)]
        first = _in_process("--part", "start", *places)
        _say(f"first start {first}")
        second = _in_process("--part", "start", *places)
        _say(f"second start {second}")
        prepared = _in_process("--part", "prepare", *places)
        _say(f"preparing {prepared}")
        again = _in_process("--part", "prepare", *places)
        _say(f"start with prepared images {again}")
        ours, theirs = {}, {}
        for number in threads:
            ours[str(number)] = _in_process("--part", "rates", "--threads", str(number), *places)
            python = torchvision_python or sys.executable
            theirs[str(number)] = _in_process(
                "--part", "torchvision", "--threads", str(number), *places, python=python
            )
            _say(f"{number} threads: ours {ours[str(number)]}, torchvision {theirs[str(number)]}")
        judged = _in_process("--part", "judge", *places)
        _say(f"judge {judged}")
    missing = all(found is None for found in theirs.values())
    return {
        "images": count, "side": side, "prepared_side": PREPARED, "processors": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "first_start_seconds_per_100k": first["seconds"] * 100_000 / count,
        "second_start_seconds": second["seconds"],
        "peak_memory_mib": max(part["peak_memory_mib"] for part in (first, second, prepared, again)),
        "judge_memory_mib": judged["peak_memory_mib"],
        "images_per_second": {"ours": ours, "torchvision": None if missing else theirs},
        "parts": {
            "first_start": first, "second_start": second, "preparing": prepared, "start_prepared": again,
            "judge": judged,
        },
    }  # fmt: skip


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Read the arguments; print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200_000, help="files; at least 5 for each of the 1,000 classes")
    parser.add_argument("--side", type=int, default=SIDE, help="of the files, pixels")
    parser.add_argument("--json", type=Path, help="where the result is written")
    parser.add_argument("--torchvision-python", help="interpreter of an environment with torchvision")
    parser.add_argument("--part", choices=["start", "prepare", "rates", "torchvision", "judge"], help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part is None:
        result = measure(given.images, side=given.side, torchvision_python=given.torchvision_python)
        text = json.dumps(result, indent=1)
        print(text)
        if given.json is not None:
            given.json.write_text(text + "\n", encoding="utf-8")
        return
    parts = {
        "start": lambda: start(given.root, given.cache, store=False),
        "prepare": lambda: start(given.root, given.cache, store=True),
        "rates": lambda: rates(given.root, given.cache, given.threads),
        "torchvision": lambda: torchvision_rates(given.root, given.threads),
        "judge": lambda: judge(given.root, given.cache),
    }
    print(json.dumps(parts[given.part]()))


if __name__ == "__main__":
    main()
