"""spapr's pytest plugin, seen from a project that uses it: what a failing test's report says, what is kept, and that nothing is left running."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

import spapr

assert np, "it can be imported once in a process, and pytester forgets what its inner runs have imported"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_fixtures_make_machines_and_end_them(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import spapr
        made = []

        def test_embedded_guest_is_the_default(spapr_machine):
            vm = spapr_machine(smp=2)
            vm.start()
            vm.console.expect("threads up=2", timeout=60)
            made.append(vm)

        def test_a_config_is_taken_as_it_is(spapr_machine):
            vm = spapr_machine(spapr.MachineConfig(machine="pseries-2.12", caps={"htm": "off"}), vsmt=4)
            assert (vm.config.machine, vm.vsmt, vm.config.kernel) == ("pseries-2.12", 4, None)
            made.append(vm)

        def test_one_fails_to_be_made(spapr_machine):
            made.append(spapr_machine())
            made.append(spapr_machine())
            spapr_machine(vsmt=3)

        def test_all_are_closed(spapr_machine):
            assert [vm.status for vm in made] == ["closed"] * 4
    """)
    outcome = pytester.runpytest("-p", "no:randomly")
    outcome.assert_outcomes(passed=3, failed=1)
    outcome.stdout.fnmatch_lines(["*ConfigError: vsmt: *3*"])


def test_an_error_in_a_teardown_leaves_no_machine(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest
        made = []

        @pytest.fixture
        def running(spapr_machine):
            vm = spapr_machine()
            vm.start()
            made.append(vm)
            yield vm
            raise RuntimeError("from the teardown")

        @pytest.fixture
        def never(running):
            raise RuntimeError("from the setup")

        def test_teardown(running): pass
        def test_setup(never): pass
        def test_closed(): assert [vm.status for vm in made] == ["closed"] * 2
    """)
    outcome = pytester.runpytest()
    outcome.assert_outcomes(passed=2, errors=3)
    assert outcome.stdout.str().count("= spapr machine 0 ") + outcome.stdout.str().count("- spapr machine 0 -") == 3


FAILING = """
    def test_fails(spapr_machine, spapr_results):
        (spapr_results / "mine.txt").write_text("kept too")
        first = spapr_machine(cpu="power9", smp="4,cores=2,threads=2", vsmt=8)
        second = spapr_machine(cpu="power8")
        first.start()
        first.console.expect("ready", timeout=60)
        assert first.vcpu_ids.tolist() == []

    def test_passes(spapr_machine, spapr_results):
        (spapr_results / "mine.txt").write_text("not kept")
        spapr_machine().start()
"""


def test_the_report_shows_the_console_and_the_config(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILING)
    outcome = pytester.runpytest()
    outcome.assert_outcomes(passed=1, failed=1)
    outcome.stdout.fnmatch_lines(
        [
            "*- spapr machine 0 -*",
            "<spapr.Machine * power9_*: 4 vcpus, 2 threads per core, vsmt=8, 256M, running>",
            "asked for: MachineConfig(cpu='power9', *vsmt=8, *",
            "console 0:",
            "spapr-guest 1 be",
            "cpu reg=8 servers=8,9",
            "ready",
            "*- spapr machine 1 -*",
            "<spapr.Machine * power8_*, prelaunch>",
            "*- spapr results -*",
            "kept in *test_fails*",
        ]
    )
    folder = Path(re.findall(r"^kept in (.*)$", outcome.stdout.str(), re.MULTILINE)[0])
    assert names(folder) == [
        "machine0.config.txt",
        "machine0.console0.log",
        "machine0.cpus.txt",
        "machine0.dts",
        "machine1.config.txt",
        "machine1.console0.log",
        "machine1.cpus.txt",
        "machine1.dts",
        "mine.txt",
    ]
    assert "servers=8,9" in (folder / "machine0.console0.log").read_text()
    assert "vcpu_id 9" in (folder / "machine0.cpus.txt").read_text()
    assert "qemu-system-ppc64 -machine pseries-10.2,vsmt=8" in (folder / "machine0.config.txt").read_text()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize(("keep", "kept"), [("none", {}), ("failed", {"test_fails"}), ("all", {"test_fails", "test_passes"})])
def test_what_is_kept_is_told(pytester: pytest.Pytester, keep: str, kept: set[str]) -> None:
    pytester.makepyfile(FAILING)
    results = pytester.path / "somewhere"
    outcome = pytester.runpytest(f"--spapr-keep={keep}", f"--spapr-results={results}")
    outcome.assert_outcomes(passed=1, failed=1)
    outcome.stdout.fnmatch_lines([f"spapr: {spapr.__version__}, accel auto, *results kept: {keep}"])
    have = {path.name.rpartition("-")[2]: names(path) for path in results.iterdir()} if results.exists() else {}
    assert set(have) == set(kept)
    for found in have.values():
        assert {"mine.txt", "machine0.console0.log", "machine0.config.txt", "machine0.cpus.txt"} <= set(found)


def test_side_by_side_under_xdist(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import os, pytest

        @pytest.mark.parametrize("n", range(6))
        def test_many(spapr_machine, spapr_results, n, worker_id):
            (spapr_results / "worker").write_text(worker_id)
            vm = spapr_machine(smp=1 + n % 2)
            vm.start()
            vm.console.expect(f"threads up={1 + n % 2}", timeout=60)
            assert n not in (2, 3)

        def test_same_everywhere(spapr_results):
            assert False
    """)
    results = pytester.path / "somewhere"
    outcome = pytester.runpytest_subprocess("-n2", f"--spapr-results={results}")
    outcome.assert_outcomes(passed=4, failed=3)
    outcome.stdout.fnmatch_lines(["*- spapr machine 0 -*", "threads up=*", "kept in *"])
    assert len([path for path in results.iterdir() if "test_many" in path.name]) == 2
    assert len(re.findall(r"^kept in ", outcome.stdout.str(), re.MULTILINE)) == 3
    # The same test in several processes: a folder for each.
    outcome = pytester.runpytest_subprocess("-n2", "--dist=each", "-k", "everywhere", f"--spapr-results={results}")
    assert len([path for path in results.iterdir() if "everywhere" in path.name]) == 3


