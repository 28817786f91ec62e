"""`edgenas spaces`, `edgenas space show|sample|around`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import edgenas as en
from edgenas.cli.console import print_table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("spaces")(spaces)
    space = typer.Typer(help="Look at a search space.", no_args_is_help=True)
    space.command("show")(show)
    space.command("sample")(sample)
    space.command("around")(around)
    app.add_typer(space, name="space")


def spaces() -> None:
    """List the search spaces that ship."""
    rows = []
    for name in en.SPACES:
        space = en.load_space(name)
        size = space.size
        count = f"{size:,}" if size < 10**7 else f"{size:.1e}"
        rows.append((name, len(space.cardinalities), count, space.definition.description))
    print_table(("space", "genes", "networks", "what"), rows)


def show(space: Annotated[str, typer.Argument(help="A preset or a YAML file.")]) -> None:
    """Print the choices of a space, and its smallest and largest network."""
    from edgenas.arch.notation import format_notation

    found = en.load_space(space)
    rows = [
        (name, len(choices), ", ".join(str(choice) for choice in choices))
        for name, choices in zip(found.gene_names, found.gene_choices, strict=True)
    ]
    print_table(("gene", "choices", "values"), rows, title=f"{found.name}: {found.size:,} distinct networks")
    for label, genes in (("smallest", found.smallest()), ("largest", found.largest())):
        architecture = found.decode(genes)
        counts = en.count(architecture)
        print(f"{label}: {counts.macs:,} MACs, {counts.params:,} parameters\n  {format_notation(architecture)}")


def sample(
    space: Annotated[str, typer.Argument(help="A preset or a YAML file.")],
    count: Annotated[int, typer.Option(min=1, help="How many networks.")] = 5,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Print random networks of a space, one notation a line."""
    import numpy as np

    from edgenas.arch.notation import format_notation

    found = en.load_space(space)
    for genes in found.sample(count, np.random.default_rng(seed)):
        print(format_notation(found.decode(genes)))


def around(
    network: Annotated[str, typer.Argument(help="A name of `edgenas zoo`, a file, a run directory, or a notation.")],
    out: Annotated[Path, typer.Option(help="The YAML file to write.")],
    resolution: Annotated[
        list[int] | None,
        typer.Option(help="An input size to choose from, pixels; repeat it. The largest is the network's."),
    ] = None,
    width: Annotated[
        list[float] | None, typer.Option(help="A multiplier of all channels, at most 1; repeat it.")
    ] = None,
) -> None:
    """Write the space of a network and of all that is smaller by its own choices."""
    space = en.space_around(network, resolutions=resolution, widths=width, out=out)
    smallest, largest = (en.count(space.decode(genes)) for genes in (space.smallest(), space.largest()))
    print(f"{space.name}: {space.size:,} networks of {smallest.macs:,} to {largest.macs:,} MACs, the network itself")
    print(f"wrote {out}")
