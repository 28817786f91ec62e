"""Benchmark tables as search spaces: an npz of codes and measured columns, described by a small JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgenas.errors import SpaceError, explain, nearest
from edgenas.pareto import hypervolume
from edgenas.search.protocol import Floats, Genes, Mask
from edgenas.search.seen import CodeKeys

from .structure import Cell, IdentityGroups, Plain, Structure


class TabularSpace:
    """A space whose members are the rows of a table; implements `SpaceView`.

    Where the table does not hold the full product of its cardinalities, `admits` and `members` say what it holds.
    """

    def __init__(self, cardinalities: Sequence[int], codes: Genes, structure: Structure | None = None) -> None:
        """Make a space.

        Args:
            cardinalities: Choices of each of the D genes.
            codes: (S, D), all rows of the table.
            structure: Which codes are the same network, and the features; `Plain` when left out.

        Raises:
            SpaceError: A code lies outside of the cardinalities, or occurs twice.
        """
        cards = tuple(int(c) for c in cardinalities)
        codes = np.ascontiguousarray(codes, dtype=np.int64)
        if codes.ndim != 2 or codes.shape[1] != len(cards):
            raise SpaceError(
                explain("codes do not fit the cardinalities", got=codes.shape, allowed=f"(rows, {len(cards)})")
            )
        if len(codes) == 0 or (codes < 0).any() or (codes >= np.array(cards)).any():
            raise SpaceError(explain("a code lies outside of the cardinalities", allowed=cards))
        self._cards, self._codes = cards, codes
        self.structure = structure or Plain(cardinalities=cards)
        self._keys = CodeKeys(cards)
        raw = self._keys(codes)
        if len(np.unique(raw)) < len(raw):
            raise SpaceError(explain("a table holds the same code twice"))
        # One row stands for each network: the one whose code is canonical where the table has it, else the first.
        keys = self._keys(self.structure.canonical(codes))
        preferred = np.argsort(keys != raw, kind="stable")
        self._sorted, first = np.unique(keys[preferred], return_index=True)
        self._order = preferred[first]
        product = 1
        for c in cards:
            product *= c
        self.complete = product == len(codes)
        if not self.complete:
            self.admits = self._admits
            self.members = self._members

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Choices of each gene."""
        return self._cards

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self._codes)

    def sample(self, n: int, rng: np.random.Generator) -> Genes:
        """Draw n rows (n, D), with replacement."""
        return self._codes[rng.integers(0, len(self._codes), size=n)]

    def canonical(self, genes: Genes) -> Genes:
        """Canonical codes of codes (N, D)."""
        return self.structure.canonical(genes)

    def features(self, genes: Genes) -> Floats:
        """Structural features (N, F) of codes (N, D)."""
        return self.structure.features(self.structure.canonical(genes))

    def rows(self, genes: Genes) -> Genes:
        """Row numbers (N,) that stand for the networks of codes (N, D); -1 where the table has no such network."""
        keys = self._keys(self.structure.canonical(genes))
        place = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        return np.where(self._sorted[place] == keys, self._order[place], -1)

    def _admits(self, genes: Genes) -> Mask:
        return self.rows(genes) >= 0

    def _members(self) -> Genes:
        return self._codes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """One problem of a benchmark table.

    Attributes:
        name: Name of the problem.
        space: Its codes.
        objectives: (S, M), to minimise, by row; NaN where a reading is unusable.
        objective_names: M names.
        reference: (M,), where hypervolume is measured from: around the accurate end of the front.
        best_hypervolume: Hypervolume of all rows.
        whole_reference: (M,), behind all rows: 1.05 times the largest value of each objective.
        whole_hypervolume: Hypervolume of all rows from there.
    """

    name: str
    space: TabularSpace
    objectives: Floats
    objective_names: tuple[str, ...]
    reference: tuple[float, ...]
    best_hypervolume: float
    whole_reference: tuple[float, ...]
    whole_hypervolume: float

    def look_up(self, genes: Genes) -> Floats:
        """Objectives (N, M) of codes (N, D); NaN where there is no usable reading."""
        rows = self.space.rows(genes)
        return np.where((rows >= 0)[:, None], self.objectives[rows], np.nan)


