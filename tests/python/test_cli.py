"""`python -m spapr`: what it prints, and the exit status by which a script knows how the guest ended."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import GUESTS, TIMEOUT

ELF = str(GUESTS / "embedded-be.elf")


def spapr(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "spapr", *words], input=typed, capture_output=True, text=True, timeout=4 * TIMEOUT)


RUN = ["run", "--kernel", ELF, "-m", "256M"]


@pytest.mark.parametrize(
    ("words", "typed", "status", "out", "err"),
    [
        ([*RUN, "-M", "pseries-2.12,vsmt=8", "--cpu", "power9", "--smp", "8,cores=2,threads=4"], "ids\noff\n", 0, "server=11 pir=11", "vcpu ids 0 1 2 3 8 9 10 11"),
        ([*RUN, "-quiet"], "off\n", 0, "ready", ""),
        ([*RUN], "panic\n", 3, "panic", "guest-panicked"),
        ([*RUN, "--timeout", "1.5"], "loop\n", 4, "looping", "timeout: the guest still runs after 1.5 s"),
        ([*RUN, "-M", "pseries-2.13"], "", 2, "", "machine: "),
        ([*RUN, "-M", "pseries,vsmt=2", "-smp", "4,threads=4"], "", 2, "", "vsmt: "),
        ([*RUN, "--accel", "kvm"], "", 2, "", 'use accel="interp"'),
        ([*RUN, "-timeout", "soon"], "", 2, "", "is no number of seconds"),
        (["run"], "", 2, "", "there is nothing to boot"),
        (["run", "-kernel", "/nowhere/vmlinux"], "", 2, "", "/nowhere/vmlinux"),
        (["run", "-kernell", "x"], "", 2, "", "did you mean -kernel?"),
        (["run", "-help"], "", 0, "Exit status: 0 the guest powered off", ""),
        (["run", "-M", "pseries-2.12,vsmt=8", "-m", "1G", "-print-qemu"], "", 0, "qemu-system-ppc64 -machine pseries-2.12,vsmt=8 -smp 1 -m 1024M", ""),
        (["rum"], "", 2, "", "did you mean run?"),
        (["--help"], "", 0, "Boots a kernel", ""),
        (["--version"], "", 0, "0.", ""),
        (["names"], "", 0, "kvm-hv/power8", ""),
        (["explain", "-M", "pseries-2.11", "--host", "kvm-hv/power9", "--threads", "4"], "", 0, "vsmt=4 (default: max(host,threads))", ""),
        (["explain", "-M", "pseries-2.11", "--host", "kvm-hv/power9", "--threads", "4", "--vsmt", "2"], "", 2, "fatal", ""),
        (["explain", "-M", "pseries-2.11", "--host", "vmware"], "", 2, "", "host: "),
    ],
)
def test_what_it_says_and_how_it_ends(words: list[str], typed: str, status: int, out: str, err: str) -> None:
    ran = spapr(*words, typed=typed)
    assert (ran.returncode, out in ran.stdout, err in ran.stderr) == (status, True, True), ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    if "-quiet" in words:
        assert ran.stderr == ""


def test_demo_tells_the_story() -> None:
    ran = spapr("demo")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "17 guests booted" in ran.stdout
    assert "all of them have the ids" in ran.stdout
    story = re.findall(r"^(qemu-\S+|seed) |^  (POWER\S+)(?: \(2018\))? +(?:vsmt=(\d)|does not start)", ran.stdout, re.MULTILINE)
    vsmt: dict[str, list[str]] = {}
    for ruleset, host, value in story:
        if ruleset:
            rows = vsmt.setdefault(ruleset, [])
        elif host:
            rows.append(value)
    assert vsmt == {
        "qemu-2.10": ["8", "4", ""],
        "qemu-2.11": ["8", "4", "4"],
        "seed": ["8", "8", "8"],
        "qemu-2.12": ["8", "8", "8"],
        "qemu-4.2": ["4", "4", "4"],
        "qemu-10.2": ["4", "4", "4"],
    }
    assert len(ran.stdout.splitlines()) < 40


def test_on_a_terminal_the_guest_gets_the_keys(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen([sys.executable, "-m", "spapr", *RUN], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""

    def until(text: bytes) -> None:
        nonlocal seen
        deadline = time.monotonic() + TIMEOUT
        while text not in seen:
            assert time.monotonic() < deadline, seen
            seen += os.read(ours, 4096)

    until(b"ready")
    os.write(ours, b"count 2\r")
    until(b"ok")
    os.write(ours, b"\x03\r")  # Ctrl-C is the guest's
    until(b"error")
    os.write(ours, b"\x01x")  # Ctrl-A x is ours
    try:
        until(b"instructions in")
    finally:
        child.wait(timeout=TIMEOUT)
        os.close(ours)
    assert child.returncode == 130
