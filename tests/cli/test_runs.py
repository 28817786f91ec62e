"""`edgenas runs` and `edgenas store verify` on runs that lie there finished, stopped, at work and damaged."""

from __future__ import annotations

import csv
import json
import sqlite3
import zipfile
from pathlib import Path

import pytest

import edgenas as en
from edgenas.errors import InputError, StoreError
from edgenas.pipeline.core.lock import locked
from edgenas.study import Context, Evaluation, Failure, Metric, open_store
from tests.cli.test_main import run

SETTINGS = {"version": "0.1.0", "seed": 0, "search": {"strategy": "nsga2", "store": None}, "scale": {"phi": None}}


def entry(digest: str, accuracy: float) -> dict[str, object]:
    metric = {"value": accuracy, "standard_error": 0.01, "unit": "1", "source": "inherited"}
    return {"digest": digest, "genes": [1, 2], "metrics": {"accuracy": metric}, "fidelity": 1.0, "seconds": 0.5}


def stage(seconds: float) -> dict[str, object]:
    return {"fingerprint": "f", "outputs": {}, "seconds": seconds}


def make_run(folder: Path, *stages: str, finished: bool = False) -> Path:
    """The files of a run that the commands read."""
    folder.mkdir(parents=True)
    networks = [entry("a", 0.75), entry("b", 0.5), {"failure": "x", "digest": "c"}]
    search = {"judged": 2, "front": [0], "evaluations": networks}
    summary = {"evaluations": 2, "accuracy": 0.8, "latency_ms": 1.25, "budget_ms": 1.5}
    documents = {"stages.json": {name: stage(1.5) for name in stages}, "settings.json": SETTINGS}
    documents |= {"search.json": search} if "search" in stages else {}
    documents |= {"summary.json": summary, "winner.json": {"digest": "a"}, "front.json": {}} if finished else {}
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document))
    return folder


ALL = ("data", "table", "supernet", "search", "front", "winner", "report")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    make_run(folder / "done", *ALL, finished=True)
    make_run(folder / "stopped", "data", "table")
    make_run(folder / "untrained", "data", "table", "search")
    (make_run(folder / "torn", "data") / "settings.json").write_text("{")
    (folder / "letters").mkdir()
    (folder / "letters" / "one.txt").write_text("Dear reader")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_list_says_how_far_each_run_is_and_writes_nothing(runs: Path, monkeypatch, capsys) -> None:
    before = files_of(runs)
    status, output, _ = run(monkeypatch, capsys, "runs", "list", str(runs), "--json")
    found = {each["name"]: each for each in json.loads(output)}
    assert status == 0
    assert {name: each["state"] for name, each in found.items()} == {
        "done": "finished", "stopped": "stopped", "untrained": "stopped", "torn": "damaged"
    }  # fmt: skip
    assert found["stopped"]["waiting"] == ["supernet", "search", "front", "winner", "report"]
    assert found["untrained"]["waiting"] == ["front", "winner", "report"]
    assert (found["done"]["accuracy"], found["done"]["latency_ms"], found["done"]["evaluations"]) == (0.8, 1.25, 2)
    assert "settings.json" in found["torn"]["problem"]
    status, output, _ = run(monkeypatch, capsys, "runs", "list", str(runs))
    assert "stopped before supernet" in output and "80.00 %" in output and "letters" not in output
    assert files_of(runs) == before


def test_a_run_that_a_process_works_on_says_so_and_is_not_deleted(runs: Path, monkeypatch, capsys) -> None:
    with locked(runs / "stopped"):
        assert en.run_info(runs / "stopped").state == "running"
        status, _, errors = run(monkeypatch, capsys, "runs", "delete", str(runs / "stopped"), "--yes")
        assert status == 2 and "another process is writing" in errors
    assert en.run_info(runs / "stopped").state == "stopped"
    assert (runs / "stopped" / "stages.json").is_file()


def test_one_run_is_shown_with_its_stages(runs: Path, monkeypatch, capsys) -> None:
    status, output, _ = run(monkeypatch, capsys, "runs", "show", str(runs / "done"))
    assert status == 0
    assert "finished  winner, 1.5 s" in output and "80.00 % of the test images" in output and "1.2500 ms" in output
    status, output, _ = run(monkeypatch, capsys, "runs", "show", str(runs / "done"), "--json")
    assert json.loads(output)["stages"]["table"] == 1.5


def test_an_export_holds_every_network_with_the_source_of_its_numbers(runs: Path, tmp_path: Path) -> None:
    with en.export_run(runs / "done", tmp_path / "out" / "done.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["digest"], row["metric"], row["value"], row["source"], row["chosen"]) for row in rows] == [
        ("a", "accuracy", "0.75", "inherited", "True"), ("b", "accuracy", "0.5", "inherited", "False"),
        ("c", "", "", "", "False"),
    ]  # fmt: skip
    document = json.loads(en.export_run(runs / "done", tmp_path / "done.json").read_text())
    assert [network["on_front"] for network in document["networks"]] == [True, False, False]
    assert document["settings"] == SETTINGS and document["run"]["state"] == "finished"


