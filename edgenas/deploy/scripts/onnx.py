# ruff: noqa: F821
# mypy: ignore-errors
from __future__ import annotations


def open_model(path: Path) -> Predict:
    """Return a function from images (1, C, H, W) float32 to logits (1, classes)."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    batch = entry.shape[0] if isinstance(entry.shape[0], int) else 1

    def predict(images: np.ndarray) -> np.ndarray:
        # A file of a fixed batch needs that many images a run, so the one image is repeated.
        return session.run(None, {entry.name: np.repeat(images, batch, axis=0)})[0][:1]

    return predict
