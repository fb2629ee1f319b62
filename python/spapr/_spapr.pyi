from _typeshed import Incomplete, SupportsGetItem
from os import PathLike
from typing import Any, Final, SupportsFloat, SupportsIndex, final

__all__ = ["Answer", "Console", "Cpu", "Incoming", "KvmModel", "Matrix", "Migration", "Ram", "RamView", "Snapshot", "Stream", "VERSION", "Vm", "check", "compat_names", "cpu_models", "disassemble", "explain", "hcall_name", "hosts", "instruction_rows", "machine_versions", "msr_fields", "probe_host", "remedy", "resolve", "rulesets", "spr_names", "take_log"]

VERSION: Final[str]
"""
Version of the package.
"""

@final
class Answer:
    """
    What would happen; the fields are those of `spapr.Explanation`.
    """
    @property
    def advertised_servers(self, /) -> int | None: ...
    @property
    def hint(self, /) -> str: ...
    @property
    def ic_mode(self, /) -> str | None: ...
    @property
    def kernel_mode(self, /) -> int | None: ...
    @property
    def max_server_number(self, /) -> int | None: ...
    @property
    def message(self, /) -> str: ...
    @property
    def origin(self, /) -> str: ...
    @property
    def outcome(self, /) -> str: ...
    @property
    def qemu_outcome(self, /) -> str: ...
    @property
    def ruleset(self, /) -> str: ...
    @property
    def vcpu_ids(self, /) -> Incomplete: ...
    @property
    def vsmt(self, /) -> int | None: ...

@final
class Console:
    """
    The host end of a terminal.
    """
    def input(self, /, data: bytes) -> int:
        """
        Types bytes; how many were taken.
        """
    def output(self, /, start: SupportsIndex, most: SupportsIndex) -> bytes:
        """
        Up to `most` bytes of the output from a position.
        """
    def size(self, /) -> int:
        """
        Bytes of output so far.
        """
    def wait(self, /, seen: SupportsIndex, timeout: SupportsFloat | SupportsIndex | None) -> int | None:
        """
        Waits for output beyond `seen`; how much there is then. `seen` itself: nothing will follow. None: the time is over.
        """

@final
class Cpu:
    """
    Registers of a vCPU.
    """
    @property
    def cr(self, /) -> int:
        """
        Condition register.
        """
    @property
    def ctr(self, /) -> int:
        """
        Count register.
        """
    @property
    def fpscr(self, /) -> int:
        """
        Floating-point status and control register.
        """
    @property
    def gpr(self, /) -> Incomplete:
        """
        General purpose registers.
        """
    @property
    def lr(self, /) -> int:
        """
        Link register.
        """
    @property
    def msr(self, /) -> int:
        """
        Machine state register.
        """
    @property
    def nip(self, /) -> int:
        """
        Address of the next instruction.
        """
    @property
    def slb(self, /) -> list[tuple[int, int, int]]:
        """
        Segment lookaside buffer entries that are in use: index, RB, RS of slbmte.
        """
    def spr(self, /, name: str) -> int:
        """
        A special purpose register by name.
        """
    def spr_number(self, /, number: SupportsIndex) -> int:
        """
        A special purpose register by number.
        """
    @property
    def state(self, /) -> str:
        """
        `running`, or why the vCPU executes nothing: `ceded`, `awaits-prod`, `stopped`.
        """
    @property
    def timebase(self, /) -> int:
        """
        Timebase.
        """
    @property
    def vscr(self, /) -> int:
        """
        Vector status and control register.
        """
    @property
    def vsr(self, /) -> Incomplete:
        """
        Vector-scalar registers: two doublewords each, the most significant first.
        """
    @property
    def xer(self, /) -> int:
        """
        Fixed-point exception register.
        """

