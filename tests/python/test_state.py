"""Saved state from Python: looked into, snapshots and forks, checkpoints and streams."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, TIMEOUT, Guest

import spapr
from spapr.testing import embedded_guest

Make = Callable[..., Guest]


def around(vm: spapr.Machine) -> Guest:
    """A fork or a loaded machine, made to answer as a guest that has just been booted does."""
    vm.resume()
    it = Guest.__new__(Guest)
    it.vm, it.timeout, it.greeting = vm, TIMEOUT, ""
    return it


def test_state_is_a_dictionary_of_sections(guest: Make) -> None:
    it = guest(smp=2, ic_mode="xive")
    with pytest.raises(spapr.SnapshotError, match=r"the machine is running; pause\(\) it first"):
        it.vm.state()
    it.vm.pause()
    state = it.vm.state()
    assert [cpu["spr"].get("PIR", 0) for cpu in state["cpu"]] == [0, 1]
    assert state["cpu"][0]["gpr"] == it.vm.cpus[0].gpr.tolist()
    assert state["header"]["machine"] == it.vm.config.machine
    assert len(state["xive"]["contexts"]) == 2
    assert state["nvram"]["bytes"] == bytes(64 << 10)
    assert state["vty"][0x7100_0000]["fifo"] == b""
    assert state["platform"]["vcpus"][1]["run"] in ("running", "joined", "stopped")


def test_forks_go_their_own_ways_and_have_their_own_consoles(guest: Make) -> None:
    it = guest(smp=2)
    with it.vm.snapshot("ready") as ready:
        assert ready.name == "ready" and "ready" in repr(ready)
        forks = [ready.fork() for _ in range(3)]
        assert len({fork.state_digest() for fork in forks}) == 1
        for n, fork in enumerate(forks):
            assert fork.status == "paused" and fork.console.log == ""
            answer = around(fork)
            assert f"count {n + 7}" in answer.ask(f"count {n + 7}")
            assert "count" not in it.vm.console.log
        assert it.ask("ids")
    with pytest.raises(spapr.SnapshotError, match="the snapshot is closed"):
        ready.fork()
    it.vm.close()
    for fork in forks:
        assert around(fork).ask("tick")
        fork.close()


def test_a_fork_is_reset_and_configured_as_its_parent(guest: Make) -> None:
    it = guest(smp="4,cores=2,threads=2", vsmt=8)
    fork = it.vm.snapshot().fork()
    assert fork.config == it.vm.config
    assert fork.vcpu_ids.tolist() == [0, 1, 8, 9]
    fork.reset()
    fork.start()
    fork.console.expect("ready", timeout=TIMEOUT)
    fork.close()


@pytest.mark.parametrize("compress", [None, "lz4"])
def test_a_checkpoint_makes_the_same_machine(guest: Make, tmp_path: Path, compress: str | None) -> None:
    path = tmp_path / "guest.state"
    it = guest(smp=2, name="saved", nvram_bytes=16384, caps={"htm": "off"}, vtys=2)
    it.vm.pause()
    size = it.vm.save_checkpoint(path, compress=compress)
    assert path.stat().st_size == size < 1 << 20
    assert os.listdir(tmp_path) == ["guest.state"]
    vm = spapr.load_checkpoint(path)
    assert vm.config == it.vm.config.replace(accel=vm.config.accel)
    assert vm.state_digest() == it.vm.state_digest()
    assert around(vm).ask("ids")
    vm.close()
    with pytest.raises(spapr.ConfigError, match="no way to compress"):
        it.vm.save_checkpoint(path, compress="rar")


def test_a_running_machine_is_saved_and_runs_on(guest: Make, tmp_path: Path) -> None:
    it = guest()
    it.vm.save_checkpoint(str(tmp_path / "state"), sync=False)
    assert it.vm.status == "running"
    assert it.ask("ids")


def test_a_stream_is_looked_into_and_compared(guest: Make, tmp_path: Path) -> None:
    it = guest(cpu="power8")
    it.vm.pause()
    it.vm.ram.write(0x300_0000, b"first")
    it.vm.save_checkpoint(tmp_path / "a", compress="lz4")
    a = spapr.Stream.open(tmp_path / "a")
    assert a.sections == it.vm.state()
    assert a.read(0x300_0000, 8) == b"first\0\0\0"
    assert a.read(0x100, 4096) == it.vm.ram.read(0x100, 4096)
    assert a.hpt == [] and set(a.memory) <= {"ram", "hpt"}
    assert "power8" in repr(a)
    it.vm.ram.write(0x300_0002, b"x")
    it.vm.cpus[0].set_gpr(3, 0x1234)
    it.vm.save_checkpoint(tmp_path / "b")
    b = spapr.Stream.open(tmp_path / "b")
    found = a.diff(b)
    assert [d.path for d in found] == ["cpu.gpr[3]", "ram[0x3000000]"]
    assert found[0].right == 0x1234 and "ram[0x3000000]: 4096 bytes" in str(found[1])
    assert a.diff(a) == [] and len(a.diff(b, limit=1)) == 1


def test_a_damaged_file_is_refused_by_section_and_field(guest: Make, tmp_path: Path) -> None:
    it = guest()
    it.vm.save_checkpoint(tmp_path / "good")
    good = (tmp_path / "good").read_bytes()
    bad = tmp_path / "bad"
    at = good.index(b"platform") + 40
    bad.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    for opener in (spapr.load_checkpoint, spapr.Stream.open):
        with pytest.raises(spapr.StreamError) as caught:
            opener(bad)
        assert (caught.value.section, caught.value.field) == ("platform", "checksum")
        assert "use another copy" in caught.value.hint
    bad.write_bytes(good[:-100])
    with pytest.raises(spapr.StreamError, match="the stream ends within it"):
        spapr.load_checkpoint(bad)
    with pytest.raises(FileNotFoundError):
        spapr.load_checkpoint(tmp_path / "nothing")


def test_a_full_disk_costs_neither_the_old_file_nor_the_guest(guest: Make, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    it = guest()
    path = tmp_path / "state"
    it.vm.save_checkpoint(path)
    old = path.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The host refuses what would be written beyond so many bytes: as a full disk does, in the middle of it.
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(old) // 2, before[1]))
    try:
        with pytest.raises(spapr.HostError) as caught:
            it.vm.save_checkpoint(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.errno == errno.EFBIG
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["state"]
    assert it.ask("ids")


FILLER = """
import os, sys, spapr
folder, kernel = sys.argv[1:]
vm = spapr.Machine(memory="256M", kernel=kernel)
vm.start()
vm.console.expect("ready", timeout=60)
vm.pause()
path = os.path.join(folder, "state")
vm.save_checkpoint(path)
old = open(path, "rb").read()
vm.ram.write(0x4000000, os.urandom(8 << 20))
for sync in True, False:
    try:
        vm.save_checkpoint(path, sync=sync)
    except OSError as e:
        print("refused", e.errno, os.listdir(folder), open(path, "rb").read() == old)
