"""`spapr.Machine` itself: its life, its consoles, registers and memory, and its manners in a Python process."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import GUESTS, TIMEOUT, Guest

import spapr

Make = Callable[..., Guest]
Build = Callable[..., spapr.Machine]


# --- life ---


def test_a_life(machine: Build) -> None:
    vm = machine(smp="2,cores=1,threads=2")
    assert vm.status == "prelaunch"
    assert repr(vm) == "<spapr.Machine pseries-10.2 power10_v2.0: 2 vcpus, 2 threads per core, vsmt=2, 256M, prelaunch>"
    vm.start()
    assert vm.status == "running"
    vm.console.expect("ready", timeout=TIMEOUT)
    vm.pause()
    assert vm.status == "paused"
    vm.resume()
    with vm.paused():
        assert vm.status == "paused"
    assert vm.status == "running"
    vm.console.sendline("off")
    assert vm.wait(timeout=TIMEOUT) == "shutdown"
    with pytest.raises(spapr.StateError) as refused:
        vm.resume()
    assert "reset()" in refused.value.hint
    vm.reset()
    assert vm.status == "paused"
    vm.resume()
    vm.console.expect("ready", timeout=TIMEOUT)
    vm.close()
    vm.close()
    with pytest.raises(spapr.StateError, match="the machine is closed"):
        vm.resume()
    assert vm.console.log.count("ready") == 2


def test_run_until_the_console_the_budget_and_the_end(machine: Build) -> None:
    vm = machine()
    stop = vm.run(max_instructions=1000)
    assert (stop.reason, stop.status) == ("instructions", "paused")
    assert 1000 <= vm.instructions < 1100
    stop = vm.run(until="^ready", timeout=TIMEOUT)
    assert stop.reason == "console"
    assert stop.match is not None
    assert vm.status == "paused"
    vm.console.sendline("count 5")
    assert vm.run(until=spapr.console(r"^ok\n", 0), timeout=TIMEOUT).reason == "console"
    with pytest.raises(spapr.GuestTimeout) as late:
        vm.run(until="never said", timeout=0.2)
    assert "ok" in late.value.tail
    assert isinstance(late.value, TimeoutError)
    assert vm.status == "paused"
    vm.console.sendline("off")
    assert vm.run(timeout=TIMEOUT).reason == "shutdown"
    with pytest.raises(spapr.ConfigError):
        vm.run(max_instructions=0)


def test_step_and_breakpoint(machine: Build) -> None:
    vm = machine()
    cpu = vm.cpus[0]
    first = vm.disassemble(cpu.nip, 4)
    assert [row.address for row in first] == [cpu.nip + 4 * n for n in range(4)]
    assert str(first[0]).startswith(f"{cpu.nip:#018x}  ")
    at = cpu.nip
    vm.step()
    assert (cpu.nip != at, vm.instructions) == (True, 1)
    with vm.paused():
        pass
    vm.run(max_instructions=50)
    target = cpu.nip
    vm.reset()
    vm.set_breakpoints([target])
    stop = vm.run(timeout=TIMEOUT)
    assert (stop.reason, cpu.nip) == ("breakpoint", target)
    vm.set_breakpoints([])
    vm.run(until="ready", timeout=TIMEOUT)


def test_power_button(machine: Build) -> None:
    vm = machine()
    vm.start()
    vm.shutdown()  # the embedded guest does not listen; nothing breaks
    vm.console.expect("ready", timeout=TIMEOUT)


# --- console ---


def test_expect_passes_output_and_loses_none(guest: Make) -> None:
    it = guest()
    console = it.vm.console
    it.ask("count 3")
    everything = console.log
    assert everything.startswith("spapr-guest 1 be\n")
    assert console.read() == ""
    console.position = 0
    assert console.expect(r"guest (\d)").group(1) == "1"
    assert console.read() == everything[everything.index("guest 1") + len("guest 1") :]
    assert everything.encode() == console.raw
    assert console.tail(2).splitlines()[0] == "ok"
    assert "Console 0" in repr(console)


def test_expect_fails_soon_and_shows_the_tail(guest: Make) -> None:
    console = guest().vm.console
    console.sendline("nonsense")
    with pytest.raises(spapr.ConsoleMatch) as failed:
        console.expect("never", fail_on="^error .*", timeout=TIMEOUT)
    assert "error" in failed.value.tail
    begin = time.monotonic()
    with pytest.raises(spapr.ConsoleTimeout) as late:
        console.expect("never", timeout=0.2)
    assert time.monotonic() - begin < 10
    assert "ready" in str(late.value)
    with pytest.raises(spapr.ConfigError, match="re.escape"):
        console.expect("(")
    for timeout in (-1, float("nan"), "10"):
        with pytest.raises(spapr.ConfigError, match="timeout"):
            console.expect("x", timeout=timeout)  # type: ignore[arg-type]
    for pattern in (3, b"x", re.compile(b"x")):
        with pytest.raises(spapr.ConfigError, match="neither a text nor"):
            console.expect(pattern)  # type: ignore[arg-type]
    with pytest.raises(spapr.ConfigError, match="cannot be typed"):
        console.write(3)  # type: ignore[arg-type]


def test_a_wait_ends_with_the_machine(guest: Make) -> None:
    vm = guest().vm
    vm.console.sendline("off")
    with pytest.raises(spapr.ConsoleClosed, match="status shutdown"):
        vm.console.expect("never", timeout=None)
    vm.reset()
    with pytest.raises(spapr.ConsoleClosed, match=r"start\(\) or resume\(\)"):
        vm.console.expect("never", timeout=None)


def test_lines_come_one_by_one(guest: Make) -> None:
    it = guest()
    it.vm.console.sendline("help")
    it.vm.console.sendline("off")
    lines = list(it.vm.console.lines(timeout=TIMEOUT))
    assert "ok" in lines
    assert len(lines) > 20


def test_several_terminals_have_logs_of_their_own(machine: Build) -> None:
    vm = machine(vtys=3)
    assert [console.index for console in vm.consoles] == [0, 1, 2]
    vm.run(until="ready", timeout=TIMEOUT)
    assert [bool(console.log) for console in vm.consoles] == [True, False, False]


# --- registers and memory ---


def test_registers(machine: Build) -> None:
    vm = machine(cpu="power9", smp="4,cores=2,threads=2", vsmt=4)
    cpu = vm.cpus[3]
    assert (cpu.index, cpu.vcpu_id, cpu.state) == (3, 5, "stopped")
    assert (cpu.spr["PIR"], cpu.spr["pvr"] >> 16) == (5, 0x4E)
    assert cpu.gpr.dtype == np.uint64
    assert cpu.gpr.shape == (32,)
    assert cpu.vsr.shape == (64, 2)
    assert cpu.msr.SF == 1
    assert (cpu.msr.LE, cpu.msr.EE) == (0, 0)
    assert "SF" in repr(cpu.msr)
    with pytest.raises(AttributeError, match="no field 'XX'"):
        cpu.msr.XX  # noqa: B018
    with pytest.raises(KeyError, match="SPRG99"):
        cpu.spr["SPRG99"]
    cpu.set_gpr(7, -1)
    cpu.nip, cpu.lr, cpu.ctr, cpu.cr = 0x1234, 5, 6, 0x80000001
    cpu.spr["SPRG0"] = 77
    assert (int(cpu.gpr[7]), cpu.nip, cpu.lr, cpu.ctr, cpu.cr, cpu.spr["SPRG0"]) == ((1 << 64) - 1, 0x1234, 5, 6, 0x80000001, 77)
    with pytest.raises(spapr.ConfigError):
        cpu.spr["TB"] = 1
    assert "r31" in str(cpu)
    with pytest.raises(ValueError, match="read-only"):
        cpu.gpr[3] = 1
    assert {"EE", "LE"} <= set(dir(cpu.msr))
    assert "LPCR" in cpu.spr._ipython_key_completions_()
    vm.start()
    with pytest.raises(spapr.StateError) as running:
        _ = cpu.gpr
    assert running.value.hint == "pause() it first"
    assert "vcpu_id=5" in repr(cpu)


def test_ram_by_copy_and_in_place(machine: Build) -> None:
    vm = machine()
    assert len(vm.ram) == 256 << 20
    vm.ram.write(0x100000, b"\x00\x11\x22\x33\x44\x55\x66\x77")
    assert vm.ram.read(0x100000, 8) == b"\x00\x11\x22\x33\x44\x55\x66\x77"
    assert vm.ram.read_int(0x100000) == 0x0011223344556677
    assert vm.ram[0x100002:0x100004] == b"\x22\x33"
    vm.ram[0x100008:0x10000A] = b"ab"
    assert vm.ram.read(0x100007, 4) == b"\x77ab\x00"
    with pytest.raises(ValueError, match="3 bytes do not fill 2"):
        vm.ram[0:2] = b"abc"
    with pytest.raises(TypeError, match="read_int"):
        vm.ram[0]  # type: ignore[index]
    with pytest.raises(spapr.GuestMemoryError):
        vm.ram[0 : (256 << 20) + 1]
    view = vm.ram.view(0x100000, 8, dtype=">u8")
    assert int(view[0]) == 0x0011223344556677
    assert not view.flags.writeable
    assert not view.flags.owndata
    vm.ram.write(0x100007, b"\xff")
    assert int(view[0]) & 0xFF == 0xFF
    part = view[:1].view("u1")[2:]
    del view
    with pytest.raises(BufferError, match=r"view\(s\) of guest RAM"):
        vm.start()
    with pytest.raises(BufferError):
        vm.step()
    del part
    vm.start()
    with pytest.raises(spapr.StateError):
        vm.ram.view(0, 8)
    assert len(vm.ram.read(0, 64)) == 64
    vm.pause()
    assert vm.ram.view().nbytes == 256 << 20


@pytest.mark.parametrize(("address", "size"), [(256 << 20, 1), ((256 << 20) - 4, 8), (-1, 8), (1 << 63, 8), ((1 << 64) - 4, 8), (0, 1 << 62)])
def test_memory_outside_ram(machine: Build, address: int, size: int) -> None:
    vm = machine()
    for use in (lambda: vm.ram.read(address, size), lambda: vm.ram.view(address, size)):
        with pytest.raises(spapr.GuestMemoryError) as outside:
            use()
        assert (outside.value.address, outside.value.size, outside.value.ram) == (address, size, 256 << 20)
    if size < 100:
        with pytest.raises(spapr.GuestMemoryError):
            vm.ram.write(address, bytes(size))


def test_a_view_outlives_the_machine(machine: Build) -> None:
    vm = machine()
    vm.ram.write(0x5000, b"still here")
    view = vm.ram.view(0x5000, 10)
    vm.close()
    del vm
    assert view.tobytes() == b"still here"


def test_device_tree(machine: Build) -> None:
    vm = machine(smp=2)
    assert 'compatible = "qemu,pseries"' in vm.dts
    assert vm.dtb[:4] == b"\xd0\x0d\xfe\xed"


def test_events(guest: Make) -> None:
    it = guest()
    with it.vm.trace(["hcall", "console"]) as trace:
        it.ask("count 2")
        it.vm.pause()
        events = list(trace)
    names = {event.name for event in events if isinstance(event, spapr.HcallEvent)}
    assert {"H_PUT_TERM_CHAR", "H_GET_TERM_CHAR"} & names
    assert b"".join(event.data for event in events if isinstance(event, spapr.ConsoleEvent)).endswith(b"ok\n> ")
    assert "H_" in str(events[0])
    assert list(trace) == []
    with pytest.raises(spapr.ConfigError, match="did you mean hcall"):
        it.vm.trace("hcal")


# --- manners ---


def test_a_machine_is_not_pickled_but_its_config_is(machine: Build) -> None:
    vm = machine(smp=2)
    with pytest.raises(TypeError, match="pickle vm.config"):
        pickle.dumps(vm)
    assert pickle.loads(pickle.dumps(vm.config)) == vm.config


def test_waiting_lets_other_threads_run(guest: Make) -> None:
    vm = guest().vm
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    with pytest.raises(spapr.GuestTimeout):
        vm.wait(timeout=0.5)
    done.set()
    thread.join()
    assert counted > 20


def test_several_machines_in_threads(guest: Make) -> None:
    answers: dict[int, str] = {}

    def talk(n: int) -> None:
        it = guest("le" if n % 2 else "be", smp=2, vsmt=4)
        answers[n] = it.ask("ids")
        it.vm.console.sendline("off")
        assert it.vm.wait(timeout=TIMEOUT) == "shutdown"

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [0, 1, 2, 3]
    assert all(text.count("state=running") == 2 for text in answers.values())


CTRL_C = """
import sys, spapr
vm = spapr.Machine(kernel=sys.argv[1], memory="256M")
vm.start()
vm.console.expect("ready", timeout=60)
print("waiting", flush=True)
try:
    {wait}
