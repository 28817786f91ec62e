"""Writing and checking the files of a trained network."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgenas.pipeline.context import RunContext
from edgenas.pipeline.training import Trained


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """One file and what was found about it."""

    name: str
    file_format: str
    precision: str
    accuracy: float
    standard_error: float
    top1_agreement: float
    latency_ms: float
    latency_spread_ms: float
    bytes: int

    def document(self) -> dict[str, Any]:
        return asdict(self)


def recipe_digest(recipe: str) -> str:
    return hashlib.sha256(recipe.encode()).hexdigest()


def export_network(context: RunContext, trained: Trained, folder: Path) -> tuple[tuple[ExportedFile, ...], tuple[str, ...]]:
    import json

    from edgenas.deploy.calibrate import observe, ranges
    from edgenas.deploy.runners import logits_of_split, open_file, split_batches
    from edgenas.formats import encode
    from edgenas.measure import ModelFile, measure_files
    from edgenas.train import predict_logits
    from edgenas.train.result import standard_error

    data, pre, graph, weights = trained.data, trained.preprocessing, trained.module.graph, trained.module.weights()
    seen = observe(graph, weights, split_batches(data.train, pre, limit=256))
    found = ranges(seen, "minmax")
    torch_top = predict_logits(trained.module, data.test, pre).argmax(1)
    names = {("onnx", "fp32"): "model.onnx", ("onnx", "int8"): "model.int8.onnx", ("tflite", "fp32"): "model.tflite", ("tflite", "int8"): "model.int8.tflite"}
    blobs = {key: encode(graph, weights, file_format=key[0], precision=key[1], ranges=found if key[1] == "int8" else None) for key in names}
    lat = measure_files([ModelFile(name=names[k], data=b, file_format=k[0]) for k, b in blobs.items()])
    folder.mkdir(exist_ok=True)
    out = []
    for (k, b), l in zip(blobs.items(), lat, strict=True):
        (folder / names[k]).write_bytes(b)
        top = logits_of_split(open_file(b, k[0]), data.test, pre).argmax(1)
        hits = int((top == data.test.labels).sum())
        out.append(ExportedFile(name=names[k], file_format=k[0], precision=k[1], accuracy=hits / len(top), standard_error=standard_error(hits, len(top)), top1_agreement=float((top == torch_top).mean()), latency_ms=l.latency_ms, latency_spread_ms=l.standard_error_ms, bytes=len(b)))
    (folder / "card.json").write_text(json.dumps({}))
    return tuple(out), ()
