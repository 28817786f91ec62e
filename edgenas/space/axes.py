"""What varies inside a block: one row an axis, with all that files, checks, features and extremes know of it.

To add one, write a row here with its two keys of a file, a field in `edgenas.space.definition`, and what it means for
a block in `edgenas.space.rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from edgenas.arch import limits
from edgenas.arch.activations import ACTIVATIONS, ActivationName
from edgenas.arch.architecture import Block
from edgenas.reading.typed import ONE_OR_MANY
from edgenas.space.definition import ChoiceField, Choices, Definition, StageChoices
from edgenas.space.kinds import SPACE_KINDS, SpaceKindName, universal_kinds
from edgenas.space.values import require, require_divisible, require_kernels, require_names, require_numbers

DEFAULT_SQUEEZE = 0.25
THOUSANDTHS = 1000
"""Expansions are summed as whole thousandths, so that the order of the sum cannot matter."""

Scope = Literal["stage", "block"]
Integers = Annotated[tuple[int, ...], ONE_OR_MANY]
Numbers = Annotated[tuple[float, ...], ONE_OR_MANY]

LEFT_OUT: Any = None
"""The default of a key that a file may leave out; null is refused where it is given."""

Feature = tuple[str, float, Callable[[Block, int], int]]
"""Name, scale, and the value that a block adds (from the block and its channels coming in), in units of the scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Per:
    """Which axes a file lets vary once for a stage."""

    kind: Scope = "block"
    start_kernel: Scope = "block"
    kernel: Scope = "block"
    expansion: Scope = "block"
    squeeze_excite: Scope = "block"
    activation: Scope = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFile:
    """Choices inside a block, as a file gives them; None for a key that is not in the file."""

    kind: Annotated[tuple[SpaceKindName, ...], ONE_OR_MANY] = LEFT_OUT
    start_kernel: Integers = LEFT_OUT
    kernel: Integers = LEFT_OUT
    expansion: Numbers = LEFT_OUT
    expanded: Integers = LEFT_OUT
    squeeze_excite: Annotated[tuple[bool | float, ...], ONE_OR_MANY] = LEFT_OUT
    activation: Annotated[tuple[ActivationName, ...], ONE_OR_MANY] = LEFT_OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The choices of one block of a stage, to be checked.

    Attributes:
        definition: The space.
        stage: The stage.
        path: Where its values stand, for messages.
        position: Of the block in the stage; those with the same choices are checked once.
    """

    definition: Definition
    stage: StageChoices
    path: str
    position: int

    def choices(self, field: ChoiceField) -> Choices:
        """Return what an axis may be."""
        return self.stage.choices(field, position=self.position)


@dataclass(frozen=True, slots=True, kw_only=True)
class Varied:
    """What the choices of a stage can change.

    Attributes:
        stage: The stage.
        deep: Whether the number of its blocks varies.
        free: The axes with more than one choice.
    """

    stage: StageChoices
    deep: bool
    free: Collection[ChoiceField]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis.

    Attributes:
        check: Raises a SpaceError if its values are impossible. The kind of block is checked before all others.
        features: Yields the features that its choices, or those of the depth, can change.
        choice: From a value of a file to a choice.
        weights: From its choices to numbers of which the largest stands for the heaviest network; None where their
            order has no meaning.
    """

    check: Callable[[Given], None]
    features: Callable[[Varied], Iterator[Feature]]
    choice: Callable[[Any], Any] = lambda value: value
    weights: Callable[[Choices], list[float]] | None = lambda choices: [float(value) for value in choices]


def _check_kind(given: Given) -> None:
    require_names(f"{given.path}.kind", given.choices("kind"), SPACE_KINDS.names())


def _kind_features(varied: Varied) -> Iterator[Feature]:
    for name in SPACE_KINDS if "kind" in varied.free else ():
        kind = SPACE_KINDS[name]
        if kind.counted and name in varied.stage.kind:
            yield name, 1, lambda block, channels, kind=kind: int(block.kind == kind.block)  # type: ignore[misc]


def _kind_weights(choices: Choices) -> list[float]:
    names = SPACE_KINDS.names()
    return [names.index(str(choice)) for choice in choices]


def _check_start_kernel(given: Given) -> None:
    start = given.choices("start_kernel")
    require_kernels(f"{given.path}.start_kernel", start, zero=True)
    require(
        start == (0,) or any(SPACE_KINDS[str(kind)].universal for kind in given.choices("kind")),
        f"{given.path}.start_kernel: is for {' or '.join(universal_kinds())} only",
        got=list(start),
        remedy="Write `kind: uib`.",
    )


