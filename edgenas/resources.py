"""Finding the files that ship with the code: latency tables, configurations and recipes, in a checkout or from a wheel.
"""

from __future__ import annotations

from pathlib import Path

KINDS = ("latency_tables", "configs", "export")

_PACKAGE = Path(__file__).resolve().parent


def resource_folder(kind: str) -> Path | None:
    """Return the folder of a kind of shipped files, or None where it was not installed.

    A checkout has them at its top level; a wheel carries them in `edgenas/_shipped`.

    Args:
        kind: One of `KINDS`.
    """
    assert kind in KINDS, kind
    for folder in (_PACKAGE / "_shipped" / kind, _PACKAGE.parent / kind):
        # Only a checkout has pyproject.toml there. An installed package has other packages beside it.
        if folder.is_dir() and (folder.parent.name == "_shipped" or (_PACKAGE.parent / "pyproject.toml").is_file()):
            return folder
    return None


def resource_files(kind: str, pattern: str) -> tuple[Path, ...]:
    """Return the shipped files of a kind that match a pattern, sorted.

    Args:
        kind: One of `KINDS`.
        pattern: As of `Path.rglob`, such as `*.yaml`.
    """
    folder = resource_folder(kind)
    return tuple(sorted(folder.rglob(pattern))) if folder else ()


def find_resource(kind: str, name: str) -> Path | None:
    """Return the path of a shipped file, or None.

    Args:
        kind: One of `KINDS`.
        name: Its name within the folder, such as `quickstart.yaml`.
    """
    folder = resource_folder(kind)
    path = folder / name if folder else None
    return path if path is not None and path.is_file() else None
