"""`MachineConfig`: the forms that it takes, what it comes to, what it refuses, and QEMU's words for it."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import pytest

import spapr
from spapr import ConfigError, MachineConfig, NumaNode, Smp

GIB = 1 << 30


def test_every_form_is_the_same_setting() -> None:
    wanted = MachineConfig(
        smp=Smp(8, cores=2, threads=4), memory=2 * GIB, numa=(NumaNode(), NumaNode()), vtys=(None, None), caps={"htm": "off"}
    )
    for smp in ("8,cores=2,threads=4", "cpus=8,cores=2,threads=4", {"cpus": 8, "cores": 2, "threads": 4}):
        assert MachineConfig(smp=smp, memory="2G", numa=2, vtys=2, caps={"cap-htm": False}) == wanted
    assert MachineConfig(smp=4).smp == Smp(4)
    assert hash(wanted) == hash(wanted.replace())


@pytest.mark.parametrize(
    "config",
    [
        MachineConfig(),
        MachineConfig(machine="pseries-2.12", cpu="power9", smp="8,cores=2,threads=4", memory="2G", vsmt=8, caps={"htm": "off", "ibs": "broken"}),
        MachineConfig(memory="1G", maxmem="4G", numa=[NumaNode("512M", [0]), NumaNode("512M", [1])], numa_distances=[(0, 1, 20)], smp="2,cores=2,threads=1"),
        MachineConfig(kernel="vmlinux", initrd="initrd.gz", append="console=hvc0 a=b,c", name="a,b", vtys=[None, 0x71000010]),
        MachineConfig(vtys=[0x71000010, None], uuid="12345678-1234-1234-1234-123456789abc", host_model="a", host_serial="b,c", rtc_base=1517400000),
        MachineConfig(ic_mode="xics", max_cpu_compat="power8", resize_hpt="required", kernel_addr=0x800000, accel="kvm"),
    ],
    ids=["default", "smt", "numa", "boot", "platform", "options"],
)
def test_repr_pickle_and_qemu_give_it_back(config: MachineConfig) -> None:
    assert eval(repr(config), {"MachineConfig": MachineConfig, "Smp": Smp, "NumaNode": NumaNode}) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert MachineConfig.from_qemu_args(config.to_qemu_args()) == config
    doubled = ["-" + word if word in ("-machine", "-smp", "-m", "-cpu") else word for word in config.to_qemu_args()]
    assert MachineConfig.from_qemu_args(doubled) == config


def test_qemu_words_of_the_readme() -> None:
    config = MachineConfig.from_qemu_args("-M pseries-2.12,vsmt=8 --cpu power9 -m 2G --smp 8,cores=2,threads=4 --accel tcg -nographic".split())
    assert config == MachineConfig(machine="pseries-2.12", vsmt=8, cpu="power9", memory="2G", smp=Smp(8, cores=2, threads=4))
    assert MachineConfig.from_qemu_args(["-m", "1024"]).memory == GIB
    assert MachineConfig(ruleset="qemu-2.11", host="kvm-hv/power8", machine="pseries-2.11", caps={"htm": "off"}).to_qemu_args()[1] == (
        "pseries-2.11,vsmt=8,cap-htm=off"
    )


def test_resolved_has_every_default() -> None:
    config = MachineConfig(machine="pseries-2.12", smp="8,cores=2,threads=4").resolved()
    assert (config.cpu, config.vsmt, config.ruleset, config.ic_mode) == ("power8_v2.0", 8, "qemu-2.12", None)
    assert config.smp == Smp(8, sockets=1, cores=2, threads=4, maxcpus=8)
    assert config.caps["htm"] == "off"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", spapr.SpaprWarning)
        assert config.resolved() == config
    with pytest.raises(AttributeError):
        config.vsmt = 4  # type: ignore[misc]


REFUSED: list[tuple[dict[str, Any], str, str, str]] = [
    ({"machine": "pseries-2.13"}, "machine", "pseries-2.13", "2.12"),
    ({"machine": "pc"}, "machine", "pc", "pseries"),
    ({"cpu": "power88"}, "cpu", "power88", "did you mean power8"),
    ({"caps": {"htn": "on"}}, "caps", "htn", "htm"),
    ({"caps": {"htm": "maybe"}}, 'caps["htm"]', "maybe", "on"),
    ({"caps": [("htm", "on"), ("cap-htm", "off")]}, 'caps["htm"]', "given twice", "once"),
    ({"vsmt": 2, "smp": "8,cores=2,threads=4"}, "vsmt", "threads", "vsmt=4"),
    ({"vsmt": 3}, "vsmt", "3", "vsmt=4"),
    ({"vsmt": -1}, "vsmt", "-1", "vsmt=8"),
    ({"smp": "6,cores=2,threads=3"}, "smp", "3", "threads"),
    ({"smp": "32,cores=2,threads=16"}, "smp", "8 threads/core", "threads=8"),
    ({"smp": "4097"}, "smp", "4096", "maxcpus=4096"),
    ({"machine": "pseries-2.1", "smp": 1025}, "smp", "1024", "maxcpus=1024"),
    ({"smp": "8,cores=3,threads=2"}, "smp", "8", "cpus=6"),
    ({"smp": "nine"}, "smp", "nine", "cpus=1"),
    ({"smp": {"core": 1}}, "smp", "core", "cores"),
    ({"memory": "300M"}, "memory", "256 MiB", "512M"),
    ({"machine": "pseries-2.4", "memory": "64M"}, "memory", "RMA", "256M"),
    ({"memory": "512X"}, "memory", "512X", "512M"),
    ({"memory": 1.5}, "memory", "1.5", "512M"),
    ({"memory": "1G", "numa": [NumaNode("300M"), NumaNode("724M")]}, "numa", "256", ""),
    ({"ic_mode": "apic"}, "ic_mode", "apic", "xics"),
    ({"max_cpu_compat": "power99"}, "max_cpu_compat", "power99", "power9"),
    ({"resize_hpt": "yes"}, "resize_hpt", "yes", "enabled"),
    ({"initrd": "initrd.gz"}, "initrd", "without a kernel", "kernel="),
    ({"host": "kvm-hv/power99"}, "host", "power99", "kvm-hv/power9"),
    ({"ruleset": "qemu-2.13"}, "ruleset", "qemu-2.13", "qemu-2.12"),
    ({"memroy": "1G"}, "memroy", "no setting", "did you mean memory?"),
    ({"rng": "yes"}, "rng", "yes", "rng=True"),
    ({"kernel": 5}, "kernel", "5", "path"),
    ({"smp": Smp(cores=1 << 31, threads=2)}, "smp", "", ""),
    ({"numa": [3]}, "numa", "3", "NumaNode"),
]


@pytest.mark.parametrize(("settings", "setting", "problem", "hint"), REFUSED, ids=[str(next(iter(row[0].items()))) for row in REFUSED])
def test_refusals_name_the_setting_and_the_remedy(settings: dict[str, Any], setting: str, problem: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        MachineConfig(**settings).resolved()
    error = refused.value
    assert setting in error.setting or error.setting in setting
    assert problem in error.problem
    assert hint in error.hint
    assert error.hint
    assert str(error) == f"{error.setting}: {error.problem}; {error.hint}"
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["-machin", "pseries"], "no option '-machin'"),
        (["-M", "pseries,vmst=8"], "no machine option 'vmst'"),
        (["-M"], "nothing follows it"),
        (["-m", "1G,slot=3"], "no word of -m 'slot'"),
        (["-M", "pseries,vsmt=eight"], "'eight' is not a whole number"),
        (["-device", "e1000"], "no device 'e1000'"),
        (["-numa", "node,nodeid=0,memdev=m0"], "no object 'm0'"),
        (["-numa", "node,nodeid=1"], "the nodes are [1]"),
        (["-M", "pseries,cap-htm=on,cap-htm=off"], "given twice"),
        (["-rtc", "base=yesterday"], "is no date"),
    ],
)
def test_arguments_that_are_refused(arguments: list[str], problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        MachineConfig.from_qemu_args(arguments)
    assert problem in str(refused.value)


def test_what_is_odd_is_warned_of() -> None:
    with pytest.warns(spapr.SpaprWarning, match='caps\\["ibs"\\]: .*cap-ibs=workaround'):
        MachineConfig(caps={"ibs": "workaround"}).resolved()
    MachineConfig().resolved()  # says nothing: nobody asked for the version's own level


@pytest.mark.parametrize("machine", spapr.MACHINES)
def test_every_version_can_be_asked_for_again(machine: str) -> None:
    config = MachineConfig(machine=machine, caps={"htm": False}, smp=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", spapr.SpaprWarning)
        settled = config.resolved()
        assert settled.resolved() == settled
