"""The registry of supernet schemes: which members of the space a training step works on. Knows no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgenas.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """A way to train shared weights; the entries of `SCHEMES`.

    Attributes:
        members: Called as `members(space, settings, step=, share=, rng=)` with the `SearchSpace`, the
            `SupernetSettings`, the optimiser steps done, the share of the budget spent and a generator of that step.
            Returns the members of the step, one row (D,) each, and whether the first one teaches the others. It must
            depend on its arguments alone, so that a killed training can be resumed.
        first_teaches: Whether the first member ever teaches the others (`supernet.distillation_weight`).
        largest_first: Whether the largest network is trained alone first, so that it can teach afterwards
            (`supernet.teacher_weight`).
    """

    members: Callable[..., tuple[list[Any], bool]]
    first_teaches: bool = False
    largest_first: bool = False


SCHEMES: Registry[Scheme] = Registry(
    "supernet.scheme",
    group="edgenas.schemes",
    entries={
        name: f"edgenas.supernet.training.schemes:{name.upper()}"
        for name in ("single_path", "fair", "cycle", "sandwich", "progressive")
    },
    check=lambda found: isinstance(found, Scheme),
    expected="an edgenas.supernet.Scheme",
)
"""Entry points of the group `edgenas.schemes` add to it."""
