"""Hypothesis strategies: machines, hosts, memory and instructions for property tests.

```python
@given(machine_configs(threads=[4, 8]), machine_configs())
def test_checks_are_total(source, destination): ...
```

Everything shrinks towards the plain: the newest machine version with one vcpu, empty memory, short programs of common instructions. Needs `hypothesis`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

import spapr
from spapr import _spapr
from spapr.config import unknown

__all__ = ["Instruction", "MemoryImage", "host_profiles", "instructions", "machine_configs", "memory_images", "programs"]

MIB = 1 << 20
PAGE = 4096


# --- machines ----------------------------------------------------------------------------------------------------------------


def host_profiles() -> st.SearchStrategy[spapr.HostProfile]:
    """Kinds of host, out of `spapr.HOSTS`."""
    return st.sampled_from(list(spapr.HOSTS.values()))


def machine_configs(
    *,
    machines: Sequence[str] = spapr.MACHINES,
    cpus: Sequence[str | None] = (None, "power10", "power9", "power8"),
    threads: Sequence[int] = (1, 2, 4, 8),
    max_cores: int = 4,
    memory: Sequence[int | str] = ("256M", "512M", "1G"),
    vsmt: Sequence[int | None] = (None, 1, 2, 4, 8),
    ic_modes: Sequence[str | None] = (None, "xics", "xive", "dual"),
    hosts: Sequence[str | None] = (None,),
    numa: bool = True,
    caps: bool = True,
    startable: bool = True,
) -> st.SearchStrategy[spapr.MachineConfig]:
    """Configurations of machines. With `startable`, only such as start; without, also such as are refused with a `ConfigError`.

    Each argument is what that setting may be; the arguments' first values are what examples shrink to. Nothing is booted: a `kernel` is for
    `.replace` to add.
    """
    drawn = _configs(tuple(machines), tuple(cpus), tuple(threads), max_cores, tuple(memory), tuple(vsmt), tuple(ic_modes), tuple(hosts), numa, caps)
    return drawn.filter(_starts) if startable else drawn


@st.composite
def _configs(
    draw: st.DrawFn,
    machines: Sequence[str],
    cpus: Sequence[str | None],
    threads: Sequence[int],
    max_cores: int,
    memory: Sequence[int | str],
    vsmt: Sequence[int | None],
    ic_modes: Sequence[str | None],
    hosts: Sequence[str | None],
    numa: bool,
    caps: bool,
) -> spapr.MachineConfig:
    per_core = draw(st.sampled_from(threads))
    cores = draw(st.integers(1, max_cores))
    room = draw(st.integers(0, 2)) + cores
    # Mostly such as can be: a spacing that holds the threads.
    spacing = draw(st.sampled_from([step for step in vsmt if step is None or step >= per_core] or vsmt))
    settings: dict[str, Any] = {
        "machine": draw(st.sampled_from(machines)),
        "cpu": draw(st.sampled_from(cpus)),
        "smp": spapr.Smp(cores * per_core, cores=room, threads=per_core, maxcpus=room * per_core),
        "memory": draw(st.sampled_from(memory)),
        "vsmt": spacing,
        "ic_mode": draw(st.sampled_from(ic_modes)),
        "host": draw(st.sampled_from(hosts)),
    }
    if numa and draw(st.booleans()):
        settings["numa"] = draw(st.integers(1, 2))
    if caps:
        settings["caps"] = draw(st.dictionaries(st.sampled_from(sorted(_CAPS)), st.sampled_from(["on", "off"]), max_size=2).map(_levels)) | {"htm": "off"}
    return spapr.MachineConfig(**settings)


# Those that are switches; the rest have levels.
_CAPS = ("ail-mode-3", "dfp", "fwnmi", "vsx", "large-decr", "ccf-assist", "dawr1", "rpt-invalidate")


def _levels(given: dict[str, str]) -> dict[str, str]:
    return dict(sorted(given.items()))


def _starts(config: spapr.MachineConfig) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", spapr.SpaprWarning)
        try:
            config.resolved()
        except spapr.SpaprError:
            return False
    return True


# --- memory ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MemoryImage:
    """What a guest's RAM holds: pieces at addresses, nothing elsewhere."""

    pieces: tuple[tuple[int, bytes], ...]
    """Address and bytes; they do not overlap."""

    def write(self, vm: spapr.Machine) -> None:
        """Puts it into a machine's RAM."""
        for address, data in self.pieces:
            vm.ram.write(address, data)

    def read(self, vm: spapr.Machine) -> MemoryImage:
        """The same places as they are in a machine's RAM."""
        return MemoryImage(tuple((address, vm.ram.read(address, len(data))) for address, data in self.pieces))

    def __repr__(self) -> str:
        return f"MemoryImage({', '.join(f'{address:#x}: {len(data)} bytes {data[:8].hex()}…' for address, data in self.pieces)})"


