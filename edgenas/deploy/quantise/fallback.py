"""Operations that stay in floating point because no int8 file can be made with them.

A branch whose values are of a very different size, or an activation whose input is too large, can make a file that no
steps fit or that the runtime refuses. The rest of the network can still work on integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


def unmakeable(operations: Sequence[str], makes: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...]:
    """Find few operations that must stay in floating point so that a file can be made.

    The operations are put on integers half by half. A half that does not go is halved again, down to the operations
    that do not go beside those that went before. None of those found can be put on integers alone in the end.

    Args:
        operations: Names of all that could stay in floating point, in order; N of them.
        makes: Whether a file can be made with these in floating point. Called about k log2 N times for k found.

    Returns:
        Their names, in order; all N where not even that file can be made.
    """
    floats = set(operations)

    def in_order() -> tuple[str, ...]:
        return tuple(name for name in operations if name in floats)

    def put_on_integers(names: Sequence[str]) -> None:
        floats.difference_update(names)
        if makes(in_order()):
            return
        floats.update(names)
        if len(names) > 1:
            put_on_integers(names[: len(names) // 2])
            put_on_integers(names[len(names) // 2 :])

    if makes(in_order()):
        put_on_integers(operations)
    return in_order()
