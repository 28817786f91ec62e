"""The measures by which channels are sorted; knows no torch, so that configurations stay light."""

from __future__ import annotations

from typing import Literal, get_args

Importance = Literal["none", "l1", "l2", "gamma", "l1_gamma"]
IMPORTANCES: tuple[Importance, ...] = get_args(Importance)
