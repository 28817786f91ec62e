"""A supernet that starts from the weights of a trained network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgenas.config import load
from edgenas.errors import WeightsError
from edgenas.nn import Checkpoint, build, save_checkpoint
from edgenas.pipeline import images, sharing
from edgenas.pipeline.run import run_some
from edgenas.pipeline.sharing import start_from
from edgenas.supernet import Supernet
from tests.pipeline.test_one_shot import SMALL, quiet
from tests.supernet.samples import mixed_space, tiny_space


def checkpoint(path: Path, supernet: Supernet, *, classes: int | None = None, largest: bool = True) -> Checkpoint:
    space = supernet.space
    architecture = space.decode(space.largest() if largest else space.smallest())
    architecture = replace(architecture, classes=classes or architecture.classes)
    found = Checkpoint(architecture=architecture, weights=build(architecture).weights())
    save_checkpoint(path, found)
    return found


def test_a_member_takes_the_weights_of_the_network(tmp_path: Path) -> None:
    net = Supernet(tiny_space())
    trained = checkpoint(tmp_path / "start.safetensors", net)
    start_from(net, tmp_path / "start.safetensors", say=lambda text: None)
    got = net.member_weights(net.space.largest())
    for name, value in trained.weights.items():
        assert name.endswith(("running_mean", "running_var")) or np.array_equal(got[name], value), name


def test_a_classifier_for_other_classes_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    net = Supernet(tiny_space())
    before = net.member_weights(net.space.largest())
    trained = checkpoint(tmp_path / "start.safetensors", net, classes=9)
    said: list[str] = []
    start_from(net, tmp_path / "start.safetensors", say=said.append)
    after = net.member_weights(net.space.largest())
    assert np.array_equal(after["head.classifier.weight"], before["head.classifier.weight"])
    assert np.array_equal(after["stem.conv.weight"], trained.weights["stem.conv.weight"])
    assert "head.classifier.weight" in said[0]


def test_a_network_that_the_space_does_not_have_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path / "start.safetensors", Supernet(mixed_space()), largest=False)
    with pytest.raises(WeightsError, match=r"supernet.start: .* is not of the space few"):
        start_from(Supernet(tiny_space()), tmp_path / "start.safetensors", say=lambda text: None)


def test_a_run_starts_its_supernet_from_a_checkpoint_and_another_file_is_another_supernet(tmp_path: Path) -> None:
    configuration = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
    stages = (images.STAGE, sharing.STAGE)

    def run(*overrides: str) -> Path:
        settings = load(configuration, [*SMALL, "supernet.epochs=1", f"output={tmp_path}", *overrides])
        return run_some(stages, settings, progress=quiet, say=lambda text: None)

    folder = run()
    plain = (folder / sharing.SUPERNET_FILE).read_bytes()
    from edgenas.supernet import load_supernet

    checkpoint(tmp_path / "start.safetensors", load_supernet(folder / sharing.SUPERNET_FILE)[0])
    run(f"supernet.start={tmp_path / 'start.safetensors'}")
    assert (folder / sharing.SUPERNET_FILE).read_bytes() != plain
    with pytest.raises(WeightsError, match="cannot read"):
        run("supernet.start=nowhere.safetensors")
