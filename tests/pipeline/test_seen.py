"""No command judges weights on images that they were trained on, or calls images unseen that it knows nothing of."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from edgenas.arch.notation import parse_notation
from edgenas.config.settings import RunSettings
from edgenas.errors import DataError
from edgenas.nn import Checkpoint, load_checkpoint, save_checkpoint
from edgenas.pipeline.commands.export import check_export, export_checkpoint
from edgenas.pipeline.commands.refine.result import Plan
from edgenas.pipeline.commands.refine.trials import Refiner
from edgenas.pipeline.commands.run import run_some
from edgenas.pipeline.commands.train import train_alone
from edgenas.pipeline.commands.transfer.command import transfer
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.core.open_run import open_run
from edgenas.pipeline.core.seen import HISTORY_KEY, history_of
from edgenas.pipeline.stages import DATA, SUPERNET

NETWORK = parse_notation("r8_i1 | stem_k3_s1_c8_re | mb_k3_e2_c8_re | head_c16_re | n10")
REFUSED = "was trained on images that would judge it.* of .* test images"
UNKNOWN = "Unknown whether the test images were trained on"


@contextmanager
def quiet(title: str) -> Iterator[Callable[..., None]]:
    yield lambda *_: None


def settings(seed: int = 0, **sections: object) -> RunSettings:
    train = {"epochs": 1, "batch_size": 64, **sections.pop("train", {})}  # type: ignore[dict-item]
    return RunSettings(name="x", threads=1, data={"seed": seed}, train=train, **sections)  # type: ignore[arg-type]


def trained(out: Path, seed: int = 0, *, start: Path | None = None, **train: object) -> tuple[Path, list[str]]:
    said: list[str] = []
    found = train_alone(NETWORK, settings(seed, train=train), out, start=start, progress=quiet, say=said.append)
    return found.checkpoint, said


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("trained"))[0]


@pytest.fixture
def old(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint as older versions wrote them."""
    found = load_checkpoint(checkpoint)
    metadata = {key: value for key, value in found.metadata.items() if key != HISTORY_KEY}
    path = tmp_path / "old.safetensors"
    save_checkpoint(path, Checkpoint(architecture=found.architecture, weights=found.weights, metadata=metadata))
    return path


def exported(checkpoint: Path, out: Path, seed: int) -> tuple[str, list[str]]:
    said: list[str] = []
    export_checkpoint(checkpoint, settings(seed), "onnx-fp32", out, force=False, progress=quiet, say=said.append)
    return (out / "card.md").read_text(), said


def test_an_export_with_the_split_of_the_training_is_called_clean(checkpoint: Path, tmp_path: Path) -> None:
    card, _ = exported(checkpoint, tmp_path / "out", 0)
    assert "test images that no decision saw" in card


