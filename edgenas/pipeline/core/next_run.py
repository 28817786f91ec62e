"""The folder `.next`: a changed configuration works beside the present run, and replaces it when it is finished.

`.next` begins with the files of the run as hard links. So unchanged files are not made again and take no room. Files
are only replaced and never changed in place, so work in `.next` does not touch the run. A command that fails leaves the
run as it was. Its finished stages stay in `.next`, and the next command continues there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgenas import atomic
from edgenas.errors import StoreError
from edgenas.pipeline.core.artifacts import SETTINGS_FILE
from edgenas.pipeline.core.directory import RunDirectory, cannot_write
from edgenas.pipeline.core.stage import RECORD

NEXT = ".next"
_COMMIT = ".commit.json"
_SHARED = ("cache", "store.sqlite")
"""Files that the run and `.next` share: judged networks, and prepared images of the time before the shared cache.

Each entry is stored under the digest of all its inputs.
"""
_PLACE = ("version", "output", "name", "workers")


def settings_of(directory: RunDirectory) -> dict[str, Any] | None:
    """Return the settings that the files of a run belong to; None where there are none, or broken ones."""
    with contextlib.suppress(StoreError):
        return directory.read_json(SETTINGS_FILE)
    return None


def workplace(directory: RunDirectory, settings: Mapping[str, Any]) -> RunDirectory:
    """Return where the stages of a configuration write: in the run, or in `.next` if the run has other settings.

    Args:
        directory: Of the run; locked.
        settings: Of the configuration, plain values.

    Raises:
        StoreError: The folder cannot be written.
    """
    kept = settings_of(directory)
    if kept is None or not directory.has(RECORD) or _chosen(kept) == _chosen(settings):
        return directory
    work = RunDirectory(path=directory.path / NEXT)
    try:
        if not work.path.is_dir():
            _link(directory.path, work.path)
    except OSError as error:
        raise cannot_write(work.path, error) from error
    work.write_json(SETTINGS_FILE, settings)
    return work


def finish(directory: RunDirectory, *, folders: Sequence[str]) -> None:
    """Move the files of `.next` into the run, the settings last.

    Args:
        directory: Of the run; locked.
        folders: Outputs that are folders, replaced as a whole.

    Raises:
        StoreError: It cannot be written. `take_up` completes it later.
    """
    RunDirectory(path=directory.path / NEXT).write_json(_COMMIT, {"folders": list(folders)})
    take_up(directory)


def take_up(directory: RunDirectory) -> None:
    """Complete a `finish` that was killed; do nothing if there was none.

    Raises:
        StoreError: It cannot be written.
    """
    work = directory.path / NEXT
    if not (work / _COMMIT).is_file():
        return
    try:
        for name in RunDirectory(path=work).read_json(_COMMIT)["folders"]:
            if (work / name).is_dir():
                atomic.replace_folder(work / name, directory.path / name)
        files = [path for path in sorted(work.rglob("*")) if path.is_file() and not _stays(path, work)]
        for path in sorted(files, key=lambda path: path.relative_to(work) == Path(SETTINGS_FILE)):
            _move(path, directory.path / path.relative_to(work))
        shutil.rmtree(work)
    except OSError as error:
        raise cannot_write(directory.path, error) from error


def _chosen(settings: Mapping[str, Any]) -> str:
    return atomic.json_text({key: value for key, value in settings.items() if key not in _PLACE})


def _stays(path: Path, work: Path) -> bool:
    inside = path.relative_to(work).parts
    return path.name == _COMMIT or path.is_symlink() or (work / inside[0]).is_symlink()


def _move(path: Path, target: Path) -> None:
    if target.exists() and os.path.samefile(path, target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, target)


def _link(source: Path, target: Path) -> None:
    draft = atomic.draft_of(target)
    try:
        draft.mkdir()
        for entry in sorted(source.iterdir()):
            if entry.name in _SHARED:
                (draft / entry.name).symlink_to(Path("..") / entry.name)
            elif entry.name.startswith(".") or atomic.BROKEN in entry.name or entry.name.startswith("store.sqlite-"):
                continue
            elif entry.is_dir():
                shutil.copytree(entry, draft / entry.name, copy_function=_copy)
            else:
                _copy(entry, draft / entry.name)
        os.replace(draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _copy(source: str | Path, target: str | Path) -> None:
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    shutil.copy2(source, target)  # a file system without hard links