except KeyboardInterrupt:
    print(vm.status, hex(vm.cpus[0].nip), len(vm.ram.read(0, 4)), flush=True)
vm.resume()
vm.console.sendline("off")
print(vm.wait(timeout=60))
"""


@pytest.mark.parametrize("wait", ["vm.wait()", "vm.console.expect('never', timeout=None)", "vm.pause(); vm.run(until='never')"])
def test_ctrl_c_pauses_and_leaves_the_machine_to_be_looked_at(wait: str) -> None:
    code = CTRL_C.format(wait=wait)
    with subprocess.Popen([sys.executable, "-c", code, GUESTS / "embedded-be.elf"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waiting\n"
        time.sleep(0.3)
        begin = time.monotonic()
        child.send_signal(signal.SIGINT)
        status, nip, size = child.stdout.readline().split()
        assert time.monotonic() - begin < 10
        assert (status, size) == ("paused", "4")
        assert int(nip, 16)
        assert child.stdout.readline() == "shutdown\n"
        assert child.wait(timeout=TIMEOUT) == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_told_so(guest: Make) -> None:
    it = guest()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            it.vm.resume()
            said = "resumed"
        except spapr.StateError as error:
            said = f"{error}; {it.vm!r}"
        except BaseException as error:
            said = repr(error)
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    said = os.read(read, 4096).decode()
    os.waitpid(child, 0)
    assert "os.fork()" in said
    assert "in another process" in said
    assert "count" in it.ask("count 1") or it.vm.status == "running"


def test_a_forked_child_ends_without_waiting_for_threads_that_it_lacks() -> None:
    code = """
