"""Host kinds: what their kernels answer, machines that start as on one, and whether a guest may move between two."""

from __future__ import annotations

import errno
import pickle
from dataclasses import fields

import pytest
from conftest import GUESTS

import spapr
from spapr import ConfigError, Machine, MachineConfig

EMBEDDED_BE = GUESTS / "embedded-be.elf"


def test_hosts_are_data() -> None:
    power8, power9 = spapr.HOSTS["kvm-hv/power8"], spapr.HOSTS["kvm-hv/power9"]
    assert (power8.kind, power8.default_smt, power8.settable_modes, power8.possible, power8.vcores) == ("kvm-hv", 8, (1, 2, 4, 8), 15, "strict")
    assert (power9.default_smt, power9.mmu, power9.vcores, power9.compat_modes[-1]) == (1, ("hash", "radix"), "loose", "power9")
    assert spapr.HOSTS["kvm-hv/power8-old-kernel"].settable_modes == spapr.HOSTS["kvm-pr"].settable_modes == ()
    assert spapr.HOSTS["kvm-pr/power8"] is spapr.HOSTS["kvm-pr"]
    assert (spapr.HOSTS["tcg"].is_kvm, spapr.HOSTS["tcg"].max_threads, spapr.HOSTS["tcg-7.2"].max_threads) == (False, 8, 1)
    assert "kvm-hv/power10" in spapr.HOSTS and "kvm-hv/power99" not in spapr.HOSTS
    with pytest.raises(ConfigError, match=r"did you mean kvm-hv/power9\?"):
        spapr.HOSTS["kvm-hv/power99"]
    for host in spapr.HOSTS.values():
        assert pickle.loads(pickle.dumps(host)) == host and hash(host) and str(host)
    assert spapr.HOSTS._repr_mimebundle_()["text/html"].count("<tr>") == len(spapr.HOSTS) + 1


def test_kernels_answer_with_their_errnos() -> None:
    power8 = spapr.HOSTS["kvm-hv/power8"]
    assert [power8.errno_of_smt(mode) for mode in (1, 3, 8, 16)] == [None, "EINVAL", None, "EINVAL"]
    assert (power8.errno_of_smt(8, 1), power8.errno_of_smt(8, after_vcpu=True)) == ("EINVAL", "EBUSY")
    for name, twice in (("kvm-hv/power8", errno.EEXIST), ("kvm-hv/power9", errno.EINVAL)):
        vm = spapr.HOSTS[name].kvm()
        vm.enable_smt(4)
        assert vm.smt == 4
        vm.create_vcpu(8)
        with pytest.raises(OSError) as refused:
            vm.create_vcpu(8)
        assert refused.value.errno == twice
    with pytest.raises(ConfigError, match="has no KVM"):
        spapr.HOSTS["tcg"].kvm()


