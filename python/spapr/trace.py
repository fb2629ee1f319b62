"""What a guest does at its borders, as events: the hypercalls that it makes, and what its consoles say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spapr import _spapr
from spapr.config import unknown

if TYPE_CHECKING:
    from spapr.machine import Machine

__all__ = ["ConsoleEvent", "Event", "HcallEvent", "Trace"]

KINDS = ("hcall", "console")


@dataclass(frozen=True, kw_only=True)
class HcallEvent:
    """A hypercall."""

    cpu: int
    """Index of the vCPU that made it."""
    number: int
    """r3."""
    args: tuple[int, ...]
    """r4 to r12."""
    status: int | None
    """r3 afterwards; None if it did not return."""

    @property
    def name(self) -> str:
        """PAPR's name, or the number."""
        return _spapr.hcall_name(self.number) or f"{self.number:#x}"

    def __str__(self) -> str:
        args = list(self.args)
        while args and args[-1] == 0:
            args.pop()
        return f"cpu {self.cpu}: {self.name}({', '.join(f'{arg:#x}' for arg in args)}) = {self.status}"


@dataclass(frozen=True, kw_only=True)
class ConsoleEvent:
    """Something said on a console."""

    console: int
    """Which console."""
    data: bytes
    """What was said."""


Event = HcallEvent | ConsoleEvent


class Trace:
    """Events of a machine, from its beginning (`vm.trace()`) to `stop()`. Iterating takes those that have come, oldest of a kind first.

    At most `capacity` hypercalls wait to be taken; older ones are dropped.
    """

    def __init__(self, machine: Machine, events: str | Iterable[str], capacity: int) -> None:
        self.events = (events,) if isinstance(events, str) else tuple(events)
        for kind in self.events:
            if kind not in KINDS:
                raise unknown("kind of event", kind, KINDS)
        self._machine = machine
        self._vm = machine._vm
        self._seen = [len(console.raw) for console in machine.consoles]
        if "hcall" in self.events:
            self._vm.record_hcalls(capacity)

    def __iter__(self) -> Iterator[Event]:
        if "hcall" in self.events:
            for cpu, number, args, status in self._vm.take_hcalls():
                yield HcallEvent(cpu=cpu, number=number, args=tuple(args), status=status)
        if "console" in self.events:
            for console in self._machine.consoles:
                data = console.raw[self._seen[console.index] :]
                self._seen[console.index] += len(data)
                if data:
                    yield ConsoleEvent(console=console.index, data=data)

    def counts(self) -> Counter[str]:
        """Takes the events that have come and counts the hypercalls by name."""
        return Counter(event.name for event in self if isinstance(event, HcallEvent))

    def stop(self) -> None:
        """Ends the recording."""
        if "hcall" in self.events:
            self._vm.record_hcalls(0)

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<spapr.Trace of {', '.join(self.events)}>"
