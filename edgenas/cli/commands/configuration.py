"""`edgenas config check`, `edgenas config schema`."""

from __future__ import annotations

from typing import Annotated

import typer

import edgenas as en
from edgenas.reading.json_text import plain_text

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

    settings = en.load_config(file, overrides or [])
    print(yaml.safe_dump(settings.model_dump(), sort_keys=False), end="")


def schema() -> None:
    """Print the JSON schema of a configuration, for editors."""

    from edgenas.config.settings import RunSettings

    print(plain_text(RunSettings.model_json_schema(), indent=2))
