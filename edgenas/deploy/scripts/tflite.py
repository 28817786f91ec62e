# ruff: noqa: F821
# mypy: ignore-errors
from __future__ import annotations


def open_model(path: Path) -> Predict:
    """Return a function from images (1, C, H, W) float32 to logits (1, classes)."""
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def predict(images: np.ndarray) -> np.ndarray:
        # A file of a fixed batch needs that many images a run, so the one image is repeated.
        values = np.repeat(np.ascontiguousarray(images.transpose(0, 2, 3, 1)), source["shape"][0], axis=0)
        if source["dtype"] != np.float32:
            step, zero = source["quantization"]
            limits = np.iinfo(source["dtype"])
            values = np.clip(np.round(values / step) + zero, limits.min, limits.max).astype(source["dtype"])
        interpreter.set_tensor(source["index"], values)
        interpreter.invoke()
        logits = interpreter.get_tensor(result["index"])
        if result["dtype"] != np.float32:
            step, zero = result["quantization"]
            logits = (logits.astype(np.float32) - zero) * np.float32(step)
        return logits[:1]

    return predict
