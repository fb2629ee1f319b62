"""Guests that were saved on one host and go on on another: POWER8 to POWER9, KVM to the translator of another architecture and back.

What is saved here goes out through the console, and comes in with the tests (`lab.run`); `tests/python/test_kvm_lab.py` carries it.
"""

from __future__ import annotations

import pathlib

import pytest

import spapr
from conftest import GUEST, NAME, Host
from talk import ready
from test_state import ask, off

FILES = pathlib.Path("/lab/files")
OUT = pathlib.Path("/tmp/out")
LEAST = dict.fromkeys(("cfpc", "sbbc", "ibs"), "broken") | {"ccf-assist": "off", "hpt-max-page-size": "64k"}
"""Capabilities that all these hosts have."""
TRAVELLER = {"caps": LEAST, "smp": "2,cores=2", "vsmt": 8, "memory": "256M", "kernel": GUEST, "max_cpu_compat": "power8", "ic_mode": "xics"}
"""A machine that POWER8 and POWER9 can both be: the ids of its cores are 0 and 8 on either."""
# ibm,client-architecture-support's request: POWER8's mode, then five option vectors, of which the fifth says FORM1 alone.
CAS = bytes.fromhex("ffffffff 0f000004 00000000 ffffffff 04 0000 0000 0000 0000 19 00000000 80") + bytes(21)


def negotiate(vm: spapr.Machine) -> None:
    """Lets the guest choose POWER8's mode, which binds it to no processor. It may while one of its threads runs."""
    ask(vm, "stop 8")
    info = ask(vm, "info")
    at = int(info.split("scratch addr=")[1].split()[0], 16)
    window = int(info.split("window addr=")[1].split()[0], 16)
    for n in range(0, len(CAS) + 7 & ~7, 8):
        ask(vm, f"poke {at + n:#x} {int.from_bytes(CAS[n : n + 8].ljust(8, bytes(1)), 'big'):#x}")
    assert "status=0 " in ask(vm, f"hcall 0xf002 {at:#x} {window:#x} 0x10000 0"), vm.console.log
    assert "status=0" in ask(vm, "start 8")
    vm.pause()
    assert vm.state()["negotiated"]["compat_pvr"] == 0x0F000004
    vm.resume()


def check(vm: spapr.Machine) -> None:
    """The guest is whole, and knows its cpus by the old numbers."""
    assert " bad=0" in ask(vm, "verify")
    ids = ask(vm, "ids")
    assert "server=0 " in ids and "server=8 " in ids
    assert "ipi server=8 count=" in ask(vm, "ipi 8")


def test_a_guest_is_saved_for_other_hosts(host: Host) -> None:
    with spapr.Machine(accel="kvm", **TRAVELLER) as vm:  # type: ignore[arg-type]
        ready(vm)
        negotiate(vm)
        ask(vm, "dirty 60 1 1")
        check(vm)
        vm.pause()
        OUT.mkdir(exist_ok=True)
        vm.save_checkpoint(OUT / f"{NAME}.state", compress="lz4")
        vm.resume()
        off(vm)


@pytest.mark.parametrize("source", ["powernv8-smt4", "x86"])
def test_a_guest_of_another_host_goes_on(host: Host, source: str) -> None:
    path = FILES / f"{source}.state"
    if not path.exists():
        pytest.skip(f"no guest has come from {source}")
    config = spapr.MachineConfig(accel="kvm", **TRAVELLER).resolved()  # type: ignore[arg-type]
    with spapr.load_checkpoint(path, config=config) as vm:
        vm.resume()
        check(vm)
        ask(vm, "dirty 60 1 1")
        assert " bad=0" in ask(vm, "verify")
        off(vm)
