"""Scaling: one network made larger, smaller, or narrower to a budget."""

from edgenas.lazy import make_callable
from edgenas.scale.channels import importance, kept_channels, narrowed_weights
from edgenas.scale.compound import (
    EFFICIENTNET,
    Coefficients,
    channel_divisor,
    compound,
    rounded_resolution,
    scaled,
)
from edgenas.scale.family import Member, family
from edgenas.scale.fit import Candidate, Fitted, fit, grid_by_latency, grid_by_macs
from edgenas.scale.inherit import Inheritance, inherit
from edgenas.scale.layers import Layer, layers, narrowed
from edgenas.scale.memory import memory_bytes
from edgenas.scale.netadapt import Proposal, choose, propose, require_reachable

__all__ = [
    "EFFICIENTNET",
    "Candidate",
    "Coefficients",
    "Fitted",
    "Inheritance",
    "Layer",
    "Member",
    "Proposal",
    "channel_divisor",
    "choose",
    "compound",
    "family",
    "fit",
    "grid_by_latency",
    "grid_by_macs",
    "importance",
    "inherit",
    "kept_channels",
    "layers",
    "memory_bytes",
    "narrowed",
    "narrowed_weights",
    "propose",
    "require_reachable",
    "rounded_resolution",
    "scaled",
]

# The job of that name in the Python interface: `edgenas.scale(...)`.
make_callable(__name__, "edgenas.api.reuse.scale")
