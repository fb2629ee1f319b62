"""Linux under load is saved, made again and forked: the same digest, a clock that never goes back, every cpu ticking, nothing to complain about."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from linux import Linux

import spapr

pytestmark = pytest.mark.linux

ROWS = {
    "xive-radix": ({"cpu": "power9", "ic_mode": "xive", "smp": 4}, ""),
    "xics-hash": ({"cpu": "power9", "ic_mode": "xics", "smp": 4}, "disable_radix"),
    "dual-radix": ({"cpu": "power10", "ic_mode": "dual", "smp": 4}, ""),
    "power8-hash": ({"cpu": "power8", "smp": "4,cores=2,threads=2", "vsmt": 8}, ""),
}


def going_on(vm: spapr.Machine) -> Linux:
    """A machine that stands at the shell, run on."""
    guest = Linux.__new__(Linux)
    guest.vm = vm
    vm.resume()
    return guest


def seconds(guest: Linux) -> float:
    """How long the guest has been up by its own clock."""
    return float(guest.shell("cat /proc/uptime").split()[0])


def ticks(guest: Linux) -> list[int]:
    """Timer interrupts of each cpu."""
    row = re.search(r"^LOC:\s+([\d ]+)", guest.shell("grep LOC: /proc/interrupts"), re.MULTILINE)
    assert row is not None
    return [int(count) for count in row.group(1).split()]


def works(guest: Linux, since: float) -> None:
    """Time has not gone back, and every cpu takes its ticks."""
    assert seconds(guest) >= since
    before = ticks(guest)
    guest.shell("sleep 1")
    assert all(b > a for a, b in zip(before, ticks(guest), strict=True)), guest.shell("cat /proc/interrupts")
    assert guest.shell("echo $((6 * 7))").strip() == "42"
    assert guest.complaints() == []


@pytest.mark.parametrize("row", ROWS)
def test_linux_goes_on_from_a_file_and_from_memory(row: str, tmp_path: Path) -> None:
    settings: dict[str, Any]
    settings, append = ROWS[row]
    with Linux(append, accel="tcg", **settings) as guest:
        # Two cpus always busy, pages always changing.
        guest.shell("for n in 1 2; do while :; do dd if=/dev/urandom of=/dev/shm$n bs=64k count=4; done 2>/dev/null & done")
        since = seconds(guest)
        vm = guest.vm
        vm.pause()
        digest = vm.state_digest()
        vm.save_checkpoint(tmp_path / "state", compress="lz4")
        stream = spapr.Stream.open(tmp_path / "state")
        valid = [entry for entry in stream.hpt if entry.valid]
        if "hash" in row:
            assert len(valid) > 100 and all(entry.ra < vm.config.memory for entry in valid if entry.ra < 1 << 40)
        else:
            assert stream.hpt == []
        snapshot = vm.snapshot(row)
        # Loaded by the interpreter, forked for the translator; the first machine goes on beside them.
        copy = spapr.load_checkpoint(tmp_path / "state", accel="interp")
        fork = snapshot.fork()
        assert copy.state_digest() == fork.state_digest() == vm.state_digest() == digest
        for machine in (fork, copy, vm):
            works(going_on(machine), since)
            machine.pause()
        # A second generation, after its parents are gone.
        fork.resume()
        since = seconds(going_on(fork))
        second = fork.snapshot()
        fork.close()
        snapshot.close()
        grandchild = second.fork()
        second.close()
        works(going_on(grandchild), since)
        grandchild.close()
        copy.close()
        vm.resume()
        guest.power_off()
