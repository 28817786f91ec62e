"""Small random spaces, with every way in which two codes can be one network: dead genes, ratios that round alike,
skips, start kernels that a kind ignores, stage-wide genes that no present block reads."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st

from edgenas.errors import SpaceError
from edgenas.space import FIELDS, Definition, HeadChoice, SearchSpace, SqueezeRule, StageChoices, StemChoice

MOST_CODES = 1500


def some(values: list[Any], most: int) -> st.SearchStrategy[tuple[Any, ...]]:
    """Between one and `most` of the values, in their order."""
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True).map(
        lambda found: tuple(value for value in values if value in found)
    )


@st.composite
def stages(draw: st.DrawFn) -> StageChoices:
    """A stage of a small space, which may still be refused."""
    kind = draw(some(["mbconv", "uib", "fused", "conv", "skip"], 2))
    wide = draw(st.lists(st.sampled_from(FIELDS), max_size=3, unique=True))
    first = draw(st.sampled_from([(), (("kernel", (3, 5)),), (("squeeze_excite", (0.0,)),), (("kind", ("mbconv",)),)]))
    return StageChoices(
        out=draw(some([8, 16, 24], 2)),
        depth=draw(some([1, 2, 3], 2)),
        stride=draw(st.sampled_from([1, 2])),
        kind=kind,
        start_kernel=draw(some([0, 3], 2)) if "uib" in kind else (0,),
        kernel=draw(some([0, 3, 5], 2)),
        expansion=draw(some([1.0, 1.05, 2.0, 3.0], 2)),
        squeeze_excite=draw(some([0.0, 0.25, 0.3], 2)),
        activation=draw(some(["relu", "hard_swish"], 2)),
        stage_wide=tuple(wide),
        first=first,
        keep_expand=draw(st.booleans()),
    )


@st.composite
def small_spaces(draw: st.DrawFn) -> SearchSpace:
    """A space of at most `MOST_CODES` codes."""
    from hypothesis import assume

    definition = Definition(
        name="small",
        resolution=draw(some([8, 12], 2)),
        width=draw(some([0.5, 1.0], 2)),
        classes=3,
        padding=draw(st.sampled_from(["symmetric", "same"])),
        divisor=draw(st.sampled_from([2, 4, 8])),
        squeeze_rule=SqueezeRule(squeeze=draw(st.sampled_from(["expanded", "input"]))),
        stem=StemChoice(channels=8, stride=draw(st.sampled_from([1, 2]))),
        head=HeadChoice(conv=16),
        stages=tuple(draw(st.lists(stages(), min_size=1, max_size=2))),
    )
    try:
        space = SearchSpace(definition=definition)
    except SpaceError:
        assume(False)
        raise AssertionError from None
    assume(space.raw_size <= MOST_CODES)
    return space
