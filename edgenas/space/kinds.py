"""The kinds of blocks that a space can choose from: one row each. The lightest stands first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from edgenas.errors import SpaceError
from edgenas.reading.names import NameIn
from edgenas.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceKind:
    """One kind.

    Attributes:
        block: The kind of `edgenas.arch.Block` that it becomes; empty where the block is left out.
        universal: Whether it takes a start kernel, and kernel 0 for no middle one.
        counted: Whether the number of its blocks is a feature of a network.
    """

    block: str
    universal: bool = False
    counted: bool = False


SPACE_KINDS: Registry[SpaceKind] = Registry(
    "kind of block of a space",
    group="edgenas.space_kinds",
    entries={
        "skip": SpaceKind(block=""),
        "conv": SpaceKind(block="conv"),
        "mbconv": SpaceKind(block="mbconv"),
        "uib": SpaceKind(block="mbconv", universal=True),
        "fused": SpaceKind(block="fused", counted=True),
    },
    check=lambda found: isinstance(found, SpaceKind),
    expected="an edgenas.space.SpaceKind",
    error=SpaceError,
)
"""By name; `mbconv` is a `uib` without a start depthwise. Entry points of the group `edgenas.space_kinds` add to it."""

SpaceKindName = Annotated[str, NameIn("edgenas.space.kinds:SPACE_KINDS")]


def universal_kinds() -> tuple[str, ...]:
    """Return the names of the kinds that take start kernels."""
    return tuple(name for name in SPACE_KINDS if SPACE_KINDS[name].universal)
