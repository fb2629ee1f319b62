"""Guests that move: between machines of one process, between processes, and what happens when something is in the way."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from accel import accelerators
from conftest import TIMEOUT

import spapr
from spapr.testing import embedded_guest

Make = Callable[..., spapr.Machine]
SMALL: dict[str, Any] = {"smp": 2, "cpu": "power9", "memory": "256M"}


@pytest.fixture
def waiting_machine() -> Iterator[Make]:
    """A factory of machines that wait for a guest."""
    made: list[spapr.Machine] = []

    def make(**settings: Any) -> spapr.Machine:
        made.append(spapr.Machine(**({"kernel": embedded_guest("be")} | SMALL | settings), incoming=True))
        return made[-1]

    yield make
    for vm in made:
        vm.close()


def booted(machine: Make, **settings: Any) -> spapr.Machine:
    vm = machine(**(SMALL | settings))
    vm.start()
    vm.console.expect(r"^> ", timeout=TIMEOUT)
    return vm


def alive(vm: spapr.Machine) -> None:
    """Every thread of the guest answers."""
    vm.console.sendline("ids")
    vm.console.expect(r"state=running\s+thread .*state=running\s+ok", timeout=TIMEOUT)


def test_moves_in_one_process_and_says_how_it_went(machine: Make, waiting_machine: Make) -> None:
    src, dst = booted(machine), waiting_machine()
    assert dst.status == "inmigrate"
    seen: list[spapr.MigrationInfo] = []
    info = src.migrate(dst, downtime_limit=500, on_progress=seen.append)
    assert info.status == "completed" and info.downtime is not None and info.ram.total >= 64 << 20
    assert info.ram.normal > 0 and info.ram.duplicate > 0 and info.ram.transferred > info.ram.normal_bytes
    assert seen[-1] == info and "completed" in str(info)
    assert (src.status, dst.status) == ("postmigrate", "running")
    alive(dst)
    with pytest.raises(spapr.StateError, match="runs on the destination"):
        src.resume()


def test_a_paused_guest_is_the_same_there(machine: Make, waiting_machine: Make) -> None:
    src, dst = booted(machine), waiting_machine()
    src.pause()
    before = src.cpus[0].gpr.tolist(), src.ram.read(0, 64 << 20)
    src.migrate(dst, connections=2)
    assert dst.status == "paused"
    assert (dst.cpus[0].gpr.tolist(), dst.ram.read(0, 64 << 20)) == before
    dst.resume()
    alive(dst)


def test_moves_between_accelerators_and_back(machine: Make, waiting_machine: Make) -> None:
    """Live, while every thread of the guest changes memory of its own."""
    here = booted(machine, accel="interp")
    here.console.sendline("dirty start 20000 16")
    here.console.expect(r"^ok", timeout=TIMEOUT)
    for accel in reversed(accelerators() * 2):
        there = waiting_machine(accel=accel)
        here.migrate(there, timeout=120)
        alive(there)
        there.console.sendline("dirty")
        there.console.expect(r"dirty running=1 rate=20000 .*\s+ok", timeout=TIMEOUT)
        here = there


@pytest.mark.parametrize("scheme", ["unix", "tcp", "fd"])
def test_moves_through_sockets(machine: Make, waiting_machine: Make, tmp_path: Path, scheme: str) -> None:
    src, dst = booted(machine), waiting_machine()
    pair = socket.socketpair()
    uri = {"unix": f"unix:{tmp_path}/vm.sock", "tcp": "tcp:127.0.0.1:0", "fd": f"fd:{pair[1].fileno()}"}[scheme]
    with spapr.incoming(uri, dst) as waiting:
        to = f"fd:{pair[0].fileno()}" if scheme == "fd" else waiting.address
        assert src.migrate(to, connections=1 if scheme == "fd" else 3).status == "completed"
        assert waiting.wait(timeout=TIMEOUT) is dst
    alive(dst)
    assert not (tmp_path / "vm.sock").exists()
    for s in pair:
        s.close()


def _receive(uri: str, kernel: Path, ready: Any, done: Any) -> None:
    config = spapr.MachineConfig(**SMALL, kernel=kernel)
    with spapr.incoming(uri, config) as waiting:
        ready.set()
        vm = waiting.wait(timeout=TIMEOUT)
        alive(vm)
        done.put(vm.status)
        vm.close()


def test_moves_to_another_process(machine: Make, tmp_path: Path) -> None:
    src = booted(machine)
    spawn = multiprocessing.get_context("spawn")
    ready, done = spawn.Event(), spawn.Queue()
    uri = f"unix:{tmp_path}/vm.sock"
    other = spawn.Process(target=_receive, args=(uri, src.config.kernel, ready, done))
    other.start()
    assert ready.wait(TIMEOUT)
    src.migrate(uri)
    assert done.get(timeout=TIMEOUT) == "running"
    other.join(TIMEOUT)


def test_another_machine_is_refused_with_reasons(machine: Make, waiting_machine: Make) -> None:
    src, dst = booted(machine, smp="4,threads=4"), waiting_machine(smp="4,threads=4", vsmt=8)
    with pytest.raises(spapr.MigrationIncompatible) as refused:
        src.migrate(dst)
    assert [reason.code for reason in refused.value.reasons] == ["vsmt-differs"]
    assert refused.value.reasons[0].source == "4" and refused.value.reasons[0].destination == "8"
    assert (src.status, dst.status) == ("running", "inmigrate")
    src.console.sendline("")
    src.console.expect(r"^> ", timeout=TIMEOUT)


def slow(machine: Make) -> spapr.Machine:
    """A guest that a narrow line can't follow: its window is written before it is written on, since pages that nobody has touched cost nothing."""
    vm = booted(machine)
    vm.console.sendline("dirty 20000 1 32")
    vm.console.expect(r"ok", timeout=TIMEOUT)
    vm.console.sendline("dirty start 5000 32")
    vm.console.expect(r"ok", timeout=TIMEOUT)
    return vm


