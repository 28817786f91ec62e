"""The prediction scripts of a bundle: one file each, put together from plain Python parts."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgenas.data.sources.decode import NOT_TAKEN
from edgenas.errors import PluginError, explain
from edgenas.formats import FORMATS, FormatName, Script
from edgenas.reading.json_text import json_text
from edgenas.registry import resolved

_FOLDER = Path(__file__).parent


def script_name(file_format: FormatName) -> str:
    """Return the name of the script that reads files of a format."""
    return f"predict_{file_format}.py"


def scripted_formats(formats: Collection[str]) -> tuple[FormatName, ...]:
    """Return those of some formats that a script reads, in the order of the registry."""
    return tuple(name for name in FORMATS if name in formats and FORMATS[name].script is not None)


def predict_script(
    file_format: FormatName, *, model: str, preprocessing: Mapping[str, Any], labels: Sequence[str]
) -> str:
    """Write a script that classifies image files.

    Args:
        file_format: Of the model; one of `scripted_formats`.
        model: File name of the model that it uses where none is named.
        preprocessing: Plain values of `Preprocessing`.
        labels: Names of the classes.

    Raises:
        PluginError: The package that adds the format gives no source of its opener.
    """
    script = FORMATS[file_format].script
    assert script is not None
    head = (
        f'"""Classify images. Needs only {script.package}, numpy and pillow."""\n\n'
        "import argparse\nimport json\nimport os\nimport sys\nfrom pathlib import Path\n"
        "from typing import Callable, List, Tuple\n\n"
        f"{script.imports}\n"
        f"MODEL = {_literal(model)}\n"
        f"SETTINGS = {_literal(dict(preprocessing))}\n"
        f"LABELS = {_literal(list(labels))}\n"
        f"NOT_TAKEN = {sorted(NOT_TAKEN)!r}\n"
        "Predict = Callable[[np.ndarray], np.ndarray]\n"
    )
    return "\n\n".join([head, _opener(script, file_format), _common()])


def _literal(value: object) -> str:
    """Python that gives a value back, whatever characters its texts hold: JSON of JSON is an ASCII literal."""
    return f"json.loads({json_text(json_text(value, what='the script'), what='the script')})"


def _opener(script: Script, file_format: FormatName) -> str:
    what = f"what opens {file_format} files in a script"
    function = resolved(script.opener, what=what)
    try:
        return inspect.getsource(function)
    except (OSError, TypeError) as error:
        raise PluginError(explain(f"{what} has no source", got=str(error).splitlines()[0])) from error


def _common() -> str:
    lines = (_FOLDER / "common.py").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(("# ruff:", "# mypy:")))
