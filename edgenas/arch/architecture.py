"""The description of a network: frozen values, validated when built, identified by a digest.

All channel counts are absolute. So a published network is stored exactly (MobileNetV3's 184 channels expanded from 80),
and two descriptions of the same network are equal values. Rules such as "squeeze to
a quarter" belong to the makers of architectures: the zoo, a search space, compound scaling.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass

from edgenas.arch import limits
from edgenas.arch.activations import ACTIVATIONS, GATES, ActivationName, GateName
from edgenas.arch.block_kinds import BLOCK_KINDS, BlockKindName, kinds_with
from edgenas.arch.padding import PADDING_RULES, PaddingRule
from edgenas.errors import ArchitectureError, explain
from edgenas.markup import html_table
from edgenas.reading.json_text import plain_text


def make_divisible(value: float, divisor: int = 8) -> int:
    """Round a channel count to a multiple of `divisor`, one step up where rounding lost more than 10 %.

    Source: the rounding of MobileNetV2 (Sandler 2018), used by every family in the zoo.

    Args:
        value: Channels before rounding, positive.
        divisor: The multiple to round to.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def _require(condition: bool, what: str, *, got: object = None, allowed: object = None, remedy: str = "") -> None:
    if not condition:
        raise ArchitectureError(explain(what, got=got, allowed=allowed, remedy=remedy))


def _whole(value: object) -> bool:
    """Whether a value is an integer; True and 2.0 are not, though Python compares them as equal to 1 and 2."""
    return isinstance(value, int) and not isinstance(value, bool)


def _require_counts(owner: str, *, least: int = 1, most: int, **values: int) -> None:
    wanted = "a positive integer" if least == 1 else "0 or a positive integer"
    for name, value in values.items():
        _require(_whole(value) and value >= least, f"{owner}: {name} must be {wanted}", got=repr(value))
        _require(value <= most, f"{owner}: {name} is too large", got=value, allowed=f"{least} to {most:,}")


def _require_kernel(owner: str, name: str, value: int, *, zero: bool) -> None:
    _require(
        _whole(value) and ((value == 0 and zero) or (1 <= value <= limits.KERNEL and value % 2 == 1)),
        f"{owner}: {name} must be odd",
        got=repr(value),
        allowed=f"1, 3, ..., {limits.KERNEL}" + (" or 0 for none" if zero else ""),
    )


def _require_stride(owner: str, value: int) -> None:
    _require(_whole(value) and value in (1, 2), f"{owner}: stride", got=repr(value), allowed="1 or 2")


def _require_flags(owner: str, **values: bool) -> None:
    for name, value in values.items():
        _require(isinstance(value, bool), f"{owner}: {name} must be true or false", got=repr(value))


