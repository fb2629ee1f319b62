"""Saved states, looked into without a machine: every section by name, memory where it is asked for, the hash table, and what differs between two."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from spapr import _spapr
from spapr.errors import ConfigError

__all__ = ["Difference", "HashEntry", "Stream"]

_WHOLE = 1 << 40


def by_name(sections: Iterable[tuple[str, int, Any]]) -> dict[str, Any]:
    """Sections as a dictionary: those of vCPUs as lists by index, those of terminals by unit address, all others as they are."""
    state: dict[str, Any] = {}
    for name, instance, fields in sections:
        if name in ("cpu", "vcpu"):
            state.setdefault(name, []).append(fields)
        elif name == "vty":
            state.setdefault(name, {})[instance] = fields
        else:
            state[name if instance == 0 else f"{name} {instance}"] = fields
    return state


@dataclass(frozen=True)
class HashEntry:
    """An entry of a hashed page table, in the format of before ISA 3.0."""

    index: int
    """Its number (ptex)."""
    v: int
    """First doubleword."""
    r: int
    """Second doubleword."""
    base_shift: int | None
    """log2 of the base page size; None: its encoding means nothing."""
    page_shift: int | None
    """log2 of the actual page size."""

    @property
    def valid(self) -> bool:
        """Whether it translates anything."""
        return bool(self.v & 1)

    @property
    def secondary(self) -> bool:
        """Whether it was entered under the secondary hash."""
        return bool(self.v & 2)

    @property
    def bolted(self) -> bool:
        """Whether it survives a resize."""
        return bool(self.v & 0x10)

    @property
    def avpn(self) -> int:
        """Abbreviated virtual page number."""
        return (self.v & 0x3FFF_FFFF_FFFF_FF80) >> 7

    @property
    def ra(self) -> int:
        """Guest real address of the page."""
        rpn = self.r & 0x0FFF_FFFF_FFFF_F000
        return rpn if self.page_shift is None else rpn & ~((1 << self.page_shift) - 1)

    @property
    def referenced(self) -> bool:
        """R."""
        return bool(self.r & 0x100)

    @property
    def changed(self) -> bool:
        """C."""
        return bool(self.r & 0x80)

    @property
    def pp(self) -> int:
        """Page protection, three bits."""
        return (self.r >> 63) << 2 | self.r & 3


@dataclass(frozen=True)
class Difference:
    """A place where two states differ."""

    path: str
    """`cpu 1.gpr[3]`, `vty 1895825408.fifo`, or a page of memory: `ram[0x3000]`."""
    left: Any
    """This state's value; None if it has nothing there."""
    right: Any
    """The other's."""

    def __str__(self) -> str:
        def text(value: Any) -> str:
            return f"{len(value)} bytes" if isinstance(value, bytes) and len(value) > 16 else repr(value)

        return f"{self.path}: {text(self.left)} != {text(self.right)}"


class Stream:
    """A saved state, opened: `Stream.open("guest.state")`. All of it was checked; memory is read when it is looked at."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        """The file."""
        self._inner = _spapr.Stream(self.path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Stream:
        """Opens a file that `save_checkpoint` wrote. Raises `StreamError` with section and field if it is damaged."""
        return cls(path)

    @cached_property
    def sections(self) -> Mapping[str, Any]:
        """Every section with its fields by name, as `Machine.state()` gives them."""
        return by_name(self._inner.sections())

    @property
    def header(self) -> Mapping[str, Any]:
        """Who wrote it, and the machine as far as another one must agree."""
        header: Mapping[str, Any] = self.sections["header"]
        return header

    @property
    def memory(self) -> Mapping[str, int]:
        """Which memory there is (`ram`, `hpt`, `hpt-prepared`), and how many bytes of it are stored, that is: not zero."""
        return dict(self._inner.memory())

    def read(self, address: int, size: int, *, memory: str = "ram") -> bytes:
        """Bytes of memory."""
        if address < 0 or not 0 <= size <= _WHOLE:
            raise ConfigError("size", f"{size} bytes at {address} are no range of memory", "use an address and a size from 0 on")
        return self._inner.read(memory, address, size)

    @cached_property
    def hpt(self) -> list[HashEntry]:
        """The entries of the hashed page table that are not zero."""
        return self.hash_table("hpt")

    def hash_table(self, memory: str = "hpt") -> list[HashEntry]:
        """The entries of a hashed page table that are not zero: `hpt`, or `hpt-prepared` while the guest resizes it."""
        rows = self._inner.hash_table(memory)
        return [HashEntry(ptex, v, r, *(shifts or (None, None))) for ptex, v, r, shifts in rows]

    def diff(self, other: Stream, *, limit: int = 1000) -> list[Difference]:
        """Where this state and another differ: fields by path, and pages of memory by address. Ends after `limit` places."""
        return [Difference(*row) for row in self._inner.diff(other._inner, limit)]

    def __repr__(self) -> str:
        h = self.header
        stored = sum(self.memory.values())
        return f"<spapr.Stream {self.path}: {h['machine']} {h['cpu']}, {h['smp']['cpus']} vcpus, {stored >> 10} KiB of memory in use>"
