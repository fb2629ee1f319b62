"""Rebuild the embedded guests from `src/`.

The binaries are kept beside the source so that nobody needs a cross compiler to run the tests; this script, with the
compiler named below, makes the same bytes again.  Debian 12's compiler is the reference: another version may order
instructions differently, and then `tests/python/test_embedded_guest_build.py` says so.

    python3 python/spapr/guests/build.py            # rewrites embedded-be.elf and embedded-le.elf
    python3 python/spapr/guests/build.py --to DIR
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "src"
COMPILER = "powerpc64le-linux-gnu-gcc"
PACKAGE = "gcc-powerpc64le-linux-gnu"
REFERENCE_VERSION = "12.2.0"
ENDIANNESSES = {"embedded-be.elf": "-mbig-endian", "embedded-le.elf": "-mlittle-endian"}

# One code generation for both: POWER8 is the oldest machine that runs either endianness; no floating point or vectors,
# because the guest never turns them on; position independent, because the loader chooses the place.
FLAGS = [
    "-mcpu=power8", "-mabi=elfv2", "-mcmodel=medium", "-msoft-float", "-mno-altivec", "-mno-vsx", "-fPIE", "-fvisibility=hidden",
    "-ffreestanding", "-fno-builtin", "-fno-tree-loop-distribute-patterns", "-fno-stack-protector", "-fno-asynchronous-unwind-tables",
    "-fno-delete-null-pointer-checks", "-fno-strict-aliasing", "-ffixed-r13", "-fno-ident", "-fno-common",
    "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
]  # fmt: skip
LINK_FLAGS = [
    "-nostdlib", "-static-pie", "-Wl,--no-dynamic-linker", "-Wl,--build-id=none", "-Wl,-z,norelro", "-Wl,-z,max-page-size=4096",
    "-Wl,--no-warn-rwx-segments", "-Wl,--hash-style=gnu", "-Wl,-s",
]  # fmt: skip


def compiler_version() -> str | None:
    """The cross compiler's version, or None where there is none."""
    if shutil.which(COMPILER) is None:
        return None
    return subprocess.run([COMPILER, "-dumpfullversion"], check=True, capture_output=True, text=True).stdout.strip()


def build(directory: Path) -> list[Path]:
    """Build both guests into `directory`; returns their paths. Raises CalledProcessError where the compiler objects."""
    units = sorted(p.name for p in SOURCES.iterdir() if p.suffix in (".c", ".S"))
    made = []
    for name, endianness in ENDIANNESSES.items():
        out = directory / name
        # Relative names, from the source directory: no path of this machine reaches the compiler.
        script = ["-Wl,-T,guest.lds"]
        subprocess.run([COMPILER, endianness, *FLAGS, *LINK_FLAGS, *script, "-o", str(out.resolve()), *units], check=True, cwd=SOURCES)
        out.chmod(0o644)
        made.append(out)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Rebuild the embedded guests.")
    parser.add_argument("--to", type=Path, default=HERE, help="directory for the binaries (default: beside this script)")
    directory = parser.parse_args().to
    version = compiler_version()
    if version is None:
        raise SystemExit(f"{COMPILER} is missing; install Debian's package {PACKAGE}")
    if version != REFERENCE_VERSION:
        print(f"note: {COMPILER} is {version}; the committed binaries were made by {REFERENCE_VERSION}")
    for path in build(directory):
        print(f"{path} {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
