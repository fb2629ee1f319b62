"""The guest that a cell is tried with: what it runs before it moves, and how one sees that it arrived whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from spapr.errors import GuestPanic

if TYPE_CHECKING:
    from spapr.machine import Machine

__all__ = ["Embedded", "Kernel", "Payload", "Wrong"]


class Wrong(Exception):
    """The guest is not what it should be."""


class Payload(Protocol):
    """A guest. Frozen and picklable: it goes to whatever executes a cell."""

    def settings(self) -> Mapping[str, Any]:
        """What it adds to a configuration: kernel, command line."""
        ...

    def before(self, vm: Machine, timeout: float) -> object:
        """Runs it on the source until it may move; what `after` should know."""
        ...

    def after(self, vm: Machine, known: Any, timeout: float) -> None:
        """Looks at it on the destination; raises `Wrong` if something is lost."""
        ...

    def still_there(self, vm: Machine, timeout: float) -> None:
        """Looks whether it goes on at the source after a refusal; raises `Wrong` if not."""
        ...


@dataclass(frozen=True)
class Embedded:
    """The embedded guest: every thread reports its own number, memory is written while it moves and verified afterwards, interrupts go on.

    `rate`: 4 KiB pages a second that it writes, in a window of `window` MiB.
    """

    rate: int = 2000
    window: int = 1
    endian: str = "be"

    def settings(self) -> Mapping[str, Any]:
        """The guest's image."""
        from importlib import resources

        return {"kernel": str(resources.files("spapr") / "guests" / f"embedded-{self.endian}.elf")}

    def before(self, vm: Machine, timeout: float) -> dict[str, Any]:
        """Lets all threads report, and begins to write."""
        vm.console.expect(r"^ready\n", fail_on=r"unexpected interrupt", timeout=timeout)
        threads = self._threads(vm, timeout)
        ids = {thread["server"] for thread in threads}
        if ids != {int(number) for number in vm.vcpu_ids} or any(thread["pir"] != thread["server"] for thread in threads):
            raise Wrong(f"the guest's threads have the numbers {sorted(ids)}, and the machine {[int(n) for n in vm.vcpu_ids]}")
        self._say(vm, f"dirty start {self.rate} {self.window}", timeout)
        return {"ids": ids, "tb": self._number(self._say(vm, "tb", timeout), "tb")}

    def after(self, vm: Machine, known: Any, timeout: float) -> None:
        """Every thread answers under its number, memory is whole, time has not gone back; then the guest powers off."""
        threads = self._threads(vm, timeout)
        ids = {thread["server"] for thread in threads}
        if ids != known["ids"] or any(thread["pir"] != thread["server"] for thread in threads):
            raise Wrong(f"the guest's threads had the numbers {sorted(known['ids'])} and now have {sorted(ids)}")
        silent = [thread["server"] for thread in threads if thread["state"] != "running"]
        if silent:
            raise Wrong(f"the threads {silent} do not answer")
        tb = self._number(self._say(vm, "tb", timeout), "tb")
        if tb < known["tb"]:
            raise Wrong(f"the timebase went back from {known['tb']} to {tb}")
        self._say(vm, "dirty stop", timeout)
        found = self._say(vm, "verify", timeout)
        if self._number(found, "bad") != 0:
            raise Wrong(f"memory was damaged: {found.strip()}")
        vm.console.sendline("off")
        vm.wait(timeout=timeout)
        if vm.status != "shutdown":
            raise Wrong(f"the guest did not power off but is {vm.status}")

    def still_there(self, vm: Machine, timeout: float) -> None:
        """Every thread answers, and memory is whole."""
        if any(thread["state"] != "running" for thread in self._threads(vm, timeout)):
            raise Wrong("not all threads answer")
        found = self._say(vm, "verify", timeout)
        if self._number(found, "bad") != 0:
            raise Wrong(f"memory was damaged: {found.strip()}")

    def _say(self, vm: Machine, command: str, timeout: float) -> str:
        vm.console.sendline(command)
        said = vm.console.expect(r"(?s)\n(.*?)^(ok|error [^\n]*)\n", fail_on=r"unexpected interrupt", timeout=timeout)
        if said.group(2) != "ok":
            raise Wrong(f"the guest's {command!r} ended with {said.group(2)!r}: {said.group(1).strip()}")
        return said.group(1)

    def _threads(self, vm: Machine, timeout: float) -> list[dict[str, Any]]:
        rows = re.findall(r"thread server=(\d+) pir=(\S+) .*state=(\w+)", self._say(vm, "ids", timeout))
        return [{"server": int(server), "pir": int(pir) if pir.isdigit() else None, "state": state} for server, pir, state in rows]

    def _number(self, text: str, name: str) -> int:
        found = re.search(rf"\b{name}=(\d+)", text)
        if found is None:
            raise Wrong(f"the guest did not say {name}=: {text.strip()!r}")
        return int(found.group(1))


@dataclass(frozen=True)
class Kernel:
    """A kernel of the user's, such as Linux.

    `ready` is what its console says when it may move. Each pair of `before` and `after` is a line to type and what the answer must match.
    """

    kernel: str
    initrd: str | None = None
    append: str = ""
    ready: str = r"[#$] (\x1b\[6n)?$|login:"
    before_: tuple[tuple[str, str], ...] = ()
    after_: tuple[tuple[str, str], ...] = ()
    fail_on: str = r"Kernel panic|Oops"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def settings(self) -> Mapping[str, Any]:
        """Kernel, RAM disk, command line."""
        return {"kernel": self.kernel, "initrd": self.initrd, "append": self.append, **self.extra}

    def before(self, vm: Machine, timeout: float) -> None:
        """Boots it and types what is to be typed."""
        vm.console.expect(self.ready, fail_on=self.fail_on, timeout=timeout)
        self._talk(vm, self.before_, timeout)

    def after(self, vm: Machine, known: Any, timeout: float) -> None:
        """Types what is to be typed afterwards; without that, a line and an answer to it."""
        if not self.after_:
            size = len(vm.console.log)
            vm.console.sendline("")
            vm.console.expect(r"\n", timeout=timeout)
            if len(vm.console.log) <= size:
                raise Wrong("the guest does not answer")
        self._talk(vm, self.after_, timeout)

    def still_there(self, vm: Machine, timeout: float) -> None:
        """A line, and an answer to it."""
        vm.console.sendline("")
        vm.console.expect(r"\n", fail_on=self.fail_on, timeout=timeout)

    def _talk(self, vm: Machine, lines: tuple[tuple[str, str], ...], timeout: float) -> None:
        for line, answer in lines:
            vm.console.sendline(line)
            try:
                vm.console.expect(answer, fail_on=self.fail_on, timeout=timeout)
            except GuestPanic as panic:
                raise Wrong(str(panic)) from None
