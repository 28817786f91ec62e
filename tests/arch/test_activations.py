"""Every activation is one row, with one entry in each back end; the numbers of a row are those of its function."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.arch import lower
from edgenas.arch.activations import ACTIVATIONS, GATES, Activation, activation, back_end
from edgenas.arch.notation import format_notation, parse_notation
from edgenas.arch.short_names import by_short_name, short_name
from edgenas.errors import ArchitectureError, PluginError
from edgenas.formats import encode, random_weights
from edgenas.formats.forms import FileForms
from edgenas.nn.activations import TorchForms
from tests.test_registry import install, site  # noqa: F401  # a fixture

NAMES = (*ACTIVATIONS, *GATES)


def on_a_grid(name: str) -> tuple[np.ndarray, np.ndarray]:
    import torch

    x = torch.linspace(-40, 40, 80001, dtype=torch.float64)
    return x.numpy(), back_end(name, "torch", TorchForms).function(x).numpy()


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_has_an_entry_in_each_back_end(name: str) -> None:
    assert isinstance(back_end(name, "torch", TorchForms), TorchForms)
    forms = back_end(name, "files", FileForms)
    fused = activation(name).fused
    assert (forms.tflite_fused is not None) == (fused == "clip")


@pytest.mark.parametrize("name", NAMES)
def test_the_bounds_of_a_row_are_those_of_its_function(name: str) -> None:
    _, y = on_a_grid(name)
    row = activation(name)
    if row.low is None:
        assert y.min() < -39
    else:
        assert row.low <= y.min() + 1e-12 and y.min() - row.low < 2e-3
    if row.high is None:
        assert y.max() > 39
    else:
        assert row.high >= y.max() - 1e-12 and row.high - y.max() < 2e-3


@pytest.mark.parametrize("name", NAMES)
def test_what_a_layer_takes_over_is_a_clip(name: str) -> None:
    x, y = on_a_grid(name)
    row = activation(name)
    if row.fused == "clip":
        assert row.low == 0
        assert np.allclose(y, np.clip(x, row.low, row.high), atol=1e-12)
    if row.fused == "gate":
        assert np.allclose(y, np.clip(x / 6 + 0.5, 0, 1), atol=1e-12)
    if row.cost == 0:
        assert row.fused == "clip"


def test_short_names_are_distinct_and_read_back() -> None:
    for registry in (ACTIVATIONS, GATES):
        shorts = [short_name(registry, name) for name in registry]
        assert len(set(shorts)) == len(registry)
        assert [by_short_name(registry, short) for short in shorts] == list(registry)
    assert by_short_name(ACTIVATIONS, "hsig") is None and by_short_name(GATES, "re") is None


def test_costs_tell_activations_apart() -> None:
    costly = [activation(name).cost for name in NAMES if activation(name).cost]
    assert len(set(costly)) == len(costly) > 0


def test_an_unknown_activation_is_refused_with_all_that_there_are() -> None:
    with pytest.raises(ArchitectureError, match=r"unknown activation.*'hard_swisch'.*relu, relu6, hard_swish, silu"):
        activation("hard_swisch")


CODE = """
from edgenas.arch import Activation

GOOD = Activation(short="tt", torch="toyacts:FORMS", files="toyacts:NOTHING")
SAME = Activation(short="hs", torch="toyacts:FORMS", files="nowhere:FORMS")
FORMS = 3
"""


def test_a_package_without_a_back_end_is_named_when_that_is_needed(site) -> None:  # noqa: F811
    install(site, "toyacts", "[edgenas.activations]\ntoy_good = toyacts:GOOD", CODE)
    net = parse_notation("r8 | stem_k3_s2_c8_tt | cv_k3_c8_tt | head_c8_tt | n2")
    assert net.stem.activation == "toy_good"
    with pytest.raises(PluginError, match=r"torch entry of the activation 'toy_good' of toyacts 1.0 is none; got int"):
        back_end("toy_good", "torch", TorchForms)
    with pytest.raises(PluginError, match=r"files entry of the activation 'toy_good'.*NOTHING.*AttributeError"):
        back_end("toy_good", "files", FileForms)


def test_a_package_adds_a_gate(site) -> None:  # noqa: F811
    install(site, "toyacts", "[edgenas.gates]\ntoy_gate = toyacts:GOOD", CODE)
    net = parse_notation("r8 | stem_k3_s2_c8_re | mb_k3_c8_re_se4-hs-tt | head_c8_re | n2")
    (block,) = net.blocks()
    assert block.se is not None and block.se.gate == "toy_gate"
    assert parse_notation(format_notation(net)) == net


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"short": "s6"}, "not a short name"),
        ({"short": "add"}, "not a short name"),
        ({"short": "h_s"}, "not a short name"),
        ({"short": ""}, "not a short name"),
        ({"low": 1.0, "high": 1.0}, "low must be below its high"),
        ({"low": float("nan")}, "low must be below its high"),
        ({"fused": "clip", "low": -1.0}, "a layer can take over"),
        ({"fused": "clip"}, "a layer can take over"),
        ({"fused": "clamp"}, "a layer can take over"),
        ({"cost": -1.0}, "impossible numbers"),
        ({"cost": float("nan")}, "impossible numbers"),
        ({"factor": 0.0}, "impossible numbers"),
    ],
)
def test_an_impossible_row_is_refused(facts: dict, told: str) -> None:
    with pytest.raises(ArchitectureError, match=told):
        Activation(**{"short": "zz", "torch": "a:b", "files": "a:b", **facts})


def test_a_row_and_its_form_of_tflite_that_contradict_each_other_end_with_one_message(site) -> None:  # noqa: F811
    code = """
from edgenas.arch import Activation
from edgenas.formats.activations import HARD_SWISH

CUT = Activation(short="ct", low=0.0, fused="clip", torch="edgenas.nn.activations:RELU", files="toyacts:HARD_SWISH")
"""
    install(site, "toyacts", "[edgenas.activations]\ntoy_cut = toyacts:CUT", code)
    graph = lower(parse_notation("r8 | stem_k3_s2_c8_ct | cv_k3_c8_re | head_c8_re | n2"))
    with pytest.raises(PluginError, match="no layer of TFLite takes over the activation toy_cut, though its row says"):
        encode(graph, random_weights(graph, np.random.default_rng(0)), file_format="tflite")


def test_a_package_cannot_take_a_short_name(site) -> None:  # noqa: F811
    install(site, "toyacts", "[edgenas.activations]\ntoy_same = toyacts:SAME", CODE)
    told = r"one short name as activation; got 'hs' of toy_same \(toyacts 1.0\) and of hard_swish \(edgenas\)"
    with pytest.raises(PluginError, match=told):
        short_name(ACTIVATIONS, "toy_same")
    assert parse_notation("r8 | stem_k3_s2_c8_hs | cv_k3_c8_re | head_c8_re | n2").stem.activation == "hard_swish"