def test_a_timeout_cancels_and_both_can_try_again(machine: Make, waiting_machine: Make) -> None:
    src, dst = slow(machine), waiting_machine()
    with pytest.raises(spapr.MigrationAborted, match="its time is over"):
        src.migrate(dst, max_bandwidth="1M", downtime_limit=1, auto_converge=False, timeout=0.5)
    assert (src.status, dst.status) == ("running", "inmigrate")
    alive(src)
    src.migrate(dst)
    alive(dst)


def test_ctrl_c_cancels_and_leaves_both_to_be_looked_at(machine: Make, waiting_machine: Make) -> None:
    src, dst = slow(machine), waiting_machine()
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        src.migrate(dst, max_bandwidth="1M", downtime_limit=1, auto_converge=False)
    assert (src.status, dst.status) == ("running", "inmigrate")
    src.pause()
    assert len(src.cpus[0].gpr) == 32
    src.resume()
    alive(src)


def test_a_failing_progress_function_cancels(machine: Make, waiting_machine: Make) -> None:
    src, dst = slow(machine), waiting_machine()

    def fail(info: spapr.MigrationInfo) -> None:
        raise ZeroDivisionError(info.status)

    with pytest.raises(ZeroDivisionError):
        src.migrate(dst, max_bandwidth="1M", downtime_limit=1, on_progress=fail)
    assert (src.status, dst.status) == ("running", "inmigrate")


def test_a_guest_moves_before_its_memory(machine: Make, waiting_machine: Make, tmp_path: Path) -> None:
    src, dst = slow(machine), waiting_machine()
    with spapr.incoming(f"unix:{tmp_path}/vm.sock", dst) as waiting:
        info = src.migrate(waiting.address, postcopy_after=1, max_bandwidth="10M", downtime_limit=1)
        assert info.status == "completed" and info.ram.postcopy_bytes > 0
        waiting.wait(timeout=TIMEOUT)
    alive(dst)
    dst.console.sendline("verify")
    dst.console.expect(r"bad=0\s+ok", timeout=TIMEOUT)


