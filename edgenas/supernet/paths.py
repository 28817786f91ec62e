"""Members as steps, put together from parts that other members had too.

A step of training takes a new member nearly every time, and a large space has far more members than are ever seen. But
it has few stems, heads and blocks of a place. So these are lowered once, and a member is a list of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from typing import NamedTuple, TypeAlias

from edgenas.arch.graph import Graph, Op
from edgenas.arch.lower import image_of, lower_block, lower_head, lower_stem
from edgenas.nn.plan import plan
from edgenas.space import SearchSpace
from edgenas.space.rules import BlockKey, block_of, head_of, stem_of
from edgenas.supernet.path import Path, Step
from edgenas.supernet.shapes import Sharing, place_of, sharings
from edgenas.types import Genes

KNOWN_PARTS = 16_384
"""Parts that are kept, some 5 KB each. A space of 10^19 members has fewer."""


_Lowered: TypeAlias = tuple[tuple[Op, ...], dict[str, str]]
"""What a part reads and its operations, and the name of the shared weights of its block by the block's name."""


class _Part(NamedTuple):
    """A stem, a block or a head.

    Attributes:
        steps: Its operations.
        last: Stands for the operation that the next part reads.
    """

    steps: tuple[Step, ...]
    last: Op


class Paths:
    """The members of a space as steps.

    Parts read slot 0 and write slot 1, or the other way round, in turns; so a part fits behind any other. What lies
    between is written to slots from 2 on. Operations are those of `edgenas.arch.lower.lower`, under the same names.
    """

    def __init__(self, space: SearchSpace, require: Callable[[Sharing], None]) -> None:
        """Start without parts.

        Args:
            space: Of the members.
            require: Called with the sharing of every operation with weights; raises where there are none for it.
        """
        self._space, self._require = space, require
        self._parts: OrderedDict[Hashable, _Part] = OrderedDict()

    def of(self, genes: Genes) -> Path:
        """Return the member of a code (D,) as steps.

        Raises:
            SpaceError: The code does not lie in the space, or the supernet has no weights for it.
        """
        code, definition = self._space.plain_code(genes), self._space.definition
        image, padding = image_of(definition.in_channels, code.resolution), definition.padding
        part = self._part(
            ("stem", code.resolution, code.width),
            lambda: (lower_stem(stem_of(definition, code.width), image, padding), {}),
            turn=0,
        )
        steps = list(part.steps)
        # As `block_names` numbers them: a block without a skip begins a stage.
        number, since, turn = -1, 0, 1
        for stage, keys in enumerate(code.stages):
            for index, key in enumerate(keys):
                number, since = (number, since + 1) if key.skip and number >= 0 else (number + 1, 0)
                known = (turn, number, since, stage, index, key, part.last.name, part.last.shape)
                lowered = partial(self._block, key, (stage, index), f"stages.{number}.{since}", part.last)
                part = self._part(known, lowered, turn=turn)
                steps += part.steps
                turn = 1 - turn
        last = part.last
        part = self._part(
            ("head", turn, code.width, last.name, last.shape),
            lambda: (lower_head(head_of(definition, code.width), definition.classes, last, padding), {}),
            turn=turn,
        )
        steps += part.steps
        return Path(code.resolution, tuple(len(keys) for keys in code.stages), tuple(steps))

    def _block(self, key: BlockKey, place: tuple[int, int], name: str, source: Op) -> _Lowered:
        block = block_of(self._space.definition, key)
        return lower_block(block, name, source, self._space.definition.padding), {name: place_of(*place, block)}

    def _part(self, key: Hashable, lowered: Callable[[], _Lowered], *, turn: int) -> _Part:
        """Return a part, from before or made now.

        Args:
            key: All that it depends on.
            lowered: Called where it was not known.
            turn: The slot that it reads.
        """
        part = self._parts.get(key)
        if part is None:
            ops, places = lowered()
            part = self._parts[key] = self._made(Graph(ops=ops, norm_eps=self._space.definition.norm_eps), places, turn)
            if len(self._parts) > KNOWN_PARTS:
                self._parts.popitem(last=False)
        return part

    def _made(self, graph: Graph, places: dict[str, str], turn: int) -> _Part:
        sharing = list(sharings(graph, places))
        for need in sharing:
            if need is not None:
                self._require(need)
        slots = [turn, *range(2, len(graph.ops)), 1 - turn]
        steps = tuple(
            Step(
                op=step.op,
                inputs=tuple(slots[slot] for slot in step.inputs),
                output=slots[step.output],
                free=tuple(slots[slot] for slot in step.free),
                function=step.function,
                sharing=sharing[step.output],
                eps=graph.norm_eps,
            )
            for step in plan(graph)
        )
        last = graph.output
        return _Part(steps, Op(kind="input", name=last.name, shape=last.shape))
