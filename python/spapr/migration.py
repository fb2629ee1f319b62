"""Moving a running machine: how it goes, and who waits for it.

The names are those of QEMU's `query-migrate`; times are in milliseconds, as there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from spapr import _spapr, log
from spapr.config import MachineConfig, MachineSettings
from spapr.errors import ConfigError
from spapr.sizes import parse_size
from spapr.terminal import check_timeout

if TYPE_CHECKING:
    from spapr.jupyter.migrations import Plots
    from spapr.machine import Machine

__all__ = ["Incoming", "MigrationInfo", "RamInfo", "XbzrleCacheInfo", "incoming"]

_SLICE = 0.05
_SLICE_FIRST = 0.005
_HISTORY_MAX = 1024
_REPORT = 0.1


@dataclass(frozen=True, kw_only=True)
class RamInfo:
    """What was sent of the guest's memory: RAM, and the hashed page table if it has one."""

    transferred: int
    """Bytes sent."""
    remaining: int
    """Bytes still to send before the next look at what has changed."""
    total: int
    """Bytes of all memory."""
    duplicate: int
    """Pages that repeat one doubleword, mostly zero."""
    normal: int
    """Pages sent whole."""
    normal_bytes: int
    """Bytes of those."""
    dirty_pages_rate: int
    """Pages a second that the guest changed in the last round."""
    mbps: float
    """Megabits a second in the last round."""
    dirty_sync_count: int
    """Rounds begun."""
    page_size: int
    """Bytes of a page."""
    pages_per_second: int
    """Pages a second in the last round."""
    postcopy_requests: int
    """Pages that the guest waited for on the destination."""
    precopy_bytes: int
    """Bytes sent while the guest ran here."""
    downtime_bytes: int
    """Bytes sent while it stood still."""
    postcopy_bytes: int
    """Bytes sent while it ran there."""


@dataclass(frozen=True, kw_only=True)
class XbzrleCacheInfo:
    """Pages of which only the changes were sent."""

    cache_size: int
    """Bytes of the cache of pages sent before."""
    pages: int
    """Pages sent as changes."""
    bytes: int
    """Bytes of those."""
    cache_miss: int
    """Pages that were not in the cache."""
    overflow: int
    """Pages that had changed too much."""


