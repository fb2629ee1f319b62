"""Linux with one process that checks itself (`tests/programs/mover.c`): what it must go on saying while its machine moves."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path
from typing import Any

from conftest import ROOT, tool
from linux import BOOT_SECONDS, images

import spapr

__all__ = ["Mover", "initrd"]

CHECK = r"^CHECK (\d+) (ok|FAIL) tb=(\d+) ns=(\d+) ticks=([\d,]+)(.*)\n"
STEP_SECONDS = 120.0


def _entry(name: str, mode: int, data: bytes) -> bytes:
    """A file of a cpio archive (newc)."""
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def initrd(folder: Path) -> Path:
    """An initial RAM disk with nothing but the program, compiled now."""
    program, archive = folder / "mover", folder / "mover.gz"
    gcc = tool("powerpc64le-linux-gnu-gcc", "gcc-powerpc64le-linux-gnu")
    source = ROOT / "tests" / "programs" / "mover.c"
    subprocess.run([gcc, "-static", "-O2", "-pthread", "-Wall", "-Wextra", "-Werror", "-o", program, source], check=True)
    data = _entry("init", 0o100755, program.read_bytes()) + _entry("TRAILER!!!", 0, b"")
    archive.write_bytes(gzip.compress(data, 1))
    return archive


class Mover:
    """The guest, wherever it is."""

    def __init__(self, archive: Path, **settings: Any) -> None:
        kernel, _ = images()
        self.base = spapr.MachineConfig(memory="256M", kernel=kernel, initrd=archive, append="console=hvc0 quiet mover.pages=8")
        self.vm = spapr.Machine(self.base, **settings)
        self.moves = 0
        self.vm.start()
        self.vm.console.expect(r"mover: \d+ cpus", fail_on=r"Kernel panic.*|Oops: .*", timeout=BOOT_SECONDS)
        self.last: tuple[int, int, int, list[int]] = (0, 0, 0, [])
        self.check()

    def check(self) -> None:
        """Waits until every cpu has ticked since the last look; numbers and clocks must have grown."""
        number, tb, ns, ticks = self.last
        while True:
            match = self.vm.console.expect(CHECK, fail_on=r"Kernel panic.*|Oops: .*|BUG: .*|rcu: INFO: .*stall.*", timeout=STEP_SECONDS)
            now = int(match[1]), int(match[3]), int(match[4]), [int(t) for t in match[5].split(",")]
            assert match[2] == "ok", match[0]
            assert now[0] > number and now[1] > tb and now[2] > ns, (self.last, match[0])
            if not ticks or all(a > b for a, b in zip(now[3], ticks, strict=True)):
                self.last = now
                return

    def move(self, *, limit: float = 300, **settings: Any) -> spapr.MigrationInfo:
        """Moves it to a new machine and checks it there."""
        to = spapr.Machine(self.base, **settings, incoming=True)
        info = self.vm.migrate(to, downtime_limit=limit, timeout=STEP_SECONDS)
        self.vm.close()
        self.vm = to
        self.moves += 1
        self.check()
        return info

    def complaints(self) -> list[str]:
        """What a healthy guest does not say."""
        return re.findall(r"^.*(?:WARNING|BUG|Oops|stall|lockup|FAIL).*$", self.vm.console.log, re.MULTILINE)
