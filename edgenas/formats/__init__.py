"""ONNX and TFLite files, fp32, fp16 and int8, written directly from a graph and numpy weights."""

from edgenas.arch.weights import Weights, check_weights, weight_shapes
from edgenas.formats.encode import Contents, contents_of, encode, write
from edgenas.formats.fold import FoldedGraph, FoldedOp, fold
from edgenas.formats.names import Precision, file_format_of
from edgenas.formats.quantise import Range, Ranges, synthetic_ranges
from edgenas.formats.registry import FORMATS, FormatKind, FormatName, Predict, Script
from edgenas.formats.weights import random_weights

__all__ = [
    "FORMATS",
    "Contents",
    "FoldedGraph",
    "FoldedOp",
    "FormatKind",
    "FormatName",
    "Precision",
    "Predict",
    "Range",
    "Ranges",
    "Script",
    "Weights",
    "check_weights",
    "contents_of",
    "encode",
    "file_format_of",
    "fold",
    "random_weights",
    "synthetic_ranges",
    "weight_shapes",
    "write",
]
