"""`import edgenas as en`: what it offers, that it is lazy, documented and typed."""

from __future__ import annotations

import ast
import inspect
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import edgenas as en

HEAVY = ("torch", "onnx", "onnxruntime", "numpy", "scipy", "sklearn", "matplotlib", "pydantic", "sqlalchemy", "rich")
FUNCTIONS = sorted(name for name in en.__all__ if callable(getattr(en, name)) and name.islower())
CLASSES = sorted(name for name in en.__all__ if inspect.isclass(getattr(en, name)))


def loaded_after(code: str) -> str:
    """Run code in a fresh process, and return which heavy packages it imported."""
    code += f"; import sys; print(sorted({set(HEAVY)!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_the_import_loads_nothing_heavy_and_neither_does_looking_around() -> None:
    assert loaded_after("import edgenas as en; dir(en); en.EdgenasError; help") == "[]"


def test_a_network_is_described_without_torch() -> None:
    assert "torch" not in loaded_after("import edgenas as en; en.count('mobilenet_v3_small')._repr_html_()")


def test_settings_and_a_search_are_at_hand_before_torch_is() -> None:
    assert "torch" not in loaded_after("import edgenas as en; en.load_config('quickstart'); en.search.__doc__")


def test_the_names_are_the_namespace() -> None:
    assert en.__all__ == sorted(en.__all__, key=lambda name: (not name.isupper(), name.islower(), name))
    assert len(set(en.__all__)) == len(en.__all__)
    assert dir(en) == sorted(en.__all__)
    everything: dict[str, object] = {}
    exec("from edgenas import *", everything)
    assert set(everything) - {"__builtins__"} == set(en.__all__)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(str(en.__file__)).read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname or alias.name for line in checked.body for alias in line.names}
    assert seen | {"__version__"} == set(en.__all__)
    assert (Path(str(en.__file__)).parent / "py.typed").is_file()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_job_is_documented_and_typed(name: str) -> None:
    job = getattr(en, name)
    parameters = inspect.signature(job).parameters
    documented = inspect.getdoc(job) or ""
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in parameters.values())
    assert inspect.signature(job).return_annotation is not inspect.Signature.empty
    assert all(parameter in documented for parameter in parameters), f"{name}: {list(parameters)}"
    assert name == "no_progress" or "Raises:" in documented


@pytest.mark.parametrize("name", CLASSES)
def test_a_value_is_documented_with_its_fields(name: str) -> None:
    kind = getattr(en, name)
    documented = inspect.getdoc(kind) or ""
    fields = [field for field in getattr(kind, "__dataclass_fields__", {}) if not field.startswith("_")]
    inherited = {field for base in kind.__mro__[1:] for field in getattr(base, "__dataclass_fields__", {})}
    assert documented
    assert all(field in documented for field in fields if field not in inherited)
    members = [value for key, value in vars(kind).items() if not key.startswith("_") and isinstance(value, property)]
    assert all(inspect.getdoc(member) for member in members)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'serch'"):
        en.serch  # noqa: B018


@pytest.mark.parametrize(("name", "home"), [("search", "search"), ("train", "train"), ("scale", "reuse.scale")])
def test_a_room_with_the_name_of_a_job_is_both(name: str, home: str) -> None:
    import importlib

    room = importlib.import_module(f"edgenas.{name}")
    job = getattr(importlib.import_module(f"edgenas.api.{home}"), name)
    assert getattr(en, name) is room
    assert inspect.signature(room) == inspect.signature(job)
    assert room.__doc__ == job.__doc__
    assert name in pydoc.render_doc(room)
    with pytest.raises(TypeError, match="unexpected keyword"):
        room(nonsense=1)


def test_the_tutorial_names_every_job_beside_its_command() -> None:
    import re

    tutorial = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in tutorial.splitlines() if line.startswith("| `edgenas ")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[2])}
    assert named <= set(en.__all__)
    assert set(FUNCTIONS) - named <= {"load_images", "no_progress"}


def test_every_job_that_a_page_names_is_there() -> None:
    import re

    root = Path(__file__).parents[1]
    pages = [root / "README.md", *(root / "docs").glob("*.md")]
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    named = {(page, name) for page, text in texts.items() for name in re.findall(r"\ben\.([A-Za-z_]+)", text)}
    assert len(named) > 20
    assert not {(page, name) for page, name in named if name not in (*en.__all__, "X")}


def test_the_example_of_the_readme_uses_names_that_are_there() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    block = readme.split("```python\n", 1)[1].split("```", 1)[0]
    assert len(block.strip().splitlines()) <= 10
    calls = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    assert len(calls) >= 7
    for call in calls:
        assert isinstance(call.func, ast.Attribute)
        signature = inspect.signature(getattr(en, call.func.attr))
        signature.bind(*call.args, **{str(keyword.arg): keyword.value for keyword in call.keywords})
