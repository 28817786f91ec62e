"""Other people's exporters and quantisers, which our files are compared with: the same network, their bytes.

`torch.onnx.export` and `onnxruntime.quantization` come with the dependencies; `litert_torch` and `ai_edge_quantizer`
with the extra `oracles`. Images are normalised float32 (N, C, H, W).
"""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

FloatImages = NDArray[np.float32]


def has_tflite_oracles() -> bool:
    """Whether the extra `oracles` is installed."""
    return find_spec("litert_torch") is not None and find_spec("ai_edge_quantizer") is not None


def torch_onnx(module: torch.nn.Module, images: FloatImages) -> bytes:
    """ONNX, fp32, by torch's own exporter (its TorchScript path needs no further package).

    Args:
        module: In evaluation mode.
        images: One example; its batch is the file's.
    """
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.from_numpy(images),), stream, opset_version=17, dynamo=False)
    return stream.getvalue()


def litert_tflite(module: torch.nn.Module, images: FloatImages) -> bytes:
    """TFLite, fp32, NHWC, by litert_torch.

    Args:
        module: In evaluation mode.
        images: One example; its batch is the file's.
    """
    import litert_torch

    wrapped = litert_torch.to_channel_last_io(module, args=[0]).eval()
    example = torch.from_numpy(images).permute(0, 2, 3, 1).contiguous()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        litert_torch.convert(wrapped, (example,)).export(str(path))
        return path.read_bytes()


def ort_int8(data: bytes, images: FloatImages) -> bytes:
    """ONNX, int8 in QDQ form, unsigned activations, a step for each channel, by onnxruntime.quantization (minmax).

    Args:
        data: An fp32 file of batch 1, such as `torch_onnx` gives.
        images: To calibrate on.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        def __init__(self, name: str) -> None:
            self.rows = iter([{name: image[None]} for image in images])

        def get_next(self) -> dict[str, FloatImages] | None:
            return next(self.rows, None)

    import onnx

    name = onnx.load_from_string(data).graph.input[0].name
    with tempfile.TemporaryDirectory() as folder:
        raw, prepared, quantised = (Path(folder) / f"{step}.onnx" for step in ("raw", "prepared", "int8"))
        raw.write_bytes(data)
        # Folds batch norm and infers shapes, as its documentation asks; symbolic inference is for transformers.
        quant_pre_process(str(raw), str(prepared), skip_symbolic_shape=True)
        logging.getLogger().setLevel(logging.ERROR)
        quantization.quantize_static(
            str(prepared),
            str(quantised),
            Reader(name),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        return quantised.read_bytes()


def edge_int8(data: bytes, images: FloatImages, *, float_hard_swish: bool) -> bytes:
    """TFLite, int8, by ai_edge_quantizer (its recipe `static_wi8_ai8`).

    Args:
        data: An fp32 file of batch 1, such as `litert_tflite` gives.
        images: To calibrate on.
        float_hard_swish: Leave HARD_SWISH in floating point: XNNPACK does not take it in int8, and the file is slow.
    """
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe
    from ai_edge_quantizer.qtyping import TFLOperationName
    from ai_edge_quantizer.recipe import AlgorithmName

    chosen = quantizer.Quantizer(bytearray(data), recipe.static_wi8_ai8())
    if float_hard_swish:
        chosen.update_quantization_recipe(".*", TFLOperationName.HARD_SWISH, algorithm_key=AlgorithmName.NO_QUANTIZE)
    ((signature, ends),) = Interpreter(model_content=data).get_signature_list().items()
    (name,) = ends["inputs"]
    rows = [{name: np.ascontiguousarray(image[None].transpose(0, 2, 3, 1))} for image in images]
    result = chosen.quantize(chosen.calibrate({signature: rows}, num_threads=1), enable_progress_report=False)
    assert result.quantized_model is not None
    return bytes(result.quantized_model)
