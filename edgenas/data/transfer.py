"""Copies from numpy to a device that do not make the host wait for the device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_device(values: NDArray[np.generic], device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """Return an array as a tensor on a device.

    A copy from ordinary memory to a GPU waits until all queued work there is done. With small networks the host is then
    the bottleneck. A copy from pinned memory is queued like other work.

    Args:
        values: Any shape.
        device: Where it is wanted.
        dtype: Another type; converted on the host.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    if dtype is not None:
        tensor = tensor.to(dtype)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def has_room(image_bytes: int, device: torch.device, limit_bytes: int) -> bool:
    """Whether images may stay on a GPU: within a limit and half of the free memory, to leave room for training.

    Args:
        image_bytes: Of all images.
        device: A CUDA device; on a CPU images stay where they are, and the answer is no.
        limit_bytes: Largest set that is kept.
    """
    if device.type != "cuda" or image_bytes > limit_bytes:
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return image_bytes <= free // 2
