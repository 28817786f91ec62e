"""State dicts of other packages: unwrapping them, and removing prefixes of names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from edgenas.errors import WeightsError, explain

State = Mapping[str, torch.Tensor]

# Usual keys in the file of a training; the first that is there counts. Averaged weights come first, since they are the
# ones that were evaluated.
WRAPPERS = (
    "state_dict_ema", "model_ema", "ema_state_dict", "model_state_dict_ema", "ema", "state_dict", "model_state_dict",
    "model", "net", "network", "weights",
)  # fmt: skip
# DistributedDataParallel and AveragedModel; torch.compile; Lightning; averages.
PREFIXES = ("module.", "_orig_mod.", "model.", "ema_model.", "ema.")
# Counters, which are no weights.
COUNTERS = ("num_batches_tracked", "n_averaged")


def unwrapped(content: object, *, where: str) -> dict[str, torch.Tensor]:
    """Return the weights that a file of a training holds, by name without prefixes.

    Args:
        content: What was read: tensors by name, or a mapping with such a mapping under a usual name.
        where: Name of the file, for messages.

    Raises:
        WeightsError: It holds no tensors by name.
    """
    state: Any = content
    for _ in range(3):
        if isinstance(state, Mapping) and not _is_state(state):
            state = next((state[name] for name in WRAPPERS if isinstance(state.get(name), Mapping)), state)
    if not isinstance(state, Mapping) or not _is_state(state):
        got = ", ".join(str(key) for key in list(state)[:6]) if isinstance(state, Mapping) else type(state).__name__
        allowed = f"tensors by name, alone or under {', '.join(WRAPPERS[-5:])}"
        raise WeightsError(explain(f"{where} is not a state dict", got=got or "nothing", allowed=allowed))
    named = {str(name): tensor for name, tensor in state.items() if not str(name).endswith(COUNTERS)}
    while (prefix := _common_prefix(named)) is not None:
        named = {name.removeprefix(prefix): tensor for name, tensor in named.items()}
    return named


def _is_state(content: Mapping[Any, Any]) -> bool:
    return bool(content) and all(isinstance(value, torch.Tensor) for value in content.values())


def _common_prefix(names: Mapping[str, object]) -> str | None:
    return next((prefix for prefix in PREFIXES if names and all(name.startswith(prefix) for name in names)), None)
