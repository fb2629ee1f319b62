"""Runs that can be repeated, as Python starts them."""

from __future__ import annotations

import pytest
from accel import accelerators
from linux import images

import spapr
from spapr.testing import embedded_guest


def session(accel: str, seed: int = 3) -> tuple[str, int, str, str]:
    with spapr.Machine(accel=accel, icount=True, seed=seed, smp=4, cpu="power9", memory="256M", kernel=embedded_guest("be")) as vm:
        for command in ("ids", "hcall 0x300", "wait 200", "tick"):
            assert vm.run(until=r"^> ", timeout=60).reason == "console"
            vm.console.sendline(command)
        vm.run(until=r"^> ", timeout=60)
        assert vm.run(max_instructions=12_345, timeout=60).reason == "instructions"
        return vm.console.log, vm.instructions, vm.run_digest, vm.state_digest()


def test_a_session_repeats() -> None:
    first = session("interp")
    assert first[0].count("\nok\n") == 4
    for accel in accelerators():
        assert session(accel) == first
    assert session(accelerators()[-1], 4)[2:] != first[2:]


def test_only_a_repeatable_machine_has_a_digest_of_its_run() -> None:
    with spapr.Machine(memory="256M", kernel=embedded_guest("be")) as vm, pytest.raises(spapr.SpaprError, match="icount=True"):
        vm.run_digest
    with pytest.raises(spapr.ConfigError, match="seed"):
        spapr.MachineConfig(seed=-1)
    with pytest.raises(spapr.AccelUnavailable):
        spapr.Machine(accel="kvm", icount=True, memory="256M")


@pytest.mark.linux
def test_a_boot_of_linux_repeats() -> None:
    kernel, initrd = images()
    ends = []
    for accel in (accelerators()[-1],) * 2:
        with spapr.Machine(accel=accel, icount=True, smp=2, memory="512M", kernel=kernel, initrd=initrd, append="console=hvc0") as vm:
            vm.run(max_instructions=300_000_000, timeout=600)
            ends.append((vm.console.log, vm.run_digest, vm.state_digest()))
    assert ends[0] == ends[1]
    assert "Linux version" in ends[0][0]
