"""Which networks to measure: a covering design over a search space."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import lower
from edgenas.errors import InputError, explain
from edgenas.latency.units import Unit, graph_units, units
from edgenas.space import SearchSpace, population_costs
from edgenas.space.costs.contexts import distinct_blocks

# Chosen, not measured: candidates of which a covering design takes one.
_POOL_PER_NETWORK = 6
# Chosen, not measured: bounds the time of a design.
_POOL_LIMIT = 1500
# Share of the design that is chosen for coverage. The rest is drawn as a search draws, so that the correction fits such
# networks.
# Chosen, not measured: other shares were not compared.
_COVERING_SHARE = 0.6
# Networks that are always visited a second time: their least number, and their share of all.
# Chosen, not measured: nine give a common factor to a third of a visit's noise.
_PROBES = 9
# Chosen, not measured: other shares were not compared.
_PROBE_SHARE = 0.08


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """Networks to measure.

    Attributes:
        genes: (n, D) codes, distinct networks.
        drawn: (n,) whether a network was drawn as a search draws, not chosen for coverage.
        covered: Units that at least one of them contains.
        total: Units that the space has.
        probes: Rows of the networks that are always visited twice. They show the noise within the build, and later what
            has changed since. They are drawn, like the networks that a table predicts later. They are spread evenly
            over the order of MACs. The order of measured latencies would contain the noise of single visits.
    """

    genes: NDArray[np.int64]
    drawn: NDArray[np.bool_]
    covered: int
    total: int
    probes: tuple[int, ...]


def space_units(space: SearchSpace) -> dict[str, Unit]:
    """Return every unit that a network of the space can contain, by key."""
    return {unit.key: unit for block in distinct_blocks(space) for unit, _ in units(block)}


def covering_design(space: SearchSpace, networks: int, rng: np.random.Generator) -> Design:
    """Choose networks that together contain as many of the space's units as possible, each several times.

    Greedy over a random pool in which half the networks have full depth: each step takes the network with the
    largest sum of 1 / (1 + times chosen)^2 over its units. The rest is drawn at random.

    Args:
        space: The space.
        networks: How many.
        rng: Source of all randomness.

    Raises:
        InputError: Fewer than one network asked for.
    """
    if networks < 1:
        raise InputError(explain("a latency table needs at least one network", got=networks))
    index = {key: place for place, key in enumerate(space_units(space))}
    pool = _pool(space, min(_POOL_LIMIT, max(40, _POOL_PER_NETWORK * networks)), rng)
    contains = np.zeros((len(pool), len(index)), dtype=np.float64)
    for row, genes in enumerate(pool):
        for unit, _ in graph_units(lower(space.decode(genes))):
            contains[row, index[unit.key]] = 1.0
    chosen = _greedy(contains, min(len(pool), round(networks * _COVERING_SHARE) or 1))
    taken = set(chosen)
    # The pool ends with networks as drawn. np.unique above keeps the order, so the last rows are drawn ones.
    rest = [row for row in range(len(pool) - 1, -1, -1) if row not in taken][: networks - len(chosen)]
    order = [*chosen, *rest]
    genes, drawn = pool[order], np.arange(len(order)) >= len(chosen)
    return Design(
        genes=genes,
        drawn=drawn,
        probes=_probes(population_costs(space).macs(genes), drawn),
        covered=int(contains[order].any(axis=0).sum()),
        total=len(index),
    )


def _probes(macs: NDArray[np.int64], drawn: NDArray[np.bool_]) -> tuple[int, ...]:
    """Rows of networks spread over the order of MACs; drawn ones, where there are enough of them."""
    count = min(len(macs), max(_PROBES, round(_PROBE_SHARE * len(macs))))
    rows = np.flatnonzero(drawn) if drawn.sum() >= count else np.arange(len(macs))
    order = rows[np.argsort(macs[rows], kind="stable")]
    # The middle of each of `count` equal parts.
    return tuple(int(order[(2 * part + 1) * len(order) // (2 * count)]) for part in range(count))


def _pool(space: SearchSpace, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Distinct networks: the first half at full depth, the second half as drawn."""
    codes = space.sample(size, rng)
    depth = [gene for gene, name in enumerate(space.gene_names) if name.endswith("depth")]
    codes[: size // 2, depth] = np.asarray(space.cardinalities)[depth] - 1
    _, first = np.unique(space.canonical(codes), axis=0, return_index=True)
    return space.canonical(codes)[np.sort(first)]


def _greedy(contains: NDArray[np.float64], count: int) -> list[int]:
    times = np.zeros(contains.shape[1])
    chosen: list[int] = []
    for _ in range(count):
        gain = contains @ (1.0 / (1.0 + times) ** 2)
        gain[chosen] = -1.0
        best = int(gain.argmax())
        chosen.append(best)
        times += contains[best]
    return chosen


def held_out(
    space: SearchSpace, networks: int, rng: np.random.Generator, *, without: Collection[str] = ()
) -> NDArray[np.int64]:
    """Draw distinct networks as a search draws them.

    Args:
        space: The space.
        networks: How many at most; a small space may have fewer.
        rng: Source of all randomness.
        without: Digests of networks that must not be among them.

    Returns:
        (n, D) canonical codes.
    """
    found: dict[tuple[int, ...], None] = {}
    for _ in range(20):
        for code in map(tuple, space.canonical(space.sample(networks, rng))):
            if len(found) < networks and code not in found and space.decode(np.array(code)).digest not in without:
                found[code] = None
    return np.array(list(found), dtype=np.int64).reshape(len(found), len(space.cardinalities))
