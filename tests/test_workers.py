"""Answers come in the order of the tasks, whatever becomes of the processes that work on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgenas.errors import TrainingError
from edgenas.workers import TRIES, Workers


def test_answers_come_in_the_order_of_the_tasks_and_from_several_processes() -> None:
    def work(task: int) -> tuple[int, int]:
        time.sleep(0.1 if task == 0 else 0.0)
        return task * task, os.getpid()

    found = list(Workers(3).each(work, range(7)))
    assert [square for square, _ in found] == [task * task for task in range(7)]
    assert len({pid for _, pid in found}) == 7 and os.getpid() not in {pid for _, pid in found}


def test_one_worker_is_this_process() -> None:
    assert list(Workers().each(lambda task: (task, os.getpid()), [3, 4])) == [(3, os.getpid()), (4, os.getpid())]


@pytest.mark.parametrize("count", [1, 2])
def test_a_training_that_cannot_go_on_is_an_answer_and_any_other_error_is_raised_at_its_place(count: int) -> None:
    def work(task: int) -> int:
        if task == 1:
            raise TrainingError("the loss is not finite.")
        if task == 3:
            raise ValueError("a mistake of the program")
        return task

    seen = []
    with pytest.raises(ValueError, match="a mistake"):
        for answer in Workers(count).each(work, range(5)):
            seen.append(answer if isinstance(answer, int) else f"{type(answer).__name__} {answer}")
    assert seen == [0, "TrainingError the loss is not finite.", 2]


def test_a_task_whose_process_dies_is_done_again(tmp_path: Path) -> None:
    def work(task: int) -> int:
        mark = tmp_path / f"{task}-{len(list(tmp_path.glob(f'{task}-*')))}"
        mark.touch()
        if task == 1 and mark.name != f"1-{TRIES - 1}":
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    assert list(Workers(2).each(work, range(4))) == [0, 1, 2, 3]
    assert len(list(tmp_path.glob("1-*"))) == TRIES and len(list(tmp_path.glob("3-*"))) == 1


def test_a_task_that_kills_every_process_is_an_error_with_its_log() -> None:
    def work(task: int) -> int:
        if task == 1:
            print("out of memory, says the driver\x1b[0m", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    first, error, last = Workers(2).each(work, range(3))
    assert (first, last) == (0, 2) and isinstance(error, TrainingError)
    assert "3 processes in a row died" in str(error) and "signal 9; the last it said: out of memory" in str(error)
    assert "\x1b" not in str(error)


def test_an_answer_or_error_that_cannot_be_sent_is_told_in_words() -> None:
    def work(task: int) -> object:
        return (lambda: task) if task else task

    with pytest.raises(RuntimeError, match="function"):
        list(Workers(2).each(work, range(2)))


def test_nobody_is_left_at_work_when_the_answers_are_not_wanted_any_more() -> None:
    def work(task: int) -> int:
        time.sleep(60 if task else 0)
        return os.getpid()

    answers = Workers(3).each(work, range(3))
    next(answers)
    children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "pid="], capture_output=True, text=True).stdout
    assert len(children.split()) >= 2
    begun = time.monotonic()
    answers.close()
    assert time.monotonic() - begun < 30


def test_workers_die_with_a_killed_process(tmp_path: Path) -> None:
    program = (
        "import os, sys, time\nfrom pathlib import Path\nfrom edgenas.workers import Workers\n"
        "def work(task):\n Path(sys.argv[1], str(os.getpid())).touch()\n time.sleep(600)\n"
        "list(Workers(2).each(work, [1, 2]))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)])
    while len(pids := [int(path.name) for path in tmp_path.iterdir()]) < 2:
        time.sleep(0.05)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while any(_is_at_work(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_at_work(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_ctrl_c_does_not_reach_a_worker() -> None:
    def work(task: int) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return task

    assert list(Workers(2).each(work, range(2))) == [0, 1]
