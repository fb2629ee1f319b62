"""`spapr.testing.strategies`, by using them: whatever they make is what they promise, and the machine keeps its promises for all of it."""

from __future__ import annotations

import functools
import pickle
import warnings

import pytest
from conftest import TIMEOUT
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import spapr
from spapr.testing.stateful import MachineLife
from spapr.testing.strategies import Instruction, MemoryImage, host_profiles, instructions, machine_configs, memory_images, programs

CODE = 0x20_0000
# The same examples in every run; a machine that is busy with other things is no failure.
few = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@few
@given(machine_configs(), host_profiles())
def test_configs_start_and_keep_their_meaning(config: spapr.MachineConfig, host: spapr.HostProfile) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", spapr.SpaprWarning)
        settled = config.resolved()
        assert settled.resolved() == settled
        assert pickle.loads(pickle.dumps(config)) == config
        assert spapr.MachineConfig.from_qemu_args(config.to_qemu_args()).resolved() == settled
        threads, cpus = settled.smp.threads, settled.smp.cpus
        assert threads is not None
        assert cpus is not None
        answer = spapr.explain(machine=config.machine, host=host.name, threads=threads, cpus=cpus)
        assert len(answer.vcpu_ids) == (cpus if answer.starts else 0)


@few
@given(machine_configs(startable=False, hosts=[None, *spapr.HOSTS]))
def test_what_does_not_start_says_what_to_change(config: spapr.MachineConfig) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", spapr.SpaprWarning)
        try:
            config.resolved()
        except spapr.ConfigError as error:
            assert error.setting
            assert error.hint


@settings(few, max_examples=15)
@given(machine_configs(memory=["256M"]))
def test_machines_of_all_kinds_are_built(config: spapr.MachineConfig) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", spapr.SpaprWarning)
        with spapr.Machine(config) as vm:
            threads = vm.config.smp.threads or 1
            assert [cpu.vcpu_id for cpu in vm.cpus] == vm.vcpu_ids.tolist() == [n // threads * vm.vsmt + n % threads for n in range(len(vm.cpus))]
            assert "/cpus" in {node.path for node in vm.device_tree.walk()}


@few
@given(memory_images())
def test_memory_is_what_was_written(image: MemoryImage) -> None:
    ends = [0]
    for address, data in image.pieces:
        assert address >= ends[-1]
        ends.append(address + len(data))
    with blank().fork() as vm:
        image.write(vm)
        assert image.read(vm) == image


@few
@given(instructions(privileged=True, branches=True))
def test_instructions_are_what_they_say(instruction: Instruction) -> None:
    text = str(instruction)
    assert not text.startswith((".long", ".quad"))
    assert len(instruction.to_bytes()) == instruction.size
    assert instruction.to_bytes(little_endian=True)[:4] == instruction.to_bytes()[:4][::-1]


def test_only_the_instructions_that_are_named() -> None:
    @settings(few, max_examples=10)
    @given(instructions(["addi", "b"]))
    def check(instruction: Instruction) -> None:
        assert instruction.name in ("addi", "b")

    check()
    with pytest.raises(spapr.ConfigError, match="did you mean"):
        instructions(["addii"])


@functools.cache
def blank() -> spapr.Snapshot:
    """A machine without a guest, to be forked: a program may write anywhere, and a reset leaves memory as it is."""
    with spapr.Machine(memory="256M", cpu="power10") as vm:
        return vm.snapshot("blank")


# Whatever is done to a machine, its guest goes on from the same state, and finds itself whole at the end.
TestLife = MachineLife.TestCase
TestLife.settings = settings(few, max_examples=8, stateful_step_count=10)


@few
@given(programs(max_size=8), st.lists(st.integers(0, (1 << 64) - 1), min_size=8, max_size=8))
def test_the_same_program_does_the_same(program: list[Instruction], values: list[int]) -> None:
    """Step by step and at one go; whatever it is, the machine can be looked at afterwards."""
    code = b"".join(instruction.to_bytes() for instruction in program)
    ends = []
    for at_once in (False, True):
        with blank().fork() as vm:
            vm.ram.write(CODE, code)
            cpu = vm.cpus[0]
            cpu.nip = CODE
            for n, value in enumerate(values):
                cpu.set_gpr(n + 3, value)
            before = vm.instructions
            if at_once:
                stop = vm.run(max_instructions=len(program), timeout=TIMEOUT)
                assert stop.reason in ("instructions", "shutdown")
            else:
                vm.step(count=len(program))
                # An access outside RAM is tried, answered by the machine, and tried again, and each try counts.
                assume(vm.instructions - before == len(program))
            ends.append((cpu.nip, cpu.gpr.tolist(), cpu.cr, cpu.xer, cpu.msr, cpu.vsr.tolist()))
    assert ends[0] == ends[1]
