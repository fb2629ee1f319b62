"""What can go wrong, as exceptions.

Everything that spapr raises on purpose is a `SpaprError`, and also the builtin exception that fits, so `except TimeoutError`
works. The parts of a message stay readable as attributes: a program can act on them without taking the text apart.
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Sequence
from typing import NamedTuple

__all__ = [
    "AccelUnavailable",
    "BootError",
    "ConfigError",
    "ConsoleClosed",
    "ConsoleMatch",
    "ConsoleTimeout",
    "GuestMemoryError",
    "GuestPanic",
    "GuestTimeout",
    "HostError",
    "MigrationAborted",
    "MigrationError",
    "MigrationIncompatible",
    "MigrationReason",
    "MigrationUnconfirmed",
    "SnapshotError",
    "SpaprError",
    "SpaprWarning",
    "StateError",
    "StreamError",
]


class MigrationReason(NamedTuple):
    """Why one machine cannot become another."""

    code: str
    """A fixed word for programs."""
    setting: str
    """The setting that differs."""
    source: str
    """Its value on the source."""
    destination: str
    """Its value on the destination."""
    problem: str
    """What is wrong."""
    hint: str
    """What to change."""


class SpaprError(Exception):
    """The base of all errors that spapr raises on purpose."""


class SpaprWarning(UserWarning):
    """Something that starts, but is worth a word."""


class _Settled(SpaprError):
    """`<setting>: <problem>; <hint>`."""

    setting: str
    """The setting as the user writes it, such as `vsmt` or `caps["htm"]`."""
    problem: str
    """What is wrong with it, with the value."""
    hint: str
    """What to write instead."""

    def __init__(self, setting: str, problem: str, hint: str) -> None:
        super().__init__(setting, problem, hint)
        self.setting = setting
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.setting}: {self.problem}; {self.hint}"


class ConfigError(_Settled, ValueError):
    """A setting has a value that cannot work."""


class BootError(_Settled, ValueError):
    """A kernel, initrd or firmware image cannot be loaded."""


class StateError(_Settled, RuntimeError):
    """The call does not fit the machine's present state; `setting` is the operation that was asked for."""


class SnapshotError(_Settled, RuntimeError):
    """A machine's state cannot be saved or forked now; `setting` is the operation that was asked for."""


class StreamError(SpaprError, ValueError):
    """A saved state cannot be read, or does not fit: what is wrong, and where."""

    section: str
    """The section, such as `cpu 3`."""
    field: str
    """Path of the field in it, such as `slb[3].esid`; empty for the section as a whole."""
    problem: str
    """What is wrong with it."""
    hint: str
    """What to do about it."""

    def __init__(self, section: str, field: str, problem: str, hint: str) -> None:
        super().__init__(section, field, problem, hint)
        self.section = section
        self.field = field
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        where = f", field {self.field}" if self.field else ""
        return f"saved state, section {self.section}{where}: {self.problem}; {self.hint}"


class AccelUnavailable(SpaprError, OSError):
    """The accelerator cannot run this machine on this host."""

    accel: str
    """Which accelerator."""
    problem: str
    """What was found."""
    hint: str
    """What to use instead."""

    def __init__(self, accel: str, problem: str, hint: str) -> None:
        super().__init__(_errno.ENODEV, problem)
        self.args = (accel, problem, hint)
        self.accel = accel
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"accel: {self.accel} cannot run this machine: {self.problem}; {self.hint}"


class HostError(SpaprError, OSError):
    """The host refused something. Its subclasses are also `FileNotFoundError`, `PermissionError`, where that is what happened."""

    doing: str
    """What was being done, with the file's name."""
    problem: str
    """What the host said."""

    def __new__(cls, errno: int | None = None, problem: str = "", doing: str = "") -> HostError:
        # Dask brings another way to pickle exceptions, which makes them without arguments and then gives them their attributes.
        kind = {_errno.ENOENT: _HostFileNotFound, _errno.EACCES: _HostPermission, _errno.EPERM: _HostPermission}
        return super().__new__(kind.get(errno or 0, cls) if cls is HostError else cls)

    def __init__(self, errno: int | None, problem: str, doing: str) -> None:
        super().__init__(errno or 0, problem)
        self.args = (errno, problem, doing)
        self.errno = errno
        self.problem = problem
        self.doing = doing

    def __str__(self) -> str:
        return f"{self.doing}: {self.problem}"


class _HostFileNotFound(HostError, FileNotFoundError):
    pass


class _HostPermission(HostError, PermissionError):
    pass


class GuestMemoryError(SpaprError, IndexError):
    """Guest memory outside RAM was addressed."""

    address: int
    """First guest real address."""
    size: int
    """Length in bytes."""
    ram: int
    """Bytes of RAM in the machine, from address 0."""

    def __init__(self, address: int, size: int, ram: int) -> None:
        super().__init__(address, size, ram)
        self.address = address
        self.size = size
        self.ram = ram

    def __str__(self) -> str:
        return (
            f"memory: {self.size:#x} bytes at guest real address {self.address:#x} are not all RAM; "
            f"the machine has {self.ram:#x} bytes from address 0"
        )


class MigrationError(SpaprError, RuntimeError):
    """A migration did not end with the guest running on the destination. Unless it is a `MigrationUnconfirmed`, the source has the guest and goes on."""

    problem: str
    """What happened, on which side and in which phase."""
    hint: str
    """Where the guest is now, and what to do."""
    reasons: list[MigrationReason]
    """Why the destination refused, if it did."""

    def __init__(self, problem: str, hint: str, reasons: Sequence[MigrationReason | tuple[str, ...]] = ()) -> None:
        super().__init__(problem, hint, tuple(tuple(r) for r in reasons))
        self.problem = problem
        self.hint = hint
        self.reasons = [MigrationReason(*r) for r in reasons]

    def __str__(self) -> str:
        return f"migration: {self.problem}; {self.hint}"


class MigrationIncompatible(MigrationError):
    """The destination cannot be this machine; no page was moved."""


class MigrationAborted(MigrationError):
    """The migration was cancelled, or its time was over."""


class MigrationUnconfirmed(MigrationError):
    """The destination was told to run the guest and did not answer. The guest is complete and paused on the source, and may run on the destination."""


class _WithTail(SpaprError):
    """A message about a guest, with the end of what its console said."""

    message: str
    """What happened."""
    tail: str
    """The last lines of the console."""

    def __init__(self, message: str, tail: str = "") -> None:
        super().__init__(message, tail)
        self.message = message
        self.tail = tail

    def __str__(self) -> str:
        if not self.tail:
            return f"{self.message}; the console has said nothing"
        lines = "\n".join(f"  | {line}" for line in self.tail.splitlines())
        return f"{self.message}; the end of the console:\n{lines}"


class GuestPanic(_WithTail):
    """The guest says that it cannot go on (`ibm,os-term`, or a panic on its console that it was not asked for)."""


class GuestTimeout(_WithTail, TimeoutError):
    """The machine did not reach what was waited for in time. It still runs, or is paused as it was."""


class ConsoleTimeout(GuestTimeout):
    """The console did not say what was expected in time."""


class ConsoleMatch(_WithTail):
    """The console said what `fail_on` names."""


class ConsoleClosed(_WithTail, EOFError):
    """The machine ended before its console said what was expected."""
