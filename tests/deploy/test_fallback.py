"""The operations that stay in floating point are those that cannot be on integers, and only those."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgenas.deploy.quantise.fallback import unmakeable

NAMES = tuple("abcdefghijklmnopqrstuvwxyz")


@given(st.sets(st.sampled_from(NAMES)), st.integers(1, 26))
def test_exactly_the_broken_operations_are_found_in_order(broken: set[str], count: int) -> None:
    names = NAMES[:count]
    calls: list[tuple[str, ...]] = []

    def makes(floats: tuple[str, ...]) -> bool:
        calls.append(floats)
        return broken & set(names) <= set(floats)

    found = unmakeable(names, makes)
    assert found == tuple(name for name in names if name in broken)
    assert len(calls) <= 2 + 2 * len(found) * 5 + 1


@given(st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_of_two_that_do_not_go_together_one_stays_in_floating_point(one: str, other: str) -> None:
    found = unmakeable(NAMES, lambda floats: one in floats or other in floats)
    assert found == (max(one, other),)


def test_all_are_named_where_nothing_goes() -> None:
    assert unmakeable(NAMES, lambda floats: False) == NAMES
