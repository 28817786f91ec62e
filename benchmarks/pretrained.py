"""What is the best small network for photographs that starts from pretrained weights? Ours against what people do.

Every way delivers a network within a share of EfficientNet-Lite0's latency, in about equal CPU time. Networks are
always measured alternately with the whole Lite0, since the pace of a machine may change; milliseconds are the share
times the latency of the whole Lite0 as the first command found it.

- smaller_input: Lite0 at 48 to 80 pixels, the largest size that meets the budget; 48 where none does;
- uniform_pruning: channels by importance, one share everywhere;
- netadapt: `edgenas refine` of the fine-tuned Lite0;
- whole: Lite0 itself, within no budget: what the others lose;
- from_nothing: `configs/image_folder.yaml`, a search without pretrained weights;
- ours: `configs/photos.yaml`.

The budgets are for ONNX Runtime in fp32. The same trained networks are judged as LiteRT int8 files too. A finished cell
is kept in the JSON, and the same command goes on with the next.

    python benchmarks/pretrained.py --data PHOTOS --json benchmarks/results/pretrained.json
    python benchmarks/pretrained.py --data PHOTOS --json OUT.json --seeds 1 --minutes 3        # a quick look
    python benchmarks/pretrained.py --data PHOTOS --json OUT.json --again      # all latencies anew, on a quiet machine
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from uniform_width import uniform

import edgenas as en
from edgenas import atomic
from edgenas.data import Preprocessing
from edgenas.deploy.runners import logits_of_split, open_file
from edgenas.errors import BudgetError
from edgenas.measure import ModelFile, measure_files
from edgenas.nn import Checkpoint, load_checkpoint, save_checkpoint
from edgenas.pipeline.core.device_latency import measured_networks, model_files
from edgenas.pipeline.export.bundle import file_document

NETWORK = "efficientnet_lite0"
RESOLUTION = 96
BUDGETS = (0.3, 0.6)
SMALLER = (80, 72, 64, 56, 48)
FACTORS = tuple(share / 20 for share in range(19, 1, -1))
RUNTIMES = {"ort_fp32": ("onnx", "fp32"), "litert_int8": ("tflite", "int8")}
ENGINES: dict[str, Any] = {"onnx": "ort", "tflite": "litert"}
AGAIN = 3
"""Visits of every file when files are measured again."""

SUPERNET, TRAINING = 0.45, 0.45
"""Shares of the time that a search gets for its supernet, and for fine-tuning finalists; judging takes the rest."""

AUGMENT = ("train.augment.crop_padding=8", "train.augment.flip=true", "train.augment.jitter=0.2")
RECIPE = ("train.batch_size=32", "train.learning_rate=0.0007", "train.averaging_decay=0.99",
          "train.label_smoothing=0.1", "train.epochs=1000", *AUGMENT)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one delivery is about.

    Attributes:
        data: Folder of photographs.
        work: Where its files lie.
        shared: Where files lie that serve all budgets of a seed.
        classes: How many.
        share: Of the whole network's latency that the ORT fp32 file may take.
        whole_ms: Latency of the whole network by runtime, ms.
        seed: Of all training.
        seconds: Of training, in all.
    """

    data: str
    work: Path
    shared: Path
    classes: int
    share: float
    whole_ms: dict[str, float]
    seed: int
    seconds: float

    def keys(self, *more: str) -> list[str]:
        """Return overrides of a configuration."""
        return [f"data.path={self.data}", "data.source=folder", "threads=1", f"seed={self.seed}", *more]

    def train(self, start: str | Path, network: Any, *, resolution: int, share: float, name: str) -> en.TrainedNetwork:
        """Fine-tune a network for a share of the time."""
        config = en.load_config(
            "photos", self.keys(*RECIPE, f"train.seconds={share * self.seconds}", f"data.resolution={resolution}")
        )
        return en.train(network, config=config, start=start, seed=self.seed, folder=self.work / name)


def smaller_input(cell: Cell) -> Path:
    fits = [size for size in SMALLER if _share(_lite0(cell.classes, size), cell) <= cell.share]
    size = fits[0] if fits else SMALLER[-1]
    return cell.train(NETWORK, NETWORK, resolution=size, share=1.0, name=f"at{size}").folder.path


