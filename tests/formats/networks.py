"""Small networks and runners that the tests of this room share."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime

from edgenas.arch import Architecture, Block, Head, SqueezeExcite, Stage, Stem, lower
from edgenas.formats import encode


def small(
    *,
    resolution: int = 33,
    in_channels: int = 3,
    activation: str = "hard_swish",
    gate: str | None = "hard_sigmoid",
    classes: int = 7,
    hidden: int = 12,
    padding: str = "symmetric",
) -> Architecture:
    """A network with every kind of block, stride 2 on odd and even extents, and a hidden layer."""
    act: Any = activation
    se = SqueezeExcite(channels=8, activation="relu", gate=gate) if gate else None  # type: ignore[arg-type]
    blocks = (
        Block(kernel=3, expanded=8, out_channels=8, activation=act, expand=False, se=se, skip=True),
        Block(kernel=5, expanded=24, out_channels=16, stride=2, activation=act, se=se),
        Block(kind="conv", kernel=3, expanded=16, out_channels=16, activation=act, skip=True),
        Block(kind="fused", kernel=3, expanded=32, out_channels=16, activation="relu6", se=se, skip=True),
        Block(kernel=0, start_kernel=3, expanded=32, out_channels=24, activation="relu"),
    )
    return Architecture(
        resolution=resolution,
        in_channels=in_channels,
        stem=Stem(out_channels=8, activation=act),
        stages=(Stage(blocks=blocks),),
        head=Head(conv_channels=32, hidden_channels=hidden, activation=act),
        classes=classes,
        padding=padding,  # type: ignore[arg-type]
    )


def run_onnx(data: bytes, images: np.ndarray) -> np.ndarray:
    """Logits of a file for images (N, C, H, W)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": images})[0])


def run_tflite(data: bytes, images: np.ndarray) -> np.ndarray:
    """Logits of a file for images (N, C, H, W), one by one; int8 ends are converted here."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner("serving_default")
    entry, exit_ = runner.get_input_details()["image"], runner.get_output_details()["logits"]
    rows = []
    for image in images.transpose(0, 2, 3, 1)[:, None]:
        value = image
        if entry["dtype"] == np.int8:
            step, zero = entry["quantization"]
            value = np.clip(np.round(image / step) + zero, -128, 127).astype(np.int8)
        logits = runner(image=value)["logits"]
        if exit_["dtype"] == np.int8:
            step, zero = exit_["quantization"]
            logits = (logits.astype(np.float32) - zero) * step
        rows.append(logits[0])
    return np.stack(rows)


def true_ranges(
    architecture: Architecture, weights: dict[str, np.ndarray], images: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Ranges read off the float ONNX file with every value as an output."""
    model = onnx.load_from_string(encode(lower(architecture), weights, batch=None))
    names = [node.output[0] for node in model.graph.node if node.output[0] != "logits"]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values = dict(zip(["head.classifier", *names], session.run(["logits", *names], {"image": images}), strict=True))
    return {name: (float(array.min()), float(array.max())) for name, array in {**values, "image": images}.items()}
