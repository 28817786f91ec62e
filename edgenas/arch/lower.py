"""Lower an architecture to its graph: the only place where shapes are inferred.

The convolutions of a kind of block stand in `edgenas.arch.block_kinds`.
"""

from __future__ import annotations

from edgenas.arch.architecture import Architecture, Block, Head, SqueezeExcite, Stem
from edgenas.arch.block_kinds import BLOCK_KINDS
from edgenas.arch.block_names import block_names
from edgenas.arch.graph import Graph, Op, TensorShape
from edgenas.arch.padding import PaddingRule, padding_of


class _Builder:
    """Collects operations; owns the running shapes."""

    def __init__(self, source: Op, padding: PaddingRule) -> None:
        self.ops: list[Op] = [source]
        self.shapes: dict[str, TensorShape] = {source.name: source.shape}
        self.block, self.padding = "", padding

    def add(self, op: Op) -> str:
        self.ops.append(op)
        self.shapes[op.name] = op.shape
        return op.name

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
        """Convolution padded by the architecture's rule, norm and activation."""
        before = self.shapes[source]
        pad = padding_of(self.padding, height=before.height, width=before.width, kernel=kernel, stride=stride)
        high = (before.height + pad.top + pad.bottom - kernel) // stride + 1
        wide = (before.width + pad.left + pad.right - kernel) // stride + 1
        name = self.add(
            Op(
                kind="conv",
                name=f"{self.block}.{part}",
                inputs=(source,),
                shape=TensorShape(channels, high, wide),
                kernel=kernel,
                stride=stride,
                groups=before.channels if depthwise else 1,
                padding=pad,
                norm=norm,
                block=self.block,
            )
        )
        return self.act(name, activation) if activation else name

    def act(self, source: str, activation: str) -> str:
        shape = self.shapes[source]
        return self.add(
            Op(
                kind="act",
                name=f"{source}.act",
                inputs=(source,),
                shape=shape,
                activation=activation,
                block=self.block,
            )
        )

    def pool(self, source: str, part: str) -> str:
        shape = TensorShape(self.shapes[source].channels, 1, 1)
        return self.add(Op(kind="pool", name=f"{self.block}.{part}", inputs=(source,), shape=shape, block=self.block))

    def fc(self, source: str, part: str, channels: int, activation: str = "") -> str:
        shape = TensorShape(channels, 1, 1)
        name = self.add(Op(kind="fc", name=f"{self.block}.{part}", inputs=(source,), shape=shape, block=self.block))
        return self.act(name, activation) if activation else name

    def join(self, kind: str, part: str, first: str, second: str) -> str:
        assert kind in ("mul", "add")
        return self.add(
            Op(
                kind="mul" if kind == "mul" else "add",
                name=f"{self.block}.{part}",
                inputs=(first, second),
                shape=self.shapes[first],
                block=self.block,
            )
        )


def _squeeze_excite(builder: _Builder, source: str, se: SqueezeExcite) -> str:
    pooled = builder.pool(source, "squeeze_pool")
    squeezed = builder.conv(pooled, "squeeze", se.channels, norm=False, activation=se.activation)
    channels = builder.shapes[source].channels
    gate = builder.conv(squeezed, "excite", channels, norm=False, activation=se.gate)
    return builder.join("mul", "scale", source, gate)


def _block(builder: _Builder, source: str, block: Block) -> str:
    kind = BLOCK_KINDS[block.kind]
    last = kind.inner(builder, source, block)
    if block.se is not None:
        last = _squeeze_excite(builder, last, block.se)
    if kind.projected:
        last = builder.conv(last, "project", block.out_channels)
    return builder.join("add", "add", last, source) if block.skip else last


def _stem(builder: _Builder, stem: Stem) -> str:
    builder.block = "stem"
    return builder.conv(
        "image", "conv", stem.out_channels, kernel=stem.kernel, stride=stem.stride, activation=stem.activation
    )


def _head(builder: _Builder, source: str, head: Head, classes: int) -> None:
    builder.block = "head"
    last = source
    if head.conv_channels:
        last = builder.conv(last, "conv", head.conv_channels, activation=head.activation)
    last = builder.pool(last, "pool")
    if head.hidden_channels and head.hidden_norm:
        last = builder.conv(last, "hidden", head.hidden_channels, activation=head.activation)
    elif head.hidden_channels:
        last = builder.fc(last, "hidden", head.hidden_channels, activation=head.activation)
    builder.fc(last, "classifier", classes)


def lower(architecture: Architecture) -> Graph:
    """Lower an architecture to its graph.

    Args:
        architecture: Any valid architecture.

    Returns:
        The operations in execution order. Equal networks have equal graphs, whatever their grouping into stages.
        Names are stable: `stem.conv`, `stages.S.B.expand` (see `block_names`), `head.classifier`.
    """
    builder = _Builder(image_of(architecture.in_channels, architecture.resolution), architecture.padding)
    last = _stem(builder, architecture.stem)
    for name, block in zip(block_names(architecture), architecture.blocks(), strict=True):
        builder.block = name
        last = _block(builder, last, block)
    _head(builder, last, architecture.head, architecture.classes)
    return Graph(ops=tuple(builder.ops), norm_eps=architecture.norm_eps)


def image_of(channels: int, resolution: int) -> Op:
    """Return the input of a network."""
    return Op(kind="input", name="image", shape=TensorShape(channels, resolution, resolution))


def lower_stem(stem: Stem, image: Op, padding: PaddingRule) -> tuple[Op, ...]:
    """Lower a stem alone: the operations of `lower` for it, behind its input."""
    builder = _Builder(image, padding)
    _stem(builder, stem)
    return tuple(builder.ops)


def lower_block(block: Block, name: str, source: Op, padding: PaddingRule) -> tuple[Op, ...]:
    """Lower a block alone: the operations of `lower` for it, behind what it reads.

    Args:
        block: The block.
        name: Of the block in the network, see `block_names`.
        source: What it reads; its name and shape count.
        padding: Of the network.
    """
    builder = _Builder(source, padding)
    builder.block = name
    last = _block(builder, source.name, block)
    assert last == builder.ops[-1].name, "a block ends with its last operation"
    return tuple(builder.ops)


def lower_head(head: Head, classes: int, source: Op, padding: PaddingRule) -> tuple[Op, ...]:
    """Lower a head alone: the operations of `lower` for it, behind what it reads."""
    builder = _Builder(source, padding)
    _head(builder, source.name, head, classes)
    return tuple(builder.ops)
