"""A machine: built from a configuration, started, talked to, looked into, ended.

The vCPUs run on threads of their own. Every call here that waits lets other Python threads run, so one process can have many
machines, each with a thread that talks to it; and Ctrl-C during a wait pauses the machine and leaves it as it is, to be looked at.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from spapr import _spapr, log
from spapr.config import MachineConfig, MachineSettings, NumaNode, Smp, _Signature
from spapr.terminal import Console, Pattern, check_timeout
from spapr.errors import ConfigError, ConsoleClosed, ConsoleTimeout, GuestMemoryError, GuestPanic, GuestTimeout, SpaprError
from spapr.ram import Ram
from spapr.registers import Cpu, Instruction, Listing
from spapr.sizes import format_size
from spapr.snapshot import Snapshot
from spapr.stream import by_name
from spapr.trace import Trace

if TYPE_CHECKING:
    from spapr.migration import MigrationInfo
    import numpy as np
    from numpy.typing import NDArray

    from spapr.devicetree import Node

__all__ = ["Machine", "Stop", "Until", "console"]

_ENDED = ("shutdown", "guest-panicked", "internal-error", "watchdog", "postmigrate")


@dataclass(frozen=True)
class Until:
    """A text on a console, as an end for `Machine.run`."""

    pattern: Pattern
    index: int = 0


def console(pattern: Pattern, index: int = 0) -> Until:
    """For `Machine.run(until=…)`: until console `index` says what matches `pattern`."""
    return Until(pattern, index)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Why `Machine.run` came back. The machine does not run."""

    reason: str
    """`console`, `instructions`, `breakpoint`, `watchpoint`, `user` (somebody paused it), or the status with which the guest ended."""
    status: str
    """The machine's status."""
    match: re.Match[str] | None = None
    """What the console said, if that was the reason."""
    text: str = ""
    """What else is known."""


