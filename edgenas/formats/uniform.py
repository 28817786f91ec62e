"""Weights of which all of a channel are one number: views that take no memory, for files whose size alone matters."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Graph
from edgenas.arch.weights import Weights, weight_shapes

_VALUE = 0.5
_Value = TypeVar("_Value", bound=np.generic)


def uniform_weights(graph: Graph) -> Weights:
    """Return weights under the names of `weight_shapes`: every number is 0.5.

    A file has the same size and the same nodes as with any other weights.
    """
    return {name: np.broadcast_to(np.float32(_VALUE), shape) for name, shape in weight_shapes(graph).items()}


def distinct(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one number for each channel (axis 0) of a view that repeats it; any other array as it is."""
    repeats = weight.ndim > 1 and weight[0].size > 1 and not any(weight.strides[1:])
    return weight[(slice(None), *[slice(1)] * (weight.ndim - 1))] if repeats else weight


def spread(weight: NDArray[_Value], shape: tuple[int, ...]) -> NDArray[_Value]:
    """Give what `distinct` left of a weight its shape back; no memory is taken."""
    return weight if weight.shape == shape else np.broadcast_to(weight, shape)
