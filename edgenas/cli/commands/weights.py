"""`edgenas weights list|show|fetch|check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import edgenas as en
from edgenas.api.weights import find_weights, show_weights
from edgenas.cli.console import print_table

Name = Annotated[str, typer.Argument(help="A name of `edgenas weights list`, or a network of the zoo.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    weights = typer.Typer(help="Published weights: which there are, fetch them, check a file.", no_args_is_help=True)
    weights.command("list")(list_weights)
    weights.command("show")(show)
    weights.command("fetch")(fetch)
    weights.command("check")(check)
    app.add_typer(weights, name="weights")


def list_weights(
    network: Annotated[str | None, typer.Option(help="Only those of this network of the zoo.")] = None,
) -> None:
    """List the published weights that are known, and whether they are on this machine."""
    rows = [
        (
            source.name, source.network, source.resolution, "" if source.top1 is None else f"{source.top1:.1f}",
            source.padding, "" if source.megabytes is None else f"{source.megabytes:.1f}", source.licence.split(" ")[0],
            "yes" if find_weights(source.name) else "",
        )
        for source in en.list_weights(network)
    ]  # fmt: skip
    columns = ("weights", "network", "pixels", "top-1, %", "padding", "MB", "licence", "here")
    print_table(columns, rows, title="top-1: of ImageNet, as published")


def show(name: Name) -> None:
    """Print what is known of published weights."""
    source = show_weights(name)
    images, here = source.images, find_weights(source.name)
    top1 = "not known" if source.top1 is None else f"{source.top1} % (published, at {source.top1_resolution} pixels)"
    lines = (
        ("weights", source.name), ("network", source.network), ("origin", source.origin), ("licence", source.licence),
        ("file", source.file if source.megabytes is None else f"{source.file}, about {source.megabytes:g} MB"),
        ("SHA-256", source.sha256 or "not published"), ("on this machine", here or "no"), ("ImageNet top-1", top1),
        ("resolution", f"{source.resolution} pixels"), ("channels", "RGB, (pixel / 255 - mean) / std"),
        ("mean", _numbers(images.mean)), ("std", _numbers(images.std)), ("interpolation", images.interpolation),
        ("crop", f"{images.crop:.3f} of the shorter side"), ("padding", source.padding),
        ("epsilon", f"{source.norm_eps:g}"), ("order", source.order),
    )  # fmt: skip
    for key, value in lines:
        print(f"{key:16}{value}")


def fetch(name: Name) -> None:
    """Fetch published weights from their publisher, and check their digest."""
    en.fetch_weights(name)


def check(
    file: Annotated[Path, typer.Argument(help="A state dict, or a checkpoint of edgenas.")],
    network: Annotated[str | None, typer.Option(help="Whose weights they should be; a name, file or notation.")] = None,
) -> None:
    """Check that a file holds the weights of a network, and print what they are."""
    found = en.load_weights(file, network)
    architecture = found.architecture
    print(
        f"{file} fits: {len(found.weights)} arrays, {sum(array.size for array in found.weights.values()):,} values\n"
        f"classes {architecture.classes}, channels {architecture.in_channels}, padding {architecture.padding}\n"
        f"SHA-256 {found.sha256}\n"
        f"{'not a known file' if found.source is None else f'the published file of {found.source.name}'}"
    )


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4g}" for value in values)
