"""Once-for-all's supernets written again from the paper and the published files: arrays, and what members compute.

Nothing of edgenas is used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

State = dict[str, Tensor]


@dataclass(frozen=True)
class Kind:
    """A published supernet: channels of stem, stages (out, stride, squeeze, activation, blocks), and head."""

    stem: int
    stages: tuple[tuple[int, int, bool, str, int], ...]
    head: tuple[int, ...]
    act: str
    eps: float


def _mbv3(stem: int, outs: Sequence[int], head: tuple[int, int]) -> Kind:
    strides, squeezes, acts = (1, 2, 2, 2, 1, 2), (0, 0, 1, 0, 1, 1), ("relu",) * 3 + ("hard",) * 3
    rows = zip(outs, strides, squeezes, acts, (1, 4, 4, 4, 4, 4), strict=True)
    return Kind(stem, tuple((o, s, bool(e), a, n) for o, s, e, a, n in rows), head, "hard", 1e-5)


_PROXYLESS = zip((24, 32, 56, 104, 128, 248, 416), (1, 2, 2, 2, 1, 2, 1), (1, 4, 4, 4, 4, 4, 1), strict=True)


KINDS = {
    "ofa_mbv3_w1.0": _mbv3(16, (16, 24, 40, 80, 112, 160), (960, 1280)),
    "ofa_mbv3_w1.2": _mbv3(24, (24, 32, 48, 96, 136, 192), (1152, 1536)),
    "ofa_proxyless_w1.3": Kind(
        40,
        tuple((out, stride, False, "six", blocks) for out, stride, blocks in _PROXYLESS),
        (1664,), "six", 1e-3,
    ),
}  # fmt: skip


def published_state(name: str, *, classes: int = 1000) -> State:
    """Random weights under the names of the published files."""
    return dict(_published(name, classes))


def squeezed(channels: int) -> int:
    """A quarter, to the nearest multiple of 8, never more than 10 % below."""
    quarter = channels // 4
    rounded = max(8, (quarter + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * quarter else rounded


@cache
def _published(name: str, classes: int) -> State:
    kind, found, draw = KINDS[name], State(), torch.Generator().manual_seed(0)

    def conv(key: str, out: int, coming: int, size: int = 1) -> None:
        found[key] = torch.randn(out, coming, size, size, generator=draw) * (2 / (coming * size**2)) ** 0.5

    def norm(key: str, size: int) -> None:
        found[f"{key}.weight"] = 1 + 0.3 * torch.randn(size, generator=draw)
        found[f"{key}.bias"] = 0.3 * torch.randn(size, generator=draw)
        found[f"{key}.running_mean"], found[f"{key}.running_var"] = torch.zeros(size), torch.ones(size)
        found[f"{key}.num_batches_tracked"] = torch.tensor(7)

    conv("first_conv.conv.weight", kind.stem, 3, 3)
    norm("first_conv.bn", kind.stem)
    coming, number = kind.stem, 0
    for stage, (out, _, squeeze, _, blocks) in enumerate(kind.stages):
        for _ in range(blocks):
            key, wide, inner = f"blocks.{number}.mobile_inverted_conv", coming if stage == 0 else 6 * coming, ".conv"
            if stage == 0:
                inner = ""
            else:
                conv(f"{key}.inverted_bottleneck.conv.conv.weight", wide, coming)
                norm(f"{key}.inverted_bottleneck.bn.bn", wide)
                for matrix, size in (("5to3_matrix", 9), ("7to5_matrix", 25)):
                    noise = 0.1 * torch.randn(size, size, generator=draw)
                    found[f"{key}.depth_conv.conv.{matrix}"] = torch.eye(size) + noise
            conv(f"{key}.depth_conv.conv{inner}.weight", wide, 1, 3 if stage == 0 else 7)
            norm(f"{key}.depth_conv.bn{'.bn' if inner else ''}", wide)
            if squeeze:
                for part, (rows, columns) in (("reduce", (squeezed(wide), wide)), ("expand", (wide, squeezed(wide)))):
                    conv(f"{key}.depth_conv.se.fc.{part}.weight", rows, columns)
                    found[f"{key}.depth_conv.se.fc.{part}.bias"] = torch.randn(rows, generator=draw)
            conv(f"{key}.point_linear.conv{inner}.weight", out, wide)
            norm(f"{key}.point_linear.bn{'.bn' if inner else ''}", out)
            coming, number = out, number + 1
    if len(kind.head) == 2:
        conv("final_expand_layer.conv.weight", kind.head[0], coming)
        norm("final_expand_layer.bn", kind.head[0])
        conv("feature_mix_layer.conv.weight", kind.head[1], kind.head[0])
    else:
        conv("feature_mix_layer.conv.weight", kind.head[0], coming)
        norm("feature_mix_layer.bn", kind.head[0])
    found["classifier.linear.weight"] = torch.randn(classes, kind.head[-1], generator=draw) * 0.05
    found["classifier.linear.bias"] = torch.randn(classes, generator=draw)
    return found


def smaller_kernel(weight: Tensor, kernel: int, seven_to_five: Tensor, five_to_three: Tensor) -> Tensor:
    """The kernel (C, 1, k, k) made of the one of 7: the flattened centre of each channel through a matrix."""
    for size, matrix in ((5, seven_to_five), (3, five_to_three)):
        if kernel <= size:
            edge = (weight.shape[2] - size) // 2
            centres = weight[:, 0, edge : edge + size, edge : edge + size].reshape(-1, size**2)
            weight = torch.einsum("ij,cj->ci", matrix, centres).reshape(-1, 1, size, size)
    return weight


def _norm(x: Tensor, state: State, key: str, eps: float) -> Tensor:
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
    scale, shift = (state[f"{key}.{part}"][: x.shape[1], None, None] for part in ("weight", "bias"))
    return (x - mean) / (var + eps).sqrt() * scale + shift


def _act(x: Tensor, act: str) -> Tensor:
    six = x.clamp(0, 6)
    return {"relu": x.clamp_min(0), "six": six, "hard": x * (x + 3).clamp(0, 6) / 6}[act]


def logits(
    name: str, state: State, x: Tensor, kernels: Sequence[int], expansions: Sequence[int], depths: Sequence[int]
) -> Tensor:
    """What a member computes with the statistics of the batch.

    Args:
        kernels, expansions: Of every block after the first.
        depths: Of every stage after the first.
    """
    kind = KINDS[name]
    x = F.conv2d(x, state["first_conv.conv.weight"], stride=2, padding=1)
    x = _act(_norm(x, state, "first_conv.bn", kind.eps), kind.act)
    number = 0
    for stage, (out, stride, squeeze, act, blocks) in enumerate(kind.stages):
        for index in range(blocks):
            key, number = f"blocks.{number}.mobile_inverted_conv", number + 1
            if stage and index >= depths[stage - 1]:
                continue
            own, step, before = x, stride if index == 0 else 1, x.shape[1]
            inner = "" if stage == 0 else ".conv"
            bn = "" if stage == 0 else ".bn"
            kernel, wide = (3, before) if stage == 0 else (kernels[number - 2], expansions[number - 2] * before)
            depthwise = state[f"{key}.depth_conv.conv{inner}.weight"][:wide]
            if stage:
                x = F.conv2d(x, state[f"{key}.inverted_bottleneck.conv.conv.weight"][:wide])
                x = _act(_norm(x, state, f"{key}.inverted_bottleneck.bn.bn", kind.eps), act)
                depthwise = smaller_kernel(
                    depthwise, kernel, *(state[f"{key}.depth_conv.conv.{m}_matrix"] for m in ("7to5", "5to3"))
                )
            x = F.conv2d(x, depthwise, stride=step, padding=kernel // 2, groups=wide)
            x = _act(_norm(x, state, f"{key}.depth_conv.bn{bn}", kind.eps), act)
            if squeeze:
                se, mid = f"{key}.depth_conv.se.fc", squeezed(wide)
                y = x.mean((2, 3), keepdim=True)
                y = F.conv2d(y, state[f"{se}.reduce.weight"][:mid, :wide], state[f"{se}.reduce.bias"][:mid])
                back = state[f"{se}.expand.weight"][:wide, :mid]
                y = F.conv2d(y.clamp_min(0), back, state[f"{se}.expand.bias"][:wide])
                x = x * (y + 3).clamp(0, 6) / 6
            x = F.conv2d(x, state[f"{key}.point_linear.conv{inner}.weight"][:, :wide])
            x = _norm(x, state, f"{key}.point_linear.bn{bn}", kind.eps)
            x = x + own if step == 1 and before == out else x
    first = "final_expand_layer" if len(kind.head) == 2 else "feature_mix_layer"
    x = _act(_norm(F.conv2d(x, state[f"{first}.conv.weight"]), state, f"{first}.bn", kind.eps), kind.act)
    x = x.mean((2, 3), keepdim=True)
    if len(kind.head) == 2:
        x = _act(F.conv2d(x, state["feature_mix_layer.conv.weight"]), kind.act)
    return F.linear(x.flatten(1), state["classifier.linear.weight"], state["classifier.linear.bias"])
