"""Deployable bundles: recipes, calibration, the accuracy guard, the card, and checking it all again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.lazy import lazy_names

if TYPE_CHECKING:
    from edgenas.deploy.bundle import Images, export_bundle
    from edgenas.deploy.card import Card, FileCard, Latency
    from edgenas.deploy.check import Difference, check_bundle, load_card
    from edgenas.deploy.recipe import CalibrationSpec, FileSpec, GuardSpec, Recipe, load_recipe, recipe_names

__all__ = [
    "CalibrationSpec",
    "Card",
    "Difference",
    "FileCard",
    "FileSpec",
    "GuardSpec",
    "Images",
    "Latency",
    "Recipe",
    "check_bundle",
    "export_bundle",
    "load_card",
    "load_recipe",
    "recipe_names",
]

# torch and the runtimes are imported when a name that needs them is first asked for.
_NAMES = {
    "CalibrationSpec": "recipe",
    "Card": "card",
    "Difference": "check",
    "FileCard": "card",
    "FileSpec": "recipe",
    "GuardSpec": "recipe",
    "Images": "bundle",
    "Latency": "card",
    "Recipe": "recipe",
    "check_bundle": "check",
    "export_bundle": "bundle",
    "load_card": "check",
    "load_recipe": "recipe",
    "recipe_names": "recipe",
}

__getattr__ = lazy_names(__name__, _NAMES)
