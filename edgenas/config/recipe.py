"""A section of a training that follows a published recipe: keys that are left out are filled in."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel

from edgenas.config.needs import Needs


def filled(document: Mapping[str, Any], section: type[BaseModel]) -> dict[str, Any]:
    """Return a section's document with the keys of its recipe where it says nothing itself.

    Keys that the section does not have are left out. So are those that nothing would obey beside what the document
    says, such as the strength of an operation that it turns off.

    Args:
        document: As it was read; `recipe` names a recipe that there is.
        section: The class of the section.
    """
    from edgenas.train.recipes import RECIPES

    usual = section.model_fields["batch_size"].default
    batch_size = document.get("batch_size", usual)
    whole = isinstance(batch_size, int) and not isinstance(batch_size, bool) and batch_size > 0
    found = RECIPES[document["recipe"]].values(batch_size if whole else usual)
    augment = document.get("augment", {})
    own = found.pop("augment")
    merged = _merged(found, document, section)
    if isinstance(augment, Mapping):
        kind = section.model_fields["augment"].annotation
        assert isinstance(kind, type) and issubclass(kind, BaseModel)
        merged["augment"] = _merged(own, augment, kind)
    return merged


def _merged(recipe: Mapping[str, Any], document: Mapping[str, Any], section: type[BaseModel]) -> dict[str, Any]:
    fields = section.model_fields
    merged = {**{name: value for name, value in recipe.items() if name in fields}, **document}
    defaults = {name: field.default for name, field in fields.items()}
    values = SimpleNamespace(**{**defaults, **{name: value for name, value in merged.items() if name in fields}})
    needs: Needs = getattr(section, "needs", {})
    own = recipe.keys() - document.keys()
    idle = {name for name, need in needs.items() if name in own and not _holds(need, values)}
    return {name: value for name, value in merged.items() if name not in idle}


def _holds(need: Any, values: SimpleNamespace) -> bool:
    try:
        return bool(need.holds(values))
    except TypeError:  # a value of another type beside it, which is refused where the section is read
        return True


def forget_filled(section: BaseModel, document: Mapping[str, Any]) -> None:
    """Mark keys that a recipe filled in as left out, so that another recipe or batch fills them in anew.

    Args:
        section: As it was built.
        document: As it was read.
    """
    section.__pydantic_fields_set__.intersection_update(document)
    augment = document.get("augment")
    if isinstance(augment, Mapping):
        inner: BaseModel = section.augment  # type: ignore[attr-defined]
        inner.__pydantic_fields_set__.intersection_update(augment)
