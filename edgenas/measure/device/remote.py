"""A remote device behind a command such as `ssh`. The agent is sent there, gets models, and returns raw samples."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from edgenas.errors import DeviceError, InputError, explain
from edgenas.latency.device import DeviceInfo, described_device
from edgenas.latency.processors import FACTS, clusters_of, measuring_cpus
from edgenas.latency.runtimes import RuntimeName
from edgenas.measure.device.alone import BOOTSTRAP, Loop, run_loop
from edgenas.measure.device.connection import Connection, quoted
from edgenas.measure.device.local import require_cpus_for
from edgenas.measure.protocol.timing import Business, Protocol, Samples, rounds, samples_of

# Chosen, not measured: how long a device is watched for other work.
_BUSY_SECONDS = 0.3

Cpus = Literal["big", "all"] | Sequence[int]


class RemoteDevice:
    """A device behind a command that runs one shell line there, such as `ssh user@host`.

    Use it as a context: leaving it ends the agent. Nothing is left on the device.
    """

    def __init__(
        self,
        command: str,
        *,
        python: str = "python3",
        timeout_s: float = 120.0,
        name: str = "",
        cpus: Cpus = "big",
    ) -> None:
        """Say how the device is reached; nothing is started yet.

        Args:
            command: Takes a shell line as its last argument: `ssh user@host`, `docker exec -i NAME sh -c`, `sh -c`.
            python: Python on the device, 3.9 or later, with numpy and the runtime. A `~` at the beginning is the home
                directory there.
            timeout_s: Time without sending or receiving after which the device counts as gone. While it measures, the
                agent sends a sign of life every other second.
            name: Name of a device that does not say which processor it has, else of the board.
            cpus: Processors that measurements run on: `big` (the most powerful ones where there are several kinds),
                `all`, or their numbers. Part of the device's identity.

        Raises:
            InputError: The command is empty or not quoted well, the time is not positive, or a processor cannot be.
        """
        try:
            self._argv = shlex.split(command)
        except ValueError as error:
            raise InputError(explain(f"cannot read the device's command: {error}", got=repr(command))) from error
        if not self._argv:
            raise InputError(explain("the device's command is empty", allowed="such as `ssh user@host`"))
        if not 0 < timeout_s < float("inf"):
            raise InputError(explain("the time-out must be positive", got=timeout_s, allowed="seconds"))
        self._cpus = _checked(cpus)
        self._command, self._python, self._timeout_s, self._name = command, python, timeout_s, name
        self._connection: Connection | None = None
        self._facts: dict[str, Any] | None = None
        self._info: DeviceInfo | None = None

    def __enter__(self) -> Self:
        """Start the agent.

        Raises:
            DeviceError: The command cannot be run, no agent answers, or it cannot keep to the processors.
        """
        self._connection = Connection(
            self._argv, python=self._python, name=self._command, timeout_s=self._timeout_s
        )
        try:
            self._facts = self._ask({"do": "describe", "facts": FACTS}, "machine", "facts", "allowed", "versions")
            self._info = self._described(self._facts)
            if self._info.affinity:
                self._ask({"do": "pin", "cpus": self._info.affinity})
        except DeviceError:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the agent."""
        self.close()

    def close(self) -> None:
        """End the agent; a second call does nothing."""
        if self._connection is not None:
            self._connection.close()

    def info(self) -> DeviceInfo:
        """Describe the device's processor, and which of its cores are measured."""
        self._known()
        assert self._info is not None
        return self._info

    def version(self, name: RuntimeName) -> str:
        """Version of a runtime on the device.

        Raises:
            DeviceError: It is not installed there.
        """
        versions = self._known()["versions"]
        if name not in versions:
            found = ", ".join(f"{key} {value}" for key, value in versions.items()) or "none"
            raise DeviceError(
                explain(f"the device at {self._command!r} has no runtime {name!r} for {self._python}", got=found)
            )
        return str(versions[name])

    def busy(self) -> Business:
        """Say how busy the device is."""
        found = self._ask({"do": "busy", "seconds": _BUSY_SECONDS}, "load_per_core", "stolen")
        return Business(load_per_core=found["load_per_core"], stolen=found["stolen"])

    def load(self, slots: Sequence[str], name: RuntimeName, data: bytes, *, threads: int) -> None:
        """Send a model file once and load it there; see `Device.load`."""
        self.version(name)
        require_cpus_for(threads, self.info().affinity, remedy="Name processors for all of them (cpus, --device-cpus).")
        request = {"do": "open", "slots": list(slots), "runtime": name, "threads": threads, "bytes": len(data)}
        self._ask(request, data=data)

    def alternate(self, slots: Sequence[str], protocol: Protocol, rng: np.random.Generator) -> list[Samples]:
        """Measure the networks in some slots alternately; the orders of the rounds are drawn here."""
        orders = rounds(len(slots), protocol, rng)
        found = self._ask(
            {"do": "alternate", "slots": list(slots), "mode": protocol.mode, "runs": protocol.runs,
             "warmup": protocol.warmup, "orders": orders,
             "settle": protocol.settle, "burst_ms": protocol.burst_ms, "turn_ms": protocol.turn_ms}, "samples"
        )  # fmt: skip
        try:
            return [samples_of(raw) for raw in found["samples"]]
        except (KeyError, TypeError, ValueError) as error:
            raise self._open().nonsense("alternate") from error

    def alone(self, name: RuntimeName, data: bytes, *, threads: int, other: bytes = b"") -> Loop:
        """Run a loop there, by the same command but not by the agent; see `Device.alone`."""
        self.version(name)
        argv = (*self._argv, f"{quoted(self._python)} -c {shlex.quote(BOOTSTRAP)}")
        cpus, timeout_s = self.info().affinity, self._timeout_s
        return run_loop(argv, name, data, threads=threads, other=other, cpus=cpus, timeout_s=timeout_s)

    def _described(self, facts: Mapping[str, Any]) -> DeviceInfo:
        names = ("machine", "facts", "processor", "cores", "memory_mib")
        try:
            allowed = facts["allowed"] or None
            big = measuring_cpus(clusters_of(facts["facts"]), allowed)
            chosen = {"big": big, "all": ()}.get(self._cpus) if isinstance(self._cpus, str) else self._cpus
            return described_device(
                **{name: facts[name] for name in names}, name=self._name, affinity=chosen or ()
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._open().nonsense("describe") from error

    def _known(self) -> dict[str, Any]:
        if self._facts is None:
            raise DeviceError(explain(f"the device at {self._command!r} is not connected"))
        return self._facts

    def _open(self) -> Connection:
        if self._connection is None:
            raise DeviceError(explain(f"the device at {self._command!r} is not connected"))
        return self._connection

    def _ask(self, request: Mapping[str, Any], *names: str, data: bytes = b"") -> dict[str, Any]:
        """Ask, and make sure that the answer has some names."""
        answer = self._open().ask(request, data)
        if not all(name in answer for name in names):
            raise self._open().nonsense(request["do"])
        return answer


def _checked(cpus: Cpus) -> Literal["big", "all"] | tuple[int, ...]:
    """Return processors as a sorted tuple, or the name of a choice."""
    if cpus == "big" or cpus == "all":
        return cpus
    whole = not isinstance(cpus, str) and all(isinstance(cpu, int) and 0 <= cpu < 65_536 for cpu in cpus)
    if not whole or not cpus:
        raise InputError(
            explain("the device's processors cannot be", got=repr(cpus), allowed="big, all, or numbers from 0 up")
        )
    return tuple(sorted(set(cpus)))  # type: ignore[arg-type]
