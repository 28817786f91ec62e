"""Registries: names, lazy entries, and what installed packages add."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgenas.errors import ConfigError, PluginError
from edgenas.registry import Registry, forget_entry_points


def install(folder: Path, package: str, points: str, code: str = "") -> None:
    """Lay a package into a folder as an installer would."""
    about = folder / f"{package}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(points)
    (folder / f"{package}.py").write_text(code)


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    forget_entry_points()
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("toy"):
            del sys.modules[name]
    forget_entry_points()


def colours(**entries: object) -> Registry[str]:
    return Registry(
        "colour",
        group="edgenas.test_colours",
        entries=entries or {"red": "string:digits"},
        check=lambda found: isinstance(found, str),
        expected="a text",
    )


def test_an_entry_of_edgenas_is_imported_when_it_is_asked_for():
    registry = colours(red="string:digits", broken="no.such.module:x")
    assert registry["red"] == "0123456789"
    assert list(registry) == ["red", "broken"] and "broken" in registry and len(registry) == 2


def test_an_unknown_name_is_refused_with_the_nearest_and_all_that_are_allowed():
    with pytest.raises(ConfigError, match=r"unknown colour \(did you mean 'red'\?\); got 'rad'; allowed: red\."):
        colours()["rad"]


def test_a_package_adds_an_entry(site):
    install(site, "toyred", "[edgenas.test_colours]\nblue = toyred:BLUE\n", "BLUE = 'azure'\n")
    registry = colours()
    assert registry.names() == ("red", "blue")
    assert "toyred" not in sys.modules
    assert registry["blue"] == "azure"
    assert (registry.origin("blue"), registry.origin("red")) == ("toyred 1.0", "edgenas")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import nothing_of_that_name\n", "cannot be imported; got ModuleNotFoundError"),
        ("1 / 0\n", "cannot be imported; got ZeroDivisionError"),
        ("", "cannot be imported; got AttributeError"),
        ("BLUE = 3\n", "is none; got int in toyred:BLUE; allowed: a text"),
    ],
)
def test_a_broken_package_is_named(site, code, message):
    install(site, "toyred", "[edgenas.test_colours]\nblue = toyred:BLUE\n", code)
    registry = colours()
    assert registry["red"] == "0123456789"
    with pytest.raises(PluginError, match=f"the colour 'blue' of the package toyred 1.0 {message}"):
        registry["blue"]


def test_an_interrupt_while_a_package_is_imported_stays_an_interrupt(site):
    install(site, "toyred", "[edgenas.test_colours]\nblue = toyred:BLUE\n", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        colours()["blue"]


def test_a_package_may_not_take_a_name_of_edgenas(site):
    install(site, "toyred", "[edgenas.test_colours]\nred = toyred:RED\n")
    with pytest.raises(PluginError, match="'red' of edgenas and of toyred 1.0"):
        colours().names()


def test_two_packages_may_not_claim_one_name(site):
    install(site, "toyone", "[edgenas.test_colours]\nblue = toyone:B\n")
    install(site, "toytwo", "[edgenas.test_colours]\nblue = toytwo:B\n")
    with pytest.raises(PluginError, match="'blue' of toyone 1.0 and of toytwo 1.0"):
        colours().names()
