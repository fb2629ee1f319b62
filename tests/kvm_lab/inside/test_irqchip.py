"""XICS in the kernel (`kernel-irqchip=on`): the guest's interrupts no longer leave guest code, and the RTAS calls that route them do not either."""

from __future__ import annotations

import pytest

import spapr
from conftest import Host, machine
from talk import ask, off, ready

KERNEL = "kvm,kernel-irqchip=on"
IN_KERNEL = {"H_XIRR", "H_XIRR_X", "H_CPPR", "H_EOI", "H_IPI", "H_IPOLL"}


def counts(vm: spapr.Machine, command: str) -> dict[str, int]:
    """The hypercalls that reached spapr while the guest did as told."""
    with vm.trace() as trace:
        ask(vm, command)
        return dict(trace.counts())


def test_interrupts_stay_in_the_kernel(host: Host) -> None:
    with machine(accel=KERNEL, ic_mode="xics", smp="2,cores=2", vsmt=host.smt) as vm:
        ready(vm)
        assert "controller=xics" in ask(vm, "info")
        said = counts(vm, f"ipi {host.smt}")
        assert not IN_KERNEL & said.keys(), said
        assert f"ipi server={host.smt} count=" in vm.console.log
        off(vm)
    # The same without: they come to us, so the trace would have shown them.
    with machine(accel="kvm,kernel-irqchip=off", ic_mode="xics", smp="2,cores=2", vsmt=host.smt) as vm:
        ready(vm)
        assert IN_KERNEL & counts(vm, f"ipi {host.smt}").keys()
        off(vm)


def test_a_reset_reaches_the_kernels_controller(host: Host) -> None:
    with machine(accel=KERNEL, ic_mode="xics") as vm:
        ready(vm)
        assert "ipi server=0 count=" in ask(vm, "ipi 0")
        vm.reset()
        vm.console.expect("ready", timeout=60)
        assert "ipi server=0 count=" in ask(vm, "ipi 0")
        off(vm)


def test_what_the_kernels_controller_cannot_do_is_refused(host: Host) -> None:
    if not host.strict:
        with pytest.raises(spapr.ConfigError, match="kernel-irqchip=on is for XICS alone"):
            machine(accel=KERNEL, ic_mode="dual")
    with pytest.raises(spapr.ConfigError, match="no option"):
        machine(accel="kvm,kernel-irqchip=perhaps")
    with machine(accel=KERNEL, ic_mode="xics") as vm:
        ready(vm)
        vm.pause()
        with pytest.raises(spapr.SpaprError, match="the kernel keeps this machine's interrupt controller"):
            vm.snapshot("never")
        vm.resume()
        with machine(accel="kvm", ic_mode="xics", incoming=True) as there, pytest.raises(spapr.SpaprError, match="interrupt controller"):
            vm.migrate(there)
        off(vm)
