"""A key that is accepted is obeyed or refused: every key of every section changes something.

A new key needs a row in `ROWS`: another value than its default, the settings beside which it acts, and a probe of the
code that acts on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from pydantic import BaseModel

from edgenas.config.settings import RunSettings
from edgenas.errors import EdgenasError
from tests.config import probes


@dataclass(frozen=True, kw_only=True)
class Row:
    """How a key is shown to act.

    Attributes:
        value: Another one than the default; FOLDER stands for a folder with images, STATE for a network's weights.
        probe: See `tests.config.probes`.
        beside: Other settings, under which the key acts.
        refused: What the refusal says, where the value is refused here.
    """

    value: Any
    probe: Callable[[RunSettings, Path], Any]
    beside: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""


IMAGES, WEIGHTS, TABLE = "<images>", "<weights>", "<table>"
QUICK = {"train.epochs": 2, "train.batch_size": 16, "data.train_limit": 48, "data.validation_limit": 40,
         "data.test_limit": 20}  # fmt: skip
SHARED = {"supernet.epochs": 1, "supernet.batch_size": 16}
FOLDER = {"data.source": "npz", "data.path": IMAGES, "data.resolution": 8}


def _train(value: Any, **beside: Any) -> Row:
    return Row(value=value, probe=probes.trained, beside={**QUICK, **{f"train.{k}": v for k, v in beside.items()}})


def _shared(value: Any, **beside: Any) -> Row:
    return Row(
        value=value, probe=probes.shared_weights, beside={**SHARED, **{f"supernet.{k}": v for k, v in beside.items()}}
    )


def _search(value: Any, **beside: Any) -> Row:
    return Row(value=value, probe=probes.searched, beside={f"search.{k}": v for k, v in beside.items()})


def _one_shot(value: Any, **beside: Any) -> Row:
    section = {f"search.one_shot.{k}": v for k, v in {"target": 0.5, **beside}.items()}
    return Row(value=value, probe=probes.one_shot, beside={"search.strategy": "tunas", **section})


def _augment(prefix: str, make: Callable[..., Row]) -> dict[str, Row]:
    """Rows of all keys: a value, and what has to be beside it."""
    values: dict[str, tuple[Any, dict[str, Any]]] = {
        "crop_padding": (2, {}), "flip": (True, {}), "jitter": (0.5, {}), "brightness": (0.5, {}),
        "contrast": (0.5, {}), "crop_scale": (0.3, {}), "crop_ratio": (3.0, {"crop_scale": 0.3}),
        "crop_interpolation": ("bicubic", {"crop_scale": 0.3}), "randaugment_ops": (2, {}),
        "randaugment_magnitude": (1.0, {"randaugment_ops": 2}), "randaugment_noise": (0.2, {"randaugment_ops": 2}),
        "randaugment_probability": (0.5, {"randaugment_ops": 2}),
        "randaugment_form": ("timm", {"randaugment_ops": 2}), "erase_probability": (1.0, {}),
        "erase_fill": ("noise", {"erase_probability": 1.0}), "mixup_alpha": (0.5, {}), "cutmix_alpha": (0.5, {}),
        "repeats": (2, {}),
    }  # fmt: skip
    rows: dict[str, Row] = {}
    for name, (value, beside) in values.items():
        plain = make(value)
        others = {f"{prefix}.augment.{key}": other for key, other in beside.items()}
        rows[f"{prefix}.augment.{name}"] = Row(value=value, probe=plain.probe, beside={**plain.beside, **others})
    # The digits of the other probes are grey, and have neither.
    for name in ("saturation", "hue"):
        rows[f"{prefix}.augment.{name}"] = Row(value=0.5, probe=partial(probes.coloured, prefix))
    return rows


RECIPE = {
    "seconds": (1e-6, {}), "accumulation": (2, {}), "optimizer": ("sgd", {}), "learning_rate": (0.05, {}),
    "momentum": (0.5, {"optimizer": "sgd"}), "weight_decay": (0.5, {}), "warmup_share": (0.5, {}),
    "final_learning_rate_share": (0.9, {}), "clip_norm": (1e-3, {"optimizer": "sgd"}), "averaging_decay": (0.9, {}),
    "recipe": ("efficientnet", {}), "schedule": ("exponential", {"final_learning_rate_share": 0.1}),
    "label_smoothing": (0.3, {}), "loss": ("binary_cross_entropy", {}),
    "precision": ("bf16", {}), "batch_size": (8, {}), "epochs": (3, {}),
}  # fmt: skip

ROWS: dict[str, Row] = {
    "name": Row(value="y", probe=probes.run_directory),
    "seed": Row(value=7, probe=probes.run_directory),
    "output": Row(value="elsewhere", probe=probes.run_directory),
    "threads": Row(value=2, probe=probes.trained, beside=QUICK),
    "compute": Row(value="cuda:63", probe=probes.trained, beside=QUICK, refused="cuda:63 is not here"),
    "checkpoint_minutes": Row(value=1e-9, probe=probes.checkpoints, beside=QUICK),
    "data.source": Row(value="npz", probe=probes.images, beside={"data.path": IMAGES, "data.resolution": 8}),
    "data.path": Row(value="<other images>", probe=probes.images, beside=FOLDER),
    "data.resolution": Row(value=12, probe=probes.images),
    "data.resize": Row(value="squash", probe=probes.images, beside={**FOLDER, "data.resolution": 4}),
    "data.interpolation": Row(value="bicubic", probe=probes.images, beside={**FOLDER, "data.resolution": 4}),
    "data.crop": Row(value=0.5, probe=probes.images, beside={**FOLDER, "data.resolution": 4}),
    "data.mean": Row(value=[0.5], probe=probes.prepared, beside={"data.mean": [0.25], "data.std": [0.25]}),
    "data.std": Row(value=[0.5], probe=probes.prepared, beside={"data.mean": [0.25], "data.std": [0.25]}),
    "data.channels": Row(value=3, probe=probes.images),
    "data.noise_std": Row(value=0.5, probe=probes.images),
    "data.train_limit": Row(value=30, probe=probes.images),
    "data.validation_limit": Row(value=30, probe=probes.images),
    "data.test_limit": Row(value=30, probe=probes.images),
    "data.validation_fraction": Row(value=0.4, probe=probes.images),
    "data.test_fraction": Row(value=0.4, probe=probes.images),
    "data.seed": Row(value=9, probe=probes.images),
    "data.cache": Row(value=False, probe=probes.images, beside=FOLDER),
    "data.cache_dir": Row(value="elsewhere", probe=probes.images, beside=FOLDER),
    "data.cache_limit_gib": Row(value=1e-9, probe=probes.images, beside=FOLDER),
    "data.memory_limit_mib": Row(value=1, probe=probes.images, beside={**FOLDER, "data.cache": False,
                                                                       "data.resolution": 256}),
    "space.around": Row(value="mobilenet_v3_small", probe=probes.space),
    "space.name": Row(value="mobilenet_v2", probe=probes.space),
    "space.resolutions": Row(value=[8, 16], probe=probes.space),
    "target.runtime": Row(value="litert", probe=probes.table, beside={"latency.use_shipped": False}),
    "target.precision": Row(value="int8", probe=probes.table, beside={"latency.use_shipped": False}),
    "target.threads": Row(value=2, probe=probes.exported),
    "target.budget_ms": _search(300),
    "target.budget_share": Row(value=0.9, probe=probes.searched),
    "target.max_macs": Row(value=10**9, probe=probes.searched),
    "target.max_params": Row(value=10**9, probe=probes.searched),
    "target.max_file_kib": Row(value=10_000.0, probe=probes.searched),
    "target.max_ram_kib": Row(value=10_000.0, probe=probes.searched, beside={"target.ram_of": "litert"}),
    "target.ram_of": Row(value="tflite_micro", probe=probes.searched,
                         beside={"target.ram_of": "litert", "search.objectives": ["accuracy", "ram_bytes"]}),
    "latency.table": Row(value=TABLE, probe=probes.table),
    "latency.use_shipped": Row(value=False, probe=probes.table),
    "latency.networks": Row(value=9, probe=probes.table),
    "latency.validation_networks": Row(value=0, probe=probes.table),
    "latency.force": Row(value=True, probe=probes.table),
    **{f"train.{name}": _train(value, **beside) for name, (value, beside) in RECIPE.items()},
    **_augment("train", _train),
    "train.recalibration_images": _train(16, averaging_decay=0.9),
    "train.teacher": _train(WEIGHTS),
    "train.distillation_weight": _train(0.9, teacher=WEIGHTS),
    "train.distillation_temperature": _train(5.0, teacher=WEIGHTS),
    "train.dropout": _train(0.5),
    "train.stochastic_depth": _train(0.5),
    "train.channels_last": Row(value=False, probe=probes.memory_layout, beside=QUICK),
    "train.keep": _train("best", epochs=6, learning_rate=0.3, optimizer="sgd"),
    "train.evaluate_every": _train(2),
    "train.finalists": Row(value=3, probe=probes.finalists),
    "train.from_supernet": Row(value=False, probe=probes.member),
    **{f"supernet.{name}": _shared(value, **beside) for name, (value, beside) in RECIPE.items()},
    **_augment("supernet", _shared),
    "supernet.scheme": _shared("sandwich"),
    "supernet.random_members": _shared(1, scheme="sandwich"),
    "supernet.distillation_weight": _shared(0.2, scheme="sandwich"),
    "supernet.distil_after": _shared(0.9, scheme="sandwich"),
    "supernet.teacher_weight": _shared(0.5),
    "supernet.teacher": _shared(WEIGHTS, teacher_weight=0.5),
    "supernet.importance": _shared("l1"),
    "supernet.kernel_transforms": _shared(True),
    "supernet.start": _shared(WEIGHTS),
    "supernet.start_package": Row(
        value="timm", probe=probes.shared_weights, beside={**SHARED, "supernet.start": WEIGHTS},
        refused="are of edgenas; got the package timm",
    ),
    "supernet.recalibration_images": _shared(64),
    "search.strategy": _search("ageing"),
    "search.evaluations": _search(50),
    "search.objectives": _search(["accuracy", "macs"]),
    "search.reward": Row(value="mnasnet_soft", probe=probes.searched,
                         beside={"search.strategy": "reinforce", "target.budget_ms": 300,
                                 "search.objectives": ["accuracy", "latency_ms"]}),
    "search.latency": _search("measured"),
    "search.estimator": _search("predictor"),
    "search.judge_images": Row(value=20, probe=probes.shared_weights, beside=SHARED),
    "search.predictor_networks": _search(20, estimator="predictor"),
    "search.predictor_candidates": _search(99, estimator="predictor"),
    "search.baseline": _search(False),
    "search.store": _search("other.sqlite"),
    "search.retry_failures": _search(True),
    "search.warm_start": Row(value="store", probe=probes.warm_started),
    "search.one_shot.cost": _one_shot("macs", goal="penalty", target=None),
    "search.one_shot.goal": _one_shot("penalty"),
    "search.one_shot.target": _one_shot(0.8, goal="penalty"),
    "search.one_shot.weight": _one_shot(0.9, goal="penalty"),
    "search.one_shot.epochs": _one_shot(3, goal="penalty"),
    "search.one_shot.learning_rate": _one_shot(0.5, goal="penalty"),
    "search.one_shot.from_supernet": _one_shot(False, goal="penalty"),
    "search.one_shot.warm_up_share": _one_shot(0.5, goal="penalty", from_supernet=False),
    "front.measure": Row(value=1, probe=probes.measured_front),
    "export.recipe": Row(value="onnx-fp32", probe=probes.exported),
    "scale.phi": Row(value=[1.0], probe=probes.scaled, beside={"scale.phi": [0.5]}),
    "scale.targets_ms": Row(value=[0.2], probe=probes.scaled, beside={"scale.targets_ms": [0.3]}),
    "scale.alpha": Row(value=4.0, probe=probes.scaled, beside={"scale.phi": [1.0]}),
    "scale.beta": Row(value=2.0, probe=probes.scaled, beside={"scale.phi": [1.0]}),
    "scale.gamma": Row(value=2.0, probe=probes.scaled, beside={"scale.phi": [1.0]}),
    "scale.inherit": Row(value=True, probe=probes.scaled, beside={"scale.phi": [0.5]}),
    "scale.memory_mib": Row(value=1, probe=probes.scaled, beside={"scale.phi": [4.0]},
                            refused="does not fit into memory"),
    "workers.count": Row(value=2, probe=probes.works_in_other_processes),
}  # fmt: skip


def keys(section: type[BaseModel] = RunSettings, prefix: str = "") -> Iterator[str]:
    """Yield every key of a section and of the sections in it."""
    for name, entry in section.model_fields.items():
        if isinstance(entry.annotation, type) and issubclass(entry.annotation, BaseModel):
            yield from keys(entry.annotation, f"{prefix}{name}.")
        elif len(get_args(entry.annotation)) != 1 or get_origin(entry.annotation) is not Literal:
            yield f"{prefix}{name}"  # a key with one possible value cannot change anything


def _settings(values: Mapping[str, Any]) -> RunSettings:
    content: dict[str, Any] = {"name": "x", "threads": 1}
    for path, value in values.items():
        *sections, name = path.split(".")
        place = content
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return RunSettings(**content)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files that rows name."""
    from edgenas.nn import Checkpoint, build, save_checkpoint

    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    for name in ("images", "other"):
        pixels = rng.integers(0, 255, (120, 6, 9, 1), dtype=np.uint8)
        np.savez(folder / f"{name}.npz", images=pixels, labels=np.arange(120) % 3)
    space = probes._space()
    smallest = space.decode(space.smallest())
    save_checkpoint(folder / "w.safetensors", Checkpoint(architecture=smallest, weights=build(smallest).weights()))
    probes.write_table(probes._table(), folder / "table.json")
    return {
        IMAGES: str(folder / "images.npz"),
        "<other images>": str(folder / "other.npz"),
        WEIGHTS: str(folder / "w.safetensors"),
        TABLE: str(folder / "table.json"),
    }


def _filled(values: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    return {key: files.get(value, value) if isinstance(value, str) else value for key, value in values.items()}


def test_every_key_has_a_row_and_every_row_a_key() -> None:
    assert sorted(keys()) == sorted(ROWS)


@pytest.mark.parametrize("key", sorted(ROWS))
def test_a_key_changes_something_or_is_refused(key: str, files: dict[str, str], tmp_path: Path) -> None:
    row = ROWS[key]
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    before = row.probe(_settings(_filled(row.beside, files)), tmp_path / "before")
    changed = _settings(_filled({**row.beside, key: row.value}, files))
    if row.refused:
        with pytest.raises(EdgenasError, match=row.refused):
            row.probe(changed, tmp_path / "after")
        return
    after = row.probe(changed, tmp_path / "after")
    replaced = str(after).replace(str(tmp_path / "after"), str(tmp_path / "before"))
    assert str(before) != replaced, f"{key} is accepted and ignored"
