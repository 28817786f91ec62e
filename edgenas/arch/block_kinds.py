"""The kinds of blocks: one row each, with all that notation, checks, lowering, spaces and scaling know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Protocol

from edgenas.arch.graph import TensorShape
from edgenas.arch.short_names import require_short_name
from edgenas.errors import ArchitectureError
from edgenas.reading.names import NameIn
from edgenas.registry import Registry


class Layers(Protocol):
    """What lowering offers to a kind of block."""

    @property
    def shapes(self) -> Mapping[str, TensorShape]:
        """Shape of every operation's result, by name."""

    def conv(
        self,
        source: str,
        part: str,
        channels: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        depthwise: bool = False,
        norm: bool = True,
        activation: str = "",
    ) -> str:
        """Append a convolution with norm and activation, named by its part of the block, and return its last name."""


class BlockValues(Protocol):
    """The values of an `edgenas.arch.Block` that its convolutions depend on."""

    @property
    def kernel(self) -> int:
        """Of the block's main convolution."""

    @property
    def start_kernel(self) -> int:
        """Of a depthwise convolution before the expansion."""

    @property
    def expanded(self) -> int:
        """Channels inside."""

    @property
    def out_channels(self) -> int:
        """Channels of the result."""

    @property
    def stride(self) -> int:
        """1 or 2."""

    @property
    def activation(self) -> str:
        """Non-linearity."""

    @property
    def expand(self) -> bool:
        """Whether there is an expansion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockKind:
    """One kind of block.

    Attributes:
        short: Its name in the notation, letters.
        inner: Appends its convolutions, from (lowering, name of the input, block) to the name of the result, which has
            `expanded` channels. Squeeze-and-excitation, projection and addition follow by themselves.
        widening: Its part that makes the expanded channels.
        projected: Whether a 1x1 convolution to `out_channels` ends it; else `expanded` equals `out_channels`, there is
            no squeeze-and-excitation, and `inner` makes the result.
        result: Its part that makes the result.
        depthwise: Whether the kernel is that of a depthwise convolution behind an expansion: it may be missing
            (kernel 0), so may the expansion, and another depthwise convolution may stand before it.
        residual: Whether networks add its input wherever shapes allow it. Others add it only where told.
    """

    short: str
    inner: Callable[[Layers, str, BlockValues], str]
    widening: str
    projected: bool = True
    result: str = "project"
    depthwise: bool = False
    residual: bool = True

    def __post_init__(self) -> None:
        require_short_name(self.short)


def _inverted(layers: Layers, source: str, block: BlockValues) -> str:
    last = source
    if block.start_kernel:
        channels = layers.shapes[source].channels
        last = layers.conv(last, "start", channels, kernel=block.start_kernel, depthwise=True)
    if block.expand:
        last = layers.conv(last, "expand", block.expanded, activation=block.activation)
    if block.kernel:
        last = layers.conv(
            last,
            "depthwise",
            block.expanded,
            kernel=block.kernel,
            stride=block.stride,
            depthwise=True,
            activation=block.activation,
        )
    return last


def _full(layers: Layers, source: str, block: BlockValues) -> str:
    return layers.conv(
        source, "conv", block.expanded, kernel=block.kernel, stride=block.stride, activation=block.activation
    )


BLOCK_KINDS: Registry[BlockKind] = Registry(
    "kind of block",
    group="edgenas.block_kinds",
    entries={
        "mbconv": BlockKind(short="mb", inner=_inverted, widening="expand", depthwise=True),
        "fused": BlockKind(short="fu", inner=_full, widening="conv"),
        "conv": BlockKind(
            short="cv", inner=_full, widening="conv", projected=False, result="conv", residual=False
        ),
    },
    check=lambda found: isinstance(found, BlockKind),
    expected="an edgenas.arch.BlockKind",
    error=ArchitectureError,
)
"""By name; entry points of the group `edgenas.block_kinds` add to it."""

BlockKindName = Annotated[str, NameIn("edgenas.arch.block_kinds:BLOCK_KINDS")]


def kinds_with(fact: str) -> str:
    """Return the names of the kinds of edgenas and of packages of which a fact holds, for messages."""
    return " or ".join(name for name in BLOCK_KINDS if getattr(BLOCK_KINDS[name], fact))
