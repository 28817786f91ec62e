"""NetAdapt (Yang 2018; Howard 2019, section 5.2): the steps from a network to a latency budget, without the training.

Each step proposes networks in which one layer is narrowed until latency falls by delta. The caller trains each briefly
from the weights that `narrowed_weights` keeps; `choose` picks the one that loses the least accuracy for the latency
that it saves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgenas.arch.architecture import Architecture
from edgenas.arch.lower import lower
from edgenas.errors import BudgetError, InputError, explain
from edgenas.scale.channels import WeightArray, kept_channels, narrowed_weights
from edgenas.scale.compound import channel_divisor
from edgenas.scale.layers import Layer, layers, narrowed
from edgenas.types import Progress

LatencyMs = Callable[[Architecture], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One layer narrowed so far that latency falls by delta.

    Attributes:
        layer: The layer, as it was.
        channels: What is left of it.
        architecture: The network with it narrowed.
        latency_ms: Its latency.
    """

    layer: Layer
    channels: int
    architecture: Architecture
    latency_ms: float

    def weights(self, seed: Architecture, weights: Mapping[str, WeightArray]) -> dict[str, WeightArray]:
        """Weights of the proposal from those of the network that it was made from.

        Raises:
            WeightsError: They are not that network's.
        """
        graph = lower(seed)
        kept = kept_channels(graph, weights, self.layer, self.channels)
        return narrowed_weights(graph, weights, {producer: kept for producer in self.layer.producers})


def propose(
    architecture: Architecture,
    latency_ms: LatencyMs,
    delta_ms: float,
    *,
    divisor: int | None = None,
    progress: Progress | None = None,
) -> tuple[Proposal, ...]:
    """Make one proposal for every layer that can bring latency down by delta.

    The widest layer that saves enough is found by bisection over multiples of the divisor. Latency need not fall with
    every channel, so it may not be the very widest. Every proposal saves at least delta.

    Args:
        architecture: The network to start from.
        latency_ms: Latency of a network, ms; a table's prediction, as it is asked often.
        delta_ms: What each proposal must save, ms, > 0.
        divisor: Channels stay multiples of it; None for the multiple that the network has.
        progress: Told after each layer.

    Returns:
        The proposals; empty where no layer can save that much.

    Raises:
        InputError: The delta is not positive.
    """
    if not delta_ms > 0:
        raise InputError(explain("NetAdapt: the latency to save in a step must be positive", got=delta_ms))
    step = divisor or channel_divisor(architecture)
    limit = latency_ms(architecture) - delta_ms
    found = []
    choices = layers(architecture)
    for done, layer in enumerate(choices, start=1):
        proposal = _widest(architecture, layer, latency_ms, limit=limit, step=step)
        if proposal is not None:
            found.append(proposal)
        if progress is not None:
            progress(done, len(choices), "layers to narrow")
    return tuple(found)


def _widest(
    architecture: Architecture, layer: Layer, latency_ms: LatencyMs, *, limit: float, step: int
) -> Proposal | None:
    def made(multiple: int) -> Proposal:
        network = narrowed(architecture, layer, multiple * step)
        return Proposal(
            layer=layer, channels=multiple * step, architecture=network, latency_ms=latency_ms(network)
        )

    too_wide = -(-layer.channels // step)
    if too_wide <= 1:
        return None
    best = made(1)
    if not best.latency_ms <= limit:
        return None
    narrow = 1
    while too_wide - narrow > 1:
        middle = made((narrow + too_wide) // 2)
        if middle.latency_ms <= limit:
            narrow, best = middle.channels // step, middle
        else:
            too_wide = middle.channels // step
    return best


def choose(
    proposals: Sequence[Proposal], accuracies: Sequence[float], *, accuracy: float, latency_ms: float
) -> int:
    """Return the number of the proposal with the largest ratio of accuracy change to latency change.

    The latency change is negative. If accuracy falls, the choice is the smallest loss for each millisecond saved. If it
    rises, a gain counts more with a smaller change of latency (Howard 2019, section 5.2.1).

    Args:
        proposals: What was proposed.
        accuracies: Accuracy of each after its brief training, in [0, 1].
        accuracy: Accuracy of the network that they were made from.
        latency_ms: Its latency.

    Raises:
        InputError: There is no proposal, the counts differ, an accuracy is no share, or a proposal is not faster.
    """
    if not proposals or len(proposals) != len(accuracies):
        raise InputError(
            explain("NetAdapt: one accuracy for each proposal", got=f"{len(accuracies)} for {len(proposals)}")
        )
    ratios = []
    for proposal, reached in zip(proposals, accuracies, strict=True):
        saved = latency_ms - proposal.latency_ms
        if not saved > 0:
            raise InputError(
                explain("NetAdapt: a proposal is not faster", got=f"{proposal.latency_ms:g} of {latency_ms:g} ms")
            )
        if not 0 <= reached <= 1:
            raise InputError(explain("NetAdapt: an accuracy is no share", got=reached, allowed="0 to 1"))
        ratios.append((reached - accuracy) / saved)
    return max(range(len(ratios)), key=lambda number: (ratios[number], -number))


def require_reachable(
    architecture: Architecture, latency_ms: LatencyMs, target_ms: float, *, divisor: int | None = None
) -> None:
    """Refuse a target below what narrowing every layer to one step gives.

    Raises:
        BudgetError: The target is below it; the message says what can be reached.
    """
    step = divisor or channel_divisor(architecture)
    smallest = architecture
    for number, _ in enumerate(layers(architecture)):
        layer = layers(smallest)[number]
        smallest = narrowed(smallest, layer, min(step, layer.channels))
    fastest = latency_ms(smallest)
    if not fastest <= target_ms:
        raise BudgetError(
            explain(
                "NetAdapt cannot narrow this network to the target", got=f"{target_ms:g} ms",
                allowed=f"at least {fastest:.4g} ms", remedy="Raise the target, or start from a shallower network.",
            )
        )
