"""What a specialisation found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from edgenas.arch import Architecture
from edgenas.arch.document import to_document
from edgenas.arch.notation import format_notation

if TYPE_CHECKING:
    from edgenas.deploy import Card

RESULT_FILE = "specialised.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A network that may be the answer.

    Attributes:
        genes: Its code, (D,).
        accuracy: Inherited, on validation images, in [0, 1].
        predicted_ms: By the table.
        measured_ms: On the device, before anything was exported; None where the device is not here.
    """

    genes: tuple[int, ...]
    accuracy: float
    predicted_ms: float
    measured_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Specialised:
    """The answer.

    Attributes:
        found: The network.
        architecture: The same.
        budget_ms: What it had to meet.
        file: Name of the file that the budget is about.
        file_latency_ms: Measured latency of that file; None where the device is not here.
        file_accuracy: Of that file on the test images, in [0, 1].
        torch_accuracy: Of the float network on the test images.
        card: Of the bundle.
        from_run, from_others: Numbers of networks whose accuracy was known from the run, or from specialisations for
            other devices.
        judged: Networks that were judged now.
        seconds: Wall-clock time of everything but measuring a table.
        notes: What a user may not expect.
    """

    found: Found
    architecture: Architecture
    budget_ms: float
    file: str
    file_latency_ms: float | None
    file_accuracy: float
    torch_accuracy: float
    card: Card
    from_run: int
    from_others: int
    judged: tuple[Found, ...] = field(repr=False)
    seconds: float
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        apart = ("card", "found", "judged")
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in apart}
        return {
            **plain,
            **asdict(self.found),
            "architecture": to_document(self.architecture),
            "notation": format_notation(self.architecture),
            "digest": self.architecture.digest,
            "judged": len(self.judged),
            "networks": [{"genes": list(entry.genes), "accuracy": entry.accuracy} for entry in self.judged],
        }
