"""The registry of file formats: everything that edgenas knows about one stands in its entry. Imports no back end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Architecture, Graph
from edgenas.errors import ExportError, InputError, explain
from edgenas.formats.about import About
from edgenas.formats.quantise import Ranges
from edgenas.latency.device import PRECISIONS, Precision
from edgenas.registry import Registry, resolved

FormatName: TypeAlias = str
Predict: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From normalised images (N, C, H, W) to logits (N, K)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contents:
    """What a file is to hold: the one argument of a writer.

    Attributes:
        graph: The network.
        weights: Its arrays under the names of `weight_shapes`.
        architecture: What the graph was lowered from; None where only the graph is known.
        precision: One of the format's.
        ranges: int8: smallest and largest value of each operation; None in other precisions.
        scheme: int8: one of the format's; "" in other precisions.
        float_ops: int8: names of operations that stay in floating point.
        batch: Images a run; None for any number.
        metadata: Text to be stored in the file.
        about: Names and units for the metadata that other programs read; None leaves it out.
    """

    graph: Graph
    weights: Mapping[str, NDArray[np.float32]]
    architecture: Architecture | None = None
    precision: Precision = "fp32"
    ranges: Ranges | None = None
    scheme: str = ""
    float_ops: Collection[str] = ()
    batch: int | None = 1
    metadata: Mapping[str, str] = field(default_factory=dict)
    about: About | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How a prediction script reads a file of a format.

    Attributes:
        opener: A function `open_model(path)` that returns a function from images (1, C, H, W) float32 to logits (1, K);
            or "module:attribute" of that. The script holds a copy of its source, so it uses only `imports`, `np` and
            `Path`.
        imports: The import statements at the head of the script: those of numpy, of pillow and of what reads the file.
        package: What to install beside numpy and pillow.
    """

    opener: Callable[..., Any] | str
    imports: str
    package: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatKind:
    """One file format; the entries of `FORMATS`. A function may be given as "module:attribute".

    Attributes:
        ending: Of the file's name, with its dot.
        write: From `Contents` to the file.
        open: From a file and a number of threads to a `Predict`; None where nothing here runs such files. They are
            then not judged.
        kernels: From a file and the `Contents` it was written from to counts of the kernels that its runtime runs it
            on, for the card; raises ExportError where these are not those expected. None counts nothing.
        require_whole: From a file; raises ExportError where its runtime would run it in several pieces, which is slow
            and silent. None asks nothing.
        precisions: That can be written. int8 files are calibrated on images and judged by the guard.
        schemes: Of int8, the default first. Latency tables measure the default.
        foreign_schemes: Schemes for other processors than this one, whose speed here says nothing.
        weight_limit: Largest weight code of int8 files, 1 to 127.
        batch: Images a run: `one`; `fixed`, any number that is fixed in the file; or `any`, also an open number.
        runtime: Name of the runtime that measures such files; None where they are not measured.
        script: How prediction scripts read them; None where bundles carry no script for them.
        module, package: What must be importable, and what to install for it; empty where edgenas brings all.
        versions: Packages whose versions the card states.
    """

    ending: str
    write: Callable[[Contents], bytes] | str
    open: Callable[[bytes, int], Predict] | str | None = None
    kernels: Callable[[bytes, Contents], Mapping[str, Any]] | str | None = None
    require_whole: Callable[[bytes], object] | str | None = None
    precisions: tuple[Precision, ...] = ("fp32",)
    schemes: tuple[str, ...] = ()
    foreign_schemes: tuple[str, ...] = ()
    weight_limit: int = 127
    batch: Literal["one", "fixed", "any"] = "one"
    runtime: str | None = None
    script: Script | None = None
    module: str = ""
    package: str = ""
    versions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.ending.startswith("."):
            raise InputError(explain("a file's ending begins with a dot", got=repr(self.ending)))
        unknown = set(self.precisions) - set(PRECISIONS)
        if unknown or not self.precisions:
            got = ", ".join(sorted(unknown)) or "none"
            raise InputError(explain("a format has no such precision", got=got, allowed=", ".join(PRECISIONS)))
        if ("int8" in self.precisions) != bool(self.schemes):
            got = f"precisions {', '.join(self.precisions)}; schemes {', '.join(self.schemes) or 'none'}"
            raise InputError(explain("a format has int8 schemes where it has int8", got=got))
        if not 1 <= self.weight_limit <= 127:
            raise InputError(explain("impossible weight_limit", got=self.weight_limit, allowed="1 to 127"))

    def scheme_of(self, precision: str, scheme: str | None) -> str:
        """Return the scheme that a file of a precision has: the given or the default one; "none" without int8."""
        return (scheme or self.schemes[0]) if precision == "int8" else "none"

    def allows_batch(self, batch: int | None) -> bool:
        """Whether files can take so many images a run; None is an open number."""
        if batch is None:
            return self.batch == "any"
        return batch == 1 or (batch > 1 and self.batch != "one")

    @property
    def batches(self) -> str:
        """The numbers of images a run that files can take, in words."""
        return {"one": "1", "fixed": "1 or more", "any": "1 or more, or any number"}[self.batch]


