"""The tests of `tests/kvm_lab/inside`, each by its name and with its host's: they run there, in an emulated POWER host with a real KVM-HV.

A host is booted once, for its first test, and runs all of them; here is told what came of each. It takes minutes of both processors, so it is done with CI=true, or
when `SPAPR_KVM_LAB` names hosts (see `tests/kvm_lab/lab.py`), with commas between them; `off` leaves them out even then. What is missing for the lab is a
skip for users and a failure with CI=true.
"""

from __future__ import annotations

import ast
import fcntl
import functools
import importlib.util
import os
import pathlib
import sys
import types
import xml.etree.ElementTree as ET

import pytest

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
    # One host at a time: each keeps a processor busy.
    with (out / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_text().split("\n", 1)[0] != run:
            try:
                lab().run(host)
                said = ""
            except lab().LabError as e:
                said = str(e)
            done.write_text(f"{run}\n{said}")
    said = done.read_text().split("\n", 1)[1]
    return said if said else ET.parse(junit).getroot()


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
