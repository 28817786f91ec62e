"""Weights in and out, and checkpoints."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgenas.arch import Architecture, Stage, lower
from edgenas.arch.block_names import block_names
from edgenas.errors import StoreError, WeightsError
from edgenas.formats import encode
from edgenas.nn import Checkpoint, build, load_checkpoint, save_checkpoint, weight_shapes
from edgenas.nn.tensor_file import read_tensors, write_tensors
from tests.nn.test_module import tiny


def test_weights_are_named_and_shaped_as_the_contract_says() -> None:
    module = build(tiny())
    weights = module.weights()
    assert {name: array.shape for name, array in weights.items()} == weight_shapes(module.graph)
    assert all(array.dtype == np.float32 for array in weights.values())
    assert weights["stages.0.0.depthwise.weight"].shape == (24, 1, 3, 3)
    assert weights["stages.0.0.squeeze.bias"].shape == (8,)
    assert "stages.0.0.depthwise.norm.running_var" in weights


def test_loaded_weights_come_out_again_and_give_the_same_logits() -> None:
    first = build(tiny(), generator=torch.Generator().manual_seed(1)).eval()
    second = build(tiny(), generator=torch.Generator().manual_seed(2)).to(memory_format=torch.channels_last).eval()
    second.load_weights(first.weights())
    assert all(np.array_equal(a, b) for a, b in zip(first.weights().values(), second.weights().values(), strict=True))
    x = torch.randn(2, 3, 16, 16)
    assert torch.allclose(first(x), second(x), atol=1e-5)


def test_weights_that_do_not_fit_are_refused_with_the_layer_and_change_nothing() -> None:
    module = build(tiny())
    before, good = module.weights(), module.weights()
    good["stem.conv.weight"] = good["stem.conv.weight"] + 1
    missing = {name: array for name, array in good.items() if name != "stages.1.0.expand.norm.bias"}
    wrong = good | {"head.classifier.weight": np.zeros((7, 32), np.float32)}
    extra = good | {"stages.9.0.expand.weight": np.zeros(1, np.float32)}
    broken = good | {"stages.1.0.project.weight": np.full_like(good["stages.1.0.project.weight"], np.nan)}
    for weights, layer in (
        (missing, r"layer stages.1.0.expand has no weights"),
        (wrong, r"head.classifier.*got \(7, 32\); allowed: \(5, 32\)"),
        (extra, r"no layer for stages.9.0.expand"),
        (broken, r"layer stages.1.0.project: .*not finite"),
    ):
        with pytest.raises(WeightsError, match=layer):
            module.load_weights(weights)
    assert all(np.array_equal(before[name], array) for name, array in module.weights().items())


def test_a_checkpoint_brings_back_the_network_its_weights_and_its_texts(tmp_path: Path) -> None:
    module = build(tiny())
    path = tmp_path / "net.safetensors"
    stored = Checkpoint(architecture=module.architecture, weights=module.weights(), metadata={"labels": "a,b"})
    save_checkpoint(path, stored)
    loaded = load_checkpoint(path)
    assert loaded.architecture == module.architecture
    assert loaded.metadata == {"labels": "a,b"}
    assert all(np.array_equal(stored.weights[name], array) for name, array in loaded.weights.items())
    assert [file.name for file in tmp_path.iterdir()] == ["net.safetensors"]


def test_broken_checkpoints_are_refused(tmp_path: Path) -> None:
    module = build(tiny())
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, Checkpoint(architecture=module.architecture, weights=module.weights()))
    truncated = tmp_path / "truncated.safetensors"
    truncated.write_bytes(path.read_bytes()[:-100])
    pickled = tmp_path / "pickle.safetensors"
    torch.save({"a": torch.ones(1)}, pickled)
    foreign = tmp_path / "foreign.safetensors"
    from safetensors.numpy import save_file

    save_file({"a": np.ones(1, np.float32)}, foreign)
    for bad in (truncated, pickled, tmp_path / "missing.safetensors"):
        with pytest.raises(WeightsError, match="cannot read"):
            load_checkpoint(bad)
    with pytest.raises(WeightsError, match="does not say which architecture"):
        load_checkpoint(foreign)


def test_a_checkpoint_with_the_weights_of_another_network_is_never_written(tmp_path: Path) -> None:
    weights = build(tiny(classes=6)).weights()
    with pytest.raises(WeightsError, match="head.classifier"):
        save_checkpoint(tmp_path / "x.safetensors", Checkpoint(architecture=tiny(), weights=weights))
    with pytest.raises(StoreError, match="cannot write"):
        good = Checkpoint(architecture=tiny(), weights=build(tiny()).weights())
        save_checkpoint(tmp_path / "no" / "x.safetensors", good)
    assert not list(tmp_path.iterdir())
    assert lower(tiny()).output.name == "head.classifier"


def grouped_as_one() -> tuple[Architecture, dict[str, str]]:
    """A network of which all blocks lie in one stage, and its arrays' present names by their former ones."""
    split = tiny()
    network = replace(split, stages=(Stage(blocks=tuple(split.blocks())),))
    former = {name: f"stages.0.{index}" for index, name in enumerate(block_names(network))}
    names = weight_shapes(lower(network))
    return network, {former[_block(name)] + name.removeprefix(_block(name)): name for name in names if _block(name)}


def _block(name: str) -> str:
    return ".".join(name.split(".")[:3]) if name.startswith("stages.") else ""


def test_a_checkpoint_that_names_weights_after_the_grouping_is_read_as_before(tmp_path: Path) -> None:
    network, present = grouped_as_one()
    module = build(network, generator=torch.Generator().manual_seed(1))
    weights, back = module.weights(), {now: former for former, now in present.items()}
    save_checkpoint(tmp_path / "new.safetensors", Checkpoint(architecture=network, weights=weights))
    # The file as the version before this one wrote it: the same but for the names of its arrays.
    found = read_tensors(tmp_path / "new.safetensors", what="the checkpoint")
    arrays = {back.get(name, name): array for name, array in found.arrays.items()}
    assert "stages.0.1.project.weight" in arrays and "stages.1.0.project.weight" not in arrays
    write_tensors(tmp_path / "old.safetensors", arrays, found.metadata)
    loaded = load_checkpoint(tmp_path / "old.safetensors")
    assert loaded.weights.keys() == weights.keys()
    assert all(np.array_equal(loaded.weights[name], weights[name]) for name in weights)


def test_a_state_that_names_weights_after_the_grouping_is_loaded_as_before() -> None:
    network, present = grouped_as_one()
    back = {now: former for former, now in present.items()}
    first, second = (build(network, generator=torch.Generator().manual_seed(seed)).eval() for seed in (1, 2))
    state = {back.get(name, name): tensor for name, tensor in first.state_dict().items()}
    second.load_state_dict(state)
    wrapped = torch.nn.Sequential(build(network).eval())
    wrapped.load_state_dict({f"0.{name}": tensor for name, tensor in state.items()})
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    assert torch.equal(first(x), second(x)) and torch.equal(first(x), wrapped(x))
    assert set(state) & set(present), "the given state is not changed"


def test_weights_of_a_network_fit_the_same_network_in_other_stages() -> None:
    network, _ = grouped_as_one()
    first, second = build(network, generator=torch.Generator().manual_seed(1)).eval(), build(tiny()).eval()
    assert network != tiny() and network.digest == tiny().digest
    second.load_weights(first.weights())
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    assert torch.equal(first(x), second(x))
    for file_format in ("onnx", "tflite"):
        one, other = (encode(lower(net), first.weights(), file_format=file_format) for net in (network, tiny()))
        assert one == other, "the same bytes"
