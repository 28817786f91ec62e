"""Worker processes: work on several tasks at once, whose results come in the order of the tasks.

A worker is a copy of this process that does one task and ends. So it sees all that is loaded here, and nothing that it
changes is seen here but its answer and the files that it writes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import IO, Any, TypeVar

from edgenas.errors import DeviceError, TrainingError, explain
from edgenas.interrupt import out_of_reach
from edgenas.text import printable

Task = TypeVar("Task")
Answer = TypeVar("Answer")

TRIES = 3
"""Processes that may die of one task before it counts as failed."""
_LAST_LINES = 5
_DIES_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux."""


class Workers:
    """How many tasks are worked on at once.

    The results do not depend on the number: they come in order, and a task knows nothing of the others.
    """

    def __init__(self, count: int = 1) -> None:
        """Keep the number.

        Args:
            count: Processes; 1 works in this process itself.

        Raises:
            DeviceError: This system cannot copy a process.
        """
        if count > 1 and "fork" not in multiprocessing.get_all_start_methods():
            raise DeviceError(explain("this system has no worker processes", got=count, allowed="workers.count: 1"))
        self.count = count

    def each(self, work: Callable[[Task], Answer], tasks: Sequence[Task]) -> Iterator[Answer | TrainingError]:
        """Yield what becomes of every task, in the order of the tasks: its answer, or why it cannot be done.

        A task whose process dies is done again. After `TRIES` deaths it cannot be done, and the error holds what the
        last process printed.

        Args:
            work: Called with one task; of what it changes, only its answer and its files remain.
            tasks: Any number.

        Raises:
            Exception: What else `work` raised, at the place of its task.
        """
        if self.count == 1 or len(tasks) < 2:
            for task in tasks:
                try:
                    answer = work(task)
                except TrainingError as error:
                    yield error
                else:
                    yield answer
            return
        at_work: dict[int, _Worker] = {}
        waiting, tries = deque(range(len(tasks))), Counter[int]()
        done: dict[int, tuple[bool, Any]] = {}  # whether it went well, and the answer or error
        try:
            for place in range(len(tasks)):
                while place not in done:
                    while waiting and len(at_work) < self.count:
                        number = waiting.popleft()
                        at_work[number] = _Worker(work, tasks[number])
                    for number in _ready(at_work):
                        worker = at_work.pop(number)
                        found = worker.answer()
                        tries[number] += 1
                        if found is not None:
                            done[number] = found
                        elif tries[number] < TRIES:
                            waiting.appendleft(number)
                        else:
                            done[number] = False, worker.death()
                        worker.end()
                good, result = done.pop(place)
                if not good and not isinstance(result, TrainingError):
                    raise result
                yield result
        finally:
            for worker in at_work.values():
                worker.end()


class _Worker:
    """A process that works on one task."""

    def __init__(self, work: Callable[[Any], Any], task: Any) -> None:
        context = multiprocessing.get_context("fork")
        self._answers, sending = context.Pipe(duplex=False)
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # `end` closes it
        arguments = (work, task, sending, self._log.fileno(), os.getpid())
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        sys.stdout.flush()
        sys.stderr.flush()
        # Ctrl-C is for the process that tells workers what to do.
        with out_of_reach():
            self._process.start()
        sending.close()

    @property
    def connection(self) -> Connection:
        """Where its answer comes."""
        return self._answers

    def answer(self) -> tuple[bool, Any] | None:
        """Return whether it went well with its answer or error; None where the process has died."""
        try:
            found: tuple[bool, Any] = self._answers.recv()
            return found
        except (EOFError, OSError):
            return None

    def death(self) -> TrainingError:
        """Say how it died, with the last lines that it printed."""
        self._process.join()
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()[-_LAST_LINES:]
        code = self._process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        said = f"; the last it said: {printable(' / '.join(lines))[-1500:]}" if lines else ""
        return TrainingError(f"{TRIES} processes in a row died at this task, the last one of {how}{said}")

    def end(self) -> None:
        """End the process if it is still at work, and let go of what it had."""
        self._process.kill()
        self._process.join()
        self._answers.close()
        self._log.close()


def _ready(at_work: dict[int, _Worker]) -> list[int]:
    """Wait until a worker has answered or died, and return the tasks of those that have, in order."""
    ready = wait([worker.connection for worker in at_work.values()])
    return sorted(number for number, worker in at_work.items() if worker.connection in ready)


def _work(work: Callable[[Any], Any], task: Any, sending: Connection, log: int, parent: int) -> None:
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with(parent)
    for stream in (1, 2):
        os.dup2(log, stream)
    sys.stdout = sys.stderr = os.fdopen(log, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    try:
        answer = True, work(task)
    except Exception as error:
        answer = False, error
    try:
        sending.send(answer)
    except BrokenPipeError:
        return  # nobody waits for it
    except Exception as error:
        # What cannot be sent is told in words.
        sending.send((False, RuntimeError(f"{type(answer[1]).__name__}: {answer[1]} ({error})")))


def _end_with(parent: int) -> None:
    """Let this process be killed with its parent: a killed run must leave none that writes."""
    with suppress(OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
