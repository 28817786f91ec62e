"""Lazy imports: a package imports a public name when it is first used, so that the command line starts fast."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspect import Signature


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return a module's `__getattr__` (PEP 562).

    Args:
        package: Full name of the package.
        modules: Module within the package, by public name; `module:NAME` where it is called differently there.
    """

    def __getattr__(name: str) -> object:
        if name in modules:
            module, _, own = modules[name].partition(":")
            return getattr(import_module(f"{package}.{module}"), own or name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return __getattr__


class _CallableRoom(ModuleType):
    """A package that can be called: the call runs the job of the same name."""

    _job_module: str

    def _job(self) -> Callable[..., Any]:
        job: Callable[..., Any] = getattr(import_module(self._job_module), self.__name__.rpartition(".")[2])
        return job

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._job()(*arguments, **named)

    @property
    def __signature__(self) -> Signature:
        from inspect import signature

        return signature(self._job())

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._job().__doc__


def make_callable(room: str, job_module: str) -> None:
    """Make a package callable as the job that has its name: `edgenas.search(...)` beside `edgenas.search.base`.

    Python binds an imported package to its name and so replaces any function of that name. Therefore one value must be
    both.

    Args:
        room: Full name of the package.
        job_module: Full name of the module that holds the job; imported at the first call.
    """
    module = sys.modules[room]
    module.__class__ = _CallableRoom
    vars(module)["_job_module"] = job_module
