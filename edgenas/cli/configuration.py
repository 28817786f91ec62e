"""`edgenas config check`, `edgenas config schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[list[str] | None, typer.Option("--set", help="Override a key: --set data.path=photos")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    config = typer.Typer(help="Check configurations; print their schema.", no_args_is_help=True)
    config.command("check")(check)
    config.command("schema")(schema)
    app.add_typer(config, name="config")


def check(
    file: Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped one.")],
    overrides: Overrides = None,
) -> None:
    """Check a configuration and print it with all defaults filled in."""
    import yaml

    from edgenas.config.load import load

    settings = load(find_configuration(file), overrides or [])
    print(yaml.safe_dump(settings.model_dump(), sort_keys=False), end="")


def schema() -> None:
    """Print the JSON schema of a configuration, for editors."""
    import json

    from edgenas.config.settings import RunSettings

    print(json.dumps(RunSettings.model_json_schema(), indent=2))


def find_configuration(name: str) -> Path:
    """Return the path of a configuration: a file, or a shipped one by its path or name.

    Args:
        name: `configs/quickstart.yaml`, `quickstart`, or any path.
    """
    from edgenas.resources import find_resource

    path = Path(name)
    # A folder of that name (a run directory) is no configuration.
    if path.is_file():
        return path
    return find_resource("configs", path.name if path.suffix else f"{path.name}.yaml") or path
