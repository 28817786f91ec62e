"""Scores of an untrained network from a few images: the zero-cost estimators.

Each takes a freshly initialised network in training mode and one batch of images (N, C, H, W) with labels, and
returns a number that is larger for networks that are expected to learn better. A score is useful only if it orders
networks better than their MACs do. So MACs and parameters are always shown beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgenas.arch import ACTIVATIONS
from edgenas.nn import GraphModule
from edgenas.nn.layers import Conv, Dense

Score = Callable[[GraphModule, Tensor, Tensor], float]

_JACOBIAN_EPS = 1e-5
_ZICO_PARTS = 4


def naswot(module: GraphModule, images: Tensor, labels: Tensor) -> float:
    """log |det K| of the kernel of activation patterns (Mellor 2021, eq. 2): how differently images are mapped.

    A unit is on where its input is positive, for hard-swish and SiLU as for ReLU.
    """
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64)
    results: dict[str, Tensor] = {}
    with torch.no_grad():
        for op, result in module.activations(images):
            results[op.name] = result
            if op.kind == "act" and op.activation in ACTIVATIONS:
                on = (results[op.inputs[0]].flatten(1) > 0).float()
                off = 1 - on
                kernel += (on @ on.T + off @ off.T).double().cpu()
    return float(np.linalg.slogdet(kernel.numpy())[1])


def snip(module: GraphModule, images: Tensor, labels: Tensor) -> float:
    """Sum of |weight * gradient| (Lee 2019, eq. 5; summed over a network as in Abdelfattah 2021)."""
    _backward(module, images, labels)
    return sum(float((w.detach() * _gradient(w)).abs().sum()) for w in _weights(module))


def grad_norm(module: GraphModule, images: Tensor, labels: Tensor) -> float:
    """Sum over layers of the norm of the gradient (Abdelfattah 2021, section 3.2)."""
    _backward(module, images, labels)
    return sum(float(_gradient(w).norm()) for w in _weights(module))


def synflow(module: GraphModule, images: Tensor, labels: Tensor) -> float:
    """Log of the sum of |weight * dR/dweight| for R = 1^T prod |W_l| 1 (Tanaka 2020, eq. 3).

    Data-free: input of ones, absolute weights, no batch norm, identity for activations, gates left out; in double
    precision, because the products grow with depth.
    """
    values: dict[str, Tensor] = {}
    weights: list[Tensor] = []
    x = torch.ones(1, *images.shape[1:], dtype=torch.float64)
    for op in module.graph.ops:
        inputs = [values[name] for name in op.inputs]
        if op.kind == "input":
            values[op.name] = x
        elif op.weighted:
            layer = module.get_submodule(op.name)
            assert isinstance(layer, (Conv, Dense))
            weight = layer.weight.detach().cpu().double().abs().requires_grad_()
            weights.append(weight)
            values[op.name] = _positive_flow(layer, inputs[0], weight)
        elif op.kind == "pool":
            values[op.name] = inputs[0].mean((2, 3), keepdim=True)
        else:
            # An activation, a gate (its first input passes) or a sum.
            values[op.name] = inputs[0] + inputs[1] if op.kind == "add" else inputs[0]
    gradients = torch.autograd.grad(values[module.graph.output.name].sum(), weights, allow_unused=True)
    flow = sum(float((w.detach() * g).sum()) for w, g in zip(weights, gradients, strict=True) if g is not None)
    return math.log(flow)


def jacob_cov(module: GraphModule, images: Tensor, labels: Tensor) -> float:
    """-sum(log(v + k) + 1 / (v + k)) over the eigenvalues v of the correlation of input Jacobians (Mellor 2020)."""
    x = images.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(module(x).sum(), x)
    jacobian = gradient.flatten(1).double().cpu().numpy()
    values = np.linalg.eigvalsh(np.corrcoef(jacobian)) + _JACOBIAN_EPS
    # Rounding can leave an eigenvalue of a degenerate Jacobian slightly below 0.
    values = np.maximum(values, _JACOBIAN_EPS)
    return float(-np.sum(np.log(values) + 1 / values))


def zico(module: GraphModule, images: Tensor, labels: Tensor) -> float:
    """Sum over layers of log sum E|g| / sqrt(Var g) over batches (Li 2023, eq. 15); here 4 parts of the batch."""
    gradients: list[list[Tensor]] = []
    for part, targets in zip(images.tensor_split(_ZICO_PARTS), labels.tensor_split(_ZICO_PARTS), strict=True):
        _backward(module, part, targets)
        gradients.append([_gradient(w).clone() for w in _weights(module)])
    total = 0.0
    for layer in zip(*gradients, strict=True):
        stacked = torch.stack(layer).flatten(1)
        deviation = stacked.std(0, correction=0)
        learning = deviation > 0
        if learning.any():
            total += math.log(float((stacked.abs().mean(0)[learning] / deviation[learning]).sum()))
    return total


SCORES: dict[str, Score] = {
    "naswot": naswot,
    "snip": snip,
    "synflow": synflow,
    "grad_norm": grad_norm,
    "jacob_cov": jacob_cov,
    "zico": zico,
}


def _backward(module: GraphModule, images: Tensor, labels: Tensor) -> None:
    module.zero_grad(set_to_none=True)
    functional.cross_entropy(module(images), labels).backward()


def _weights(module: GraphModule) -> list[Tensor]:
    return [layer.weight for layer in module.modules() if isinstance(layer, (Conv, Dense))]


def _gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def _positive_flow(layer: Conv | Dense, x: Tensor, weight: Tensor) -> Tensor:
    if isinstance(layer, Dense):
        return functional.linear(x.flatten(1), weight)
    return layer.convolve(x, weight, None)
