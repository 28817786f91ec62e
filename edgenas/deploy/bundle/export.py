"""Exporting a bundle: write the files, judge each of them on its runtime, then move the folder into place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgenas import nn
from edgenas.arch import Architecture, lower
from edgenas.arch.document import to_document
from edgenas.arch.notation import format_notation
from edgenas.cost import macs, params
from edgenas.data import AugmentSettings, Preprocessing, Split
from edgenas.data.batches import NO_AUGMENTATION
from edgenas.data.subset import chosen_images
from edgenas.deploy.accuracy import Comparison, compare, share
from edgenas.deploy.bundle.card import (
    Card,
    FileCard,
    identity_of,
    installed_versions,
    probe_rows,
    weights_digest,
)
from edgenas.deploy.bundle.folder import restore, write_folder
from edgenas.deploy.bundle.inputs import Images, check_inputs
from edgenas.deploy.bundle.latencies import with_latency
from edgenas.deploy.bundle.texts import texts_of
from edgenas.deploy.quantise.calibrate import Observations
from edgenas.deploy.quantise.guard import Guard, Judged
from edgenas.deploy.recipe import FileSpec, Recipe
from edgenas.deploy.runners import can_run, logits_of_split, open_file
from edgenas.deploy.shipping import metadata_of, shipped_contents
from edgenas.errors import ExportError, TrainingError, explain
from edgenas.formats import FORMATS, Contents, fold, write
from edgenas.formats.about import about_of
from edgenas.formats.foreign import guarded
from edgenas.latency.device import local_device
from edgenas.measure import FileLatency, ModelFile
from edgenas.reading.json_text import json_text, parse_json
from edgenas.registry import resolved
from edgenas.types import Progress

Measure = Callable[[Sequence[ModelFile]], Sequence[FileLatency]]
PARITY_LIMIT = 1e-4
LARGEST_HALF = float(np.finfo(np.float16).max)
_PROBE_IMAGES = 8


def export_bundle(
    architecture: Architecture,
    weights: Mapping[str, NDArray[np.float32]],
    recipe: Recipe,
    *,
    data: Images,
    preprocessing: Preprocessing,
    labels: Sequence[str],
    out: Path,
    measure: Measure | None = None,
    force: bool = False,
    data_facts: Mapping[str, Any] | None = None,
    training_facts: Mapping[str, Any] | None = None,
    seed: int = 0,
    augment: AugmentSettings = NO_AUGMENTATION,
    file_facts: Callable[[Sequence[FileCard]], Mapping[str, Any]] | None = None,
    progress: Progress | None = None,
) -> Card:
    """Write a bundle.

    Args:
        architecture: The network.
        weights: Its arrays.
        recipe: Which files, and how much they may lose.
        data: Images; anything with `train`, `validation` and `test` splits serves (`ImageData` does).
        preprocessing: What the network's input is.
        labels: Names of the classes, (K,).
        out: Folder to make.
        measure: Measures all files in one visit, such as `edgenas.measure.measure_files`; None leaves latency out.
        force: Replace `out` where it exists.
        data_facts, training_facts: Plain values for the card.
        seed: Of the remedy that trains.
        augment: Random changes of the images that it trains on: those of the network's training.
        file_facts: From the files to more plain values for the card.
        progress: Called with (done, in all, what).

    Returns:
        The card, as written to card.json.

    Raises:
        ExportError: `out` exists; a file does not compute what torch computes, does not load, does not run on the
            kernels it should, or loses more than a required limit.
        WeightsError: The weights do not fit.
        DataError: There are no images of some kind, or labels and classes disagree.
        StoreError: The folder cannot be written.
    """
    restore(out)
    check_inputs(architecture, data, preprocessing, labels, out, force)
    job = _Job(architecture, weights, recipe, data, preprocessing, tuple(labels), seed, augment, progress)
    contents, files = job.files()
    files = job.with_latencies(contents, files, measure)
    more = {} if file_facts is None else file_facts(files)
    card = job.card(files, data_facts or {}, {**(training_facts or {}), **more})
    write_folder(out, {**contents, **job.texts(card), **job.probe_file()}, force=force)
    return card


class _Job:
    def __init__(
        self,
        architecture: Architecture,
        weights: Mapping[str, NDArray[np.float32]],
        recipe: Recipe,
        data: Images,
        preprocessing: Preprocessing,
        labels: tuple[str, ...],
        seed: int,
        augment: AugmentSettings,
        progress: Progress | None,
    ) -> None:
        self.architecture, self.graph, self.weights = architecture, lower(architecture), weights
        self.recipe, self.data, self.preprocessing, self.labels = recipe, data, preprocessing, labels
        self.seed, self.augment, self.progress = seed, augment, progress
        self.left_out: list[tuple[str, str]] = []
        module = nn.build(architecture)
        module.load_weights(weights)
        self.torch = _torch_predict(module.eval())
        self.validation_logits = self._logits(self.torch, data.validation, "torch on validation images")
        self.test_logits = self._logits(self.torch, data.test, "torch on test images")
        self.probe_pixels = data.test.read(chosen_images(data.test, _PROBE_IMAGES))
        self.about = about_of(preprocessing.to_dict(), self.labels, licence=recipe.licence)
        self.identity = identity_of(architecture, weights_digest(weights), preprocessing.to_dict(), self.labels)

    def _logits(self, predict: Callable[[Any], Any], split: Split, what: str) -> NDArray[np.float32]:
        return logits_of_split(predict, split, self.preprocessing, progress=self.progress, what=what)

    def files(self) -> tuple[dict[str, bytes], list[FileCard]]:
        """Write and judge every file."""
        contents: dict[str, bytes] = {}
        cards: list[FileCard] = []
        guard = Guard(
            self.architecture,
            self.weights,
            self.recipe,
            train=self.data.train,
            validation=self.data.validation,
            reference=self.validation_logits,
            preprocessing=self.preprocessing,
            seed=self.seed,
            augment=self.augment,
            progress=self.progress,
        )
        for file in self.recipe.files:
            try:
                contents[file.name], card = self._made(file, guard)
                cards.append(card)
            except (ExportError, TrainingError) as error:
                # What computes something else than torch in full precision is a fault, not a loss.
                if file.precision == "fp32" or self.recipe.guard.required:
                    raise
                self.left_out.append((file.name, " ".join(str(error).split())))
                failure = error
        if not cards:
            raise failure
        return contents, cards

    def _made(self, file: FileSpec, guard: Guard) -> tuple[bytes, FileCard]:
        if file.precision == "fp16":
            self._require_half(file, guard.observations)
        judged = guard.quantise(file) if file.precision == "int8" else None
        contents = self._contents(file, judged)
        data = write(file.format, contents)
        card = self._file_card(file, data, judged, contents)
        self._require_limit(file, card.validation)
        return data, card

    def _require_half(self, file: FileSpec, seen: Observations) -> None:
        """Refuse half precision where a weight, or a value on the calibration images, would become infinite."""
        values = {name: max(map(abs, bounds)) for name, bounds in seen.extremes.items()}
        values |= {name: float(np.abs(array).max()) for name, array in self._folded_arrays()}
        name = max(values, key=values.__getitem__)
        if not values[name] <= LARGEST_HALF:
            raise ExportError(
                explain(
                    f"{file.name}: {name} does not fit half precision",
                    got=f"{values[name]:.3g}",
                    allowed=f"{LARGEST_HALF:g}",
                    remedy="Keep the file in fp32, or train with weight decay.",
                )
            )

    def _folded_arrays(self) -> list[tuple[str, NDArray[np.float32]]]:
        ops = [op for op in fold(self.graph, self.weights).ops if op.op.weighted]
        return [(f"a weight of {op.name}", array) for op in ops for array in op.arrays]

    def _require_limit(self, file: FileSpec, validation: Comparison | None) -> None:
        limit = self.recipe.guard.max_drop_points
        if not self.recipe.guard.required or validation is None or 100 * validation.drop.value <= limit:
            return
        raise ExportError(
            explain(
                f"{file.name} loses too much accuracy",
                got=f"{100 * validation.drop.value:.2f} points on the validation images",
                allowed=f"{limit:g} points",
                remedy="Leave the file out of the recipe, or keep it in floating point.",
            )
        )

    def _metadata(self) -> dict[str, str]:
        return metadata_of(
            self.architecture,
            identity=self.identity,
            preprocessing=self.preprocessing.to_dict(),
            labels=self.labels,
            about=self.about,
        )

    def _contents(self, file: FileSpec, judged: Judged | None) -> Contents:
        quantisation = judged.quantisation if judged else None
        return shipped_contents(
            self.architecture,
            self.graph,
            quantisation.weights if quantisation else self.weights,
            file,
            metadata=self._metadata(),
            about=self.about,
            ranges=quantisation.ranges if quantisation else None,
            float_ops=quantisation.float_ops if quantisation else (),
        )

    def _file_card(self, file: FileSpec, data: bytes, judged: Judged | None, contents: Contents) -> FileCard:
        runs = can_run(file.format)
        test = validation = None
        probe: tuple[tuple[float, ...], ...] = ()
        if runs:
            predict = open_file(data, file.format)
            test = self._compare(predict, file, self.data.test, self.test_logits)
            validation = self._compare(predict, file, self.data.validation, self.validation_logits)
            probe = probe_rows(predict(self.preprocessing.apply(self.probe_pixels)))
        quantisation = judged.quantisation if judged else None
        return FileCard(
            name=file.name,
            format=file.format,
            precision=file.precision,
            scheme=FORMATS[file.format].scheme_of(file.precision, file.scheme),
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            test=test,
            validation=validation,
            latency=None,
            kernels=self._kernels(file, data, contents) if runs else {},
            steps=quantisation.steps if quantisation else (),
            float_ops=quantisation.float_ops if quantisation else (),
            trials=judged.trials if judged else (),
            diagnosis=tuple((loss.name, loss.noise, loss.changed) for loss in judged.diagnosis) if judged else (),
            warnings=(*self._accuracy_warnings(file, validation), *(judged.notes if judged else ())),
            probe=probe,
        )

    def _compare(
        self, predict: Callable[[Any], Any], file: FileSpec, split: Split, reference: NDArray[np.float32]
    ) -> Comparison:
        comparison = compare(self._logits(predict, split, f"judging {file.name}"), reference, split.labels)
        if file.precision == "fp32" and not comparison.max_error <= PARITY_LIMIT:
            raise ExportError(
                explain(
                    f"{file.name} does not compute what torch computes",
                    got=f"an error of {comparison.max_error:.2g} of the largest logit",
                    allowed=f"{PARITY_LIMIT:g}",
                )
            )
        return comparison

    def _kernels(self, file: FileSpec, data: bytes, contents: Contents) -> dict[str, Any]:
        kernels = FORMATS[file.format].kernels
        if kernels is None:
            return {}
        with guarded(file.format, "cannot count the kernels of the file"):
            return dict(resolved(kernels, what=f"what counts {file.format} kernels")(data, contents))

    def _accuracy_warnings(self, file: FileSpec, validation: Comparison | None) -> tuple[str, ...]:
        limit = self.recipe.guard.max_drop_points
        if validation is None:
            return (f"{file.format} files cannot be run here: not judged.",)
        if 100 * validation.drop.value <= limit:
            return ()
        return (f"loses {100 * validation.drop.value:.2f} points on the validation images, more than {limit:g}.",)

    def with_latencies(
        self, contents: Mapping[str, bytes], files: list[FileCard], measure: Measure | None
    ) -> list[FileCard]:
        """Measure the very files, and warn where int8 is slower than fp32."""
        runnable = [entry for entry in files if FORMATS[entry.format].runtime is not None]
        if measure is None or not runnable:
            return files
        models = [
            ModelFile(name=entry.name, data=contents[entry.name], file_format=entry.format, precision=entry.precision)
            for entry in runnable
        ]
        found = {latency.name: latency for latency in measure(models)}
        return [with_latency(entry, found, files) for entry in files]

    def card(self, files: list[FileCard], data_facts: Mapping[str, Any], training_facts: Mapping[str, Any]) -> Card:
        """Put the card together."""
        device = local_device()
        return Card(
            identity=self.identity,
            recipe=self.recipe.name,
            architecture=to_document(self.architecture),
            notation=format_notation(self.architecture),
            macs=macs(self.graph),
            params=params(self.graph),
            weights_sha256=weights_digest(self.weights),
            labels=self.labels,
            preprocessing=self.preprocessing.to_dict(),
            data=dict(data_facts),
            training=dict(training_facts),
            torch_test=_accuracy(self.test_logits, self.data.test),
            torch_validation=_accuracy(self.validation_logits, self.data.validation),
            torch_probe=probe_rows(self.torch(self.preprocessing.apply(self.probe_pixels))),
            files=tuple(files),
            device={name: getattr(device, name) for name in ("machine", "cpu", "isa", "cores")},
            versions=installed_versions([file.format for file in files]),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            probe_sha256=hashlib.sha256(self.probe_file()["probe.npz"]).hexdigest(),
            left_out=tuple(self.left_out),
        )

    def texts(self, card: Card) -> dict[str, bytes]:
        """The files for people and scripts."""
        text = json_text(card.to_dict(), what="the card", error=ExportError, indent=1)
        # The texts follow from what a reader of card.json sees, so that a check can write them again.
        read = Card.from_dict(parse_json(text, source="the card", error=ExportError))
        texts = {"card.json": text + "\n", **texts_of(read)}
        return {name: text.encode() for name, text in texts.items()}

    def probe_file(self) -> dict[str, bytes]:
        """Some test images as the network gets them, to check the files by."""
        import io

        stream = io.BytesIO()
        np.savez_compressed(stream, images=self.probe_pixels)
        return {"probe.npz": stream.getvalue()}


def _torch_predict(module: torch.nn.Module) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    @torch.inference_mode()
    def predict(images: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = module(torch.from_numpy(images)).numpy()
        return logits

    return predict


def _accuracy(logits: NDArray[np.float32], split: Split) -> Any:
    return share(int((logits.argmax(1) == split.labels).sum()), len(split))
