"""Architectures as values, their lowering to one graph, their notation, and the published networks."""

from edgenas.arch.activations import ACTIVATIONS, GATES, Activation, ActivationName, GateName
from edgenas.arch.architecture import (
    Architecture,
    Block,
    Head,
    SqueezeExcite,
    Stage,
    Stem,
    make_divisible,
)
from edgenas.arch.block_kinds import BLOCK_KINDS, BlockKind, BlockKindName
from edgenas.arch.graph import Graph, Op, TensorShape
from edgenas.arch.lower import lower
from edgenas.arch.padding import PADDING_RULES, Padding, PaddingRule, same_padding

__all__ = [
    "ACTIVATIONS",
    "GATES",
    "PADDING_RULES",
    "Activation",
    "ActivationName",
    "Architecture",
    "Block",
    "BLOCK_KINDS",
    "BlockKind",
    "BlockKindName",
    "GateName",
    "Graph",
    "Head",
    "Op",
    "Padding",
    "PaddingRule",
    "SqueezeExcite",
    "Stage",
    "Stem",
    "TensorShape",
    "lower",
    "make_divisible",
    "same_padding",
]
