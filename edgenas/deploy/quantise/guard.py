"""The accuracy guard: it evaluates an int8 file and tries one remedy after the other while the loss is too large."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgenas.arch import Architecture, lower
from edgenas.data import AugmentSettings, Preprocessing, Split
from edgenas.data.batches import NO_AUGMENTATION, Batches
from edgenas.data.endless import EndlessBatches
from edgenas.data.subset import chosen_images
from edgenas.deploy.accuracy import Comparison, compare
from edgenas.deploy.quantise.calibrate import METHODS, Observations, observe, ranges
from edgenas.deploy.quantise.diagnose import LayerLoss, correct_biases, diagnose, fine_tune
from edgenas.deploy.quantise.fallback import unmakeable
from edgenas.deploy.quantise.simulate import Simulator
from edgenas.deploy.recipe import FileSpec, Recipe
from edgenas.deploy.runners import Predict, logits_of_split, open_file, split_batches
from edgenas.errors import ExportError, explain
from edgenas.formats import FORMATS, Range, encode
from edgenas.formats.foreign import guarded
from edgenas.registry import resolved
from edgenas.types import Progress

_DIAGNOSIS_IMAGES = 32
_CORRECTION_IMAGES = 128
_FINE_TUNE_BATCH = 32
_CORRECTION = "bias correction"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantisation:
    """One way to quantise a network.

    Attributes:
        weights: Arrays of the graph, those of the float files unless a remedy changed them.
        ranges: Range of each value.
        float_ops: Operations that stay in floating point.
        steps: What was done, in words.
        uncorrected: The weights before a correction of biases, if there was one. A correction fits only the operations
            that were rounded then. Another set of float operations needs another correction.
    """

    weights: Mapping[str, NDArray[np.float32]]
    ranges: Mapping[str, Range]
    float_ops: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    uncorrected: Mapping[str, NDArray[np.float32]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """The file that the guard chose.

    Attributes:
        data: The file.
        quantisation: How it was quantised.
        comparison: Against torch on the validation images.
        within_limit: Whether the drop is within the recipe's limit.
        trials: Every way that was judged, in words, with its drop in points.
        diagnosis: The worst operations, where one was made.
        notes: What could not be made, with the reason.
    """

    data: bytes
    quantisation: Quantisation
    comparison: Comparison
    within_limit: bool
    trials: tuple[tuple[str, float], ...]
    diagnosis: tuple[LayerLoss, ...] = ()
    notes: tuple[str, ...] = ()


class Guard:
    """Quantises one network for the int8 files of a recipe. Shared results are computed once.

    Args:
        architecture: The network.
        weights: Its arrays.
        recipe: Calibration, limit and remedies.
        train: Images to calibrate and to fine-tune on.
        validation: Images and labels to judge on.
        reference: Torch's logits on the validation images, (N, K).
        preprocessing: Of the network.
        seed: Order of the fine-tuning images, and their random changes.
        augment: Random changes of the fine-tuning images: those of the network's training.
        progress: Called with (done, in all, what).
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: Mapping[str, NDArray[np.float32]],
        recipe: Recipe,
        *,
        train: Split,
        validation: Split,
        reference: NDArray[np.float32],
        preprocessing: Preprocessing,
        seed: int = 0,
        augment: AugmentSettings = NO_AUGMENTATION,
        progress: Progress | None = None,
    ) -> None:
        self.architecture, self.graph = architecture, lower(architecture)
        self.weights, self.recipe = weights, recipe
        self.train, self.validation, self.reference = train, validation, reference
        self.preprocessing, self.seed, self.progress = preprocessing, seed, progress
        self.augment = augment
        self.diagnosis: tuple[LayerLoss, ...] = ()
        self._weight_limit = 127
        self._stuck: tuple[str, ...] = ()
        self._notes: list[str] = []

    def quantise(self, file: FileSpec) -> Judged:
        """Quantise for one file, with remedies while it loses more than the limit.

        Operations that no int8 file can be made with stay in floating point, where the recipe allows some.

        Args:
            file: An int8 file of the recipe.

        Raises:
            ExportError: It stays above the limit and the recipe requires it; or no file can be made.
            DataError: There are no calibration images.
        """
        method = self.recipe.calibration.method
        self._stuck, self._notes = (), []
        best = self._first(file, method)
        trials = [(_words(best), 100 * best.comparison.drop.value)]
        self.diagnosis, self._weight_limit = (), FORMATS[file.format].weight_limit
        for remedy in self.recipe.guard.remedies:
            # Each remedy starts from the best result so far.
            for candidate in self._remedy(remedy, best.quantisation) if not best.within_limit else ():
                judged = self._tried(file, candidate)
                if judged is None:
                    continue
                trials.append((_words(judged), 100 * judged.comparison.drop.value))
                best = judged if _better(judged, best) else best
                if best.within_limit:
                    break
        result = replace(best, trials=tuple(trials), diagnosis=self.diagnosis[:10], notes=tuple(self._notes))
        if self.recipe.guard.required and not result.within_limit:
            raise ExportError(self._failure(file, result))
        return result

    def _first(self, file: FileSpec, method: str) -> Judged:
        """Judge the file with all on integers, or with those operations in floating point that do not go otherwise."""
        try:
            return self._judge(file, self._calibrated(method))
        except ExportError as error:
            settings = self.recipe.guard
            most = settings.exclude_layers if "exclude_layers" in settings.remedies else 0
            self._stuck = self._unmakeable(file, method) if most else ()
            if not 0 < len(self._stuck) <= most:
                raise
            names = ", ".join(self._stuck)
            self._notes.append(f"{names} in floating point, since no int8 file can be made otherwise: {_plain(error)}.")
            return self._judge(file, self._calibrated(method))

    def _unmakeable(self, file: FileSpec, method: str) -> tuple[str, ...]:
        plain = self._calibrated(method)

        def makes(names: tuple[str, ...]) -> bool:
            try:
                self._made(file, replace(plain, float_ops=names))
            except ExportError:
                return False
            return True

        return unmakeable([op.name for op in self.graph.ops if op.name != self.graph.input.name], makes)

    def _tried(self, file: FileSpec, candidate: Quantisation) -> Judged | None:
        """Judge what a remedy gives; None, with a note, where no file can be made of it."""
        try:
            return self._judge(file, candidate)
        except ExportError as error:
            self._notes.append(f"no file could be made with {', '.join(candidate.steps)}: {_plain(error)}.")
            return None

    def _made(self, file: FileSpec, quantisation: Quantisation) -> tuple[bytes, Predict]:
        """Write a file and open it.

        Raises:
            ExportError: No steps fit, or the runtime does not take it, or not as one piece.
        """
        data = encode(
            self.graph,
            quantisation.weights,
            file_format=file.format,
            precision="int8",
            ranges=quantisation.ranges,
            scheme=file.scheme,
            float_ops=quantisation.float_ops,
            batch=file.batch or None,
            architecture=self.architecture,
        )
        predict = open_file(data, file.format)
        require_whole = FORMATS[file.format].require_whole
        if require_whole is not None:
            with guarded(file.format, "cannot look into the file"):
                resolved(require_whole, what=f"what looks into {file.format} files")(data)
        return data, predict

    def _judge(self, file: FileSpec, quantisation: Quantisation) -> Judged:
        data, predict = self._made(file, quantisation)
        what = f"judging {file.name}"
        logits = logits_of_split(predict, self.validation, self.preprocessing, progress=self.progress, what=what)
        comparison = compare(logits, self.reference, self.validation.labels)
        within = 100 * comparison.drop.value <= self.recipe.guard.max_drop_points
        return Judged(data=data, quantisation=quantisation, comparison=comparison, within_limit=within, trials=())

    def _failure(self, file: FileSpec, judged: Judged) -> str:
        worst = ", ".join(loss.name for loss in judged.diagnosis[:3])
        return explain(
            f"{file.name} loses too much accuracy after every remedy" + (f" (most at {worst})" if worst else ""),
            got=f"{100 * judged.comparison.drop.value:.2f} points on the validation images",
            allowed=f"{self.recipe.guard.max_drop_points:g} points",
            remedy="Choose a network without hard-swish and squeeze-excite, or keep the float file.",
        )

    # What can be tried

    def _remedy(self, name: str, base: Quantisation) -> Iterator[Quantisation]:
        makers: dict[str, Callable[[Quantisation], Iterator[Quantisation]]] = {
            "calibration": self._other_calibrations,
            "bias_correction": self._bias_correction,
            "exclude_layers": self._exclusions,
            "fine_tune": self._fine_tuning,
        }
        return makers[name](base)

    @cached_property
    def observations(self) -> Observations:
        """The float network's values on the calibration images."""
        images = self.recipe.calibration.images
        batches = split_batches(self.train, self.preprocessing, limit=images)
        total = min(images, len(self.train))
        return observe(self.graph, self.weights, batches, progress=self.progress, total=total)

    def _calibrated(self, method: str) -> Quantisation:
        assert method in METHODS
        chosen = ranges(self.observations, method)  # type: ignore[arg-type]
        forced = (f"{', '.join(self._stuck)} in floating point",) if self._stuck else ()
        steps = (f"calibration {method}", *forced)
        return Quantisation(weights=self.weights, ranges=chosen, float_ops=self._stuck, steps=steps)

    def _other_calibrations(self, base: Quantisation) -> Iterator[Quantisation]:
        for method in METHODS:
            if method != self.recipe.calibration.method:
                yield self._calibrated(method)

    def _bias_correction(self, base: Quantisation) -> Iterator[Quantisation]:
        yield replace(self._corrected(base), steps=(*base.steps, _CORRECTION))

    def _corrected(self, base: Quantisation) -> Quantisation:
        raw = base.uncorrected or base.weights
        simulator = self._simulator(replace(base, weights=raw))
        correct_biases(simulator, self._images(self.train, _CORRECTION_IMAGES))
        return replace(base, weights=simulator.weights(self.graph), uncorrected=raw)

    def _exclusions(self, base: Quantisation) -> Iterator[Quantisation]:
        images = self._images(self.validation, _DIAGNOSIS_IMAGES)
        raw = replace(base, weights=base.uncorrected or base.weights)
        self.diagnosis = diagnose(self._simulator(raw), images, progress=self.progress)
        names = [loss.name for loss in self.diagnosis if loss.name != self.graph.input.name]
        most = min(self.recipe.guard.exclude_layers - len(self._stuck), len(names))
        for count in [*(2**power for power in range(most.bit_length()) if 2**power < most), *([most] if most else [])]:
            words = f"{count} operation{'s' if count > 1 else ''} in floating point"
            plain = tuple(step for step in base.steps if step != _CORRECTION)
            chosen = replace(raw, float_ops=(*self._stuck, *names[:count]), uncorrected=None, steps=(*plain, words))
            yield chosen
            if base.uncorrected is not None:
                yield replace(self._corrected(chosen), steps=(*chosen.steps, _CORRECTION))

    def _fine_tuning(self, base: Quantisation) -> Iterator[Quantisation]:
        settings = self.recipe.guard
        if settings.fine_tune_steps == 0:
            return
        simulator = self._simulator(base)
        fine_tune(
            simulator,
            self._fine_tune_images(),
            steps=settings.fine_tune_steps,
            learning_rate=settings.fine_tune_learning_rate,
            teacher=self._simulator(Quantisation(weights=self.weights, ranges=base.ranges)),
            progress=self.progress,
        )
        step = f"{settings.fine_tune_steps} steps of quantisation-aware fine-tuning"
        yield replace(base, weights=simulator.weights(self.graph), steps=(*base.steps, step), uncorrected=None)

    def _fine_tune_images(self) -> Callable[[int], Tensor]:
        """Return what gives the training images of a step, changed at random as they were in the network's training."""
        batches = Batches(self.train, self.preprocessing, batch_size=_FINE_TUNE_BATCH)
        endless = EndlessBatches(batches, seed=self.seed, classes=self.reference.shape[1], augment=self.augment)
        return lambda _: endless.next().images

    def _simulator(self, quantisation: Quantisation) -> Simulator:
        return Simulator(
            self.graph,
            quantisation.weights,
            quantisation.ranges,
            float_ops=quantisation.float_ops,
            weight_limit=self._weight_limit,
        )

    def _images(self, split: Split, limit: int) -> NDArray[np.float32]:
        return self.preprocessing.apply(split.read(chosen_images(split, limit)))


def _plain(error: ExportError) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _words(judged: Judged) -> str:
    return ", ".join(judged.quantisation.steps)


def _better(one: Judged, other: Judged) -> bool:
    """Whether the drop is lower; among equals, whether it agrees more often with torch."""
    key = [(judged.comparison.drop.value, -judged.comparison.top1_agreement) for judged in (one, other)]
    return key[0] < key[1]
