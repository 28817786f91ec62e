"""Batches of a split on a device, in order or shuffled and augmented; counts the time spent waiting for images."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgenas.data.augment.colours import change_colours
from edgenas.data.augment.crops import random_resized_crop, shift_and_flip
from edgenas.data.augment.draws import Draws, step_generator
from edgenas.data.augment.mixing import erase, mix
from edgenas.data.augment.randaugment import rand_augment
from edgenas.data.augment.settings import AugmentSettings
from edgenas.data.network_input import Preprocessing
from edgenas.data.transfer import has_room, to_device
from edgenas.data.values import ArraySplit, Images, Indices, Split

NO_AUGMENTATION = AugmentSettings()
# Images that one thread reads at a time; a batch is shared out among the threads.
PIECE = 16
BATCHES_AHEAD = 4
# Images copied to a GPU at a time, if the whole split stays there.
COPIED = 512
# Separates the random order of an epoch from the draws of its batches, which are seeded by (seed, epoch, step).
ORDER_STREAM = 2**31


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """B normalised images.

    Attributes:
        images: (B, C, H, W) float32 in channels-last memory.
        labels: (B,) int64.
        targets: (B, K) where images were mixed, otherwise None.
    """

    images: Tensor
    labels: Tensor
    targets: Tensor | None = None

    def split(self, parts: int) -> list[Batch]:
        """Return the images in parts of equal size, up to one."""
        if parts == 1:
            return [self]
        targets = [None] * parts if self.targets is None else self.targets.tensor_split(parts)
        images, labels = self.images.tensor_split(parts), self.labels.tensor_split(parts)
        return [Batch(images=x, labels=y, targets=t) for x, y, t in zip(images, labels, targets, strict=True)]


class Batches:
    """A split and how it gets to the device.

    A split in memory is read directly. For a GPU it is copied there once if it fits. Threads read everything else
    ahead: files, memory-mapped arrays, and sets that do not fit.

    Attributes:
        waiting_seconds: Time that the consumer has waited for images so far.
        notes: What a user may not expect, one sentence each.
    """

    def __init__(
        self,
        split: Split,
        preprocessing: Preprocessing,
        *,
        batch_size: int,
        device: torch.device | str = "cpu",
        resident_limit_mib: int = 4096,
        workers: int | None = None,
    ) -> None:
        """Keep the arguments. Nothing is read yet.

        Args:
            split: Images and labels.
            preprocessing: Brings them to the network's resolution and range.
            batch_size: B.
            device: Where batches are wanted.
            resident_limit_mib: Largest split that is kept on a GPU.
            workers: Threads that read ahead; None takes as many as torch has, which follow the setting `threads`.
        """
        self.notes: tuple[str, ...] = ()
        if batch_size > len(split):
            self.notes = (f"batch_size {batch_size} is more than the {len(split)} images; they are one batch.",)
        self.split = split
        self.preprocessing = preprocessing
        self.batch_size = min(batch_size, len(split))
        self.device = torch.device(device)
        self.waiting_seconds = 0.0
        self._workers = torch.get_num_threads() if workers is None else workers
        self._labels = to_device(split.labels, self.device)
        self._factor, self._offset = (
            to_device(values[:, None, None], self.device) for values in preprocessing.affine()
        )
        self._resident: Tensor | None = None
        image_bytes = len(split) * int(np.prod(split.shape))
        self._fits = has_room(image_bytes, self.device, resident_limit_mib * 2**20)

    @property
    def steps(self) -> int:
        """Batches of one shuffled epoch; the incomplete one at its end is left out."""
        return len(self.split) // self.batch_size

    def in_order(self) -> Iterator[Batch]:
        """Yield every image once, in the order of the split, without augmentation."""
        chunks = self.chunks()
        for chunk, images in zip(chunks, self._read(chunks), strict=True):
            yield Batch(images=self._normalise(images), labels=self._take_labels(chunk))

    def pixels(self, chunks: Sequence[Indices]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images at the network's resolution that are not normalised yet: a quarter of the memory.

        Args:
            chunks: Indices of each batch; see `chunks` and `shuffled_chunks`.

        Yields:
            Grey levels (B, C, H, W) uint8 in channels-last memory, and labels (B,) int64. `normalise` makes of them
            what `in_order` yields, to the bit.
        """
        for chunk, images in zip(chunks, self._read(chunks), strict=True):
            levels = self._resize(images.permute(0, 3, 1, 2).float()).to(torch.uint8)
            yield levels.contiguous(memory_format=torch.channels_last), self._take_labels(chunk)

    def normalise(self, levels: Tensor) -> Tensor:
        """Map grey levels (B, C, H, W) uint8 at the network's resolution to its input, float32."""
        return self._scale(levels.float())

    def chunks(self) -> list[Indices]:
        """Return the indices of every batch, each image once, in the order of the split."""
        indices = np.arange(len(self.split))
        return [indices[start : start + self.batch_size] for start in range(0, len(indices), self.batch_size)]

    def shuffled_chunks(self, *, seed: int, epoch: int) -> list[Indices]:
        """Return the indices of every whole batch of one shuffled epoch; they depend on (seed, epoch) only."""
        order = np.random.default_rng((seed, epoch, ORDER_STREAM)).permutation(len(self.split))
        return [order[step * self.batch_size : (step + 1) * self.batch_size] for step in range(self.steps)]

    def shuffled(
        self, *, seed: int, epoch: int, classes: int, augment: AugmentSettings = NO_AUGMENTATION, first_step: int = 0
    ) -> Iterator[Batch]:
        """Yield the batches of one epoch.

        Order and augmentation depend only on (seed, epoch, step), so an epoch can be resumed in its middle. The numbers
        of the augmentation are drawn on the device, and differ between kinds of devices.

        Args:
            seed: Of the training.
            epoch: From 0.
            classes: K, for mixed targets.
            augment: Random changes.
            first_step: Batches to leave out at the start.
        """
        chunks = self.shuffled_chunks(seed=seed, epoch=epoch)[first_step:]
        if augment.repeats > 1:
            # Each distinct image is read once and changed several times.
            chunks = [chunk[: math.ceil(len(chunk) / augment.repeats)] for chunk in chunks]
        for step, (chunk, images) in enumerate(zip(chunks, self._read(chunks), strict=True), first_step):
            labels = self._take_labels(chunk)
            if augment.repeats > 1:
                images, labels = (
                    values.repeat_interleave(augment.repeats, 0)[: self.batch_size] for values in (images, labels)
                )
            draws = self._draws(len(images), seed=seed, epoch=epoch, step=step)
            yield self._augmented(images, labels, augment, classes, draws)

    def _draws(self, images: int, *, seed: int, epoch: int, step: int) -> Draws:
        return Draws(step_generator(self.device, seed=seed, epoch=epoch, step=step), images)

    def _augmented(
        self, images: Tensor, labels: Tensor, augment: AugmentSettings, classes: int, draws: Draws
    ) -> Batch:
        if augment.crop_scale is not None:
            images = shift_and_flip(images, replace(augment, flip=False), draws)
            levels = random_resized_crop(images, self.preprocessing.resolution, augment, draws)
        else:
            levels = self._resize(shift_and_flip(images, augment, draws).permute(0, 3, 1, 2).float())
        levels = change_colours(levels, augment, draws)
        floats = self._scale(rand_augment(levels, augment, draws))
        floats = erase(floats, augment, draws)
        mixed, targets = mix(floats, labels, augment, classes=classes, draws=draws)
        mixed = mixed.contiguous(memory_format=torch.channels_last)
        return Batch(images=mixed, labels=labels, targets=targets)

    def _normalise(self, images: Tensor) -> Tensor:
        return self._normalise_floats(images.permute(0, 3, 1, 2).float())

    def _normalise_floats(self, pixels: Tensor) -> Tensor:
        """From (B, C, H, W) floats in 0..255 to the network's input."""
        return self._scale(self._resize(pixels))

    def _resize(self, pixels: Tensor) -> Tensor:
        """Bring floats in 0..255 to the network's resolution."""
        size = (self.preprocessing.resolution, self.preprocessing.resolution)
        if pixels.shape[2:] != size:
            pixels = functional.interpolate(pixels, size, mode="bilinear", antialias=True)
            # Deployed code (Pillow) rounds resized images to whole grey levels. With rounding here too, both differ by
            # at most one level.
            pixels = pixels.round_().clamp_(0, 255)
        return pixels

    def _scale(self, pixels: Tensor) -> Tensor:
        """From floats in 0..255 at the network's resolution to its input, in place."""
        return pixels.mul_(self._factor).add_(self._offset)

    def _take_labels(self, indices: Indices) -> Tensor:
        return self._labels[to_device(indices, self.device)]

    def _read(self, chunks: Sequence[Indices]) -> Iterator[Tensor]:
        """Yield (B, H, W, C) uint8 on the device for every chunk, adding up the time that the caller waits."""
        source = self._read_resident(chunks) if self._is_resident() else self._read_ahead(chunks)
        for _ in chunks:
            started = time.perf_counter()
            images = next(source)
            self.waiting_seconds += time.perf_counter() - started
            yield images

    def _is_resident(self) -> bool:
        in_memory = isinstance(self.split, ArraySplit) and not isinstance(_base(self.split.images), np.memmap)
        return self._fits or (in_memory and self.device.type == "cpu")

    def _read_resident(self, chunks: Sequence[Indices]) -> Iterator[Tensor]:
        if not self._fits:
            yield from (torch.from_numpy(self.split.read(chunk)) for chunk in chunks)
            return
        if self._resident is None:
            everything = np.arange(len(self.split))
            pieces = [everything[start : start + COPIED] for start in range(0, len(everything), COPIED)]
            self._resident = torch.cat(list(self._read_ahead(pieces)))
        for chunk in chunks:
            yield self._resident[to_device(chunk, self.device)]

    def _read_ahead(self, chunks: Sequence[Indices]) -> Iterator[Tensor]:
        waiting: deque[list[Future[Images]]] = deque()
        pool = ThreadPoolExecutor(self._workers)
        try:
            for chunk in chunks:
                pieces = [chunk[start : start + PIECE] for start in range(0, len(chunk), PIECE)]
                waiting.append([pool.submit(self.split.read, piece) for piece in pieces])
                if len(waiting) > BATCHES_AHEAD:
                    yield self._gather(waiting.popleft())
            while waiting:
                yield self._gather(waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _gather(self, pieces: list[Future[Images]]) -> Tensor:
        return to_device(np.concatenate([piece.result() for piece in pieces]), self.device)


def _base(array: np.ndarray) -> object:
    """Return the array behind a view. A slice of a memory-mapped array is memory-mapped too."""
    return array if isinstance(array, np.memmap) else array.base if array.base is not None else array
