"""Networks by name, file or notation, and what they cost in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from edgenas.arch import Architecture
from edgenas.errors import ArchitectureError, explain
from edgenas.markup import html_table
from edgenas.pipeline.core.named_network import network_named

if TYPE_CHECKING:
    from edgenas.arch import Graph


class HasArchitecture(Protocol):
    """What a search, a training or a scaling returns: a value that has a network."""

    @property
    def architecture(self) -> Architecture:
        """The network."""
        ...


Network: TypeAlias = str | Path | Architecture | HasArchitecture
"""A network, what has one, or its name, file or notation; see `load_network`."""


def load_network(network: Network, *, resolution: int | None = None) -> Architecture:
    """Return the network that a text names, or that a value has.

    Args:
        network: A name of the zoo (`edgenas.NETWORKS`), the path of a JSON document, a checkpoint or a run directory, a
            notation such as `r32 | stem_k3_s1_c8_re | mb_k3_e4_c16_re*2 | head_c64_re | n10`, a network, or what a
            search, a training or a scaling returned one as (`found.best`).
        resolution: Another input size, pixels.

    Raises:
        ArchitectureError: It is none of these.
        WeightsError: The checkpoint is damaged.
    """
    import dataclasses

    named = isinstance(network, str | Path)
    found = network_named(str(network)) if named else getattr(network, "architecture", network)
    if not isinstance(found, Architecture):
        got, allowed = type(network).__name__, "a name, a file, a notation or a network"
        remedy = "Of a search take its `best`, or one of its `front`."
        raise ArchitectureError(explain("this is no network", got=got, allowed=allowed, remedy=remedy))
    return found if resolution is None else dataclasses.replace(found, resolution=resolution)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One operation of a network.

    Attributes:
        name: Such as `stages.2.0.expand`.
        what: In a few words, such as `depthwise 3x3 /2`.
        shape: Channels, height and width of the result.
        macs, params: Multiply-accumulates and parameters; 0 where it has none.
        live_bytes: Activations that are alive while it runs, fp32.
    """

    name: str
    what: str
    shape: tuple[int, int, int]
    macs: int
    params: int
    live_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a network costs, in closed form.

    Attributes:
        macs: Multiply-accumulates of convolutions and fully connected layers.
        params: Parameters.
        peak_activation_bytes: Largest memory for activations, fp32.
        layers: Every operation in order.
    """

    macs: int
    params: int
    peak_activation_bytes: int
    layers: tuple[Layer, ...]

    def __repr__(self) -> str:
        kib = self.peak_activation_bytes / 1024
        return f"Counts(macs={self.macs:,}, params={self.params:,}, peak={kib:,.1f} KiB, {len(self.layers)} layers)"

    def _repr_html_(self) -> str:
        rows = [
            (layer.name, layer.what, "{} x {} x {}".format(*layer.shape), f"{layer.macs:,}", f"{layer.params:,}")
            for layer in self.layers
        ]
        totals = f"{self.macs:,} MACs, {self.params:,} parameters, {self.peak_activation_bytes / 1024:,.1f} KiB at most"
        return html_table(("layer", "operation", "shape (C, H, W)", "MACs", "params"), rows, note=totals)


def count(network: Network) -> Counts:
    """Count multiply-accumulates, parameters and memory of a network, in all and by layer.

    Args:
        network: See `load_network`.

    Raises:
        ArchitectureError: It is no network.
    """
    from edgenas.arch.lower import lower
    from edgenas.cost import macs, params, peak_activation_bytes

    graph = lower(load_network(network))
    return Counts(
        macs=macs(graph),
        params=params(graph),
        peak_activation_bytes=peak_activation_bytes(graph),
        layers=_layers(graph),
    )


def _layers(graph: Graph) -> tuple[Layer, ...]:
    from edgenas.cost import live_elements, op_macs, op_params

    layers = []
    for (op, sources), live in zip(graph.with_inputs(), live_elements(graph), strict=True):
        what = op.activation or op.kind
        if op.kind == "conv":
            stride = " /2" if op.stride == 2 else ""
            what = f"{'depthwise' if op.depthwise else 'conv'} {op.kernel}x{op.kernel}{stride}"
        shape = (op.shape.channels, op.shape.height, op.shape.width)
        layers.append(
            Layer(
                name=op.name,
                what=what,
                shape=shape,
                macs=op_macs(op, sources),
                params=op_params(op, sources),
                live_bytes=4 * live,
            )
        )
    return tuple(layers)
