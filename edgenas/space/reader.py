"""The YAML of a space: which short forms a user may write, and how they become a definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, cast

from edgenas.arch.padding import PaddingRule
from edgenas.errors import SpaceError, explain
from edgenas.reading.typed import ONE_OR_MANY, Place, read_value
from edgenas.space.axes import AXES, LEFT_OUT, BlockFile, Integers, Numbers, Per, Scope
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _StageFile(BlockFile):
    """A stage, or the defaults of all, as a file gives them."""

    out: Integers = LEFT_OUT
    depth: Integers = LEFT_OUT
    stride: int = LEFT_OUT
    per: Scope | Per = LEFT_OUT
    first: BlockFile = LEFT_OUT
    later: tuple[BlockFile, ...] = LEFT_OUT
    keep_expand: bool = LEFT_OUT
    residual: bool = LEFT_OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class _SpaceFile:
    """A whole file."""

    name: str
    description: str = ""
    resolution: Integers
    width: Numbers = (1.0,)
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


def _given(part: BlockFile) -> dict[str, Any]:
    """Return what a file says, by key, as choices."""
    found = {entry.name: getattr(part, entry.name) for entry in fields(part)}
    found = {name: value for name, value in found.items() if value is not None}
    for name in FIELDS:
        if name in found:
            found[name] = tuple(AXES[name].choice(value) for value in found[name])
    return found


def _stage_wide(per: Scope | Per) -> tuple[ChoiceField, ...]:
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
    first = _own_choices(f"{path}.first", found.pop("first", BlockFile()), absolute=absolute)
    later = tuple(
        _own_choices(f"{path}.later[{index}]", own, absolute=absolute)
        for index, own in enumerate(found.pop("later", ()))
    )
    stage = _expanded(path, found)
    wide = _stage_wide(stage.pop("per", "block"))
    return StageChoices(**stage, absolute=absolute, stage_wide=wide, first=first, later=later)


def _own_choices(path: str, part: BlockFile, *, absolute: bool) -> tuple[tuple[ChoiceField, Choices], ...]:
    """Return the choices of one block by field."""
    own = _given(part)
    if absolute != ("expanded" in own) and ("expanded" in own or "expansion" in own):
        raise SpaceError(explain(f"{path}: expansion and expanded must be the stage's form"))
    return tuple((cast(ChoiceField, key), values) for key, values in sorted(_expanded(path, own).items()))


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
