"""Saving, forking and moving guests of the real KVM of this host."""

from __future__ import annotations

import functools
import pathlib
import re

import pytest

import spapr
import talk
from conftest import CAPS, GUEST, Host, machine
from talk import ready

OURS = "interp"
"""The accelerator that runs on every host, and shares nothing with the kernel."""


def settled(**settings: object) -> spapr.MachineConfig:
    """The configuration as KVM has it on this host, every default filled in."""
    return spapr.MachineConfig(**({"accel": "kvm", "memory": "256M", "kernel": GUEST, "caps": CAPS} | settings)).resolved()  # type: ignore[arg-type]


# What is asked here comes after a move: more time for it.
ask = functools.partial(talk.ask, timeout=120)
off = functools.partial(talk.off, timeout=120)


def ticks(text: str) -> int:
    """The timebase in a reply to `tb`."""
    found = re.search(r"tb=(\d+)", text)
    assert found, text
    return int(found[1])


def hpt_of(vm: spapr.Machine) -> int | None:
    """log2 of the hash table's bytes, as the saved state says."""
    shift = vm.state()["mmu"]["hpt_shift"]
    assert shift is None or isinstance(shift, int)
    return shift


def test_registers_are_what_the_guest_sees(host: Host) -> None:
    with machine() as vm:
        ready(vm)
        ask(vm, "spr sprg3 0x1234567890abcdef")
        ask(vm, "spr vrsave 0x5a5a")
        vm.pause()
        cpu = vm.cpus[0]
        assert (int(cpu.spr["SPRG3"]), int(cpu.spr["VRSAVE"])) == (0x1234567890ABCDEF, 0x5A5A)
        first = vm.state_digest()
        assert vm.state_digest() == first
        vm.resume()
        ask(vm, "count 10")
        vm.pause()
        assert vm.state_digest() != first


def test_a_checkpoint_is_the_same_machine_and_goes_on(host: Host, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "state"
    with machine() as vm:
        ready(vm)
        ask(vm, "dirty 1000 1 4")
        ask(vm, "spr sprg3 0x77")
        before = ticks(ask(vm, "tb"))
        vm.pause()
        digest = vm.state_digest()
        vm.save_checkpoint(path)
        table = hpt_of(vm)
        entries = spapr.Stream(path).hash_table() if table else None
        # The kernel maps real mode by entries of its own.
        assert entries is None or len(entries) > 0
    with spapr.load_checkpoint(path, accel="kvm") as vm:
        assert vm.state_digest() == digest
        vm.resume()
        assert ticks(ask(vm, "tb")) > before
        assert "=0x77" in ask(vm, "spr sprg3")
        assert " bad=0" in ask(vm, "verify")
        off(vm)


def test_forks_go_their_own_ways(host: Host) -> None:
    with machine() as vm:
        ready(vm)
        ask(vm, "dirty 1000 1 4")
        snapshot = vm.snapshot("booted")
        ask(vm, "dirty 1000 1 4")
        with snapshot.fork() as one, snapshot.fork(accel=OURS) as other:
            for each in (one, other):
                each.resume()
                ask(each, "dirty 500 1 4")
                assert " bad=0" in ask(each, "verify")
                off(each)
        assert " bad=0" in ask(vm, "verify")
        off(vm)


@pytest.mark.parametrize("way", ["kvm-kvm", "kvm-interp", "interp-kvm"])
def test_a_guest_moves_while_it_writes(host: Host, way: str) -> None:
    source, destination = way.split("-")
    config = settled(smp="2,cores=2", vsmt=host.smt)
    with spapr.Machine(config.replace(accel=source)) as vm, spapr.Machine(config.replace(accel=destination), incoming=True) as there:
        ready(vm)
        ask(vm, "dirty start 300 2")
        before = ticks(ask(vm, "tb"))
        info = vm.migrate(there, downtime_limit=2000)
        assert info.status == "completed"
        assert there.console.log == ""
        assert before < ticks(ask(there, "tb"))
        ask(there, "dirty stop")
        assert " bad=0" in ask(there, "verify")
        assert f"ipi server={host.smt} count=" in ask(there, f"ipi {host.smt}")
        assert f"server={host.smt} pir=" in ask(there, "ids")
        assert vm.status == "postmigrate"
        off(there)


def test_what_may_not_move_is_refused_as_predicted(host: Host) -> None:
    config = settled(smp=2, vsmt=host.smt)
    with spapr.Machine(config) as vm, spapr.Machine(config.replace(accel=OURS, vsmt=16), incoming=True) as there:
        verdict = spapr.check(vm.config, there.config)
        assert not verdict.migrates
        ready(vm)
        with pytest.raises(spapr.MigrationIncompatible) as refused:
            vm.migrate(there)
        codes = {reason.code for reason in refused.value.reasons}
        assert codes and codes <= set(verdict.codes)
        assert "count 10" in ask(vm, "count 10")
        off(vm)


def test_a_guest_does_not_wait_for_pages_in_the_kernel(host: Host) -> None:
    with machine() as vm, machine(incoming=True) as there:
        ready(vm)
        ask(vm, "dirty start 5000 16")
        with pytest.raises(spapr.MigrationError, match="post-copy"):
            vm.migrate(there, postcopy_after=1, downtime_limit=1, connections=2)
        assert " bad=0" in ask(vm, "verify")
        off(vm)


def test_a_radix_guest_is_saved_with_its_process_table(host: Host, tmp_path: pathlib.Path) -> None:
    if not host.radix:
        pytest.skip("no radix guests here")
    with machine() as vm:
        ready(vm)
        # H_REGISTER_PROC_TBL: a new radix table of 4 KiB, and invalidation by the guest itself.
        assert "status=0 " in ask(vm, "hcall 0x37c 0x1d 0x8000000 0 0")
        vm.pause()
        assert (vm.state()["platform"]["mmu"], hpt_of(vm)) == ("radix", None)
        digest = vm.state_digest()
        vm.save_checkpoint(tmp_path / "state")
    with spapr.load_checkpoint(tmp_path / "state", accel="kvm") as vm:
        assert vm.state_digest() == digest
        assert vm.state()["mmu"]["process_table"] == 0x8000000
        vm.resume()
        assert "count 1000" in ask(vm, "count 1000")
        off(vm)


def test_the_hash_table_can_be_resized(host: Host) -> None:
    if not host.hash:
        pytest.skip("no hash guests here")
    with machine() as vm:
        ready(vm)
        vm.pause()
        shift = hpt_of(vm)
        assert shift is not None
        vm.resume()
        for _ in range(60):
            said = ask(vm, f"hcall 0x36c 0 {shift + 1}")
            status = int(re.search(r"status=(-?\d+)", said)[1])  # type: ignore[index]
            if status not in range(9900, 9906):
                break
            ask(vm, "wait 100")
        assert status == 0
        assert "status=0" in ask(vm, f"hcall 0x370 0 {shift + 1}")
        assert "status=-64" not in ask(vm, "count 10")
        vm.pause()
        assert hpt_of(vm) == shift + 1
        digest = vm.state_digest()
        vm.resume()
        off(vm)
        assert digest
