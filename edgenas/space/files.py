"""Spaces from files: presets by name, a user's YAML by path, and their adaptation to other images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from edgenas.errors import SpaceError, explain, nearest
from edgenas.reading.files import read_text
from edgenas.reading.yaml_text import BYTES, parse_yaml
from edgenas.space.definition import FIELDS, Definition, StageChoices
from edgenas.space.reader import read_definition
from edgenas.space.space import SearchSpace

PRESETS: tuple[str, ...] = (
    "edge_lite",
    "efficientnet",
    "mnasnet",
    "mobilenet_v2",
    "mobilenet_v3",
    "mobilenet_v3_small",
    "mobilenet_v4",
    "ofa_mbv3_w1.0",
    "ofa_mbv3_w1.2",
    "ofa_mobilenet_v3",
    "ofa_proxyless_w1.3",
    "tiny",
)


def load(name_or_path: str | Path) -> SearchSpace:
    """Load a space.

    Args:
        name_or_path: One of `PRESETS`, or the path of a YAML file (what ends in .yaml or .yml, or holds a slash).

    Raises:
        SpaceError: No such preset or file, or its content is not a space.
    """
    if str(name_or_path) in PRESETS:
        return _preset(str(name_or_path))
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml") and len(path.parts) < 2:
        raise SpaceError(
            explain(
                f"unknown space{nearest(str(name_or_path), PRESETS)}", got=repr(str(name_or_path)),
                allowed=f"{', '.join(PRESETS)}, or a path that ends in .yaml",
            )
        )
    return read(read_text(path, what="the space", error=SpaceError, limit=BYTES), source=str(path))


@cache
def _preset(name: str) -> SearchSpace:
    text = (resources.files("edgenas.space") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    return read(text, source=f"preset {name}")


def read(text: str, *, source: str = "space") -> SearchSpace:
    """Read a space from YAML text.

    Args:
        text: The YAML.
        source: What messages call it, such as the file's path.

    Raises:
        SpaceError: The text is not YAML, or not a space.
    """
    found = parse_yaml(text, source=source, error=SpaceError)
    return SearchSpace(definition=read_definition(found.value, source=source, lines=found.lines))


def with_task(
    space: SearchSpace,
    *,
    classes: int | None = None,
    in_channels: int | None = None,
    resolutions: Sequence[int] | None = None,
) -> SearchSpace:
    """Return the space for other images; what is None stays.

    Args:
        space: Any space.
        classes: Outputs of the classifier.
        in_channels: Channels of the images.
        resolutions: Choices of height and width, pixels, in any order.

    Raises:
        SpaceError: A value is impossible.
    """
    return SearchSpace(
        definition=replace(
            space.definition,
            classes=space.definition.classes if classes is None else classes,
            in_channels=space.definition.in_channels if in_channels is None else in_channels,
            resolution=space.definition.resolution if resolutions is None else tuple(sorted(set(resolutions))),
        )
    )


def dump(space: SearchSpace) -> str:
    """Return the space as YAML that `read` takes."""
    import yaml

    return str(yaml.safe_dump(_content(space.definition), sort_keys=False, allow_unicode=True, width=100))


def _content(definition: Definition) -> dict[str, Any]:
    from dataclasses import asdict

    content = asdict(definition)
    content["stages"] = [_stage_content(stage) for stage in definition.stages]
    return {key: list(value) if isinstance(value, tuple) else value for key, value in content.items()}


def _stage_content(stage: StageChoices) -> dict[str, Any]:
    def renamed(field: str) -> str:
        return "expanded" if field == "expansion" and stage.absolute else field

    def values(field: str, choices: Sequence[Any]) -> list[Any]:
        return [int(value) for value in choices] if renamed(field) == "expanded" else list(choices)

    return {
        "out": list(stage.out),
        "depth": list(stage.depth),
        "stride": stage.stride,
        **{renamed(field): values(field, getattr(stage, field)) for field in FIELDS},
        "per": {field: "stage" for field in stage.stage_wide} or "block",
        "first": {renamed(field): values(field, choices) for field, choices in stage.first},
        "later": [{renamed(field): values(field, choices) for field, choices in own} for own in stage.later],
        "keep_expand": stage.keep_expand,
        **({} if stage.residual is None else {"residual": stage.residual}),
    }
