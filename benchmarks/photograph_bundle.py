"""The bundle of a network trained on photographs: accuracy of its files, what int8 costs, and its scripts elsewhere.

    edgenas train mobilenet_v3_small image_folder --out small --set data.path=PHOTOS --set data.resolution=96 \
        --set train.epochs=24 --set train.batch_size=32
    edgenas train mobilenet_v3_small image_folder --out large --set data.path=PHOTOS --set data.resolution=192 \
        --set train.epochs=10 --set train.batch_size=32 --set train.learning_rate=0.001 \
        --set train.augment.crop_padding=16 --start small/model.safetensors
    python benchmarks/photograph_bundle.py --photos PHOTOS --checkpoint large/model.safetensors --out DIR --json OUT

PHOTOS holds train/ and test/ folders of class folders. The bundle is written to DIR by the recipe `mobile`; then its
two scripts classify the files in PHOTOS/test, each in a fresh environment that holds a runtime, numpy and pillow only
(`--environments DIR` keeps them; they are made with pip), and must find the accuracy that the card gives. Drops are
differences on the same images, with the interval for paired answers (Agresti and Min 2005).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import torch

from edgenas.api.config import find_configuration
from edgenas.config.load import load
from edgenas.deploy import FileCard, load_card
from edgenas.display import progress_bar
from edgenas.pipeline.commands.export import export_checkpoint

PACKAGES = {"onnx": ("onnxruntime", "numpy", "pillow"), "tflite": ("ai-edge-litert", "numpy", "pillow")}


def environment(kind: str, folder: Path) -> Path:
    """Python of an environment with the three packages of a script, made where it is not there."""
    python = folder / kind / "bin" / "python"
    if not python.exists():
        venv.create(folder / kind, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[kind]], check=True)
    return python


def script_accuracy(bundle: Path, kind: str, model: str, photos: Path, python: Path) -> float:
    """Accuracy that a bundle's script prints for class folders, in [0, 1]."""
    command = [python, f"predict_{kind}.py", photos, "--model", model]
    done = subprocess.run(command, cwd=bundle, check=True, capture_output=True, text=True)
    found = re.search(r"accuracy ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


def summary(entry: FileCard) -> dict[str, Any]:
    """What the result keeps of one file."""
    assert entry.test is not None and entry.validation is not None and entry.latency is not None
    return {
        "bytes": entry.bytes,
        "test": entry.test.to_dict(),
        "validation": entry.validation.to_dict(),
        "latency_ms": entry.latency.latency_ms,
        "latency_standard_error_ms": entry.latency.standard_error_ms,
        "runtime": entry.latency.runtime,
        "steps": list(entry.steps),
        "trials": [{"what": what, "validation_drop_points": drop} for what, drop in entry.trials],
        "warnings": list(entry.warnings),
    }


def main() -> None:
    """Export, judge, run the scripts elsewhere, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="train/ and test/ folders of class folders")
    parser.add_argument("--checkpoint", type=Path, required=True, help="what `edgenas train` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle; taken as it is where it exists")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--environments", type=Path, help="folder that keeps the scripts' environments")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    overrides = [f"data.path={arguments.photos.resolve()}", "threads=1"]
    settings = load(find_configuration("image_folder"), overrides)
    if not arguments.out.exists():
        export_checkpoint(
            arguments.checkpoint, settings, "mobile", arguments.out, force=False, progress=progress_bar, say=print
        )
    card = load_card(arguments.out)
    document: dict[str, Any] = {
        "network": card.notation,
        "torch_test": card.torch_test.to_dict(),
        "torch_validation": card.torch_validation.to_dict(),
        "device": dict(card.device),
        "versions": dict(card.versions),
        "files": {},
    }
    print(f"torch: {100 * card.torch_test.value:.2f} %")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.environments or Path(temporary)
        for entry in card.files:
            found = summary(entry)
            python = environment(entry.format, folder)
            test = entry.test
            assert test is not None
            scripted = script_accuracy(
                arguments.out, entry.format, entry.name, (arguments.photos / "test").resolve(), python
            )
            found["script_accuracy"] = scripted
            found["script_agrees"] = abs(scripted - test.accuracy.value) < 1e-6
            document["files"][entry.name] = found
            drop = test.drop
            print(
                f"{entry.name}: {100 * test.accuracy.value:.2f} % ({100 * test.accuracy.low:.1f} to "
                f"{100 * test.accuracy.high:.1f}), drop {100 * drop.value:+.2f} points ({100 * drop.low:+.2f} to "
                f"{100 * drop.high:+.2f}), agreement {100 * test.top1_agreement:.1f} %, {found['latency_ms']:.3f} ms, "
                f"script {100 * scripted:.2f} % ({'agrees' if found['script_agrees'] else 'DIFFERS'})",
                flush=True,
            )
    arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    if not all(found["script_agrees"] for found in document["files"].values()):
        sys.exit("a script does not find the accuracy on the card")


if __name__ == "__main__":
    main()
