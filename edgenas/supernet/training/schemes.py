"""Which members of the space a training step works on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edgenas.space import SearchSpace
from edgenas.supernet.registry import SCHEMES, Scheme
from edgenas.supernet.settings import SupernetSettings
from edgenas.types import Genes

_STREAM = 2**31 + 1
"""Separates the random choice of members from the order of images, which is seeded by (seed, epoch, step)."""

PROGRESSIVE_PHASES = (
    ("resolution", "kernel", "start_kernel", "kind", "squeeze_excite", "activation"),
    ("depth",),
    ("expansion", "expanded"),
    ("width", "out"),
)
"""Order in which choices become free. Once-for-all has kernel, depth, width (Cai 2020, section 3.3)."""

WARM_UP_SHARE = 0.2
"""Share of the budget in which progressive shrinking trains the largest member alone."""

PHASE_SHARE = 0.15
"""Share of the budget of every phase but the last, which gets the rest."""


class Members(NamedTuple):
    """The members of one step.

    Attributes:
        genes: One row (D,) each.
        teacher: Whether the first one teaches the others.
    """

    genes: list[Genes]
    teacher: bool


def members_of_step(space: SearchSpace, settings: SupernetSettings, *, step: int, share: float) -> Members:
    """Return the members that a step trains. They depend on the arguments alone, so that a training can be resumed.

    Args:
        space: The space.
        settings: Scheme and seed.
        step: Optimiser steps done.
        share: Share of the budget spent, [0, 1].
    """
    rng = np.random.default_rng((settings.train.seed, step, _STREAM))
    return Members(*SCHEMES[settings.scheme].members(space, settings, step=step, share=share, rng=rng))


def _single_path(
    space: SearchSpace, settings: SupernetSettings, *, step: int, share: float, rng: np.random.Generator
) -> Members:
    return Members([space.sample(1, rng)[0]], teacher=False)


def _cycle(
    space: SearchSpace, settings: SupernetSettings, *, step: int, share: float, rng: np.random.Generator
) -> Members:
    if step % 2 == 0:
        return Members([space.largest() if step % 4 == 0 else space.smallest()], teacher=False)
    return Members([space.sample(1, rng)[0]], teacher=False)


def _sandwich(
    space: SearchSpace, settings: SupernetSettings, *, step: int, share: float, rng: np.random.Generator
) -> Members:
    genes = [space.largest(), space.smallest(), *space.sample(settings.random_members, rng)]
    return Members(genes, teacher=settings.distillation_weight > 0 and share >= settings.distil_after)


def _fairly(
    space: SearchSpace, settings: SupernetSettings, *, step: int, share: float, rng: np.random.Generator
) -> Members:
    return Members([_fair(space, settings.train.seed, step)], teacher=False)


def _progressive(
    space: SearchSpace, settings: SupernetSettings, *, step: int, share: float, rng: np.random.Generator
) -> Members:
    return Members([_restricted(space, space.sample(1, rng)[0], share)], teacher=False)


def _fair(space: SearchSpace, seed: int, step: int) -> Genes:
    """Spread the choices of every gene over a round of steps. The counts of a gene's choices differ by one at most.

    Genes of blocks that the member's depth leaves out are chosen all the same. So blocks that are often left out are
    trained less often, as with random draws.
    """
    counts = np.asarray(space.cardinalities)
    length = int(counts.max())
    number, place = divmod(step, length)
    rng = np.random.default_rng((seed, number, _STREAM))
    # A gene with fewer choices than steps starts at a random choice, so that no choice is favoured in every round.
    order = rng.permuted(np.tile(np.arange(length), (len(counts), 1)), axis=1)[:, place]
    found: Genes = space.canonical(((order + rng.integers(counts)) % counts)[None])[0]
    return found


def phase_of(scheme: str, share: float) -> int:
    """Return the phase of a training: 0 while the largest member is trained alone; 1 or more where others are too.

    Args:
        scheme: Its name.
        share: Share of the budget spent, [0, 1].
    """
    if not SCHEMES[scheme].largest_first:
        return 1
    if share < WARM_UP_SHARE:
        return 0
    return min(int((share - WARM_UP_SHARE) / PHASE_SHARE) + 1, len(PROGRESSIVE_PHASES))


def _restricted(space: SearchSpace, genes: Genes, share: float) -> Genes:
    """Set the choices that are not free yet to the largest."""
    if share < WARM_UP_SHARE:
        return space.largest()
    free = int((share - WARM_UP_SHARE) / PHASE_SHARE) + 1
    fields = {field for phase in PROGRESSIVE_PHASES[:free] for field in phase}
    largest = space.largest()
    locked = np.array([name.rpartition(".")[2] not in fields for name in space.gene_names])
    return np.where(locked, largest, genes)


SINGLE_PATH = Scheme(members=_single_path)
FAIR = Scheme(members=_fairly)
CYCLE = Scheme(members=_cycle)
SANDWICH = Scheme(members=_sandwich, first_teaches=True)
PROGRESSIVE = Scheme(members=_progressive, largest_first=True)
