"""Files of the zoo on their runtimes: parity, export time, size, latency beside the oracles', kernels, int8 / fp32.

    python benchmarks/export.py --json OUT [--networks mobilenet_v3_large,...]

The oracles are other people's exporters: `torch.onnx.export` for ONNX and, where the extra `oracles` is installed,
`litert_torch` for TFLite. One that is missing is named and left out. Weights are random: accuracy in int8 is judged
on trained networks only, in the bundles.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgenas import nn
from edgenas.arch import lower
from edgenas.arch.zoo import NAMES, published
from edgenas.deploy.counts import count_onnx, count_tflite
from edgenas.deploy.runners import open_file
from edgenas.formats import encode, random_weights
from edgenas.measure import ModelFile, Protocol, measure_files

VARIANTS = (("onnx", "fp32"), ("onnx", "int8"), ("tflite", "fp32"), ("tflite", "fp16"), ("tflite", "int8"))


def oracle_onnx(module: torch.nn.Module, image: torch.Tensor) -> bytes:
    """The same network by torch's own exporter (the TorchScript path needs no further package)."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (image,), stream, opset_version=17, dynamo=False)
    return stream.getvalue()


def oracle_tflite(module: torch.nn.Module, image: torch.Tensor) -> bytes:
    """The same network by litert_torch, NHWC."""
    import litert_torch

    wrapped = litert_torch.to_channel_last_io(module, args=[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        litert_torch.convert(wrapped.eval(), (image.permute(0, 2, 3, 1).contiguous(),)).export(str(path))
        return path.read_bytes()


def judge(name: str, oracles: dict[str, Any], protocol: Protocol) -> dict[str, Any]:
    """All variants of one network, measured alternately in one visit."""
    architecture = published(name)
    graph = lower(architecture)
    weights = random_weights(graph, np.random.default_rng(0))
    module = nn.build(architecture)
    module.load_weights(weights)
    module.eval()
    shape = (1, architecture.in_channels, architecture.resolution, architecture.resolution)
    image = torch.from_numpy(np.random.default_rng(1).standard_normal(shape).astype(np.float32))
    with torch.inference_mode():
        expected = module(image).numpy()
    results: dict[str, Any] = {}
    models = []
    for file_format, precision in VARIANTS:
        started = time.perf_counter()
        data = encode(graph, weights, file_format=file_format, precision=precision)
        entry: dict[str, Any] = {"export_seconds": time.perf_counter() - started, "bytes": len(data)}
        if precision != "int8":
            found = open_file(data, file_format)(image.numpy())
            entry["parity"] = float(np.abs(found - expected).max() / np.abs(expected).max())
        if file_format == "tflite":
            entry["delegates"] = count_tflite(data).delegates
        elif precision == "int8":
            entry["quantised_convolutions"] = count_onnx(data).quantised_convolutions
            entry["convolutions"] = sum(op.kind == "conv" for op in graph.ops)
        results[f"{file_format}_{precision}"] = entry
        models.append(ModelFile(name=f"{file_format}_{precision}", data=data, file_format=file_format))
    for file_format, export in oracles.items():
        models.append(ModelFile(name=f"oracle_{file_format}", data=export(module, image), file_format=file_format))
    latency = {found.name: found.latency_ms for found in measure_files(models, protocol=protocol)}
    for key, entry in results.items():
        entry["latency_ms"] = latency[key]
        file_format = key.partition("_")[0]
        if key.endswith("fp32") and file_format in oracles:
            entry["oracle_latency_ms"] = latency[f"oracle_{file_format}"]
        if key.endswith("int8"):
            entry["int8_to_fp32"] = latency[key] / latency[f"{file_format}_fp32"]
    return results


def main() -> None:
    """Parse the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--networks", default=",".join(NAMES), help="names of the zoo, separated by commas")
    parser.add_argument("--sessions", type=int, default=3, help="fresh sessions for each file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    oracles: dict[str, Any] = {"onnx": oracle_onnx}
    missing = []
    if find_spec("litert_torch") is not None:
        oracles["tflite"] = oracle_tflite
    else:
        missing.append("litert_torch (pip install edgenas[oracles])")
    for text in missing:
        print(f"left out: {text}", file=sys.stderr)
    protocol = Protocol(min_sessions=arguments.sessions, max_sessions=arguments.sessions)
    networks: dict[str, Any] = {}
    for name in arguments.networks.split(","):
        networks[name] = judge(name, oracles, protocol)
        for key, entry in networks[name].items():
            print(name, key, *(f"{what}={value:.4g}" for what, value in entry.items()), flush=True)
        arguments.json.write_text(json.dumps({"networks": networks, "left_out": missing}, indent=1) + "\n")


if __name__ == "__main__":
    main()