@final
class Incoming:
    """
    A machine that waits for a guest at an address.
    """
    def __new__(cls, /, vm: Vm, uri: str, stall_timeout: SupportsFloat | SupportsIndex, tls: Incomplete | None) -> Incoming:
        """
        Begins to wait: `vm` was made to receive.
        """
    @property
    def address(self, /) -> str:
        """
        Where a source finds it.
        """
    def cancel(self, /) -> bool:
        """
        Ends the wait; false: the guest is here.
        """
    def progress(self, /) -> dict[str, Incomplete]:
        """
        As `Migration.progress`.
        """
    def wait(self, /, slice: SupportsFloat | SupportsIndex) -> bool:
        """
        As `Migration.wait`.
        """

@final
class KvmModel:
    """
    What a kernel answers as a virtual machine is set up, with its errnos.
    """
    def __new__(cls, /, host: str) -> KvmModel:
        """
        KVM_CREATE_VM on a host of that name.
        """
    def create_vcpu(self, /, id: SupportsIndex) -> None:
        """
        KVM_CREATE_VCPU; an `OSError` with the kernel's errno if it is refused.
        """
    def enable_smt(self, /, mode: SupportsIndex, flags: SupportsIndex = 0) -> None:
        """
        KVM_ENABLE_CAP(KVM_CAP_PPC_SMT); an `OSError` with the kernel's errno if it is refused.
        """
    @property
    def possible(self, /) -> int:
        """
        KVM_CAP_PPC_SMT_POSSIBLE.
        """
    @property
    def smt(self, /) -> int:
        """
        KVM_CAP_PPC_SMT of the machine.
        """
    @property
    def vcpu_id_end(self, /) -> int:
        """
        KVM_CAP_MAX_VCPU_ID.
        """

@final
class Matrix:
    """
    A product of axes over a source and a destination.
    """
    def __new__(cls, /, source: Incomplete, destination: Incomplete, axes: Incomplete) -> Matrix:
        """
        A matrix over two configurations.
        """
    @property
    def cells(self, /) -> int:
        """
        How many cells there are.
        """
    def check(self, /, cells: Incomplete) -> Incomplete:
        """
        What comes of these cells.
        """
    def explain(self, /, cell: SupportsIndex) -> tuple[str, list[tuple[str, str, str, str, str, str, str, str, str]]]:
        """
        What comes of one cell, in words, as `check` of its two configurations.
        """

@final
class Migration:
    """
    A migration that has begun.
    """
    def cancel(self, /) -> bool:
        """
        Ends it; false: too late, the destination has been told to run.
        """
    def progress(self, /) -> dict[str, Incomplete]:
        """
        How it goes.
        """
    def start_postcopy(self, /) -> None:
        """
        Lets the guest move at the end of this round, and the rest of its memory after it.
        """
    def wait(self, /, slice: SupportsFloat | SupportsIndex) -> bool:
        """
        Waits for `slice` seconds at most; whether it is over. Raises its error.
        """

@final
class Ram:
    """
    Guest RAM.
    """
    def read(self, /, at: SupportsIndex, size: SupportsIndex) -> bytes:
        """
        Copies bytes out, also while vCPUs run.
        """
    def size(self, /) -> int:
        """
        Bytes of RAM.
        """
    def view(self, /, at: SupportsIndex, size: SupportsIndex) -> RamView:
        """
        Shows bytes in place, read-only, while no vCPU runs.
        """
    def write(self, /, at: SupportsIndex, data: bytes) -> None:
        """
        Copies bytes in, also while vCPUs run.
        """

@final
class RamView:
    """
    A range of guest RAM as a buffer.
    """

@final
class Snapshot:
    """
    A machine's state at one moment, in memory.
    """
    def close(self, /) -> None:
        """
        Lets the frozen memory go. Machines that were forked keep theirs.
        """
    def fork(self, /, accel: str | None) -> Vm:
        """
        Makes a machine that goes on from here. It stands until it is resumed.
        """

