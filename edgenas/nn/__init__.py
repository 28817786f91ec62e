"""Architectures as torch modules, their weights as numpy arrays, checkpoints as safetensors."""

from edgenas.arch.weights import Weights, check_weights, weight_shapes
from edgenas.nn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgenas.nn.initialise import initialise
from edgenas.nn.module import GraphModule, build
from edgenas.nn.pretrained import load_pretrained, load_start

__all__ = [
    "Checkpoint",
    "GraphModule",
    "Weights",
    "build",
    "check_weights",
    "initialise",
    "load_checkpoint",
    "load_pretrained",
    "load_start",
    "save_checkpoint",
    "weight_shapes",
]
