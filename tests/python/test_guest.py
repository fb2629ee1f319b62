"""The embedded guest on machines of all kinds: it says itself what it sees."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from conftest import TIMEOUT, Guest

import spapr

Make = Callable[..., Guest]


@pytest.mark.parametrize("cpu", ["power8", "power9", "power10"])
@pytest.mark.parametrize("endian", ["be", "le"])
def test_boots_on_every_processor(guest: Make, endian: str, cpu: str) -> None:
    it = guest(endian, cpu=cpu)
    assert it.greeting.startswith(f"spapr-guest 1 {endian}\n")
    assert "warning" not in it.greeting
    it.vm.console.sendline("off")
    assert it.vm.wait(timeout=TIMEOUT) == "shutdown"


@pytest.mark.parametrize("version", spapr.MACHINES)
def test_boots_on_every_version(guest: Make, version: str) -> None:
    it = guest(machine=version, caps={"htm": "off"}, smp=2)
    assert "threads up=2\n" in it.greeting
    assert "warning" not in it.greeting


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        ({"smp": "8,cores=2,threads=4", "vsmt": 8}, [0, 1, 2, 3, 8, 9, 10, 11]),
        ({"smp": "8,cores=2,threads=4"}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"smp": "8,cores=2,threads=4", "machine": "pseries-2.12"}, [0, 1, 2, 3, 8, 9, 10, 11]),
        ({"smp": "4,cores=4,threads=1", "vsmt": 4}, [0, 4, 8, 12]),
        ({"smp": "8,cores=1,threads=8"}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"smp": "4,cores=2,threads=2", "vsmt": 2, "ic_mode": "xive", "cpu": "power9"}, [0, 1, 2, 3]),
        ({"smp": "4,cores=2,threads=2", "vsmt": 4, "ic_mode": "xics"}, [0, 1, 4, 5]),
        ({"smp": "4,cores=2,threads=2", "vsmt": 8, "ic_mode": "xive", "cpu": "power10"}, [0, 1, 8, 9]),
    ],
)
@pytest.mark.parametrize("endian", ["be", "le"])
def test_the_guest_reports_the_ids_that_python_does(guest: Make, endian: str, settings: dict[str, object], ids: list[int]) -> None:
    it = guest(endian, **settings)
    rows = re.findall(r"thread server=(\d+) pir=(\d+) reg=(\d+) index=(\d+) state=running", it.ask("ids"))
    assert [int(row[1]) for row in rows] == [int(row[0]) for row in rows] == ids
    assert it.vm.vcpu_ids.tolist() == ids
    assert [cpu.vcpu_id for cpu in it.vm.cpus] == ids
    threads = it.vm.config.smp.threads
    assert threads is not None
    assert it.vm.vsmt == it.vm.config.vsmt
    assert {int(row[2]) for row in rows} == set(ids[::threads])
    for first in ids[::threads]:
        assert f"ibm,ppc-interrupt-server#s = <{' '.join(f'{first + n:#x}' for n in range(threads))}>" in it.vm.dts


@pytest.mark.parametrize("settings", [{"ic_mode": "xics"}, {"ic_mode": "xive", "cpu": "power9"}], ids=["xics", "xive"])
def test_interrupts_reach_every_thread(guest: Make, settings: dict[str, object]) -> None:
    it = guest(smp="8,cores=2,threads=4", vsmt=8, **settings)
    for server in it.vm.vcpu_ids:
        assert f"ipi server={server} count=" in it.ask(f"ipi {server}")
    it.ask("wait 50")
    assert len(re.findall(r"tick server=\d+ dec=", it.ask("tick"))) == 8


def test_threads_stop_and_start(guest: Make) -> None:
    it = guest(smp="4,cores=2,threads=2")
    it.ask("stop 3")
    assert "server=3 pir=- " in it.ask("ids")
    with it.vm.paused():
        assert [cpu.state == "stopped" for cpu in it.vm.cpus] == [False, False, False, True]
    assert "status=0" in it.ask("start 3")
    assert "server=3 pir=3 " in it.ask("ids")


def test_memory_is_written_and_verified(guest: Make) -> None:
    it = guest(smp=2)
    it.ask("dirty start 5000 8")
    it.ask("wait 300")
    it.ask("dirty stop")
    pages, bad = re.findall(r"verify pages=(\d+) writes=\d+ bad=(\d+)", it.ask("verify"))[0]
    assert int(pages) > 0
    assert bad == "0"


def test_a_reboot_is_a_fresh_start(guest: Make) -> None:
    it = guest(smp=2)
    it.vm.console.sendline("reboot")
    it.vm.console.expect(r"(?s)rebooting.*spapr-guest 1 be.*threads up=2.*ready\n> ", timeout=TIMEOUT)
    assert it.ask("ids").count("state=running") == 2


# What a guest may do to itself; the machine says so, and is still there to be looked at.


def test_a_panic_is_reported_with_the_guests_words(guest: Make) -> None:
    vm = guest().vm
    vm.console.sendline("panic")
    assert vm.wait(timeout=TIMEOUT) == "guest-panicked"
    assert "spapr-guest: panic" in vm.status_text
    with pytest.raises(spapr.GuestPanic) as panic:
        vm.console.expect("never", timeout=TIMEOUT)
    assert "panic" in panic.value.tail
    assert vm.cpus[0].nip
    with pytest.raises(spapr.StateError, match="reset"):
        vm.resume()
    vm.reset()
    vm.resume()
    vm.console.expect(r"ready\n> ", timeout=TIMEOUT)


def test_run_raises_the_panic(guest: Make) -> None:
    vm = guest().vm
    vm.pause()
    vm.console.sendline("panic")
    with pytest.raises(spapr.GuestPanic, match="spapr-guest: panic"):
        vm.run(timeout=TIMEOUT)


def test_a_guest_that_stops_all_its_cpus_is_reported(guest: Make) -> None:
    vm = guest(smp=4).vm
    vm.console.sendline("stopall")
    assert vm.wait(timeout=TIMEOUT) == "guest-panicked"
    assert "stop-self" in vm.status_text
    assert [cpu.state for cpu in vm.cpus] == ["stopped"] * 4


@pytest.mark.parametrize(("command", "said"), [("loop", "looping"), ("storm", "storming")])
def test_a_guest_that_never_rests_can_be_paused_and_reset(guest: Make, command: str, said: str) -> None:
    vm = guest(smp=2).vm
    vm.console.sendline(command)
    vm.console.expect(said, timeout=TIMEOUT)
    with pytest.raises(spapr.GuestTimeout):
        vm.wait(timeout=0.3)
    vm.pause()
    before = vm.instructions
    vm.run(max_instructions=10_000, timeout=TIMEOUT)
    assert vm.instructions > before
    vm.reset()
    vm.resume()
    vm.console.expect(r"ready\n> ", timeout=TIMEOUT)


def test_unknown_hypercalls_and_bad_buffers_are_answered(guest: Make) -> None:
    it = guest()
    with it.vm.trace() as trace:
        for number in (0, 2, 0x1234, 0xDEAD0, 0xFFFFFFFFFFFFFFFC):
            assert "status=-2" in it.ask(f"hcall {number:#x} 1 2 3 4"), number  # H_FUNCTION
        assert "status=-2\n" not in it.ask("hcall 0xf000 0xfffffffffffff000")  # H_RTAS with arguments outside RAM
        it.ask("hcall 0xf000 -1")
        events = [event for event in trace if isinstance(event, spapr.HcallEvent)]
    assert (0x1234, -2) in [(event.number, event.status) for event in events]
    assert it.ask("ids").count("state=running") == 1


@pytest.mark.parametrize("kind", ["illegal", "trap", "alignment", "fetch", "fp", "vmx", "vsx", "sc", "hypervisor"])
def test_faults_are_interrupts_of_the_guest(guest: Make, kind: str) -> None:
    it = guest(cpu="power9")
    assert f"fault {kind}" in it.ask(f"fault {kind}")
