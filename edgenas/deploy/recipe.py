"""Recipes in strict YAML: which files a target needs, how int8 is calibrated, and how much accuracy it may cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgenas.deploy.quantise.calibrate import METHODS, Method
from edgenas.deploy.scripts.compose import script_name
from edgenas.errors import ConfigError, explain, nearest
from edgenas.formats import FORMATS
from edgenas.reading.typed import Place, read_value
from edgenas.reading.yaml_text import read_yaml
from edgenas.resources import resource_files
from edgenas.text import require_safe_name

# What a bundle holds beside its model files.
_TAKEN = ("card.json", "card.md", "labels.txt", "probe.npz", "sha256sums")
_BATCHES = {"one": "1", "fixed": "1 or more", "any": "1 or more; 0 for any"}
REMEDIES = ("calibration", "bias_correction", "exclude_layers", "fine_tune")


def _require_member(what: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        hint = nearest(value, allowed)
        raise ConfigError(explain(f"unknown {what}{hint}", got=repr(value), allowed=", ".join(allowed)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSpec:
    """One file of a bundle.

    Attributes:
        name: File name in the bundle.
        format: A name of `edgenas.formats.FORMATS`, such as `onnx` or `tflite`.
        precision: `fp32`, `fp16` or `int8`; one of the format's.
        scheme: int8 scheme of the format; None for the default.
        batch: Images a run; 0 for any number, where the format has that.
    """

    name: str
    format: str
    precision: str = "fp32"
    scheme: str | None = None
    batch: int = 1

    def __post_init__(self) -> None:
        _require_member("format", self.format, FORMATS.names())
        kind = FORMATS[self.format]
        _require_member(f"precision of {self.format} files", self.precision, kind.precisions)
        require_safe_name(self.name, "the name of a file of a recipe", error=ConfigError)
        taken = (*_TAKEN, *map(script_name, FORMATS))
        if self.name.lower() in taken or not self.name.endswith(kind.ending):
            allowed = f"*{kind.ending}"
            raise ConfigError(explain("not a file name for this format", got=repr(self.name), allowed=allowed))
        if self.scheme is not None:
            if self.precision != "int8":
                raise ConfigError(explain("scheme is for int8 files", got=self.precision))
            _require_member("scheme", self.scheme, kind.schemes)
        if self.batch < 0 or not kind.allows_batch(self.batch or None):
            raise ConfigError(explain("impossible batch", got=self.batch, allowed=_BATCHES[kind.batch]))


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSpec:
    """How the ranges of int8 activations are found.

    Attributes:
        images: Training images, every class in proportion.
        method: `minmax`, `percentile` or `mse`.
    """

    images: int = 256
    method: Method = "percentile"

    def __post_init__(self) -> None:
        _require_member("calibration method", self.method, METHODS)
        if self.images < 1:
            raise ConfigError(explain("int8 needs calibration images", got=self.images, allowed="1 or more"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSpec:
    """How much accuracy a file may cost, and what is done about it.

    Attributes:
        max_drop_points: Largest loss of accuracy against torch on the validation images, percentage points.
        remedies: Remedies above the limit, tried in this order. The cheap ones without a cost in latency come first.
        exclude_layers: Most operations that stay in floating point.
        fine_tune_steps: Optimizer steps of quantisation-aware fine-tuning.
        fine_tune_learning_rate: Its peak.
        required: Whether a file that stays above the limit ends the export. If not, the card states it in bold.
    """

    max_drop_points: float = 1.0
    remedies: tuple[str, ...] = REMEDIES
    exclude_layers: int = 6
    fine_tune_steps: int = 200
    fine_tune_learning_rate: float = 1e-4
    required: bool = False

    def __post_init__(self) -> None:
        for remedy in self.remedies:
            _require_member("remedy", remedy, REMEDIES)
        for name in ("max_drop_points", "exclude_layers", "fine_tune_steps", "fine_tune_learning_rate"):
            if getattr(self, name) < 0:
                raise ConfigError(explain(f"impossible {name}", got=getattr(self, name), allowed="0 or more"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The files of a target, with the calibration and the limit of their accuracy.

    Attributes:
        name: Name of the recipe.
        description: One sentence for a person.
        files: At least one.
        calibration: For its int8 files.
        guard: For all of its files.
        licence: Of the weights, stated in every file; empty where nobody states one.
    """

    name: str
    description: str = ""
    files: tuple[FileSpec, ...]
    calibration: CalibrationSpec = CalibrationSpec()
    guard: GuardSpec = GuardSpec()
    licence: str = ""

    def __post_init__(self) -> None:
        if not self.files:
            raise ConfigError(explain("a recipe needs at least one file"))
        names = [file.name.lower() for file in self.files]
        if len(set(names)) != len(names):
            raise ConfigError(explain("two files of a recipe have one name", got=", ".join(sorted(names))))


def recipe_names() -> tuple[str, ...]:
    """Names of the shipped recipes."""
    return tuple(path.stem for path in resource_files("export", "*.yaml") if path.parent.name == "export")


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe.

    Args:
        name_or_path: Name of a shipped recipe, or path of a YAML file.

    Raises:
        ConfigError: It does not exist, is no YAML, or holds an unknown key or an impossible value; says where.
    """
    path = _find(name_or_path)
    found = read_yaml(path, what="the recipe", error=ConfigError)
    return parse_recipe(found.value, where=str(path), name=path.stem, lines=found.lines)


def parse_recipe(
    document: object, *, where: str, name: str, lines: Mapping[Place, int] | None = None
) -> Recipe:
    """Check a recipe's document.

    Args:
        document: Plain values, as from YAML.
        where: How messages call it.
        name: Its name, where the document has none.
        lines: Line of each place, where known.

    Raises:
        ConfigError: See `load_recipe`.
    """
    if not isinstance(document, Mapping):
        raise ConfigError(explain(f"{where}: a recipe is a mapping", got=type(document).__name__))
    return read_value(Recipe, {"name": name, **document}, source=where, error=ConfigError, lines=lines)


def _find(name_or_path: str | Path) -> Path:
    shipped = {path.stem: path for path in resource_files("export", "*.yaml") if path.parent.name == "export"}
    text = str(name_or_path)
    if text in shipped:
        return shipped[text]
    path = Path(text)
    if path.suffix in (".yaml", ".yml"):
        return path
    raise ConfigError(
        explain(
            f"unknown recipe{nearest(text, shipped)}", got=repr(text), allowed=", ".join(shipped) + ", or a .yaml file"
        )
    )
