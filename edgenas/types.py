"""Types that every room speaks of. Letters: N networks, D genes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Quoted, so that the command line can use the types without importing numpy.
Genes: TypeAlias = "NDArray[np.int64]"
"""Codes of networks: (N, D), or (D,) for one."""

Floats: TypeAlias = "NDArray[np.float64]"
"""Real numbers of any shape; the variable's name says of what."""

Progress: TypeAlias = Callable[[int, int, str], None]
"""Told after each step: steps done, steps in all, and a word for people (a unit or what is being done)."""

ProgressFactory: TypeAlias = Callable[[str], AbstractContextManager[Progress]]
"""Makes a progress display for a title."""

Say: TypeAlias = Callable[[str], None]
"""Prints a line for people."""
