"""`edgenas zoo`, `edgenas show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgenas.cli.console import print_table
from edgenas.cli.networks import find_architecture, print_prediction

if TYPE_CHECKING:
    from edgenas.arch import Architecture, Graph


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("zoo")(zoo)
    app.command("show")(show)


def zoo(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the published networks with their parameters and MACs."""
    from edgenas.arch.lower import lower
    from edgenas.arch.zoo import NAMES, published
    from edgenas.cost import macs, params

    rows = []
    for name in NAMES:
        graph = lower(published(name))
        rows.append((name, published(name).resolution, params(graph), macs(graph)))
    if json:
        import json as encoder

        keys = ("name", "resolution", "params", "macs")
        print(encoder.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=1))
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
    import dataclasses

    from edgenas.arch.lower import lower
    from edgenas.arch.notation import format_notation

    architecture = find_architecture(network)
    if resolution is not None:
        architecture = dataclasses.replace(architecture, resolution=resolution)
    graph = lower(architecture)
    if json:
        _print_json(architecture, graph)
        return
    print_table(("layer", "op", "shape (C, H, W)", "MACs", "params", "live KiB"), _layer_rows(graph))
    _print_totals(graph)
    print(f"digest    {architecture.digest}\nnotation  {format_notation(architecture)}")
    if table is not None:

        print_prediction(architecture, table, interpolate=True)
    if fvcore:
        _print_fvcore(architecture, graph)


def _layer_rows(graph: Graph) -> list[tuple[object, ...]]:
    from edgenas.cost import live_elements, op_macs, op_params

    rows: list[tuple[object, ...]] = []
    for (op, sources), live in zip(graph.with_inputs(), live_elements(graph), strict=True):
        kind = op.activation or op.kind
        if op.kind == "conv":
            kind = f"{'depthwise' if op.depthwise else 'conv'} {op.kernel}x{op.kernel}" + (
                " /2" if op.stride == 2 else ""
            )
        shape = f"{op.shape.channels} x {op.shape.height} x {op.shape.width}"
        counts = (op_macs(op, sources), op_params(op, sources))
        rows.append(
            (op.name, kind, shape, *(f"{count:,}" if count else "" for count in counts), f"{live * 4 / 1024:,.1f}")
        )
    return rows


def _print_totals(graph: Graph) -> None:
    from edgenas.cost import macs, params, peak_activation_bytes

    print(f"MACs      {macs(graph):,}  (multiply-accumulates of convolutions and fully connected layers)")
    print(f"params    {params(graph):,}")
    print(f"peak      {peak_activation_bytes(graph) / 1024:,.1f} KiB of activations in fp32")


def _print_json(architecture: Architecture, graph: Graph) -> None:
    import json

    from edgenas.arch.document import to_document
    from edgenas.arch.notation import format_notation
    from edgenas.cost import macs, params, peak_activation_bytes

    counts = {"macs": macs(graph), "params": params(graph), "peak_activation_bytes": peak_activation_bytes(graph)}
    document = {**to_document(architecture), "notation": format_notation(architecture)}
    print(json.dumps({"architecture": document, **counts}, indent=1))


def _print_fvcore(architecture: Architecture, graph: Graph) -> None:
    """Print what fvcore counts: by operator, and which operators it leaves out."""
    from edgenas.cost import macs
    from edgenas.nn.fvcore_count import count_with_fvcore

    count = count_with_fvcore(architecture)
    rows = [(name, f"{value:,}") for name, value in count.by_operator.items()]
    print_table(("fvcore operator", "flops"), rows, title="fvcore's own count")
    both = sum(count.by_operator.get(name, 0) for name in ("conv", "linear", "addmm"))
    print(
        f"fvcore conv + linear {both:,}; ours {macs(graph):,}; fvcore's total with normalisation and pooling "
        f"{sum(count.by_operator.values()):,}"
    )
    print("not counted by fvcore: " + (", ".join(f"{n} x {c}" for n, c in count.unsupported.items()) or "nothing"))