def _start_kernel_features(varied: Varied) -> Iterator[Feature]:
    if "start_kernel" in varied.free:
        yield "start_kernel", 1, lambda block, channels: block.start_kernel


def _check_kernel(given: Given) -> None:
    kernel, kinds, path = given.choices("kernel"), given.choices("kind"), f"{given.path}.kernel"
    require(len(kernel) > 0, f"{path}: no value is left for the first block, which has stride 2")
    require_kernels(path, kernel, zero=True)
    rows = [SPACE_KINDS[str(kind)] for kind in kinds]
    require(
        0 not in kernel or all(row.universal or not row.block for row in rows),
        f"{path}: 0 (no depthwise) is for {' or '.join(universal_kinds())} only",
        got=f"kind {', '.join(map(str, kinds))}",
        remedy="Write `kind: uib`.",
    )
    require(
        not (given.position == 0 and given.stage.shared("kernel", position=0)) or kernel == given.stage.kernel,
        f"{path}: the first block has stride 2 and cannot be without a depthwise",
        got=list(given.stage.kernel),
        remedy="Give it kernels of its own with `first: {kernel: ...}`, or choose the kernel `per: block`.",
    )


def _kernel_features(varied: Varied) -> Iterator[Feature]:
    if varied.deep or "kernel" in varied.free:
        yield "kernel", 1, lambda block, channels: block.kernel


def _check_expansion(given: Given) -> None:
    expansion, divisor = given.choices("expansion"), given.definition.divisor
    if given.stage.absolute:
        require_numbers(f"{given.path}.expanded", expansion, low=1, high=limits.CHANNELS)
        require_divisible(f"{given.path}.expanded", [float(value) for value in expansion], divisor=divisor)
    else:
        require_numbers(f"{given.path}.expansion", expansion, low=0.01, high=64)


def _expansion_features(varied: Varied) -> Iterator[Feature]:
    if varied.deep or "expansion" in varied.free:
        yield "expansion", THOUSANDTHS, _thousandths
    if varied.deep or "kernel" in varied.free or "expansion" in varied.free:
        yield "kernel_expansion", THOUSANDTHS, lambda block, channels: block.kernel * _thousandths(block, channels)


def _thousandths(block: Block, in_channels: int) -> int:
    return round(block.expanded / in_channels * THOUSANDTHS)


def _check_squeeze(given: Given) -> None:
    require_numbers(f"{given.path}.squeeze_excite", given.choices("squeeze_excite"), low=0, high=1)


def _squeeze_features(varied: Varied) -> Iterator[Feature]:
    if "squeeze_excite" in varied.free:
        yield "squeeze_excite", 1, lambda block, channels: int(block.se is not None)


def _ratio(value: bool | float) -> float:
    if isinstance(value, bool):
        return DEFAULT_SQUEEZE if value else 0.0
    return float(value)


def _check_activation(given: Given) -> None:
    require_names(f"{given.path}.activation", given.choices("activation"), ACTIVATIONS.names())


def _activation_features(varied: Varied) -> Iterator[Feature]:
    for name in sorted(set(varied.stage.activation))[1:] if "activation" in varied.free else ():
        yield name, 1, lambda block, channels, name=name: int(block.activation == name)  # type: ignore[misc]


AXES: dict[ChoiceField, Axis] = {
    "kernel": Axis(check=_check_kernel, features=_kernel_features),
    "start_kernel": Axis(check=_check_start_kernel, features=_start_kernel_features),
    "expansion": Axis(check=_check_expansion, features=_expansion_features),
    "squeeze_excite": Axis(check=_check_squeeze, features=_squeeze_features, choice=_ratio),
    "activation": Axis(check=_check_activation, features=_activation_features, weights=None),
    "kind": Axis(check=_check_kind, features=_kind_features, weights=_kind_weights),
}
"""By name, in the order of their features. Their genes stand in the order of `FIELDS`."""


def extreme(field: str, choices: Choices, *, last: bool) -> int:
    """Return the place of the choice that stands for the heaviest or lightest network; without an order the first one.

    Args:
        field: Name of an axis, or of a choice of stages or networks, whose choices ascend.
        choices: All of them.
        last: Whether the heaviest is meant.
    """
    axis = next((AXES[name] for name in AXES if name == field), None)
    if axis is None:
        return len(choices) - 1 if last else 0
    if axis.weights is None:
        return 0
    weights = axis.weights(choices)
    return weights.index(max(weights) if last else min(weights))
