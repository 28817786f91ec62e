"""The checkpoint that the first process read, handed on to the others, which may have no such folder."""

from __future__ import annotations

import safetensors.torch

from edgenas.reading.json_text import plain_text, plain_value
from edgenas.train.loop.checkpoint import TrainCheckpoint
from edgenas.train.processes import Processes


def shared_checkpoint(checkpoint: TrainCheckpoint | None, processes: Processes) -> TrainCheckpoint | None:
    """Return the checkpoint of process 0 in all processes.

    Args:
        checkpoint: Of process 0; what the others give does not count.
        processes: That train together.
    """
    if processes.count == 1:
        return checkpoint
    facts = processes.told(None if checkpoint is None else plain_text(dict(checkpoint.facts)).encode())
    tensors = processes.told(None if checkpoint is None else safetensors.torch.save(dict(checkpoint.tensors)))
    if not facts:
        return None
    return TrainCheckpoint(tensors=safetensors.torch.load(tensors), facts=plain_value(facts))
