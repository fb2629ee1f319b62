"""A vCPU as it shows itself: registers by name, while the machine does not run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from spapr import _spapr

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Cpu", "Instruction", "Listing", "Msr", "SlbEntry", "Sprs"]

_MSR: dict[str, int] = dict(_spapr.msr_fields())


class Msr(int):
    """The machine state register: a number, with its fields as attributes (`msr.EE`, `msr.LE`) that are 0 or 1."""

    def __getattr__(self, name: str) -> int:
        try:
            return int(self & _MSR[name] != 0)
        except KeyError:
            raise AttributeError(f"the MSR has no field {name!r}; it has {', '.join(_MSR)}") from None

    @property
    def names(self) -> list[str]:
        """The fields that are set, highest first."""
        return [name for name, mask in _MSR.items() if self & mask]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *_MSR]

    def __repr__(self) -> str:
        return f"<Msr {int(self):#x}: {'|'.join(self.names)}>"


class SlbEntry(NamedTuple):
    """A segment lookaside buffer entry, as slbmte gives it."""

    number: int
    """Which entry."""
    esid: int
    """RB: effective segment id and valid bit."""
    vsid: int
    """RS: size, virtual segment id, protection."""


class Instruction(NamedTuple):
    """A disassembled instruction."""

    address: int
    """Effective address."""
    image: int
    """The word; of a prefixed instruction the prefix in the upper half."""
    text: str
    """As an assembler would read it."""

    def __str__(self) -> str:
        image = f"{self.image:016x}" if self.image >> 32 else f"{self.image:08x}"
        return f"{self.address:#018x}  {image:<16}  {self.text}"

    def __repr__(self) -> str:
        return f"<{self.address:#x}: {self.text}>"


class Listing(list[Instruction]):
    """Disassembled instructions, that print themselves one in a line."""

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.listing(self)


class Sprs(Mapping[str, int]):
    """Special purpose registers by name or number. Setting one changes the vCPU."""

    def __init__(self, cpu: Cpu) -> None:
        self._cpu = cpu

    def __getitem__(self, name: str | int) -> int:
        state = self._cpu._read()
        try:
            return state.spr_number(name) if isinstance(name, int) else state.spr(name)
        except ValueError as error:
            raise KeyError(str(error)) from None

    def __setitem__(self, name: str, value: int) -> None:
        self._cpu._write(name, value)

    def __iter__(self) -> Iterator[str]:
        return iter(_spapr.spr_names())

    def __len__(self) -> int:
        return len(_spapr.spr_names())

    def _ipython_key_completions_(self) -> list[str]:
        return _spapr.spr_names()

    def __repr__(self) -> str:
        state = self._cpu._read()
        return "{" + ", ".join(f"{name!r}: {state.spr(name):#x}" for name in self if state.spr(name)) + "}"


def _still(registers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    registers.flags.writeable = False
    return registers


class Cpu:
    """A vCPU. Registers are read and set while the machine does not run; arrays are copies."""

    def __init__(self, vm: _spapr.Vm, index: int, vcpu_id: int) -> None:
        self._vm = vm
        self.index = index
        """Its place in `vm.cpus`."""
        self.vcpu_id = vcpu_id
        """Its number in the guest: interrupt server, `reg` in the device tree."""

    def _read(self) -> _spapr.Cpu:
        return self._vm.cpu(self.index)

    def _write(self, name: str, value: int) -> None:
        self._vm.set_register(self.index, name, value & ((1 << 64) - 1))

    @property
    def gpr(self) -> NDArray[np.uint64]:
        """General purpose registers: a copy, which is read-only so that nobody thinks it were the registers. `set_gpr` sets one."""
        return _still(self._read().gpr)

    @property
    def vsr(self) -> NDArray[np.uint64]:
        """Vector-scalar registers, two doublewords each, the most significant first. FPRs are doubleword 0 of the first half, VRs the second half."""
        return _still(self._read().vsr)

    @property
    def spr(self) -> Sprs:
        """Special purpose registers by name."""
        return Sprs(self)

    @property
    def nip(self) -> int:
        """Address of the next instruction."""
        return self._read().nip

    @nip.setter
    def nip(self, value: int) -> None:
        self._write("nip", value)

    @property
    def msr(self) -> Msr:
        """Machine state register."""
        return Msr(self._read().msr)

    @msr.setter
    def msr(self, value: int) -> None:
        self._write("msr", value)

    @property
    def cr(self) -> int:
        """Condition register."""
        return self._read().cr

    @cr.setter
    def cr(self, value: int) -> None:
        self._write("cr", value)

    @property
    def lr(self) -> int:
        """Link register."""
        return self._read().lr

    @lr.setter
    def lr(self, value: int) -> None:
        self._write("lr", value)

    @property
    def ctr(self) -> int:
        """Count register."""
        return self._read().ctr

    @ctr.setter
    def ctr(self, value: int) -> None:
        self._write("ctr", value)

    @property
    def xer(self) -> int:
        """Fixed-point exception register."""
        return self._read().xer

    @property
    def fpscr(self) -> int:
        """Floating-point status and control register."""
        return self._read().fpscr

    @property
    def vscr(self) -> int:
        """Vector status and control register."""
        return self._read().vscr

    @property
    def timebase(self) -> int:
        """The timebase, in ticks of 512 MHz."""
        return self._read().timebase

    @property
    def slb(self) -> list[SlbEntry]:
        """The segment lookaside buffer's entries that are in use."""
        return [SlbEntry(*entry) for entry in self._read().slb]

    @property
    def state(self) -> str:
        """`running`, or why it executes nothing: `ceded`, `awaits-prod`, `stopped`."""
        return self._read().state

    def set_gpr(self, number: int, value: int) -> None:
        """Sets a general purpose register."""
        self._write(f"gpr{number}", value)

    def step(self) -> None:
        """Executes one instruction."""
        self._vm.step(self.index)

    def translate(self, address: int) -> int | None:
        """The guest real address of an effective address; None if it has no translation."""
        return self._vm.translate(self.index, address)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.cpu(self)

    def __repr__(self) -> str:
        try:
            state = self._read()
        except RuntimeError:
            return f"<spapr.Cpu {self.index}: vcpu_id={self.vcpu_id}>"
        return f"<spapr.Cpu {self.index}: vcpu_id={self.vcpu_id} {state.state} nip={state.nip:#x} {Msr(state.msr)!r}>"

    def __str__(self) -> str:
        state = self._read()
        rows = [f"cpu {self.index}  vcpu_id {self.vcpu_id}  {state.state}"]
        rows.append(f"nip {state.nip:016x}  msr {state.msr:016x} ({'|'.join(Msr(state.msr).names)})")
        rows.append(f"lr  {state.lr:016x}  ctr {state.ctr:016x}  cr {state.cr:08x}  xer {state.xer:08x}")
        gpr = [int(value) for value in state.gpr]
        rows += ["  ".join(f"r{n:<2} {gpr[n]:016x}" for n in range(row, row + 4)) for row in range(0, 32, 4)]
        return "\n".join(rows)
