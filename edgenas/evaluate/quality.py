"""An estimator at work: it is asked for the worth of networks, and what it answers is checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from edgenas.errors import EdgenasError, PluginError, explain
from edgenas.evaluate.registry import ESTIMATORS, EstimatorTask, Judgement, function_of, is_share
from edgenas.types import Genes

Answer = TypeVar("Answer")


class Quality:
    """The estimator of a search.

    Attributes:
        name: In the registry.
        source, unit: Of its values; see `Estimator`.
        together: Whether it compares the networks of a batch with each other.
    """

    def __init__(self, task: EstimatorTask) -> None:
        """Make the estimator that a task names.

        Raises:
            PluginError: The package that adds it breaks off.
        """
        row = ESTIMATORS[task.name]
        self.name, self.source, self.unit = task.name, row.source, row.unit
        self.together = row.compare is not None
        self._foreign = ESTIMATORS.origin(task.name) != "edgenas"
        place = row.make if row.compare is None else row.compare
        assert place is not None
        self._ask: Callable[[Genes], Any] = self._asked(lambda: function_of(place)(task))

    def one(self, genes: Genes) -> Judgement:
        """Judge one network (D,).

        Raises:
            TrainingError: It cannot be judged.
            PluginError: The answer is none.
        """
        answer = self._asked(lambda: self._ask(genes))
        if not (isinstance(answer, tuple) and len(answer) == 2):
            raise self._wrong(answer, "a value and its standard error")
        return self._checked(Judgement(value=answer[0], standard_error=answer[1]))

    def several(self, genes: Genes) -> list[Judgement]:
        """Judge networks (N, D) together, in order.

        Raises:
            TrainingError: None of them can be judged.
            PluginError: The answer is none.
        """
        answer = self._asked(lambda: list(self._ask(genes)))
        if len(answer) != len(genes):
            raise self._wrong(f"{len(answer)} judgements", f"{len(genes)}, one a network")
        return [self._checked(entry) for entry in answer]

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except (EdgenasError, MemoryError):
            raise
        except Exception as error:
            from edgenas.train.loop.memory import is_out_of_memory

            if not self._foreign or (isinstance(error, RuntimeError) and is_out_of_memory(error)):
                raise
            raise self._wrong(f"{type(error).__name__}: {error}", "an answer") from error

    def _checked(self, found: Judgement) -> Judgement:
        if not isinstance(found, Judgement):
            raise self._wrong(found, "an edgenas.evaluate.registry.Judgement")
        if not _is_number(found.value):
            raise self._wrong(found.value, "a number")
        if self.unit == "1" and not is_share(found.value):
            raise self._wrong(found.value, "an accuracy in [0, 1]")
        error = found.standard_error
        if error is not None and not (_is_number(error) and math.isfinite(error) and error >= 0):
            raise self._wrong(f"standard error {error}", "a finite one of 0 or more, or None")
        if not (_is_number(found.fidelity) and 0 < found.fidelity <= 1):
            raise self._wrong(f"fidelity {found.fidelity}", "one in (0, 1]")
        if not found.failure and not math.isfinite(found.value):
            reason = f"the estimator {self.name} gave a value that is not a number"
            return Judgement(value=found.value, failure=reason)
        return Judgement(
            value=float(found.value), standard_error=None if error is None else float(error),
            fidelity=float(found.fidelity), failure=found.failure,
        )  # fmt: skip

    def _wrong(self, got: object, allowed: str) -> PluginError:
        remedy = f"Mend it ({ESTIMATORS.origin(self.name)}), or choose another search.estimator."
        what, said = f"the estimator {self.name} gives no judgement", "None" if got is None else got
        return PluginError(explain(what, got=said, allowed=allowed, remedy=remedy))


def _is_number(value: object) -> bool:
    """Whether something is a real number; one of numpy is."""
    if isinstance(value, bool) or not hasattr(value, "__float__") or isinstance(value, str):
        return False
    try:
        float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return False
    return True