@dataclass(frozen=True, kw_only=True)
class MigrationInfo:
    """How a migration goes, or went."""

    status: str
    """`setup`, `active`, `device`, `postcopy-active`, `postcopy-paused`, `completed`, `failed`, `cancelled`."""
    phase: str
    """`hello`, `describe`, `live`, `stop`, `rest`, `check`, `go`, `post`, `done`."""
    total_time: float
    """Milliseconds since it began, up to its end."""
    setup_time: float
    """Milliseconds until the first page."""
    downtime: float | None
    """Milliseconds that the guest stood still; known at the end."""
    expected_downtime: float | None
    """Milliseconds that it would stand still if it were stopped now."""
    cpu_throttle_percentage: int
    """How much the guest is held back."""
    ram: RamInfo
    """What was sent of memory."""
    xbzrle_cache: XbzrleCacheInfo
    """What was sent as changes of pages."""
    warnings: tuple[str, ...]
    """What the destination said when it accepted the machine."""
    history: tuple[MigrationInfo, ...] = field(default=(), repr=False, compare=False)
    """How it went before, point by point; known at the end."""

    @property
    def plot(self) -> Plots:
        """Pictures with matplotlib: `info.plot.bandwidth()`, `info.plot.remaining()`."""
        from spapr.jupyter.migrations import Plots

        return Plots(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.migration(self)

    def __str__(self) -> str:
        downtime = "" if self.downtime is None else f", downtime {self.downtime:.1f} ms"
        return (
            f"{self.status}: {self.ram.transferred / 2**20:.1f} MiB in {self.total_time:.0f} ms, {self.ram.dirty_sync_count} rounds{downtime}, "
            f"{self.ram.normal} pages whole, {self.xbzrle_cache.pages} as changes, {self.ram.duplicate} uniform"
        )


def _info(numbers: dict[str, Any], cache: int) -> MigrationInfo:
    ram = {name: numbers[name] for name in RamInfo.__dataclass_fields__}
    changes = XbzrleCacheInfo(
        cache_size=cache,
        pages=numbers["delta_pages"],
        bytes=numbers["delta_bytes"],
        cache_miss=numbers["delta_cache_miss"],
        overflow=numbers["delta_overflow"],
    )
    own = {name: numbers[name] for name in MigrationInfo.__dataclass_fields__ if name in numbers}
    return MigrationInfo(**(own | {"ram": RamInfo(**ram), "xbzrle_cache": changes, "warnings": tuple(numbers["warnings"])}))


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How a machine is to be moved, as the engine reads it."""

    downtime_limit: float
    max_bandwidth: int | None
    timeout: float | None
    stall_timeout: float
    auto_converge: bool
    postcopy_after: int | None
    connections: int
    delta_cache: int
    tls: Path | None
    tls_hostname: str | None

    def __post_init__(self) -> None:
        check_timeout(self.timeout)
        if not self.downtime_limit >= 0:
            raise ConfigError("downtime_limit", f"{self.downtime_limit!r} is no time", "give milliseconds, such as downtime_limit=300")
        if not self.stall_timeout > 0:
            raise ConfigError("stall_timeout", f"{self.stall_timeout!r} is no time to wait", "give seconds, such as stall_timeout=20")
        if not 1 <= self.connections <= 16:
            raise ConfigError("connections", f"{self.connections} is not possible", "use 1 to 16")
        if self.postcopy_after is not None and (self.postcopy_after < 0 or self.connections < 2):
            raise ConfigError("postcopy_after", f"{self.postcopy_after} with {self.connections} connection(s)", "use 0 or more rounds, and two connections or more")


def migrate(
    machine: Machine,
    to: Machine | str,
    *,
    downtime_limit: float,
    max_bandwidth: int | str | None,
    on_progress: Callable[[MigrationInfo], object] | None,
    timeout: float | None,
    stall_timeout: float,
    auto_converge: bool,
    postcopy_after: int | None,
    connections: int | None,
    xbzrle_cache_size: int | str,
    tls: str | os.PathLike[str] | None,
    tls_hostname: str | None,
) -> MigrationInfo:
    """See `Machine.migrate`."""
    # Two keep two processors busy on either side: filling fresh memory costs the destination more than sending costs the source.
    count = connections if connections is not None else to.count(",") + 1 if isinstance(to, str) and to.startswith("fd:") else 2
    cache = parse_size("xbzrle_cache_size", xbzrle_cache_size)
    wishes = Wishes(
        downtime_limit=downtime_limit,
        max_bandwidth=None if max_bandwidth is None else parse_size("max_bandwidth", max_bandwidth),
        timeout=timeout,
        stall_timeout=stall_timeout,
        auto_converge=auto_converge,
        postcopy_after=postcopy_after,
        connections=count,
        delta_cache=cache,
        tls=None if tls is None else Path(tls),
        tls_hostname=tls_hostname,
    )
    running = machine._vm.migrate(to if isinstance(to, str) else to._vm, wishes)
    history: list[MigrationInfo] = []
    try:
        reported = 0.0
        while not running.wait(_SLICE if len(history) > _HISTORY_MAX // 8 else _SLICE_FIRST):
            history.append(_info(running.progress(), cache))
            if len(history) > _HISTORY_MAX:
                del history[1::2]
            if on_progress is not None and time.monotonic() - reported >= _REPORT:
                on_progress(history[-1])
                reported = time.monotonic()
    except BaseException:
        # Ctrl-C, or the caller's function failed: both machines stay, to be looked at. It may also be the migration's own error; then this does nothing.
        if running.progress()["status"] in ("setup", "active", "device"):
            running.cancel()
            _drain(running)
        raise
    finally:
        log.forward()
    info = replace(_info(running.progress(), cache), history=tuple(history))
    if on_progress is not None:
        on_progress(info)
    return info


def _drain(running: _spapr.Migration) -> None:
    try:
        while not running.wait(_SLICE):
            pass
    except Exception:  # its own end; what the caller hears of is why
        pass


class Incoming:
    """A machine that waits for a guest at an address. A context manager: its end is the end of the waiting."""

    def __init__(self, machine: Machine, uri: str, stall_timeout: float, tls: str | os.PathLike[str] | None) -> None:
        self.machine = machine
        """The machine. It is `inmigrate` until a guest has come."""
        self._incoming = _spapr.Incoming(machine._vm, uri, stall_timeout, None if tls is None else Path(tls))
        self._arrived = False

    @property
    def address(self) -> str:
        """What a source gives to `migrate`; with the port that the host has chosen, if port 0 was asked for."""
        return self._incoming.address

    @property
    def info(self) -> MigrationInfo:
        """How it goes."""
        return _info(self._incoming.progress(), 0)

    def wait(self, *, timeout: float | None = None) -> Machine:
        """Waits until the guest runs here (or stands paused, as it did) and all its memory has come. Raises `TimeoutError` after `timeout` seconds, and what the
        migration raises on this side."""
        check_timeout(timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while not self._arrived:
                self._arrived = self._incoming.wait(_SLICE)
                if not self._arrived and deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"no guest has come to {self.address} after {timeout} s ({self._incoming.progress()['status']})")
        finally:
            log.forward()
        return self.machine

    def close(self) -> None:
        """Ends the waiting. A guest that has come stays; the machine is not closed."""
        self._incoming.cancel()

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<spapr.Incoming {self.address}: {self._incoming.progress()['status']}>"


def incoming(
    uri: str,
    machine: Machine | MachineConfig | None = None,
    /,
    *,
    stall_timeout: float = 20.0,
    tls: str | os.PathLike[str] | None = None,
    **settings: Unpack[MachineSettings],
) -> Incoming:
    """Waits at `uri` (`unix:PATH`, `tcp:HOST:PORT`, `fd:N[,N…]`) for a guest: in a machine made with `incoming=True`, or in one that is made here of a configuration
    or of settings. Nothing listens before this is called, nor after the guest has come.

    ```python
    with spapr.incoming("unix:/run/vm.sock", config) as waiting:
        vm = waiting.wait(timeout=60)
    ```

    `tls`: a folder with `ca-cert.pem`, `server-cert.pem` and `server-key.pem`; both sides must then show a certificate of that authority.
    """
    from spapr.machine import Machine

    if isinstance(machine, Machine):
        if settings:
            raise ConfigError("incoming", "a machine and settings are given", "give one of the two")
        return Incoming(machine, uri, stall_timeout, tls)
    return Incoming(Machine(machine, incoming=True, **settings), uri, stall_timeout, tls)