def test_an_export_with_another_seed_is_refused_and_says_which(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=REFUSED + ".*split by seed 1; allowed: .* by seed 0"):
        exported(checkpoint, tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", [0, 1])
def test_an_old_checkpoint_is_exported_but_never_called_clean(old: Path, tmp_path: Path, seed: int) -> None:
    card, said = exported(old, tmp_path / "out", seed)
    assert UNKNOWN in card and "no decision saw" not in card
    assert any(UNKNOWN in line for line in said)


def test_a_bundle_is_not_checked_on_images_split_in_another_way(checkpoint: Path, tmp_path: Path) -> None:
    exported(checkpoint, tmp_path / "out", 0)
    check_export(tmp_path / "out", settings(0), progress=quiet, say=lambda text: None)
    with pytest.raises(DataError, match="split in another way"):
        check_export(tmp_path / "out", settings(1), progress=quiet, say=lambda text: None)


def test_a_training_does_not_start_from_weights_that_saw_its_test_images(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=REFUSED):
        trained(tmp_path / "a", 1, start=checkpoint)
    path, said = trained(tmp_path / "b", 0, start=checkpoint)
    assert not any("Unknown" in line for line in said)
    assert history_of(path).unknown == ""  # type: ignore[union-attr]


def test_a_start_that_does_not_say_makes_the_accuracy_unknown_and_that_travels(old: Path, tmp_path: Path) -> None:
    path, said = trained(tmp_path / "a", 0, start=old)
    assert any(UNKNOWN in line for line in said)
    document = json.loads((tmp_path / "a" / "training.json").read_text())
    assert document["test_images"]["verdict"] == "unknown"
    assert UNKNOWN in exported(path, tmp_path / "out", 0)[0]


def test_a_teacher_that_saw_the_test_images_is_refused(checkpoint: Path, old: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"the teacher .* {REFUSED}"):
        trained(tmp_path / "a", 1, teacher=str(checkpoint), distillation_weight=0.5)
    path, said = trained(tmp_path / "b", 1, teacher=str(old), distillation_weight=0.5)
    assert any("the teacher" in line and UNKNOWN in line for line in said)
    assert history_of(path).unknown  # type: ignore[union-attr]


def test_a_refinement_on_another_split_is_refused(checkpoint: Path, old: Path, tmp_path: Path) -> None:
    said: list[str] = []

    def refiner(path: Path, seed: int) -> Refiner:
        context = RunContext(settings(seed), RunDirectory(path=tmp_path), progress=quiet, say=said.append)
        return Refiner(context, load_checkpoint(path), plan=Plan(share=0.5), table=None)

    refiner(checkpoint, 0)
    assert not said
    with pytest.raises(DataError, match=REFUSED):
        refiner(checkpoint, 1)
    refiner(old, 1)
    assert UNKNOWN in said[0]


SPACE = """
name: few
resolution: 8
in_channels: 1
classes: 10
divisor: 4
stem: {channels: 4, stride: 2, activation: relu}
head: {conv: 8, activation: relu}
stages:
  - {out: [4, 8], depth: [1, 2], kernel: [3, 5], expansion: [1, 2]}
"""


def supernet_run(folder: Path, seed: int = 0, **data: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "few.yaml").write_text(SPACE)
    run = RunSettings(
        name="x", output=str(folder), threads=1, data={"seed": seed, **data},
        space={"name": str(folder / "few.yaml")}, supernet={"epochs": 1},
    )  # fmt: skip
    return run_some((DATA, SUPERNET), run, progress=quiet, say=lambda text: None)


def test_a_supernet_carries_its_images_and_is_not_transferred_to_its_own_training_images(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = supernet_run(tmp_path)
    history = history_of(path / "supernet" / "supernet.safetensors")
    assert history is not None and history.seeds == (0,)
    evaluations = [
        {"genes": genes, "metrics": {"accuracy": {"value": 0.5}}} for genes in _members(path, 4)
    ]  # fmt: skip
    (path / "search.json").write_text(json.dumps({"front": [0], "evaluations": evaluations}))
    source = open_run(path, progress=quiet, say=lambda text: None)
    with pytest.raises(DataError, match="the run's supernet was trained on images that would judge it"):
        transfer(source, settings(1), tmp_path / "out", epochs=1, networks=4)


def test_a_supernet_does_not_start_from_weights_that_saw_its_validation_images(tmp_path: Path) -> None:
    from edgenas.pipeline.core import artifacts

    path = supernet_run(tmp_path / "space")
    source = open_run(path, progress=quiet, say=lambda text: None)
    space = artifacts.space(source)
    largest = space.decode(space.largest())
    saw = train_alone(largest, settings(0), tmp_path / "start", progress=quiet, say=lambda text: None).checkpoint

    def start(seed: int) -> Path:
        folder = tmp_path / f"seed{seed}"
        folder.mkdir()
        run = RunSettings(
            name="x", output=str(folder), threads=1, data={"seed": seed},
            space={"name": str(tmp_path / "space" / "few.yaml")}, supernet={"epochs": 1, "start": str(saw)},
        )  # fmt: skip
        return run_some((DATA, SUPERNET), run, progress=quiet, say=lambda text: None)

    with pytest.raises(DataError, match=f"supernet.start .* {REFUSED}"):
        start(1)
    assert not (tmp_path / "seed1" / "x" / "supernet" / "supernet.safetensors").exists()
    assert history_of(start(0) / "supernet" / "supernet.safetensors").unknown == ""  # type: ignore[union-attr]


def _members(path: Path, count: int) -> list[list[int]]:
    import numpy as np

    from edgenas.pipeline.core import artifacts

    space = artifacts.space(open_run(path, progress=quiet, say=lambda text: None))
    return space.canonical(space.sample(count, np.random.default_rng(0))).tolist()


def test_the_data_stage_runs_again_when_two_files_swap_classes(tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    images = tmp_path / "images"
    draw = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (images / name).mkdir(parents=True)
        for number in range(12):
            pixels = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(images / name / f"{number:02d}.bmp")
    for file in images.rglob("*.bmp"):
        os.utime(file, ns=(10**18, 10**18))
    run = RunSettings(name="x", output=str(tmp_path), threads=1, data={"source": "folder", "path": str(images)})

    def digest() -> tuple[str, str, list[str]]:
        said: list[str] = []
        path = run_some((DATA,), run, progress=quiet, say=said.append)
        document = json.loads((path / "data.json").read_text())
        return document["digest"], document["split"], said

    first = digest()
    assert "data: unchanged" in digest()[2]
    spare = tmp_path / "spare"
    (images / "cats" / "03.bmp").rename(spare)
    (images / "dogs" / "04.bmp").rename(images / "cats" / "03.bmp")
    spare.rename(images / "dogs" / "04.bmp")
    again = digest()
    assert "data: unchanged" not in again[2]
    assert again[0] != first[0]
