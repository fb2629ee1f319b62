#!/usr/bin/env python3
"""An emulated POWER host with a real KVM-HV, and the tests of `tests/kvm_lab/inside` in it.

    python3 tests/kvm_lab/lab.py powernv9                 # all that the host can show
    python3 tests/kvm_lab/lab.py powernv8-smt4 -k vsmt    # further arguments are pytest's

QEMU emulates the host, Debian's unmodified kernel boots on it and loads kvm-hv, and the extension module, built for powerpc64le, finds the
real /dev/kvm there. What is needed is fetched and built first (`prepare`). The result is a JUnit file, whose test ids bear the host's name,
and the console, both below `target/kvm-lab`. Exit status: the inner pytest's, or 70 if the host did not get that far.
"""

from __future__ import annotations

import argparse
import base64
import compileall
import dataclasses
import gzip
import os
import pathlib
import py_compile
import resource
import shutil
import stat
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
OUT = ROOT / "target" / "kvm-lab"
TARGET = "powerpc64le-unknown-linux-gnu"
LINKER = "powerpc64le-linux-gnu-gcc"
OTHER_WAYS = (
    f"run rustup target add {TARGET}, or install a distribution's compiler with that library, of one version (Debian: rustc-web, and libstd-rust-web-dev:ppc64el "
    "after dpkg --add-architecture ppc64el), and name it in RUSTC"
)
"""Where else the standard library comes from."""
PURE = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments")
"""Packages of the private environment that the inner pytest is made of; they have no compiled parts."""

BMC = ("-device", "ipmi-bmc-sim,id=bmc0", "-device", "isa-ipmi-bt,bmc=bmc0,irq=10")


@dataclasses.dataclass(frozen=True)
class Host:
    """A kind of host."""

    name: str
    machine: tuple[str, ...]
    append: str = ""
    pages: str = "64k"
    limit: int = 900
    """Seconds until it is given up."""


HOSTS = {
    h.name: h
    for h in (
        Host("powernv9", ("-M", "powernv9", "-smp", "1", *BMC)),
        Host("powernv9-smp2", ("-M", "powernv9", "-smp", "2", *BMC)),
        Host("powernv9-smp4", ("-M", "powernv9", "-smp", "4,threads=4", *BMC)),
        Host("powernv9-hpt", ("-M", "powernv9", "-smp", "1", *BMC), append="disable_radix"),
        Host("powernv9-4k", ("-M", "powernv9", "-smp", "1", *BMC), pages="4k"),
        Host("powernv10", ("-M", "powernv10", "-smp", "1", *BMC)),
        Host("powernv8", ("-M", "powernv8", "-smp", "1", *BMC)),
        Host("powernv8-smt2", ("-M", "powernv8", "-smp", "2,cores=1,threads=2", *BMC)),
        Host("powernv8-smt4", ("-M", "powernv8", "-smp", "4,cores=1,threads=4", *BMC)),
        Host("powernv8-smt8", ("-M", "powernv8", "-smp", "8,cores=1,threads=8", *BMC), limit=1800),
        Host("nested", ("-M", "pseries,cap-nested-hv=on,cap-cfpc=workaround,cap-sbbc=workaround,cap-ibs=fixed-ccd,cap-ccf-assist=off", "-cpu", "power9", "-smp", "1")),
    )
}


class LabError(Exception):
    """The host could not be made or did not get as far as its tests."""