def test_markers_are_settings(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest
        pytestmark = pytest.mark.spapr(cpu="power9", threads=2, cores=2)

        def test_of_the_module(spapr_machine):
            vm = spapr_machine()
            assert vm.config.cpu.startswith("power9")
            assert (vm.config.smp.cpus, vm.config.smp.threads) == (4, 2)

        @pytest.mark.spapr(threads=4, vsmt=8)
        def test_the_closest_says_the_last_word(spapr_machine):
            vm = spapr_machine()
            assert vm.vcpu_ids.tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
            assert vm.config.cpu.startswith("power9")

        @pytest.mark.spapr(smp=3)
        def test_a_whole_topology_replaces_it(spapr_machine):
            assert spapr_machine().config.smp.cpus == 3

        @pytest.mark.spapr(cpu="power8")
        def test_the_test_itself_stands_above_all(spapr_machine):
            assert spapr_machine(cpu="power10").config.cpu.startswith("power10")

        @pytest.mark.spapr(cpus_=4)
        def test_a_setting_that_does_not_exist(spapr_machine):
            spapr_machine()

        @pytest.mark.spapr("power8")
        def test_a_setting_without_a_name(spapr_machine):
            spapr_machine()
    """)
    outcome = pytester.runpytest("--strict-markers")
    outcome.assert_outcomes(passed=4, failed=2)
    outcome.stdout.fnmatch_lines(["*ConfigError: cpus_: *did you mean*", "*spapr takes settings by keyword, such as spapr(cpu='power8')*"])


def test_the_accelerator_is_the_command_lines_unless_a_test_says_otherwise(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest, spapr

        def test_given(spapr_machine, request):
            assert spapr_machine()._asked.accel == "interp"
            assert spapr_machine(spapr.MachineConfig())._asked.accel == "interp"

        def test_said(spapr_machine):
            assert spapr_machine(accel="auto")._asked.accel == "auto"

        def test_refused(spapr_machine):
            with pytest.raises(spapr.ConfigError, match="warp"):
                spapr_machine(accel="warp")
    """)
    pytester.runpytest("--spapr-accel=interp").assert_outcomes(passed=3)


