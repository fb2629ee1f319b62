"""Linux under stress on four vCPUs: our own soak (benches/guest/soak.c), and Debian's stress-ng with its checks on.

`SPAPR_STRESS_SECONDS` (6) says how long stress-ng runs each of its parts; for a night, give thousands.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from accel import accelerators
from conftest import ROOT, lacking
from linux import COMMAND_SECONDS
from programs import Programs, build, native

pytestmark = pytest.mark.linux

SECONDS = int(os.environ.get("SPAPR_STRESS_SECONDS", "6"))
ROUNDS = {"interp": 25}
"""Rounds of the soak, where an accelerator is too slow for what the others do."""

PARTS = {
    "memory": "--vm 3 --vm-bytes 96M --memrate 0 --mmap 1 --mmap-bytes 16M --mremap 1 --memcpy 1 --bsearch 1 --tsearch 1",
    "processes": "--fork 2 --vfork 1 --switch 1 --pipe 1 --futex 1 --sem 1 --mq 1 --signal 1 --clone 1",
    "time": "--clock 1 --timer 1 --nanosleep 1 --hrtimers 1 --poll 1 --cpu 2 --cpu-method all",
    "atomics": "--atomic 2 --matrix 1 --vecmath 1 --crypt 1 --mutex 1 --membarrier 1",
}
"""What runs beside each other."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our programs, stress-ng in the RAM disk."""
    found = subprocess.run([ROOT / "tests" / "tools" / "stress-ng.sh"], capture_output=True, text=True)
    if found.returncode:
        lacking(found.stderr.strip())
    return build(tmp_path_factory.mktemp("stress"), Path(found.stdout.strip()))


@pytest.mark.parametrize("accel", accelerators())
def test_soak(programs: Path, accel: str) -> None:
    rounds = ROUNDS.get(accel, 200)
    with Programs(programs, accel, smp=4) as guest:
        assert guest.run("soak", rounds) == native(programs, "soak", rounds, 1)
        guest.command("soak 3 1")


@pytest.mark.parametrize("accel", accelerators()[-1:])
def test_stress_ng(programs: Path, accel: str) -> None:
    """On the fastest accelerator that there is: what matters here is how much is done."""
    with Programs(programs, accel, smp=4) as guest:
        for name, part in PARTS.items():
            said = guest.command(f".stress-ng --verify --timeout {SECONDS} {part}", timeout=SECONDS + COMMAND_SECONDS)
            assert "unsuccessful" not in said, f"{name}: {said}"
            assert "successful run completed" in said, f"{name}: {said}"
