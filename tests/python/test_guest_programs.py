"""The programs of benches/guest in a Linux guest: every checksum is that of the same program on this machine."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from accel import accelerators
from conftest import ROOT, lacking
from linux import BOOT_SECONDS, COMMAND_SECONDS, images

import spapr

pytestmark = pytest.mark.linux

PROGRAMS = {
    "crc32": 20,
    "sieve": 2,
    "xorshift": 10,
    "fib": 2,
    "interpreter": 10,
    "qsort": 1,
    "matmul": 4,
    "sha": 4,
    "whole": 15,
    "dp-matmul": 3,
    "saxpy": 20,
    "div-sqrt": 20,
    "memcpy": 3,
    "getppid": 3,
    "pipe": 3,
    "fork": 3,
    "exec": 2,
    "cold": 16,
}
"""Name, rounds: what an interpreter does in a second or so."""


def _builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("guest_programs", ROOT / "benches" / "guest" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs built for both, and the guest's RAM disk."""
    builder = _builder()
    missing = builder.lacking()
    if missing:
        lacking(missing)
    folder = tmp_path_factory.mktemp("programs")
    builder.build(folder)
    return folder


def native(folder: Path, name: str, rounds: int, copies: int) -> str:
    """What the program prints here."""
    words = [str(folder / "native" / "bench"), name, str(rounds), str(copies), str(folder / "native" / "leaf")]
    done = subprocess.run(words, input="\n\n\n", check=True, capture_output=True, text=True, timeout=COMMAND_SECONDS)
    return done.stdout.splitlines()[-1]


class Programs:
    """A guest that runs programs."""

    def __init__(self, folder: Path, accel: str, smp: int = 1) -> None:
        self.folder = folder
        self.vm = spapr.Machine(
            memory="1G", smp=smp, cpu="power9", accel=accel, kernel=images()[0], initrd=folder / "initramfs.cpio", append="console=hvc0 quiet"
        )

    def __enter__(self) -> Programs:
        try:
            self.vm.start()
            self.vm.console.expect(r"^ready\n", fail_on=r"Kernel panic.*", timeout=BOOT_SECONDS)
        except BaseException:
            self.vm.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.vm.close()

    def run(self, name: str, rounds: int, copies: int = 1) -> str:
        """What the program prints in the guest."""
        self.vm.console.sendline(f"{name} {rounds} {copies}" + ("\n\n\n" if name == "cold" else ""))
        said, status = self.vm.console.expect(r"(?s)\A(.*?)^status (\d+)\n", fail_on=r"Kernel panic.*", timeout=COMMAND_SECONDS).groups()
        assert status == "0", said
        return str(said).splitlines()[-1]


@pytest.mark.parametrize("accel", accelerators())
def test_programs_compute_what_they_compute_here(programs: Path, accel: str) -> None:
    with Programs(programs, accel) as guest:
        for name, rounds in PROGRAMS.items():
            assert guest.run(name, rounds) == native(programs, name, rounds, 1)
        guest.vm.console.sendline("off")
        assert guest.vm.wait(timeout=COMMAND_SECONDS) == "shutdown"


@pytest.mark.parametrize("accel", accelerators())
def test_programs_beside_each_other(programs: Path, accel: str) -> None:
    """As many copies as there are vCPUs, and one more."""
    with Programs(programs, accel, smp=2) as guest:
        for name in ("whole", "dp-matmul", "pipe", "fork"):
            assert guest.run(name, PROGRAMS[name], 3) == native(programs, name, PROGRAMS[name], 3)
