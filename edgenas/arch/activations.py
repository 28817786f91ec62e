"""The activations: one row each, with all that is known without a back end, and where its back ends' entries lie.

To add one, write a row here and two entries: in `edgenas.nn.activations` (torch and the simulation of int8) and in
`edgenas.formats.activations` (ONNX and TFLite). An installed package adds a row by an entry point.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal, TypeVar

from edgenas.arch.short_names import require_short_name
from edgenas.errors import ArchitectureError, explain
from edgenas.reading.names import NameIn
from edgenas.registry import Registry, load_part

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """One activation.

    Attributes:
        short: Its name in the notation: letters, or letters and digits.
        torch: Of its `edgenas.nn.activations.TorchForms`, as "module:attribute"; imported when a network is built.
        files: Of its `edgenas.formats.forms.FileForms`, as "module:attribute"; imported when a file is written.
        low, high: Smallest and largest result; None where there is no bound.
        cost: 0 if the runtimes compute it together with the layer before it for nothing. Else its coordinate among the
            costly ones: times of activations with near numbers resemble each other.
        fused: What the writers do with it behind a layer: "clip", the layer cuts its results at `low` and `high`, of
            which `low` is 0; "gate", the same for clip(x / 6 + 1 / 2, 0, 1), whose constants go into the weights;
            "", it is an operation of its own.
        factor: A constant that an int8 file may leave to the weights of the next layer: hard-swish is
            x * relu6(x + 3) / 6, and its factor is 6.
    """

    short: str
    torch: str
    files: str
    low: float | None = None
    high: float | None = None
    cost: float = 0.0
    fused: Literal["", "clip", "gate"] = ""
    factor: float = 1.0

    def __post_init__(self) -> None:
        require_short_name(self.short)
        low, high = (-math.inf if self.low is None else self.low), (math.inf if self.high is None else self.high)
        if not low < high:
            raise ArchitectureError(explain("an activation's low must be below its high", got=f"{low:g} and {high:g}"))
        if self.fused not in ("", "clip", "gate") or (self.fused == "clip" and self.low != 0):
            what = "a layer can take over an activation that cuts at 0, or a hard gate"
            got = f"fused {self.fused!r} with low {self.low}"
            raise ArchitectureError(explain(what, got=got, allowed="'' or 'gate', or 'clip' with low 0"))
        if not (0 <= self.cost < math.inf and 0 < self.factor < math.inf):
            got, allowed = f"cost {self.cost}, factor {self.factor}", "cost 0 or more, factor above 0"
            raise ArchitectureError(explain("impossible numbers of an activation", got=got, allowed=allowed))


def _row(constant: str, short: str, **facts: object) -> Activation:
    """Return a row of edgenas's own, whose entries have one name in both tables."""
    torch, files = (f"edgenas.{room}.activations:{constant}" for room in ("nn", "formats"))
    return Activation(short=short, torch=torch, files=files, **facts)  # type: ignore[arg-type]


def _registry(what: str, group: str, rows: Mapping[str, Activation]) -> Registry[Activation]:
    return Registry(
        what,
        group=group,
        entries=rows,
        check=lambda found: isinstance(found, Activation),
        expected="an edgenas.arch.Activation",
        error=ArchitectureError,
    )


# The smallest values of hard-swish (at -1.5) and silu (at -1.278) are exactly -0.375 and about -0.278.
ACTIVATIONS: Registry[Activation] = _registry(
    "activation",
    "edgenas.activations",
    {
        "relu": _row("RELU", "re", low=0.0, fused="clip"),
        "relu6": _row("RELU6", "r6", low=0.0, high=6.0, fused="clip"),
        "hard_swish": _row("HARD_SWISH", "hs", low=-0.375, cost=1.0, factor=6.0),
        "silu": _row("SILU", "si", low=-0.279, cost=1.5),
    },
)
"""Those of stems, blocks, heads and squeezes, by name."""

GATES: Registry[Activation] = _registry(
    "gate",
    "edgenas.gates",
    {
        "hard_sigmoid": _row("HARD_SIGMOID", "hsig", low=0.0, high=1.0, cost=2.0, fused="gate"),
        "sigmoid": _row("SIGMOID", "sig", low=0.0, high=1.0, cost=2.5),
    },
)
"""Those that turn the result of a squeeze-and-excitation into factors, by name."""

ActivationName = Annotated[str, NameIn("edgenas.arch.activations:ACTIVATIONS")]
GateName = Annotated[str, NameIn("edgenas.arch.activations:GATES")]


def activation(name: str) -> Activation:
    """Return the row of an activation or gate.

    Raises:
        ArchitectureError: There is none of that name.
    """
    return GATES[name] if name in GATES else ACTIVATIONS[name]


@lru_cache(maxsize=256)
def back_end(name: str, field: Literal["torch", "files"], kind: type[_T]) -> _T:
    """Return a back end's entry of an activation or gate; its module is imported here.

    Args:
        name: The activation.
        field: Of the row, which says where the entry lies.
        kind: What the entry has to be.

    Raises:
        ArchitectureError: There is no activation of that name.
        PluginError: The package that adds the activation has no such entry.
    """
    registry = GATES if name in GATES else ACTIVATIONS
    what = f"the {field} entry of the {registry.what} {name!r} of {registry.origin(name)}"
    return load_part(getattr(registry[name], field), kind=kind, what=what)
