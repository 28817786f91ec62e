"""The public names of the room, and what importing them costs."""

import subprocess
import sys

import edgenas.data


def test_every_public_name_exists() -> None:
    assert all(hasattr(edgenas.data, name) for name in edgenas.data.__all__)
    assert list(edgenas.data.__all__) == sorted(edgenas.data.__all__, key=lambda name: (not name.isupper(), name))


def test_settings_and_loading_need_no_torch() -> None:
    code = "import sys, edgenas.data; print('torch' in sys.modules, 'sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
