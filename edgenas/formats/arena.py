"""Memory that a runtime plans for the activations of a TFLite file, from the file's own tensors and operators.

Nothing is run: the planners of the runtimes are followed step by step (`edgenas.cost.planning`). Weights are not
counted, since both runtimes read them from the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType

from edgenas.cost.planning import FOREVER, Buffer, aligned, best_fit, first_fit
from edgenas.formats.tflite import TfliteDraft
from edgenas.formats.tflite_schema import BYTES, Code

_IN_PLACE = {Code.ADD, Code.MUL}
"""Operators whose result LiteRT writes over an input that nothing else reads."""

# Structures of TensorFlow Lite Micro on a machine of 64 bits, as its allocator records them; smaller on 32 bits.
_MICRO_BASE, _MICRO_TENSOR, _MICRO_NODE = 860, 24 + 8, 64
_MICRO_DATA = {
    Code.ADD: 60, Code.CONV_2D: 80, Code.DEPTHWISE_CONV_2D: 80, Code.DEQUANTIZE: 32, Code.FULLY_CONNECTED: 72,
    Code.HARD_SWISH: 20, Code.LOGISTIC: 16, Code.MEAN: 44, Code.MUL: 36, Code.PAD: 56, Code.QUANTIZE: 32,
    Code.RELU: 28, Code.RELU6: 8,
}  # fmt: skip
_MICRO_CHANNEL = 8
"""Multiplier and shift of a channel of a convolution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """How one runtime plans.

    Attributes:
        planned: From a draft and whether the image stays to the end to the bytes of the planned buffers.
        kept: From a draft to the bytes that the runtime itself keeps beside them, a sum over the operators.
        base: What it keeps in any case, bytes.
        keeps_image: Whether nothing overwrites the image.
    """

    planned: Callable[[TfliteDraft, bool], int]
    kept: Callable[[TfliteDraft], int] = field(default=lambda draft: 0)
    base: int = 0
    keeps_image: bool = False


def arena_bytes(draft: TfliteDraft, runtime: str) -> int:
    """Return the arena of a TFLite file, bytes.

    Against what the runtimes report (`python benchmarks/ship.py --only ram`): LiteRT 2.3 with its built-in kernels
    equal to the byte, TensorFlow Lite Micro within 2 %.

    Args:
        draft: The file.
        runtime: A name of `ARENAS`.
    """
    arena = ARENAS[runtime]
    return arena.planned(draft, arena.keeps_image) + arena.kept(draft) + arena.base


def _litert(draft: TfliteDraft, keeps_image: bool) -> int:
    """Follow `arena_planner.cc`: results in place where that is possible, and the scratch of convolutions."""
    reads, roots = _reads(draft), _roots(draft)
    image, logits = draft.image, draft.logits
    left = {tensor: reads.get(tensor, 0) for tensor in _values(draft)}
    for tensor in [logits, *([image] if keeps_image else [])]:
        left[tensor] += 1
    for tensor, root in roots.items():
        left[root] += left[tensor]
    first, last = {image: 0}, dict[int, int]()
    for index, operator in enumerate(draft.file.operators):
        first.setdefault(roots.get(operator.output, operator.output), index)
        for tensor in operator.inputs:
            root = roots.get(tensor, tensor)
            if root in left:
                left[root] -= 1
                if left[root] == 0:
                    last[root] = index
    values = (Buffer(_size(draft, tensor), first[tensor], last.get(tensor, FOREVER)) for tensor in first)
    return best_fit(chain(values, _patches(draft)))


def _micro(draft: TfliteDraft, keeps_image: bool) -> int:
    """Follow `micro_allocation_info.cc`: one buffer a tensor, and the sums of an integer mean."""
    file, first, last = draft.file, {draft.image: 0}, {draft.image: 0}
    for index, operator in enumerate(file.operators):
        first[operator.output] = last[operator.output] = index
        last |= {tensor: index for tensor in operator.inputs if not file.tensors[tensor].buffer}
    last[draft.logits] = len(file.operators)
    values = (Buffer(_size(draft, tensor), first[tensor], last[tensor]) for tensor in sorted(first))
    sums = (
        Buffer(4 * math.prod(file.tensors[operator.output].shape), index, index)
        for index, operator in enumerate(file.operators)
        if file.kind(operator) == Code.MEAN and file.tensors[operator.output].dtype == "int8"
    )
    return first_fit(chain(values, sums))


def _micro_kept(draft: TfliteDraft) -> int:
    """Bytes of the structures that TensorFlow Lite Micro keeps for tensors, operators and channels."""
    file, total = draft.file, _MICRO_TENSOR * len(draft.file.tensors)
    for operator in file.operators:
        kind = file.kind(operator)
        total += _MICRO_NODE + aligned(_MICRO_DATA.get(kind, 64), 8)
        integer_layer = kind == Code.FULLY_CONNECTED and file.tensors[operator.output].dtype == "int8"
        if kind in (Code.CONV_2D, Code.DEPTHWISE_CONV_2D) or integer_layer:
            total += _MICRO_CHANNEL * file.tensors[operator.output].shape[-1]
    return total


ARENAS: Mapping[str, Arena] = MappingProxyType(
    {
        "litert": Arena(planned=_litert, keeps_image=True),
        "tflite_micro": Arena(planned=_micro, kept=_micro_kept, base=_MICRO_BASE),
    }
)
"""Whose plans are known."""


def _size(draft: TfliteDraft, tensor: int) -> int:
    found = draft.file.tensors[tensor]
    return math.prod(found.shape) * BYTES[found.dtype]


def _values(draft: TfliteDraft) -> Iterator[int]:
    """Numbers of the tensors that no constant fills."""
    return (number for number, tensor in enumerate(draft.file.tensors) if not tensor.buffer)


def _reads(draft: TfliteDraft) -> dict[int, int]:
    """How often each tensor is read."""
    counts: dict[int, int] = {}
    for tensor in chain.from_iterable(operator.inputs for operator in draft.file.operators):
        counts[tensor] = counts.get(tensor, 0) + 1
    return counts


def _roots(draft: TfliteDraft) -> dict[int, int]:
    """From each tensor that shares the memory of another to the one that owns it."""
    reads, roots, users = _reads(draft), dict[int, int](), dict[int, int]()
    for operator in draft.file.operators:
        if draft.file.kind(operator) not in _IN_PLACE or operator.output == draft.logits:
            continue
        for tensor in operator.inputs[:2]:
            if draft.file.tensors[tensor].buffer or _size(draft, tensor) != _size(draft, operator.output):
                continue
            root = roots.get(tensor, tensor)
            if reads[tensor] == 1 and root != draft.image and users.get(root, 1) == 1:
                roots[operator.output] = root
                users[root] = reads.get(operator.output, 0)
                break
    return roots


def _patches(draft: TfliteDraft) -> Iterator[Buffer]:
    """Scratch of the built-in convolutions: the patches under the kernel, unless it is 1 x 1 with stride 1."""
    for index, operator in enumerate(draft.file.operators):
        if draft.file.kind(operator) != Code.CONV_2D:
            continue
        _, kernel, _, channels = draft.file.tensors[operator.inputs[1]].shape
        stride = next(value for slot, _, value in operator.options.slots if slot == 1)
        if kernel > 1 or stride > 1:
            _, height, width, _ = draft.file.tensors[operator.output].shape
            values = height * width * kernel * kernel * channels
            yield Buffer(values * BYTES[draft.file.tensors[operator.inputs[0]].dtype], index, index)
