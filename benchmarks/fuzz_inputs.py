"""The kinds of input that fuzz.py mutates, and what counts as a silent acceptance of each."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgenas.arch import limits, lower
from edgenas.arch.document import from_document, read_document, to_document
from edgenas.arch.notation import format_notation, parse_notation
from edgenas.arch.weights import weight_shapes
from edgenas.arch.zoo import NAMES, published
from edgenas.config import load
from edgenas.config.load import apply_overrides, validate
from edgenas.deploy.bundle.check import check_bundle
from edgenas.deploy.recipe import load_recipe
from edgenas.errors import EdgenasError
from edgenas.latency import read_table
from edgenas.latency.document import dumps
from edgenas.nn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgenas.reading.json_text import read_json
from edgenas.resources import resource_files, resource_folder
from edgenas.space import load as load_space

# Kinds that take a second a case come once in so many rounds.
SLOW = ("bundle", "run")
ROUNDS = 10
ROOT = Path(__file__).parents[1]
Rng = np.random.Generator
Reader = Callable[[Rng, Path], object]

# What people and damaged files put where a value should be.
WORDS = (
    ".inf", "-.inf", ".nan", "NaN", "Infinity", "1e400", "-1e400", "1e308", "-1", "0", "-0.0", "1e-400", "010", "0x1F",
    "0o17", "1_000", "yes", "no", "on", "true", "false", "null", "~", '""', "[]", "{}", "[1", "{a: 1", "&a 1", "*a",
    "!!python/object:os.system x", "!!str 3", '"\\0"', '"\\ud800"', '"\\UFFFFFFFF"', "'", '"', "|", ">", "- 1", "? x",
    "²", "①", "9" * 5000, "0." + "9" * 5000, "x" * 5000, "/" * 5000, "../" * 50, "a\tb", "é", "\u202e", "\x00",
    "\x1b[31m",
    str(2**31), str(2**63), str(10**14), str(10**30), "1.5", "2.0", "True", "[[[[[[[[[[" * 50, "{a: " * 60, "- " * 500,
    "<<: {}", "%YAML 1.1", "---", "...", "#", "\ufeff", "1:30", "2026-11-26", "@", "`", "e", "E5", ".", "+", "-",
    "--- 1",
)  # fmt: skip
# What can stand in a notation, so that some of the mutated ones are networks.
SMALL = ("1", "2", "3", "5", "7", "16", "24", "64", "96", "65536", "65537", "8192", "8193", "re", "hs", "se", "e")
VALUES: tuple[object, ...] = (
    None, True, False, 0, 1, -1, 2.0, 0.5, -0.5, float("nan"), float("inf"), 1e308, 2**31, 2**63, 10**14, 10**40, "",
    "x" * 3000, "false", "3", "../x", "a\nb", "<script>", [], {}, [[]], [None], {"a": 1}, [1, 2, 3], ["x"],
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A case that was read.

    Attributes:
        silent: Whether it should have been refused.
        what: Why.
    """

    silent: bool = False
    what: str = ""


