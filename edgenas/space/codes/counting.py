"""How many distinct networks a space holds, counted without listing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgenas.space.codes.stage import SKIP_ID, BlockTable, StageCode
from edgenas.space.definition import Definition

_ALL = -1  # as a bit set: every stage-wide value


def _blocks_by_mask(table: BlockTable, context: int) -> Counter[int]:
    """How many blocks (no skips) a context has, by the bit set of stage-wide values that can express them."""
    found: Counter[int] = Counter()
    masks: dict[int, int] = {}
    for value, row in enumerate(table.ids[context].tolist()):
        for number in row:
            if number != SKIP_ID:
                masks[number] = masks.get(number, 0) | 1 << value
    found.update(masks.values())
    return found


def _lengthened(sequences: Counter[int], blocks: Counter[int]) -> Counter[int]:
    """Append every block to every sequence that it shares a stage-wide value with."""
    longer: Counter[int] = Counter()
    for mask, count in sequences.items():
        for other, more in blocks.items():
            if mask & other:
                longer[mask & other] += count * more
    return longer


def _stage_count(stage: StageCode, context: int) -> int:
    """Distinct block sequences of a stage in one channel context."""
    skips = any(bool((table.ids == SKIP_ID).any()) for table in stage.tables)
    sequences, total = Counter({_ALL: 1}), 0
    for length, table in enumerate(stage.tables, start=1):
        sequences = _lengthened(sequences, _blocks_by_mask(table, context))
        if skips or length in stage.depths:
            total += sum(sequences.values())
    return total


def stage_counts(stages: Sequence[StageCode], definition: Definition) -> int:
    """Return the number of distinct networks at one resolution.

    Args:
        stages: The codes of each stage.
        definition: The space.
    """
    total = 0
    for width in range(len(definition.width)):
        ways = {0: 1}
        for stage in stages:
            _, befores, outs = stage.context_shape
            ways = {
                out: sum(
                    count * _stage_count(stage, (width * befores + before) * outs + out)
                    for before, count in ways.items()
                )
                for out in range(outs)
            }
        total += sum(ways.values())
    return total
