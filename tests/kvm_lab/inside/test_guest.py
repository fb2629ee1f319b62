"""Guests on the real KVM of this host."""

from __future__ import annotations

import time

import pytest

import spapr
from conftest import CAPS, GUEST, GUEST_LE, Host, machine
from talk import ask, off, ready


@pytest.mark.parametrize("guest", [GUEST, GUEST_LE], ids=["be", "le"])
def test_a_guest_runs_and_powers_off(host: Host, guest: str) -> None:
    with machine(kernel=guest) as vm:
        ready(vm)
        assert "count 1000" in ask(vm, "count 1000")
        off(vm)


def test_a_guest_sleeps_and_its_decrementer_wakes_it(host: Host) -> None:
    with machine() as vm:
        ready(vm)
        start = time.monotonic()
        ask(vm, "wait 300")
        assert time.monotonic() - start >= 0.3
        off(vm)


def test_a_second_core_is_started_interrupted_and_stopped(host: Host) -> None:
    with machine(smp="2,cores=2", vsmt=host.smt) as vm:
        ready(vm)
        assert "threads up=2" in vm.console.log
        assert f"ipi server={host.smt} count=" in ask(vm, f"ipi {host.smt}")
        ask(vm, f"stop {host.smt}")
        assert "status=0" in ask(vm, f"start {host.smt}")
        assert f"server={host.smt} pir=" in ask(vm, "ids")
        off(vm)


@pytest.mark.parametrize("ic_mode", ["xics", "xive"])
def test_both_interrupt_controllers_are_emulated(host: Host, ic_mode: str) -> None:
    if ic_mode == "xive" and host.strict:
        pytest.skip("a POWER8 has no XIVE")
    with machine(ic_mode=ic_mode) as vm:
        ready(vm)
        assert f"controller={ic_mode}" in ask(vm, "info")
        assert "ipi server=0 count=" in ask(vm, "ipi 0")
        off(vm)


def test_pause_stops_time_and_registers_can_be_read(host: Host) -> None:
    with machine() as vm:
        ready(vm)
        before = ask(vm, "tb")
        vm.pause()
        cpu = vm.cpus[0]
        assert cpu.msr.SF and vm.cpus[0].nip == cpu.nip
        time.sleep(2)
        vm.resume()
        after = ask(vm, "tb")
        tb = [int(text.split("tb=")[1].split()[0]) for text in (before, after)]
        assert 0 < tb[1] - tb[0] < 512_000_000 * 1.9
        off(vm)


def test_reset_starts_again(host: Host) -> None:
    with machine() as vm:
        ready(vm)
        vm.reset()
        vm.console.expect("ready", timeout=60)
        vm.console.sendline("reboot")
        vm.console.expect("rebooting", timeout=60)
        vm.console.expect("ready", timeout=60)
        off(vm)


def test_a_guest_that_loops_is_paused_and_closed(host: Host) -> None:
    with machine() as vm:
        ready(vm)
        vm.console.sendline("loop")
        vm.console.expect("looping", timeout=60)
        vm.pause()
        assert vm.cpus[0].nip == vm.cpus[0].nip
        vm.resume()


def test_a_guest_that_storms_is_stopped(host: Host) -> None:
    with machine() as vm:
        ready(vm)
        vm.console.sendline("storm")
        vm.console.expect("storming", timeout=60)
        vm.pause()


def test_faults_reach_the_guest(host: Host) -> None:
    with machine() as vm:
        ready(vm)
        for kind, vector in (("illegal", "0x700"), ("trap", "0x700"), ("fp", "0x800"), ("sc", "0xc00")):
            assert f"fault {kind} vector={vector}" in ask(vm, f"fault {kind}")
        off(vm)


def test_memory_that_the_guest_wrote_is_whole(host: Host) -> None:
    with machine() as vm:
        ready(vm)
        ask(vm, "dirty 2000 1")
        assert " bad=0" in ask(vm, "verify")
        off(vm)


def test_what_kvm_cannot_do_is_refused(host: Host) -> None:
    with machine() as vm:
        ready(vm)
        vm.pause()
        with pytest.raises(spapr.SpaprError, match="KVM does not count instructions"):
            vm.run(max_instructions=1000)


def test_auto_picks_kvm_and_says_so(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "spapr.vm")
    with machine(accel="auto") as vm:
        ready(vm)
        off(vm)
    assert 'accel="auto" is kvm here' in caplog.text


def test_each_hypercall_is_answered_where_it_should_be(host: Host) -> None:
    """The kernel sleeps and wakes vCPUs by itself; terminals, RTAS and interrupts come to spapr."""
    with machine(ic_mode="xics", smp="2,cores=2", vsmt=host.smt) as vm:
        ready(vm)
        with vm.trace() as trace:
            ask(vm, f"ipi {host.smt}")
            ask(vm, "wait 50")
            counts = trace.counts()
        assert counts["H_PUT_TERM_CHAR"] > 0 and counts["H_IPI"] > 0
        assert not {"H_CEDE", "H_PROD", "H_CONFER", "H_REGISTER_VPA", "H_ENTER"} & counts.keys(), counts
        off(vm)


def test_capabilities_that_are_given_when_told_are_given(host: Host) -> None:
    """The kernel's own: nested guests, H_RPT_INVALIDATE and the second watchpoint have to be switched on before there is a vCPU."""
    facts = spapr.probe_host().facts
    assert facts is not None
    levels = dict(facts["caps"])
    for name in ("nested-hv", "rpt-invalidate", "dawr1"):
        if levels[name] == "on" and host.radix:
            with machine(caps=CAPS | {name: "on"}) as vm:
                ready(vm)
                off(vm)
        else:
            with pytest.raises(spapr.ConfigError, match=name):
                machine(caps=CAPS | {name: "on"})
