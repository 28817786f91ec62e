"""Deployable bundles: recipes, calibration, the accuracy guard, the card, and checking it all again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.lazy import lazy_names

if TYPE_CHECKING:
    from edgenas.deploy.bundle.card import Card, FileCard, Latency
    from edgenas.deploy.bundle.check import check_bundle, load_card
    from edgenas.deploy.bundle.contents import Difference
    from edgenas.deploy.bundle.export import export_bundle
    from edgenas.deploy.bundle.inputs import Images
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
    "Card": "bundle.card",
    "Difference": "bundle.contents",
    "FileCard": "bundle.card",
    "FileSpec": "recipe",
    "GuardSpec": "recipe",
    "Images": "bundle.inputs",
    "Latency": "bundle.card",
    "Recipe": "recipe",
    "check_bundle": "bundle.check",
    "export_bundle": "bundle.export",
    "load_card": "bundle.check",
    "load_recipe": "recipe",
    "recipe_names": "recipe",
}

__getattr__ = lazy_names(__name__, _NAMES)