@final
class Stream:
    """
    An opened stream.
    """
    def __new__(cls, /, path: str | PathLike[str]) -> Stream:
        """
        Opens a stream and checks all of it.
        """
    def diff(self, /, other: Stream, most: SupportsIndex) -> list[tuple[str, Any, Any]]:
        """
        What differs from another stream, at most `most` places.
        """
    def hash_table(self, /, name: str) -> list[tuple[int, int, int, tuple[int, int] | None]]:
        """
        Entries of a hash table that are not zero: number, both doublewords, and log2 of the base and actual page size.
        """
    def memory(self, /) -> list[tuple[str, int]]:
        """
        Which memory there is, and how many bytes of it are not zero.
        """
    def read(self, /, name: str, at: SupportsIndex, size: SupportsIndex) -> bytes:
        """
        Bytes of a memory; zero where there are none.
        """
    def sections(self, /) -> list[tuple[str, int, Any]]:
        """
        Name, instance and fields of every section.
        """

@final
class Vm:
    """
    A machine and its threads.
    """
    def __new__(cls, /, config: Incomplete) -> Vm:
        """
        Builds a machine and loads its images; nothing runs yet.
        """
    def accel_stats(self, /) -> list[tuple[str, int]]:
        """
        What the accelerator counted about itself.
        """
    def close(self, /) -> None:
        """
        Ends the machine; the consoles' logs stay.
        """
    def console(self, /, index: SupportsIndex) -> Console:
        """
        A terminal.
        """
    def consoles(self, /) -> int:
        """
        How many terminals there are.
        """
    def cpu(self, /, cpu: SupportsIndex) -> Cpu:
        """
        A copy of a vCPU's registers.
        """
    def dtb(self, /) -> bytes:
        """
        The device tree as the guest has it now, flattened.
        """
    def dts(self, /) -> str:
        """
        The device tree as the guest has it now, as text.
        """
    @staticmethod
    def incoming(config: Incomplete) -> Vm:
        """
        Builds a machine for a guest that arrives by migration.
        """
    def instructions(self, /) -> list[int]:
        """
        Instructions executed by each vCPU.
        """
    @staticmethod
    def load_checkpoint(path: str | PathLike[str], accel: str, config: Incomplete) -> tuple[Vm, dict]:
        """
        Makes a machine from a file, and says from which settings: the file's, or those given.
        """
    def migrate(self, /, to: Incomplete, wishes: Incomplete) -> Migration:
        """
        Begins to move the guest: to another machine, or to an address.
        """
    def nmi(self, /) -> None:
        """
        Raises a system reset interrupt on every vCPU.
        """
    def pause(self, /) -> None:
        """
        Stops all vCPUs.
        """
    def powerdown(self, /) -> None:
        """
        Asks the guest to shut down.
        """
    def ram(self, /) -> Ram:
        """
        Guest RAM.
        """
    def record_hcalls(self, /, capacity: SupportsIndex) -> None:
        """
        Records hypercalls, the last `capacity` of them; 0 ends it.
        """
    def reset(self, /) -> None:
        """
        Starts the machine from its images again.
        """
    def resume(self, /, instructions: SupportsIndex | None) -> None:
        """
        Lets the vCPUs run, at most for so many instructions of all together.
        """
    def resume_unconfirmed(self, /) -> None:
        """
        Lets a guest run that may run elsewhere, of which the user knows better.
        """
    def resume_until_output(self, /, instructions: SupportsIndex | None) -> None:
        """
        The same, until the guest says something too.
        """
    def run_digest(self, /) -> bytes:
        """
        BLAKE3 of what the guest did so far.
        """
    def save_checkpoint(self, /, path: str | PathLike[str], compress: str | None, durability: str) -> tuple[int, int]:
        """
        Writes the machine's state to a file: bytes of memory that were not zero, bytes of the file.
        """
    def set_breakpoints(self, /, at: SupportsGetItem[int, SupportsIndex]) -> None:
        """
        The addresses at which the machine stops.
        """
    def set_register(self, /, cpu: SupportsIndex, name: str, value: SupportsIndex) -> None:
        """
        Changes a register of a vCPU.
        """
    def set_watchpoints(self, /, ranges: SupportsGetItem[int, tuple[SupportsIndex, SupportsIndex, bool, bool]]) -> None:
        """
        The accesses at which the machine stops: first byte, bytes, loads, stores.
        """
    def snapshot(self, /) -> Snapshot:
        """
        Freezes the machine's state.
        """
    def state(self, /) -> list[tuple[str, int, Any]]:
        """
        Name, instance and fields of every section of the machine's state.
        """
    def state_digest(self, /) -> bytes:
        """
        BLAKE3 of registers, devices, RAM and hash tables.
        """
    def status(self, /) -> tuple[str, str, str]:
        """
        QEMU's name of the run state; why the machine stopped, in one word; and what is said of it.
        """
    def step(self, /, cpu: SupportsIndex) -> None:
        """
        Executes one instruction of one vCPU.
        """
    def take_hcalls(self, /) -> list[tuple[int, int, list[int], int | None]]:
        """
        Takes the hypercalls recorded so far.
        """
    def translate(self, /, cpu: SupportsIndex, ea: SupportsIndex) -> int | None:
        """
        The guest real address of a vCPU's effective address; None if it has no translation.
        """
    def wait(self, /, timeout: SupportsFloat | SupportsIndex | None) -> bool:
        """
        Waits until the machine does not run; whether it came to that.
        """