def uniform_pruning(cell: Cell) -> Path:
    whole = load_checkpoint(cell.train(NETWORK, NETWORK, resolution=RESOLUTION, share=0.5, name="whole").checkpoint)
    for factor in FACTORS:
        network, weights = uniform(whole.architecture, whole.weights, factor)
        if _share(network, cell) <= cell.share:
            break
    start = cell.work / "narrow.safetensors"
    save_checkpoint(start, Checkpoint(architecture=network, weights=weights, metadata=whole.metadata))
    return cell.train(start, network, resolution=RESOLUTION, share=0.5, name="narrow").folder.path


def netadapt(cell: Cell) -> Path:
    whole = cell.train(NETWORK, NETWORK, resolution=RESOLUTION, share=0.4, name="whole")
    keys = cell.keys(*RECIPE, f"train.seconds={0.4 * cell.seconds}", f"data.resolution={RESOLUTION}")
    config = en.load_config("photos", keys)
    # A tenth of the latency a step: finer steps would leave no time to train in.
    folder = cell.work / "narrow"
    en.refine(whole, to_share=cell.share, step_share=0.1, short_steps=10, folder=folder, config=config)
    return folder


def whole(cell: Cell) -> Path:
    return cell.train(NETWORK, NETWORK, resolution=RESOLUTION, share=1.0, name="whole").folder.path


def from_nothing(cell: Cell) -> Path:
    return _search("image_folder", cell)


def ours(cell: Cell) -> Path:
    return _search("photos", cell)


METHODS: dict[str, Callable[[Cell], Path]] = {
    "smaller_input": smaller_input,
    "uniform_pruning": uniform_pruning,
    "netadapt": netadapt,
    "whole": whole,
    "from_nothing": from_nothing,
    "ours": ours,
}


SEARCHES = ("from_nothing", "ours")


def _search(config: str, cell: Cell) -> Path:
    """Search in a run that both budgets share: its supernet is trained once, and counts half for each of them."""
    section = en.load_config(config).train
    # Finalists: each is fine-tuned for a third of the epochs, the better half in full.
    trainings = section.finalists / 3 + (section.finalists + 1) // 2 if section.finalists > 1 else 1
    keys = cell.keys(
        *_budget(config, cell), f"output={cell.shared}", f"name={config}", "search.baseline=false", "train.epochs=999",
        f"supernet.seconds={SUPERNET * 2 * cell.seconds}", f"train.seconds={TRAINING * cell.seconds / trainings}",
        "supernet.epochs=1000", "latency.force=true", f"data.resolution={RESOLUTION}",
    )  # fmt: skip
    en.run(config, keys)
    return cell.shared / config


def _budget(config: str, cell: Cell) -> list[str]:
    """Return the budget as the configuration counts it: a share of Lite0 around Lite0, else milliseconds of today."""
    if config == "photos":
        return [f"target.budget_share={cell.share}"]
    whole = en.measure_latency(_lite0(cell.classes)).latency_ms
    return ["target.budget_share=null", f"target.budget_ms={cell.share * whole}"]


def _lite0(classes: int, resolution: int = RESOLUTION) -> Any:
    return replace(en.load_network(NETWORK, resolution=resolution), classes=classes)


def _whole_ms(classes: int) -> dict[str, float]:
    return {
        runtime: measured_networks([_lite0(classes)], runtime=ENGINES[name], precision=precision)[0].latency_ms
        for runtime, (name, precision) in RUNTIMES.items()
    }


def _share(network: Any, cell: Cell) -> float:
    """Return a network's latency over that of the whole one, in ONNX Runtime."""
    whole, own = measured_networks([_lite0(cell.classes), network])
    return own.latency_ms / whole.latency_ms


def _file_share(file: ModelFile, runtime: str, classes: int) -> float:
    """Return the latency of a file over that of the whole network's, in a runtime."""
    name, precision = RUNTIMES[runtime]
    (whole,) = model_files([_lite0(classes)], runtime=ENGINES[name], precision=precision)
    both = measure_files([whole, file])
    return both[1].latency_ms / both[0].latency_ms


