"""Eight writers on one store, in small; `benchmarks/store_writers.py` is the whole."""

from benchmarks.store_writers import CONTEXT, digests, evaluation, measured
from edgenas.study import open_store


def test_eight_writers_lose_nothing_and_store_nothing_twice(tmp_path) -> None:
    found = measured(str(tmp_path / "s.sqlite"), writers=8, count=100)
    assert (found["stored"], found["lost"], found["twice"], found["failed_writers"]) == (8 * 90 + 10, 0, 0, 0)


def test_the_count_of_the_lost_finds_a_loss_and_a_change(tmp_path, monkeypatch) -> None:
    """A writer that does its work badly is found out by the same count."""
    store, names = open_store(tmp_path / "s.sqlite"), digests(0, 30)
    store.put_many({CONTEXT.key(name): evaluation(name) for name in names[2:]}, context=CONTEXT)
    store.put_many({CONTEXT.key(names[1]): evaluation(names[2])}, context=CONTEXT)
    store.close()
    monkeypatch.setattr("benchmarks.store_writers.subprocess.Popen", Idle)
    found = measured(str(tmp_path / "s.sqlite"), writers=1, count=30)
    assert (found["lost"], found["damaged"]) == (2, 1)


class Idle:
    """A process that writes nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        self.stdin = self

    def write(self, _: bytes) -> None:
        pass

    close = wait = lambda self: 0
