"""Which rule a network's squeeze-and-excitation follows, so that a scaled one follows it too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edgenas.arch.architecture import Architecture, Block, SqueezeExcite, make_divisible


@dataclass(frozen=True, slots=True, kw_only=True)
class InferredSqueeze:
    """How many channels a block is squeezed to.

    Attributes:
        kind: `input`: a quarter of the channels coming in, rounded down (MnasNet, EfficientNet); `expanded`:
            make_divisible(expanded / 4, divisor) (MobileNetV3); `ratio`: each block keeps its own ratio to its
            expanded channels.
        divisor: Of the rule `expanded`.
    """

    kind: Literal["input", "expanded", "ratio"]
    divisor: int = 8

    def channels(self, *, in_channels: int, expanded: int) -> int:
        """Squeezed channels by the rule, for `input` and `expanded`."""
        return max(1, in_channels // 4) if self.kind == "input" else make_divisible(expanded / 4, self.divisor)

    def scaled(self, block: Block, *, in_channels: int, expanded: int) -> SqueezeExcite:
        """The squeeze-and-excitation of a scaled block that has one.

        Args:
            block: The block before scaling.
            in_channels, expanded: Channels after scaling.
        """
        assert block.se is not None
        if self.kind == "ratio":
            return replace(block.se, channels=max(1, round(expanded * block.se.channels / block.expanded)))
        return replace(block.se, channels=self.channels(in_channels=in_channels, expanded=expanded))


def inferred_squeeze(architecture: Architecture) -> InferredSqueeze:
    """Find the rule that all squeeze-and-excitations of a network follow together; else `ratio`.

    Where several fit, the quarter of the input comes first, then the coarsest rounding.
    """
    found: list[tuple[int, int, int]] = []
    channels = architecture.stem.out_channels
    for block in architecture.blocks():
        if block.se is not None:
            found.append((channels, block.expanded, block.se.channels))
        channels = block.out_channels
    rounded = (InferredSqueeze(kind="expanded", divisor=divisor) for divisor in (8, 4, 2, 1))
    rules = [InferredSqueeze(kind="input"), *rounded]
    for rule in rules:
        if all(rule.channels(in_channels=before, expanded=wide) == got for before, wide, got in found):
            return rule
    return InferredSqueeze(kind="ratio")
