"""Checks of a space's definition beyond the types of its values. The laws of a space (see `CodedSpace`) rest on them.
"""

from __future__ import annotations

from itertools import combinations, groupby

from edgenas.arch import limits
from edgenas.arch.activations import ACTIVATIONS, GATES
from edgenas.arch.padding import PADDING_RULES
from edgenas.errors import SpaceError, explain, nearest
from edgenas.space.definition import FIELDS, SCALINGS, Choices, Definition, StageChoices
from edgenas.space.kinds import SPACE_KINDS, universal_kinds
from edgenas.space.rules import head_of, scaled_channels, stem_of


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


def _require(condition: bool, what: str, *, got: object = None, allowed: object = None, remedy: str = "") -> None:
    if not condition:
        raise SpaceError(explain(what, got=got, allowed=allowed, remedy=remedy))


def _member(path: str, value: object, allowed: tuple[str, ...]) -> None:
    _require(
        value in allowed, f"{path}: unknown value{nearest(str(value), allowed)}", got=repr(value),
        allowed=", ".join(allowed),
    )


def _choices(path: str, values: Choices, *, low: float, high: float) -> None:
    _require(isinstance(values, tuple) and len(values) > 0, f"{path}: needs at least one value")
    for value in values:
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
        _require(number, f"{path}: impossible value", got=repr(value), allowed=f"{low} to {high}")
    _distinct(path, values)
    _require(list(values) == sorted(values), f"{path}: values must ascend", got=list(values))  # type: ignore[type-var]


def _distinct(path: str, values: Choices) -> None:
    _require(len(set(values)) == len(values), f"{path}: a value is given twice", got=list(values))


def _kernels(path: str, values: Choices, *, zero: bool) -> None:
    _choices(path, values, low=0 if zero else 1, high=limits.KERNEL)
    for value in values:
        _require(
            isinstance(value, int) and (value % 2 == 1 or value == 0), f"{path}: a kernel must be odd", got=value,
            allowed="1, 3, ..., 15" + (", or 0 for none" if zero else ""),
        )


def _check_divisible(definition: Definition, path: str, *channels: float) -> None:
    for count in channels:
        _require(
            count % definition.divisor == 0, f"{path}: channels must be multiples of the divisor", got=count,
            allowed=f"multiples of {definition.divisor}", remedy="Set `divisor: 4` (or 2, 1) for narrow networks.",
        )


def _check_whole(definition: Definition) -> None:
    _require(bool(definition.name.strip()), "name: must not be empty")
    _choices("resolution", definition.resolution, low=1, high=limits.RESOLUTION)
    _choices("width", definition.width, low=0.01, high=100)
    _choices("in_channels", (definition.in_channels,), low=1, high=limits.IN_CHANNELS)
    _choices("classes", (definition.classes,), low=1, high=limits.CLASSES)
    _choices("divisor", (definition.divisor,), low=1, high=256)
    _require(0 < definition.norm_eps < 1, "norm_eps: impossible value", got=definition.norm_eps, allowed="0 to 1")
    _member("padding", definition.padding, PADDING_RULES)
    rule, stem, head = definition.squeeze_rule, definition.stem, definition.head
    _member("squeeze_rule.squeeze", rule.squeeze, ("expanded", "input"))
    _member("squeeze_rule.activation", rule.activation, ACTIVATIONS.names())
    _member("squeeze_rule.gate", rule.gate, GATES.names())
    _choices("stem.channels", (stem.channels,), low=1, high=limits.CHANNELS)
    _check_divisible(definition, "stem.channels", stem.channels)
    _kernels("stem.kernel", (stem.kernel,), zero=False)
    _choices("stem.stride", (stem.stride,), low=1, high=2)
    _choices("head.conv", (head.conv,), low=0, high=limits.CHANNELS)
    _choices("head.hidden", (head.hidden,), low=0, high=limits.CHANNELS)
    for path, part in (("stem", stem), ("head", head)):
        _member(f"{path}.activation", part.activation, ACTIVATIONS.names())
        _member(f"{path}.scale", part.scale, SCALINGS)
    _require(len(definition.stages) > 0, "stages: needs at least one stage")
    blocks = sum(max(stage.depth, default=0) for stage in definition.stages)
    _require(blocks <= limits.BLOCKS, "stages: too many blocks", got=blocks, allowed=f"up to {limits.BLOCKS}")


