"""Every axis of a block has one row, and files, definitions, genes, features and extremes all know it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from edgenas.errors import SpaceError
from edgenas.space import FIELDS, SearchSpace, StageChoices
from edgenas.space.axes import AXES, BlockFile, Per, extreme
from edgenas.space.reader import read_definition

# Two values of each axis as a file may say them, the lighter one first, and values that are refused.
VALUES = {
    "kind": (["mbconv", "fused"], ["mbconv", "ghost"]),
    "start_kernel": ([0, 3], [0, 2]),
    "kernel": ([3, 5], [3, 4]),
    "expansion": ([2, 3], [3, 2]),
    "squeeze_excite": ([False, True], [0.5, 2.0]),
    "activation": (["relu", "silu"], ["relu", "ghost"]),
}
BESIDE = {"start_kernel": {"kind": "uib"}}
FEATURES = {
    "kind": ["fused"],
    "start_kernel": ["start_kernel"],
    "kernel": ["kernel", "kernel_expansion"],
    "expansion": ["expansion", "kernel_expansion"],
    "squeeze_excite": ["squeeze_excite"],
    "activation": ["silu"],
}


def space(**stage: object) -> SearchSpace:
    return SearchSpace(
        definition=read_definition(
            {
                "name": "one",
                "resolution": 16,
                "stem": {"channels": 8},
                "head": {"conv": 16},
                "stages": [{"out": 8, **stage}],
            }
        )
    )


def test_every_axis_has_a_row_a_field_and_two_keys_of_a_file() -> None:
    assert set(AXES) == set(FIELDS) == set(VALUES)
    assert tuple(entry.name for entry in fields(Per)) == FIELDS
    for known in (BlockFile, StageChoices):
        assert set(FIELDS) <= {entry.name for entry in fields(known)}


@pytest.mark.parametrize("field", FIELDS)
def test_an_axis_that_varies_is_a_gene_and_a_feature_and_reaches_both_extremes(field: str) -> None:
    one = space(**{field: VALUES[field][0]}, **BESIDE.get(field, {}))
    assert one.gene_names == (f"stages.0.0.{field}",) and one.size == 2
    assert one.feature_names[2:] == tuple(f"stages.0.{name}" for name in FEATURES[field])
    low, high = one.features([[0], [1]])[:, 2]
    assert low < high
    assert one.smallest().tolist() == [0]
    assert one.largest().tolist() == [0 if AXES[field].weights is None else 1]
    shared = space(**{field: VALUES[field][0], "depth": 2, "per": {field: "stage"}}, **BESIDE.get(field, {}))
    assert shared.gene_names == (f"stages.0.{field}",)


@pytest.mark.parametrize("field", FIELDS)
def test_impossible_values_of_an_axis_are_refused_with_their_place(field: str) -> None:
    with pytest.raises(SpaceError, match=rf"stages\[0\]\.{field}(\[1\])?: "):
        space(**{field: VALUES[field][1]}, **BESIDE.get(field, {}))
    with pytest.raises(SpaceError, match=rf"stages\[0\]\.first\.{field}(\[1\])?: "):
        space(first={field: VALUES[field][1]}, depth=2, **BESIDE.get(field, {}))


def test_the_heaviest_choice_is_told_by_the_weights_of_an_axis() -> None:
    assert extreme("kind", ("fused", "conv", "uib"), last=True) == 0
    assert extreme("kind", ("fused", "conv", "uib"), last=False) == 1
    assert extreme("kernel", (3, 5, 7), last=True) == 2 and extreme("out", (8, 16), last=True) == 1
    assert extreme("activation", ("silu", "relu"), last=True) == 0 == extreme("out", (8, 16), last=False)
