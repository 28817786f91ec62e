"""The interface of all estimators of a network's quality or cost, and the form of their estimates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edgenas.study.values import Source
from edgenas.types import Floats, Genes, Progress


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """Values of N networks by one estimator.

    Attributes:
        values: (N,); larger is better where the estimator is one of quality. NaN where it failed.
        standard_error: (N,) of the values, None where it is not known.
        seconds: Wall-clock time of all N, preparation not included.
        preparation_seconds: Seconds spent before the first network (training a supernet, fitting).
    """

    values: Floats
    standard_error: Floats | None = None
    seconds: float = 0.0
    preparation_seconds: float = 0.0


class Evaluator(Protocol):
    """Judges networks of one space.

    Attributes:
        name: What it is called in tables.
        source: What kind of number it gives; reports never mix kinds in silence.
        unit: Of its values; "1" for an accuracy in [0, 1], "" for a score without meaning of its own.
    """

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...

    @property
    def source(self) -> Source:
        """What kind of number it gives."""
        ...

    @property
    def unit(self) -> str:
        """Unit of its values."""
        ...

    def evaluate(self, genes: Genes, *, progress: Progress | None = None) -> Estimates:
        """Judge networks.

        Args:
            genes: (N, D).
            progress: Called with (done, all, what).
        """
        ...
