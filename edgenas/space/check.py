"""Checks of a space's definition beyond the types of its values. The laws of a space (see `CodedSpace`) rest on them.
"""

from __future__ import annotations

from itertools import combinations, groupby

from edgenas.arch import limits
from edgenas.arch.activations import ACTIVATIONS, GATES
from edgenas.arch.padding import PADDING_RULES
from edgenas.space.axes import AXES, Given
from edgenas.space.definition import FIELDS, SCALINGS, Definition, StageChoices
from edgenas.space.rules import head_of, scaled_channels, stem_of
from edgenas.space.values import (
    require,
    require_distinct,
    require_divisible,
    require_kernels,
    require_member,
    require_numbers,
)


def check(definition: Definition) -> None:
    """Check a definition.

    Raises:
        SpaceError: A value is impossible, or two different codes would be the same network in a way that canonical
            codes do not resolve; the message begins with the path of the value.
    """
    _check_whole(definition)
    for index, stage in enumerate(definition.stages):
        _check_stage(definition, stage, f"stages[{index}]")
    _check_widths_differ(definition)
    _check_outs_differ(definition)
    _check_boundaries(definition)


def _check_whole(definition: Definition) -> None:
    require(bool(definition.name.strip()), "name: must not be empty")
    require_numbers("resolution", definition.resolution, low=1, high=limits.RESOLUTION)
    require_numbers("width", definition.width, low=0.01, high=100)
    require_numbers("in_channels", (definition.in_channels,), low=1, high=limits.IN_CHANNELS)
    require_numbers("classes", (definition.classes,), low=1, high=limits.CLASSES)
    require_numbers("divisor", (definition.divisor,), low=1, high=256)
    require(0 < definition.norm_eps < 1, "norm_eps: impossible value", got=definition.norm_eps, allowed="0 to 1")
    require_member("padding", definition.padding, PADDING_RULES)
    rule, stem, head = definition.squeeze_rule, definition.stem, definition.head
    require_member("squeeze_rule.squeeze", rule.squeeze, ("expanded", "input"))
    require_member("squeeze_rule.activation", rule.activation, ACTIVATIONS.names())
    require_member("squeeze_rule.gate", rule.gate, GATES.names())
    require_numbers("stem.channels", (stem.channels,), low=1, high=limits.CHANNELS)
    require_divisible("stem.channels", (stem.channels,), divisor=definition.divisor)
    require_kernels("stem.kernel", (stem.kernel,), zero=False)
    require_numbers("stem.stride", (stem.stride,), low=1, high=2)
    require_numbers("head.conv", (head.conv,), low=0, high=limits.CHANNELS)
    require_numbers("head.hidden", (head.hidden,), low=0, high=limits.CHANNELS)
    for path, part in (("stem", stem), ("head", head)):
        require_member(f"{path}.activation", part.activation, ACTIVATIONS.names())
        require_member(f"{path}.scale", part.scale, SCALINGS)
    require(len(definition.stages) > 0, "stages: needs at least one stage")
    blocks = sum(max(stage.depth, default=0) for stage in definition.stages)
    require(blocks <= limits.BLOCKS, "stages: too many blocks", got=blocks, allowed=f"up to {limits.BLOCKS}")


def _check_stage(definition: Definition, stage: StageChoices, path: str) -> None:
    require_numbers(f"{path}.out", stage.out, low=1, high=limits.CHANNELS)
    require_divisible(f"{path}.out", stage.out, divisor=definition.divisor)
    require_numbers(f"{path}.depth", stage.depth, low=1, high=64)
    require_numbers(f"{path}.stride", (stage.stride,), low=1, high=2)
    for field in (*stage.stage_wide, *dict(stage.first), *(name for own in stage.later for name in dict(own))):
        require_member(f"{path}: a field of `per`, `first` or `later`", field, FIELDS)
    require_distinct(f"{path}.per", stage.stage_wide)
    most = max(stage.depth)
    require(
        len(stage.later) < most, f"{path}.later: more blocks than the stage has after its first",
        got=len(stage.later), allowed=f"at most {most - 1}",
    )
    for position in sorted({stage.like(position) for position in range(most)}):
        own = {0: "first"}.get(position, f"later[{position - 1}]")
        where = f"{path}.{own}" if stage.own(position) else path
        given = Given(definition=definition, stage=stage, path=where, position=position)
        for field in FIELDS:
            AXES[field].check(given)
    skips = any("skip" in stage.choices("kind", position=position) for position in range(most))
    require(
        not (skips and stage.later), f"{path}.later: not together with skip, since a skip lets the next block move up",
        remedy="Vary the depth instead.",
    )
    require(
        "skip" not in stage.kind or "kind" not in stage.stage_wide,
        f"{path}.kind: a skip is chosen for every block", got="per: stage", remedy="Leave `kind` at `per: block`.",
    )
    require(
        "skip" not in stage.kind or len(stage.kind) > 1, f"{path}.kind: nothing but skip is no stage", got="skip"
    )


def _check_widths_differ(definition: Definition) -> None:
    """Require that a network shows its width multiplier.

    Some part without other choices of channels must differ between any two widths.
    """
    fixed = [stage.out[0] for stage in definition.stages if len(stage.out) == 1]
    seen: dict[object, float] = {}
    for width in definition.width:
        outs = tuple(scaled_channels(out, width, divisor=definition.divisor) for out in fixed)
        signature = (stem_of(definition, width), head_of(definition, width), outs)
        other = seen.setdefault(signature, width)
        require(
            other == width, "width: two multipliers round to the same stem, head and fixed stages",
            got=f"{other:g} and {width:g}", remedy="Remove one of them, or use a smaller divisor.",
        )


def _check_outs_differ(definition: Definition) -> None:
    for index, stage in enumerate(definition.stages):
        for width in definition.width:
            outs = [scaled_channels(out, width, divisor=definition.divisor) for out in stage.out]
            require(
                len(set(outs)) == len(outs), f"stages[{index}].out: two values round to the same channels",
                got=f"{outs} at width {width:g}", remedy="Remove one of them, or use a smaller divisor.",
            )


def _check_boundaries(definition: Definition) -> None:
    """Refuse two neighbouring stages of variable depth whose blocks look alike.

    A network would not show where the first one ends.
    """
    for width in definition.width:
        joined = [0]
        for before, stage in zip(definition.stages, definition.stages[1:], strict=False):
            outs = (
                {scaled_channels(out, width, divisor=definition.divisor) for out in part.out}
                for part in (before, stage)
            )
            meets = stage.stride == 1 and bool(set.intersection(*outs))
            joined.append(joined[-1] if meets else joined[-1] + 1)
        for _, members in groupby(range(len(joined)), key=joined.__getitem__):
            varying = [i for i in members if len(definition.stages[i].depth) > 1 or "skip" in definition.stages[i].kind]
            for first, second in combinations(varying, 2):
                require(
                    False, f"stages[{second}]: with the stride 1 and the channels of stages[{first}] it would be the "
                    "same network under two codes, because both vary in depth", got=f"width {width:g}",
                    remedy="Join the two stages, or fix the depth of one.",
                )
