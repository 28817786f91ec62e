"""A network that collapses in int8 without being tampered with, and what the accuracy guard makes of it.

    python benchmarks/int8_collapse.py --data folder:PHOTOS --json OUT [--learning-rate 0.5] [--checkpoint FILE]

MobileNetV3-Small (hard-swish and squeeze-excite) trained by SGD at a high learning rate without weight decay grows
activations whose extremes lie far from the rest. Calibrated by extremes, eight bits leave little for the rest. The
guard decides on validation images alone; what is printed at the end is on test images.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgenas import nn
from edgenas.arch import lower
from edgenas.arch.zoo import published
from edgenas.data import DataSettings, fit_preprocessing, load, parse_source
from edgenas.deploy import CalibrationSpec, FileSpec, GuardSpec, Recipe
from edgenas.deploy.accuracy import compare
from edgenas.deploy.quantise.calibrate import observe
from edgenas.deploy.quantise.guard import Guard
from edgenas.deploy.runners import logits_of_split, open_file, split_batches
from edgenas.train import TrainSettings, fit

FILES = (
    FileSpec(name="model.int8.onnx", format="onnx", precision="int8"),
    FileSpec(name="model.int8.tflite", format="tflite", precision="int8"),
)


def main() -> None:
    """Train or load, quantise by extremes, let the guard repair, judge on test images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="folder:photos", help="SOURCE:PATH of class folders of photographs")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="trained before; else trained now and kept beside the JSON")
    parser.add_argument("--network", default="mobilenet_v3_small")
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--remedies", default="calibration,bias_correction,exclude_layers,fine_tune")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    source, path = parse_source(arguments.data)
    data = load(DataSettings(source=source, path=path, resolution=arguments.resolution))
    preprocessing = fit_preprocessing(data.train)
    architecture = replace(published(arguments.network), resolution=arguments.resolution, classes=len(data.classes))
    module = nn.build(architecture, generator=torch.Generator().manual_seed(0))
    if arguments.checkpoint is not None:
        module.load_weights(nn.load_checkpoint(arguments.checkpoint).weights)
    else:
        settings = TrainSettings(
            epochs=arguments.epochs, optimizer="sgd", learning_rate=arguments.learning_rate, weight_decay=0.0
        )
        fit(module, data, settings, preprocessing=preprocessing)
        kept = nn.Checkpoint(architecture=architecture, weights=module.weights())
        nn.save_checkpoint(arguments.json.with_suffix(".safetensors"), kept)
    module.eval()
    weights, graph = module.weights(), lower(architecture)

    def torch_logits(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(images)).numpy()

    validation, test = (logits_of_split(torch_logits, split, preprocessing) for split in (data.validation, data.test))
    observed = observe(graph, weights, split_batches(data.train, preprocessing, limit=256))
    widest = sorted(
        (
            (max(-low, high) / float(np.std(observed.samples[name])), name)
            for name, (low, high) in observed.extremes.items()
        ),
        reverse=True,
    )
    document: dict[str, Any] = {
        "network": arguments.network,
        "torch_test_accuracy": float((test.argmax(1) == data.test.labels).mean()),
        "extremes_in_standard_deviations": [{"name": name, "ratio": ratio} for ratio, name in widest[:5]],
        "files": {},
    }
    print(f"torch: {document['torch_test_accuracy']:.4f} of {len(data.test)} test images")
    for ratio, name in widest[:5]:
        print(f"extreme of {name}: {ratio:.1f} standard deviations")
    for file in FILES:
        entry = {}
        for label, remedies in (("unguarded", ()), ("guarded", tuple(arguments.remedies.split(",")))):
            recipe = Recipe(
                name=label,
                files=(file,),
                calibration=CalibrationSpec(images=256, method="minmax"),
                guard=GuardSpec(max_drop_points=1.0, remedies=remedies),
            )
            guard = Guard(
                architecture, weights, recipe, train=data.train, validation=data.validation, reference=validation,
                preprocessing=preprocessing,
            )  # fmt: skip
            judged = guard.quantise(file)
            found = compare(
                logits_of_split(open_file(judged.data, file.format), data.test, preprocessing), test, data.test.labels
            )
            entry[label] = {
                "test": found.to_dict(),
                "validation": judged.comparison.to_dict(),
                "steps": list(judged.quantisation.steps),
                "float_ops": list(judged.quantisation.float_ops),
                "trials": [{"what": what, "validation_drop_points": drop} for what, drop in judged.trials],
                "diagnosis": [{"name": loss.name, "noise": loss.noise} for loss in judged.diagnosis],
                "within_limit": judged.within_limit,
            }
            drop = found.drop
            print(
                f"{file.name} {label}: drop on test {100 * drop.value:+.2f} points ({100 * drop.low:+.2f} to "
                f"{100 * drop.high:+.2f}), agreement {100 * found.top1_agreement:.1f} %; "
                f"{'within' if judged.within_limit else 'ABOVE'} the limit on validation; "
                f"trials {[(what, round(points, 2)) for what, points in judged.trials]}",
                flush=True,
            )
        document["files"][file.name] = entry
    arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