def test_what_is_missing_is_said_or_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPAPR_KERNEL", raising=False)
    monkeypatch.delenv("SPAPR_INITRD", raising=False)
    pytester.makepyfile("""
        import pytest

        def test_kernel(spapr_kernel, spapr_initrd): assert (spapr_kernel.name, spapr_initrd.name) == ("vmlinux", "initrd.gz")
        @pytest.mark.needs_kvm
        def test_kvm(): pass
    """)
    outcome = pytester.runpytest("-rs")
    outcome.assert_outcomes(skipped=2)
    outcome.stdout.fnmatch_lines(["*no guest kernel: give --spapr-kernel=vmlinux, or set SPAPR_KERNEL", "*needs KVM: *"])
    outcome = pytester.runpytest("--spapr-strict")
    outcome.assert_outcomes(errors=2)
    outcome.stdout.fnmatch_lines(["*no guest kernel*(--spapr-strict)"])
    pytester.runpytest("--spapr-kernel=some/vmlinux", "--spapr-initrd=initrd.gz", "-k", "kernel").assert_outcomes(passed=1)
    monkeypatch.setenv("SPAPR_KERNEL", "vmlinux")
    monkeypatch.setenv("SPAPR_INITRD", "initrd.gz")
    pytester.runpytest("-k", "kernel").assert_outcomes(passed=1)


def test_a_payload_begins_by_itself_and_is_checked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest
        from spapr.testing import counter

        @pytest.mark.parametrize("endian", ["be", "le"])
        def test_counter(spapr_machine, endian):
            payload = counter(rate=5000, mib=1, endian=endian)
            vm = spapr_machine(payload=payload, smp=2)
            vm.run(max_instructions=3_000_000)
            first = payload.check(vm)
            assert 0 < first["pages"] <= 256
            vm.console.sendline("wait 100")
            assert payload.check(vm)["writes"] > first["writes"]

        def test_harm_is_found(spapr_machine):
            payload = counter(mib=1)
            vm = spapr_machine(payload=payload)
            vm.start()
            vm.console.expect("^ok\\n> ", timeout=60)
            vm.console.sendline("wait 300")
            vm.console.expect("^ok\\n> ", timeout=60)
            with vm.paused():
                vm.ram.write((16 << 20) + 100, b"harm")
            with pytest.raises(AssertionError, match="finds 1 of the pages.*harmed"):
                payload.check(vm)
    """)
    pytester.runpytest().assert_outcomes(passed=3)


def test_booted_once_and_forked_for_each_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest
        from spapr.testing import Guest

        booted = []

        def log_in(vm):
            vm.console.sendline("poke 0x1400000 7")
            vm.console.expect("^ok\\n> ", timeout=60)
            booted.append(vm)

        @pytest.mark.parametrize("n", range(4))
        @pytest.mark.spapr(smp=2)
        def test_each_has_its_own(spapr_booted, n):
            vm = spapr_booted(prepare=log_in)
            assert vm.status == "running"
            assert vm.console.log == ""
            guest = Guest(vm, booted=True)
            assert vm.ram.read_int(0x1400000) == 7
            assert guest.ids() == [0, 1]
            guest.ask(f"poke 0x1400000 {n + 100}")
            assert vm.ram.read_int(0x1400000) == n + 100

        def test_several_in_one_test(spapr_booted):
            one, other = spapr_booted(), spapr_booted()
            one.console.sendline("off")
            assert one.wait(timeout=60) == "shutdown"
            assert Guest(other, booted=True).ids() == [0]

        def test_booted_once():
            assert len(booted) == 1
            assert booted[0].status == "closed"
    """)
    pytester.runpytest("-p", "no:randomly").assert_outcomes(passed=6)


