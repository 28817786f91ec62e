"""Architectures as torch modules, their weights as numpy arrays, checkpoints as safetensors."""

from edgenas.arch.weights import Weights, check_weights, weight_shapes
from edgenas.nn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgenas.nn.initialise import initialise
from edgenas.nn.module import GraphModule, build

__all__ = [
    "Checkpoint",
    "GraphModule",
    "Weights",
    "build",
    "check_weights",
    "initialise",
    "load_checkpoint",
    "save_checkpoint",
    "weight_shapes",
]
