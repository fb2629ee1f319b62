"""Debian's kernel as a guest: where it comes from, how it is booted to a shell, and what its log may not say."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from conftest import ROOT, lacking

import spapr

BOOT_SECONDS = 600.0
"""Time for a boot, with another one beside it on a slow machine."""
COMMAND_SECONDS = 120.0
PROMPT = r"^[~/]? ?# "
"""What the shell says when it waits for a line."""

BAD = [
    r"WARNING: .*",
    r"\bBUG: .*",
    r"Oops: .*",
    r"Unable to handle kernel .*",
    r"rcu: INFO: .*(stall|detected).*",
    r"watchdog: .*(lockup|LOCKUP).*",
    r"Kernel panic.*",
    r".*[Uu]nrecoverable.*",
    r"Bad page state.*",
    r"RTAS: event: .*",
    r"prom_init: .*fail.*",
    r"H_\w+ failed.*",
    r".*rtas.*(failed|error).*",
    r".*hcall.*(failed|error).*",
]
"""What a healthy boot does not say. (`hrtimer: interrupt took` is not among it: a busy host says so, not a sick guest.)"""
FINE = [r"WARNING: nvram corruption detected: 0-length partition"]
"""An NVRAM that nobody has formatted; QEMU's log says the same."""


@cache
def images() -> tuple[Path, Path]:
    """Kernel and initial RAM disk: `SPAPR_KERNEL` and `SPAPR_INITRD`, or Debian's."""
    if "SPAPR_KERNEL" in os.environ:
        return Path(os.environ["SPAPR_KERNEL"]), Path(os.environ.get("SPAPR_INITRD", ""))
    found = subprocess.run([ROOT / "tests" / "tools" / "guest-kernel.sh"], capture_output=True, text=True)
    if found.returncode:
        lacking(found.stderr.strip())
    folder = Path(found.stdout.strip())
    return folder / "vmlinux", folder / "initrd.gz"


class Linux:
    """A guest that has come to a shell."""

    def __init__(self, append: str = "", **settings: Any) -> None:
        kernel, initrd = images()
        command_line = f"console=hvc0 rdinit=/bin/sh {append}".strip()
        base = spapr.MachineConfig(memory="1G", kernel=kernel, initrd=initrd, append=command_line)
        self.vm = spapr.Machine(base, **settings)

    def __enter__(self) -> Linux:
        try:
            self.vm.start()
            console = self.vm.console
            console.expect(PROMPT, fail_on=r"Kernel panic.*|Oops: .*", timeout=BOOT_SECONDS)
            self.shell("mount -t proc proc /proc")
            self.shell("mount -t sysfs sysfs /sys")
        except BaseException:
            self.vm.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.vm.close()

    def shell(self, command: str) -> str:
        """What a command prints."""
        # The marks are put together by the shell, so that the echo of the command, broken at the width of a screen, isn't taken for them.
        self.vm.console.sendline(f"echo BE''GIN; {command}; echo EN''D $?")
        return self.vm.console.expect(r"(?s)^BEGIN\n(.*?)^END (\d+)\n", timeout=COMMAND_SECONDS).group(1)

    def read(self, path: str) -> bytes:
        """A file of the guest's."""
        return base64.b64decode(self.shell(f"base64 '{path}'"))

    def cells(self, path: str) -> list[int]:
        """A property in the guest's device tree, as cells."""
        data = self.read(f"/proc/device-tree/{path}")
        return [int.from_bytes(data[n : n + 4]) for n in range(0, len(data), 4)]

    def power_off(self) -> None:
        """Ends the guest by its own doing."""
        self.vm.console.sendline("poweroff -f")
        assert self.vm.wait(timeout=COMMAND_SECONDS) == "shutdown", self.vm.console.tail()

    @property
    def log(self) -> str:
        """Everything on the console."""
        return self.vm.console.log

    def complaints(self) -> list[str]:
        """Lines of the log that a healthy boot does not have."""
        lines = [line for line in self.log.splitlines() if any(re.search(bad, line) for bad in BAD)]
        return [line for line in lines if not any(re.search(fine, line) for fine in FINE)]