def _check_stage(definition: Definition, stage: StageChoices, path: str) -> None:
    _choices(f"{path}.out", stage.out, low=1, high=limits.CHANNELS)
    _check_divisible(definition, f"{path}.out", *stage.out)
    _choices(f"{path}.depth", stage.depth, low=1, high=64)
    _choices(f"{path}.stride", (stage.stride,), low=1, high=2)
    for field in (*stage.stage_wide, *dict(stage.first)):
        _member(f"{path}: a field of `per` or `first`", field, FIELDS)
    _distinct(f"{path}.per", stage.stage_wide)
    for first in (True, False):
        where = f"{path}.first" if first and stage.first else path
        if first or max(stage.depth) > 1:
            _check_fields(definition, stage, where, first=first)
    _require(
        "skip" not in stage.kind or not stage.shared("kind", first=False),
        f"{path}.kind: a skip is chosen for every block", got="per: stage", remedy="Leave `kind` at `per: block`.",
    )
    _require(
        "skip" not in stage.kind or len(stage.kind) > 1, f"{path}.kind: nothing but skip is no stage", got="skip"
    )


def _check_fields(definition: Definition, stage: StageChoices, path: str, *, first: bool) -> None:
    kind, start, kernel, expansion, squeeze, activation = (stage.choices(field, first=first) for field in FIELDS)
    for name, values, allowed in (("kind", kind, SPACE_KINDS.names()), ("activation", activation, ACTIVATIONS.names())):
        _require(len(values) > 0, f"{path}.{name}: no value is left for the first block")
        _distinct(f"{path}.{name}", values)
        for value in values:
            _member(f"{path}.{name}", value, allowed)
    rows, universal = [SPACE_KINDS[str(name)] for name in kind], " or ".join(universal_kinds())
    _require(len(kernel) > 0, f"{path}.kernel: no value is left for the first block, which has stride 2")
    _kernels(f"{path}.kernel", kernel, zero=True)
    _require(
        0 not in kernel or all(row.universal or not row.block for row in rows),
        f"{path}.kernel: 0 (no depthwise) is for {universal} only",
        got=f"kind {', '.join(map(str, kind))}", remedy="Write `kind: uib`.",
    )
    shared_kernel = first and stage.shared("kernel", first=True)
    _require(
        not shared_kernel or kernel == stage.kernel,
        f"{path}.kernel: the first block has stride 2 and cannot be without a depthwise", got=list(stage.kernel),
        remedy="Give it kernels of its own with `first: {kernel: ...}`, or choose the kernel `per: block`.",
    )
    _kernels(f"{path}.start_kernel", start, zero=True)
    _require(
        start == (0,) or any(row.universal for row in rows), f"{path}.start_kernel: is for {universal} only",
        got=list(start),
        remedy="Write `kind: uib`.",
    )
    _choices(f"{path}.squeeze_excite", squeeze, low=0, high=1)
    if stage.absolute:
        _choices(f"{path}.expanded", expansion, low=1, high=limits.CHANNELS)
        _check_divisible(definition, f"{path}.expanded", *(float(value) for value in expansion))
    else:
        _choices(f"{path}.expansion", expansion, low=0.01, high=64)


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
        _require(
            other == width, "width: two multipliers round to the same stem, head and fixed stages",
            got=f"{other:g} and {width:g}", remedy="Remove one of them, or use a smaller divisor.",
        )


def _check_outs_differ(definition: Definition) -> None:
    for index, stage in enumerate(definition.stages):
        for width in definition.width:
            outs = [scaled_channels(out, width, divisor=definition.divisor) for out in stage.out]
            _require(
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
                _require(
                    False, f"stages[{second}]: with the stride 1 and the channels of stages[{first}] it would be the "
                    "same network under two codes, because both vary in depth", got=f"width {width:g}",
                    remedy="Join the two stages, or fix the depth of one.",
                )
