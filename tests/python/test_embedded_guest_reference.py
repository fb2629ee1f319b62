"""The embedded guests on QEMU: what they print is the fixture of other tests, so it is checked on the reference machine too.

Needs qemu-system-ppc64 10 or later, which `tests/tools/qemu.sh system` finds or installs. No firmware: a "BIOS" of one branch enters the guest.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT, lacking

GUESTS = ROOT / "python" / "spapr" / "guests"
CAPS = "cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off"
BRANCH_TO_KERNEL = bytes(0x100) + bytes.fromhex("483fff00")  # at 0x100: b 0x400000


@cache
def qemu() -> str:
    """The path of the reference."""
    if "SPAPR_QEMU_SYSTEM" in os.environ:
        return os.environ["SPAPR_QEMU_SYSTEM"]
    found = subprocess.run([ROOT / "tests" / "tools" / "qemu.sh", "system"], capture_output=True, text=True)
    if found.returncode:
        lacking(found.stderr.strip())
    return found.stdout.strip()


def run(tmp_path: Path, endian: str, machine: str, smp: str, commands: list[str], cpu: str = "power9") -> str:
    """The console output of a guest that obeys `commands` and powers off."""
    rom = tmp_path / "rom.bin"
    rom.write_bytes(BRANCH_TO_KERNEL)
    arguments = ["-M", f"pseries,{CAPS},{machine}", "-cpu", cpu, "-m", "256", "-smp", smp, "-nodefaults", "-display", "none"]
    arguments += ["-serial", "stdio", "-monitor", "none", "-bios", str(rom), "-kernel", str(GUESTS / f"embedded-{endian}.elf")]
    typed = "".join(f"{line}\n" for line in [*commands, "off"])
    done = subprocess.run([qemu(), *arguments], input=typed.encode(), capture_output=True, timeout=120, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize("endian", ["be", "le"])
@pytest.mark.parametrize("ic_mode", ["xics", "xive"])
def test_threads_start_and_take_interrupts(tmp_path: Path, endian: str, ic_mode: str) -> None:
    out = run(tmp_path, endian, f"ic-mode={ic_mode},vsmt=8", "8,cores=2,threads=4", ["wait 100", "ipi 11", "tick"])
    head = ["spapr-guest 1 " + endian, "cpu reg=0 servers=0,1,2,3", "cpu reg=8 servers=8,9,10,11", "boot server=0", "threads up=8", "ready"]
    assert out.splitlines()[: len(head)] == head
    assert "ipi server=11 count=1\nok\n" in out
    ticks = {int(m[1]): m for m in re.finditer(r"^tick server=(\d+) dec=(\d+) ext=(\d+) ipi=(\d+)", out, re.M)}
    assert sorted(ticks) == [0, 1, 2, 3, 8, 9, 10, 11]
    assert all(int(m[2]) > 0 for m in ticks.values()), "a thread's decrementer stood still"
    assert int(ticks[0][3]) > 0, "the terminal's interrupt did not come"


@pytest.mark.parametrize("endian", ["be", "le"])
@pytest.mark.parametrize("cpu", ["power8", "power9", "power10"])
def test_memory_is_written_and_checked(tmp_path: Path, endian: str, cpu: str) -> None:
    out = run(tmp_path, endian, "ic-mode=xics", "1", ["dirty 20000 1 16", "verify", "poke 0x1003018 1", "verify"], cpu)
    assert re.search(r"^verify pages=\d+ writes=\d+ bad=0\nok$", out, re.M)
    assert "bad page=3 addr=0x1003000 wrong=checksum" in out
    assert re.search(r"^verify .* bad=1\nerror ", out, re.M)


@pytest.mark.parametrize("endian", ["be", "le"])
def test_faults_are_shown_and_survived(tmp_path: Path, endian: str) -> None:
    vectors = {"illegal": "0x700", "trap": "0x700", "alignment": "0x600", "fp": "0x800", "vmx": "0xf20", "vsx": "0xf40", "sc": "0xc00"}
    out = run(tmp_path, endian, "ic-mode=xics", "1", [f"fault {kind}" for kind in [*vectors, "unmapped", "fetch"]])
    for kind, vector in vectors.items():
        assert f"fault {kind} vector={vector} " in out
    assert "unexpected interrupt" not in out


def test_calls_show_their_results(tmp_path: Path) -> None:
    commands = ["hcall 0x1234", "rtas query-cpu-stopped-state 1", "stop 1", "rtas query-cpu-stopped-state 1", "start 1", "ipi 1", "nonsense"]
    out = run(tmp_path, "le", "ic-mode=xics", "2", commands)
    assert "hcall 0x1234 status=-2 " in out
    assert "status=0 0x2\nok" in out and "status=0 0x0\nok" in out
    assert "start server=1 status=0\nok" in out
    assert "error no such command; try help" in out