def mutated_bytes(content: bytes, rng: Rng) -> bytes:
    """Flip, cut, repeat, insert or overwrite."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(data) + 1))
        how = rng.integers(7)
        if how <= 1 and place < len(data):
            data[place] ^= 1 << int(rng.integers(8))
        elif how == 2:
            del data[place : place + int(rng.integers(1, 40))]
        elif how == 3:
            data[place:place] = data[place : place + int(rng.integers(1, 200))]
        elif how == 4:
            data[place:place] = rng.bytes(int(rng.integers(1, 20)))
        elif how == 5:
            data = data[:place]
        else:
            data[place : place + 8] = rng.choice([b"\xff" * 8, b"\0" * 8, b"\x7f" + b"\xff" * 7])
    return bytes(data)


def mutated_text(text: str, rng: Rng) -> str:
    """Put words where values, keys or lines are; sometimes bytes."""
    for _ in range(int(rng.integers(1, 4))):
        lines = text.splitlines() or [""]
        at = int(rng.integers(len(lines)))
        word = str(rng.choice(np.array(WORDS, dtype=object)))
        tokens = [match.span() for match in re.finditer(r"[^\s:,\[\]{}]+", lines[at])]
        how = rng.integers(6)
        if how <= 2 and tokens:
            low, high = tokens[int(rng.integers(len(tokens)))]
            lines[at] = lines[at][:low] + word + lines[at][high:]
        elif how == 3:
            lines.insert(at, lines[int(rng.integers(len(lines)))])
        elif how == 4:
            del lines[at]
        else:
            lines.insert(at, word)
        text = "\n".join(lines) + "\n"
    return text


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*place, key)
        yield from _places(inner, (*place, key))


def mutated_document(document: Any, rng: Rng) -> Any:
    """Replace, delete or add values of a JSON document."""
    document = json.loads(json.dumps(document))
    for _ in range(int(rng.integers(1, 3))):
        places = list(_places(document))
        *above, last = places[int(rng.integers(len(places)))]
        part = document
        for key in above:
            part = part[key]
        how = rng.integers(6)
        if how == 0:
            del part[last]
        elif how == 1 and isinstance(part, dict):
            part["added"] = VALUES[int(rng.integers(len(VALUES)))]
        elif how == 2 and isinstance(part[last], (int, float)) and not isinstance(part[last], bool):
            part[last] = -part[last]
        else:
            part[last] = VALUES[int(rng.integers(len(VALUES)))]
    return document


def plain(value: Any) -> Any:
    """Dataclasses and settings as plain values."""
    if hasattr(value, "model_dump"):
        return value.model_dump()
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def not_finite(value: Any) -> bool:
    """Whether a number in a value is infinite, not a number, or beyond 64 bits."""
    if isinstance(value, dict):
        return any(not_finite(inner) for inner in value.values())
    if isinstance(value, (list, tuple)):
        return any(not_finite(inner) for inner in value)
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, int) and abs(value) >= 2**63


def _yaml_oracle(text: str, value: Any) -> Accepted:
    """Judge a YAML that was accepted: by its values, and by another reader's nodes."""
    import yaml

    if not_finite(plain(value)):
        return Accepted(silent=True, what="a number that is not finite")
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
        return Accepted(silent=True, what="an alias")
    nodes = [yaml.compose(text)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            if len(set(keys)) != len(keys):
                return Accepted(silent=True, what="a key twice")
            nodes += [inner for _, inner in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
    return Accepted()


def _yaml(files: list[Path], read: Callable[[Path], object]) -> Reader:
    texts = [file.read_text(encoding="utf-8") for file in files]

    def case(rng: Rng, folder: Path) -> object:
        text, file = texts[int(rng.integers(len(texts)))], folder / "case.yaml"
        if rng.integers(4) == 0:
            file.write_bytes(mutated_bytes(text.encode(), rng))
            plain(read(file))
            return Accepted()
        changed = mutated_text(text, rng)
        file.write_text(changed, encoding="utf-8", newline="")
        return _yaml_oracle(changed, read(file))

    return case


def _override(rng: Rng, folder: Path) -> object:
    keys = ("seed", "data.path", "train.learning_rate", "target.budget_ms", "search.objectives", "a..b", "", "name")
    text = f"{rng.choice(keys)}={rng.choice(np.array(WORDS, dtype=object))}"
    found = validate(apply_overrides({"name": "x"}, [text]), source="--set")
    return Accepted(silent=not_finite(plain(found)), what=text[:60])


def _digested(files: list[Path], read: Callable[[Path], Any], plain_of: Callable[[Any], Any]) -> Reader:
    """Damaged bytes of files with a digest: read means unchanged in meaning."""
    contents = [(file.read_bytes(), plain_of(read(file))) for file in files]

    def case(rng: Rng, folder: Path) -> object:
        index = int(rng.integers(len(files)))
        content, meaning = contents[index]
        file = folder / f"case{files[index].suffix}"
        file.write_bytes(mutated_bytes(content, rng))
        found = plain_of(read(file))
        return Accepted(silent=found != meaning, what="other content than was written")

    return case


def _redigested_table(files: list[Path]) -> Reader:
    """Tables with other values and the digest that belongs to them."""
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in files]

    def case(rng: Rng, folder: Path) -> object:
        changed = mutated_document(documents[int(rng.integers(len(documents)))], rng)
        if isinstance(changed, dict):
            content = {name: value for name, value in changed.items() if name not in ("format", "version", "digest")}
            text = json.dumps(content, sort_keys=True, separators=(",", ":"))
            changed["digest"] = hashlib.sha256(text.encode()).hexdigest()
        (folder / "case.json").write_text(json.dumps(changed), encoding="utf-8")
        table = read_table(folder / "case.json")
        kept = json.loads(dumps(table))
        same = all(kept["entries"].get(key) == row for key, row in changed["entries"].items())
        bad = not_finite(kept) or table.interval.relative < 0 or not same
        return Accepted(silent=bad, what="a table that says what no table can")

    return case


def _architecture(rng: Rng, folder: Path) -> object:
    document = to_document(published(NAMES[int(rng.integers(len(NAMES)))]))
    if rng.integers(2):
        del document["digest"]
    changed = mutated_document(document, rng)
    found = from_document(changed)
    body = {key: value for key, value in to_document(found).items() if key != "digest"}
    filled = {"in_channels": 3, "norm_eps": 1e-3, **{key: value for key, value in changed.items() if key != "digest"}}
    kept = json.dumps(_defaults(filled, body), sort_keys=True) == json.dumps(body, sort_keys=True)
    return Accepted(silent=not kept, what="other values than the document's")


def _defaults(given: Any, whole: Any) -> Any:
    """Fill in what a document left out."""
    if isinstance(given, dict) and isinstance(whole, dict):
        return {**{key: value for key, value in whole.items() if key not in given},
                **{key: _defaults(value, whole.get(key)) for key, value in given.items()}}  # fmt: skip
    if isinstance(given, list) and isinstance(whole, list) and len(given) == len(whole):
        return [_defaults(one, other) for one, other in zip(given, whole, strict=True)]
    return given


def _notation(rng: Rng, folder: Path) -> object:
    text = format_notation(published(NAMES[int(rng.integers(len(NAMES)))]))
    for _ in range(int(rng.integers(1, 4))):
        numbers = [match.span() for match in re.finditer(r"[0-9.]+|[a-z]+|[|_*]", text)]
        low, high = numbers[int(rng.integers(len(numbers)))]
        odd = ("*1000000000", "c", "k", "s3", "k4", "add", "x1e300", "e1e400", "se1.5", "|", "_", "*²")
        words = SMALL if rng.integers(2) else (*WORDS, *odd)
        text = text[:low] + str(rng.choice(np.array(words, dtype=object))) + text[high:]
    found = parse_notation(text)
    lower(found)
    wide = max(block.expanded for block in found.blocks()) if list(found.blocks()) else 0
    large = found.resolution > limits.RESOLUTION or wide > limits.CHANNELS
    return Accepted(silent=large or parse_notation(format_notation(found)) != found, what=text[:80])


def _paths(rng: Rng, folder: Path) -> object:
    names = ("a\0b", "x" * 300, "x" * 5000, "/" * 5000, "", ".", "..", "/dev/null", "/proc/self/mem", "\ud800", "a\nb")
    readers = (read_table, read_document, load, load_space, load_recipe, load_checkpoint)
    name = str(rng.choice(np.array(names, dtype=object))) + str(rng.choice(["", ".yaml", ".json", ".safetensors"]))
    return readers[int(rng.integers(len(readers)))](Path(name))  # type: ignore[operator]


def _bundle(source: Path) -> Reader:
    def case(rng: Rng, folder: Path) -> object:
        copy = folder / "bundle"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)
        files = sorted(file for file in copy.iterdir() if file.is_file())
        file = files[int(rng.integers(len(files)))]
        before = file.read_bytes()
        if rng.integers(8) == 0:
            file.unlink()
        elif file.suffix == ".json" and rng.integers(2):
            file.write_text(json.dumps(mutated_document(json.loads(before), rng)), encoding="utf-8")
        else:
            file.write_bytes(mutated_bytes(before, rng))
        changed = not file.exists() or file.read_bytes() != before
        serious = [difference for difference in check_bundle(copy) if difference.serious]
        return Accepted(silent=changed and not serious, what=f"a changed {file.suffix}")

    return case


