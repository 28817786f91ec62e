import copy
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgenas.errors import StoreError
from edgenas.report import write_report
from tests.report.documents import DOCUMENTS

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Balanced(HTMLParser):
    """Checks that every element is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}

    def handle_starttag(self, tag, attrs) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag


def _write(folder: Path, documents: dict) -> None:
    for name, document in documents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(document))


def test_a_report_shows_the_figures_of_the_run_and_all_plots(tmp_path) -> None:
    _write(tmp_path, DOCUMENTS)
    text = write_report(tmp_path).read_text()
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert parser.counts["svg"] == 5
    for figure in ("93.0 %", "0.0213 ms", "1.23 %", "width: 1.0 to 0.5", "-30.0 %", "2 images were skipped."):
        assert figure in text


def test_a_family_is_shown_where_the_configuration_asks_for_one(tmp_path) -> None:
    documents = copy.deepcopy(DOCUMENTS)
    documents["family.json"] = {
        "winner": "r8 | ...",
        "members": [
            {
                "name": "phi1", "test_accuracy": {"value": 0.97, "low": 0.95, "high": 0.98}, "latency_ms": 0.0456,
                "target_share": None, "macs": 2100, "params": 420, "notation": "r10 | ...",
            }
        ],
    }  # fmt: skip
    _write(tmp_path, documents)
    assert "phi1" not in write_report(tmp_path).read_text()
    documents["settings.json"]["scale"] = {"phi": [1.0], "targets_ms": None}
    documents["latency/summary.json"]["warnings"] = ["Its error is no smaller than that of MACs."]
    _write(tmp_path, documents)
    text = write_report(tmp_path).read_text()
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    for shown in ("phi1", "0.0456", "97.0 %", "r10 | ...", "no smaller than that of MACs"):
        assert shown in text


def test_names_from_the_machine_are_escaped(tmp_path) -> None:
    _write(tmp_path, DOCUMENTS)
    text = write_report(tmp_path).read_text()
    assert "Some &lt;CPU&gt;" in text
    assert "Some <CPU>" not in text


def test_a_table_without_validation_says_that_its_error_is_unknown(tmp_path) -> None:
    documents = copy.deepcopy(DOCUMENTS)
    documents["latency/summary.json"]["validation"] = None
    _write(tmp_path, documents)
    assert "the error of this table is not known" in write_report(tmp_path).read_text()


def test_the_same_run_gives_the_same_report(tmp_path) -> None:
    _write(tmp_path, DOCUMENTS)
    first = write_report(tmp_path).read_text()
    assert write_report(tmp_path, tmp_path / "again.html").read_text() == first


def test_a_folder_that_is_no_run_is_named(tmp_path) -> None:
    with pytest.raises(StoreError, match="is not the directory of a finished run"):
        write_report(tmp_path)


def test_a_learned_distribution_is_drawn_with_its_target_and_choices(tmp_path) -> None:
    documents = copy.deepcopy(DOCUMENTS)
    record = {"accuracy": None, "expected_cost": 0.03, "entropy": 1.0, "probabilities": [[0.5, 0.5], [0.2, 0.3, 0.5]]}
    documents["search.json"]["one_shot"] = {
        "method": "tunas", "cost": "latency_ms", "goal": "target", "target": 0.025, "steps": 20, "seconds": 1.5,
        "best": {"digest": "0", "genes": [0, 1], "cost": 0.0251}, "genes": ["width", "stages.0.depth"],
        "history": [{"step": 10, **record}, {"step": 20, **record, "entropy": 0.4}],
    }  # fmt: skip
    _write(tmp_path, documents)
    text = write_report(tmp_path).read_text()
    parser = Balanced()
    parser.feed(text)
    assert parser.open == [] and parser.counts["svg"] == 6
    for figure in ("tunas learned it", "target of 0.025 ms", "costs 0.0251 ms", "stages.0.depth"):
        assert figure in text


def test_the_judgement_of_the_estimators_is_shown_beside_macs(tmp_path) -> None:
    ranks = {"spearman": 0.9, "spearman_low": 0.7, "spearman_high": 0.95, "kendall": 0.75, "seconds_per_network": 0.2,
             "preparation_seconds": 0.0, "gap_points": None, "spearman_within_bands": 0.5,
             "spearman_within_bands_low": 0.1, "spearman_within_bands_high": 0.8}  # fmt: skip
    margin = {"difference": 0.125, "low": 0.015, "high": 0.255}
    nothing = {"difference": None, "low": None, "high": None}
    entries = [
        {**ranks, "name": "macs", "over_macs": None, "over_macs_within_bands": None, "verdict": "the baseline"},
        {**ranks, "name": "supernet", "gap_points": 6.94, "preparation_seconds": 200.4, "over_macs": margin,
         "over_macs_within_bands": margin, "beyond_macs": {"spearman": 0.48, "low": -0.1, "high": 0.82},
         "verdict": "beats MACs"},
        # A constant score orders nothing: its statistics do not exist.
        {**{name: None if name.startswith(("spearman", "kendall")) else value for name, value in ranks.items()},
         "name": "broken", "over_macs": nothing, "over_macs_within_bands": nothing, "verdict": "does not beat MACs"},
    ]  # fmt: skip
    judged = {"macs": [1] * 24, "accuracy": [[0.5, 0.6]] * 24, "ceiling": 0.85, "ceiling_within_bands": None,
              "estimators": entries, "notes": ["Network 3 is left out."], "supernet": "e" * 64}  # fmt: skip
    # What was judged with an older supernet, or with nobody knows which, is not shown.
    for supernet in ("d" * 64, None):
        _write(tmp_path, {**DOCUMENTS, "estimators.json": {**judged, "supernet": supernet}})
        older = write_report(tmp_path).read_text()
        assert "Examined with another supernet" in older
        assert "Network 3 is left out." not in older
    _write(tmp_path, {**DOCUMENTS, "estimators.json": judged})
    text = write_report(tmp_path).read_text()
    parser = Balanced()
    parser.feed(text)
    assert parser.open == [] and parser.counts["svg"] == 6
    figures = ("+0.12", "+0.01 to +0.26", "+0.48", "-0.10 to +0.82", "+6.9", "rho 0.85", "beats MACs", ">200<")
    for figure in (*figures, "Network 3 is left out."):
        assert figure in text
    assert "None" not in text and "nan" not in text


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("front.json", {"networks": "none"}),
        ("search.json", {"evaluations": [1]}),
        ("data.json", {}),
        ("winner.json", []),
    ],
)
def test_a_file_that_was_changed_by_hand_is_one_error(tmp_path, name: str, document: object) -> None:
    _write(tmp_path, {**DOCUMENTS, name: document})
    with pytest.raises(StoreError, match="does not hold|holds no object"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_judged_networks_are_drawn_at_the_pace_at_which_the_front_was_measured(monkeypatch) -> None:
    from matplotlib.axes import Axes

    from edgenas.report.plots import front_plot

    drawn, scatter = [], Axes.scatter

    def keep(axes, latency, *more, **options):
        drawn.append(latency)
        return scatter(axes, latency, *more, **options)

    monkeypatch.setattr(Axes, "scatter", keep)
    documents = copy.deepcopy(DOCUMENTS)
    search, front, winner = (documents[f"{name}.json"] for name in ("search", "front", "winner"))
    for clock in (1.0, 2.0):
        front_plot(search, {**front, "clock": clock}, winner)
    assert drawn[1] == pytest.approx(2 * drawn[0])