def test_this_machine_is_described() -> None:
    report = spapr.probe_host()
    assert report.architecture and "/dev/kvm" in report.kvm or report.facts
    assert {field.name for field in fields(report)} == {"architecture", "linux", "kvm", "facts", "profile"}
    assert report.profile.name in str(report)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        # The 2019 regression: a new machine on an old kernel.
        ({"host": "kvm-hv/power8-old-kernel", "machine": "pseries-4.2", "smp": "8,threads=4"}, "mode to 4 (errno -22)"),
        ({"host": "kvm-hv/power9", "cpu": "power8"}, 'only "-cpu host" is possible'),
        ({"host": "kvm-hv/power10", "caps": {"htm": "on"}}, "does not support Transactional Memory"),
        ({"host": "kvm-pr"}, "Firmware Assisted Non-Maskable Interrupts(FWNMI) not supported by KVM."),
        ({"host": "kvm-hv/power9", "caps": {"hpt-max-page-size": "16M"}}, "Can't support 16384 kiB guest pages with 64 kiB host pages"),
        ({"host": "kvm-hv/power8", "smp": "2049,maxcpus=2049"}, "exceeds the maximum cpus supported by KVM (2048)"),
        ({"host": "kvm-hv/power9-nested", "max_cpu_compat": "power8"}, "has radix alone"),
    ],
)
def test_a_host_refuses_what_its_kernel_would(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        MachineConfig(**settings).resolved()  # type: ignore[arg-type]
    assert says in str(refused.value) and refused.value.hint


def test_a_machine_starts_as_on_a_host() -> None:
    config = MachineConfig(machine="pseries-4.1", host="kvm-hv/power8-subcores-2", smp="4,threads=2", memory="256M", kernel=EMBEDDED_BE)
    with pytest.warns(spapr.SpaprWarning, match="Failed to set KVM's VSMT mode to 8"), Machine(config) as vm:
        assert (vm.config.cpu, vm.vsmt, list(vm.vcpu_ids)) == ("power8_v2.0", 8, [0, 1, 8, 9])
        vm.start()
        vm.console.expect("^ready\n", timeout=60)
        # A POWER8 has no radix to offer.
        assert "ibm,processor-radix-AP-encodings" not in vm.dts
        vm.console.sendline("ids")
        assert "server=9 pir=9" in vm.console.expect(r"(?s)(.*?)^ok\n", timeout=60).group(1)


def test_hosts_limit_how_a_guest_translates() -> None:
    def offers(host: str) -> bool:
        with Machine(host=host, smp=1, memory="256M") as vm:
            return "ibm,processor-radix-AP-encodings" in vm.dts

    assert (offers("kvm-hv/power9"), offers("kvm-hv/power9-hash")) == (True, False)


# --- check ---

OLD = MachineConfig(machine="pseries-2.11", ruleset="qemu-2.11", smp="8,threads=4", max_cpu_compat="power8", caps={"htm": "off"})


def test_the_pair_that_the_project_grew_from() -> None:
    power8, power9 = OLD.replace(host="kvm-hv/power8"), OLD.replace(host="kvm-hv/power9")
    verdict = spapr.check(power8, power9)
    assert (verdict.verdict, verdict.migrates, verdict.codes, verdict.remedy) == ("refused", False, ("vsmt-differs",), "vsmt=8 on the destination")
    (reason,) = verdict.reasons
    assert (reason.weight, reason.setting, reason.source, reason.destination) == ("refuses", "vsmt", "8", "4")
    # Such machines have XICS alone, so nothing in QEMU's stream has another length.
    assert (verdict.qemu_outcome, verdict.qemu_message, reason.change) == ("accepts-and-corrupts", "", "use vsmt=8 on the destination")
    assert spapr.check(power8, power9.replace(vsmt=8)).verdict == "migrates"
    assert spapr.check(power8.replace(ruleset="seed"), power9.replace(ruleset="seed")).verdict == "migrates"
    assert pickle.loads(pickle.dumps(verdict)) == verdict
    assert "vsmt=8 on the destination" in str(verdict) and "accepts-and-corrupts" in verdict._repr_mimebundle_()["text/html"]


def test_a_side_that_cannot_start_is_named() -> None:
    new = MachineConfig(machine="pseries-4.2", smp="8,threads=4", host="kvm-hv/power8")
    verdict = spapr.check(new, new.replace(host="kvm-hv/power8-old-kernel"))
    assert (verdict.verdict, verdict.codes, verdict.qemu_outcome) == ("destination-cannot-start", ("destination-cannot-start",), "does-not-start")
    assert "This KVM seems to be too old to support VSMT." in verdict.qemu_message
    assert verdict.remedy == "vsmt=8 on both"


def test_every_reason_says_what_to_change() -> None:
    base = MachineConfig(cpu="power9", smp="4,threads=2", memory="512M")
    others = [
        base.replace(machine="pseries-10.1"),
        base.replace(smp="8,threads=2"),
        base.replace(memory="1G"),
        base.replace(numa=2),
        base.replace(cpu="power10"),
        base.replace(max_cpu_compat="power8"),
        base.replace(ic_mode="xive"),
        base.replace(caps={"large-decr": "off"}),
        base.replace(vtys=2),
        base.replace(nvram_bytes=32768),
        base.replace(rng=False),
    ]
    for other in others:
        verdict = spapr.check(base, other)
        assert verdict.verdict == "refused", other
        for reason in verdict.reasons:
            assert reason.problem and reason.change and reason.qemu_outcome and reason.code, reason
    assert spapr.check(base, base.replace(caps={"hpt-max-page-size": "16M"})).codes == ("cap-hpt-max-page-size-lower-than-destination",)
    with pytest.raises(ConfigError, match="neither a MachineConfig nor a Machine"):
        spapr.check(base, "pseries")  # type: ignore[arg-type]


def test_a_machine_is_judged_by_what_its_guest_has_chosen() -> None:
    config = MachineConfig(cpu="power9", smp=1, memory="256M", kernel=EMBEDDED_BE, host="kvm-hv/power9")
    hash_only = config.replace(host="kvm-hv/power9-hash")
    before = spapr.check(config, hash_only)
    assert (before.verdict, before.codes, before.reasons[0].weight) == ("migrates", ("mmu-mode-not-on-destination",), "notes")
    with Machine(config) as vm:
        vm.start()
        vm.console.expect("^ready\n", timeout=60)
        # It runs in real mode and never asked for radix.
        assert spapr.check(vm, hash_only).reasons == ()
