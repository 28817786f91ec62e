"""Two processes train together as one does: the same losses, the same weights in both, and one of them writes."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgenas.supernet import SupernetSettings
from tests.train.together import two

ROOT = Path(__file__).parents[3]


def start(folder: Path, *command: str) -> list[subprocess.Popen[str]]:
    """Start two processes as torchrun does, on one host."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2",
            "LOCAL_WORLD_SIZE": "2", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": ""}  # fmt: skip
    return [
        subprocess.Popen(
            [sys.executable, *command], cwd=folder, env={**base, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[str, str]]:
    """Return what the processes printed, to both streams."""
    told = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    return told


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("two")
    ended(start(folder, str(Path(two.__file__)), str(folder)))
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def test_the_losses_are_those_of_one_process_at_the_same_batch(results: list[dict[str, Any]]) -> None:
    # Batch norm sees a part of the batch in both: that of a process, or one of two parts.
    alone = two.trained(replace(two.SETTINGS, accumulation=2), None)
    for found in results:
        assert found["plain"]["losses"] == pytest.approx(alone["losses"], abs=1e-4)
        assert found["plain"]["accuracies"] == pytest.approx(alone["accuracies"], abs=0.02)
        assert found["plain"]["validation"] == pytest.approx(alone["validation"], abs=0.1)
    whole = two.trained(two.SETTINGS, None)
    assert whole["losses"] != pytest.approx(alone["losses"], abs=1e-4)


def test_random_changes_of_images_are_those_of_one_process(results: list[dict[str, Any]]) -> None:
    alone = two.trained(replace(two.AUGMENTED, accumulation=2), None)
    for found in results:
        assert found["augmented"]["losses"] == pytest.approx(alone["losses"], abs=1e-4)
        assert found["augmented"]["losses"] != pytest.approx(found["plain"]["losses"], abs=1e-4)


@pytest.mark.parametrize("scheme", ["sandwich", "progressive"])
def test_so_are_those_of_a_supernet(results: list[dict[str, Any]], scheme: str) -> None:
    train = replace(two.SETTINGS, accumulation=2, averaging_decay=0.9)
    alone = two.shared(SupernetSettings(scheme=scheme, train=train))
    for found in results:
        assert found[scheme]["losses"] == pytest.approx(alone["losses"], abs=1e-4)


@pytest.mark.parametrize("job", ["plain", "everything", "sandwich", "progressive", "resumed"])
def test_both_processes_have_the_same_weights_to_the_bit(results: list[dict[str, Any]], job: str) -> None:
    first, second = (found[job] for found in results)
    assert first["digest"] == second["digest"] and first["losses"] == second["losses"]


def test_gradients_are_those_of_distributed_data_parallel(results: list[dict[str, Any]]) -> None:
    assert all(found["gradients"]["difference"] < 1e-6 for found in results)


def test_judging_is_shared_out_and_every_process_knows_the_whole(results: list[dict[str, Any]]) -> None:
    for job in ("plain", "everything"):
        assert results[0][job]["validation"] == results[0][job]["alone"] == results[1][job]["validation"]


def test_a_training_killed_within_an_epoch_goes_on_to_the_same_weights(results: list[dict[str, Any]]) -> None:
    assert [found["resumed"]["digest"] for found in results] == [results[0]["plain"]["digest"]] * 2
    assert all(3 < found["resumed"]["first_step"] <= 7 for found in results)


def test_a_finished_training_is_not_trained_again(results: list[dict[str, Any]]) -> None:
    assert all(found["again"]["first_step"] is None for found in results)
    assert all(found["again"]["digest"] == found["plain"]["digest"] for found in results)


def test_what_several_processes_cannot_do_is_refused(results: list[dict[str, Any]]) -> None:
    for found in results:
        assert "too few images for each process; got batches of 3 for 2 processes" in found["few"]
        assert "train.seconds ends the training of one process only" in found["clock"]


def test_values_are_weighted_by_images_and_words_are_handed_on(results: list[dict[str, Any]]) -> None:
    for found in results:
        # (1 * 1 + 2 * 2) / 3 of the values of process 0.
        assert found["combined"] == pytest.approx([5 / 3 * value for value in range(5)])
        assert found["told"] == "word" and found["agreed"] == [False, True]
