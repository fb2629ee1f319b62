"""The programs of benches/guest, built for a Linux guest and for this machine, and a guest that runs them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from conftest import ROOT, lacking
from linux import BAD, BOOT_SECONDS, COMMAND_SECONDS, images

import spapr


@cache
def _builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("guest_programs", ROOT / "benches" / "guest" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def build(folder: Path, more: Path | None = None) -> Path:
    """Builds everything, and a RAM disk with the files below `more` besides; the test is skipped where there is no compiler."""
    builder = _builder()
    missing = builder.lacking()
    if missing:
        lacking(missing)
    builder.build(folder, more)
    return folder


def native(folder: Path, name: str, rounds: int, copies: int) -> str:
    """What the program prints here."""
    words = [str(folder / "native" / "bench"), name, str(rounds), str(copies), str(folder / "native" / "leaf")]
    done = subprocess.run(words, input="\n\n\n", check=True, capture_output=True, text=True, timeout=COMMAND_SECONDS)
    return done.stdout.splitlines()[-1]


class Programs:
    """A guest that runs programs."""

    def __init__(self, folder: Path, accel: str, smp: int = 1) -> None:
        self.folder = folder
        self.vm = spapr.Machine(
            memory="1G", smp=smp, cpu="power9", accel=accel, kernel=images()[0], initrd=folder / "initramfs.cpio", append="console=hvc0 quiet"
        )

    def __enter__(self) -> Programs:
        try:
            self.vm.start()
            self.vm.console.expect(r"^ready\n", fail_on=r"Kernel panic.*", timeout=BOOT_SECONDS)
        except BaseException:
            self.vm.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.vm.close()

    def command(self, line: str, timeout: float = COMMAND_SECONDS) -> str:
        """Everything that a program says, which must end well."""
        self.vm.console.sendline(line)
        said, status = self.vm.console.expect(r"(?s)\A(.*?)^status (\d+)\n", fail_on="|".join(BAD), timeout=timeout).groups()
        assert status == "0", said
        return str(said)

    def run(self, name: str, rounds: int, copies: int = 1) -> str:
        """What one of our programs computes in the guest."""
        return self.command(f"{name} {rounds} {copies}" + ("\n\n\n" if name == "cold" else "")).splitlines()[-1]
