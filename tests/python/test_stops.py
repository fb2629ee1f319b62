"""Breakpoints and watchpoints from Python, in the embedded guest and in Linux."""

from __future__ import annotations

import re

import pytest
from accel import accelerators
from linux import Linux

import spapr
from spapr.testing import embedded_guest


@pytest.mark.parametrize("accel", accelerators())
def test_a_guest_stops_at_an_instruction_and_at_an_access(accel: str) -> None:
    with spapr.Machine(accel=accel, memory="256M", kernel=embedded_guest("be"), cpu="power9") as vm:
        vm.start()
        vm.console.expect(r"^> ")
        vm.console.sendline("info")
        scratch = int(vm.console.expect(r"scratch addr=(0x[0-9a-f]+)").group(1), 16)
        vm.console.expect(r"^> ")
        vm.pause()
        vm.set_watchpoints([(scratch + 4, 4, "rw")])
        vm.console.sendline(f"mem {scratch:#x} 16")
        stop = vm.run(timeout=60)
        assert (stop.reason, stop.text) == ("watchpoint", f"cpu 0 loads 1 bytes at {scratch + 4:#x}")
        at = vm.cpus[0].nip
        assert str(vm.disassemble(at, 1)[0].text).startswith("lbz")
        vm.set_watchpoints([])
        vm.set_breakpoints([at])
        for _ in range(3):
            stop = vm.run(timeout=60)
            assert (stop.reason, vm.cpus[0].nip) == ("breakpoint", at)
        for _ in range(100_000):  # an interrupt may come first
            vm.step()
            if vm.cpus[0].nip == at + 4:
                break
        assert vm.cpus[0].nip == at + 4
        vm.set_breakpoints([])
        vm.start()
        vm.console.expect(r"^ok\n> ")


def test_what_cannot_be_watched_is_refused() -> None:
    with spapr.Machine(memory="256M", kernel=embedded_guest("be")) as vm:
        with pytest.raises(spapr.ConfigError, match="no bytes"):
            vm.set_watchpoints([(0x1000, 0)])
        with pytest.raises(spapr.ConfigError, match="kind of access"):
            vm.set_watchpoints([(0x1000, 8, "x")])


@pytest.mark.linux
def test_linux_stops_at_a_function_of_the_kernel() -> None:
    with Linux(smp=2) as guest:
        symbols = guest.shell("grep -w -e ksys_sync -e __se_sys_getppid -e __do_sys_getppid /proc/kallsyms")
        sync = int(re.search(r"^([0-9a-f]{16}) . ksys_sync$", symbols, re.M).group(1), 16)  # type: ignore[union-attr]
        guest.vm.pause()
        guest.vm.set_breakpoints([sync, sync + 8])
        guest.vm.start()
        guest.vm.console.sendline("sync")
        assert guest.vm.wait(timeout=120) == "paused"
        assert [cpu for cpu in guest.vm.cpus if cpu.nip in (sync, sync + 8)]
        guest.vm.set_breakpoints([])
        guest.vm.start()
        assert "fine" in guest.shell("echo fine")
        assert not guest.complaints()
