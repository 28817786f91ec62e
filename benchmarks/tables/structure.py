"""What is known about the codes of a table, said generically: which are the same network, and which features matter.

Two rules cover the benchmark spaces in use: layers among which some may be identities, and cells that are small graphs.
A table without a rule has no duplicates and the plain features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgenas.errors import SpaceError, explain
from edgenas.search.protocol import Floats, Genes, Mask


class Structure(Protocol):
    """A rule over codes (N, D)."""

    def canonical(self, genes: Genes) -> Genes:
        """Map codes to canonical ones; idempotent."""
        ...

    def features(self, genes: Genes) -> Floats:
        """Features (N, F) of canonical codes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Nothing is known: every code is a network of its own; values are counted, and read as numbers.

    Attributes:
        cardinalities: Choices of each gene.
    """

    cardinalities: tuple[int, ...]

    def canonical(self, genes: Genes) -> Genes:
        """Codes as they are."""
        return genes

    def features(self, genes: Genes) -> Floats:
        """Each gene as a number, their sum, and how often each value occurs where all genes have the same choices."""
        parts = [genes.astype(np.float64), genes.sum(axis=1, keepdims=True).astype(np.float64)]
        if len(set(self.cardinalities)) == 1:
            parts.append(value_counts(genes, range(self.cardinalities[0])))
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityGroups:
    """Genes are layers in order; within a group a layer that is the identity may stand anywhere.

    Attributes:
        cardinality: Choices of each gene.
        groups: Genes of each group, in order; together they are all genes.
        identity: The choice that does nothing.
    """

    cardinality: int
    groups: tuple[tuple[int, ...], ...]
    identity: int = 0

    def __post_init__(self) -> None:
        genes = sorted(g for group in self.groups for g in group)
        if genes != list(range(len(genes))):
            raise SpaceError(explain("identity groups must hold every gene once", got=self.groups))

    def canonical(self, genes: Genes) -> Genes:
        """Move the identities of each group to its end; the order of the other layers stays."""
        moved = genes.copy()
        for group in self.groups:
            if len(group) > 1:
                columns = genes[:, list(group)]
                order = np.argsort(columns == self.identity, axis=1, kind="stable")
                moved[:, list(group)] = np.take_along_axis(columns, order, axis=1)
        return moved

    def features(self, genes: Genes) -> Floats:
        """Depth, and how often each operation occurs: of every group and over all."""
        others = [v for v in range(self.cardinality) if v != self.identity]
        parts = []
        for group in (*self.groups, tuple(range(genes.shape[1]))):
            counts = value_counts(genes[:, list(group)], others)
            parts += [counts.sum(axis=1, keepdims=True), counts[:, 1:]]
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Genes are the edges of a directed acyclic graph from node 0 to its last node; each carries an operation.

    Attributes:
        edges: (from, to) of each gene, from < to.
        operations: Choices of each gene.
        none: The operation that passes nothing on.
        skip: The operation that passes its input on as it is; None where there is no such operation.
    """

    edges: tuple[tuple[int, int], ...]
    operations: int
    none: int | None = 0
    skip: int | None = 1

    def __post_init__(self) -> None:
        if not self.edges or any(a >= b or a < 0 for a, b in self.edges):
            raise SpaceError(explain("the edges of a cell go from a lower to a higher node", got=self.edges))

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return max(b for _, b in self.edges) + 1

    def canonical(self, genes: Genes) -> Genes:
        """Set every edge that is on no path from input to output to `none`."""
        if self.none is None:
            return genes
        live = self._live(genes)
        return np.where(live, genes, self.none)

    def features(self, genes: Genes) -> Floats:
        """Operation counts, the most of each operation on one path, number of paths, depth, pure skip paths."""
        kinds = [v for v in range(self.operations) if v != self.none]
        working = [v for v in kinds if v != self.skip]
        passing = np.ones(genes.shape, dtype=bool) if self.none is None else genes != self.none
        deepest = np.full((len(genes), len(kinds) + 1), 0.0)
        paths, total, pure = np.zeros(len(genes)), np.zeros(len(genes)), np.zeros(len(genes))
        for path in self._paths():
            columns = genes[:, path]
            alive = np.asarray(passing[:, path].all(axis=1))
            counts = value_counts(columns, kinds)
            work = np.isin(columns, working).sum(axis=1)
            deepest = np.maximum(deepest, np.column_stack([counts, work]) * alive[:, None])
            paths += alive
            total += work * alive
            pure += alive & (work == 0)
        return np.column_stack([value_counts(genes, kinds), deepest, paths, total, pure])

    def _live(self, genes: Genes) -> Mask:
        passing = genes != self.none
        reached = np.zeros((len(genes), self.nodes), dtype=bool)
        needed = reached.copy()
        reached[:, 0] = needed[:, -1] = True
        for gene in sorted(range(len(self.edges)), key=lambda g: self.edges[g]):
            a, b = self.edges[gene]
            reached[:, b] |= reached[:, a] & passing[:, gene]
        for gene in sorted(range(len(self.edges)), key=lambda g: self.edges[g][::-1], reverse=True):
            a, b = self.edges[gene]
            needed[:, a] |= needed[:, b] & passing[:, gene]
        starts, ends = [a for a, _ in self.edges], [b for _, b in self.edges]
        return passing & reached[:, starts] & needed[:, ends]

    def _paths(self, *, most: int = 64) -> list[list[int]]:
        """Edges of every path from input to output, at most `most` of them."""
        done: list[list[int]] = []
        open_paths: list[tuple[int, list[int]]] = [(0, [])]
        while open_paths and len(done) < most:
            node, path = open_paths.pop(0)
            if node == self.nodes - 1:
                done.append(path)
                continue
            open_paths += [(b, [*path, g]) for g, (a, b) in enumerate(self.edges) if a == node]
        return done


def value_counts(genes: Genes, values: Sequence[int] | range) -> Floats:
    """How often each of `values` (V) occurs in each row of codes (N, D): (N, V)."""
    return np.stack([(genes == v).sum(axis=1) for v in values], axis=1).astype(np.float64)