def _require_member(owner: str, name: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise ArchitectureError(explain(f"{owner}: unknown {name}", got=repr(value), allowed=", ".join(allowed)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SqueezeExcite:
    """Squeeze-and-excitation (Hu 2018): pool, 1x1 to `channels`, activation, 1x1 back, gate, multiply.

    Attributes:
        channels: Squeezed channels.
        activation: Non-linearity between the two convolutions (both have a bias and no normalisation).
        gate: What turns the result into factors.
    """

    channels: int
    activation: ActivationName = "relu"
    gate: GateName = "hard_sigmoid"

    def __post_init__(self) -> None:
        _require_counts("squeeze-excite", most=limits.CHANNELS, channels=self.channels)
        _require_member("squeeze-excite", "activation", self.activation, ACTIVATIONS)
        _require_member("squeeze-excite", "gate", self.gate, GATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block. Its kind decides what it lowers to; batch norm follows every convolution.

    - `mbconv`: [start depthwise] -> [1x1 expansion, act] -> [depthwise, act] -> [SE] -> 1x1 projection -> [add].
      With a start kernel, or without a middle one, it is MobileNetV4's universal inverted bottleneck
      (Qin 2024); with `expand=False` it is a separable convolution.
    - `fused`: full convolution to `expanded`, act -> [SE] -> 1x1 projection -> [add] (EfficientNet-EdgeTPU).
    - `conv`: full convolution, act -> [add].

    Attributes:
        kind: One of `BLOCK_KINDS`.
        kernel: Size of the middle depthwise (`mbconv`, 0 for none) or of the full convolution.
        expanded: Channels inside the block; for `conv` equal to `out_channels`.
        out_channels: Channels of the result.
        stride: 1 or 2, carried by the middle depthwise or the full convolution.
        activation: Non-linearity of the block.
        expand: Whether an `mbconv` has its 1x1 expansion (some networks keep it where it does not widen).
        start_kernel: Size of an `mbconv`'s depthwise before the expansion, 0 for none; it has no activation.
        se: Squeeze-and-excitation on the expanded channels, or None.
        skip: Whether the input is added to the result; needs stride 1 and equal channels.
    """

    kind: BlockKindName = "mbconv"
    kernel: int = 3
    expanded: int
    out_channels: int
    stride: int = 1
    activation: ActivationName = "relu"
    expand: bool = True
    start_kernel: int = 0
    se: SqueezeExcite | None = None
    skip: bool = False

    def __post_init__(self) -> None:
        owner = f"{self.kind} block"
        _require_member("block", "kind", self.kind, BLOCK_KINDS)
        kind = BLOCK_KINDS[self.kind]
        _require_member(owner, "activation", self.activation, ACTIVATIONS)
        _require_counts(owner, most=limits.CHANNELS, expanded=self.expanded, out_channels=self.out_channels)
        _require_flags(owner, expand=self.expand, skip=self.skip)
        _require_kernel(owner, "kernel", self.kernel, zero=kind.depthwise)
        _require_kernel(owner, "start_kernel", self.start_kernel, zero=True)
        _require_stride(owner, self.stride)
        if not kind.depthwise and not (self.expand and self.start_kernel == 0):
            only = f"is for {kinds_with('depthwise')} only"
            _require(self.expand, f"{owner}: expand=False {only}")
            _require(self.start_kernel == 0, f"{owner}: start_kernel {only}", got=self.start_kernel)
        if not kind.projected:
            _require(
                self.expanded == self.out_channels,
                f"{owner}: expanded must equal out_channels",
                got=f"{self.expanded} and {self.out_channels}",
            )
            if self.se is not None:
                what = f"{owner}: squeeze-excite needs an {kinds_with('projected')} block"
                raise ArchitectureError(explain(what))
        if self.kernel == 0:
            _require(self.stride == 1, f"{owner}: without a middle depthwise the stride must be 1", got=self.stride)
            _require(self.expand, f"{owner}: without a middle depthwise it needs its expansion")
        _require(not self.skip or self.stride == 1, f"{owner}: a skip needs stride 1", got=self.stride)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stem:
    """The first convolution, with batch norm and activation."""

    out_channels: int
    kernel: int = 3
    stride: int = 2
    activation: ActivationName = "relu"

    def __post_init__(self) -> None:
        _require_counts("stem", most=limits.CHANNELS, out_channels=self.out_channels)
        _require_kernel("stem", "kernel", self.kernel, zero=False)
        _require_stride("stem", self.stride)
        _require_member("stem", "activation", self.activation, ACTIVATIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What follows the last block: [1x1 convolution, norm, act] -> global pool -> [hidden layer, act] -> classifier.

    Attributes:
        conv_channels: Channels of the 1x1 convolution before pooling, 0 for none.
        hidden_channels: Width of the layer after pooling, 0 for none.
        hidden_norm: Whether that layer is a 1x1 convolution with batch norm (MobileNetV4) or, as in
            MobileNetV3, a fully connected layer with bias.
        activation: Non-linearity of both.
    """

    conv_channels: int
    hidden_channels: int = 0
    hidden_norm: bool = False
    activation: ActivationName = "relu"

    def __post_init__(self) -> None:
        counts = {"conv_channels": self.conv_channels, "hidden_channels": self.hidden_channels}
        _require_counts("head", least=0, most=limits.CHANNELS, **counts)
        _require_flags("head", hidden_norm=self.hidden_norm)
        _require(not self.hidden_norm or self.hidden_channels > 0, "head: hidden_norm needs hidden_channels")
        _require_member("head", "activation", self.activation, ACTIVATIONS)
        _require(
            self.conv_channels > 0 or self.hidden_channels > 0 or self.activation == "relu",
            "head: without layers of its own the activation must stay at its default",
            got=self.activation,
            allowed="relu",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Consecutive blocks that a space varies together. The grouping is not part of the network's identity."""

    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        _require(isinstance(self.blocks, tuple) and len(self.blocks) > 0, "a stage needs at least one block")


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A whole network for square images.

    Attributes:
        resolution: Height and width of the input, pixels.
        in_channels: Channels of the input (1 or 3).
        stem: First convolution.
        stages: Blocks in order.
        head: What follows them.
        classes: Outputs of the classifier.
        norm_eps: Epsilon of every batch norm; it changes what given weights compute, so it belongs here.
        padding: How convolutions are padded; so does it.
    """

    resolution: int
    in_channels: int = 3
    stem: Stem
    stages: tuple[Stage, ...]
    head: Head
    classes: int
    norm_eps: float = 1e-3
    padding: PaddingRule = "symmetric"

    def __post_init__(self) -> None:
        _require_counts("architecture", most=limits.RESOLUTION, resolution=self.resolution)
        _require_counts("architecture", most=limits.IN_CHANNELS, in_channels=self.in_channels)
        _require_counts("architecture", most=limits.CLASSES, classes=self.classes)
        count = sum(len(stage.blocks) for stage in self.stages)
        _require(count <= limits.BLOCKS, "architecture: too many blocks", got=count, allowed=f"up to {limits.BLOCKS}")
        _require(isinstance(self.norm_eps, float), "architecture: norm_eps must be a number", got=repr(self.norm_eps))
        _require(0 < self.norm_eps < 1, "architecture: norm_eps", got=self.norm_eps, allowed="between 0 and 1")
        _require_member("architecture", "padding", self.padding, PADDING_RULES)
        channels = self.stem.out_channels
        for index, block in enumerate(self.blocks()):
            where = f"block {index}"
            _require(
                not block.skip or block.out_channels == channels,
                f"{where}: a skip needs as many channels in as out",
                got=f"{channels} in, {block.out_channels} out",
            )
            _require(
                block.expand or block.expanded == channels,
                f"{where}: without expansion, expanded must equal the channels coming in",
                got=f"expanded {block.expanded}, in {channels}",
            )
            channels = block.out_channels

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of all stages in order."""
        for stage in self.stages:
            yield from stage.blocks

    def canonical(self) -> dict[str, object]:
        """Return the canonical form: plain values, blocks in order, without the grouping into stages.

        The padding stands there only if it is not symmetric, so networks keep their digests of the time before it.
        """
        padding = {} if self.padding == "symmetric" else {"padding": self.padding}
        return {
            "resolution": self.resolution,
            "in_channels": self.in_channels,
            "stem": asdict(self.stem),
            "blocks": [asdict(block) for block in self.blocks()],
            "head": asdict(self.head),
            "classes": self.classes,
            "norm_eps": self.norm_eps,
            **padding,
        }

    @property
    def digest(self) -> str:
        """Identity of the network: 32 hex digits of the SHA-256 of its canonical form."""
        text = plain_text(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def __repr__(self) -> str:
        images = f"{self.resolution}x{self.resolution}x{self.in_channels}"
        blocks = sum(1 for _ in self.blocks())
        return f"Architecture({images}, {blocks} blocks, {self.classes} classes, {self.digest[:10]})"

    def _repr_html_(self) -> str:
        rows = [
            (place, block.kind, _kernels(block), block.expanded, block.out_channels, block.stride,
             block.se.channels if block.se else "", block.activation, "yes" if block.skip else "")
            for place, block in enumerate(self.blocks(), start=1)
        ]  # fmt: skip
        columns = ("block", "kind", "kernel", "expanded", "channels", "stride", "squeeze", "activation", "skip")
        stem, head = self.stem, self.head
        note = (
            f"stem {stem.kernel}x{stem.kernel} /{stem.stride} to {stem.out_channels}, head {head.conv_channels}"
            f"{f' and {head.hidden_channels}' if head.hidden_channels else ''}, {self.classes} classes, "
            f"{'' if self.padding == 'symmetric' else 'SAME padding, '}digest {self.digest[:10]}"
        )
        return html_table(columns, rows, title=f"network for {self.resolution} x {self.resolution} pixels", note=note)


def _kernels(block: Block) -> str:
    sizes = [size for size in (block.start_kernel, block.kernel) if size]
    return " and ".join(f"{size}x{size}" for size in sizes)