def tool(script: str, *arguments: str) -> str:
    """What one of tests/tools prints."""
    done = subprocess.run([ROOT / "tests" / "tools" / script, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(done.stderr.strip() or f"{script} failed")
    return done.stdout.strip()


def need_target() -> None:
    """The standard library for powerpc64le, for the compiler that cargo uses."""
    if not shutil.which(LINKER):
        raise LabError(f"{LINKER} is missing: install Debian's gcc-powerpc64le-linux-gnu")
    compiler = os.environ.get("RUSTC", "rustc")
    where = subprocess.run([compiler, "--print", "target-libdir", "--target", TARGET], capture_output=True, text=True, check=False)
    if where.returncode == 0 and list(pathlib.Path(where.stdout.strip()).glob("libstd-*")):
        return
    if "RUSTC" in os.environ or not shutil.which("rustup"):
        raise LabError(f"{compiler} has no standard library for {TARGET}: {OTHER_WAYS}")
    added = subprocess.run(["rustup", "target", "add", TARGET], capture_output=True, text=True, cwd=ROOT, check=False)
    if added.returncode:
        said = (added.stderr.strip().splitlines() or ["it does not say why"])[-1]
        raise LabError(f"rustup target add {TARGET} failed ({said}): try again with a network, or {OTHER_WAYS}")


def build() -> pathlib.Path:
    """The extension module for powerpc64le, with every check on."""
    need_target()
    name = TARGET.upper().replace("-", "_")
    settings = {
        f"CARGO_TARGET_{name}_LINKER": LINKER,
        "PYO3_CROSS_PYTHON_VERSION": "3.11",
        "PYO3_BUILD_EXTENSION_MODULE": "1",
        # The guest's instructions are the kernel's to run: quickly built matters more here than fast.
        "CARGO_PROFILE_CHECKED_OPT_LEVEL": "1",
        "CARGO_PROFILE_CHECKED_STRIP": "symbols",
        "CARGO_PROFILE_CHECKED_DEBUG": "none",
    }
    command = ["cargo", "build", "--quiet", "--lib", "--profile", "checked", "--features", "python", "--target", TARGET]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"building for {TARGET} failed:\n{done.stderr}")
    return ROOT / "target" / TARGET / "checked" / "libspapr.so"


class Archive:
    """A cpio archive («newc»), as the kernel unpacks its first root file system from; several may follow each other."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.folders: set[str] = {""}
        self.count = 0

    def _entry(self, name: str, mode: int, data: bytes) -> None:
        self.count += 1
        encoded = name.encode() + b"\0"
        fields = (self.count, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + encoded
        self.parts += [head, b"\0" * (-len(head) % 4), data, b"\0" * (-len(data) % 4)]

    def _folder(self, name: str) -> None:
        if name not in self.folders:
            self._folder(name.rpartition("/")[0])
            self.folders.add(name)
            self._entry(name, stat.S_IFDIR | 0o755, b"")

    def add(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """A file with this content."""
        self._folder(name.rpartition("/")[0])
        self._entry(name, stat.S_IFREG | mode, data)

    def tree(self, folder: pathlib.Path, to: str) -> None:
        """A folder with all that is in it."""
        for path in sorted(folder.rglob("*")):
            name = f"{to}/{path.relative_to(folder)}".lstrip("/")
            if path.is_symlink():
                self._folder(name.rpartition("/")[0])
                self._entry(name, stat.S_IFLNK | 0o777, os.readlink(path).encode())
            elif path.is_dir():
                self._folder(name)
            elif path.suffix != ".so" or to == "":
                self.add(name, path.read_bytes(), path.stat().st_mode & 0o777)

    def packed(self) -> bytes:
        """The archive, compressed."""
        self._entry("TRAILER!!!", 0, b"")
        return gzip.compress(b"".join(self.parts), compresslevel=3, mtime=0)


def compile_once(folder: pathlib.Path) -> None:
    """Byte code for the host's Python, if the one here writes the same; compiling under emulation takes its time."""
    if sys.version_info[:2] == (3, 11):
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        for part in ("usr/lib/python3.11", "usr/lib/python3/dist-packages"):
            compileall.compile_dir(folder / part, quiet=2, stripdir=str(folder), invalidation_mode=mode)


def base(cache: pathlib.Path) -> bytes:
    """Debian's files and pytest: the part of the root file system that stays the same."""
    packages = [p for p in (ROOT / ".venv" / "lib").glob("python3.*/site-packages")]
    if not packages or not (packages[0] / "pytest").is_dir():
        raise LabError("there is no pytest in .venv: run sh tests/run.sh once, or install pytest there")
    stamp = zlib.crc32("".join(sorted(p.name for p in packages[0].iterdir())).encode())
    ready = cache / f"base-{stamp:08x}.cpio.gz"
    if not ready.exists():
        archive = Archive()
        compile_once(cache / "root")
        archive.tree(cache / "root", "")
        for name in PURE:
            archive.tree(packages[0] / name, f"site/{name}")
            for about in packages[0].glob(f"{name}-*.dist-info/METADATA"):
                archive.add(f"site/{about.parent.name}/METADATA", about.read_bytes())
        archive.add("site/py.py", (packages[0] / "py.py").read_bytes())
        part = ready.with_suffix(f".{os.getpid()}")
        part.write_bytes(archive.packed())
        part.rename(ready)
    return ready.read_bytes()


def guest(cache: pathlib.Path, pages: str) -> bytes:
    """A Linux guest for the host's KVM: the host's own kernel, and a root file system of busybox."""
    kernel = cache / f"kernel-{pages}" / "vmlinux"
    stamp = zlib.crc32((HERE / "guest-init").read_bytes())
    ready = cache / f"guest-{pages}-{kernel.stat().st_mtime_ns:x}-{stamp:08x}.cpio.gz"
    if not ready.exists():
        root = Archive()
        root.add("init", (HERE / "guest-init").read_bytes(), 0o755)
        root.add("bin/busybox", (cache / "root" / "bin" / "busybox").read_bytes(), 0o755)
        archive = Archive()
        archive.add("lab/linux/vmlinux", kernel.read_bytes())
        archive.add("lab/linux/initrd", root.packed())
        part = ready.with_suffix(f".{os.getpid()}")
        part.write_bytes(archive.packed())
        part.rename(ready)
    return ready.read_bytes()


def overlay(host: Host, cache: pathlib.Path, extension: pathlib.Path, arguments: Sequence[str], files: Mapping[str, bytes]) -> bytes:
    """What is tested, the tests, and files for them."""
    archive = Archive()
    for name, data in files.items():
        archive.add(f"lab/files/{name}", data)
    archive.add("init", (HERE / "init").read_bytes(), 0o755)
    for module in ("kvm.ko", "kvm-hv.ko"):
        archive.add(f"lab/{module}", (cache / f"kernel-{host.pages}" / module).read_bytes())
    archive.tree(ROOT / "python" / "spapr", "site/spapr")
    archive.add("site/spapr/_spapr.abi3.so", extension.read_bytes(), 0o755)
    archive.tree(HERE / "inside", "lab/inside")
    words = " ".join("'" + a.replace("'", "'\\''") + "'" for a in arguments)
    command = f"exec python3.11 -B -m pytest -p no:cacheprovider -v --junitxml=/tmp/junit.xml -c /lab/inside/pytest.ini --rootdir /lab/inside {words}"
    run = f"export PYTHONPATH=/site SPAPR_LAB_HOST={host.name} PATH=$PATH:/usr/bin\nexport PYTHONUNBUFFERED=1\ncd /lab/inside\n{command}\n"
    archive.add("lab/run", run.encode())
    return archive.packed()


def lines(process: subprocess.Popen[bytes], deadline: float) -> Iterator[str]:
    """The console, line by line; the process is killed when time is over."""
    watch = threading.Timer(max(deadline - time.monotonic(), 0.1), process.kill)
    watch.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            yield line.decode(errors="replace").rstrip("\r\n")
    finally:
        watch.cancel()


def boot(host: Host, kernel: pathlib.Path, initrd: pathlib.Path, echo: bool) -> tuple[int, dict[str, bytes], list[str]]:
    """Runs the host to its end mark; the inner status, the files that it leaves, and the console."""
    qemu = os.environ.get("SPAPR_QEMU_SYSTEM") or tool("qemu.sh", "system")
    command = [qemu, "-accel", "tcg,thread=multi", "-m", "2G", "-display", "none", "-nodefaults", "-serial", "stdio", "-monitor", "none", "-no-reboot"]
    command += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", f"console=hvc0 quiet panic=-1 {host.append}".strip(), *host.machine]
    console: list[str] = []
    files: dict[str, list[str]] = {}
    file: list[str] | None = None
    status = -1
    with subprocess.Popen(["nice", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            for line in lines(process, time.monotonic() + host.limit):
                if file is not None and not line.startswith("LAB> "):
                    file.append(line)
                    continue
                console.append(line)
                if echo:
                    print(line, flush=True)
                if line.startswith("LAB> file "):
                    file = files.setdefault(line.split()[-1], [])
                elif line.startswith("LAB> end "):
                    status = int(line.split()[-1])
                    break
        finally:
            process.kill()
    if status < 0:
        raise LabError(f"{host.name} did not get to its end mark within {host.limit} s; its last words:\n" + "\n".join(console[-20:]))
    return status, {name: gzip.decompress(base64.b64decode("".join(text))) for name, text in files.items()}, console


def processor_seconds() -> float:
    """What the processes that have ended took of processors: unlike the time, it does not depend on who else runs here."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(name: str, arguments: Sequence[str] = (), echo: bool = False, files: Mapping[str, bytes] | None = None) -> int:
    """Prepares and runs one host, whose tests find `files` in /lab/files. The results are in `target/kvm-lab`: NAME.xml, NAME.console, and what
    the tests put into /tmp/out.
    """
    host = HOSTS[name]
    start = time.monotonic()
    OUT.mkdir(parents=True, exist_ok=True)
    cache = pathlib.Path(tool("kvm-lab-packages.sh", host.pages))
    fetched = time.monotonic()
    extension = build()
    built = time.monotonic()
    initrd = OUT / f"{name}.cpio.gz"
    initrd.write_bytes(base(cache) + guest(cache, host.pages) + overlay(host, cache, extension, arguments, files or {}))
    junit, console = OUT / f"{name}.xml", OUT / f"{name}.console"
    for old in (junit, OUT / f"{name}.state"):
        old.unlink(missing_ok=True)
    packed, used = time.monotonic(), processor_seconds()
    try:
        status, left, said = boot(host, cache / f"kernel-{host.pages}" / "vmlinux", initrd, echo)
    finally:
        initrd.unlink()
    console.write_text("\n".join(said) + "\n")
    for file, data in left.items():
        (OUT / (junit.name if file == "junit.xml" else file)).write_bytes(data)
    steps = zip(("fetch", "build", "pack", "run"), (fetched - start, built - fetched, packed - built, time.monotonic() - packed), strict=True)
    print(f"{name}: " + ", ".join(f"{what} {seconds:.0f} s" for what, seconds in steps) + f" ({processor_seconds() - used:.0f} s of processors); pytest's status {status}", file=sys.stderr)
    return status


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Runs the KVM tests in an emulated POWER host.")
    parser.add_argument("host", choices=HOSTS, help="the kind of host")
    parser.add_argument("--quiet", action="store_true", help="do not show the console")
    options, rest = parser.parse_known_args()
    try:
        return run(options.host, rest, echo=not options.quiet)
    except LabError as e:
        print(f"spapr: {e}", file=sys.stderr)
        return 70


if __name__ == "__main__":
    sys.exit(main())
