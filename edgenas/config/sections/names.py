"""The types of values that several sections share: paths, names of registries, metrics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from edgenas.arch import limits
from edgenas.reading.files import path_problem
from edgenas.reading.names import NameIn


def _path_text(text: str) -> str:
    """Refuse a text that cannot be a path, before anything is trained."""
    problem = path_problem(text)
    if problem is not None:
        raise ValueError(f"a path without control characters, of at most 255 bytes a name; this has {problem}")
    return text


Resolution = Annotated[int, Field(ge=1, le=limits.RESOLUTION)]
PathText = Annotated[str, AfterValidator(_path_text)]
Share = Annotated[float, Field(gt=0, lt=1)]
RuntimeName = Annotated[str, NameIn("edgenas.latency.runtimes:RUNTIMES")]
PrecisionName = Literal["fp32", "int8"]
StrategyName = Annotated[str, NameIn("edgenas.search.strategies:STRATEGIES")]
EstimatorName = Annotated[str, NameIn("edgenas.evaluate.registry:ESTIMATORS")]
SourceName = Annotated[str, NameIn("edgenas.data.registry:SOURCES")]
SchemeName = Annotated[str, NameIn("edgenas.supernet.registry:SCHEMES")]
OptimizerName = Annotated[str, NameIn("edgenas.train.registry:OPTIMIZERS")]
# Those of edgenas.nn.origins, which is not imported: it lies above torch.
PackageName = Literal["torchvision", "timm", "timm_tf", "efficientnet_pytorch"]
LossName = Annotated[str, NameIn("edgenas.train.registry:LOSSES")]
RecipeName = Annotated[str, NameIn("edgenas.train.recipes:RECIPES")]
RewardName = Literal["mnasnet_soft", "mnasnet_hard", "tunas_absolute", "combined"]
Metric = Literal["accuracy", "latency_ms", "macs", "params", "file_bytes", "ram_bytes"]
ArenaName = Literal["litert", "tflite_micro"]