_ONNX_SCRIPT = Script(
    opener="edgenas.deploy.scripts.onnx:open_model",
    imports="import numpy as np\nimport onnxruntime\nfrom PIL import Image, ImageOps\n",
    package="onnxruntime",
)
_TFLITE_SCRIPT = Script(
    opener="edgenas.deploy.scripts.tflite:open_model",
    imports=(
        "import numpy as np\nfrom PIL import Image, ImageOps\n\n"
        "try:\n    from ai_edge_litert.interpreter import Interpreter\n"
        "except ImportError:\n    from tflite_runtime.interpreter import Interpreter\n"
    ),
    package="ai-edge-litert",
)

FORMATS: Registry[FormatKind] = Registry(
    "file format",
    group="edgenas.formats",
    entries={
        "onnx": FormatKind(
            ending=".onnx",
            write="edgenas.formats.writers:onnx_file",
            open="edgenas.deploy.openers:open_onnx",
            kernels="edgenas.deploy.counts:onnx_kernels",
            precisions=("fp32", "fp16", "int8"),
            schemes=("qdq_u8s8", "qdq_s8s8"),
            # Signed activations are for Arm.
            foreign_schemes=("qdq_s8s8",),
            # ONNX Runtime multiplies unsigned activations with signed weights by `pmaddubsw` on x86 processors without
            # VNNI, which adds two products in 16 bits and saturates: 2 * 255 * 64 = 32,640 fits, 2 * 255 * 127 =
            # 64,770 does not. With 64 the file gives the same answer on every processor.
            weight_limit=64,
            batch="any",
            runtime="ort",
            script=_ONNX_SCRIPT,
            versions=("onnx", "onnxruntime"),
        ),
        "tflite": FormatKind(
            ending=".tflite",
            write="edgenas.formats.writers:tflite_file",
            open="edgenas.deploy.openers:open_tflite",
            kernels="edgenas.deploy.counts:tflite_kernels",
            require_whole="edgenas.deploy.counts:require_one_partition",
            precisions=("fp32", "fp16", "int8"),
            schemes=("int8", "int8_io"),
            # XNNPACK, which runs TFLite files, adds in 32 bits.
            weight_limit=127,
            batch="fixed",
            runtime="litert",
            script=_TFLITE_SCRIPT,
            versions=("ai-edge-litert", "tflite-runtime"),
        ),
        "openvino": FormatKind(
            ending=".openvino.zip",
            write="edgenas.deploy.targets:openvino_file",
            open="edgenas.deploy.targets:open_openvino",
            module="openvino",
            package="openvino",
            versions=("openvino",),
        ),
        "coreml": FormatKind(
            ending=".mlpackage.zip",
            write="edgenas.deploy.targets:coreml_file",
            module="coremltools",
            package="coremltools",
            versions=("coremltools",),
        ),
        "executorch": FormatKind(
            ending=".pte",
            write="edgenas.deploy.targets:executorch_file",
            open="edgenas.deploy.targets:open_executorch",
            module="executorch",
            package="executorch",
            versions=("executorch",),
        ),
    },
    check=lambda found: isinstance(found, FormatKind),
    expected="an edgenas.formats.FormatKind",
    error=ExportError,
)
"""Entry points of the group `edgenas.formats` add to it."""


def writer_of(name: FormatName) -> Callable[[Contents], bytes]:
    """Return the function that writes files of a format; its module is imported here.

    Raises:
        ExportError: There is no such format.
    """
    return resolved(FORMATS[name].write, what=f"the writer of {name} files")
