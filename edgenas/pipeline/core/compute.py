"""Where training runs."""

from __future__ import annotations

import os

from edgenas.errors import DeviceError, explain


def choose_device(wanted: str, *, threads: int) -> str:
    """Return the torch device of a setting and set torch's number of threads.

    Args:
        wanted: `auto`, `cpu`, `cuda` or `cuda:N`.
        threads: Threads of operations on the CPU.

    Raises:
        DeviceError: CUDA is wanted and there is none, or not that many.
    """
    import torch

    torch.set_num_threads(threads)
    available = torch.cuda.is_available()
    local = os.environ.get("LOCAL_RANK") if wanted in ("auto", "cuda") else None
    if local is not None and available:
        # Each process that torchrun started has a GPU of its own.
        wanted = f"cuda:{local}"
    if wanted == "auto":
        return "cuda" if available else "cpu"
    if wanted.startswith("cuda"):
        count = torch.cuda.device_count() if available else 0
        number = int(wanted.partition(":")[2] or 0)
        if number >= count:
            raise DeviceError(
                explain(
                    f"compute: {wanted} is not here",
                    got=f"{count} CUDA devices",
                    allowed="auto or cpu",
                    remedy="Set compute=auto, or install a torch build for CUDA.",
                )
            )
    return wanted
