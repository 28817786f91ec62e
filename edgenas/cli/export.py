"""`edgenas export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgenas.cli.configuration import Overrides, find_configuration
from edgenas.cli.console import print_table, progress_bar

if TYPE_CHECKING:
    from edgenas.deploy import Card


_PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")


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
    from edgenas.errors import InputError, explain

    path = Path(source)
    if check:
        _check(path, data, overrides or [])
        return
    if out is None:
        raise InputError(explain("no folder to write to", remedy="Give --out DIR."))
    if path.suffix in _PICKLES:
        raise InputError(
            explain(
                f"{path} is not a checkpoint: pickles are not read",
                allowed="a .safetensors file of `edgenas train` or of a run",
                remedy="Start a training from foreign weights: edgenas train NETWORK CONFIG --start FILE.",
            )
        )
    if path.is_dir() or path.suffix == ".safetensors":
        _print_card(_export_trained(path, recipe, out, data, overrides or [], force=force), out)
        return
    from edgenas.cli.networks import find_architecture
    from edgenas.pipeline.commands.export import export_untrained

    names = export_untrained(find_architecture(source), recipe, out, force=force)
    print(f"{', '.join(names)} with random weights (for measuring only) in {out}")


def _export_trained(path: Path, recipe: str, out: Path, data: str | None, overrides: list[str], *, force: bool) -> Card:
    from edgenas.config.load import load
    from edgenas.errors import InputError, explain
    from edgenas.pipeline.commands.export import export_checkpoint
    from edgenas.pipeline.core.open_run import open_run

    checkpoint = path / "model.safetensors" if path.is_dir() else path
    if data is not None:
        settings = load(find_configuration(data), overrides)
    elif (checkpoint.parent / "settings.json").is_file():
        settings = open_run(checkpoint.parent, progress=progress_bar, say=print).settings
    else:
        raise InputError(
            explain(
                f"no images to calibrate and judge {checkpoint} with",
                remedy="Name the configuration that it was trained with: --data CONFIG.",
            )
        )
    return export_checkpoint(checkpoint, settings, recipe, out, force=force, progress=progress_bar, say=print)


def _check(folder: Path, data: str | None, overrides: list[str]) -> None:
    from edgenas.config.load import load
    from edgenas.pipeline.commands.export import check_export
    from edgenas.pipeline.core.open_run import open_run

    settings = None
    if data is not None:
        settings = load(find_configuration(data), overrides)
    elif (folder.parent / "settings.json").is_file():
        settings = open_run(folder.parent, progress=progress_bar, say=print).settings
    found = check_export(folder, settings, progress=progress_bar, say=print)
    for difference in found:
        print(f"{'DIFFERS' if difference.serious else 'note'}  {difference.name}: {difference.what}")
    serious = any(difference.serious for difference in found)
    print("the bundle is NOT what its card says" if serious else "the bundle is what its card says")
    raise SystemExit(1 if serious else 0)


def _print_card(card: Card, out: Path) -> None:
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
