"""Write the tables of keys and recipes in docs/ from the code, or check that they are as the code says.

    python scripts/docs_tables.py [--check]

A table stands between `<!-- keys: SECTION -->` and `<!-- end of keys -->`; `run` is the top level. A published recipe
stands between `<!-- recipe: NAME -->` and `<!-- end of recipe -->`.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from edgenas.config.settings import RunSettings
from edgenas.train.recipes import RECIPES

DOCS = Path(__file__).resolve().parents[1] / "docs"
RECIPE = re.compile(r"(<!-- recipe: ([a-z0-9_]+) -->\n).*?(<!-- end of recipe -->)", re.DOTALL)
MARKED = re.compile(r"(<!-- keys: ([a-z_.]+) -->\n).*?(<!-- end of keys -->)", re.DOTALL)


def section(name: str) -> type[BaseModel]:
    """Return the class of a section, such as `search.one_shot`; `run` is the whole."""
    kind: type[BaseModel] = RunSettings
    for part in name.split(".") if name != "run" else ():
        annotation = kind.model_fields[part].annotation
        assert isinstance(annotation, type), part
        kind = annotation
    return kind


def keys(kind: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield key, default, what is allowed and description; a section within a section by its own keys."""
    schema = kind.model_json_schema()
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if kind is not RunSettings:
                yield from keys(inner, f"{prefix}{name}.")
            continue
        default = "needed" if field.is_required() else _shown(field.default)
        yield f"{prefix}{name}", default, _allowed(schema["properties"][name]), field.description or ""


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _allowed(schema: dict[str, Any]) -> str:
    """Say in words what a JSON schema allows."""
    if "anyOf" in schema:
        return " or ".join(_allowed(part) for part in schema["anyOf"] if part.get("type") != "null")
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"a list: {_allowed(schema['items'])}"
    if schema.get("type") == "boolean":
        return "true, false"
    if schema.get("type") == "string":
        return "text"
    words = "whole number" if schema.get("type") == "integer" else "number"
    limits = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    return " ".join([words, *(f"{word} {_number(schema[name])}" for name, word in limits.items() if name in schema)])


def _number(value: float) -> str:
    """Write a limit as people read it: 1,000,000, and 2^63 for what no one reads digit by digit."""
    power = round(math.log2(value)) if value >= 2**30 else 0
    if power and 2.0**power == value:
        return f"2^{power}"
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def table(name: str) -> str:
    """Return the table of a section."""
    rows = ["| key | default | allowed | what it does |", "|---|---|---|---|"]
    for key, default, allowed, told in keys(section(name)):
        rows.append(f"| `{key}` | {default} | {allowed} | {told} |")
    return "\n".join(rows) + "\n"


def recipe(name: str) -> str:
    """Return what a recipe is for, its keys with their sources, and what differs from the published training."""
    found = RECIPES[name]
    about = f"For {found.about}. The rate is that of a batch of {found.batch_size:,} and follows the batch "
    about += "in proportion." if found.scaling == "linear" else "by its square root."
    rows = ["| key | value | source |", "|---|---|---|"]
    rows += [f"| `{key}` | {_shown(one.value)} | {one.source} |" for key, one in found.keys.items()]
    return "\n".join([about, "", *rows, "", *(f"- {sentence}" for sentence in found.differences)]) + "\n"


def generated(text: str) -> str:
    """Return a page with its tables as the code says."""
    text = RECIPE.sub(lambda found: found[1] + recipe(found[2]) + found[3], text)
    return MARKED.sub(lambda found: found[1] + table(found[2]) + found[3], text)


def main() -> int:
    """Write or check all pages; 1 where a page is not as the settings say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="Change nothing; name the pages that differ.")
    options = parser.parse_args()
    different = 0
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = generated(before)
        if after != before:
            different += 1
            print(f"{page.name}: {'differs from the settings' if options.check else 'written'}")
            if not options.check:
                page.write_text(after, encoding="utf-8")
    return 1 if options.check and different else 0


if __name__ == "__main__":
    sys.exit(main())
