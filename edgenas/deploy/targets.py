"""Further targets, written by their own packages if those are installed: OpenVINO, Core ML, ExecuTorch."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from edgenas.errors import ExportError, explain
from edgenas.formats import Contents, Predict


def openvino_file(contents: Contents) -> bytes:
    """An OpenVINO IR as one zip of its two files."""
    import openvino  # type: ignore[import-not-found,unused-ignore]

    from edgenas.formats import encode

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.onnx"
        source.write_bytes(encode(contents.graph, contents.weights))
        converted = openvino.convert_model(str(source))
        openvino.save_model(converted, str(Path(folder) / "model.xml"), compress_to_fp16=False)
        packed = io.BytesIO()
        with ZipFile(packed, "w") as archive:
            for part in ("model.xml", "model.bin"):
                archive.write(Path(folder) / part, part)
    return packed.getvalue()


def open_openvino(data: bytes, threads: int) -> Predict:
    """Load an OpenVINO IR; it runs on one thread."""
    import openvino

    with ZipFile(io.BytesIO(data)) as archive:
        model = openvino.Core().read_model(archive.read("model.xml"), archive.read("model.bin"))
    # By default it computes in bf16 if the processor can.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    return _one_by_one(lambda image: compiled([image])[compiled.output(0)])


def _one_by_one(run: Callable[[NDArray[np.float32]], Any]) -> Predict:
    """A function for many images from one for a batch of one."""

    def predict(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([np.asarray(run(np.ascontiguousarray(image[None])), np.float32) for image in images])

    return predict


def _torch_module(contents: Contents) -> tuple[Any, Any]:
    import torch

    from edgenas import nn

    architecture = contents.architecture
    if architecture is None:
        raise ExportError(explain("this format is made from the architecture", got="a graph alone"))
    module = nn.build(architecture)
    module.load_weights(contents.weights)
    shape = (1, architecture.in_channels, architecture.resolution, architecture.resolution)
    return module.eval(), torch.zeros(shape)


def coreml_file(contents: Contents) -> bytes:
    """A Core ML package as a zip of its folder."""
    import coremltools  # type: ignore[import-not-found,unused-ignore]
    import torch

    module, image = _torch_module(contents)
    traced = torch.jit.trace(module, image)
    # By default the converter computes in half precision and gives the output a number as its name.
    model = coremltools.convert(
        traced,
        inputs=[coremltools.TensorType(name="image", shape=image.shape)],
        outputs=[coremltools.TensorType(name="logits")],
        convert_to="mlprogram",
        compute_precision=coremltools.precision.FLOAT32,
    )
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "model.mlpackage"
        model.save(str(package))
        packed = io.BytesIO()
        with ZipFile(packed, "w") as archive:
            for path in sorted(package.rglob("*")):
                archive.write(path, path.relative_to(folder))
    return packed.getvalue()


def executorch_file(contents: Contents) -> bytes:
    """An ExecuTorch program with the XNNPACK partitioner."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import (  # type: ignore[import-not-found,unused-ignore]
        XnnpackPartitioner,
    )
    from executorch.exir import to_edge_transform_and_lower  # type: ignore[import-not-found,unused-ignore]

    module, image = _torch_module(contents)
    program = to_edge_transform_and_lower(torch.export.export(module, (image,)), partitioner=[XnnpackPartitioner()])
    return bytes(program.to_executorch().buffer)


def open_executorch(data: bytes, threads: int) -> Predict:
    """Load an ExecuTorch program; it runs on one thread."""
    import torch
    from executorch.runtime import Runtime  # type: ignore[import-not-found,unused-ignore]

    method = Runtime.get().load_program(data).load_method("forward")
    return _one_by_one(lambda image: method.execute([torch.from_numpy(image)])[0].numpy())
