"""Steps of int8 activations that XNNPACK takes, chosen together with those of their neighbours.

The runtime multiplies integers by ratios of steps. If a ratio leaves its range, the runtime refuses the file or splits
the graph into partitions. The ranges below were found by loading files of one operation with LiteRT 2.3 (XNNPACK):

- convolution, fully connected: input step * weight step / output step below 2^8, for each channel;
- addition: step of each input / output step in [2^-10, 2^8);
- multiplication: product of the input steps / output step in [2^-16, 2^8).

An addition also narrows its sum to 16 bits before it cuts it to 8. A sum of more than 32,767 output steps gives
different results on different kernels (AVX512 saturates). So steps are chosen such that no sum gets there. Steps are
only made larger, so that no further value saturates.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from edgenas.errors import ExportError, explain
from edgenas.formats.fold import FoldedGraph, FoldedOp
from edgenas.formats.forms import file_forms
from edgenas.formats.quantise import Affine, Ranges, affine, range_of, weight_steps
from edgenas.formats.registry import FORMATS

# Ratios keep this distance from the limits, so that no rounding to float32 crosses one.
_MARGIN = 1.01
LARGEST_RATIO = 2.0**8 / _MARGIN
SMALLEST_ADDEND = 2.0**-10 * _MARGIN
SMALLEST_PRODUCT = 2.0**-16 * _MARGIN
# 255 codes of each input, in output steps, and the output's zero point stay within 16 bits.
LARGEST_SUM = (2**15 - 256) / 255 / _MARGIN
GATE_TOP = 6.0
_ROUNDS = 50


def choose_steps(folded: FoldedGraph, ranges: Ranges, *, float_ops: Collection[str] = ()) -> dict[str, Affine]:
    """Choose the parameters of every value of a TFLite file.

    Args:
        folded: The network, folded with `gate="relu6"`.
        ranges: Smallest and largest value by name of the original operation.
        float_ops: Operations that stay in floating point and limit nothing.

    Returns:
        Parameters by name of the folded operation.

    Raises:
        ExportError: A range is missing or not finite, or no steps fit.
    """
    bounds = {op.name: range_of(op, ranges) for op in folded.ops}
    steps = {name: affine(given).step for name, given in bounds.items()}
    fixed = _fixed(folded)
    steps |= {name: parameters.step for name, parameters in fixed.items()}
    rounds = 0
    while any([_raise(op, steps, fixed) for op in folded.ops if op.name not in float_ops and op.op.kind != "input"]):
        rounds += 1
        if rounds > _ROUNDS or not np.isfinite(list(steps.values())).all():
            raise ExportError(
                explain(
                    "no int8 steps fit this network",
                    got="branches whose values differ by too many orders of magnitude",
                    remedy="Keep the file in floating point, or look for a layer that trains away.",
                )
            )
    return {name: fixed.get(name) or affine(bounds[name], step=steps[name]) for name in steps}


def _fixed(folded: FoldedGraph) -> dict[str, Affine]:
    """Return the parameters of the values whose kernels give no others, by name."""
    known = {op.name: file_forms(op.activation).tflite_result for op in folded.ops if op.op.kind == "act"}
    return {name: parameters for name, parameters in known.items() if parameters is not None}


def gate_step(source_step: float) -> float | None:
    """Step of relu6(x + 3), of which 6 is a whole number of steps; None where x is too coarse for any gate.

    Args:
        source_step: Step of x.
    """
    smallest = max(GATE_TOP / 255, (source_step + 3 / 255) / LARGEST_SUM)
    codes = int(GATE_TOP / smallest + 1e-9)
    return GATE_TOP / codes if codes >= 1 else None


def _raise(op: FoldedOp, steps: dict[str, float], fixed: Collection[str]) -> bool:
    """Make steps larger until one operation's ratios fit; return whether any was."""
    before = [steps[name] for name in (*op.inputs, op.name)]
    kind = op.op.kind
    if op.op.weighted:
        _raise_layer(op, steps)
    elif kind == "add":
        _raise_sum(op.inputs, op.name, steps)
    elif kind == "mul":
        one, other = sorted(op.inputs, key=lambda name: name in fixed)
        raise_product(one, steps[other], op.name, steps)
    elif kind == "act" and (raise_steps := file_forms(op.activation).raise_steps) is not None:
        raise_steps(op, steps)
    return before != [steps[name] for name in (*op.inputs, op.name)]


def _raise_layer(op: FoldedOp, steps: dict[str, float]) -> None:
    source = steps[op.inputs[0]]
    largest = float(weight_steps(op, source, steps[op.name], limit=FORMATS["tflite"].weight_limit).max())
    raise_result(op.name, source * largest, steps)


def raise_result(output: str, product: float, steps: dict[str, float]) -> None:
    """Make a result's step larger until a product of steps fits beside it.

    Args:
        output: Name of the result.
        product: Of the steps of two factors.
        steps: By name; changed.
    """
    steps[output] = max(steps[output], product / LARGEST_RATIO)


def _raise_sum(inputs: tuple[str, ...], output: str, steps: dict[str, float]) -> None:
    steps[output] = max(steps[output], sum(steps[name] for name in inputs) / LARGEST_SUM)
    for name in inputs:
        steps[name] = max(steps[name], steps[output] * SMALLEST_ADDEND)


def raise_product(source: str, factor_step: float, output: str, steps: dict[str, float]) -> None:
    """Make steps larger until a multiplication takes them.

    Args:
        source: Name of one factor, whose step can be raised.
        factor_step: Step of the other factor.
        output: Name of the product.
        steps: By name; changed.
    """
    raise_result(output, steps[source] * factor_step, steps)
    steps[source] = max(steps[source], steps[output] * SMALLEST_PRODUCT / factor_step)
