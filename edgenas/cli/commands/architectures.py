"""`edgenas zoo`, `edgenas show`."""

from __future__ import annotations

from typing import Annotated

import typer

import edgenas as en
from edgenas.cli.console import print_table
from edgenas.cli.results import print_prediction
from edgenas.reading.json_text import plain_text


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("zoo")(zoo)
    app.command("show")(show)


def zoo(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the published networks with their parameters and MACs."""
    rows = []
    for name in en.NETWORKS:
        network, counts = en.load_network(name), en.count(name)
        rows.append((name, network.resolution, counts.params, counts.macs))
    if json:
        keys = ("name", "resolution", "params", "macs")
        print(plain_text([dict(zip(keys, row, strict=True)) for row in rows], indent=1))
        return
    print_table(
        ("network", "resolution", "params", "MACs"),
        [(n, r, f"{p:,}", f"{m:,}") for n, r, p, m in rows],
        title="MACs: multiply-accumulates of convolutions and fully connected layers",
    )


def show(
    network: Annotated[str, typer.Argument(help="A name of the zoo, a file, a run directory, or a notation.")],
    table: Annotated[
        str | None, typer.Option(help="A latency table: adds the predicted latency of each block.")
    ] = None,
    fvcore: Annotated[bool, typer.Option("--fvcore", help="Print fvcore's own count beside ours.")] = False,
    resolution: Annotated[int | None, typer.Option(min=1, help="Another input size, pixels.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the layers of a network with shapes, MACs, parameters and memory."""
    from edgenas.arch.notation import format_notation

    architecture = en.load_network(network, resolution=resolution)
    counts = en.count(architecture)
    if json:
        _print_json(architecture, counts)
        return
    print_table(("layer", "op", "shape (C, H, W)", "MACs", "params", "live KiB"), _layer_rows(counts))
    print(f"MACs      {counts.macs:,}  (multiply-accumulates of convolutions and fully connected layers)")
    print(f"params    {counts.params:,}")
    print(f"peak      {counts.peak_activation_bytes / 1024:,.1f} KiB of activations in fp32")
    print(f"digest    {architecture.digest}\nnotation  {format_notation(architecture)}")
    if table is not None:
        print_prediction(architecture, table, interpolate=True)
    if fvcore:
        _print_fvcore(architecture, counts)


def _layer_rows(counts: en.Counts) -> list[tuple[object, ...]]:
    return [
        (
            layer.name,
            layer.what,
            "{} x {} x {}".format(*layer.shape),
            f"{layer.macs:,}" if layer.macs else "",
            f"{layer.params:,}" if layer.params else "",
            f"{layer.live_bytes / 1024:,.1f}",
        )
        for layer in counts.layers
    ]


def _print_json(architecture: en.Architecture, counts: en.Counts) -> None:

    from edgenas.arch.document import to_document
    from edgenas.arch.notation import format_notation

    document = {**to_document(architecture), "notation": format_notation(architecture)}
    totals = {name: getattr(counts, name) for name in ("macs", "params", "peak_activation_bytes")}
    print(plain_text({"architecture": document, **totals}, indent=1))


def _print_fvcore(architecture: en.Architecture, counts: en.Counts) -> None:
    """Print what fvcore counts: by operator, and which operators it leaves out."""
    from edgenas.nn.fvcore_count import count_with_fvcore

    theirs = count_with_fvcore(architecture)
    rows = [(name, f"{value:,}") for name, value in theirs.by_operator.items()]
    print_table(("fvcore operator", "flops"), rows, title="fvcore's own count")
    both = sum(theirs.by_operator.get(name, 0) for name in ("conv", "linear", "addmm"))
    print(
        f"fvcore conv + linear {both:,}; ours {counts.macs:,}; fvcore's total with normalisation and pooling "
        f"{sum(theirs.by_operator.values()):,}"
    )
    print("not counted by fvcore: " + (", ".join(f"{n} x {c}" for n, c in theirs.unsupported.items()) or "nothing"))
