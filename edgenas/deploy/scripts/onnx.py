# ruff: noqa: F821
# mypy: ignore-errors
def open_model(path):
    """Return a function from images (N, C, H, W) float32 to logits (N, classes)."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]