def memory_images(*, start: int = 16 * MIB, size: int = 16 * MIB, max_pieces: int = 6) -> st.SearchStrategy[MemoryImage]:
    """Contents for guest RAM from `start` on, of the kinds that matter to whoever moves memory: empty pages, one value over and over, counters,
    noise, and pieces that begin or end in the middle of a page or cross into the next."""
    page = st.integers(0, size // PAGE - 3)
    contents = st.one_of(
        st.builds(bytes, st.sampled_from([8, PAGE, 2 * PAGE])),
        st.builds(lambda value, length: bytes([value]) * length, st.integers(0, 255), st.sampled_from([1, 8, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE])),
        st.builds(lambda first, count: b"".join((first + n).to_bytes(8) for n in range(count)), st.integers(0, 1 << 62), st.sampled_from([1, PAGE // 8])),
        st.binary(min_size=1, max_size=64).map(lambda seed: (seed * (PAGE // len(seed) + 1))[:PAGE]),
        st.binary(min_size=1, max_size=200),
    )
    placed = st.tuples(page, st.sampled_from([0, 1, PAGE // 2, PAGE - 8]), contents)
    return st.lists(placed, max_size=max_pieces, unique_by=lambda piece: piece[0] // 4).map(
        # Four pages for each piece: none reaches into the next.
        lambda pieces: MemoryImage(tuple(sorted((start + piece // 4 * 4 * PAGE + offset, data) for piece, offset, data in pieces)))
    )


# --- instructions ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Instruction:
    """An instruction with operands."""

    name: str
    """Its mnemonic."""
    image: int
    """The word; of a prefixed instruction the prefix in the upper half."""
    size: int
    """4 or 8 bytes."""

    def to_bytes(self, *, little_endian: bool = False) -> bytes:
        """As a guest fetches it."""
        words = [self.image >> 32, self.image & 0xFFFF_FFFF][2 - self.size // 4 :]
        return b"".join(word.to_bytes(4, "little" if little_endian else "big") for word in words)

    def __str__(self) -> str:
        return _spapr.disassemble(self.image, 0)[0]

    def __repr__(self) -> str:
        return f"<{self.image:#0{self.size * 2 + 2}x} {self}>"


def instructions(names: Sequence[str] | None = None, *, privileged: bool = False, branches: bool = False, prefixed: bool = True) -> st.SearchStrategy[Instruction]:
    """Instructions of the engine's table, each with any operands: those of problem state that go on to the next one, unless `privileged` and
    `branches` (whatever ends a run of instructions) ask for more. `names`: only these mnemonics, whatever they are."""
    rows = {row[0]: row for row in _spapr.instruction_rows()}
    if names is not None:
        for name in names:
            if name not in rows:
                raise unknown("instruction", name, rows)
        chosen = [rows[name] for name in names]
    else:
        kept = (not row[3] or privileged for row in rows.values())
        chosen = [row for row, keep in zip(rows.values(), kept, strict=True) if keep and (branches or not row[4]) and (prefixed or not row[5])]
    return st.sampled_from(chosen).flatmap(_filled)


def _filled(row: tuple[str, int, int, bool, bool, bool]) -> st.SearchStrategy[Instruction]:
    name, mask, value, _, _, is_prefixed = row
    free = (1 << (64 if is_prefixed else 32)) - 1 & ~mask
    return st.integers(0, free).map(lambda bits: Instruction(name, value | bits & free, 8 if is_prefixed else 4))


def programs(max_size: int = 16, **kinds: Any) -> st.SearchStrategy[list[Instruction]]:
    """A few instructions in a row; keywords are those of `instructions`."""
    return st.lists(instructions(**kinds), min_size=1, max_size=max_size)
