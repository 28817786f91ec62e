"""Strict YAML to typed settings. The classes of `settings` need pydantic; nothing here needs torch."""

from edgenas.config.load import apply_overrides, load, validate
from edgenas.config.settings import RunSettings

__all__ = ["RunSettings", "apply_overrides", "load", "validate"]
