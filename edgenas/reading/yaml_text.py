"""The reader of YAML: plain values with the line of each. It refuses what two YAML readers could read differently.

One document, UTF-8, YAML 1.2 scalars (yes, no, on and off are texts), finite numbers, keys that are texts and stand
once, no aliases, anchors or tags, bounded size and depth. PyYAML cuts the text into events; the values are made here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgenas.errors import EdgenasError, InputError, explain
from edgenas.reading.files import read_text
from edgenas.reading.numbers import NumberError, number

# The largest preset of a space has 4 KiB; a thousand stages written out have 100. PyYAML takes 2 s for this much.
BYTES = 256 * 1024
# A configuration is three deep, a space five.
DEPTH = 32

Place = tuple[str | int, ...]
"""Where a value stands: keys and indices from the top."""

_CONSTANTS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlDocument:
    """What a YAML text holds.

    Attributes:
        value: Mappings, lists, texts, numbers, booleans and None.
        lines: Line of each value by its place, counted from 1.
    """

    value: Any
    lines: Mapping[Place, int] = field(default_factory=dict)


def read_yaml(path: Path, *, what: str, error: type[EdgenasError] = InputError) -> YamlDocument:
    """Read a YAML file.

    Args:
        path: The file.
        what: What it should be, such as "the recipe".
        error: What is raised.

    Raises:
        EdgenasError: Of the class `error`: it cannot be read, or see `parse_yaml`.
    """
    return parse_yaml(read_text(path, what=what, error=error, limit=BYTES), source=str(path), error=error)


def parse_yaml(text: str, *, source: str, error: type[EdgenasError] = InputError) -> YamlDocument:
    """Read a YAML text.

    Args:
        text: The text.
        source: How messages call it, such as its path.
        error: What is raised.

    Returns:
        The one document; its value is None for an empty text.

    Raises:
        EdgenasError: Of the class `error`: it is not YAML or uses what this reader refuses; names line and column.
    """
    import yaml

    if len(text) > BYTES:
        raise error(explain(f"{source}: too large for YAML", got=f"{len(text):,} characters", allowed=f"{BYTES:,}"))
    try:
        return _Builder(source, error).document(yaml.parse(text.removeprefix("\ufeff"), Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f"{source}, {_position(mark)}" if mark else source
        raise error(explain(f"{where}: this is not YAML", got=problem.problem or problem.context)) from problem
    except yaml.YAMLError as problem:
        raise error(explain(f"{source}: this is not YAML", got=" ".join(str(problem).split()))) from problem
    except (ValueError, OverflowError) as problem:
        # An escape of a letter that does not exist ends in chr().
        raise error(explain(f"{source}: this is not YAML", got=str(problem))) from problem


def _position(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


class _Builder:
    """Makes values from events. It keeps a stack of its own, so that deep documents need no recursion."""

    def __init__(self, source: str, error: type[EdgenasError]) -> None:
        self._source, self._error = source, error
        self._lines: dict[Place, int] = {}

    def document(self, events: Iterator[Any]) -> YamlDocument:
        """Return the one document of the events."""
        import yaml

        found = [None]
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refuse(event, "a second document", "one document", "Remove what follows `---`.")
            elif isinstance(event, yaml.NodeEvent):
                found = [self._value(event, events, ())]
        return YamlDocument(value=found[0], lines=self._lines)

    def _refuse(
        self, event: Any, what: str, allowed: str, remedy: str = "", got: object = None
    ) -> EdgenasError:
        where = f"{self._source}, {_position(event.start_mark)}"
        return self._error(explain(f"{where}: {what}", got=got, allowed=allowed, remedy=remedy))

    def _value(self, event: Any, events: Iterator[Any], place: Place) -> Any:
        import yaml

        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self._refuse(event, "aliases and anchors are not read", "values written out")
        if event.tag is not None and event.tag != "!":
            raise self._refuse(event, "tags are not read", "plain values", got=event.tag)
        if len(place) > DEPTH:
            raise self._refuse(event, "too deeply nested", f"{DEPTH} levels")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, place)
        return self._mapping(events, place)

    def _sequence(self, events: Iterator[Any], place: Place) -> list[Any]:
        import yaml

        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            here = (*place, len(items))
            self._lines[here] = event.start_mark.line + 1
            items.append(self._value(event, events, here))
        return items

    def _mapping(self, events: Iterator[Any], place: Place) -> dict[str, Any]:
        import yaml

        found: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in found:
                remedy = "Remove one of the two."
                raise self._refuse(event, f"the key {key!r} is given twice", "each key once", remedy)
            here = (*place, key)
            self._lines[here] = event.start_mark.line + 1
            found[key] = None
            found[key] = self._value(next(events), events, here)
        return found

    def _key(self, event: Any) -> str:
        import yaml

        if not isinstance(event, yaml.ScalarEvent):
            raise self._refuse(event, "a key is not a text", "a text", got="a list or mapping")
        key = self._value(event, iter(()), ())
        if not isinstance(key, str):
            raise self._refuse(event, "a key is not a text", "a text", got=event.value)
        return key

    def _scalar(self, event: Any) -> object:
        text: str = event.value
        if event.style is None and event.tag is None:
            if text in _CONSTANTS:
                return _CONSTANTS[text]
            try:
                found = number(text)
            except NumberError as problem:
                raise self._refuse(event, f"no number: {problem}", "a finite number", got=repr(text)) from problem
            if found is not None:
                return found
        if any(ord(letter) < 32 and letter not in "\t\n" or 0xD800 <= ord(letter) < 0xE000 for letter in text):
            raise self._refuse(event, "a text with control characters", "letters that can be printed", got=repr(text))
        return text