def judged(folder: Path, cell: Cell) -> dict[str, Any]:
    """Return accuracy and latency of the files of what a way delivered; a run has exported them already."""
    found = folder / "model.safetensors"
    metadata = load_checkpoint(found).metadata
    # The images as the training prepared them, so that the splits are known to be the same.
    own = json.loads(metadata["preprocessing"])
    prepared = [f"data.{name}={own[name]}" for name in ("resolution", "interpolation", "crop")]
    bundle = cell.work / "judged"
    if (folder / "winner.json").is_file():
        # The other budget's run replaces the bundle.
        shutil.copytree(folder / "export", bundle, dirs_exist_ok=True)
        files = json.loads((folder / "winner.json").read_text())["files"]
    else:
        config = en.load_config("photos", cell.keys(*prepared))
        card = en.export(found, out=bundle, config=config, force=True)
        files = [file_document(file) for file in card.files]
    images = en.load_images(cell.data, **{name: own[name] for name in ("resolution", "interpolation", "crop")}).test
    rows = {}
    for runtime, wanted in RUNTIMES.items():
        file = next(file for file in files if (file["format"], file["precision"]) == wanted)
        data = (bundle / file["name"]).read_bytes()
        predict = open_file(data, file["format"])
        logits = logits_of_split(predict, images, Preprocessing.from_dict(own))
        hits = logits.argmax(1) == np.asarray(images.labels)
        assert abs(hits.mean() - file["accuracy"]) < 1e-9, "the file was judged on other images"
        share = _file_share(ModelFile(name=file["name"], data=data, file_format=file["format"]), runtime, cell.classes)
        rows[runtime] = {
            "name": file["name"], "accuracy": 100 * file["accuracy"], "share": share,
            "latency_ms": share * cell.whole_ms[runtime],
            "hits": np.packbits(hits).tobytes().hex(), "images": len(hits),
        }  # fmt: skip
    return rows


def measured_again(state: dict[str, Any], work: Path, classes: int) -> None:
    """Measure the whole network and the files of every cell again, on a machine that is quiet by now."""
    for key, cell in state["cells"].items():
        for runtime, row in cell["files"].items():
            name = row.get("name", "model.onnx" if runtime == "ort_fp32" else "model.int8.tflite")
            data = (work / key.replace(" ", "-") / "judged" / name).read_bytes()
            shares = [
                _file_share(ModelFile(name=name, data=data, file_format=RUNTIMES[runtime][0]), runtime, classes)
                for _ in range(AGAIN)
            ]
            row["share"] = statistics.median(shares)
            row["share_range"] = [min(shares), max(shares)]
            row["latency_ms"] = row["share"] * state["whole_ms"][runtime]
            spread = f"{min(shares):.3f} to {max(shares):.3f}"
            print(f"{key} {runtime}: {row['share']:.3f} of the whole ({spread})", flush=True)


def summary(cells: dict[str, Any]) -> dict[str, Any]:
    """Return rows[budget][runtime][method] from the finished cells."""
    rows: dict[str, Any] = {}
    for key, cell in cells.items():
        budget, method, _ = key.split(" ")
        for runtime, found in cell["files"].items():
            rows.setdefault(budget, {}).setdefault(runtime, {}).setdefault(method, []).append({**found, **cell})
    return {b: {r: {m: _row(found) for m, found in ms.items()} for r, ms in rs.items()} for b, rs in rows.items()}


def shared_cost(cells: dict[str, Any]) -> dict[str, Any]:
    """Return the cells with the supernet of a search counted half for each budget, not whole for the first."""
    both = {}
    for key, cell in cells.items():
        _, method, seed = key.split(" ")
        same = [other["cpu_minutes"] for name, other in cells.items() if name.split(" ")[1:] == [method, seed]]
        both[key] = {**cell, "cpu_minutes": statistics.fmean(same)} if method in SEARCHES else cell
    return both


