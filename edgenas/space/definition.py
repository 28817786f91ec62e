"""What a search space consists of, as frozen values: the choices of every part of a network.

Letters used in this room: N candidates, D genes, S joint values of a stage's stage-wide genes, B joint values of one
block's own genes, K numbers per network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from edgenas.arch.activations import ActivationName, GateName
from edgenas.arch.padding import PaddingRule
from edgenas.space.kinds import SPACE_KINDS, SpaceKindName

ChoiceField = Literal["kind", "start_kernel", "kernel", "expansion", "squeeze_excite", "activation"]
"""What varies inside a block, in the order in which a block's genes stand."""
FIELDS: tuple[ChoiceField, ...] = get_args(ChoiceField)

Scaling = Literal["always", "wider", "never"]
"""Whether the width multiplier applies: to all widths, only to those above 1, or not at all."""
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)

Choice = str | int | float
Choices = tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqueezeRule:
    """How squeeze-and-excitation is built where a block has it.

    Attributes:
        squeeze: `expanded`: make_divisible(expanded * ratio, divisor) as MobileNetV3; `input`: the integer part of
            block input * ratio, at least 1, as MnasNet and EfficientNet.
        activation: Non-linearity between the two convolutions.
        gate: What turns the result into factors.
    """

    squeeze: Literal["expanded", "input"] = "expanded"
    activation: ActivationName = "relu"
    gate: GateName = "hard_sigmoid"


@dataclass(frozen=True, slots=True, kw_only=True)
class StemChoice:
    """The first convolution, at width 1."""

    channels: int
    kernel: int = 3
    stride: int = 2
    activation: ActivationName = "relu"
    scale: Scaling = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadChoice:
    """What follows the last block, at width 1; the fields are those of `edgenas.arch.Head`."""

    conv: int = 0
    hidden: int = 0
    hidden_norm: bool = False
    activation: ActivationName = "relu"
    scale: Scaling = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChoices:
    """The choices of one stage; a tuple of one value is fixed.

    Attributes:
        out: Channels of every block's result at width 1.
        depth: Numbers of blocks.
        stride: Stride of the first block.
        kind: Of `SPACE_KINDS`; a first block is never a `skip`.
        start_kernel: Of a `uib`'s depthwise before the expansion, 0 for none.
        kernel: Of the middle depthwise or the full convolution; 0 for none in a `uib`, but never in a first block
            with stride 2.
        expansion: Expanded channels over the channels coming in, rounded by make_divisible; where `absolute`, the
            expanded channels at width 1.
        absolute: Whether `expansion` holds channels.
        squeeze_excite: Ratios, 0 for none.
        activation: Non-linearities.
        stage_wide: Fields that are chosen once for the stage; all others are chosen for every block.
        first: Other choices for the first block, as (field, choices); such a field is the first block's own.
        later: Other choices for the blocks after the first: entry i for block i + 1. Such a field is that block's own.
        keep_expand: Whether the 1x1 expansion stays where it does not widen (FBNet).
        residual: Whether a block adds its input to its result where stride and channels allow; None as its kind does.
    """

    out: tuple[int, ...]
    depth: tuple[int, ...] = (1,)
    stride: int = 1
    kind: tuple[SpaceKindName, ...] = ("mbconv",)
    start_kernel: tuple[int, ...] = (0,)
    kernel: tuple[int, ...] = (3,)
    expansion: tuple[float, ...] = (6.0,)
    absolute: bool = False
    squeeze_excite: tuple[float, ...] = (0.0,)
    activation: tuple[ActivationName, ...] = ("relu",)
    stage_wide: tuple[ChoiceField, ...] = ()
    first: tuple[tuple[ChoiceField, Choices], ...] = ()
    later: tuple[tuple[tuple[ChoiceField, Choices], ...], ...] = ()
    keep_expand: bool = False
    residual: bool | None = None

    def own(self, position: int) -> dict[ChoiceField, Choices]:
        """Return the choices that a block has instead of the stage's, by field."""
        if position == 0:
            return dict(self.first)
        return dict(self.later[position - 1]) if position <= len(self.later) else {}

    def choices(self, field: ChoiceField, *, position: int) -> Choices:
        """Return what a field may be in the block at a position.

        Choices that a first block cannot take are left out for it: `skip`, and kernel 0 with stride 2.
        """
        values: Choices = self.own(position).get(field, getattr(self, field))
        if position == 0 and field == "kind":
            return tuple(value for value in values if value not in SPACE_KINDS or SPACE_KINDS[str(value)].block)
        if position == 0 and field == "kernel" and self.stride == 2:
            return tuple(value for value in values if value != 0)
        return values

    def shared(self, field: ChoiceField, *, position: int) -> bool:
        """Whether a block takes the field from the stage's gene rather than from its own."""
        return field in self.stage_wide and field not in self.own(position)

    def like(self, position: int) -> int:
        """Return the first position whose block has the same choices: 0, 1, or the position itself."""
        return position if position <= len(self.later) else min(position, len(self.later) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """Everything that a space's file says.

    Attributes:
        name: What the space is called.
        description: A sentence for people.
        resolution: Height and width of the input, pixels.
        width: Multipliers of all channels, rounded by make_divisible.
        in_channels, classes, norm_eps, padding: As in `edgenas.arch.Architecture`.
        divisor: Channels are multiples of it.
        squeeze_rule: How squeeze-and-excitation is built.
        stem, head: The fixed parts.
        stages: The choices of each stage.
    """

    name: str
    description: str = ""
    resolution: tuple[int, ...]
    width: tuple[float, ...] = (1.0,)
    in_channels: int = 3
    classes: int = 1000
    norm_eps: float = 1e-3
    padding: PaddingRule = "symmetric"
    divisor: int = 8
    squeeze_rule: SqueezeRule = SqueezeRule()
    stem: StemChoice
    head: HeadChoice
    stages: tuple[StageChoices, ...]
