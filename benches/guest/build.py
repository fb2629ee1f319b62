"""Builds the measured programs twice: for a Linux guest, with the initial RAM disk that holds them, and for this machine, as the measure of what is right.

    python3 benches/guest/build.py DIR        # makes DIR/initramfs.cpio, DIR/native/bench, DIR/native/leaf

The guest's programs are static and need nothing but a kernel.  The RAM disk's first process (init.c) runs what is typed on the console.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "tools"))

import cpio  # noqa: E402

CROSS = "powerpc64le-linux-gnu-gcc"
CROSS_LIBC = Path("/usr/powerpc64le-linux-gnu/lib/libc.a")
NATIVE = "cc"
MISSING = f"{CROSS} or its static C library is missing; install Debian's packages gcc-powerpc64le-linux-gnu and libc6-dev-ppc64el-cross"

COMMON = ["-O2", "-pthread", "-std=gnu11", "-Wall", "-Wextra", "-ffp-contract=off", "-fno-math-errno"]
FLAGS = {CROSS: [*COMMON, "-mcpu=power9", "-static"], NATIVE: COMMON}
UNITS = {
    "bench": ["bench.c", "integer.c", "whole.c", "float.c", "system.c", "cold.c", "soak.c"],
    "leaf": ["leaf.c"],
    "init": ["init.c"],
}


def lacking() -> str:
    """What is missing to build the guest's programs, or nothing."""
    return "" if shutil.which(CROSS) and CROSS_LIBC.exists() else MISSING


def program(compiler: str, name: str, folder: Path) -> Path:
    """Compiles one program."""
    out = folder / name
    subprocess.run([compiler, *FLAGS[compiler], "-o", str(out), *UNITS[name], "-lm"], check=True, cwd=HERE)
    return out


def build(to: Path, more: Path | None = None) -> Path:
    """Builds everything into `to`; returns the RAM disk, with the files below `more` in it. Raises CalledProcessError where a compiler objects."""
    to = to.resolve()
    for folder in ("native", "guest"):
        (to / folder).mkdir(parents=True, exist_ok=True)
    for name in ("bench", "leaf"):
        program(NATIVE, name, to / "native")
    guest = {name: program(CROSS, name, to / "guest") for name in UNITS}
    disk = cpio.Archive()
    disk.folder("dev")
    disk.device("dev/console", 5, 1)
    disk.folder("bin")
    disk.file("init", guest["init"].read_bytes())
    for name in ("bench", "leaf"):
        disk.file(f"bin/{name}", guest[name].read_bytes())
    if more is not None:
        disk.tree(more)
    out = to / "initramfs.cpio"
    out.write_bytes(disk.finish())
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("to", type=Path, metavar="DIR")
    to = parser.parse_args().to
    if lacking():
        sys.exit(lacking())
    print(build(to))


if __name__ == "__main__":
    main()
