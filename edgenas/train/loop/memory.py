"""Memory that runs out, while training and while judging."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

from edgenas.data.batches import Batch

_CPU_ALLOCATOR = "DefaultCPUAllocator"
Result = TypeVar("Result")


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch means that a device, or this machine, has no memory left.

    CUDA has a type of its own for that; on the CPU only the message of the allocator tells.
    """
    return isinstance(error, torch.OutOfMemoryError) or _CPU_ALLOCATOR in str(error)


def release(device: torch.device) -> None:
    """Free the memory of a failed attempt. Call it outside of the except clause, which still holds tensors."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


class Room:
    """The parts in which batches go through a network without gradients; twice as many where memory runs out.

    Attributes:
        parts: Of a batch. Later batches keep to it.
    """

    def __init__(self, device: torch.device, *, images: int) -> None:
        """Keep the arguments.

        Args:
            device: Where the memory is.
            images: Of the largest batch.
        """
        self.parts = 1
        self._device, self._images = device, images

    def split(self, batch: Batch, *, least: int = 1) -> list[Batch]:
        """Return a batch in as many parts, of at least `least` images; batch norm has no variance over one image."""
        return batch.split(max(1, min(self.parts, len(batch.labels) // least)))

    def do(self, work: Callable[[], Result]) -> Result:
        """Do something, again in smaller parts where memory ran out.

        Args:
            work: Uses `split`; what it changed before it failed must not matter.

        Raises:
            RuntimeError: Memory runs out for two images too.
        """
        while True:
            try:
                return work()
            except RuntimeError as error:
                if not is_out_of_memory(error) or 2 * self.parts >= self._images:
                    raise
            # The tensors of the failed attempt are freed only here, outside of the except clause.
            self.parts *= 2
            release(self._device)
