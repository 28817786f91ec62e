"""Registries: all things of one kind by name, such as strategies. An installed package adds more through entry points.

An entry is an object or the text "module:attribute", which is imported when the entry is asked for. A package adds
an entry by an entry point of the registry's group, such as `edgenas.strategies`; its module is imported no earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from edgenas.errors import ConfigError, EdgenasError, PluginError, explain, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Entry = TypeVar("Entry")
_Part = TypeVar("_Part")
_Function = TypeVar("_Function", bound=Callable[..., Any])
_REMEDY = "Mend or uninstall the package."


class Registry(Generic[Entry]):
    """Entries of one kind by name, those of edgenas first.

    Attributes:
        what: The kind in words, such as "strategy".
        group: Of the entry points that add to it.
    """

    def __init__(
        self,
        what: str,
        *,
        group: str,
        entries: Mapping[str, Entry | str],
        check: Callable[[Any], bool],
        expected: str,
        error: type[EdgenasError] = ConfigError,
    ) -> None:
        """Keep the entries; nothing is imported yet.

        Args:
            what: The kind in words, for messages.
            group: Of entry points.
            entries: Those of edgenas: an object, or "module:attribute".
            check: Whether an object is an entry of this kind.
            expected: What it has to be, for messages.
            error: Raised for an unknown name.
        """
        self.what, self.group = what, group
        self._own, self._check, self._expected, self._error = dict(entries), check, expected, error
        self._loaded: dict[str, Entry] = {}

    def names(self) -> tuple[str, ...]:
        """Return all names, those of edgenas first.

        Raises:
            PluginError: Two packages claim a name, or a package claims one of edgenas.
        """
        return (*self._own, *_added(self.group, self.what, tuple(self._own)))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._own or name in self.names())

    def __getitem__(self, name: str) -> Entry:
        """Return an entry; its module is imported here.

        Raises:
            EdgenasError: There is none of that name (the kind of error is the registry's).
            PluginError: The package that adds it cannot be used.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(self.require(name))
        return self._loaded[name]

    def require(self, name: str) -> str:
        """Return the name of an entry.

        Raises:
            EdgenasError: There is none of that name: says the nearest one and all that are allowed.
        """
        if name in self._own or name in self.names():
            return name
        known = self.names()
        hint = nearest(str(name), known)
        raise self._error(explain(f"unknown {self.what}{hint}", got=repr(name), allowed=", ".join(known)))

    def origin(self, name: str) -> str:
        """Return the package that an entry comes from, with its version; "edgenas" for its own."""
        if name in self._own:
            return "edgenas"
        return _package(_added(self.group, self.what, tuple(self._own))[self.require(name)])

    def _load(self, name: str) -> Entry:
        own = self._own.get(name)
        if own is None:
            return self._load_added(_added(self.group, self.what, tuple(self._own))[name])
        if not isinstance(own, str):
            return own
        entry: Entry = _attribute(own)
        return entry

    def _load_added(self, point: EntryPoint) -> Entry:
        where = f"the {self.what} {point.name!r} of the package {_package(point)}"
        try:
            found = point.load()
        # A foreign module may raise anything while it is imported. An interrupt is no Exception and is not caught.
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise PluginError(explain(f"{where} cannot be imported", got=reason, remedy=_REMEDY)) from error
        if not self._check(found):
            got = f"{type(found).__name__} in {point.value}"
            raise PluginError(explain(f"{where} is none", got=got, allowed=self._expected, remedy=_REMEDY))
        entry: Entry = found
        return entry


def load_part(place: str, *, kind: type[_Part], what: str) -> _Part:
    """Return something that an entry names instead of holding it; its module is imported here.

    Args:
        place: "module:attribute".
        kind: What it has to be.
        what: Words for it, for messages.

    Raises:
        PluginError: It cannot be imported, or is something else.
    """
    try:
        found = _attribute(place)
    # As for an entry: a foreign module may raise anything.
    except Exception as error:
        reason = f"{place}: {type(error).__name__}: {error}"
        raise PluginError(explain(f"{what} cannot be imported", got=reason, remedy=_REMEDY)) from error
    if not isinstance(found, kind):
        allowed = f"an {kind.__module__}.{kind.__name__}"
        raise PluginError(explain(f"{what} is none", got=f"{type(found).__name__} in {place}", allowed=allowed))
    return found


def resolved(found: _Function | str, *, what: str) -> _Function:
    """Return a function that an entry holds, or names as "module:attribute"; then its module is imported here.

    Args:
        found: What stands in the entry.
        what: Words for it, for messages.

    Raises:
        PluginError: It cannot be imported, or cannot be called.
    """
    if not isinstance(found, str):
        return found
    function: Any = load_part(found, kind=Callable, what=what)  # type: ignore[arg-type]
    return cast(_Function, function)


def _attribute(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def forget_entry_points() -> None:
    """Forget the entry points; the next request reads them again. For processes that install or remove packages.
    """
    _added.cache_clear()


@cache
def _added(group: str, what: str, own: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Return the entries that installed packages add to a group, by name. Each name may occur once."""
    # Loading it takes as long as all of `edgenas.arch`, which needs it for unknown names only.
    from importlib.metadata import entry_points

    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=group), key=lambda one: (_package(one), one.name)):
        taken = "edgenas" if point.name in own else _package(found[point.name]) if point.name in found else None
        if taken is not None:
            raise PluginError(
                explain(
                    f"two packages offer a {what} of one name",
                    got=f"{point.name!r} of {taken} and of {_package(point)}",
                    remedy=f"Uninstall {point.dist.name if point.dist else 'one of them'}, or rename its {what}.",
                )
            )
        found[point.name] = point
    return found


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value
