"""The YAML of a space: which short forms a user may write, and how they become a definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, cast

from edgenas.arch.activations import ActivationName
from edgenas.arch.padding import PaddingRule
from edgenas.errors import SpaceError, explain
from edgenas.reading.typed import ONE_OR_MANY, Place, read_value
from edgenas.space.check import check
from edgenas.space.definition import (
    FIELDS,
    ChoiceField,
    Choices,
    Definition,
    HeadChoice,
    SqueezeRule,
    StageChoices,
    StemChoice,
)
from edgenas.space.kinds import SpaceKindName

DEFAULT_SQUEEZE = 0.25

Scope = Literal["stage", "block"]
_Integers = Annotated[tuple[int, ...], ONE_OR_MANY]
_Numbers = Annotated[tuple[float, ...], ONE_OR_MANY]

# The default of a key that a file may leave out; null is refused where it is given.
_LEFT_OUT: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Per:
    """Which fields are chosen once for a stage."""

    kind: Scope = "block"
    start_kernel: Scope = "block"
    kernel: Scope = "block"
    expansion: Scope = "block"
    squeeze_excite: Scope = "block"
    activation: Scope = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class _BlockFile:
    """Choices inside a block, as a file gives them; None for a key that is not in the file."""

    kind: Annotated[tuple[SpaceKindName, ...], ONE_OR_MANY] = _LEFT_OUT
    start_kernel: _Integers = _LEFT_OUT
    kernel: _Integers = _LEFT_OUT
    expansion: _Numbers = _LEFT_OUT
    expanded: _Integers = _LEFT_OUT
    squeeze_excite: Annotated[tuple[bool | float, ...], ONE_OR_MANY] = _LEFT_OUT
    activation: Annotated[tuple[ActivationName, ...], ONE_OR_MANY] = _LEFT_OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class _StageFile(_BlockFile):
    """A stage, or the defaults of all, as a file gives them."""

    out: _Integers = _LEFT_OUT
    depth: _Integers = _LEFT_OUT
    stride: int = _LEFT_OUT
    per: Scope | _Per = _LEFT_OUT
    first: _BlockFile = _LEFT_OUT
    keep_expand: bool = _LEFT_OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class _SpaceFile:
    """A whole file."""

    name: str
    description: str = ""
    resolution: _Integers
    width: _Numbers = (1.0,)
    in_channels: int = 3
    classes: int = 1000
    norm_eps: float = 1e-3
    padding: PaddingRule = "symmetric"
    divisor: int = 8
    squeeze_rule: SqueezeRule = SqueezeRule()
    stem: StemChoice
    head: HeadChoice
    defaults: _StageFile = _StageFile()
    stages: Annotated[tuple[_StageFile, ...], ONE_OR_MANY]


def _given(part: _BlockFile) -> dict[str, Any]:
    """Return what a file says, by key; squeeze-and-excitation as ratios."""
    found = {entry.name: getattr(part, entry.name) for entry in fields(part)}
    found = {name: value for name, value in found.items() if value is not None}
    if "squeeze_excite" in found:
        found["squeeze_excite"] = tuple(_ratio(value) for value in found["squeeze_excite"])
    return found


def _ratio(value: bool | float) -> float:
    if isinstance(value, bool):
        return DEFAULT_SQUEEZE if value else 0.0
    return float(value)


def _stage_wide(per: Scope | _Per) -> tuple[ChoiceField, ...]:
    """Return the fields that are chosen once for a stage."""
    if isinstance(per, str):
        return FIELDS if per == "stage" else ()
    return tuple(field for field in FIELDS if getattr(per, field) == "stage")


def _expanded(path: str, found: dict[str, Any]) -> dict[str, Any]:
    """Bring `expanded` (channels) under `expansion`, where the definition keeps both."""
    if "expanded" in found and "expansion" in found:
        raise SpaceError(explain(f"{path}: give expansion (ratios) or expanded (channels), not both"))
    return {("expansion" if key == "expanded" else key): value for key, value in found.items()}


def _stage(path: str, own: dict[str, Any], defaults: dict[str, Any]) -> StageChoices:
    inherited = dict(defaults)
    if "expanded" in own or "expansion" in own:
        inherited.pop("expanded", None)
        inherited.pop("expansion", None)
    found = inherited | own
    if "out" not in found:
        raise SpaceError(explain(f"{path}.out: is missing"))
    absolute = "expanded" in found
    first = _given(found.pop("first", _BlockFile()))
    if absolute != ("expanded" in first) and ("expanded" in first or "expansion" in first):
        raise SpaceError(explain(f"{path}.first: expansion and expanded must be the stage's form"))
    stage = _expanded(path, found)
    wide = _stage_wide(stage.pop("per", "block"))
    first_choices: tuple[tuple[ChoiceField, Choices], ...] = tuple(
        (cast(ChoiceField, key), values) for key, values in sorted(_expanded(f"{path}.first", first).items())
    )
    return StageChoices(**stage, absolute=absolute, stage_wide=wide, first=first_choices)


def read_definition(
    content: object, *, source: str = "the space", lines: Mapping[Place, int] | None = None
) -> Definition:
    """Read a space's content, as YAML gives it, and check it.

    Args:
        content: Mappings, lists and scalars.
        source: What messages call it.
        lines: Line of each place, where known.

    Raises:
        SpaceError: An unknown key, a wrong type or an impossible value.
    """
    file = read_value(_SpaceFile, content, source=source, error=SpaceError, lines=lines)
    found = {entry.name: getattr(file, entry.name) for entry in fields(file)}
    defaults = _given(found.pop("defaults"))
    try:
        found["stages"] = tuple(
            _stage(f"stages[{index}]", _given(own), defaults) for index, own in enumerate(file.stages)
        )
        definition = Definition(**found)
        check(definition)
    except SpaceError as error:
        raise SpaceError(f"{source}: {error}") from error
    return definition
