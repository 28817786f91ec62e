"""How convolutions are padded: the two rules of an architecture, and the pixels that they mean."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

PaddingRule = Literal["symmetric", "same"]
"""`symmetric`: kernel // 2 on every side, as torch's networks. `same`: TensorFlow's SAME, as little as gives
ceil(extent / stride) results, an odd pixel at the bottom and right. They differ at stride 2 and even extents only; the
shapes of all results are equal."""
PADDING_RULES: tuple[PaddingRule, ...] = get_args(PaddingRule)


class Padding(NamedTuple):
    """Zero padding of a convolution in pixels."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def symmetric(self) -> bool:
        """Whether opposite sides are padded alike."""
        return self.top == self.bottom and self.left == self.right


NO_PADDING = Padding(0, 0, 0, 0)


def same_padding(extent: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after that SAME means for one axis (TensorFlow's documentation of `tf.nn.conv2d`).

    Args:
        extent: Pixels of the input along the axis.
        kernel: Size of the filter.
        stride: Step of the filter.
    """
    total = max((-(-extent // stride) - 1) * stride + kernel - extent, 0)
    return total // 2, total - total // 2


def padding_of(rule: PaddingRule, *, height: int, width: int, kernel: int, stride: int) -> Padding:
    """Return the padding of a convolution with an odd kernel.

    Args:
        rule: Of the architecture.
        height, width: Of the input.
        kernel: Size of the filter, odd.
        stride: 1 or 2.
    """
    if rule == "symmetric":
        return Padding(*[kernel // 2] * 4)
    vertical, horizontal = same_padding(height, kernel, stride), same_padding(width, kernel, stride)
    return Padding(vertical[0], horizontal[0], vertical[1], horizontal[1])
