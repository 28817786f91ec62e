"""ONNX and TFLite files, fp32, fp16 and int8, written directly from a graph and numpy weights."""

from edgenas.arch.weights import Weights, check_weights, weight_shapes
from edgenas.formats.encode import SCHEMES, FileFormat, Precision, encode
from edgenas.formats.fold import FoldedGraph, FoldedOp, fold
from edgenas.formats.quantise import Range, Ranges, synthetic_ranges
from edgenas.formats.weights import random_weights

__all__ = [
    "SCHEMES",
    "FileFormat",
    "FoldedGraph",
    "FoldedOp",
    "Precision",
    "Range",
    "Ranges",
    "Weights",
    "check_weights",
    "encode",
    "fold",
    "random_weights",
    "synthetic_ranges",
    "weight_shapes",
]
