"""The part of the TFLite file schema (version 3) that the writer needs, on the plain flatbuffers builder.

Numbers are those of `schema.fbs` in TensorFlow; tests hold them against the schema that ships with LiteRT. So
writing needs neither a runtime nor its generated code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import flatbuffers
import numpy as np
from numpy.typing import NDArray

_SCHEMA_VERSION = 3
_BUFFER_ALIGNMENT = 16
_TENSOR_TYPES = {"float32": 0, "float16": 1, "int32": 2, "int8": 9}
BYTES = {"float32": 4, "float16": 2, "int32": 4, "int8": 1}
"""Of one value of a tensor."""


class Code(IntEnum):
    """Built-in operators."""

    ADD = 0
    CONV_2D = 3
    DEPTHWISE_CONV_2D = 4
    DEQUANTIZE = 6
    FULLY_CONNECTED = 9
    LOGISTIC = 14
    MUL = 18
    RELU = 19
    RELU6 = 21
    PAD = 34
    MEAN = 40
    QUANTIZE = 114
    HARD_SWISH = 117


class Fused(IntEnum):
    """Activations fused into an operator."""

    NONE = 0
    RELU = 1
    RELU6 = 3


SAME, VALID = 0, 1
Slot = tuple[int, str, int]


class Options(NamedTuple):
    """Options of an operator: the union's tag and the table's slots (slot, type, value)."""

    tag: int
    slots: tuple[Slot, ...] = ()


def conv_options(*, padding: int, stride: int, fused: int) -> Options:
    """Options of CONV_2D."""
    return Options(1, ((0, "int8", padding), (1, "int32", stride), (2, "int32", stride), (3, "int8", fused)))


def depthwise_options(*, padding: int, stride: int, fused: int) -> Options:
    """Options of DEPTHWISE_CONV_2D with one result for each channel."""
    strides = ((1, "int32", stride), (2, "int32", stride))
    return Options(2, ((0, "int8", padding), *strides, (3, "int32", 1), (4, "int8", fused)))


def dense_options(*, fused: int) -> Options:
    """Options of FULLY_CONNECTED."""
    return Options(8, ((0, "int8", fused),))


def add_options(*, fused: int = Fused.NONE) -> Options:
    """Options of ADD."""
    return Options(11, ((0, "int8", fused),))


MUL_OPTIONS = Options(21)
PAD_OPTIONS = Options(22)
KEEP_DIMS_OPTIONS = Options(27, ((0, "bool", 1),))
QUANTIZE_OPTIONS = Options(89)
DEQUANTIZE_OPTIONS = Options(38)
HARD_SWISH_OPTIONS = Options(91)
NO_OPTIONS = Options(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorQuantisation:
    """Affine parameters of a tensor: one step and zero point, or one for each index of `axis`."""

    steps: tuple[float, ...]
    zeros: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tensor:
    shape: tuple[int, ...]
    dtype: str
    name: str
    buffer: int
    quantisation: TensorQuantisation | None


class _Operator(NamedTuple):
    code: int
    inputs: tuple[int, ...]
    output: int
    options: Options


@dataclass(slots=True)
class TfliteFile:
    """Collects tensors and operators, then packs them into one file."""

    tensors: list[_Tensor] = field(default_factory=list)
    operators: list[_Operator] = field(default_factory=list)
    buffers: list[bytes] = field(default_factory=lambda: [b""])
    codes: dict[tuple[int, int], int] = field(default_factory=dict)

    def tensor(
        self, name: str, shape: Sequence[int], dtype: str, quantisation: TensorQuantisation | None = None
    ) -> int:
        """Add a tensor that an operator or the user fills; returns its index."""
        self.tensors.append(_Tensor(shape=tuple(shape), dtype=dtype, name=name, buffer=0, quantisation=quantisation))
        return len(self.tensors) - 1

    def constant(self, name: str, values: NDArray[np.generic], quantisation: TensorQuantisation | None = None) -> int:
        """Add a tensor with values; returns its index."""
        self.buffers.append(np.ascontiguousarray(values).tobytes())
        self.tensors.append(
            _Tensor(
                shape=values.shape,
                dtype=values.dtype.name,
                name=name,
                buffer=len(self.buffers) - 1,
                quantisation=quantisation,
            )
        )
        return len(self.tensors) - 1

    def operator(
        self, code: Code, inputs: Sequence[int], output: int, options: Options = NO_OPTIONS, *, version: int = 1
    ) -> int:
        """Add an operator; returns the index of the tensor that it fills."""
        index = self.codes.setdefault((int(code), version), len(self.codes))
        self.operators.append(_Operator(index, tuple(inputs), output, options))
        return output

    def kind(self, operator: _Operator) -> Code:
        """Which built-in operator one is."""
        return Code([code for code, _ in self.codes][operator.code])

    def pack(self, *, inputs: Mapping[str, int], outputs: Mapping[str, int], metadata: Mapping[str, bytes]) -> bytes:
        """Pack the file with one `serving_default` signature.

        Args:
            inputs: Tensor index by the signature's name.
            outputs: Tensor index by the signature's name.
            metadata: Bytes by name.
        """
        builder = flatbuffers.Builder(sum(map(len, self.buffers)) + 65536)
        buffers = [*self.buffers, *metadata.values()]
        entries = {name: len(self.buffers) + index for index, name in enumerate(metadata)}
        data = offsets(builder, [_buffer(builder, content) for content in buffers])
        meta = offsets(builder, [_named(builder, name, index) for name, index in entries.items()])
        signature = offsets(builder, [_signature(builder, inputs, outputs)])
        subgraph = offsets(builder, [self._subgraph(builder, [*inputs.values()], [*outputs.values()])])
        codes = offsets(builder, [_operator_code(builder, code, version) for code, version in self.codes])
        description = builder.CreateString("edgenas")
        slots = ((1, codes), (2, subgraph), (3, description), (4, data), (6, meta), (7, signature))
        model = table(builder, [(0, "uint32", _SCHEMA_VERSION), *((slot, "offset", at) for slot, at in slots)])
        builder.Finish(model, b"TFL3")
        return bytes(builder.Output())

    def _subgraph(self, builder: flatbuffers.Builder, inputs: list[int], outputs: list[int]) -> int:
        tensors = offsets(builder, [_tensor(builder, tensor) for tensor in self.tensors])
        operators = offsets(builder, [_operator(builder, operator) for operator in self.operators])
        ends = [_numbers(builder, indices, np.int32) for indices in (inputs, outputs)]
        name = builder.CreateString("main")
        parts = enumerate((tensors, *ends, operators, name))
        return table(builder, [(slot, "offset", offset) for slot, offset in parts])


def table(builder: flatbuffers.Builder, slots: Sequence[Slot]) -> int:
    """Add a table of (slot, type, value) and return its offset."""
    prepend: dict[str, Callable[[int, int, int], None]] = {
        "offset": builder.PrependUOffsetTRelativeSlot,
        "int8": builder.PrependInt8Slot,
        "uint8": builder.PrependUint8Slot,
        "bool": builder.PrependBoolSlot,
        "int32": builder.PrependInt32Slot,
        "uint32": builder.PrependUint32Slot,
    }
    builder.StartObject(max((slot for slot, _, _ in slots), default=-1) + 1)
    for slot, kind, value in slots:
        prepend[kind](slot, value, 0)
    return int(builder.EndObject())


def _numbers(builder: flatbuffers.Builder, values: Sequence[float], dtype: type[np.generic]) -> int:
    return int(builder.CreateNumpyVector(np.asarray(values, dtype=dtype)))


def offsets(builder: flatbuffers.Builder, targets: Sequence[int]) -> int:
    """Add a vector of offsets and return its own."""
    builder.StartVector(4, len(targets), 4)
    for offset in reversed(targets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _buffer(builder: flatbuffers.Builder, content: bytes) -> int:
    if not content:
        return table(builder, [])
    # Runtimes map the file and read weights in place: the builder's own alignment of 4 bytes is too little.
    builder.Prep(_BUFFER_ALIGNMENT, len(content))
    return table(builder, [(0, "offset", builder.CreateByteVector(content))])


def _named(builder: flatbuffers.Builder, name: str, index: int) -> int:
    """A TensorMap or a Metadata entry: both are a name and an index."""
    return table(builder, [(0, "offset", builder.CreateString(name)), (1, "uint32", index)])


def _signature(builder: flatbuffers.Builder, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> int:
    ends = [offsets(builder, [_named(builder, *item) for item in end.items()]) for end in (inputs, outputs)]
    key = builder.CreateString("serving_default")
    return table(builder, [(0, "offset", ends[0]), (1, "offset", ends[1]), (2, "offset", key), (4, "uint32", 0)])


def _operator_code(builder: flatbuffers.Builder, code: int, version: int) -> int:
    # The deprecated 8-bit code is what old runtimes read. Version 1 is the default of the slot.
    return table(builder, [(0, "int8", min(code, 127)), (2, "int32", version), (3, "int32", code)])


def _operator(builder: flatbuffers.Builder, operator: _Operator) -> int:
    slots: list[Slot] = [
        (0, "uint32", operator.code),
        (1, "offset", _numbers(builder, operator.inputs, np.int32)),
        (2, "offset", _numbers(builder, (operator.output,), np.int32)),
    ]
    if operator.options.tag:
        # Dilations of 1 are the schema's default and need no slot.
        slots += [(3, "uint8", operator.options.tag), (4, "offset", table(builder, operator.options.slots))]
    return table(builder, slots)


def _tensor(builder: flatbuffers.Builder, tensor: _Tensor) -> int:
    slots: list[Slot] = [
        (0, "offset", _numbers(builder, tensor.shape, np.int32)),
        (1, "int8", _TENSOR_TYPES[tensor.dtype]),
        (2, "uint32", tensor.buffer),
        (3, "offset", builder.CreateString(tensor.name)),
    ]
    quantisation = tensor.quantisation
    if quantisation is not None:
        steps = _numbers(builder, quantisation.steps, np.float32)
        zeros = _numbers(builder, quantisation.zeros, np.int64)
        parameters = table(builder, [(2, "offset", steps), (3, "offset", zeros), (6, "int32", quantisation.axis)])
        slots.append((4, "offset", parameters))
    return table(builder, slots)
