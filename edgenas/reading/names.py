"""Names in a document that come from a registry. Names that a package adds are allowed and listed at once."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema


@dataclass(frozen=True, slots=True)
class NameIn:
    """Annotates a text that has to be a name of a registry.

    Attributes:
        registry: "module:attribute"; imported when a name is checked or the names are listed.
    """

    registry: str

    def names(self) -> tuple[str, ...]:
        """Return what is allowed."""
        module, _, attribute = self.registry.partition(":")
        found: tuple[str, ...] = getattr(import_module(module), attribute).names()
        return found

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.names())}

    def _check(self, value: str) -> str:
        names = self.names()
        if value not in names:
            from pydantic_core import PydanticCustomError

            raise PydanticCustomError("unknown_name", "{names}", {"names": ", ".join(names)})
        return value
