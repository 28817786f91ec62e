"""`edgenas weights`."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from edgenas.cli.main import app
from edgenas.errors import WeightsError
from tests.nn.test_foreign import torchvision_v3


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["weights", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def test_the_list_names_the_weights_of_a_network() -> None:
    lines = printed("list", "--network", "efficientnet_lite1")
    assert "pypi:efficientnet-lite1" in lines and "timm:tf_efficientnet_lite1.in1k" in lines and "lite0" not in lines


def test_show_prints_all_that_is_known() -> None:
    lines = printed("show", "timm:tf_efficientnet_b0.aa_in1k")
    for text in ("Apache-2.0", "827b6e33", "76.834 %", "224 pixels", "0.485 0.456 0.406", "0.229 0.224 0.225",
                 "bicubic", "0.875", "same", "0.001", "squeeze-excite after", "github.com", "no\n"):  # fmt: skip
        assert text in lines


def test_fetch_without_a_network_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setenv("https_proxy", "")
    with pytest.raises(WeightsError, match="cannot fetch timm:mnasnet_small.lamb_in1k.*Network is unreachable"):
        printed("fetch", "mnasnet_small")


def test_check_tells_what_a_file_holds(tmp_path: Path) -> None:
    torch.save({"model": torchvision_v3()}, tmp_path / "mine.pth")
    lines = printed("check", str(tmp_path / "mine.pth"), "--network", "mobilenet_v3_small")
    assert "fits: 210 arrays" in lines and "padding symmetric" in lines and "not a known file" in lines
    with pytest.raises(WeightsError, match="another network"):
        printed("check", str(tmp_path / "mine.pth"), "--network", "mobilenet_v3_large")
