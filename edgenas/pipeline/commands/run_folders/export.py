"""A run as one file: its judged networks as a table or a document, or all its results as an archive."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgenas import atomic
from edgenas.errors import InputError, StoreError, explain
from edgenas.pipeline.commands.run_folders.listing import run_info
from edgenas.pipeline.core.artifacts import FRONT_FILE, SEARCH_FILE, SETTINGS_FILE, STORE_FILE, WINNER_FILE
from edgenas.pipeline.core.directory import RunDirectory, cannot_write, make_folder
from edgenas.version import __version__

ENDINGS = (".csv", ".json", ".zip")
_LEFT_OUT = ("cache",)
_TABLE = ("digest", "on_front", "chosen", "metric", "value", "standard_error", "unit", "source", "fidelity", "seconds",
          "failure")  # fmt: skip


def exported_run(run: Path, file: Path, *, force: bool = False) -> Path:
    """Write a run into one file, and return its path.

    Args:
        run: The run directory; it is only read.
        file: Its ending says what is written. `.csv`: one line for each metric of each judged network. `.json`: the
            same as a document, with the settings, the measured front and the result. `.zip`: the files of the run
            without prepared images, store and hidden files; unpacked, it can be opened as a run.
        force: Replace a file that is there.

    Raises:
        InputError: The ending is none of these, or the file is there already.
        StoreError: The run has no search yet, is damaged, or the file cannot be written.
    """
    if file.suffix not in ENDINGS:
        raise InputError(explain("nothing is written under this ending", got=file.name, allowed=", ".join(ENDINGS)))
    if file.exists() and not force:
        raise InputError(explain(f"{file} exists already", remedy="Name another file, or replace it with --force."))
    directory = RunDirectory(path=run)
    content = _archive(run) if file.suffix == ".zip" else _document(directory, file.suffix)
    make_folder(file.absolute().parent)
    try:
        atomic.write_bytes(file, content)
    except OSError as error:
        raise cannot_write(file, error) from error
    return file


def _document(directory: RunDirectory, ending: str) -> bytes:
    if not directory.has(SEARCH_FILE):
        raise StoreError(
            explain(f"the run {directory.path} has no search yet", remedy="Finish it, or export a .zip.")
        )  # fmt: skip
    search = directory.read_json(SEARCH_FILE)
    winner = directory.read_json(WINNER_FILE) if directory.has(WINNER_FILE) else {}
    front = {search["evaluations"][index]["digest"] for index in search["front"]}
    networks = [
        {**entry, "on_front": entry["digest"] in front, "chosen": entry["digest"] == winner.get("digest")}
        for entry in search["evaluations"]
    ]
    if ending == ".csv":
        return _csv(networks).encode()
    document = {
        "run": {key: value for key, value in run_info(directory.path).to_dict().items() if key != "path"},
        "version": __version__,
        "settings": directory.read_json(SETTINGS_FILE) if directory.has(SETTINGS_FILE) else {},
        "networks": networks,
        "measured_front": directory.read_json(FRONT_FILE) if directory.has(FRONT_FILE) else None,
        "winner": winner or None,
    }
    return atomic.json_text(document).encode()


def _csv(networks: list[dict[str, Any]]) -> str:
    """One line for each metric, since each has an error, a unit and a source of its own."""
    stream = io.StringIO()
    lines = csv.DictWriter(stream, _TABLE, extrasaction="ignore", lineterminator="\n")
    lines.writeheader()
    for entry in networks:
        metrics: Mapping[str, Mapping[str, Any]] = entry.get("metrics", {})
        for name, metric in metrics.items():
            lines.writerow({**entry, "metric": name, **metric})
        if not metrics:
            lines.writerow(entry)
    return stream.getvalue()


def _archive(run: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(run.rglob("*")):
            inside = path.relative_to(run)
            if path.is_file() and not path.is_symlink() and not _is_left_out(inside):
                # A fixed date: the same run gives the same archive.
                info = zipfile.ZipInfo(str(Path(run.name) / inside), (2000, 1, 1, 0, 0, 0))
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, path.read_bytes())
    return stream.getvalue()


def _is_left_out(inside: Path) -> bool:
    hidden = any(part.startswith(".") or atomic.BROKEN in part for part in inside.parts)
    return hidden or inside.parts[0] in _LEFT_OUT or inside.parts[0].startswith(STORE_FILE)
