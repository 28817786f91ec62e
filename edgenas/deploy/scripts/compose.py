"""The prediction scripts of a bundle: one file each, put together from plain Python parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from edgenas.data.sources.decode import NOT_TAKEN
from edgenas.reading.json_text import json_text

_FOLDER = Path(__file__).parent
_IMPORTS = {
    "onnx": "import numpy as np\nimport onnxruntime\nfrom PIL import Image, ImageOps\n",
    "tflite": (
        "import numpy as np\nfrom PIL import Image, ImageOps\n\n"
        "try:\n    from ai_edge_litert.interpreter import Interpreter\n"
        "except ImportError:\n    from tflite_runtime.interpreter import Interpreter\n"
    ),
}
SCRIPTS: dict[Literal["onnx", "tflite"], str] = {"onnx": "predict_onnx.py", "tflite": "predict_tflite.py"}
"""Name of the script by the format that it runs."""
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
        f'"""Classify images. Needs only {_RUNTIMES[kind]}, numpy and pillow."""\n\n'
        "import argparse\nimport json\nimport os\nimport sys\nfrom pathlib import Path\n"
        "from typing import Callable, List, Tuple\n\n"
        f"{_IMPORTS[kind]}\n"
        f"MODEL = {_literal(model)}\n"
        f"SETTINGS = {_literal(dict(preprocessing))}\n"
        f"LABELS = {_literal(list(labels))}\n"
        f"NOT_TAKEN = {sorted(NOT_TAKEN)!r}\n"
        "Predict = Callable[[np.ndarray], np.ndarray]\n"
    )
    return "\n\n".join([head, *(_part(name) for name in (kind, "common"))])


def _literal(value: object) -> str:
    """Python that gives a value back, whatever characters its texts hold: JSON of JSON is an ASCII literal."""
    return f"json.loads({json_text(json_text(value, what='the script'), what='the script')})"


def _part(name: str) -> str:
    lines = (_FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(("# ruff:", "# mypy:")))
