"""int8 files beside other people's quantisers, on a trained network, from the same calibration images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from benchmarks import oracles
from edgenas import nn
from edgenas.arch import lower
from edgenas.data.subset import chosen_images
from edgenas.deploy.counts import count_onnx, count_tflite
from edgenas.deploy.quantise.calibrate import observe, ranges
from edgenas.deploy.runners import open_file, split_batches
from edgenas.formats import encode

CALIBRATION_IMAGES = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judge:
    """The trained network with everything both sides need."""

    trained: object
    module: torch.nn.Module
    images: np.ndarray
    logits: np.ndarray
    labels: np.ndarray
    calibration: np.ndarray

    def noise(self, data: bytes, file_format: str) -> float:
        """Mean squared error of the logits, divided by their variance."""
        found = open_file(data, file_format)(self.images)
        return float(np.mean((found - self.logits) ** 2) / self.logits.var())

    def agreement(self, data: bytes, file_format: str) -> float:
        found = open_file(data, file_format)(self.images)
        return float((found.argmax(1) == self.logits.argmax(1)).mean())

    def accuracy(self, data: bytes, file_format: str) -> float:
        return float((open_file(data, file_format)(self.images).argmax(1) == self.labels).mean())

    def ours(self, file_format: str) -> bytes:
        graph = lower(self.trained.architecture)
        batches = split_batches(self.trained.data.train, self.trained.preprocessing, limit=CALIBRATION_IMAGES)
        # The oracles calibrate by extremes: so do we here, so that the quantisers are compared and not the methods.
        chosen = ranges(observe(graph, self.trained.weights, batches), "minmax")
        return encode(graph, self.trained.weights, file_format=file_format, precision="int8", ranges=chosen)


@pytest.fixture(scope="module")
def judge(trained) -> Judge:
    module = nn.build(trained.architecture)
    module.load_weights(trained.weights)
    module.eval()
    split = trained.data.test
    images = trained.preprocessing.apply(split.read(np.arange(len(split))))
    with torch.inference_mode():
        logits = module(torch.from_numpy(images)).numpy()
    chosen = chosen_images(trained.data.train, CALIBRATION_IMAGES)
    calibration = trained.preprocessing.apply(trained.data.train.read(chosen))
    return Judge(
        trained=trained, module=module, images=images, logits=logits, labels=split.labels, calibration=calibration
    )


def test_onnx_int8_is_at_least_as_true_as_that_of_onnxruntimes_quantiser(judge: Judge) -> None:
    ours = judge.ours("onnx")
    theirs = oracles.ort_int8(oracles.torch_onnx(judge.module, judge.images[:1]), judge.calibration)
    assert judge.noise(ours, "onnx") <= judge.noise(theirs, "onnx")
    # One image in a hundred may fall on the other side of a tie.
    assert judge.agreement(ours, "onnx") >= judge.agreement(theirs, "onnx") - 0.01
    assert judge.accuracy(ours, "onnx") >= judge.accuracy(theirs, "onnx") - 0.01
    assert count_onnx(ours).quantised_convolutions >= count_onnx(theirs).quantised_convolutions


@pytest.mark.oracle
@pytest.mark.parametrize("float_hard_swish", [False, True])
def test_tflite_int8_is_at_least_as_true_as_that_of_ai_edge_quantizer(judge: Judge, *, float_hard_swish: bool) -> None:
    ours = judge.ours("tflite")
    float_file = oracles.litert_tflite(judge.module, judge.images[:1])
    theirs = oracles.edge_int8(float_file, judge.calibration, float_hard_swish=float_hard_swish)
    assert judge.noise(ours, "tflite") <= judge.noise(theirs, "tflite")
    assert judge.agreement(ours, "tflite") >= judge.agreement(theirs, "tflite") - 0.01
    assert judge.accuracy(ours, "tflite") >= judge.accuracy(theirs, "tflite") - 0.01
    assert count_tflite(ours).delegates <= count_tflite(theirs).delegates
