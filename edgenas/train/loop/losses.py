"""The losses of an epoch, and the check that they are finite, which does not make the host wait for a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class BrokenLoss(NamedTuple):
    """A loss that is not finite.

    Attributes:
        step: Of the epoch, from 0.
        share: Of the budget, at the middle of that step.
        value: NaN or an infinity.
    """

    step: int
    share: float
    value: float


class _Window(NamedTuple):
    """Losses that are on their way to the host: `values` holds them once `copied` has happened."""

    first: int
    values: Tensor
    shares: Sequence[float]
    copied: torch.cuda.Event | None


class EpochLosses:
    """Losses of the steps of an epoch.

    They stay on the device, since reading one makes the host wait until the device has done all that was queued. Every
    `every` steps the losses since are looked at together. On a GPU they are copied to pinned memory beside the
    computation and looked at one window later, when they have long arrived.
    """

    def __init__(self, every: int, refuse: Callable[[BrokenLoss], None]) -> None:
        """Start without losses.

        Args:
            every: Steps between two checks; 1 looks at every loss at once.
            refuse: Called with the first loss of a window that is not finite; it raises.
        """
        self._every, self._refuse = every, refuse
        self._checked: list[Tensor] = []
        self._open: list[Tensor] = []
        self._shares: list[float] = []
        self._pending: list[_Window] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, loss: Tensor, share: float) -> None:
        """Take in the loss of the next step, a scalar on the device, of a share of the budget."""
        self._open.append(loss.detach())
        self._shares.append(share)
        self._count += 1
        if len(self._open) >= self._every:
            self._close_window()
            self._look(keep=0 if self._every == 1 else 1)

    def settle(self) -> None:
        """Look at all losses so far. The host waits for the device."""
        self._close_window()
        self._look(keep=0)

    def values(self) -> Tensor:
        """Return all losses so far, (steps,) float on the device."""
        parts = [*self._checked, *([torch.stack(self._open)] if self._open else [])]
        return torch.cat(parts) if parts else torch.zeros(0)

    def load(self, values: Tensor) -> None:
        """Restore what `values` returned; it was looked at before it was stored."""
        self._checked, self._count = ([values] if len(values) else []), len(values)

    def _close_window(self) -> None:
        if not self._open:
            return
        values = torch.stack(self._open)
        first = self._count - len(values)
        if values.device.type == "cuda":
            host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            host.copy_(values, non_blocking=True)
            copied = torch.cuda.Event()
            copied.record(torch.cuda.current_stream(values.device))
            self._pending.append(_Window(first, host, self._shares, copied))
        else:
            self._pending.append(_Window(first, values, self._shares, None))
        self._checked.append(values)
        self._open, self._shares = [], []

    def _look(self, *, keep: int) -> None:
        """Look at the windows that are on their way, but for the last `keep` where they come from a GPU."""
        while self._pending and (len(self._pending) > keep or self._pending[0].copied is None):
            window = self._pending.pop(0)
            if window.copied is not None:
                window.copied.synchronize()
            broken = torch.nonzero(~torch.isfinite(window.values)).flatten()
            if len(broken):
                at = int(broken[0])
                self._refuse(BrokenLoss(window.first + at, window.shares[at], window.values[at].item()))
