"""A supernet that starts from the weights of a trained network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from edgenas.arch.zoo import published
from edgenas.config import load
from edgenas.errors import WeightsError
from edgenas.nn import Checkpoint, build, save_checkpoint
from edgenas.pipeline.commands.run import run_some
from edgenas.pipeline.core.artifacts import SUPERNET_FILE
from edgenas.pipeline.stages import DATA, SUPERNET
from edgenas.pipeline.training.initial_weights import start_from
from edgenas.space import load as load_space
from edgenas.space import with_task
from edgenas.supernet import Supernet
from tests.nn.test_pretrained import MobileNetV2
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


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_a_supernet_starts_from_a_state_dict_of_a_published_network_of_its_space(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"weights{ending}"
    state = {name: torch.rand_like(value, dtype=torch.float32) for name, value in MobileNetV2().state_dict().items()}
    save_file(state, path) if ending == ".safetensors" else torch.save(state, path)
    net = Supernet(with_task(load_space("mobilenet_v2"), classes=7, in_channels=3, resolutions=[32]))
    said: list[str] = []
    start_from(net, path, say=said.append)
    member = net.space.encode(replace(published("mobilenet_v2"), classes=7, resolution=32))
    got = net.member_weights(member)
    # The stem comes first, the last convolution lies before the classifier.
    last = [name for name, value in state.items() if value.dim() == 4][-1]
    assert np.array_equal(got["stem.conv.weight"], state["features.0.0.weight"].numpy())
    assert np.array_equal(got["head.conv.weight"], state[last].numpy())
    assert len(got["head.classifier.bias"]) == 7 and "head.classifier.weight" in said[0]


def test_weights_of_no_member_are_refused_in_one_sentence_that_names_what_fits(tmp_path: Path) -> None:
    torch.save(MobileNetV2().state_dict(), tmp_path / "weights.pth")
    space = with_task(load_space("mobilenet_v3_small"), classes=4, in_channels=3, resolutions=[32])
    expected = r"is not of the space mobilenet_v3_small, which takes .* weights of mobilenet_v3_small: .*stem\.conv"
    with pytest.raises(WeightsError, match=expected):
        start_from(Supernet(space), tmp_path / "weights.pth", say=lambda text: None)
    with pytest.raises(WeightsError, match=r"is not of the space few, which takes a checkpoint of a member: "):
        start_from(Supernet(tiny_space()), tmp_path / "weights.pth", say=lambda text: None)


def test_a_network_that_the_space_does_not_have_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path / "start.safetensors", Supernet(mixed_space()), largest=False)
    with pytest.raises(WeightsError, match=r"supernet.start: .* is not of the space few"):
        start_from(Supernet(tiny_space()), tmp_path / "start.safetensors", say=lambda text: None)


def test_a_run_starts_its_supernet_from_a_checkpoint_and_another_file_is_another_supernet(tmp_path: Path) -> None:
    configuration = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
    stages = (DATA, SUPERNET)

    def run(*overrides: str) -> Path:
        settings = load(configuration, [*SMALL, "supernet.epochs=1", f"output={tmp_path}", *overrides])
        return run_some(stages, settings, progress=quiet, say=lambda text: None)

    folder = run()
    plain = (folder / SUPERNET_FILE).read_bytes()
    from edgenas.supernet import load_supernet

    checkpoint(tmp_path / "start.safetensors", load_supernet(folder / SUPERNET_FILE)[0])
    run(f"supernet.start={tmp_path / 'start.safetensors'}")
    assert (folder / SUPERNET_FILE).read_bytes() != plain
    with pytest.raises(WeightsError, match="no such file of weights"):
        run("supernet.start=nowhere.safetensors")


def test_a_known_start_that_the_space_lacks_is_refused_with_the_missing_choice(tmp_path: Path) -> None:
    from edgenas.arch.zoo import published
    from edgenas.space import around, dump, read
    from edgenas.weights.load import Start
    from edgenas.weights.sources import source_named

    text = dump(around(published("efficientnet_lite0"))).replace("- 3\n  - 5\n", "- 3\n", 1)
    start = Start(path=tmp_path / "weights.pth", source=source_named("efficientnet_lite0"))
    torch.save({}, start.path)
    with pytest.raises(WeightsError, match=r"missing is kernel 5 \(there 3\)"):
        start_from(Supernet(read(text)), start, say=lambda text: None)
