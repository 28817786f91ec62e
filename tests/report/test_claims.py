"""Every sentence of a report follows from a value: what was missed, not run, older or unknown is said so."""

import copy

import pytest

from edgenas.report import write_report
from edgenas.report.plots import progress_plot, write_comparison_plot
from tests.report.documents import DOCUMENTS
from tests.report.test_page import _write


def page(folder, change) -> str:
    documents = copy.deepcopy(DOCUMENTS)
    change(documents)
    _write(folder, documents)
    return write_report(folder).read_text()


def test_a_budget_that_is_missed_is_red_and_says_by_how_much(tmp_path) -> None:
    text = page(tmp_path, lambda d: d["winner.json"].update(file_latency_ms=0.3))
    assert '<b class="bad">0.0300 ms</b><span>budget, MISSED by 0.2702 ms' in text
    assert "budget, met" not in text


def test_a_budget_that_is_met_says_its_error_and_its_margin(tmp_path) -> None:
    text = page(tmp_path, lambda d: None)
    assert '<b class="good">0.0300 ms</b><span>budget, met with 0.0085 ms to spare' in text
    assert "&plusmn; 0.0002 ms" in text


@pytest.mark.parametrize(("again", "word"), [(0.0295, "MISSED by 0.0005"), (0.0285, "met with 0.0005")])
def test_the_larger_of_two_measurements_with_its_error_decides(tmp_path, again: float, word: str) -> None:
    both = {
        "first": {"latency_ms": 0.02, "standard_error_ms": 0.001},
        "again": {"latency_ms": again, "standard_error_ms": 0.001},
    }
    assert word in page(tmp_path, lambda d: d["winner.json"].update(file_latency=both))


def test_a_share_is_compared_with_the_measurement_beside_the_reference_and_both_moments_are_told(tmp_path) -> None:
    both = {
        "first": {"latency_ms": 0.09, "standard_error_ms": 0.001},
        "again": {"latency_ms": 0.04, "standard_error_ms": 0.001},
        "judged": ["again"],
        "budget_ms": 0.06,
    }
    text = page(tmp_path, lambda d: d["winner.json"].update(file_latency=both))
    assert "met with 0.0190 ms" in text
    assert "0.0300 ms when the front was measured, 0.0600 ms when the file was" in text
    assert "when the front was measured" not in page(tmp_path / "plain", lambda d: None)


def test_without_a_budget_nothing_is_met(tmp_path) -> None:
    text = page(tmp_path, lambda d: d["front.json"].update(budget_ms=None))
    assert "no budget was set" in text
    assert "met with" not in text and 'class="good"' not in text


def test_a_random_search_is_spoken_of_only_where_it_was_run(tmp_path) -> None:
    assert "Nothing was run to compare it with." in page(tmp_path, lambda d: None)
    curve = {"evaluations": [1, 2], "hypervolume": [0.1, 0.3]}
    text = page(tmp_path, lambda d: d["search.json"]["progress"].update(random=curve))
    assert "For comparison: random search, at equal cost" in text

    def random_alone(documents) -> None:
        documents["search.json"].update(strategy="random", progress={"random": curve})

    assert "Nothing was run to compare it with." in page(tmp_path, random_alone)


def test_failures_are_told_with_their_reasons(tmp_path) -> None:
    text = page(tmp_path, lambda d: d["search.json"].update(failure_reasons=[{"count": 1, "reason": "did <not> work"}]))
    assert "1 failed" in text and "did &lt;not&gt; work" in text


def test_an_unknown_error_of_the_table_is_said(tmp_path) -> None:
    text = page(tmp_path, lambda d: d["latency/summary.json"].update(validation=None))
    assert "none: the error of this table is not known" in text


def test_all_of_nine_curves_are_drawn_and_no_two_alike(tmp_path, monkeypatch) -> None:
    names = [f"strategy{number}" for number in range(9)]
    curve = {"evaluations": [1, 2], "hypervolume": [0.1, 0.3]}
    text = progress_plot({"progress": dict.fromkeys(names, curve)})
    assert all(name in text for name in names)
    drawn: list[tuple] = []
    from matplotlib.axes import Axes

    plot = Axes.plot

    def seen(self, *values, **style):
        drawn.append((style.get("label"), style.get("color"), style.get("linestyle")))
        return plot(self, *values, **style)

    monkeypatch.setattr(Axes, "plot", seen)
    row = {"low": [0.1, 0.2], "median": [0.1, 0.3], "high": [0.2, 0.4]}
    write_comparison_plot({"strategies": dict.fromkeys(names, row), "seeds": 3}, tmp_path / "plot.png")
    assert [label for label, _, _ in drawn] == names
    assert len({style for _, *style in map(list, drawn) for style in [tuple(style)]}) == 9


HOSTILE = "<script>alert(1)</script>"


def test_html_in_names_is_escaped_everywhere(tmp_path) -> None:
    def hostile(documents) -> None:
        documents["settings.json"]["name"] = HOSTILE
        documents["data.json"].update(source=HOSTILE, notes=[HOSTILE])
        failed = [{"count": 1, "reason": HOSTILE}]
        documents["search.json"].update(space=HOSTILE, strategy=HOSTILE, failure_reasons=failed)
        documents["search.json"]["progress"] = {HOSTILE: {"evaluations": [1], "hypervolume": [0.1]}}
        documents["winner.json"].update(file=HOSTILE, notes=[HOSTILE], warnings=[HOSTILE], reason=HOSTILE)
        documents["winner.json"]["files"][0]["name"] = HOSTILE
        documents["winner.json"]["layers"][0].update(block=HOSTILE, what=HOSTILE)
        documents["latency/summary.json"].update(origin=HOSTILE, warnings=[HOSTILE])

    text = page(tmp_path, hostile)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 12