def test_an_archive_can_be_opened_as_a_run_and_leaves_out_what_is_not_a_result(runs: Path, tmp_path: Path) -> None:
    for name in ("store.sqlite", "store.sqlite-wal", "cache/images.bin", ".lock", "front.json.broken-1"):
        (runs / "done" / name).parent.mkdir(exist_ok=True)
        (runs / "done" / name).write_text("x")
    files = [en.export_run(runs / "done", tmp_path / name) for name in ("a.zip", "b.zip")]
    assert files[0].read_bytes() == files[1].read_bytes()
    with zipfile.ZipFile(files[0]) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert en.list_runs(tmp_path / "unpacked")[0].state == "finished"
    names = {path.name for path in (tmp_path / "unpacked").rglob("*") if path.is_file()}
    assert names == {"stages.json", "settings.json", "search.json", "summary.json", "winner.json", "front.json"}


def test_an_export_that_cannot_be_made_is_one_clear_error(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="allowed: .csv, .json, .zip"):
        en.export_run(runs / "done", tmp_path / "done.xlsx")
    with pytest.raises(StoreError, match="has no search yet"):
        en.export_run(runs / "stopped", tmp_path / "stopped.csv")
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        en.export_run(runs / "done", tmp_path / "there.csv")
    assert (tmp_path / "there.csv").read_text() == "mine"
    assert en.export_run(runs / "done", tmp_path / "there.csv", force=True).read_text().startswith("digest,")


def test_a_deleted_run_is_gone_with_all_its_files_and_no_other_is(runs: Path, monkeypatch, capsys) -> None:
    before = files_of(runs)
    status, _, errors = run(monkeypatch, capsys, "runs", "delete", str(runs / "done"))
    assert status == 2 and "--yes" in errors and files_of(runs) == before
    status, output, _ = run(monkeypatch, capsys, "runs", "delete", str(runs / "done"), "--yes", "--json")
    assert status == 0 and json.loads(output)["deleted"] == str(runs / "done")
    assert files_of(runs) == {name: data for name, data in before.items() if "/done/" not in name}
    assert sorted(entry.name for entry in runs.iterdir()) == ["letters", "stopped", "torn", "untrained"]


def test_a_deletion_that_was_killed_leaves_nothing_that_looks_like_a_run(runs: Path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            en.delete_run(runs / "done")
    assert "done" not in {each.name for each in en.list_runs(runs)}


@pytest.mark.parametrize("command", ["show", "delete"])
def test_a_folder_that_is_no_run_is_never_touched(runs: Path, monkeypatch, capsys, command: str) -> None:
    more = ("--yes",) if command == "delete" else ()
    for name in ("letters", "nowhere"):
        status, _, errors = run(monkeypatch, capsys, "runs", command, str(runs / name), *more)
        assert status == 2 and "is no run directory" in errors
    assert (runs / "letters" / "one.txt").is_file()
    status, _, errors = run(monkeypatch, capsys, "runs", "list", str(runs / "nowhere"))
    assert status == 2 and "no folder of runs" in errors


def fill(place: Path) -> None:
    store = open_store(place)
    metrics = (("accuracy", Metric(value=0.5)),)
    store.put_many({str(n): Evaluation(digest=str(n), genes=(n,), metrics=metrics) for n in range(30)},
                   context=Context(evaluator="e"))  # fmt: skip
    store.put_many({"f": Failure(reason="no")})
    store.close()


def test_the_store_of_a_run_is_verified_and_repaired(runs: Path, monkeypatch, capsys) -> None:
    place = runs / "done" / "store.sqlite"
    fill(place)
    status, output, _ = run(monkeypatch, capsys, "store", "verify", str(runs / "done"))
    assert status == 0 and "30 evaluations and 1 failures are whole" in output and "nothing is damaged" in output
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE outcomes SET outcome = replace(outcome, '0.5', '0.6') WHERE key = '7'")
    status, output, _ = run(monkeypatch, capsys, "store", "verify", str(place))
    assert status == 1 and "damaged   7 its digest does not match" in output and "remedy    --repair" in output
    status, output, _ = run(monkeypatch, capsys, "store", "verify", str(place), "--json")
    assert status == 1 and [each["kind"] for each in json.loads(output)["damage"]] == ["digest"]
    status, output, _ = run(monkeypatch, capsys, "store", "verify", str(place), "--repair")
    assert status == 0 and "repaired  7 its digest" in output and "29 evaluations" in output
    assert run(monkeypatch, capsys, "store", "verify", str(place))[0] == 0


def test_a_store_that_is_not_there_is_an_error_without_its_password(tmp_path: Path, monkeypatch, capsys) -> None:
    status, _, errors = run(monkeypatch, capsys, "store", "verify", str(tmp_path / "none.sqlite"))
    assert status == 2 and "there is no store" in errors and not list(tmp_path.iterdir())
    for option in ((), ("--json",), ("--repair",)):
        status, output, errors = run(
            monkeypatch, capsys, "store", "verify", "postgresql://me:secret@localhost:1/x", *option
        )
        assert status == 2 and "secret" not in output + errors
