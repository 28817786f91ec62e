"""Numbers that a configuration may hold. Every one has an upper limit, so that a typing error is told at once.

Each limit lies far above anything that is of use: a run that needs more would take years, or more memory than there is.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

SECONDS = 10 * 365 * 86_400
"""Ten years."""
MILLISECONDS = 3_600_000
"""An hour for one image."""

# Open Images has 9 million images, JFT-3B 3 billion.
Images: TypeAlias = Annotated[int, Field(ge=1, le=10**10)]
# The longest published trainings of small networks take some 10,000 epochs.
Epochs: TypeAlias = Annotated[int, Field(ge=1, le=100_000)]
# A training that starts from weights may leave them as they are.
EpochsOrNone: TypeAlias = Annotated[int, Field(ge=0, le=100_000)]
# Published batches of a step reach 65,536 images.
BatchSize: TypeAlias = Annotated[int, Field(ge=2, le=1_000_000)]
Parts: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
Threads: TypeAlias = Annotated[int, Field(ge=1, le=1024)]
# torch takes seeds of 64 bits.
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]
MiB: TypeAlias = Annotated[int, Field(ge=1, le=2**30)]
KiB: TypeAlias = Annotated[float, Field(gt=0, le=2**40)]
Macs: TypeAlias = Annotated[int, Field(ge=1, le=10**15)]
Candidates: TypeAlias = Annotated[int, Field(ge=1, le=10**8)]
"""Networks that are looked at, not measured."""
Networks: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
"""Networks that are measured."""
Milliseconds: TypeAlias = Annotated[float, Field(gt=0, le=MILLISECONDS)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=SECONDS)]
# Rates above 10 are never of use with norms.
Rate: TypeAlias = Annotated[float, Field(gt=0, le=1000)]
