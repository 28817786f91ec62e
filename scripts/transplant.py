"""Exchange what a module does while others hold its functions: the code of a mutated source moves into them."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Iterator
from typing import Any

_PLAIN = (bool, int, float, str, bytes, type(None))


def transplant(module: types.ModuleType, source: str) -> bool:
    """Move the code, defaults and plain constants of a source into a module that is loaded.

    Args:
        module: The module.
        source: Its source with a change.

    Returns:
        Whether anything differs now.
    """
    fresh = types.ModuleType(module.__name__)
    fresh.__dict__.update(
        {key: value for key, value in vars(module).items() if key in ("__file__", "__package__", "__spec__")}
    )
    exec(compile(source, module.__file__ or "mutant", "exec"), fresh.__dict__)
    changed = _constants(module, fresh)
    new = dict(_parts(fresh))
    for name, old in _parts(module):
        changed |= name in new and _move(old, new[name])
    return changed


def _move(old: Any, new: Any) -> bool:
    if isinstance(old, types.FunctionType):
        changed = old.__code__ != new.__code__
        old.__code__ = new.__code__
        for kind in ("__defaults__", "__kwdefaults__"):
            before, after = getattr(old, kind), getattr(new, kind)
            if _is_plain(after) and repr(before) != repr(after):
                setattr(old, kind, after)
                changed = True
        return changed
    return False


def _constants(module: types.ModuleType, fresh: types.ModuleType) -> bool:
    changed = False
    for name, after in list(vars(fresh).items()):
        before = vars(module).get(name)
        if name.startswith("__") or not _is_plain(after) or repr(before) == repr(after):
            continue
        changed = True
        for other in list(sys.modules.values()):
            if getattr(other, "__dict__", {}).get(name) is before and other.__name__.startswith(("edgenas", "test")):
                setattr(other, name, after)
    return changed


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list | set | frozenset):
        return all(_is_plain(part) for part in value)
    if isinstance(value, dict):
        return all(_is_plain(part) for part in value.values())
    return isinstance(value, _PLAIN)


def _parts(place: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(name, function) of all that a module or class defines."""
    home = place.__name__ if isinstance(place, types.ModuleType) else place.__module__
    for name, value in list(vars(place).items()):
        for position, function in enumerate(_functions(value)):
            if function.__module__ == home:
                yield f"{prefix}{name}.{position}", function
        if isinstance(value, type) and value.__module__ == home and not prefix.startswith(f"{name}."):
            yield from _parts(value, f"{prefix}{name}.")


def _functions(value: Any) -> list[types.FunctionType]:
    if isinstance(value, property):
        found = [value.fget, value.fset]
    elif isinstance(value, functools.cached_property):
        found = [value.func]
    else:
        found = [getattr(value, "__func__", value)]
    return [
        getattr(one, "__wrapped__", one) for one in found
        if isinstance(getattr(one, "__wrapped__", one), types.FunctionType)
    ]  # fmt: skip