def test_a_boot_that_fails_is_tried_once_and_shown(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest
        made = []

        @pytest.mark.parametrize("n", range(2))
        def test_never_ready(spapr_booted, n, request):
            made.append(n)
            spapr_booted(until="never said", timeout=1)

        def test_unready(spapr_booted):
            spapr_booted(until="never said", fail_on="^ready", timeout=60)

        def test_panics_while_it_is_made_ready(spapr_booted):
            def panic(vm):
                vm.console.sendline("panic")
                vm.console.expect("never said", timeout=60)

            spapr_booted(prepare=panic)

        def test_fails_afterwards(spapr_booted):
            vm = spapr_booted()
            vm.console.sendline("count 2")
            vm.console.expect("^ok", timeout=60)
            assert False
    """)
    outcome = pytester.runpytest("-p", "no:randomly")
    outcome.assert_outcomes(failed=5)
    text = outcome.stdout.str()
    assert text.count("ConsoleTimeout: console 0 did not say 'never said' within 1.0 s") + text.count("ConsoleTimeout: console 0 did not say 'never said' within 1 s") >= 2
    outcome.stdout.fnmatch_lines(["*ConsoleMatch: *ready*", "*- spapr machine 0 -*", "*GuestPanic: *", "*- spapr machine 0 -*", "count 2"])


def test_a_pair_migrates(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest, spapr
        from spapr.testing import counter

        def test_state_is_kept(spapr_pair):
            payload = counter(rate=5000, mib=1)
            src, dst = spapr_pair(cpu="power8", smp=4, payload=payload)
            src.run(max_instructions=3_000_000)
            before = src.state_digest()
            result = src.migrate(dst, downtime_limit=300)
            assert result.status == "completed"
            assert dst.state_digest() == before
            assert payload.check(dst)["pages"] > 0

        def test_a_refusal_says_why(spapr_pair):
            src, dst = spapr_pair({"vsmt": 8}, {"vsmt": 4}, machine="pseries-2.12", smp="8,cores=2,threads=4")
            with pytest.raises(spapr.MigrationIncompatible) as refused:
                src.migrate(dst)
            assert [reason.code for reason in refused.value.reasons] == ["vsmt-differs"]

        @pytest.mark.spapr(threads=2, vsmt=8)
        def test_markers_are_for_both(spapr_pair):
            src, dst = spapr_pair({"machine": "pseries-4.1"}, {"machine": "pseries-4.2"})
            assert src.vcpu_ids.tolist() == dst.vcpu_ids.tolist()
            assert (src.config.machine, dst.config.machine) == ("pseries-4.1", "pseries-4.2")
    """)
    pytester.runpytest().assert_outcomes(passed=3)


def test_help_says_what_there_is(pytester: pytest.Pytester) -> None:
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.spapr(*", "@pytest.mark.needs_kvm*"])
    pytester.runpytest("--fixtures", "-q").stdout.fnmatch_lines(["spapr_machine *", "*Makes machines: *", "spapr_results *"])
    pytester.runpytest("--help").stdout.fnmatch_lines(["pseries machines:", "*--spapr-accel=NAME*", "*--spapr-keep*"])


def test_the_plugin_comes_with_the_package() -> None:
    from importlib.metadata import entry_points

    assert [point.value for point in entry_points(group="pytest11", name="spapr")] == ["spapr.pytest_plugin"]
    assert (ROOT / "python" / "spapr" / "pytest_plugin.py").exists()