spapr.load_checkpoint(path).close()
vm.resume()
vm.console.sendline("ids")
vm.console.expect("ok", timeout=60)
print("alive")
"""


def test_a_file_system_without_room_costs_neither_the_old_file_nor_the_guest(tmp_path: Path) -> None:
    """A file system of 6 MiB, in a mount namespace of the test's own, and a guest that needs 8 MiB more than before."""
    inside = f"mount -t tmpfs -o size=6m none {tmp_path} && exec {sys.executable} -c '{FILLER}' {tmp_path} {embedded_guest('be')}"
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", inside], capture_output=True, text=True, cwd=ROOT, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        assert not os.environ.get("CI"), done.stderr
        pytest.skip(f"needs a mount namespace: {done.stderr.strip()}")
    assert done.stdout.splitlines() == [f"refused {errno.ENOSPC} ['state'] True"] * 2 + ["alive"], done.stderr


WRITER = """
import sys, spapr
vm = spapr.Machine(memory="256M", kernel=sys.argv[1])
vm.start()
vm.console.expect("ready", timeout=60)
vm.pause()
while True:
    vm.save_checkpoint(sys.argv[2], sync=False)
    print("written", flush=True)
"""


def test_a_process_killed_while_writing_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    for n in range(6):
        command = [sys.executable, "-c", WRITER, str(embedded_guest("be")), str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"written\n"
            time.sleep(0.001 * n)
            writer.kill()
        spapr.load_checkpoint(path).close()
    # Between the last two steps of a writer the file has a hidden name for a moment.
    assert all(name == "state" or name.endswith(".part") for name in os.listdir(tmp_path))


def private_pages() -> int:
    """Pages of this process that no other mapping shares and no file holds."""
    found = re.search(r"^Anonymous:\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found.group(1)) // 4


def test_fifty_forks_share_what_they_have_not_written(guest: Make) -> None:
    it = guest(memory="512M")
    it.vm.pause()
    # 40 MiB that every fork has and none writes.
    for at in range(0x800_0000, 0x800_0000 + (40 << 20), 1 << 20):
        it.vm.ram.write(at, os.urandom(4096) * 256)
    with it.vm.snapshot() as snapshot:
        before = private_pages()
        forks = [snapshot.fork() for _ in range(50)]
        for n, fork in enumerate(forks):
            assert fork.ram.read(0x800_0000 + n * 4096, 4096) == it.vm.ram.read(0x800_0000, 4096)
            for page in range(100):
                fork.ram.write(0x900_0000 + page * 4096, bytes([n]))
        each = (private_pages() - before) / 50
        # The pages that it wrote, and what a machine needs besides RAM: tables, stacks, sources. Of 10,240 pages none is copied.
        assert 100 <= each < 1200, f"{each} pages"
        for n, fork in enumerate(forks):
            assert fork.ram.read(0x900_0000 + 99 * 4096, 1) == bytes([n])
            fork.close()