def margins(cells: dict[str, Any]) -> dict[str, Any]:
    """Return by how many points ours is ahead of each other way, with the standard error over the same test images."""
    found: dict[str, Any] = {}
    seeds = {key.split(" ")[2] for key in cells}
    for budget in {key.split(" ")[0] for key in cells}:
        for method in [name for name in METHODS if name != "ours"]:
            both = [seed for seed in seeds if f"{budget} ours {seed}" in cells and f"{budget} {method} {seed}" in cells]
            for runtime in RUNTIMES if both else ():
                pairs = [[cells[f"{budget} {name} {seed}"] for name in ("ours", method)] for seed in both]
                lead = np.mean([_hits(mine, runtime) - _hits(other, runtime) for mine, other in pairs], axis=0)
                error = 100 * lead.std(ddof=1) / len(lead) ** 0.5
                found.setdefault(budget, {}).setdefault(runtime, {})[method] = {
                    "points": float(100 * lead.mean()), "standard_error": float(error), "seeds": len(both)
                }  # fmt: skip
    return found


def _hits(cell: dict[str, Any], runtime: str) -> Any:
    file = cell["files"][runtime]
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(file["hits"]), dtype=np.uint8))[: file["images"]]
    return bits.astype(np.float64)


def _row(found: list[dict[str, Any]]) -> dict[str, Any]:
    accuracy = [cell["accuracy"] for cell in found]
    mean = statistics.fmean(accuracy)
    # The same test images judge every seed, so their error does not shrink with more seeds.
    images = (mean * (100 - mean) / found[0]["images"]) ** 0.5
    seeds = statistics.stdev(accuracy) / len(accuracy) ** 0.5 if len(accuracy) > 1 else 0.0
    return {
        "accuracy_mean": mean,
        "accuracy_se": (images**2 + seeds**2) ** 0.5,
        "latency_ms": statistics.fmean(cell["latency_ms"] for cell in found),
        "latency_share": statistics.fmean(cell["share"] for cell in found),
        "cpu_minutes": statistics.fmean(cell["cpu_minutes"] for cell in found),
        "seeds": len(found),
    }


def _cpu_minutes() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="one folder of photographs a class")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="folder of all trainings; beside the JSON if left out")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=13.0, help="of training, for every way and budget")
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=tuple(METHODS))
    parser.add_argument("--budgets", nargs="+", type=float, default=BUDGETS)
    parser.add_argument("--again", action="store_true", help="measure the files of all finished cells, train nothing")
    given = parser.parse_args()
    work = given.work or given.json.with_suffix("")
    state = json.loads(given.json.read_text()) if given.json.is_file() else {"cells": {}}
    classes = len(en.load_images(given.data, resolution=RESOLUTION).classes)
    if given.again:
        state["whole_ms"] = _whole_ms(classes)
        measured_again(state, work, classes)
        state["rows"] = summary(shared_cost(state["cells"]))
        atomic.write_json(given.json, state)
        return
    if "whole_ms" not in state:
        state["whole_ms"] = _whole_ms(classes)
    for seed in range(given.seeds):
        for budget in given.budgets:
            for method in given.methods:
                key = f"{budget:g} {method} {seed}"
                if key in state["cells"] or key in state.get("failed", {}):
                    continue
                cell = Cell(
                    data=given.data, work=work / key.replace(" ", "-"), shared=work / f"shared-{seed}",
                    classes=classes, share=budget, whole_ms=state["whole_ms"], seed=seed, seconds=60 * given.minutes,
                )  # fmt: skip
                cell.work.mkdir(parents=True, exist_ok=True)
                started = _cpu_minutes()
                try:
                    folder = METHODS[method](cell)
                except BudgetError as error:
                    # No network of this way is so fast: that is a result too.
                    state["failed"] = {**state.get("failed", {}), key: str(error)}
                    atomic.write_json(given.json, state)
                    print(f"{key}: {error}", flush=True)
                    continue
                spent = _cpu_minutes() - started
                files = judged(folder, cell)
                state["cells"][key] = {"files": files, "cpu_minutes": spent}
                state["rows"], state["margins"] = summary(shared_cost(state["cells"])), margins(state["cells"])
                atomic.write_json(given.json, state)
                told = ", ".join(f"{r} {v['accuracy']:.1f} % at {v['latency_ms']:.3f} ms" for r, v in files.items())
                print(f"{key}: {told}, {spent:.1f} CPU minutes", flush=True)


if __name__ == "__main__":
    main()