def check(source: Any, destination: Any) -> tuple[str, list[tuple[str, str, str, str, str, str, str, str, str]]]:
    """
    Compares a source and a destination, each a configuration or a machine: the verdict, and the reasons.
    """

def compat_names() -> dict:
    """
    The verdicts and the codes of reasons, each in the order of their numbers.
    """

def cpu_models() -> list[str]:
    """
    The names of the processor models.
    """

def disassemble(image: SupportsIndex, at: SupportsIndex) -> tuple[str, int]:
    """
    An instruction as text, and its length in bytes. The prefix of a prefixed instruction is the upper half of `image`.
    """

def explain(*, ruleset: str | None = None, machine: str, host: str, threads: SupportsIndex, vsmt: SupportsIndex | None = None, cpus: SupportsIndex | None = None, max_cpus: SupportsIndex | None = None, ic_mode: str | None = None, cpu: str | None = None, max_cpu_compat: str | None = None) -> Answer:
    """
    Asks what a machine comes to, without starting anything.
    """

def hcall_name(number: SupportsIndex) -> str | None:
    """
    The name of a hypercall; None for an unknown number.
    """

def hosts() -> list[dict]:
    """
    The host profiles: the fields of `spapr.HostProfile`.
    """

def instruction_rows() -> list[tuple[str, int, int, bool, bool, bool]]:
    """
    Each instruction: mnemonic, the bits that are fixed, what they are, and whether it is privileged, ends a run of instructions, or is 64 bits long.
    """

def machine_versions() -> list[str]:
    """
    The machine versions, newest first.
    """

def msr_fields() -> list[tuple[str, int]]:
    """
    The fields of the MSR: name and mask, highest first.
    """

def probe_host() -> dict:
    """
    What this machine is: the fields of `spapr.HostReport`.
    """

def remedy(source: Incomplete, destination: Incomplete) -> str | None:
    """
    The explicit `vsmt` with which a guest of one configuration moves to another, if it does not without.
    """

def resolve(config: Incomplete) -> tuple[dict, list[tuple[str, str, str]]]:
    """
    Checks a configuration: a dictionary of the settled values, and what is odd but starts as `(setting, message, hint)`.
    """

def rulesets() -> list[str]:
    """
    The names of the rulesets, oldest first.
    """

def spr_names() -> list[str]:
    """
    The names of the special purpose registers.
    """

def take_log() -> list[tuple[str, str, str]]:
    """
    Takes the engine's log records: level, logger, text.
    """
