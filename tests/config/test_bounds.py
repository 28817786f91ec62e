"""Every number of a configuration has an upper and a lower limit, and one past it is one clear error."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgenas.config import load
from edgenas.config.settings import RunSettings
from edgenas.errors import ConfigError

CONFIGURATION = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
SCHEMA = RunSettings.model_json_schema()


def numbers(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if "$ref" in node:
        node = SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    for part in (*node.get("anyOf", ()), *node.get("allOf", ())):
        yield from numbers(part, path)
    for name, value in node.get("properties", {}).items():
        yield from numbers(value, f"{path}.{name}".lstrip("."))
    if "items" in node:
        yield from numbers(node["items"], f"{path}[]")
    if node.get("type") in ("integer", "number") and "enum" not in node:
        yield path, node


NUMBERS = dict(numbers(SCHEMA))


def test_the_walk_finds_the_numbers_of_every_section() -> None:
    assert {"seed", "train.epochs", "supernet.batch_size", "search.one_shot.weight", "scale.phi[]"} <= set(NUMBERS)
    assert len(NUMBERS) > 60


@pytest.mark.parametrize("key", [key for key in NUMBERS if key != "data.channels"])
def test_a_number_has_limits_and_one_past_them_is_refused(key: str) -> None:
    node = NUMBERS[key]
    most = node.get("maximum", node.get("exclusiveMaximum"))
    least = node.get("minimum", node.get("exclusiveMinimum"))
    assert most is not None, f"{key} has no upper limit"
    assert least is not None, f"{key} has no lower limit"
    step = 1 if node["type"] == "integer" else 0.001
    for wrong in (most * 10 + step, least - step):
        value = f"[{wrong}]" if key.endswith("[]") else wrong
        with pytest.raises(ConfigError) as caught:
            load(CONFIGURATION, [f"{key.removesuffix('[]')}={value}"])
        message = str(caught.value)
        assert key.removesuffix("[]").rsplit(".", 1)[-1] in message
        assert len(message) < 400
