"""`edgenas export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import edgenas as en
from edgenas.cli.commands.configuration import Overrides
from edgenas.cli.console import print_table

if TYPE_CHECKING:
    from edgenas.config.settings import RunSettings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    source: Annotated[str, typer.Argument(help="A run directory, a checkpoint, or a network; with --check a bundle.")],
    recipe: Annotated[str, typer.Option(help="A recipe of `export/` or a YAML file.")] = "mobile",
    out: Annotated[Path | None, typer.Option(help="Folder to make.")] = None,
    data: Annotated[str | None, typer.Option(help="Configuration of the images (checkpoint, --check).")] = None,
    overrides: Overrides = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder where it exists.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Run a bundle again and say what differs.")] = False,
) -> None:
    """Write a bundle: model files with a card of their accuracy and latency, scripts that run them, checksums."""
    from edgenas.api.export import is_trained
    from edgenas.errors import InputError, explain

    settings = None if data is None else en.load_config(data, overrides or [])
    if check:
        _check(source, settings)
        return
    if out is None:
        raise InputError(explain("no folder to write to", remedy="Give --out DIR."))
    if is_trained(source):
        _print_card(en.export(source, out=out, recipe=recipe, force=force, config=settings), out)
        return
    files = en.export_untrained(source, out, recipe=recipe, force=force)
    print(f"{', '.join(file.name for file in files)} with random weights (for measuring only) in {out}")


def _check(folder: str, settings: RunSettings | None) -> None:
    found = en.check_export(folder, config=settings)
    for difference in found:
        print(f"{'DIFFERS' if difference.serious else 'note'}  {difference.name}: {difference.what}")
    serious = any(difference.serious for difference in found)
    print("the bundle is NOT what its card says" if serious else "the bundle is what its card says")
    raise SystemExit(1 if serious else 0)


def _print_card(card: en.Card, out: Path) -> None:
    rows: list[tuple[object, ...]] = [("torch", f"{100 * card.torch_test.value:.2f} %", "", "", "")]
    for entry in card.files:
        rows.append(
            (
                entry.name,
                f"{100 * entry.test.accuracy.value:.2f} %" if entry.test else "not judged here",
                f"{100 * entry.test.top1_agreement:.2f} %" if entry.test else "",
                f"{entry.latency.latency_ms:.4f}" if entry.latency else "",
                f"{entry.bytes / 1024:,.1f}",
            )
        )
    print_table(("file", "test accuracy", "agrees with torch", "latency, ms", "KiB"), rows)
    for warning in card.warnings:
        print(f"warning   {warning}")
    print(f"bundle    {out}")
