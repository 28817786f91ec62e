"""The processes that train together, started by torchrun: one for each GPU, on one or several hosts.

Every process has the whole model and takes its part of each batch. `Processes.combine` adds up gradients, losses and
running statistics once a step, in one message. What is summed is weighted by the images of each process, so parts of a
batch need not be equal. The result is the same to the bit in all processes, and so are the weights after the step.

This is what `torch.nn.parallel.DistributedDataParallel` computes (tests compare the two), with the message after the
backward passes instead of within: a step may then run several members of a supernet, which leave different weights
without gradients, and a process may run a part again where its memory ran out. See docs/decisions/data_parallel.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

PATIENCE = timedelta(days=2)
"""How long a process waits for another one, which may judge or prepare images meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """The processes that train together, seen from one of them. Every method is called by all of them, in one order.

    Attributes:
        rank: Number of this process, from 0. Process 0 writes files and prints.
        count: How many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def sum_(self, values: Tensor) -> Tensor:
        """Replace values by their sum over the processes, and return them."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    @torch.no_grad()
    def combine(self, tensors: Sequence[Tensor], images: int) -> None:
        """Replace tensors by their mean over all images, in one message.

        Args:
            tensors: On one device, of equal shapes in all processes; each is a mean over this process's images.
            images: Of this process.
        """
        if self.count == 1 or not tensors:
            return
        weight = torch.ones(1, device=tensors[0].device)
        flat = torch.cat([*(tensor.flatten().float() for tensor in tensors), weight]).mul_(images)
        self.sum_(flat)
        flat = flat[:-1] / flat[-1]
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view(tensor.shape))
            start += tensor.numel()

    @torch.no_grad()
    def spread_(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of process 0."""
        if self.count > 1:
            for tensor in tensors:
                whole = tensor.contiguous()
                distributed.broadcast(whole, 0)
                tensor.copy_(whole)

    def agree(self, flag: bool) -> bool:
        """Return whether any process says yes."""
        return bool(self.sum_(torch.tensor([int(flag)]))) if self.count > 1 else flag

    def wait(self) -> None:
        """Go on when all processes have come here."""
        self.agree(False)

    def told(self, content: bytes | None) -> bytes:
        """Return what process 0 says.

        Args:
            content: Of process 0; what the others give does not count.
        """
        if self.count == 1:
            return content or b""
        said = torch.frombuffer(bytearray(content or b"\0"), dtype=torch.uint8) if self.first else torch.empty(0)
        length = torch.tensor([len(content or b"") if self.first else 0])
        distributed.broadcast(length, 0)
        size = int(length)
        message = said if self.first else torch.empty(max(1, size), dtype=torch.uint8)
        distributed.broadcast(message, 0)
        return message.numpy().tobytes()[:size]


ALONE = Processes()
_joined: list[Processes] = []


def current() -> Processes:
    """Return the processes that this one has `joined`; one alone otherwise."""
    return _joined[-1] if _joined else ALONE


def wanted() -> int:
    """Return how many processes torchrun has started, 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


@contextmanager
def joined() -> Iterator[Processes]:
    """Train with the other processes that torchrun has started, within a block; alone without torchrun."""
    if wanted() == 1:
        yield ALONE
        return
    cuda = torch.cuda.is_available()
    if cuda and (own := int(os.environ.get("LOCAL_RANK", "0"))) < torch.cuda.device_count():
        torch.cuda.set_device(own)
    # Messages between hosts that are no gradients go through gloo: they must not wait for the GPU.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=PATIENCE)
    _joined.append(Processes(rank=distributed.get_rank(), count=distributed.get_world_size()))
    try:
        yield _joined[-1]
    finally:
        _joined.pop()
        distributed.destroy_process_group()
