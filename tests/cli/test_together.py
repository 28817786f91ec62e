"""The commands that torchrun can start several times: one process writes and prints, and Ctrl-C ends all of them."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.train.together.test_together import ended, start

CONFIGURATION = """
name: pair
threads: 1
checkpoint_minutes: 0.0001
space: {name: tiny}
data: {train_limit: 160, validation_limit: 60, test_limit: 60}
supernet: {epochs: 2, batch_size: 32}
train: {epochs: 40, batch_size: 32}
"""
NETWORK = "r8 | stem_k3_s1_c8_re | mb_k3_s2_x2_c8_re | head_c16_re | n10"


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    (tmp_path / "pair.yaml").write_text(CONFIGURATION)
    return tmp_path


@pytest.mark.slow
def test_a_training_of_two_processes_is_interrupted_and_continued(configuration: Path) -> None:
    command = ("-m", "edgenas", "train", NETWORK, "pair.yaml", "--out", "out")
    processes = start(configuration, *command)
    for _ in range(1200):
        if list(configuration.glob("out/state/checkpoint.json")):
            break
        time.sleep(0.05)
    for process in processes:
        process.send_signal(signal.SIGINT)
    told = [process.communicate(timeout=100) for process in processes]
    assert [process.returncode for process in processes] == [130, 130], told
    assert "To continue:\n  torchrun --nproc-per-node=2 --no-python python -m edgenas train 'r8 " in told[0][1]
    assert told[1][0] == "" and "To continue" not in told[1][1] and "Traceback" not in told[1][1]
    facts = json.loads((configuration / "out/state/checkpoint.json").read_text())
    assert 0 < facts["budget"]["step"] < 200
    told = ended(start(configuration, *command))
    assert "validation accuracy" in told[0][0] and told[1][0] == ""
    assert len(json.loads((configuration / "out/training.json").read_text())["history"]) == 40
    assert (configuration / "out/model.safetensors").is_file()


def test_a_supernet_of_two_processes_is_trained_once(configuration: Path) -> None:
    told = ended(start(configuration, "-m", "edgenas", "supernet", "train", "pair.yaml"))
    assert "supernet: done in" in told[0][0] and told[1][0] == ""
    found = json.loads((configuration / "runs/pair/supernet/training.json").read_text())
    assert found["processes"] == 2 and len(found["history"]) == 2


def test_a_command_for_one_process_is_refused_by_all(configuration: Path) -> None:
    processes = start(configuration, "-m", "edgenas", "run", "pair.yaml")
    told = [process.communicate(timeout=100) for process in processes]
    assert [process.returncode for process in processes] == [2, 2]
    assert told[0][1].startswith("error: this command is for one process")
    assert told[1][1].startswith("process 1: error: this command is for one process")
