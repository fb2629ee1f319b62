"""Every test runs on the lab's host, whose name is part of its id; and what a test knows of that host."""

from __future__ import annotations

import collections.abc
import dataclasses
import fcntl
import gc
import importlib.resources
import os
import pathlib
import struct

import pytest

import spapr

NAME = os.environ["SPAPR_LAB_HOST"]
GUEST = str(importlib.resources.files("spapr") / "guests" / "embedded-be.elf")
GUEST_LE = str(importlib.resources.files("spapr") / "guests" / "embedded-le.elf")


@dataclasses.dataclass(frozen=True)
class Host:
    """What a host of this name is known to be: measured, and written down before the code was."""

    name: str
    smt: int
    possible: int
    strict: bool
    radix: bool
    hash: bool
    profile: str
    """The host profile that it stands for."""
    differs: collections.abc.Mapping[str, tuple[tuple[object, object], str]] = dataclasses.field(default_factory=dict)
    """What its kernel says otherwise than the profile: both values, and why."""

    @property
    def vcpus(self) -> int:
        """How many vcpus of one vcore may run: the emulator has no nap state, which other threads of a core need."""
        return 1 if self.strict else 8


Differs = dict[str, tuple[tuple[object, object], str]]


def emulated(cfpc: str = "workaround", sbbc: str = "workaround", ibs: str = "fixed-ccd", htm: str = "") -> Differs:
    """What QEMU's machines lack of the real ones, by what the profile predicts."""
    firmware = "QEMU's machine hands skiboot no list of mitigations (fw-features), so the kernel knows of none"
    rows: Differs = {"cap-cfpc": (("broken", cfpc), firmware), "cap-sbbc": (("broken", sbbc), firmware), "cap-ibs": (("broken", ibs), firmware)}
    rows["cap-ccf-assist"] = (("off", "on"), firmware)
    if htm:
        rows["cap-htm"] = (("off", htm), "QEMU's processor has no transactional memory, and its firmware says so")
    return rows


POWER8, POWER9, POWER10 = emulated(htm="on"), emulated(htm="on"), emulated(cfpc="fixed", ibs="workaround")
ONE_THREAD = "no POWER8 has cores of one thread, but QEMU's"
ONE: Differs = {"default_smt": ((1, 8), ONE_THREAD), "possible": ((1, 15), ONE_THREAD)}
SMALL_PAGES: Differs = {"cap-hpt-max-page-size": (("4K", "64K"), "the kernel has pages of 4 KiB, and the profile stands for the distributions' 64 KiB")}

HOSTS = {
    h.name: h
    for h in (
        Host("powernv9", 1, 15, False, True, True, "kvm-hv/power9", POWER9),
        Host("powernv9-smp2", 1, 15, False, True, True, "kvm-hv/power9", POWER9),
        Host("powernv9-smp4", 1, 15, False, True, True, "kvm-hv/power9", POWER9),
        Host("powernv9-hpt", 1, 15, False, False, True, "kvm-hv/power9-hash", POWER9),
        Host("powernv9-4k", 1, 15, False, True, True, "kvm-hv/power9", POWER9 | SMALL_PAGES),
        Host("powernv10", 1, 15, False, True, True, "kvm-hv/power10", POWER10),
        Host("powernv8", 1, 1, True, False, True, "kvm-hv/power8", POWER8 | ONE),
        Host("powernv8-smt2", 2, 3, True, False, True, "kvm-hv/power8-subcores-4", POWER8),
        Host("powernv8-smt4", 4, 7, True, False, True, "kvm-hv/power8-subcores-2", POWER8),
        Host("powernv8-smt8", 8, 15, True, False, True, "kvm-hv/power8", POWER8),
        Host("nested", 1, 15, False, True, False, "kvm-hv/power9-nested"),
    )
}

CAPS = {"cfpc": "broken", "sbbc": "broken", "ibs": "broken", "ccf-assist": "off"}
"""What the emulated firmware says nothing of, so that the kernel has none of it and a machine's defaults are refused."""
if os.sysconf("SC_PAGE_SIZE") == 4096:
    CAPS["hpt-max-page-size"] = "4K"
LARGE_TABLE = {"maxmem": "8G", "resize_hpt": "disabled"} if "hpt-max-page-size" in CAPS else {}
"""With small pages the kernel reaches a guest's whole real mode area only through a large hash table."""

KVM_CREATE_VM, KVM_CHECK_EXTENSION, KVM_CREATE_VCPU = 0x2000AE01, 0x2000AE03, 0x2000AE41
KVM_ENABLE_CAP = 0x8068AEA3
CAP_PPC_SMT, CAP_PPC_SMT_POSSIBLE, CAP_PPC_MMU_RADIX, CAP_PPC_MMU_HASH_V3 = 64, 147, 134, 135


class RawVm:
    """A virtual machine of the kernel's, by system calls of our own: what spapr says is held against it."""

    def __init__(self) -> None:
        self.device = os.open("/dev/kvm", os.O_RDWR)
        self.vm = fcntl.ioctl(self.device, KVM_CREATE_VM, 1)
        self.vcpus: list[int] = []

    def check(self, capability: int) -> int:
        """KVM_CHECK_EXTENSION."""
        return fcntl.ioctl(self.vm, KVM_CHECK_EXTENSION, capability)

    def set_smt(self, mode: int) -> int:
        """KVM_ENABLE_CAP of KVM_CAP_PPC_SMT: 0 or the errno."""
        try:
            fcntl.ioctl(self.vm, KVM_ENABLE_CAP, struct.pack("=II4Q64x", CAP_PPC_SMT, 0, mode, 0, 0, 0))
        except OSError as e:
            return e.errno or -1
        return 0

    def create(self, number: int) -> int:
        """KVM_CREATE_VCPU: 0 or the errno."""
        try:
            self.vcpus.append(fcntl.ioctl(self.vm, KVM_CREATE_VCPU, number))
        except OSError as e:
            return e.errno or -1
        return 0

    def close(self) -> None:
        """Gives everything back."""
        for fd in (*self.vcpus, self.vm, self.device):
            os.close(fd)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.fixturenames.append("host")
    metafunc.parametrize("host", [HOSTS[NAME]], ids=[NAME], scope="session")


@pytest.fixture
def raw() -> collections.abc.Iterator[RawVm]:
    """A virtual machine without spapr."""
    vm = RawVm()
    yield vm
    vm.close()


@pytest.fixture(autouse=True)
def descriptors() -> collections.abc.Iterator[None]:
    """No test leaves a file descriptor behind."""

    def count() -> int:
        gc.collect()
        return len(list(pathlib.Path("/proc/self/fd").iterdir()))

    before = count()
    yield
    assert count() <= before


def exits() -> int:
    """How often the living guests of this kernel have left guest code."""
    return int(pathlib.Path("/sys/kernel/debug/kvm/sum_exits").read_text())


@pytest.fixture(scope="session", autouse=True)
def real_kvm() -> None:
    """Nothing passes here unless the kernel has really run a guest."""
    with machine() as vm:
        vm.start()
        vm.console.expect("ready", timeout=120)
        assert exits() > 10


def machine(**settings: object) -> spapr.Machine:
    """A machine of KVM's with the embedded guest, and no more capabilities than this kernel has."""
    return spapr.Machine(**({"accel": "kvm", "memory": "256M", "kernel": GUEST, "caps": CAPS} | LARGE_TABLE | settings))  # type: ignore[arg-type]
