"""Memory that runs out while training."""

from __future__ import annotations

import gc

import torch

_CPU_ALLOCATOR = "DefaultCPUAllocator"


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
