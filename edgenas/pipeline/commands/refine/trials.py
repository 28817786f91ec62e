"""Tools of the steps of a refinement: images, short trainings, and latencies of this device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgenas.arch import Architecture
from edgenas.errors import DataError, WeightsError, explain
from edgenas.pipeline.commands.refine.result import Plan
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.device_latency import Share, measured_networks, pooled, shares
from edgenas.pipeline.core.images import load_images
from edgenas.pipeline.core.seen import history_in, require_unseen
from edgenas.pipeline.training.network import Trained, train_network
from edgenas.reading.json_text import plain_value
from edgenas.types import Progress

if TYPE_CHECKING:
    from edgenas.data import ImageData, Preprocessing
    from edgenas.latency import LatencyTable
    from edgenas.measure import FileLatency
    from edgenas.nn import Checkpoint, Weights

_MOST_VISITS = 4
_CLEAR_ERRORS = 2.0
_MOST_TOLERANCE = 0.01
_SHORT = {"epochs": None, "averaging_decay": None, "keep": "final", "evaluate_every": 10**6}
"""Settings of a proposal's training, which is too short to average weights or to choose among them."""


class Refiner:
    """Trains, judges and measures for one refinement."""

    def __init__(
        self, context: RunContext, checkpoint: Checkpoint, *, plan: Plan, table: LatencyTable | None
    ) -> None:
        """Load the images.

        Args:
            context: Its settings name images, training and target; its directory is where results go.
            checkpoint: The network to start from, with preprocessing.
            plan: How far.
            table: Predicts latency; None measures every proposal, which is slow.

        Raises:
            WeightsError: The checkpoint does not say what its input is.
            DataError: The images are not those of its classes and channels, or its training saw the test images.
        """
        from edgenas.data import Preprocessing

        if "preprocessing" not in checkpoint.metadata:
            raise WeightsError(explain("the checkpoint does not say what its input is", allowed="preprocessing"))
        self.context, self.first, self.plan, self.table = context, checkpoint, plan, table
        self.preprocessing: Preprocessing = Preprocessing.from_dict(plain_value(checkpoint.metadata["preprocessing"]))
        architecture = checkpoint.architecture
        self.data: ImageData = load_images(context, resolution=architecture.resolution, cache=False)
        got = (len(self.data.classes), self.data.channels)
        if got != (architecture.classes, architecture.in_channels):
            raise DataError(
                explain("the images are not those of the network", got=f"{got[0]} classes, {got[1]} channels",
                        allowed=f"{architecture.classes} classes, {architecture.in_channels} channels",
                        remedy="Fit its head first: edgenas train NETWORK CONFIG --start CHECKPOINT.")
            )  # fmt: skip
        self.history = history_in(checkpoint.metadata)
        require_unseen(self.history, self.data, of="the checkpoint", say=context.say)
        self._known: dict[str, float] = {}

    def predicted_ms(self, architecture: Architecture) -> float:
        """Latency of a network: by the table, units that it lacks interpolated; without a table measured."""
        digest = architecture.digest
        if digest not in self._known:
            if self.table is not None:
                from edgenas.latency import predict

                self._known[digest] = predict(self.table, architecture, interpolate=True).latency_ms
            else:
                self._known[digest] = self.visit([architecture])[0].latency_ms
        return self._known[digest]

    def visit(self, networks: Sequence[Architecture]) -> tuple[FileLatency, ...]:
        """Measure networks alternately on this device, as the files that would ship."""
        target = self.context.settings.target
        return measured_networks(
            networks, runtime=target.runtime, precision=target.precision, threads=target.threads
        )

    def shares(self, networks: Sequence[Architecture]) -> tuple[Share, ...]:
        """Latencies of networks over that of the first one, all measured alternately in one visit."""
        return shares(self.visit([self.first.architecture, *networks]))

    def settled_share(self, architecture: Architecture, goal: float) -> Share:
        """Measure a network against the first one until it is clear on which side of a goal it lies.

        One visit is enough if the share is far from the goal. Near it the visits are repeated, since other programs on
        the machine can shift a whole visit by some percent.

        Args:
            architecture: The network.
            goal: A share.
        """
        found: list[Share] = []
        while len(found) < _MOST_VISITS:
            found += self.shares([architecture])
            share = pooled(found)
            if abs(share.value - goal) > _CLEAR_ERRORS * max(share.error, _MOST_TOLERANCE):
                break
        return pooled(found)

    def trained(
        self,
        architecture: Architecture,
        weights: Weights,
        *,
        short: bool = False,
        folder: Path | None = None,
        progress: Progress | None = None,
    ) -> Trained:
        """Train a network on from weights.

        Args:
            architecture: The network.
            weights: Of it.
            short: Whether the training only serves to compare proposals: few steps, with the learning rates of the end
                of a schedule.
            folder: Of the checkpoints.
            progress: Told after each step.
        """
        return train_network(
            self.context,
            architecture,
            self.data,
            self.preprocessing,
            seed=self.context.seed("refine"),
            initial=lambda _: weights,
            changes={**_SHORT, "steps": self.plan.short_steps} if short else None,
            folder=folder,
            progress=progress,
        )

    def accuracy(self, architecture: Architecture, weights: Any, split: str) -> float:
        """Accuracy of a network on a split, in [0, 1]."""
        from edgenas.nn import build
        from edgenas.train import evaluate

        module = build(architecture)
        module.load_weights(weights)
        return evaluate(module, getattr(self.data, split), self.preprocessing, device="cpu").value


def reached(share: Share, goal: float) -> bool:
    """Whether a measured share meets a goal within its standard error, but at most 1 % above the goal."""
    return share.value <= goal + min(share.error, _MOST_TOLERANCE)
