"""Linux as a guest of this host's KVM, to a shell prompt: the lab's own kernel, with a root file system of busybox.

The kernel is one that knows both translations and both interrupt controllers; which it gets is the machine's decision, or its command line's.
"""

from __future__ import annotations

import pathlib
import re

import pytest

import spapr
from conftest import Host, exits, machine

FOLDER = pathlib.Path("/lab/linux")
BAD = r"Kernel panic.*|Oops: .*|BUG: .*|rcu: INFO: .*stall.*"


def shell(vm: spapr.Machine, command: str) -> str:
    """What a command prints in the guest."""
    start = len(vm.console.log)
    vm.console.sendline(command)
    vm.console.expect(r"\n# ", fail_on=BAD, timeout=120)
    return str(vm.console.log)[start:]


def wanted(host: Host, mmu: str, ic_mode: str) -> None:
    if mmu == "radix" and not host.radix:
        pytest.skip("this host has hash guests only")
    if mmu == "hash" and not host.hash:
        pytest.skip("this host has radix guests only")
    if ic_mode == "xive" and host.strict:
        pytest.skip("a POWER8 has no XIVE")


@pytest.mark.parametrize(("mmu", "cpus", "ic_mode"), [("radix", 1, "xive"), ("radix", 2, "xics"), ("hash", 1, "xics"), ("hash", 2, "xive"), ("hash", 2, "xics")])
def test_linux_comes_to_a_prompt(host: Host, mmu: str, cpus: int, ic_mode: str) -> None:
    wanted(host, mmu, ic_mode)
    if (mmu, cpus, ic_mode) == ("hash", 2, "xics") and not host.strict:
        pytest.skip("with XIVE here")
    vsmt = host.smt if host.strict else 8
    append = "console=hvc0 quiet panic=-1 rdinit=/init" + (" disable_radix" if mmu == "hash" and host.radix else "")
    before = exits()
    with machine(
        kernel=str(FOLDER / "vmlinux"), initrd=str(FOLDER / "initrd"), append=append, memory="512M", smp=f"{cpus},cores={cpus}", vsmt=vsmt, ic_mode=ic_mode
    ) as vm:
        vm.start()
        vm.console.expect(r"\n# ", fail_on=BAD, timeout=300)
        assert exits() > before
        about = shell(vm, "cat /proc/cpuinfo")
        assert len(re.findall(r"^processor", about, re.MULTILINE)) == cpus
        assert re.search(rf"MMU\s*: {mmu.capitalize()}", about), about
        assert "pSeries" in about
        assert ("XIVE" if ic_mode == "xive" else "XICS") in shell(vm, "cat /proc/interrupts")
        servers = shell(vm, "for c in /proc/device-tree/cpus/PowerPC*; do hexdump -v -e '4/1 \"%02x\" \" \"' $c/ibm,ppc-interrupt-server#s; echo; done")
        assert [int(word, 16) for word in re.findall(r"\b[0-9a-f]{8}\b", servers)] == [vsmt * core for core in range(cpus)]
        # The other cpu goes and comes: stop-self, start-cpu, and interrupts to it.
        if cpus > 1:
            assert "now 1" in shell(vm, "echo 0 >/sys/devices/system/cpu/cpu1/online; echo now $(nproc)")
            assert "now 2" in shell(vm, "echo 1 >/sys/devices/system/cpu/cpu1/online; echo now $(nproc)")
        vm.console.sendline("poweroff -f")
        assert vm.wait(timeout=120) == "shutdown"
