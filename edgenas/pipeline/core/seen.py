"""Whether weights have seen the images of an evaluation. The metadata of their file hold their history."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.errors import DataError, explain
from edgenas.types import Say

if TYPE_CHECKING:
    from edgenas.data import ImageData
    from edgenas.data.identity import Finding, ImageHistory

HISTORY_KEY = "edgenas.images"
"""Of the metadata of checkpoints and supernets."""


def history_in(metadata: Mapping[str, str]) -> ImageHistory | None:
    """Return the history that the metadata of a file hold; None in files of older versions and of others.

    Raises:
        WeightsError: It is damaged.
    """
    from edgenas.data.identity import ImageHistory

    return ImageHistory.from_json(metadata[HISTORY_KEY]) if HISTORY_KEY in metadata else None


def history_of(file: Path) -> ImageHistory | None:
    """Return the history of the weights in a file; None where the file does not say, or is no file of ours.

    Raises:
        WeightsError: It is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            metadata = dict(opened.metadata() or {})
    except (OSError, SafetensorError):
        return None
    return history_in(metadata)


def history_metadata(history: ImageHistory | None) -> dict[str, str]:
    """Return the metadata that store the history of a file's weights."""
    return {} if history is None else {HISTORY_KEY: history.to_json()}


def trained_on(data: ImageData, *ancestors: tuple[str, ImageHistory | None]) -> ImageHistory | None:
    """Return the history of weights that were trained on images.

    Args:
        data: The images.
        ancestors: What the training started from or learned from, in words, with its history.
    """
    if data.contents is None:
        return None
    history = data.contents.history()
    for what, ancestor in ancestors:
        history = history.joined(ancestor, what=what)
    return history


def require_unseen(
    history: ImageHistory | None, data: ImageData, *, of: str, say: Say, parts: tuple[str, ...] = ("test",)
) -> Finding:
    """Refuse to evaluate weights on their training images. If these are not known, say so.

    Args:
        history: Of the weights.
        data: Images.
        of: Name of the weights, such as "the teacher x.safetensors".
        say: Told where it is not known.
        parts: Names of the splits that are judged on.

    Raises:
        DataError: Some of the images were trained on.
    """
    from edgenas.data.identity import find_seen

    finding = find_seen(history, data.contents, parts=parts)
    if finding.verdict == "seen":
        seeds = ", ".join(str(seed) for seed in history.seeds) if history is not None else ""
        raise DataError(
            explain(
                f"{of} was trained on images that would judge it: {finding.words}",
                got=f"split by seed {data.contents.seed}" if data.contents is not None else None,
                allowed=f"the splits of its training, by seed {seeds}",
                remedy="Give the images and the data section of its training (data.seed), or other images.",
            )
        )
    if finding.verdict == "unknown":
        say(f"  {of}: {finding.words}")
    return finding