import os, sys, spapr
vm = spapr.Machine(kernel=sys.argv[1], memory="256M")
vm.start()
child = os.fork()
if child == 0:
    del vm
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
vm.console.expect("ready", timeout=60)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, GUESTS / "embedded-be.elf"], check=True, timeout=TIMEOUT)


# --- refusals ---


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Kernels that are none."""
    elf = (GUESTS / "embedded-be.elf").read_bytes()
    contents = {
        "empty": b"",
        "text": b"#!/bin/sh\nexec true\n" * 10,
        "truncated": elf[: len(elf) // 2],
        "header": elf[:40],
        "x86": elf[:18] + b"\x00\x3e" + elf[20:],
        "elf32": elf[:4] + b"\x01" + elf[5:],
        "gzip": b"\x1f\x8b\x08" + bytes(100),
        "big": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    os.truncate(tmp_path / "big", 300 << 20)
    return {name: tmp_path / name for name in contents} | {"missing": tmp_path / "missing", "folder": tmp_path}


@pytest.mark.parametrize("name", ["empty", "text", "truncated", "header", "x86", "elf32", "gzip", "missing", "folder"])
def test_a_kernel_that_is_none(files: dict[str, Path], name: str) -> None:
    with pytest.raises(spapr.SpaprError) as refused:
        spapr.Machine(memory="256M", kernel=files[name])
    assert str(files[name]) in str(refused.value) or "kernel" in str(refused.value)
    if name == "missing":
        assert isinstance(refused.value, (spapr.BootError, FileNotFoundError))


@pytest.mark.parametrize("name", ["big", "missing", "folder"])
def test_an_initrd_that_does_not_fit_or_is_none(files: dict[str, Path], name: str) -> None:
    with pytest.raises(spapr.SpaprError, match="initrd"):
        spapr.Machine(memory="256M", kernel=GUESTS / "embedded-be.elf", initrd=files[name])


def test_kvm_on_this_host_says_why_and_what_instead() -> None:
    with pytest.raises(spapr.AccelUnavailable) as refused:
        spapr.Machine(accel="kvm")
    assert refused.value.accel == "kvm"
    assert "host" in refused.value.problem
    assert "interp" in refused.value.hint
    assert isinstance(refused.value, OSError)
    with pytest.raises(spapr.ConfigError, match="warp"):
        spapr.Machine(accel="warp")


def test_auto_says_what_it_picked_and_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "spapr.vm")
    with spapr.Machine(accel="auto", memory="256M"):
        pass
    assert 'accel="auto" is tcg here; ' in caplog.text or 'accel="auto" is interp here; ' in caplog.text
    assert "/dev/kvm" in caplog.text


def test_a_setting_that_does_not_exist() -> None:
    with pytest.raises(spapr.ConfigError, match="did you mean kernel"):
        spapr.Machine(kernal="vmlinux")  # type: ignore[call-arg]
    with pytest.raises(spapr.ConfigError, match="MachineConfig"):
        spapr.Machine("vmlinux")  # type: ignore[arg-type]
