"""Train the reference networks on digits and write what a repository keeps of their bundles, or rebuild a bundle.

    python benchmarks/reference_bundles.py [--out export/reference]

A reference folder holds `architecture.json`, `model.safetensors` (weights, preprocessing, labels), and of its bundle
`card.json`, `card.md` and `SHA256SUMS`; the model files themselves are rebuilt from the weights by `rebuild`, which
is what the tests do.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch

from edgenas import nn
from edgenas.arch.document import to_document
from edgenas.arch.notation import parse_notation
from edgenas.data import DataSettings, ImageData, Preprocessing, fit_preprocessing, load
from edgenas.deploy import Card, export_bundle, load_recipe
from edgenas.measure import measure_files
from edgenas.nn import Checkpoint, load_checkpoint, save_checkpoint
from edgenas.train import TrainSettings, fit

NETWORKS = {
    "digits-relu": (
        "r8_i1 | stem_k3_s1_c8_re | mb_k3_x16_c8_re | mb_k5_s2_x32_c16_re mb_k3_x32_c16_re | head_c32_re | n10"
    ),
    "digits-hard-swish": (
        "r8_i1 | stem_k3_s1_c8_hs | mb_k3_x16_c8_hs_se8 | mb_k3_s2_x32_c16_hs_se8 mb_k3_x48_c16_hs_se8 "
        "| head_c32_hs | n10"
    ),
}
TRAINING = TrainSettings(epochs=30, learning_rate=5e-3, seed=0)
KEPT = ("card.json", "card.md", "SHA256SUMS")


def digits() -> ImageData:
    """The images that the references were trained and judged on."""
    return load(DataSettings(source="digits"))


def train(notation: str, data: ImageData) -> Checkpoint:
    """Train one reference network."""
    module = nn.build(parse_notation(notation), generator=torch.Generator().manual_seed(0))
    preprocessing = fit_preprocessing(data.train)
    fit(module, data, TRAINING, preprocessing=preprocessing)
    metadata = {"preprocessing": json.dumps(preprocessing.to_dict()), "labels": json.dumps(data.classes)}
    return Checkpoint(architecture=module.architecture, weights=module.weights(), metadata=metadata)


def rebuild(checkpoint: Path, data: ImageData, out: Path, *, with_latency: bool = False) -> Card:
    """Export the bundle of a reference again.

    Args:
        checkpoint: Its `model.safetensors`.
        data: What `digits` returns.
        out: Folder to make.
        with_latency: Whether to measure the files.
    """
    found = load_checkpoint(checkpoint)
    return export_bundle(
        found.architecture,
        found.weights,
        load_recipe("mobile"),
        data=data,
        preprocessing=Preprocessing.from_dict(json.loads(found.metadata["preprocessing"])),
        labels=json.loads(found.metadata["labels"]),
        out=out,
        measure=measure_files if with_latency else None,
        data_facts={"source": "digits (scikit-learn)"},
        training_facts=TRAINING.to_dict(),
    )


def main() -> None:
    """Train, export and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("export/reference"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = digits()
    for name, notation in NETWORKS.items():
        folder = arguments.out / name
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint = train(notation, data)
        save_checkpoint(folder / "model.safetensors", checkpoint)
        document = json.dumps(to_document(checkpoint.architecture), indent=1)
        (folder / "architecture.json").write_text(document + "\n")
        with tempfile.TemporaryDirectory() as temporary:
            bundle = Path(temporary) / name
            card = rebuild(folder / "model.safetensors", data, bundle, with_latency=True)
            for kept in KEPT:
                (folder / kept).write_bytes((bundle / kept).read_bytes())
        for entry in card.files:
            assert entry.test is not None and entry.latency is not None
            print(
                f"{name} {entry.name}: {entry.bytes} bytes, accuracy {entry.test.accuracy.value:.4f} (torch "
                f"{card.torch_test.value:.4f}), {entry.latency.latency_ms:.4f} ms"
            )


if __name__ == "__main__":
    main()
