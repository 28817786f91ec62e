"""Files of the zoo on their runtimes: parity, export time, size, latency beside the oracles', kernels, int8 / fp32.

    python benchmarks/export.py --json OUT [--networks mobilenet_v3_large,...] [--members 50] [--oracle-files DIR]

Two parts, each of which can be left out, are merged into OUT; a figure that a call does not take stays as it was. The
published networks (`--networks none` skips them): `--steps files,oracles,latency` says what is done, so that others'
files, which take minutes, can be written first (`--oracle-files DIR` keeps them) and measured on a quiet machine. And
random members of every preset of a search space, at no more than 96 pixels (`--members`). Images are the two
photographs that come with scikit-learn. The oracles are other people's exporters (see `oracles.py`); one that is
missing is named and left out. Weights are random, so int8 is judged by its kernels and its latency here; accuracy
in int8 is judged on trained networks, in the tests and in the bundles.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import oracles
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from edgenas import nn, space
from edgenas.arch import Architecture, Graph, lower
from edgenas.arch.zoo import NAMES, published
from edgenas.deploy.counts import count_onnx, count_tflite
from edgenas.deploy.runners import open_file
from edgenas.formats import encode, random_weights
from edgenas.measure import ModelFile, Protocol, measure_files

VARIANTS = (("onnx", "fp32"), ("onnx", "int8"), ("tflite", "fp32"), ("tflite", "fp16"), ("tflite", "int8"))
PRESETS = (
    "tiny", "edge_lite", "mobilenet_v2", "mnasnet", "mobilenet_v3", "mobilenet_v3_small", "ofa_mobilenet_v3",
    "efficientnet", "mobilenet_v4",
)  # fmt: skip
MEMBER_RESOLUTION = 96
_CALIBRATION_IMAGES = 4


def photographs(architecture: Architecture) -> NDArray[np.float32]:
    """Two real photographs as a network's input, (2, C, H, W), normalised."""
    size = (architecture.resolution, architecture.resolution)
    mode = "L" if architecture.in_channels == 1 else "RGB"
    pixels = [np.asarray(Image.fromarray(photo).convert(mode).resize(size)) for photo in load_sample_images().images]
    values = (np.stack(pixels).astype(np.float32) / 255 - 0.45) / 0.225
    return np.ascontiguousarray(values.reshape(len(pixels), *size, -1).transpose(0, 3, 1, 2))


def prepare(architecture: Architecture, seed: int) -> tuple[Graph, dict[str, Any], torch.nn.Module]:
    """A network with random weights, and its torch module."""
    graph = lower(architecture)
    weights = random_weights(graph, np.random.default_rng(seed))
    module = nn.build(architecture)
    module.load_weights(weights)
    return graph, weights, module.eval()


