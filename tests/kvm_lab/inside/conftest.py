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

    @property
    def vcpus(self) -> int:
        """How many vcpus of one vcore may run: the emulator has no nap state, which other threads of a core need."""
        return 1 if self.strict else 8


HOSTS = {
    "powernv9": Host("powernv9", 1, 15, False, True, True),
    "powernv9-smp2": Host("powernv9-smp2", 1, 15, False, True, True),
    "powernv9-hpt": Host("powernv9-hpt", 1, 15, False, False, True),
    "powernv9-4k": Host("powernv9-4k", 1, 15, False, True, True),
    "powernv10": Host("powernv10", 1, 15, False, True, True),
    "powernv8": Host("powernv8", 1, 1, True, False, True),
    "powernv8-smt2": Host("powernv8-smt2", 2, 3, True, False, True),
    "powernv8-smt4": Host("powernv8-smt4", 4, 7, True, False, True),
    "powernv8-smt8": Host("powernv8-smt8", 8, 15, True, False, True),
    "nested": Host("nested", 1, 15, False, True, False),
}

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
    """A machine of KVM's with the embedded guest."""
    return spapr.Machine(**({"accel": "kvm", "memory": "256M", "kernel": GUEST} | settings))  # type: ignore[arg-type]
