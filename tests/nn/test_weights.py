"""Weights in and out, and checkpoints."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edgenas.arch import lower
from edgenas.errors import StoreError, WeightsError
from edgenas.nn import Checkpoint, build, load_checkpoint, save_checkpoint, weight_shapes
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
