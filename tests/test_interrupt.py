"""The first Ctrl-C waits for the end of a block, the second one does not; nothing is left of either."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from edgenas.interrupt import Stopped, finishing, out_of_reach, stops_here


def press() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def python_handles_it():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_block_is_finished_and_then_the_program_stops(capfd) -> None:
    done = []
    with pytest.raises(Stopped), finishing("this evaluation"):
        press()
        done.append("rest of the block")
    assert done == ["rest of the block"]
    assert "stopping after this evaluation; Ctrl-C again stops at once" in capfd.readouterr().err


def test_a_second_time_stops_at_once_and_a_later_block_begins_anew() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, finishing("this evaluation"):
        press()
        press()
        pytest.fail("it went on")
    assert not isinstance(caught.value, Stopped)
    with finishing("the next one"):
        pass


def test_without_ctrl_c_a_block_is_a_block() -> None:
    with finishing("this evaluation"):
        found = stops_here()
    assert found is False


def test_an_error_of_the_block_is_told_and_not_the_stop() -> None:
    with pytest.raises(ValueError, match="broken"), finishing("this evaluation"):
        press()
        raise ValueError("broken")
    with finishing("the next one"):
        assert not stops_here()


def test_of_blocks_in_blocks_the_outermost_is_finished_and_only_there_it_stops() -> None:
    seen = []
    with pytest.raises(Stopped), finishing("this evaluation"):
        with finishing("this step"):
            press()
            seen.append(stops_here())
        seen.append(stops_here())
    assert seen == [False, True]


def test_outside_of_a_block_it_stops_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        press()


def test_a_program_that_handles_the_signal_itself_keeps_its_handler() -> None:
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with finishing("this evaluation"):
            press()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_a_thread_beside_the_main_one_may_use_blocks_too() -> None:
    done = []

    def work() -> None:
        with finishing("this evaluation"):
            done.append(stops_here())

    for block in (work, lambda: None):
        with finishing("the main one"):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            block()
    assert done == [False, False, False]


def test_a_process_that_is_started_out_of_reach_does_not_hear_it() -> None:
    program = "import sys\nprint('up', flush=True)\nprint(sys.stdin.readline())"
    with out_of_reach():
        child = subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, stderr=-1, text=True)
    assert child.stdout is not None and child.stdout.readline() == "up\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate("still here\n")[0] == "still here\n\n"
    assert child.returncode == 0
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
