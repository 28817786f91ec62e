"""The scripts of a bundle, run as a user runs them; texts of others inside them and in the card."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenas.deploy import FileSpec, Recipe, load_card
from edgenas.deploy.bundle.card_text import card_text
from edgenas.deploy.bundle.texts import labels_text
from edgenas.deploy.recipe import parse_recipe
from edgenas.deploy.scripts.compose import predict_script
from edgenas.errors import ConfigError, DataError

HOSTILE = ['"""\nimport os; os.system("touch owned")\n"""', "a'); raise SystemExit(9) #", "<script>alert(1)</script>",
           "two\nlines", "\u2028", "\\", "{label}", "| [x](http://y) `*_ |", "\x1b[31m", "\udcff"]  # fmt: skip


def run(script: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def save(trained, folder: Path, ending: str = ".png", count: int = 6) -> list[Path]:
    """Write test images into class folders below a folder."""
    paths = []
    for index in range(count):
        label = trained.data.classes[trained.data.test.labels[index]]
        path = folder / label / f"{index}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(trained.data.test.read(np.array([index]))[0, ..., 0]).save(path)
        paths.append(path)
    return paths


@pytest.mark.parametrize("format_", ["onnx", "tflite"])
@pytest.mark.parametrize("batch", [1, 4])
def test_a_recipe_of_any_batch_gives_a_script_that_runs(trained, tmp_path: Path, format_: str, batch: int) -> None:
    file = FileSpec(name=f"model.{format_}", format=format_, batch=batch)
    trained.export(tmp_path / "bundle", Recipe(name="batch", files=(file,)))
    paths = save(trained, tmp_path / "images")
    done = run(tmp_path / "bundle" / f"predict_{format_}.py", *paths)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(paths)
    other = {"onnx": "tflite", "tflite": "onnx"}[format_]
    assert not (tmp_path / "bundle" / f"predict_{other}.py").exists()
    assert f"predict_{other}" not in (tmp_path / "bundle" / "card.md").read_text()


def test_an_unreadable_image_is_named_and_the_others_are_judged(trained, bundle: Path, tmp_path: Path) -> None:
    paths = save(trained, tmp_path / "images")
    (paths[0].parent / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (paths[0].parent / "empty.jpg").write_bytes(b"")
    (paths[0].parent / "cut.png").write_bytes(paths[0].read_bytes()[:60])
    for script in ("predict_onnx.py", "predict_tflite.py"):
        done = run(bundle / script, tmp_path / "images")
        assert done.returncode == 0 and "Traceback" not in done.stderr
        assert done.stderr.count("cannot read") == 3 and "broken.png" in done.stderr
        assert "of 6 right\t3 left out" in done.stdout
        done = run(bundle / script, paths[0].parent / "broken.png", paths[1])
        assert done.returncode == 1 and "Traceback" not in done.stderr and len(done.stdout.splitlines()) == 1
    for arguments in ([tmp_path / "nothing"], [bundle], ["--model", tmp_path / "none.onnx", paths[0]]):
        done = run(bundle / "predict_onnx.py", *arguments)
        assert done.returncode != 0 and "Traceback" not in done.stderr and done.stderr


def test_images_in_nested_folders_and_of_every_ending_are_found(trained, bundle: Path, tmp_path: Path) -> None:
    for number, ending in enumerate((".ppm", ".pgm", ".PNG", ".bmp", ".jfif")):
        save(trained, tmp_path / f"part {number}", ending, count=2)
    first = next((tmp_path / "part 0").rglob("*.ppm"))
    deep = first.parent / "2024" / "may"
    deep.mkdir(parents=True)
    first.rename(deep / first.name)
    hidden = deep / ".checkpoints"
    hidden.mkdir()
    (hidden / "copy.png").write_bytes(b"")
    done = run(bundle / "predict_onnx.py", tmp_path)
    assert " of 10 right" in done.stdout and done.stderr == ""


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("kind", ["onnx", "tflite"])
def test_no_text_of_others_runs_in_a_script(kind: str, text: str) -> None:
    given = {"mean": [0.5], "std": [1.0], "note": text}
    script = predict_script(kind, model=text, preprocessing=given, labels=[text, "b"])  # type: ignore[arg-type]
    tree, found = ast.parse(script), {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("MODEL", "LABELS", "SETTINGS"):
                found[name] = eval(compile(ast.Expression(node.value), "script", "eval"), {"json": __import__("json")})
    assert found == {"MODEL": text, "LABELS": [text, "b"], "SETTINGS": given}
    harmless = predict_script(kind, model="m", preprocessing=given | {"note": ""}, labels=["a", "b"])  # type: ignore
    assert [type(node) for node in tree.body] == [type(node) for node in ast.parse(harmless).body]


def test_labels_have_one_line_each_whatever_they_hold() -> None:
    lines = labels_text(HOSTILE).encode().decode().splitlines()
    assert len(lines) == len(HOSTILE) and all(lines)


@pytest.mark.parametrize(
    "labels", [("", *"bcdefghij"), (" ", *"bcdefghij"), ("b", *"bcdefghij"), ("\n", r"\n", *"cdefghij")]
)
def test_labels_without_a_name_of_their_own_are_refused(trained, tmp_path: Path, labels: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="no name|one name"):
        trained.export(tmp_path / "out", labels=labels)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_others_is_markup_of_the_card(bundle: Path, text: str) -> None:
    card = load_card(bundle)
    file = replace(card.files[1], warnings=(text,), steps=(text,), float_ops=(text,), kernels={text: text})
    hostile = replace(card, recipe=text, data={text: text}, training={"x": text}, device={"y": [text]}, files=(file,),
                      left_out=((text, text),), created=text)  # fmt: skip
    plain = replace(hostile, recipe="n", data={"n": "n"}, training={"x": "n"}, device={"y": ["n"]}, created="n",
                    files=(replace(file, warnings=("n",), steps=("n",), float_ops=("n",), kernels={"n": "n"}),),
                    left_out=(("n", "n"),))  # fmt: skip
    shown, ordinary = card_text(hostile), card_text(plain)
    assert len(shown.splitlines()) == len(ordinary.splitlines())
    outside = "".join(part for line in shown.replace("\\`", "").splitlines() for part in line.split("`")[::2])
    assert "<script" not in outside and "](" not in outside.replace("\\](", "")
    for line, other in zip(shown.splitlines(), ordinary.splitlines(), strict=True):
        assert not other.startswith("|") or line.replace("\\|", "").count("|") == other.count("|")


@pytest.mark.parametrize(
    "name", ["a'b.onnx", '".onnx', "a\nb.onnx", "../a.onnx", ".onnx", "-m.onnx", "ä.onnx", "a b.onnx"]
)
def test_a_recipe_names_no_file_that_could_do_harm(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a file name"):
        parse_recipe({"files": [{"name": name, "format": "onnx"}]}, where="mine.yaml", name="mine")


def test_two_names_that_some_systems_hold_for_one_are_refused() -> None:
    files = [{"name": "Model.onnx", "format": "onnx"}, {"name": "model.onnx", "format": "onnx"}]
    with pytest.raises(ConfigError, match="one name"):
        parse_recipe({"files": files}, where="mine.yaml", name="mine")