def _run_files(source: Path) -> Reader:
    from edgenas.report import write_report

    names = [file.name for file in source.glob("*.json")]

    def case(rng: Rng, folder: Path) -> object:
        copy = folder / "run"
        shutil.rmtree(copy, ignore_errors=True)
        for file in source.rglob("*.json"):
            (copy / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy / file.relative_to(source))
        file = copy / names[int(rng.integers(len(names)))]
        if rng.integers(2):
            file.write_text(json.dumps(mutated_document(json.loads(file.read_bytes()), rng)), encoding="utf-8")
        else:
            file.write_bytes(mutated_bytes(file.read_bytes(), rng))
        read_json(file, what="the file")
        write_report(copy)
        return Accepted()

    return case


def _image(rng: Rng, folder: Path) -> object:
    import io

    from PIL import Image

    from edgenas.data.sources.decode import decode_image
    from edgenas.data.sources.raw import UnreadableImageError

    stream = io.BytesIO()
    pixels = rng.integers(0, 256, (12, 17, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, format=str(rng.choice(["PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP", "PPM"])))
    file = folder / "case.img"
    file.write_bytes(mutated_bytes(stream.getvalue(), rng))
    try:
        return decode_image(file, name="case")
    except UnreadableImageError as error:
        raise EdgenasError(str(error)) from error


def KINDS(base: Path, run: Path | None) -> dict[str, Reader]:  # noqa: N802 (read as a table)
    """Return the reader of each kind of case.

    Args:
        base: Folder for files that are made for the cases.
        run: Directory of a finished run, or None.
    """
    folder = resource_folder("latency_tables")
    assert folder is not None
    tables = sorted(folder.glob("*/tiny-*.json"))
    network, document = published("mobilenet_v3_small"), base / "network.json"
    small = parse_notation("r8_i1 | stem_s1_c4 | mb_x8_c4 mb_x8_c4 | head_c8 | n10")
    checkpoint = base / "network.safetensors"
    if not checkpoint.exists():
        document.write_text(json.dumps(to_document(network)), encoding="utf-8")
        weights = {name: np.ones(shape, np.float32) for name, shape in weight_shapes(lower(small)).items()}
        save_checkpoint(checkpoint, Checkpoint(architecture=small, weights=weights, metadata={"labels": "[]"}))
    presets = sorted((ROOT / "edgenas" / "space" / "presets").glob("*.yaml"))
    found: dict[str, Reader] = {
        "config": _yaml(list(resource_files("configs", "*.yaml")), load),
        "override": _override,
        "space": _yaml(presets, lambda file: load_space(file).definition),
        "recipe": _yaml([file for file in resource_files("export", "*.yaml")], load_recipe),
        "table": _digested(tables, read_table, lambda table: dumps(table)),
        "table values": _redigested_table(tables),
        "notation": _notation,
        "document": _digested([document], read_document, lambda network: network.digest),
        "architecture": _architecture,
        "checkpoint": _digested([checkpoint], load_checkpoint, _meaning),
        "path": _paths,
        "image": _image,
        "bundle": _bundle(ROOT / "export" / "reference" / "digits-relu"),
    }
    return {**found, **({"run": _run_files(run)} if run else {})}


def _meaning(checkpoint: Checkpoint) -> object:
    weights = {name: array.tobytes() for name, array in checkpoint.weights.items()}
    return checkpoint.architecture.digest, weights, dict(checkpoint.metadata)
