"""What an entry of an activation says to the writers of files, and what the writers offer to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from edgenas.arch.activations import back_end

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgenas.formats.fold import FoldedOp
    from edgenas.formats.quantise import Affine
    from edgenas.formats.tflite_schema import Code, Options


class OnnxNodes(Protocol):
    """What the writer of an ONNX graph offers."""

    def node(self, kind: str, inputs: list[str], output: str, *, name: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""

    def array(self, name: str, values: NDArray[np.generic] | np.generic) -> str:
        """Add an initialiser once and return its name."""


class OnnxCodes(Protocol):
    """What the writer of int8 ONNX files offers.

    Attributes:
        dtype: Of the codes, int8 or uint8.
    """

    dtype: type[np.integer]

    @property
    def nodes(self) -> OnnxNodes:
        """The graph that is written."""

    def pair(self, source: str, name: str, parameters: Affine, *, factor: float = 1.0) -> str:
        """Quantise and dequantise a float value. A factor on the dequantised value costs no operation."""


class TfliteOps(Protocol):
    """What the writer of TFLite files offers. A value is the number of its tensor."""

    def integer(self, op: FoldedOp) -> bool:
        """Whether the operation works on codes."""

    def parameters(self, name: str) -> Affine:
        """Return the step and zero of an operation's result, if it is one of codes."""

    def result(self, op: FoldedOp) -> int:
        """Add the tensor of the operation's result."""

    def inner(self, op: FoldedOp, part: str, parameters: Affine) -> int:
        """Add a tensor of the result's shape for a value inside the operation."""

    def scalar(self, op: FoldedOp, part: str, value: float) -> int:
        """Add a positive constant."""

    def emit(self, code: Code, inputs: list[int], output: int, options: Options, *, integer_version: int = 2) -> int:
        """Append an operator and return its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileForms:
    """How files compute an activation.

    Attributes:
        onnx: Appends it in floating point, from (graph, name of the input, name of the result, type of the numbers).
        tflite: Appends it, from (writer, operation, number of the input's tensor).
        onnx_int8: Appends it between a dequantise and a quantise node, from (writer, operation, name of the input) to
            the name of the result; None where its floating-point form serves.
        tflite_fused: What a layer before it takes as its fused activation (`Fused`); None where none does.
        tflite_result: Step and zero that its integer kernel always gives; None where they can be chosen.
        raise_steps: Makes steps (by name of the operation) larger until its integer operators take them; None where
            they take all.
    """

    onnx: Callable[[OnnxNodes, str, str, type[np.floating]], str]
    tflite: Callable[[TfliteOps, FoldedOp, int], None]
    onnx_int8: Callable[[OnnxCodes, FoldedOp, str], str] | None = None
    tflite_fused: int | None = None
    tflite_result: Affine | None = None
    raise_steps: Callable[[FoldedOp, dict[str, float]], None] | None = None


def file_forms(name: str) -> FileForms:
    """Return how files compute an activation.

    Raises:
        ArchitectureError: There is none of that name.
        PluginError: The package that adds it has no form for files.
    """
    return back_end(name, "files", FileForms)
