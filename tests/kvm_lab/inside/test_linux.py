"""Linux as a guest of this host's KVM, to a shell prompt: the lab's own kernel, with a root file system of busybox.

The kernel is one that knows both translations and both interrupt controllers; which it gets is the machine's decision, or its command line's.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Mapping

import pytest

import spapr
from conftest import CAPS, Host, exits, machine

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


@dataclasses.dataclass(frozen=True)
class Kind:
    """How a guest runs."""

    mmu: str
    cpus: int
    ic_mode: str
    accel: str = "kvm"
    append: str = ""
    caps: Mapping[str, str] = dataclasses.field(default_factory=dict)
    strict: bool | None = None
    """Only on hosts before POWER9, or only on later ones."""


KINDS = {
    "radix-1-xive": Kind("radix", 1, "xive"),
    "radix-2-xics": Kind("radix", 2, "xics"),
    "radix-2-xics-in-kernel": Kind("radix", 2, "xics", accel="kvm,kernel-irqchip=on"),
    # The guest invalidates translations by H_RPT_INVALIDATE, which the kernel answers, instead of by its own tlbie.
    "radix-1-by-hypercall": Kind("radix", 1, "xive", append="radix_hcall_invalidate=on", caps={"rpt-invalidate": "on"}),
    "hash-2-xive": Kind("hash", 2, "xive"),
    "hash-1-xics-in-kernel": Kind("hash", 1, "xics", accel="kvm,kernel-irqchip=on", strict=True),
    "hash-2-xics": Kind("hash", 2, "xics", strict=True),
}


@pytest.mark.parametrize("name", KINDS)
def test_linux_comes_to_a_prompt(host: Host, name: str, caplog: pytest.LogCaptureFixture) -> None:
    kind = KINDS[name]
    if kind.strict not in (None, host.strict):
        pytest.skip("the same on another kind of host")
    wanted(host, kind.mmu, kind.ic_mode)
    vsmt = host.smt if host.strict else 8
    append = f"console=hvc0 quiet panic=-1 rdinit=/init {kind.append}" + (" disable_radix" if kind.mmu == "hash" and host.radix else "")
    before = exits()
    with machine(
        accel=kind.accel,
        caps=CAPS | kind.caps,
        kernel=str(FOLDER / "vmlinux"),
        initrd=str(FOLDER / "initrd"),
        append=append,
        memory="512M",
        smp=f"{kind.cpus},cores={kind.cpus}",
        vsmt=vsmt,
        ic_mode=kind.ic_mode,
    ) as vm:
        vm.start()
        vm.console.expect(r"\n# ", fail_on=BAD, timeout=300)
        assert exits() > before
        about = shell(vm, "cat /proc/cpuinfo")
        assert len(re.findall(r"^processor", about, re.MULTILINE)) == kind.cpus
        assert re.search(rf"MMU\s*: {kind.mmu.capitalize()}", about), about
        assert "pSeries" in about
        assert kind.ic_mode.upper() in shell(vm, "cat /proc/interrupts")
        servers = shell(vm, "for c in /proc/device-tree/cpus/PowerPC*; do hexdump -v -e '4/1 \"%02x\" \" \"' $c/ibm,ppc-interrupt-server#s; echo; done")
        assert [int(word, 16) for word in re.findall(r"\b[0-9a-f]{8}\b", servers)] == [vsmt * core for core in range(kind.cpus)]
        # The other cpu goes and comes: stop-self, start-cpu, and interrupts to it.
        if kind.cpus > 1:
            assert "now 1" in shell(vm, "echo 0 >/sys/devices/system/cpu/cpu1/online; echo now $(nproc)")
            assert "now 2" in shell(vm, "echo 1 >/sys/devices/system/cpu/cpu1/online; echo now $(nproc)")
        vm.console.sendline("poweroff -f")
        assert vm.wait(timeout=120) == "shutdown"
    assert "hypercall 0x448" not in caplog.text
