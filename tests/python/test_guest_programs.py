"""The programs of benches/guest in a Linux guest: every checksum is that of the same program on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from accel import accelerators
from linux import COMMAND_SECONDS
from programs import Programs, build, native

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
    "div-sqrt-chain": 20,
    "memcpy": 3,
    "getppid": 3,
    "pipe": 3,
    "fork": 3,
    "exec": 2,
    "cold": 16,
}
"""Name, rounds: what an interpreter does in a second or so."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs built for both, and the guest's RAM disk."""
    return build(tmp_path_factory.mktemp("programs"))


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
