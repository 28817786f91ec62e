"""ONNX and TFLite files, fp32, fp16 and int8, written directly from a graph and numpy weights."""

from edgenas.arch.weights import Weights, check_weights, weight_shapes
from edgenas.formats.encode import SCHEMES, encode
from edgenas.formats.fold import FoldedGraph, FoldedOp, fold
from edgenas.formats.names import FILE_FORMATS, FileFormat, Precision, as_file_format, file_format_of
from edgenas.formats.quantise import Range, Ranges, synthetic_ranges
from edgenas.formats.weights import random_weights

__all__ = [
    "FILE_FORMATS",
    "SCHEMES",
    "FileFormat",
    "FoldedGraph",
    "FoldedOp",
    "Precision",
    "Range",
    "Ranges",
    "Weights",
    "as_file_format",
    "check_weights",
    "encode",
    "file_format_of",
    "fold",
    "random_weights",
    "synthetic_ranges",
    "weight_shapes",
]
