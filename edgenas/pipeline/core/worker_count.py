"""The worker processes of a run."""

from __future__ import annotations

from edgenas.errors import DeviceError, explain
from edgenas.pipeline.core.context import RunContext
from edgenas.workers import Workers


def workers_of(context: RunContext) -> Workers:
    """Return what a run trains several networks with at once, as its `workers` section says.

    Raises:
        DeviceError: Training would be on a GPU, which a copy of a process cannot use.
    """
    count = context.settings.workers.count
    if count > 1 and context.compute_device != "cpu":
        raise DeviceError(
            explain("worker processes train on the CPU", got=f"compute: {context.compute_device}",
                    remedy="Set compute=cpu, or workers.count=1.")
        )  # fmt: skip
    return Workers(count)
