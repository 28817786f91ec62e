"""Public names that a package imports when they are first asked for, so that the command line starts at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return a module's `__getattr__` (PEP 562).

    Args:
        package: Full name of the package.
        modules: Module within the package, by public name.
    """

    def __getattr__(name: str) -> object:
        if name in modules:
            return getattr(import_module(f"{package}.{modules[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return __getattr__
