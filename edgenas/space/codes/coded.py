"""A space of networks as integer genes: what each code decodes to, and which codes are the same network."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike

from edgenas.arch.architecture import Architecture, Block, Stage
from edgenas.errors import SpaceError, explain
from edgenas.reading.json_text import plain_text
from edgenas.space.axes import extreme
from edgenas.space.check import check
from edgenas.space.codes.counting import stage_counts
from edgenas.space.codes.layout import FIXED, Layout, layout_of
from edgenas.space.codes.matching import match
from edgenas.space.codes.stage import StageCode, stage_code
from edgenas.space.definition import Choice, Definition
from edgenas.space.rules import BlockKey, block_of, head_of, scaled_channels, stem_of
from edgenas.types import Genes


class PlainCode(NamedTuple):
    """What one code chose.

    Attributes:
        resolution: Height and width, pixels.
        width: Width multiplier.
        stages: Keys of the blocks of each stage.
    """

    resolution: int
    width: float
    stages: list[list[BlockKey]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedSpace:
    """A set of networks, each given by D integer genes.

    Gene d takes the values 0 .. cardinalities[d] - 1, and every combination decodes to a network. Several codes may be
    one network: genes of blocks beyond the depth have no effect, and two ratios may round to the same channels.
    `canonical` maps such codes to one. Two networks have equal digests exactly if their canonical codes are equal.

    Attributes:
        definition: What the space's file says; two spaces with equal definitions are equal.
        layout: Names, choices and places of the genes.
        stages: The codes of each stage.
    """

    definition: Definition
    layout: Layout = field(init=False, repr=False, compare=False)
    stages: tuple[StageCode, ...] = field(init=False, repr=False, compare=False)
    _needs: tuple[Genes, Genes] = field(init=False, repr=False, compare=False)
    _most: Genes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check(self.definition)
        layout = layout_of(self.definition)
        object.__setattr__(self, "layout", layout)
        codes = tuple(stage_code(self.definition, layout, index) for index in range(len(self.definition.stages)))
        object.__setattr__(self, "stages", codes)
        object.__setattr__(self, "_needs", _needs(codes, len(layout.names)))
        object.__setattr__(self, "_most", np.array([len(choices) - 1 for choices in layout.choices], dtype=np.int64))

    @property
    def name(self) -> str:
        """What the space is called."""
        return self.definition.name

    @property
    def digest(self) -> str:
        """Identity of the space: 32 hex digits of the SHA-256 of its definition without name and description.

        The padding counts only if it is not symmetric, so spaces keep their digests of the time before it.
        """
        left_out = {"name", "description"} | ({"padding"} if self.definition.padding == "symmetric" else set())
        content = {k: v for k, v in asdict(self.definition).items() if k not in left_out}
        # So do keys of a stage that came later, where they stand at their defaults.
        for stage in content["stages"]:
            for name, default in (("later", ()), ("residual", None)):
                if stage[name] == default:
                    del stage[name]
        text = plain_text(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def gene_names(self) -> tuple[str, ...]:
        """Name of each gene (D), such as `stages.2.1.kernel`."""
        return self.layout.names

    @property
    def gene_choices(self) -> tuple[tuple[Choice, ...], ...]:
        """What the values of each gene (D) stand for."""
        return self.layout.choices

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of choices of each gene (D)."""
        return tuple(len(choices) for choices in self.layout.choices)

    @property
    def raw_size(self) -> int:
        """Number of codes: the product of the cardinalities."""
        product = 1
        for count in self.cardinalities:
            product *= count
        return product

    @property
    def size(self) -> int:
        """Number of distinct networks (of canonical codes), exact."""
        return stage_counts(self.stages, self.definition) * len(self.definition.resolution)

    @property
    def grid(self) -> tuple[tuple[int, int], ...]:
        """Every (stage, index) where a network may have a block."""
        return tuple(
            (stage, index) for stage, code in enumerate(self.stages) for index in range(len(code.own_genes))
        )

    def sample(self, n: int, rng: np.random.Generator) -> Genes:
        """Draw codes, each gene uniform over its choices and independent of the others.

        This is not uniform over networks: a network with many codes is drawn more often.

        Args:
            n: How many.
            rng: Source of all randomness.

        Returns:
            (n, D) int64, not canonical.
        """
        return rng.integers(0, np.asarray(self.cardinalities, dtype=np.int64), (n, len(self.cardinalities)))

    def canonical(self, genes: ArrayLike) -> Genes:
        """Map codes (N, D) to canonical codes (N, D); equal networks have equal ones. A copy.

        Raises:
            SpaceError: A code does not lie in the space.
        """
        codes = self.validated(genes)
        # A gene is dead (has no effect) where the depth gene of its stage is below what its block needs.
        alive = codes.take(self._needs[0], axis=1) >= self._needs[1]
        result = codes * alive
        for stage in self.stages:
            if not stage.plain:
                stage.canonicalise(result)
        return result

    def validated(self, genes: ArrayLike) -> Genes:
        """Return codes as (N, D) int64.

        Raises:
            SpaceError: The shape, the type or a value does not fit the space.
        """
        codes = np.asarray(genes)
        if codes.ndim != 2 or codes.shape[1] != len(self._most) or codes.dtype.kind not in "iu":
            raise SpaceError(
                explain(
                    f"codes do not fit the space {self.name!r}", got=f"shape {codes.shape} of {codes.dtype}",
                    allowed=f"integers of shape (N, {len(self.cardinalities)})",
                )
            )
        codes, most = codes.astype(np.int64, copy=False), self._most
        # Read as unsigned, a negative number is larger than any choice: one comparison for both ends.
        if (codes.view(np.uint64) > most.view(np.uint64)).any():
            row, gene = (int(at[0]) for at in np.nonzero((codes < 0) | (codes > most)))
            raise SpaceError(
                explain(
                    f"code {row} does not lie in the space {self.name!r}: gene {gene} ({self.gene_names[gene]})",
                    got=int(codes[row, gene]), allowed=f"0 to {self.cardinalities[gene] - 1}",
                )
            )
        return codes

    def decode(self, genes: ArrayLike) -> Architecture:
        """Return the network of one code (D,).

        Raises:
            SpaceError: The code does not lie in the space.
        """
        plain, definition = self.plain_code(genes), self.definition
        return Architecture(
            resolution=plain.resolution,
            in_channels=definition.in_channels,
            stem=stem_of(definition, plain.width),
            stages=tuple(Stage(blocks=tuple(block_of(definition, key) for key in keys)) for keys in plain.stages),
            head=head_of(definition, plain.width),
            classes=definition.classes,
            norm_eps=definition.norm_eps,
            padding=definition.padding,
        )

    def plain_code(self, genes: ArrayLike) -> PlainCode:
        """Return what one code (D,) chose, before it is built.

        Raises:
            SpaceError: The code does not lie in the space.
        """
        code: list[int] = self.validated(np.asarray(genes)[None])[0].tolist()
        at, definition = self.layout, self.definition
        return PlainCode(
            resolution=int(definition.resolution[0 if at.resolution == FIXED else code[at.resolution]]),
            width=definition.width[0 if at.width == FIXED else code[at.width]],
            stages=[stage.keys(code) for stage in self.stages],
        )

    def slots(self, genes: ArrayLike) -> tuple[tuple[int, int], ...]:
        """Return (stage, index) of each block of `decode(genes)`: its place in `grid`, which names shared weights.

        A skipped block leaves no gap: the blocks after it move up one slot. So the same network always has the same
        slots. They are the numbers of its genes' names (`stages.2.0.kernel`). Operations are numbered by the network
        alone (`edgenas.arch.block_names`).
        """
        stages = self.plain_code(genes).stages
        return tuple((stage, index) for stage, keys in enumerate(stages) for index in range(len(keys)))

    def encode(self, architecture: Architecture) -> Genes:
        """Return the canonical code (D,) of a network.

        Raises:
            SpaceError: The network is no member; the message says what does not fit.
        """
        return match(self.definition, self.layout, self.stages, architecture)

    def contains(self, architecture: Architecture) -> bool:
        """Whether a network is a member."""
        try:
            self.encode(architecture)
        except SpaceError:
            return False
        return True

    def blocks_at(self, stage: int, index: int) -> tuple[tuple[int, Block], ...]:
        """Every (channels coming in, block) that may stand at a position of `grid`, each once."""
        code = self.stages[stage]
        found: dict[tuple[int, BlockKey], None] = {}
        for (_, before, out), keys in zip(code.contexts, code.tables[index].keys, strict=True):
            for key in keys:
                if key is not None:
                    found[(out if index else before, key)] = None
        return tuple((channels, block_of(self.definition, key)) for channels, key in found)

    def last_choices(self) -> Genes:
        """Return the canonical code (D,) with the last value of every choice, and the heaviest block kind by name.
        """
        return self._extreme(last=True)

    def first_choices(self) -> Genes:
        """Return the canonical code (D,) with the first value of every choice, and the lightest block kind by name.
        """
        return self._extreme(last=False)

    def _extreme(self, *, last: bool) -> Genes:
        code = [
            extreme(name.rpartition(".")[2], choices, last=last)
            for name, choices in zip(self.layout.names, self.layout.choices, strict=True)
        ]
        return cast(Genes, self.canonical(np.asarray([code], dtype=np.int64))[0])

    def describe(self, genes: ArrayLike) -> dict[str, Choice]:
        """Return what each gene of one code (D,) chose, by name. Genes without an effect on the network are left out.
        """
        code = self.validated(np.asarray(genes)[None])
        canonical = self.canonical(code)[0]
        dead = self._dead(canonical)
        return {
            name: choices[value]
            for gene, (name, choices, value) in enumerate(
                zip(self.layout.names, self.layout.choices, canonical.tolist(), strict=True)
            )
            if gene not in dead
        }

    def _dead(self, canonical: Genes) -> set[int]:
        """Mark the genes of blocks beyond the depth, which have no effect."""
        dead: set[int] = set()
        for stage in self.stages:
            depth = int(stage.depth(canonical[None])[0])
            for columns in stage.own_genes[depth:]:
                dead.update(columns)
        return dead

    def width_channels(self, channels: int, width: float) -> int:
        """Apply a width multiplier as this space rounds it."""
        return scaled_channels(channels, width, divisor=self.definition.divisor)


def _needs(stages: Sequence[StageCode], genes: int) -> tuple[Genes, Genes]:
    """For each gene (D): the depth gene that decides whether it has an effect, and the depth value that it needs.
    """
    decides, reach = np.zeros(genes, dtype=np.int64), np.zeros(genes, dtype=np.int64)
    for stage in stages:
        if stage.depth_gene == FIXED:
            continue
        for position, columns in enumerate(stage.own_genes):
            decides[list(columns)] = stage.depth_gene
            reach[list(columns)] = int(np.searchsorted(stage.depths, position + 1))
    return decides, reach
