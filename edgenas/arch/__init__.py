"""Architectures as values, their lowering to one graph, their notation, and the published networks."""

from edgenas.arch.architecture import (
    ACTIVATIONS,
    GATES,
    Activation,
    Architecture,
    Block,
    BlockKind,
    Gate,
    Head,
    SqueezeExcite,
    Stage,
    Stem,
    make_divisible,
)
from edgenas.arch.graph import Graph, Op, Padding, TensorShape
from edgenas.arch.lower import lower

__all__ = [
    "ACTIVATIONS",
    "GATES",
    "Activation",
    "Architecture",
    "Block",
    "BlockKind",
    "Gate",
    "Graph",
    "Head",
    "Op",
    "Padding",
    "SqueezeExcite",
    "Stage",
    "Stem",
    "TensorShape",
    "lower",
    "make_divisible",
]
