"""The activations in torch: one entry each, exact and with the roundings of int8 files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edgenas.arch.activations import back_end

Unary = Callable[[Tensor], Tensor]
Rounding = Callable[[Tensor, float, float], Tensor]
"""Rounds values to the 256 codes of a range, from (values, low, high)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchForms:
    """How torch computes an activation.

    Attributes:
        function: From values of any shape to values of that shape.
        in_place: The same, overwriting its input; None where the gradient needs more than the result.
        rounded: As int8 files compute it, which round values inside it; None where nothing inside is rounded.
    """

    function: Unary
    in_place: Unary | None = None
    rounded: Callable[[Tensor, Rounding], Tensor] | None = None


RELU = TorchForms(function=functional.relu, in_place=functional.relu_)
RELU6 = TorchForms(function=functional.relu6, in_place=lambda x: functional.relu6(x, inplace=True))
HARD_SWISH = TorchForms(
    function=functional.hardswish,
    rounded=lambda x, rounds: x * rounds(functional.relu6(x + 3), 0.0, 6.0) / 6,
)
SILU = TorchForms(
    function=functional.silu,
    rounded=lambda x, rounds: x * rounds(torch.sigmoid(x), 0.0, 1.0),
)
HARD_SIGMOID = TorchForms(function=functional.hardsigmoid)
SIGMOID = TorchForms(function=torch.sigmoid)


def torch_forms(name: str) -> TorchForms:
    """Return how torch computes an activation.

    Raises:
        ArchitectureError: There is none of that name.
        PluginError: The package that adds it has no form for torch.
    """
    return back_end(name, "torch", TorchForms)