def read_table(npz: Path, description: Path) -> tuple[Table, ...]:
    """Read the problems of a table.

    The description is a JSON object with `cardinalities` (one number for each gene), `codes` (name of the array of
    codes, "codes" when left out), `structure` (left out, or one of `{"kind": "identity_groups", "groups": [[0],
    [1, 2]], "identity": 0}` and `{"kind": "cell", "edges": [[0, 1], ...], "none": 0, "skip": 1}`), and `problems`, a
    mapping from a name to `{"objectives": [{"array": NAME, "goal": "minimise" or "maximise", "best": 100,
    "scale": 1e-6}, ...],
    "reference": [..]}`. A maximised column becomes `best - value`. Without a reference the rule of the benchmarks is
    used: the 75th percentile of the first objective, and 1.1 times the other objectives of the row that is best in it.

    Args:
        npz: The arrays; loaded without pickle.
        description: The JSON file.

    Raises:
        SpaceError: A file cannot be read, or the description does not fit the arrays.
    """
    try:
        text = json.loads(description.read_text(encoding="utf-8"))
        with np.load(npz, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        what = f"cannot read the table {npz} with its description {description}"
        raise SpaceError(explain(what, got=error)) from error
    codes = _array(arrays, text.get("codes", "codes"))
    cards = tuple(text["cardinalities"]) if "cardinalities" in text else tuple(codes.max(axis=0) + 1)
    space = TabularSpace(cards, codes, _structure(text.get("structure"), cards))
    problems = text.get("problems") or {npz.stem: text}
    return tuple(_problem(name, problem, arrays, space) for name, problem in problems.items())


def _problem(name: str, text: Mapping[str, Any], arrays: Mapping[str, Any], space: TabularSpace) -> Table:
    columns, names = [], []
    if not text.get("objectives"):
        raise SpaceError(
            explain(f"the problem {name} has no objectives", remedy="Name at least one array to minimise.")
        )
    for entry in text["objectives"]:
        column = np.asarray(_array(arrays, entry["array"]), dtype=np.float64) * entry.get("scale", 1.0)
        goal = entry.get("goal", "minimise")
        if goal not in ("minimise", "maximise"):
            raise SpaceError(explain(f"unknown goal of {entry['array']}", got=goal, allowed="minimise, maximise"))
        columns.append(entry.get("best", 0.0) - column if goal == "maximise" else column)
        names.append(entry.get("name", entry["array"]))
    objectives = np.stack(columns, axis=1)
    reference = text.get("reference") or _usual_reference(objectives)
    usable = np.isfinite(objectives).all(axis=1)
    whole = 1.05 * objectives[usable].max(axis=0)
    return Table(
        name=name,
        space=space,
        objectives=np.where(usable[:, None], objectives, np.nan),
        objective_names=tuple(names),
        reference=tuple(float(r) for r in reference),
        best_hypervolume=hypervolume(objectives[usable], reference),
        whole_reference=tuple(float(r) for r in whole),
        whole_hypervolume=hypervolume(objectives[usable], whole),
    )


def _usual_reference(objectives: Floats) -> list[float]:
    usable = objectives[np.isfinite(objectives).all(axis=1)]
    best = usable[np.argmin(usable[:, 0])]
    return [float(np.percentile(usable[:, 0], 75)), *(1.1 * float(v) for v in best[1:])]


def _structure(text: Mapping[str, Any] | None, cards: tuple[int, ...]) -> Structure | None:
    if text is None:
        return None
    if text.get("kind") == "identity_groups":
        groups = tuple(tuple(group) for group in text["groups"])
        return IdentityGroups(cardinality=max(cards), groups=groups, identity=text.get("identity", 0))
    if text.get("kind") == "cell":
        edges = tuple((int(a), int(b)) for a, b in text["edges"])
        return Cell(edges=edges, operations=max(cards), none=text.get("none", 0), skip=text.get("skip", 1))
    raise SpaceError(explain("unknown kind of structure", got=text.get("kind"), allowed="identity_groups, cell"))


def _array(arrays: Mapping[str, Any], name: str) -> Any:
    if name not in arrays:
        raise SpaceError(explain(f"no array {name!r}{nearest(name, arrays)}", allowed=", ".join(sorted(arrays))))
    return arrays[name]
