"""The public names of the room, and what importing them costs."""

import subprocess
import sys

import edgenas.train


def test_every_public_name_exists() -> None:
    assert all(getattr(edgenas.train, name) is not None for name in edgenas.train.__all__)


def test_settings_need_no_torch() -> None:
    code = "import sys, edgenas.train; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
