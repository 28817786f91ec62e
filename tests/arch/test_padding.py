"""The padding of TensorFlow as a property of a network: what it changes, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenas.arch import Padding, lower, same_padding
from edgenas.arch.document import from_document, to_document
from edgenas.arch.notation import format_notation, parse_notation
from edgenas.arch.zoo import published
from edgenas.cost import macs, params, peak_activation_bytes
from edgenas.errors import ArchitectureError
from edgenas.latency import graph_units
from edgenas.latency.keys import parse_key
from edgenas.latency.model.work import group, position, work
from tests.arch.strategies import architectures

SYMMETRIC = published("mobilenet_v2")
SAME = replace(SYMMETRIC, padding="same")


def test_a_symmetric_network_keeps_the_digest_and_the_document_of_the_time_before() -> None:
    assert SYMMETRIC.digest == "d5478088ca63220d3d46fe8a535ccb11"
    assert "padding" not in to_document(SYMMETRIC)
    assert SAME.digest != SYMMETRIC.digest and SAME != SYMMETRIC


@settings(max_examples=50, deadline=None)
@given(architectures())
def test_the_padding_changes_neither_shapes_nor_counts(architecture) -> None:
    one, other = (lower(replace(architecture, padding=rule)) for rule in ("symmetric", "same"))
    assert [op.shape for op in one.ops] == [op.shape for op in other.ops]
    assert [count(one) for count in (macs, params, peak_activation_bytes)] == [
        count(other) for count in (macs, params, peak_activation_bytes)
    ]


@given(extent=st.integers(1, 600), kernel=st.sampled_from([1, 3, 5, 7, 9, 15]), stride=st.sampled_from([1, 2]))
def test_same_pads_as_little_as_gives_every_result_and_the_odd_pixel_last(
    extent: int, kernel: int, stride: int
) -> None:
    before, after = same_padding(extent, kernel, stride)
    results = -(-extent // stride)
    reach = (results - 1) * stride + kernel
    assert 0 <= after - before <= 1
    assert extent + before + after == max(reach, extent)


def test_the_two_rules_differ_at_stride_two_and_even_extents_only() -> None:
    for op, sources in lower(SAME).with_inputs():
        if op.kind != "conv":
            continue
        pad = op.kernel // 2
        even = op.stride == 2 and op.kernel > 1 and sources[0].shape.height % 2 == 0
        assert op.padding == (Padding(pad - 1, pad - 1, pad, pad) if even else Padding(pad, pad, pad, pad)), op.name


def test_the_notation_and_the_document_carry_the_padding() -> None:
    assert format_notation(SAME).startswith("r224_eps1e-05_same | stem")
    assert parse_notation(format_notation(SAME)) == SAME
    assert from_document(to_document(SAME)) == SAME
    with pytest.raises(ArchitectureError, match="padding"):
        from_document({**to_document(SAME), "padding": "valid"})
    with pytest.raises(ArchitectureError, match="was edited"):
        from_document({**to_document(SAME), "padding": "symmetric"})
    with pytest.raises(ArchitectureError, match="unknown padding.*'valid'"):
        replace(SYMMETRIC, padding="valid")  # type: ignore[arg-type]


def test_a_unit_says_its_padding_where_that_differs() -> None:
    symmetric, same = ([unit for unit, _ in graph_units(lower(network))] for network in (SYMMETRIC, SAME))
    differing = [(one, other) for one, other in zip(symmetric, same, strict=True) if one != other]
    assert len(differing) == 5
    for one, other in differing:
        assert other.key == f"{one.key} same" and parse_key(other.key) == other and parse_key(one.key) == one
        assert group(one) == group(other) and (work(one) == work(other)).all()
        assert (position(one) != position(other)).sum() == 1
