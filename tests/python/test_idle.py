"""Guests that wait cost nothing: their threads sleep, and are woken by what the guest asked for alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from accel import accelerators

import spapr
from spapr.testing import embedded_guest

SECONDS = 2.0


def wakes() -> int:
    """How often the threads of vCPUs went to sleep so far; to sleep again takes a wake."""
    total = 0
    for task in Path("/proc/self/task").iterdir():
        fields = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
        if fields["Name"].startswith("vcpu"):
            total += int(fields["voluntary_ctxt_switches"])
    return total


@pytest.mark.parametrize("accel", accelerators())
@pytest.mark.parametrize("icount", [False, True])
def test_an_idle_guest_is_woken_by_its_own_timers_alone(accel: str, icount: bool) -> None:
    with spapr.Machine(accel=accel, icount=icount, smp=4, memory="256M", kernel=embedded_guest("be")) as vm:
        vm.start()
        vm.console.expect(r"^> ", timeout=60)
        time.sleep(0.2)
        before = wakes()
        time.sleep(SECONDS)
        assert wakes() - before < 4 * 60 * SECONDS, "a decrementer that the guest set to 20 ms is the most that may wake it"
