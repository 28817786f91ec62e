"""Recipes are strict and say where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgenas.deploy import load_recipe, recipe_names
from edgenas.deploy.recipe import parse_recipe
from edgenas.errors import ConfigError

SHIPPED = {"onnx-fp32", "onnx-int8", "onnx-int8-arm", "tflite-fp32", "tflite-int8", "tflite-fp16", "mobile"}


def test_all_shipped_recipes_load() -> None:
    assert set(recipe_names()) == SHIPPED
    for name in recipe_names():
        assert load_recipe(name).name == name


FILE = {"name": "model.onnx", "format": "onnx"}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"fils": [FILE]}, "did you mean 'files'"),
        ({}, "files: is missing"),
        ({"files": []}, "at least one file"),
        ({"files": FILE}, "must be a list"),
        ({"files": [{**FILE, "format": "onxx"}]}, "did you mean 'onnx'"),
        ({"files": [{**FILE, "precision": "int4"}]}, "fp32, fp16, int8"),
        ({"files": [{**FILE, "scheme": "qdq_u8s8"}]}, "scheme is for int8"),
        ({"files": [{**FILE, "name": "../model.onnx"}]}, "cannot be a file name"),
        ({"files": [{**FILE, "name": "model.tflite"}]}, r"\*\.onnx"),
        ({"files": [FILE, FILE]}, "one name"),
        ({"files": [FILE], "calibration": {"images": 0}}, "calibration images"),
        ({"files": [FILE], "calibration": {"images": "many"}}, "images: must be a whole number; got 'many'"),
        ({"files": [FILE], "calibration": {"images": True}}, "must be a whole number"),
        ({"files": [FILE], "guard": {"remedies": ["prayer"]}}, "unknown remedy"),
        ({"files": [FILE], "guard": {"max_drop_points": -1}}, "impossible max_drop_points"),
        (["model.onnx"], "a recipe is a mapping"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(document: object, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        parse_recipe(document, where="mine.yaml", name="mine")


def test_an_unknown_or_unreadable_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'mobile'"):
        load_recipe("mobil")
    with pytest.raises(ConfigError, match="cannot read"):
        load_recipe(tmp_path / "missing.yaml")
    (tmp_path / "broken.yaml").write_text("files: [")
    with pytest.raises(ConfigError, match="line 1, column 9: this is not YAML"):
        load_recipe(tmp_path / "broken.yaml")
