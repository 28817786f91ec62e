"""Further targets, written by their own packages if those are installed: OpenVINO, Core ML, ExecuTorch."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Architecture, lower
from edgenas.errors import ExportError, explain

WeightArrays = Mapping[str, NDArray[np.float32]]
Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A format that another package writes.

    Attributes:
        module: What must be importable.
        package: What to install for it.
        ending: Of the file's name.
        write: From an architecture and its weights to the file.
        open: From the file to a function from images (N, C, H, W) to logits (N, K); None where nothing here runs it.
    """

    module: str
    package: str
    ending: str
    write: Callable[[Architecture, WeightArrays], bytes]
    open: Callable[[bytes], Predict] | None = None


def _require_installed(name: str) -> Target:
    target = TARGETS[name]
    if find_spec(target.module) is None:
        raise ExportError(
            explain(f"format {name} needs {target.package}", remedy=f"Install it: pip install {target.package}")
        )
    return target


def write_target(name: str, architecture: Architecture, weights: WeightArrays) -> bytes:
    """Write a file for a further target.

    Args:
        name: One of `TARGETS`.
        architecture: The network.
        weights: Its arrays.

    Raises:
        ExportError: The package is not installed, says which to install; or it refuses the network.
    """
    target = _require_installed(name)
    try:
        return target.write(architecture, weights)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        raise ExportError(explain(f"{target.package} refuses the network", got=str(error).splitlines()[0])) from error


def open_target(name: str, data: bytes) -> Predict:
    """Load a file of a further target on its own runtime.

    Args:
        name: One of `TARGETS` that can be run here.
        data: The file.

    Returns:
        A function from normalised images (N, C, H, W) to logits (N, K).

    Raises:
        ExportError: The package is not installed, or does not load the file.
    """
    target = _require_installed(name)
    if target.open is None:
        raise ExportError(explain(f"{name} files cannot be run here"))
    try:
        return target.open(data)
    except (RuntimeError, ValueError, TypeError, KeyError, BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExportError(explain(f"{target.package} does not load the file", got=reason)) from error


def _openvino(architecture: Architecture, weights: WeightArrays) -> bytes:
    """An OpenVINO IR as one zip of its two files."""
    import openvino  # type: ignore[import-not-found,unused-ignore]

    from edgenas.formats import encode

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.onnx"
        source.write_bytes(encode(lower(architecture), weights))
        converted = openvino.convert_model(str(source))
        openvino.save_model(converted, str(Path(folder) / "model.xml"), compress_to_fp16=False)
        packed = io.BytesIO()
        with ZipFile(packed, "w") as archive:
            for part in ("model.xml", "model.bin"):
                archive.write(Path(folder) / part, part)
    return packed.getvalue()


def _run_openvino(data: bytes) -> Predict:
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


def _torch_module(architecture: Architecture, weights: WeightArrays) -> tuple[Any, Any]:
    import torch

    from edgenas import nn

    module = nn.build(architecture)
    module.load_weights(weights)
    shape = (1, architecture.in_channels, architecture.resolution, architecture.resolution)
    return module.eval(), torch.zeros(shape)


def _coreml(architecture: Architecture, weights: WeightArrays) -> bytes:
    """A Core ML package as a zip of its folder."""
    import coremltools  # type: ignore[import-not-found,unused-ignore]
    import torch

    module, image = _torch_module(architecture, weights)
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


def _executorch(architecture: Architecture, weights: WeightArrays) -> bytes:
    """An ExecuTorch program with the XNNPACK partitioner."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import (  # type: ignore[import-not-found,unused-ignore]
        XnnpackPartitioner,
    )
    from executorch.exir import to_edge_transform_and_lower  # type: ignore[import-not-found,unused-ignore]

    module, image = _torch_module(architecture, weights)
    program = to_edge_transform_and_lower(torch.export.export(module, (image,)), partitioner=[XnnpackPartitioner()])
    return bytes(program.to_executorch().buffer)


def _run_executorch(data: bytes) -> Predict:
    import torch
    from executorch.runtime import Runtime  # type: ignore[import-not-found,unused-ignore]

    method = Runtime.get().load_program(data).load_method("forward")
    return _one_by_one(lambda image: method.execute([torch.from_numpy(image)])[0].numpy())


TARGETS: dict[str, Target] = {
    "openvino": Target(
        module="openvino", package="openvino", ending=".openvino.zip", write=_openvino, open=_run_openvino
    ),
    "coreml": Target(module="coremltools", package="coremltools", ending=".mlpackage.zip", write=_coreml),
    "executorch": Target(
        module="executorch", package="executorch", ending=".pte", write=_executorch, open=_run_executorch
    ),
}