class Machine:
    """A pseries machine.

    Settings are those of `MachineConfig`, by keyword, alone or on top of a configuration. A context manager: its end is the machine's.

    ```python
    with spapr.Machine(machine="pseries-2.12", cpu="power9", smp="8,cores=2,threads=4", vsmt=8, memory="1G", kernel="vmlinux") as vm:
        vm.start()
        vm.console.expect("login:", fail_on="Kernel panic", timeout=120)
    ```

    `incoming=True` makes a machine for a guest that arrives by migration (`migrate`, `spapr.incoming`) and does not start one.
    """

    __signature__ = _Signature()

    def __init__(self, config: MachineConfig | None = None, /, *, incoming: bool = False, **settings: Unpack[MachineSettings]) -> None:
        asked = MachineConfig(**settings) if config is None else config.replace(**settings) if settings else config
        if not isinstance(asked, MachineConfig):
            raise ConfigError("config", f"{config!r} is no MachineConfig", "use spapr.MachineConfig(…), or settings by keyword")
        self._become(asked, asked.resolved(), _spapr.Vm.incoming(asked) if incoming else None)

    def _become(self, asked: MachineConfig, config: MachineConfig, vm: _spapr.Vm | None) -> None:
        """All that a machine is made of; `vm` is one that exists already."""
        self.config: MachineConfig = config
        """The configuration, every default filled in."""
        settled, _ = _spapr.resolve(asked)
        self.vsmt: int = settled["stride"]
        """The distance between the ids of neighbouring cores."""
        self._vcpu_ids: list[int] = settled["vcpu_ids"]
        self._asked = asked
        self._closed = False
        self._vm = _spapr.Vm(asked) if vm is None else vm
        self.consoles: tuple[Console, ...] = tuple(Console(self, self._vm.console(n), n) for n in range(self._vm.consoles()))
        """The virtual terminals."""
        self.cpus: tuple[Cpu, ...] = tuple(Cpu(self._vm, n, self._vcpu_ids[n]) for n in range(self.config.smp.cpus or 1))
        """The vCPUs."""
        self.ram = Ram(self._vm)
        """Guest RAM."""

    @classmethod
    def _around(cls, config: MachineConfig, vm: _spapr.Vm) -> Machine:
        """A machine that was not made by its constructor: a fork, or from a file."""
        machine = cls.__new__(cls)
        machine._become(config, config, vm)
        return machine

    # --- saved state ---

    def state(self) -> dict[str, Any]:
        """All state but RAM and the hash table, by section and field: `vm.state()["cpu"][0]["gpr"]`. The machine must not run."""
        return by_name(self._vm.state())

    def state_digest(self) -> str:
        """A digest of registers, devices, RAM and the hash table, the same for two machines exactly if they are in the same state, whatever runs them. The
        machine must not run.
        """
        return self._vm.state_digest().hex()

    def snapshot(self, name: str | None = None) -> Snapshot:
        """Freezes the machine's state in memory; `Snapshot.fork()` gives machines that go on from there. A machine that runs stands still meanwhile."""
        return Snapshot(self._vm.snapshot(), name, self.config, Machine._around)

    def save_checkpoint(self, path: str | os.PathLike[str], *, compress: str | None = None, sync: bool = True) -> int:
        """Writes the machine's state to a file; gives its size. An old file of that name is replaced in one step when all is written, and not at all if
        that fails. A machine that runs stands still meanwhile.

        `compress="lz4"` makes the file smaller. `sync=False` does not wait for the disk: the file survives the program, not a power failure.
        """
        return self._vm.save_checkpoint(os.fspath(path), compress, "disk" if sync else "cache")[1]

    @staticmethod
    def load_checkpoint(path: str | os.PathLike[str], *, accel: str | None = None, config: MachineConfig | None = None) -> Machine:
        """A machine from a file that `save_checkpoint` wrote. It stands until `start()` or `resume()`. Raises `StreamError` with section and field, and there is
        no machine, if the file is damaged.

        The machine is what the settings in the file make of this host, or what `config` says: another processor that has the guest's compatibility mode, another accelerator. What
        may differ is what may differ when a guest moves (`spapr.check`); all else is refused with a `StreamError`.
        """
        accel = accel or (config.accel if config is not None else "auto")
        vm, found = _spapr.Vm.load_checkpoint(os.fspath(path), accel, config)
        cpus, sockets, cores, threads, maxcpus = found["smp"]
        smp = Smp(cpus, sockets=sockets, cores=cores, threads=threads, maxcpus=maxcpus)
        numa = tuple(NumaNode(memory, cores) for memory, cores in found["numa"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = MachineConfig(**(found | {"smp": smp, "numa": numa, "accel": accel})).resolved()
        return Machine._around(config, vm)

    # --- life ---

    def start(self) -> None:
        """Lets the guest run. Comes back at once."""
        self._vm.resume(None)

    def resume(self, *, force: bool = False) -> None:
        """Lets a paused guest run on. Comes back at once.

        `force` is for a guest of which a `MigrationUnconfirmed` said that it may run on the destination: give it if you know that it does not.
        """
        if force:
            self._vm.resume_unconfirmed()
        else:
            self._vm.resume(None)

    def pause(self) -> None:
        """Stops all vCPUs, and the guest's clock with them."""
        self._vm.pause()
        log.forward()

    @contextlib.contextmanager
    def paused(self) -> Iterator[Machine]:
        """Pauses the machine for the length of a `with` block; it runs on afterwards if it ran before."""
        ran = self.status == "running"
        self.pause()
        try:
            yield self
        finally:
            if ran and self.status == "paused":
                self.resume()

    def step(self, cpu: int = 0, count: int = 1) -> None:
        """Executes instructions of one vCPU of a paused machine."""
        for _ in range(count):
            self.cpus[cpu].step()

    def run(self, *, until: Pattern | Until | None = None, max_instructions: int | None = None, timeout: float | None = None) -> Stop:
        """Lets the guest run and waits: until its console says something (`until`), all vCPUs together have executed `max_instructions`, or it stops
        by itself. The machine does not run afterwards, whatever the reason.

        Raises `GuestPanic` if the guest panics and `GuestTimeout` after `timeout` seconds.
        """
        check_timeout(timeout)
        if max_instructions is not None and max_instructions < 1:
            raise ConfigError("max_instructions", f"{max_instructions} is nothing to run", "use max_instructions=1 or more, or leave it out")
        listening = until is not None and self.config.icount
        if not listening:
            self._vm.resume(max_instructions)
        match = None
        try:
            if until is not None and listening:
                match = self._run_listening(until if isinstance(until, Until) else Until(until), max_instructions, timeout)
            elif until is None:
                self.wait(timeout=timeout)
            else:
                match = self._run_until(until if isinstance(until, Until) else Until(until), timeout)
        finally:
            self.pause()
        status, reason, text = self._vm.status()
        if match is not None:
            return Stop(reason="console", status=status, match=match, text=text)
        if status == "guest-panicked":
            raise GuestPanic(f"the guest panicked{f' ({text})' if text else ''}", self.console.tail() if self.consoles else "")
        return Stop(reason=status if status in _ENDED else reason, status=status, text=text)

    def _run_until(self, until: Until, timeout: float | None) -> re.Match[str] | None:
        try:
            return self.consoles[until.index].expect(until.pattern, timeout=timeout)
        except (ConsoleClosed, GuestPanic):
            return None
        except ConsoleTimeout as error:
            raise GuestTimeout(error.message, error.tail) from None

    def _run_listening(self, until: Until, max_instructions: int | None, timeout: float | None) -> re.Match[str] | None:
        """As `_run_until`, but the machine stops at the very instruction that completed the match, so that the same run always stops at the same place."""
        deadline = None if timeout is None else time.monotonic() + timeout
        begun = self.instructions
        while True:
            match = self.consoles[until.index]._said(until.pattern)
            if match is not None:
                return match
            left = None if max_instructions is None else max_instructions - (self.instructions - begun)
            if left == 0:
                return None
            self._vm.resume_until_output(left)
            self.wait(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            if self._vm.status()[1] != "output":
                return None

    @property
    def run_digest(self) -> str:
        """A digest of all that the guest did so far: every exit with the registers and the time. Equal for two runs exactly if they were the same up to
        here, whatever runs them. For a machine with `icount=True` that does not run.
        """
        return self._vm.run_digest().hex()

    def wait(self, *, timeout: float | None = None) -> str:
        """Waits until the machine does not run; its status then. Raises `GuestTimeout` after `timeout` seconds; the machine runs on."""
        check_timeout(timeout)
        try:
            stopped = self._vm.wait(timeout)
        except KeyboardInterrupt:
            self.pause()
            raise
        finally:
            log.forward()
        if not stopped:
            raise GuestTimeout(f"the machine still runs after {timeout} s", self.console.tail() if self.consoles else "")
        return self.status

    def reset(self) -> None:
        """Starts the machine from its images again, as a reset button would. It runs if it ran before; if it had ended, `resume` it."""
        self._vm.reset()

    def shutdown(self, *, timeout: float | None = None) -> None:
        """Asks the guest to shut down, as a power button would; with `timeout`, waits so many seconds until it has."""
        check_timeout(timeout)
        self._vm.powerdown()
        if timeout is None:
            return
        deadline = time.monotonic() + timeout
        while (status := self.wait(timeout=max(0.0, deadline - time.monotonic()))) not in _ENDED:
            raise GuestTimeout(f"the machine is {status} and can't shut down; resume() it first", self.console.tail() if self.consoles else "")

    def migrate(
        self,
        to: Machine | str,
        /,
        *,
        downtime_limit: float = 300,
        max_bandwidth: int | str | None = None,
        on_progress: Callable[[MigrationInfo], object] | None = None,
        timeout: float | None = None,
        stall_timeout: float = 20,
        auto_converge: bool = True,
        postcopy_after: int | None = None,
        connections: int | None = None,
        xbzrle_cache_size: int | str = "256M",
        tls: str | os.PathLike[str] | None = None,
        tls_hostname: str | None = None,
    ) -> MigrationInfo:
        """Moves the guest, running, to another machine (made with `incoming=True`), or to an address at which one waits (`spapr.incoming`): `unix:PATH`,
        `tcp:HOST:PORT`, `fd:N[,N…]`. Waits until it runs there.

        Until the destination has confirmed that it runs, the guest is here and can go on; every failure leaves it running here, but for a `MigrationUnconfirmed`, which says that it is paused here
        and may run there. Ctrl-C cancels. The destination refuses another machine before any page moves (`MigrationIncompatible`, with `reasons`).

        - `downtime_limit`: milliseconds that the guest may stand still.
        - `max_bandwidth`: bytes a second while it runs (`"100M"`); the last round is not held back.
        - `on_progress`: called with a `MigrationInfo` about ten times a second and at the end.
        - `timeout`: seconds for all of it, then it is cancelled. `stall_timeout`: seconds that the other side may keep still.
        - `auto_converge`: a guest that changes memory faster than it can be sent is slowed down, step by step.
        - `postcopy_after`: after so many rounds the guest moves before the rest of its memory, which it waits for page by page.
        - `connections`: how many are used at once (2; of `fd:` as many as are named). `xbzrle_cache_size`: for copies of pages of which only changes are sent (memory is taken as they come); 0 sends them whole.
        - `tls`: a folder with `ca-cert.pem`, `client-cert.pem`, `client-key.pem`. `tls_hostname`: the name in the other side's certificate.
        """
        from spapr import migration

        return migration.migrate(
            self,
            to,
            downtime_limit=downtime_limit,
            max_bandwidth=max_bandwidth,
            on_progress=on_progress,
            timeout=timeout,
            stall_timeout=stall_timeout,
            auto_converge=auto_converge,
            postcopy_after=postcopy_after,
            connections=connections,
            xbzrle_cache_size=xbzrle_cache_size,
            tls=tls,
            tls_hostname=tls_hostname,
        )

    def nmi(self) -> None:
        """Raises a system reset interrupt on every vCPU: a guest kernel's debugger, or its death."""
        self._vm.nmi()

    def close(self) -> None:
        """Ends the machine and frees its memory. What its consoles said stays. Does nothing the second time."""
        self._vm.close()
        self._closed = True
        log.forward()

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what it is ---

    @property
    def status(self) -> str:
        """QEMU's name of the run state: `prelaunch`, `running`, `paused`, `shutdown`, `guest-panicked`, `internal-error`, …; `closed` at the very end."""
        return "closed" if self._closed else self._vm.status()[0]

    @property
    def status_text(self) -> str:
        """What is known of why the machine does not run, such as a panicking guest's own words."""
        return self._vm.status()[2]

    @property
    def vcpu_ids(self) -> NDArray[np.uint32]:
        """The vcpu ids by index."""
        import numpy as np

        return np.array(self._vcpu_ids, dtype=np.uint32)

    @property
    def console(self) -> Console:
        """The first terminal."""
        if not self.consoles:
            raise ConfigError("vtys", "the machine has no terminal", "use vtys=1 or more")
        return self.consoles[0]

    def accel_stats(self) -> dict[str, int]:
        """What the accelerator counted about itself so far: for the translator what it translated, and which instructions it left to the interpreter
        ("step addo"), the most frequent first. The names are for people and may change; the interpreter counts nothing."""
        return dict(self._vm.accel_stats())

    @property
    def instructions(self) -> int:
        """Instructions executed so far by all vCPUs together. The machine must not run."""
        return sum(self._vm.instructions())

    @property
    def dts(self) -> str:
        """The device tree as the guest has it now, as source text."""
        return self._vm.dts()

    @property
    def dtb(self) -> bytes:
        """The device tree as the guest has it now, flattened."""
        return self._vm.dtb()

    @property
    def device_tree(self) -> Node:
        """The device tree as the guest has it now, as objects: `vm.device_tree.node("/chosen")["bootargs"].text`."""
        from spapr.devicetree import parse

        return parse(self.dtb)

    def disassemble(self, address: int, count: int = 8, *, cpu: int = 0) -> Listing:
        """Instructions at an effective address, as a vCPU of a machine that does not run would fetch them. Ends early where nothing is mapped."""
        little = bool(self.cpus[cpu].msr.LE)
        rows = Listing()
        while len(rows) < count:
            word = self._fetch(address, cpu, little)
            if word is None:
                break
            suffix = self._fetch(address + 4, cpu, little) if word >> 26 == 1 else None
            image = word if suffix is None else word << 32 | suffix
            text, size = _spapr.disassemble(image, address)
            rows.append(Instruction(address, image, text))
            address += size
        return rows

    def _fetch(self, address: int, cpu: int, little_endian: bool) -> int | None:
        at = self.cpus[cpu].translate(address)
        try:
            return None if at is None else self.ram.read_int(at, 4, little_endian=little_endian)
        except GuestMemoryError:
            return None

    def set_breakpoints(self, addresses: Iterable[int]) -> None:
        """The effective addresses at which a vCPU stops the machine, in place of those before. The machine must not run.

        The instruction there has not begun; when the machine runs on it is executed. Everything else runs at full speed.
        """
        self._vm.set_breakpoints(list(addresses))

    def set_watchpoints(self, ranges: Iterable[tuple[int, int] | tuple[int, int, str]]) -> None:
        """The accesses before which a vCPU stops the machine, in place of those before: effective address, bytes, and `"r"`, `"w"` (left out) or `"rw"`. The
        machine must not run.

        Like breakpoints; accesses to other pages run at full speed. What was about to be accessed is in `Stop.text`.
        """
        rows = []
        for at, size, *kind in ranges:
            of = kind[0] if kind else "w"
            if of not in ("r", "w", "rw"):
                raise ConfigError("watchpoints", f"{of!r} is no kind of access", 'use "r" for loads, "w" for stores, "rw" for both')
            rows.append((at, size, "r" in of, "w" in of))
        self._vm.set_watchpoints(rows)

    def trace(self, events: str | Iterable[str] = "hcall", *, capacity: int = 65536) -> Trace:
        """Begins to record events (`hcall`, `console`); iterate over the result to take them."""
        return Trace(self, events, capacity)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.machine(self)

    def __repr__(self) -> str:
        smp = self.config.smp
        try:
            status = self.status
        except SpaprError:
            status = "in another process"
        return (
            f"<spapr.Machine {self.config.machine} {self.config.cpu}: {smp.cpus} vcpus, {smp.threads} threads per core, "
            f"vsmt={self.vsmt}, {format_size(self.config.memory)}, {status}>"
        )

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a running machine can't be pickled; pickle vm.config and make a Machine of it where it is needed")
