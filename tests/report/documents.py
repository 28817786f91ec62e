"""A small run, as the documents of its directory."""

from typing import Any

DOCUMENTS: dict[str, dict[str, Any]] = {
    "settings.json": {"name": "small", "seed": 3, "version": "0.1.0"},
    "data.json": {
        "source": "digits", "classes": ["0", "1"], "counts": {"train": 80, "validation": 20, "test": 20},
        "resolution": 8, "channels": 1, "notes": ["2 images were skipped."], "digest": "d" * 32,
    },
    "latency/summary.json": {
        "device": {"cpu": "Some <CPU>", "machine": "x86_64"},
        "runtime": {"runtime": "ort", "version": "1.20", "precision": "fp32", "threads": 1, "mode": "hot"},
        "entries": 12, "origin": "measured here",
        "validation": {
            "mape_percent": 1.23, "within_5_percent": 100.0, "within_10_percent": 100.0, "kendall_tau": 0.97,
            "interval_coverage_percent": 90.0,
            "networks": [{"predicted_ms": 0.021, "measured_ms": 0.02}, {"predicted_ms": 0.04, "measured_ms": 0.041}],
        },
    },
    "supernet/training.json": {"scheme": "cycle", "epochs": 10, "seconds": 12.0},
    "search.json": {
        "space": "tiny", "space_size": "1,000", "strategy": "nsga2", "objectives": ["accuracy", "latency_ms"],
        "judged": 2, "failures": 1, "failure_reasons": [{"reason": "did not work", "count": 1}], "front": [0, 1],
        "evaluations": [
            {"digest": "a" * 32, "genes": [0], "metrics": {"accuracy": {"value": 0.9}, "latency_ms": {"value": 0.02}}},
            {"digest": "b" * 32, "genes": [1], "metrics": {"accuracy": {"value": 0.95}, "latency_ms": {"value": 0.04}}},
            {"failure": "did not work", "digest": "c" * 32},
        ],
        "progress": {"nsga2": {"evaluations": [1, 2], "hypervolume": [0.1, 0.5]}},
    },
    "front.json": {
        "budget_ms": 0.03,
        "networks": [
            {
                "digest": letter * 32, "accuracy": accuracy, "predicted_ms": latency, "measured_ms": latency,
                "standard_error_ms": 0.001, "macs": 1000, "within_budget": latency < 0.03,
            }
            for letter, accuracy, latency in (("a", 0.9, 0.02), ("b", 0.95, 0.04))
        ],
    },
    "winner.json": {
        "digest": "a" * 32, "notation": "r8 | ...", "macs": 1000, "params": 200, "inherited_accuracy": 0.9,
        "test_accuracy": {"value": 0.93, "low": 0.91, "high": 0.95}, "file": "model.onnx", "file_latency_ms": 0.0213,
        "files": [
            {
                "name": "model.onnx", "accuracy": 0.93, "accuracy_low": 0.91, "accuracy_high": 0.95,
                "top1_agreement": 1.0,
                "latency_ms": 0.0213, "latency_spread_ms": 0.0002, "bytes": 4096,
            }
        ],
        "warnings": ["model.int8.onnx is slower than model.onnx."], "notes": [], "reason": "It is the best.",
        "neighbours": [
            {"change": "width: 1.0 to 0.5", "accuracy_change": -0.02, "latency_change": -0.3, "macs_change": -0.4}
        ],
        "neighbour_error": 0.01,
        "layers": [
            {"block": "stem", "what": "3x3 to 8", "shape": "8 x 8 x 8", "macs": 600, "params": 100, "latency_ms": 0.01},
            {"block": "head", "what": "pool", "shape": "10 x 1 x 1", "macs": 400, "params": 100, "latency_ms": 0.01},
        ],
        "training": {
            "epochs": 2, "from_supernet": True, "seconds": 3.0, "validation_accuracy": 0.94,
            "history": [{"epoch": 1, "validation_accuracy": 0.9}, {"epoch": 2, "validation_accuracy": 0.94}],
        },
    },
    "export/card.json": {},
    "stages.json": {
        "data": {"seconds": 1.0}, "search": {"seconds": 3.0},
        "supernet": {"seconds": 2.0, "outputs": {"supernet/supernet.safetensors": "e" * 64}},
    },
}  # fmt: skip
