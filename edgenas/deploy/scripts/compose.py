"""The prediction scripts of a bundle: one file each, put together from plain Python parts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

_FOLDER = Path(__file__).parent
_IMPORTS = {
    "onnx": "import numpy as np\nimport onnxruntime\nfrom PIL import Image, ImageOps\n",
    "tflite": (
        "import numpy as np\nfrom PIL import Image, ImageOps\n\n"
        "try:\n    from ai_edge_litert.interpreter import Interpreter\n"
        "except ImportError:\n    from tflite_runtime.interpreter import Interpreter\n"
    ),
}
_RUNTIMES = {"onnx": "onnxruntime", "tflite": "ai-edge-litert"}


def predict_script(
    kind: Literal["onnx", "tflite"], *, model: str, preprocessing: Mapping[str, Any], labels: Sequence[str]
) -> str:
    """Write a script that classifies image files.

    Args:
        kind: Which runtime.
        model: File name of the model that it uses where none is named.
        preprocessing: Plain values of `Preprocessing`.
        labels: Names of the classes.
    """
    head = (
        f'"""Classify images with {model}. Needs only {_RUNTIMES[kind]}, numpy and pillow."""\n\n'
        "import argparse\nimport json\nfrom pathlib import Path\n\n"
        f"{_IMPORTS[kind]}\n"
        f"MODEL = {model!r}\n"
        f"SETTINGS = json.loads({json.dumps(json.dumps(dict(preprocessing)))})\n"
        f"LABELS = json.loads({json.dumps(json.dumps(list(labels)))})\n"
        'ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")\n'
    )
    return "\n\n".join([head, *(_part(name) for name in (kind, "common"))])


def _part(name: str) -> str:
    lines = (_FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(("# ruff:", "# mypy:")))
