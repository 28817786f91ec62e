"""Documents as frozen dataclasses: strict types, and every fault with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from edgenas.errors import ArchitectureError, SpaceError, explain
from edgenas.reading.typed import ONE_OR_MANY, read_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    size: int
    share: float = 0.5
    on: bool = False
    kind: Literal["left", "right"] = "left"

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ArchitectureError(explain("a size below 0", got=f"{{{self.size}}}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    parts: tuple[Part, ...]
    grid: tuple[tuple[int, ...], ...] = ()
    named: Mapping[str, Part] = field(default_factory=dict)
    pair: tuple[str, float] | None = None
    sizes: Annotated[tuple[int, ...], ONE_OR_MANY] = (3,)
    per: Literal["all"] | Part = "all"


def test_a_document_becomes_the_value_with_its_own_defaults() -> None:
    document = {"parts": [{"size": 1, "share": 1}], "grid": [[1], []], "named": {"x": {"size": 2}}, "pair": ["a", 1],
                "sizes": 7, "per": {"size": 4}}  # fmt: skip
    found = read_value(Whole, document, source="x")
    assert found == Whole(parts=(Part(size=1, share=1.0),), grid=((1,), ()), named={"x": Part(size=2)},
                          pair=("a", 1.0), sizes=(7,), per=Part(size=4))  # fmt: skip


GOOD = {"size": 1}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"parts": [{"size": True}]}, r"x: parts\[0\]\.size: must be a whole number; got True"),
        ({"parts": [{"size": 2**63}]}, r"size: not usable; got 9223372036854775808"),
        ({"parts": [{"size": 2.0}]}, r"size: must be a whole number; got 2\.0"),
        ({"parts": [{"size": "2"}]}, "must be a whole number; got '2'"),
        ({"parts": [{**GOOD, "on": "false"}]}, r"parts\[0\]\.on: must be true or false; got 'false'.*without quotes"),
        ({"parts": [{**GOOD, "on": 0}]}, "must be true or false; got 0"),
        ({"parts": [{**GOOD, "share": float("nan")}]}, "must be a finite number"),
        ({"parts": [{**GOOD, "share": float("inf")}]}, "must be a finite number"),
        ({"parts": [{**GOOD, "share": None}]}, "must be a number; got None"),
        ({"parts": [{**GOOD, "kind": "rihgt"}]}, r"unknown value \(did you mean 'right'\?\).*allowed: left, right"),
        ({"parts": [{**GOOD, "sise": 1}]}, r"parts\[0\]\.sise: unknown key \(did you mean 'size'\?\).*size, share, on"),
        ({"parts": [{}]}, r"parts\[0\]\.size: is missing"),
        ({"parts": [{"size": -1}]}, r"x: parts\[0\]: a size below 0; got \{-1\}"),
        ({"parts": GOOD}, "parts: must be a list; got a mapping"),
        ({"parts": [3]}, r"parts\[0\]: must be a mapping; got 3; allowed: a section of its own keys: size, share"),
        ({"parts": [], "grid": [[1.5]]}, r"grid\[0\]\[0\]: must be a whole number"),
        ({"parts": [], "named": {"y": {"size": "1"}}}, r"named\.y\.size"),
        ({"parts": [], "pair": ["a"]}, "pair"),
        ({"parts": [], "sizes": [1, "2"]}, r"sizes\[1\]: must be a whole number"),
        ({"parts": [], "per": "row"}, "per: unknown value; got 'row'; allowed: all"),
        ({"parts": [], "per": {"size": "1"}}, r"per\.size: must be a whole number"),
        ([], "x: the document: must be a mapping"),
        (None, "must be a mapping"),
    ],
)
def test_a_fault_is_named_with_its_place(document: object, message: str) -> None:
    with pytest.raises(SpaceError, match=message) as caught:
        read_value(Whole, document, source="x", error=SpaceError)
    assert "\n" not in str(caught.value)


def test_many_faults_fit_a_screen() -> None:
    with pytest.raises(SpaceError, match="95 more like these") as caught:
        read_value(Whole, {"parts": ["x" * 900] * 100}, source="x", error=SpaceError)
    assert str(caught.value).count("\n") == 5 and len(str(caught.value)) < 2400
