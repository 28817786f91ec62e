"""Paths that no file can have end a command in one line."""

from __future__ import annotations

import subprocess
import sys

import pytest

LONG = "x" * 5000


@pytest.mark.parametrize(
    "command",
    [
        ["show", LONG], ["latency", "check", LONG], ["latency", "predict", LONG, "mobilenet_v2"], ["run", LONG],
        ["config", "check", LONG], ["train", "mobilenet_v2", LONG, "--out", "x"], ["export", LONG, "--check"],
    ],
    ids=lambda command: " ".join(word[:10] for word in command),
)  # fmt: skip
def test_a_path_that_is_too_long_is_one_short_message(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "edgenas", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr[-300:]
    assert "Traceback" not in done.stderr and len(done.stderr) < 2500
