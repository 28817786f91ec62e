"""What all sections of a configuration have in common."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator

from edgenas.config.needs import Needs, unmet


class Section(BaseModel):
    """A section: unknown keys are refused, types are not converted, values do not change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
    needs: ClassVar[Needs] = {}

    @model_validator(mode="after")
    def _every_key_is_obeyed(self) -> Self:
        defaults = {name: type(self).model_fields[name].default for name in self.needs}
        found = unmet(self, self.needs, defaults)
        if found:
            raise ValueError("; ".join(found))
        return self