def parity(data: bytes, file_format: str, images: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Largest difference of a logit from torch's, divided by the largest logit."""
    return float(np.abs(open_file(data, file_format)(images) - expected).max() / np.abs(expected).max())


Entries = dict[str, dict[str, Any]]


def judge_files(
    graph: Graph, weights: dict[str, Any], images: NDArray[np.float32], expected: NDArray[np.float32]
) -> tuple[dict[str, bytes], Entries]:
    """Our files by variant, and export time, size, parity and kernels of each."""
    files: dict[str, bytes] = {}
    entries: Entries = {}
    for file_format, precision in VARIANTS:
        started = time.perf_counter()
        data = encode(graph, weights, file_format=file_format, precision=precision)
        entry: dict[str, Any] = {"export_seconds": time.perf_counter() - started, "bytes": len(data)}
        if precision != "int8":
            entry["parity"] = parity(data, file_format, images, expected)
        if file_format == "tflite":
            entry["delegates"] = count_tflite(data).delegates
        elif precision == "int8":
            entry["quantised_convolutions"] = count_onnx(data).quantised_convolutions
            entry["convolutions"] = sum(op.kind == "conv" for op in graph.ops)
        files[f"{file_format}_{precision}"], entries[f"{file_format}_{precision}"] = data, entry
    return files, entries


def measure(files: dict[str, bytes], others: dict[str, bytes], protocol: Protocol) -> Entries:
    """Latency of our files and of the oracles', measured alternately in one visit."""
    named = {**files, **{f"oracle_{key}": data for key, data in others.items()}}
    models = [
        ModelFile(name=key, data=data, file_format="onnx" if "onnx" in key else "tflite") for key, data in named.items()
    ]
    found = {latency.name: latency for latency in measure_files(models, protocol=protocol)}
    entries: Entries = {}
    for key in files:
        entry: dict[str, Any] = {"latency_ms": found[key].latency_ms}
        for prefix, suffix in (("oracle", ""), ("oracle_float_hard_swish", "_float_hard_swish")):
            if (other := found.get(f"oracle_{key}{suffix}")) is not None:
                ratios = [
                    ours.value_ns(protocol.clock) / theirs.value_ns(protocol.clock)
                    for ours, theirs in zip(found[key].samples, other.samples, strict=True)
                ]
                entry[f"{prefix}_latency_ms"] = other.latency_ms
                # Of sessions that took turns: what the machine did to both cancels.
                entry[f"to_{prefix}"] = float(np.median(ratios))
                entry[f"to_{prefix}_low"], entry[f"to_{prefix}_high"] = min(ratios), max(ratios)
        if key.endswith("int8"):
            entry["int8_to_fp32"] = found[key].latency_ms / found[f"{key.split('_')[0]}_fp32"].latency_ms
        entries[key] = entry
    return entries


def make_oracles(
    module: torch.nn.Module,
    images: NDArray[np.float32],
    expected: NDArray[np.float32],
    *,
    with_tflite: bool,
) -> tuple[dict[str, bytes], Entries]:
    """The oracles' files by the name of ours, and their export time, parity and kernels."""
    noise = np.random.default_rng(1).standard_normal((_CALIBRATION_IMAGES, *images.shape[1:])).astype(np.float32)
    files: dict[str, bytes] = {}
    entries: Entries = {}
    started = time.perf_counter()
    files["onnx_fp32"] = oracles.torch_onnx(module, images[:1])
    seconds = time.perf_counter() - started
    found = parity(files["onnx_fp32"], "onnx", images, expected)
    entries["onnx_fp32"] = {"oracle_export_seconds": seconds, "oracle_parity": found}
    files["onnx_int8"] = oracles.ort_int8(files["onnx_fp32"], noise)
    counted = count_onnx(files["onnx_int8"]).quantised_convolutions
    entries["onnx_int8"] = {"oracle_quantised_convolutions": counted}
    if not with_tflite:
        return files, entries
    started = time.perf_counter()
    files["tflite_fp32"] = oracles.litert_tflite(module, images[:1])
    seconds = time.perf_counter() - started
    found = parity(files["tflite_fp32"], "tflite", images, expected)
    entries["tflite_fp32"] = {"oracle_export_seconds": seconds, "oracle_parity": found}
    files["tflite_int8"] = oracles.edge_int8(files["tflite_fp32"], noise, float_hard_swish=False)
    entries["tflite_int8"] = {"oracle_delegates": count_tflite(files["tflite_int8"]).delegates}
    other = oracles.edge_int8(files["tflite_fp32"], noise, float_hard_swish=True)
    if other != files["tflite_int8"]:
        files["tflite_int8_float_hard_swish"] = other
        entries["tflite_int8"]["oracle_float_hard_swish_delegates"] = count_tflite(other).delegates
    return files, entries


def judge_network(
    name: str, steps: Sequence[str], protocol: Protocol, *, with_tflite: bool, kept: Path | None
) -> Entries:
    """What the wanted steps find out about one published network, by variant."""
    architecture = published(name)
    graph, weights, module = prepare(architecture, seed=0)
    images = photographs(architecture)
    with torch.inference_mode():
        expected = module(torch.from_numpy(images)).numpy() if {"files", "oracles"} & set(steps) else images
    results: Entries = {f"{file_format}_{precision}": {} for file_format, precision in VARIANTS}
    others: dict[str, bytes] = {}
    if "files" in steps:
        merge(results, judge_files(graph, weights, images, expected)[1])
    if "oracles" in steps:
        others, entries = make_oracles(module, images, expected, with_tflite=with_tflite)
        merge(results, entries)
        for key, data in others.items() if kept is not None else ():
            (kept / f"{name}.{key}").write_bytes(data)
    elif kept is not None:
        others = {path.suffix[1:]: path.read_bytes() for path in sorted(kept.glob(f"{name}.*"))}
    if "latency" in steps:
        files = {
            f"{file_format}_{precision}": encode(graph, weights, file_format=file_format, precision=precision)
            for file_format, precision in VARIANTS
        }
        merge(results, measure(files, others, protocol))
    return results


def merge(into: Entries, entries: Entries) -> None:
    """Put figures over those of the same name."""
    for key, entry in entries.items():
        into[key] = {**into.get(key, {}), **entry}


def judge_members(preset: str, count: int) -> dict[str, Any]:
    """Parity of random members of a preset in both formats, and whether int8 files load and run on integers."""
    found = space.load(preset)
    genes = found.sample(count, np.random.default_rng(0))
    worst = {"onnx": 0.0, "tflite": 0.0}
    unquantised = partitions = 0
    for number, row in enumerate(genes):
        architecture = found.decode(row)
        architecture = replace(architecture, resolution=min(architecture.resolution, MEMBER_RESOLUTION))
        graph, weights, module = prepare(architecture, seed=number)
        images = photographs(architecture)
        with torch.inference_mode():
            expected = module(torch.from_numpy(images)).numpy()
        for file_format in ("onnx", "tflite"):
            data = encode(graph, weights, file_format=file_format)
            worst[file_format] = max(worst[file_format], parity(data, file_format, images, expected))
        convolutions = sum(op.kind == "conv" for op in graph.ops)
        unquantised += count_onnx(encode(graph, weights, precision="int8")).quantised_convolutions != convolutions
        quantised = encode(graph, weights, file_format="tflite", precision="int8")
        partitions += not count_tflite(quantised).covered
    return {
        "members": count,
        "worst_parity_onnx": worst["onnx"],
        "worst_parity_tflite": worst["tflite"],
        "onnx_int8_with_float_convolutions": unquantised,
        "tflite_int8_in_pieces": partitions,
    }


def main() -> None:
    """Parse the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="file to write, or to merge into")
    parser.add_argument("--networks", default=",".join(NAMES), help="names of the zoo, separated by commas, or none")
    parser.add_argument("--members", type=int, default=0, help="random members of every preset")
    parser.add_argument("--steps", default="files,oracles,latency", help="what is done with the published networks")
    parser.add_argument("--oracle-files", type=Path, help="folder that keeps the oracles' files between calls")
    parser.add_argument("--sessions", type=int, default=3, help="fresh sessions for each file")
    parser.add_argument("--runs", type=int, default=24, help="timed runs of each file in a session")
    parser.add_argument(
        "--tflite-oracles", default="all", help="networks that litert_torch exports too (half a minute each), or all"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    document: dict[str, Any] = {"networks": {}, "members": {}, "left_out": []}
    if arguments.json.exists():
        document.update(json.loads(arguments.json.read_text()))
    if "oracles" in arguments.steps.split(","):
        document["left_out"] = []
    if "oracles" in arguments.steps.split(",") and not oracles.has_tflite_oracles():
        document["left_out"] = ["litert_torch, ai_edge_quantizer (pip install edgenas[oracles])"]
        print(f"left out: {document['left_out'][0]}", file=sys.stderr)
    bursts = min(3, arguments.runs)
    protocol = Protocol(
        min_sessions=arguments.sessions,
        max_sessions=arguments.sessions,
        bursts=bursts,
        runs=max(1, arguments.runs // bursts),
        warmup=min(6, arguments.runs),
    )
    if arguments.oracle_files is not None:
        arguments.oracle_files.mkdir(parents=True, exist_ok=True)
    for name in arguments.networks.split(",") if arguments.networks != "none" else ():
        wanted = arguments.tflite_oracles == "all" or name in arguments.tflite_oracles.split(",")
        judged = judge_network(
            name,
            arguments.steps.split(","),
            protocol,
            with_tflite=wanted and oracles.has_tflite_oracles(),
            kept=arguments.oracle_files,
        )
        merge(document["networks"].setdefault(name, {}), judged)
        for key, entry in judged.items():
            print(name, key, *(f"{what}={value:.4g}" for what, value in entry.items()), flush=True)
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    for preset in PRESETS if arguments.members else ():
        document["members"][preset] = judge_members(preset, arguments.members)
        print(preset, *(f"{what}={value:.4g}" for what, value in document["members"][preset].items()), flush=True)
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
