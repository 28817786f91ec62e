"""One writer at a time; the lock is gone with its process, however that ended."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from edgenas.errors import StoreError
from edgenas.pipeline.core.lock import locked, writing, writing_beside

HOLDER = """
import os, sys, time
from pathlib import Path
from edgenas.pipeline.core.lock import locked, writing_beside
hold = writing_beside if sys.argv[2] == "beside" else locked
with hold(Path(sys.argv[1])):
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


def test_a_lock_beside_its_target_is_gone_afterwards_and_free_when_its_process_was_killed(tmp_path) -> None:
    target = tmp_path / "new" / "bundle"
    with writing_beside(target):
        assert [entry.name for entry in target.parent.iterdir()] == [".bundle.lock"]
    assert list(target.parent.iterdir()) == []
    process, _ = _holder(target, "beside")
    try:
        said = rf"another process is writing to .*bundle.*process {process.pid} on "
        with pytest.raises(StoreError, match=said), writing_beside(target):
            pass
    finally:
        process.kill()
        process.wait()
    with writing_beside(target):
        pass
    assert list(target.parent.iterdir()) == []


WRITER = """
import sys
from pathlib import Path
from edgenas.errors import StoreError
from edgenas.pipeline.core.lock import writing_beside
target, done = Path(sys.argv[1]), 0
while done < 60:
    try:
        with writing_beside(target):
            before = int(target.read_text() or 0) if target.exists() else 0
            target.write_text(str(before + 1))
            done += 1
    except StoreError:
        pass
"""


def test_writers_that_take_turns_never_hold_the_lock_together(tmp_path) -> None:
    target = tmp_path / "count"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(target)]) for _ in range(4)]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0, 0]
    assert target.read_text() == "240"


NETWORK = "r8_i1 | stem_k3_s1_c8_re | mb_k3_x16_c8_re | head_c32_re | n10"


def test_every_command_that_writes_one_thing_refuses_a_second_writer(tmp_path, monkeypatch) -> None:
    import edgenas as en
    from edgenas.api.reuse.scale import ScaledNetwork

    monkeypatch.setattr("edgenas.measure.build_table", lambda *_, **__: pytest.fail("it measured"))
    monkeypatch.setattr("edgenas.measure.validate_table", lambda *_, **__: pytest.fail("it measured"))
    monkeypatch.setattr("edgenas.pipeline.commands.scale.fit_coefficients", lambda *_, **__: pytest.fail("it trained"))
    monkeypatch.setattr("edgenas.api.tables.load_table", lambda _: None)
    member = ScaledNetwork(name="phi1", architecture=en.load_network(NETWORK), phi=1.0)
    beside = {
        "out": lambda out: en.export_untrained(NETWORK, out, recipe="onnx-fp32"),
        "trained": lambda out: en.export("model.safetensors", out=out, config="quickstart", say=lambda text: None),
        "table.json": lambda out: en.measure_table("tiny", out=out),
        "old.json": lambda out: en.validate_table(str(out), space="tiny"),
        "phi1.json": lambda out: member.write(out.parent),
    }
    for name, write in beside.items():
        target = tmp_path / name
        with writing_beside(target), pytest.raises(StoreError, match=f"another process is writing to .*{name}"):
            write(target)
        assert not target.exists()
    with writing(tmp_path / "fits"), pytest.raises(StoreError, match="another process is writing to .*fits"):
        en.fit_scaling(NETWORK, "quickstart", folder=tmp_path / "fits", say=lambda text: None)


def test_the_command_line_says_who_writes_and_leaves_what_is_there(tmp_path, monkeypatch) -> None:
    from typer.testing import CliRunner

    from edgenas.cli.main import app

    monkeypatch.setattr("edgenas.measure.build_table", lambda *_, **__: pytest.fail("it measured"))
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "old.txt").write_text("good")
    commands = {
        "bundle": ["export", NETWORK, "--recipe", "onnx-fp32", "--force", "--out", str(tmp_path / "bundle")],
        "table.json": ["latency", "build", "--space", "tiny", "--out", str(tmp_path / "table.json")],
        "phi1.json": ["scale", NETWORK, "--phi", "1", "--out", str(tmp_path)],
    }
    for name, arguments in commands.items():
        process, _ = _holder(tmp_path / name, "beside")
        try:
            said = CliRunner().invoke(app, arguments)
        finally:
            process.kill()
            process.wait()
        assert isinstance(said.exception, StoreError), (name, said.exception)
        assert re.search(rf"another process is writing to .*{name}.*process {process.pid} on ", str(said.exception))
    assert [entry.name for entry in (tmp_path / "bundle").iterdir()] == ["old.txt"]
    assert not (tmp_path / "table.json").exists() and not (tmp_path / "phi1.json").exists()


def test_a_network_is_not_extracted_while_another_writes_its_file(tmp_path, monkeypatch) -> None:
    import types

    import edgenas as en
    from edgenas.api import supernets

    context = types.SimpleNamespace(
        directory=types.SimpleNamespace(read_json=lambda _: {"preprocessing": {}, "classes": []}, path=tmp_path)
    )
    member = types.SimpleNamespace(weights=lambda: pytest.fail("it wrote"))
    monkeypatch.setattr(supernets, "context_of", lambda *_, **__: context)
    monkeypatch.setattr("edgenas.pipeline.core.artifacts.evaluator", lambda _: types.SimpleNamespace(
        member=lambda _: member))  # fmt: skip
    monkeypatch.setattr("edgenas.pipeline.core.artifacts.space", lambda _: types.SimpleNamespace(encode=lambda _: 0))
    monkeypatch.setattr("edgenas.pipeline.core.seen.history_of", lambda _: None)
    monkeypatch.setattr("edgenas.pipeline.core.seen.history_metadata", lambda _: {})
    target = tmp_path / "member.safetensors"
    with writing_beside(target), pytest.raises(StoreError, match="another process is writing to .*member"):
        en.extract(tmp_path, NETWORK, target)
