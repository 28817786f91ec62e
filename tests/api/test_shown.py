"""What a person sees of a value: one short line, and a table that escapes what others wrote."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

import edgenas as en

ALLOWED = {"div", "p", "b", "table", "thead", "tbody", "tr", "th", "td"}
EVIL = "<script>alert('x')</script>&"


class Tags(HTMLParser):
    """Collects the tags and the text of some HTML, and sees that they are closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def values(
    data: en.ImageData, space: en.SearchSpace, table: en.LatencyTable, found: en.SearchResult,
    model: en.TrainedNetwork, run: en.Run,
) -> dict[str, Any]:  # fmt: skip
    return {
        "data": data, "space": space, "table": table, "found": found, "best": found.best, "model": model, "run": run,
        "card": run.card, "network": found.best.architecture, "counts": en.count(found.best),
        "prediction": en.predict_latency(found.best, table),
    }  # fmt: skip


def test_a_value_is_one_short_line(values: dict[str, Any]) -> None:
    for name, value in values.items():
        assert len(repr(value)) < 250 and "\n" not in repr(value), name
        assert type(value).__name__ in repr(value), name


def test_a_value_is_a_table_in_a_notebook(values: dict[str, Any]) -> None:
    for name, value in values.items():
        tags = Tags(value._repr_html_())
        assert not tags.open, name
        assert {"table", "tr", "td"} <= tags.seen <= ALLOWED, name


def test_figures_are_in_it(values: dict[str, Any]) -> None:
    found, run, card = values["found"], values["run"], values["card"]
    assert f"{found.best.macs:,}" in found._repr_html_() and "best" in found._repr_html_()
    assert f"{run.summary['budget_ms']:.4f} ms" in run._repr_html_()
    assert f"{100 * card.torch_test.value:.2f} %" in card._repr_html_()
    assert f"{len(values['table'].entries)}" in values["table"]._repr_html_()


def test_what_others_wrote_is_escaped(values: dict[str, Any]) -> None:
    data, table, card = values["data"], values["table"], values["card"]
    file = replace(card.files[0], name=EVIL)
    for value in (
        replace(data, classes=(EVIL, *data.classes[1:]), notes=(EVIL,)),
        replace(table, device=replace(table.device, cpu=EVIL), build=replace(table.build, space=EVIL)),
        replace(card, files=(file,), notation=EVIL),
    ):
        html = value._repr_html_()
        assert EVIL in Tags(html).text and "<script>" not in html


def test_no_name_of_others_breaks_the_line(values: dict[str, Any]) -> None:
    table, card = values["table"], values["card"]
    evil = "a\nb\x1b[31m"
    for value in (
        replace(table, device=replace(table.device, cpu=evil), build=replace(table.build, space=evil)),
        replace(card, files=(replace(card.files[0], name=evil),)),
    ):
        assert repr(value).isprintable()


def test_networks_are_still_compared_by_value(values: dict[str, Any]) -> None:
    network = values["network"]
    assert network == replace(network) and network != replace(network, classes=network.classes + 1)
