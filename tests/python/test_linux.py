"""Debian's kernel boots to a shell on every kind of machine, does its work there, and powers off by itself.

A row is a machine and what must be seen; each takes tens of seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from accel import accelerators
from linux import Linux

import spapr

pytestmark = pytest.mark.linux


@dataclass(frozen=True)
class Row:
    """A machine, and what must be seen of it."""

    name: str
    settings: dict[str, Any]
    append: str = ""
    log: list[str] = field(default_factory=list)
    """Patterns that the console has after the boot."""
    cpuinfo: list[str] = field(default_factory=list)
    interrupts: str = ""
    look: Callable[[Linux], None] | None = None


def servers(guest: Linux) -> list[list[int]]:
    """`ibm,ppc-interrupt-server#s` of each core in /proc/device-tree, as the guest reads them."""
    nodes = guest.shell("ls /proc/device-tree/cpus | grep PowerPC").split()
    return sorted(guest.cells(f"cpus/{node}/ibm,ppc-interrupt-server#s") for node in nodes)


def two_cores_of_four(guest: Linux) -> None:
    assert servers(guest) == [[0, 1, 2, 3], [8, 9, 10, 11]]
    assert guest.vm.vcpu_ids.tolist() == [0, 1, 2, 3, 8, 9, 10, 11]


def four_in_one_core(guest: Linux) -> None:
    assert servers(guest) == [[0, 1, 2, 3]]


def drc_indexes_follow_the_ids(guest: Linux) -> None:
    cells = guest.cells("cpus/ibm,drc-indexes")
    assert cells[0] == len(cells) - 1
    assert cells[1:] == [0x10000000 | int(first) for first in guest.vm.vcpu_ids[:: guest.vm.config.smp.threads]]


def two_nodes(guest: Linux) -> None:
    assert guest.shell("cat /sys/devices/system/node/online").strip() == "0-1"


NUMA = {"smp": "16,threads=4,cores=2,sockets=2", "numa": [spapr.NumaNode("512M", [0, 1]), spapr.NumaNode("512M", [2, 3])]}

ROWS = [
    Row("power8", {"cpu": "power8"}, cpuinfo=[r"cpu\s+: POWER8"]),
    Row("power9", {"cpu": "power9"}, cpuinfo=[r"cpu\s+: POWER9"], log=["radix-mmu"]),
    Row("power10", {"cpu": "power10"}, cpuinfo=[r"cpu\s+: POWER10"], log=["radix-mmu"]),
    Row("smp-4", {"smp": 4}, log=["smp: Brought up 1 node, 4 CPUs"]),
    Row("threads-4", {"smp": "4,threads=4"}, log=["CPU maps initialized for 4 threads per core"], look=four_in_one_core),
    Row(
        "cores-2-threads-4-vsmt-8",
        {"smp": "8,cores=2,threads=4", "vsmt": 8, "machine": "pseries-2.12", "cpu": "power9"},
        log=["CPU maps initialized for 4 threads per core", "smp: Brought up 1 node, 8 CPUs"],
        look=two_cores_of_four,
    ),
    Row("numa", NUMA, log=["smp: Brought up 2 nodes, 16 CPUs"], look=two_nodes),
    Row("disable-radix", {"cpu": "power9"}, append="disable_radix", log=["hash-mmu: Initializing hash mmu"]),
    Row("xics", {"cpu": "power9", "ic_mode": "xics", "smp": 2}, interrupts="XICS"),
    Row("xive", {"cpu": "power9", "ic_mode": "xive", "smp": 2}, interrupts="XIVE"),
    Row("dual", {"cpu": "power9", "ic_mode": "dual", "smp": 2}, interrupts="XIVE"),
    Row("dual-power8-mode", {"cpu": "power9", "ic_mode": "dual", "max_cpu_compat": "power8"}, interrupts="XICS"),
    Row("pseries-2.12", {"machine": "pseries-2.12", "cpu": "power9", "smp": "2,cores=1,threads=2"}, interrupts="XICS", look=drc_indexes_follow_the_ids),
    Row("pseries-3.1", {"machine": "pseries-3.1", "cpu": "power9", "smp": "4,cores=2,threads=2"}, interrupts="XICS", look=drc_indexes_follow_the_ids),
    Row("pseries-4.1", {"machine": "pseries-4.1", "cpu": "power9"}, interrupts="XIVE"),
    Row("pseries-4.2", {"machine": "pseries-4.2", "cpu": "power9", "smp": "4,cores=2,threads=2"}, interrupts="XIVE", look=drc_indexes_follow_the_ids),
    Row("pseries-10.2", {"machine": "pseries-10.2"}, interrupts="XIVE"),
]


@pytest.mark.parametrize("accel", accelerators())
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_boots_works_and_powers_off(row: Row, accel: str) -> None:
    with Linux(row.append, accel=accel, **row.settings) as guest:
        for pattern in row.log:
            assert re.search(pattern, guest.log), f"{pattern!r} is not in the log"
        cpuinfo = guest.shell("cat /proc/cpuinfo")
        for pattern in row.cpuinfo:
            assert re.search(pattern, cpuinfo), cpuinfo
        assert len(re.findall(r"^processor\s+:", cpuinfo, re.MULTILINE)) == guest.vm.config.smp.cpus
        if row.interrupts:
            assert row.interrupts in guest.shell("cat /proc/interrupts")
        if row.look:
            row.look(guest)
        guest.power_off()
        assert guest.complaints() == []


def test_the_trees_of_the_versions_differ_as_they_should() -> None:
    """What a version promises its guests (spec: machine versions), from the trees themselves."""

    def tree(machine: str) -> str:
        with spapr.Machine(machine=machine, cpu="power9", smp="4,cores=2,threads=2", memory="256M", caps={"htm": "off"}) as vm:
            return vm.dts

    trees = {machine: tree(machine) for machine in ("pseries-2.12", "pseries-3.1", "pseries-4.1", "pseries-4.2", "pseries-10.2")}
    assert len(set(trees.values())) == len(trees)
    # vsmt: 8 for all before 4.2, then the threads.
    for machine, second in (("pseries-2.12", 8), ("pseries-3.1", 8), ("pseries-4.1", 8), ("pseries-4.2", 2), ("pseries-10.2", 2)):
        assert f"ibm,ppc-interrupt-server#s = <{second:#x} {second + 1:#x}>" in trees[machine], machine
    # The interrupt controllers offered to negotiation: XICS alone (0), both (0x80) since 4.0; the large decrementer since then, too.
    for machine, shown in trees.items():
        since_4_0 = machine not in ("pseries-2.12", "pseries-3.1")
        assert f"ibm,arch-vec-5-platform-support = <{0x178018C0 if since_4_0 else 0x170018C0:#x} " in shown, machine
        assert ("ibm,dec-bits = <0x38>" in shown) == since_4_0, machine
    # Probing of PCI is left to the guest since 4.2.
    for machine, shown in trees.items():
        assert ("linux,pci-probe-only = <0x0>" in shown) == (machine in ("pseries-4.2", "pseries-10.2")), machine
