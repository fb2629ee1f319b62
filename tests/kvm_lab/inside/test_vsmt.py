"""The spacing of vcpu ids, on a real kernel: every branch of the rules, and what the guest sees of it."""

from __future__ import annotations

import errno
import re

import pytest

import spapr
from conftest import Host, RawVm, machine


def servers(vm: spapr.Machine) -> list[str]:
    """The guest's words about its cpus."""
    vm.start()
    vm.console.expect("ready", timeout=120)
    return [line for line in vm.console.log.splitlines() if line.startswith("cpu ")]


def finish(vm: spapr.Machine) -> None:
    vm.console.sendline("off")
    assert vm.wait(timeout=120) == "shutdown"


def test_the_mode_that_the_kernel_has_is_not_asked_for(host: Host) -> None:
    with machine(smp=2, vsmt=host.smt) as vm:
        assert vm.vcpu_ids.tolist() == [0, host.smt]
        assert servers(vm) == ["cpu reg=0 servers=0", f"cpu reg={host.smt} servers={host.smt}"]
        finish(vm)


def test_a_mode_is_set(host: Host) -> None:
    modes = [m for m in (8, 4, 2) if host.possible & m and m != host.smt]
    if not modes:
        pytest.skip("this host has one mode only")
    mode = modes[0]
    with machine(smp=2, vsmt=mode) as vm:
        assert vm.vcpu_ids.tolist() == [0, mode]
        assert servers(vm) == ["cpu reg=0 servers=0", f"cpu reg={mode} servers={mode}"]
        assert "threads up=2" in vm.console.log
        finish(vm)


def test_two_cores_with_threads_have_ids_with_gaps(host: Host) -> None:
    if host.strict:
        pytest.skip("before POWER9 the threads of a core enter together, which the emulator cannot do")
    with machine(smp="4,cores=2,threads=2", vsmt=8) as vm:
        assert vm.vcpu_ids.tolist() == [0, 1, 8, 9]
        assert servers(vm) == ["cpu reg=0 servers=0,1", "cpu reg=8 servers=8,9"]
        assert "threads up=4" in vm.console.log
        finish(vm)


def test_a_refusal_that_can_be_lived_with_is_a_warning(host: Host, raw: RawVm, caplog: pytest.LogCaptureFixture) -> None:
    if host.possible & 8:
        pytest.skip("this host grants 8")
    assert raw.set_smt(8) == errno.EINVAL
    said = "Failed to set KVM's VSMT mode to 8 (errno -22)"
    with pytest.warns(spapr.SpaprWarning, match=re.escape(said)), machine(smp=2, vsmt=8) as vm:
        assert servers(vm) == ["cpu reg=0 servers=0", "cpu reg=8 servers=8"]
        assert "threads up=2" in vm.console.log
        finish(vm)
    # Said of the settings, and again, in the log, by the kernel as it was really asked.
    assert said in caplog.text


def test_a_mode_that_no_kernel_grants_is_refused_with_the_modes(host: Host) -> None:
    with pytest.raises(spapr.ConfigError) as refused:
        machine(smp="16,threads=16", vsmt=16)
    modes = " ".join(str(m) for m in (8, 4, 2, 1) if host.possible & m)
    assert f"Failed to set KVM's VSMT mode to 16 (errno -22); Available VSMT modes: {modes}." in str(refused.value)


def test_more_threads_than_the_kernel_grants_are_refused(host: Host, raw: RawVm) -> None:
    if host.possible & 8:
        pytest.skip("this host grants 8")
    assert raw.set_smt(8) == errno.EINVAL
    modes = " ".join(str(m) for m in (8, 4, 2, 1) if host.possible & m)
    said = f"Failed to set KVM's VSMT mode to 8 (errno -22); Available VSMT modes: {modes}."
    with pytest.raises(spapr.ConfigError) as predicted:
        machine(smp="8,threads=8", vsmt=8)
    assert said in str(predicted.value)
    # A host that grants it is asked for, which this one is not: then the kernel itself refuses.
    with pytest.raises(spapr.ConfigError) as refused:
        machine(smp="8,threads=8", vsmt=8, host="kvm-hv/power8")
    assert said in str(refused.value)
