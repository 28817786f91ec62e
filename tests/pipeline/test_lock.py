"""One writer at a time; the lock is gone with its process, however that ended."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from edgenas.errors import StoreError
from edgenas.pipeline.core.lock import locked

HOLDER = """
import os, sys, time
from pathlib import Path
from edgenas.pipeline.core.lock import locked
with locked(Path(sys.argv[1])):
    child = os.fork() if sys.argv[2] == "forks" else 1
    if child:
        print(child, flush=True)
    time.sleep(600)
"""


def _holder(folder, kind: str = "alone") -> tuple[subprocess.Popen, int]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder), kind], stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def test_a_second_writer_is_told_who_holds_the_lock(tmp_path) -> None:
    process, _ = _holder(tmp_path)
    said = rf"another process is writing.*process {process.pid} on "
    with pytest.raises(StoreError, match=said) as caught, locked(tmp_path):
        pass
    assert re.search(r"since \d{4}-", str(caught.value))
    process.kill()
    process.wait()
    with locked(tmp_path) as held:
        assert held


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_outlives_its_killed_parent_does_not_keep_the_lock(tmp_path) -> None:
    process, child = _holder(tmp_path, "forks")
    time.sleep(0.2)
    process.kill()
    process.wait()
    try:
        with locked(tmp_path) as held:
            assert held
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_same_process_cannot_write_twice_at_once_either(tmp_path) -> None:
    with locked(tmp_path), pytest.raises(StoreError, match=f"process {os.getpid()} on"), locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_needs_no_lock(tmp_path, monkeypatch) -> None:
    def read_only(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", read_only)
    with locked(tmp_path) as held:
        assert not held


def test_a_training_waits_for_no_other_writer_of_its_folder(tmp_path) -> None:
    import edgenas as en

    process, _ = _holder(tmp_path)
    try:
        with pytest.raises(StoreError, match=rf"another process is writing.*process {process.pid} on "):
            en.train(
                "r8_i1 | stem_k3_s1_c8_re | mb_k3_x16_c8_re | head_c32_re | n10", config="quickstart",
                epochs=1, folder=tmp_path, say=lambda text: None,
            )  # fmt: skip
    finally:
        process.kill()
        process.wait()
