"""For tests that have a machine in them: the embedded guest to talk to, and payloads that know afterwards whether they came through unharmed.

Nothing here needs pytest; the fixtures are in `spapr.pytest_plugin`, the Hypothesis strategies in `spapr.testing.strategies`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spapr.config import MachineSettings, unknown
from spapr.machine import Machine

__all__ = ["Counter", "Guest", "Payload", "counter", "embedded_guest"]

TIMEOUT = 60.0
"""Seconds that the embedded guest may take for anything, on a machine that has better things to do."""

_GUESTS = Path(__file__).resolve().parents[1] / "guests"
_ENDIANS = ("be", "le")


def embedded_guest(endian: Literal["be", "le"] = "be") -> Path:
    """The file of spapr's own small guest: it boots in milliseconds and obeys commands on its console."""
    if endian not in _ENDIANS:
        raise unknown("endianness", str(endian), _ENDIANS)
    return _GUESTS / f"embedded-{endian}.elf"


class Guest:
    """An embedded guest that is ready, to be asked things. Starts the machine if nobody has. `booted`: it was ready before, as in a fork, and says so no more."""

    def __init__(self, vm: Machine, *, booted: bool = False, timeout: float = TIMEOUT) -> None:
        self.vm = vm
        """The machine that it runs on."""
        self.timeout = timeout
        """Seconds that it may take for an answer."""
        if vm.status in ("prelaunch", "paused"):
            vm.start()
        self.greeting = "" if booted else vm.console.expect(r"(?s)^(spapr-guest 1 .*)^ready\n> ", timeout=timeout).group(1)
        """What it said at its start."""

    def ask(self, command: str) -> str:
        """Its answer to a command, without the closing `ok`. An `error …` raises `ConsoleMatch`."""
        self.vm.console.sendline(command)
        return self.vm.console.expect(r"(?s)^\n?(.*?)^ok\n> ", fail_on="^error .*", timeout=self.timeout).group(1)

    def ids(self) -> list[int]:
        """The numbers of its running threads, as each reads them from its own register."""
        return [int(pir) for pir in re.findall(r"pir=(\d+) .*state=running", self.ask("ids"))]

    def __repr__(self) -> str:
        return f"<spapr.testing.Guest on {self.vm!r}>"


@dataclass(frozen=True)
class Payload:
    """What a guest does while something is done to its machine. Subclasses say which guest, how it is set going, and how it is asked about it afterwards."""

    def settings(self) -> MachineSettings:
        """The settings of a machine that runs it; the user's own stand above them."""
        raise NotImplementedError

    def prepare(self, vm: Machine) -> None:
        """Has it begin by itself as soon as the machine runs: nothing needs to be waited for."""
        raise NotImplementedError

    def check(self, vm: Machine, *, timeout: float = TIMEOUT) -> dict[str, int]:
        """What it has done so far, by name. A guest that finds itself harmed is an `AssertionError`. The machine runs afterwards."""
        raise NotImplementedError


@dataclass(frozen=True)
class Counter(Payload):
    """The embedded guest, which writes numbered and checksummed pages, and verifies every page that it has ever written when it is asked."""

    rate: int = 1000
    """Pages of 4 KiB a second."""
    mib: int = 4
    """MiB that it goes round in."""
    endian: Literal["be", "le"] = "be"
    """Endianness of the guest."""

    def settings(self) -> MachineSettings:
        """256 MiB and the embedded guest."""
        return {"memory": "256M", "kernel": embedded_guest(self.endian)}

    def prepare(self, vm: Machine) -> None:
        """Types the command that begins it."""
        vm.console.sendline(f"dirty start {self.rate} {self.mib}")

    def check(self, vm: Machine, *, timeout: float = TIMEOUT) -> dict[str, int]:
        """`pages` in its window, and how many `writes` there were; both are from the guest's own books."""
        if vm.status in ("prelaunch", "paused"):
            vm.start()
        vm.console.sendline("verify")
        found = vm.console.expect(r"(?s)^verify pages=(\d+) writes=(\d+) bad=(\d+)\n(.*?)^(ok|error [^\n]*)\n", fail_on="^unexpected interrupt.*", timeout=timeout)
        pages, writes, bad = (int(text) for text in found.groups()[:3])
        if bad or found.group(5) != "ok":
            raise AssertionError(f"the guest finds {bad} of the pages that it has written harmed:\n{found.group(4)}{found.group(5)}")
        return {"pages": pages, "writes": writes}


def counter(rate: int = 1000, mib: int = 4, endian: Literal["be", "le"] = "be") -> Counter:
    """A guest that writes `rate` checksummed pages of 4 KiB a second, round and round in `mib` MiB, and can tell whether all of them are whole."""
    return Counter(rate, mib, endian)