def test_tls(machine: Make, waiting_machine: Make, tmp_path: Path) -> None:
    def run(*args: str) -> None:
        subprocess.run(["openssl", *args], cwd=tmp_path, check=True, capture_output=True)

    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca-key.pem", "-out", "ca-cert.pem", "-subj", "/CN=ca")
    (tmp_path / "names").write_text("subjectAltName=DNS:vm.example\n")
    for side in ("server", "client"):
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{side}-key.pem", "-out", f"{side}.csr", "-subj", f"/CN={side}")
        run("x509", "-req", "-in", f"{side}.csr", "-CA", "ca-cert.pem", "-CAkey", "ca-key.pem", "-extfile", "names", "-out", f"{side}-cert.pem")
    src, dst = booted(machine), waiting_machine()
    with spapr.incoming("tcp:127.0.0.1:0", dst, tls=tmp_path) as waiting:
        with pytest.raises(spapr.MigrationError):
            src.migrate(waiting.address)
        with pytest.raises(spapr.MigrationError):
            waiting.wait(timeout=TIMEOUT)
    with spapr.incoming("tcp:127.0.0.1:0", dst, tls=tmp_path) as waiting:
        src.migrate(waiting.address, tls=tmp_path, tls_hostname="vm.example")
        waiting.wait(timeout=TIMEOUT)
    alive(dst)


def test_what_cannot_work_is_refused(machine: Make, tmp_path: Path) -> None:
    vm = booted(machine)
    for bad in ({"to": "exec:cat"}, {"to": "tcp:nowhere"}, {"downtime_limit": -1}, {"connections": 0}, {"max_bandwidth": "fast"}, {"postcopy_after": 1, "connections": 1}):
        to = bad.pop("to", f"unix:{tmp_path}/x")
        with pytest.raises(spapr.ConfigError):
            vm.migrate(str(to), **bad)
    with pytest.raises(spapr.HostError, match="connect to unix:"):
        vm.migrate(f"unix:{tmp_path}/nobody")
    other = booted(machine)
    with pytest.raises(spapr.MigrationError):
        vm.migrate(other)
    assert (vm.status, other.status) == ("running", "running")


def test_a_source_that_dies_leaves_the_destination_waiting_and_one_that_stalls_is_given_up(waiting_machine: Make, tmp_path: Path) -> None:
    dst = waiting_machine()
    for talk in (b"", b"\0" * 10, b"GET / HTTP/1.0\r\n\r\n"):
        with spapr.incoming(f"unix:{tmp_path}/vm.sock", dst, stall_timeout=0.3) as waiting:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(f"{tmp_path}/vm.sock")
                s.sendall(talk)
                with pytest.raises(spapr.MigrationError, match="not moved a byte|no migration|damaged|closed"):
                    waiting.wait(timeout=TIMEOUT)
        assert dst.status == "inmigrate"


def test_a_destination_that_dies_leaves_the_guest_running(machine: Make, tmp_path: Path) -> None:
    src = slow(machine)
    code = (
        "import spapr,sys,os,time\n"
        f"w = spapr.incoming('unix:{tmp_path}/vm.sock', smp=2, cpu='power9', memory='256M')\n"
        "print('ready', flush=True)\n"
        "while w.info.ram.transferred < 200000: time.sleep(0.01)\n"
        "os._exit(9)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        with pytest.raises(spapr.MigrationError) as failed:
            src.migrate(f"unix:{tmp_path}/vm.sock", max_bandwidth="2M", downtime_limit=1)
        assert re.search("closed the connection|broke", failed.value.problem) and "can be migrated again" in failed.value.hint
        other.wait(TIMEOUT)
    alive(src)


def test_the_time_of_the_move_shows_in_the_guests_clock(machine: Make, waiting_machine: Make) -> None:
    src, dst = booted(machine), waiting_machine()

    def timebase(vm: spapr.Machine) -> int:
        vm.console.sendline("tb")
        return int(vm.console.expect(r"tb=(\d+)", timeout=TIMEOUT)[1])

    before = timebase(src)
    began = time.monotonic()
    src.migrate(dst)
    after = timebase(dst)
    assert before < after <= before + (time.monotonic() - began + 60) * 512e6


