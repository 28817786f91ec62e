"""edgenas: hardware-aware neural architecture search for mobile and edge devices.

    import edgenas as en

    data = en.load_images("photos", resolution=96)
    space = en.load_space("mobilenet_v3_small", data=data)
    table = en.measure_table(space, runtime="ort", precision="fp32")
    found = en.search(space, data, table, budget_ms=3.0, evaluations=200)
    model = en.train(found.best, data, epochs=40)
    card = en.export(model, data, "out", recipe="mobile")

    run = en.run("quickstart")      # the whole job; en.open_run(path) for a finished one

Names are imported when they are first asked for. Latencies are milliseconds, accuracies lie in [0, 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.lazy import lazy_names
from edgenas.version import __version__

if TYPE_CHECKING:
    from edgenas.api.candidates import Candidate
    from edgenas.api.config import load_config
    from edgenas.api.estimators import validate_estimators
    from edgenas.api.export import check_export, export, export_untrained
    from edgenas.api.images import load_images
    from edgenas.api.latency import measure_latency, predict_latency
    from edgenas.api.networks import Counts, count, load_network
    from edgenas.api.reuse.refine import refine
    from edgenas.api.reuse.scale import ScaledNetwork, fit_scaling, scale
    from edgenas.api.reuse.specialise import specialise
    from edgenas.api.reuse.transfer import transfer
    from edgenas.api.run_folders import delete_run, export_run, list_runs, run_info, verify_store
    from edgenas.api.runs import Run, open_run, run
    from edgenas.api.search import SearchResult, compare_strategies, search
    from edgenas.api.spaces import load_space, space_around
    from edgenas.api.supernets import extract, inherited_accuracy, train_supernet
    from edgenas.api.tables import (
        check_table,
        list_tables,
        load_table,
        measure_table,
        validate_table,
    )
    from edgenas.api.train import TrainedNetwork, train
    from edgenas.api.weights import LoadedWeights, fetch_weights, list_weights, load_weights
    from edgenas.arch.architecture import Architecture
    from edgenas.arch.zoo import NAMES as NETWORKS
    from edgenas.data.values import ImageData
    from edgenas.deploy.bundle.card import Card
    from edgenas.display import no_progress
    from edgenas.errors import EdgenasError
    from edgenas.latency.table import LatencyTable
    from edgenas.pipeline.commands.run_folders.listing import RunInfo
    from edgenas.space.files import PRESETS as SPACES
    from edgenas.space.space import SearchSpace
    from edgenas.study.verify import StoreCheck

__all__ = [
    "NETWORKS",
    "SPACES",
    "Architecture",
    "Candidate",
    "Card",
    "Counts",
    "EdgenasError",
    "ImageData",
    "LatencyTable",
    "LoadedWeights",
    "Run",
    "RunInfo",
    "ScaledNetwork",
    "SearchResult",
    "SearchSpace",
    "StoreCheck",
    "TrainedNetwork",
    "__version__",
    "check_export",
    "check_table",
    "compare_strategies",
    "count",
    "delete_run",
    "export",
    "export_run",
    "export_untrained",
    "extract",
    "fetch_weights",
    "fit_scaling",
    "inherited_accuracy",
    "list_runs",
    "list_tables",
    "list_weights",
    "load_config",
    "load_images",
    "load_network",
    "load_space",
    "load_table",
    "load_weights",
    "measure_latency",
    "measure_table",
    "no_progress",
    "open_run",
    "predict_latency",
    "refine",
    "run",
    "run_info",
    "scale",
    "search",
    "space_around",
    "specialise",
    "train",
    "train_supernet",
    "transfer",
    "validate_estimators",
    "validate_table",
    "verify_store",
]

_NAMES = {
    "NETWORKS": "arch.zoo:NAMES",
    "SPACES": "space.files:PRESETS",
    "Architecture": "arch.architecture",
    "Candidate": "api.candidates",
    "Card": "deploy.bundle.card",
    "Counts": "api.networks",
    "EdgenasError": "errors",
    "ImageData": "data.values",
    "LatencyTable": "latency.table",
    "LoadedWeights": "api.weights",
    "Run": "api.runs",
    "RunInfo": "pipeline.commands.run_folders.listing",
    "ScaledNetwork": "api.reuse.scale",
    "SearchResult": "api.search",
    "SearchSpace": "space.space",
    "StoreCheck": "study.verify",
    "TrainedNetwork": "api.train",
    "check_export": "api.export",
    "check_table": "api.tables",
    "compare_strategies": "api.search",
    "count": "api.networks",
    "delete_run": "api.run_folders",
    "export": "api.export",
    "export_run": "api.run_folders",
    "export_untrained": "api.export",
    "extract": "api.supernets",
    "fetch_weights": "api.weights",
    "fit_scaling": "api.reuse.scale",
    "inherited_accuracy": "api.supernets",
    "list_runs": "api.run_folders",
    "list_tables": "api.tables",
    "list_weights": "api.weights",
    "load_config": "api.config",
    "load_images": "api.images",
    "load_network": "api.networks",
    "load_space": "api.spaces",
    "load_table": "api.tables",
    "load_weights": "api.weights",
    "measure_latency": "api.latency",
    "measure_table": "api.tables",
    "no_progress": "display",
    "open_run": "api.runs",
    "predict_latency": "api.latency",
    "refine": "api.reuse.refine",
    "run": "api.runs",
    "run_info": "api.run_folders",
    "scale": "api.reuse.scale",
    "search": "api.search",
    "space_around": "api.spaces",
    "specialise": "api.reuse.specialise",
    "train": "api.train",
    "train_supernet": "api.supernets",
    "transfer": "api.reuse.transfer",
    "validate_estimators": "api.estimators",
    "validate_table": "api.tables",
    "verify_store": "api.run_folders",
}

if not TYPE_CHECKING:
    # Type checkers have the names from above, and would take any other name for one too.
    __getattr__ = lazy_names(__name__, _NAMES)


def __dir__() -> list[str]:
    return sorted(__all__)
