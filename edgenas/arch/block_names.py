"""Names of a network's blocks, which follow its digest and not its grouping into stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from edgenas.arch.architecture import Architecture

Value = TypeVar("Value")


def block_names(architecture: Architecture) -> tuple[str, ...]:
    """Names of the blocks in the lowered graph, in order: `stages.S.B`.

    The names are a function of the digest. S counts the blocks without a skip, since a skip ties a block to the one
    before it; B counts the blocks since then. The stages of the spaces and of the papers begin with such a block, so
    their names are these. A grouping that begins its stages elsewhere changes no name, and narrowing a layer neither.

    Args:
        architecture: Any network.
    """
    counts: list[int] = []
    for block in architecture.blocks():
        if not counts or not block.skip:
            counts.append(0)
        counts[-1] += 1
    return _numbered(counts)


def current_names(architecture: Architecture, arrays: Mapping[str, Value]) -> dict[str, Value]:
    """Return arrays under the present names of a network's blocks.

    Files that were written before names followed the digest number blocks by the grouping into stages. The blocks that
    arrays name tell which numbering they have, since every block has weights.

    Args:
        architecture: The network, grouped as it was when the arrays were named.
        arrays: Anything by name, such as `stages.1.0.expand.weight`.

    Returns:
        The same values in the same order. Names that are neither of the present nor of the former kind stay as they
        are.
    """
    now, grouped = block_names(architecture), _numbered([len(stage.blocks) for stage in architecture.stages])
    blocks = {_block_of(name) for name in arrays} - {""}
    if now == grouped or blocks != set(grouped):
        return dict(arrays)
    renamed = dict(zip(grouped, now, strict=True))
    return {
        renamed[block] + name.removeprefix(block) if (block := _block_of(name)) else name: value
        for name, value in arrays.items()
    }


def _numbered(counts: list[int]) -> tuple[str, ...]:
    return tuple(f"stages.{stage}.{index}" for stage, count in enumerate(counts) for index in range(count))


def _block_of(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[:3]) if parts[0] == "stages" and len(parts) > 3 else ""
