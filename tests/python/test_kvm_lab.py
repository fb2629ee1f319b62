"""The tests of `tests/kvm_lab/inside`, each by its name and with its host's: they run there, in an emulated POWER host with a real KVM-HV.

A host is booted once, for its first test, and runs all of them; here is told what came of each. It takes minutes of both processors, so it is done with CI=true, or
when `SPAPR_KVM_LAB` names hosts (see `tests/kvm_lab/lab.py`), with commas between them; `off` leaves them out even then. What is missing for the lab is a
skip for users and a failure with CI=true.
"""

from __future__ import annotations

import ast
import fcntl
import functools
import importlib.resources
import importlib.util
import os
import pathlib
import sys
import types
import xml.etree.ElementTree as ET

import pytest

import spapr

LAB = pathlib.Path(__file__).resolve().parents[1] / "kvm_lab"
USUAL = "powernv9,powernv8-smt4,powernv10"
"""POWER9 with radix and hash; POWER8 with four threads: hash alone, another default than 1, a mode that is refused; and POWER10."""


@functools.cache
def lab() -> types.ModuleType:
    """The lab's command as a module."""
    spec = importlib.util.spec_from_file_location("kvm_lab", LAB / "lab.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kvm_lab"] = module
    spec.loader.exec_module(module)
    return module


FROM = {"powernv9": ("powernv8-smt4.state", "x86.state")}
"""Saved guests of other hosts that a host's tests go on with, if those hosts are booted."""


def hosts() -> list[str]:
    """The hosts asked for, or the usual ones."""
    asked = os.environ.get("SPAPR_KVM_LAB", USUAL)
    return [] if asked == "off" else asked.split(",")


def asked_for() -> bool:
    """Whether they are to be booted."""
    return os.environ.get("CI") == "true" or "SPAPR_KVM_LAB" in os.environ


def inner() -> list[str]:
    """The inner tests, as `file::function`, read without running them."""
    found = []
    for path in sorted((LAB / "inside").glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.append(f"{path.stem}::{node.name}")
    return found


@functools.cache
def outcome(host: str) -> ET.Element | str:
    """What came of a host: its JUnit tree, or why it could not be made. One process of this test run boots it, the others read."""
    out = LAB.parents[1] / "target" / "kvm-lab"
    out.mkdir(parents=True, exist_ok=True)
    run = f"{os.environ.get('PYTEST_XDIST_TESTRUNUID') or os.getpid()}"
    done, junit = out / f"{host}.done", out / f"{host}.xml"
    files = {}
    for name in FROM.get(host, ()):
        state = travelled(name)
        if state is not None:
            files[name] = state.read_bytes()
    # One host at a time: each keeps a processor busy.
    with (out / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_text().split("\n", 1)[0] != run:
            try:
                lab().run(host, files=files)
                said = ""
            except lab().LabError as e:
                said = str(e)
            done.write_text(f"{run}\n{said}")
    said = done.read_text().split("\n", 1)[1]
    return said if said else ET.parse(junit).getroot()


@functools.cache
def travelled(name: str) -> pathlib.Path | None:
    """The state that a guest was saved in on another host, if it was."""
    path = LAB.parents[1] / "target" / "kvm-lab" / name
    if name == "x86.state":
        return path if went_on() is None else None
    if (host := name.removesuffix(".state")) not in hosts() or isinstance(outcome(host), str):
        return None
    return path if path.exists() else None


@functools.cache
def went_on() -> str | None:
    """A POWER8 host's guest goes on here, in the translator, and is saved again; what went wrong."""
    saved = travelled("powernv8-smt4.state")
    if saved is None:
        return "powernv8-smt4 has saved no guest"
    guest = str(importlib.resources.files("spapr") / "guests" / "embedded-be.elf")
    caps = dict.fromkeys(("cfpc", "sbbc", "ibs"), "broken") | {"ccf-assist": "off", "hpt-max-page-size": "64k"}
    config = spapr.MachineConfig(smp="2,cores=2", vsmt=8, memory="256M", kernel=guest, max_cpu_compat="power8", ic_mode="xics", caps=caps).resolved()
    with spapr.load_checkpoint(saved, config=config) as vm:
        vm.resume()
        vm.console.sendline("verify")
        vm.console.expect(r" bad=0\nok\n> ", timeout=60)
        vm.console.sendline("dirty 100 1 1")
        vm.console.expect(r"\nok\n> ", timeout=60)
        vm.pause()
        vm.save_checkpoint(saved.with_name("x86.state"), compress="lz4")
    return None


@pytest.mark.kvm_lab
def test_a_guest_of_kvm_goes_on_in_the_translator() -> None:
    if not asked_for() or "powernv8-smt4" not in hosts():
        pytest.skip("takes minutes: set SPAPR_KVM_LAB=powernv8-smt4")
    found = went_on()
    if found is not None and os.environ.get("CI") != "true":
        pytest.skip(found)
    assert found is None


@pytest.mark.kvm_lab
@pytest.mark.parametrize("test", inner())
@pytest.mark.parametrize("host", hosts())
def test_inside(host: str, test: str) -> None:
    if not asked_for():
        pytest.skip(f"takes minutes: set SPAPR_KVM_LAB={host}")
    found = outcome(host)
    if isinstance(found, str):
        if os.environ.get("CI") == "true":
            pytest.fail(found)
        pytest.skip(found)
    file, function = test.split("::")
    cases = [c for c in found.iter("testcase") if c.get("classname") == file and (c.get("name") or "").split("[")[0] == function]
    assert cases, f"{test} did not run on {host}"
    bad = [part for case in cases for part in case if part.tag in ("failure", "error")]
    assert not bad, "\n".join(part.text or part.get("message") or "" for part in bad)
    skipped = [part for case in cases for part in case if part.tag == "skipped"]
    if len(skipped) == len(cases):
        pytest.skip(skipped[0].get("message") or "skipped inside")
