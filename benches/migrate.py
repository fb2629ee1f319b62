"""Live migration over a Unix socket, beside QEMU with the same guest in the same run: `.venv/bin/python benches/migrate.py`.

The guest is the embedded one. It fills memory with contents that nobody can leave out and then stands idle, or goes on changing pages at a rate. Runs alternate. Source and
destination are two processes each. Throughput is bytes sent by total time, downtime what the source says, as in QEMU's query-migrate.

Environment: SPAPR_BENCH_RUNS (3), SPAPR_BENCH_ACCEL (interp), SPAPR_BENCH_MIB (2048, of the idle guest), SPAPR_QEMU_SYSTEM.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import spapr

GUEST = Path(spapr.__file__).parent / "guests" / "embedded-be.elf"
RUNS = int(os.environ.get("SPAPR_BENCH_RUNS", "3"))
ACCEL = os.environ.get("SPAPR_BENCH_ACCEL", "interp")
IDLE_MIB = int(os.environ.get("SPAPR_BENCH_MIB", "2048"))
DOWNTIME_MS = 300
PATIENCE = 900.0


@dataclass
class Case:
    """A guest and what it does."""

    name: str
    memory: int
    """MiB of RAM."""
    window: int
    """MiB that it fills, and then changes."""
    rate: int
    """MiB a second that it changes; each page counts whole, however little of it changes."""


CASES = [
    Case(f"{IDLE_MIB} MiB touched, idle", IDLE_MIB, IDLE_MIB - 40, 0),
    Case("512 MiB, 100 MiB/s dirtied", 512, 256, 100),
    Case("512 MiB, 400 MiB/s dirtied", 512, 256, 400),
]


@dataclass
class Result:
    """One move."""

    total: float
    downtime: float
    sent: float
    rounds: int

    @property
    def throughput(self) -> float:
        """MiB a second."""
        return self.sent / (self.total / 1000)


class Ours:
    """spapr, its destination in another process."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.uri = f"unix:{folder}/spapr.sock"
        self.settings = {"cpu": "power9", "smp": 1, "memory": f"{case.memory}M", "accel": ACCEL}
        self.vm = spapr.Machine(**self.settings, kernel=GUEST)
        self.vm.start()
        self.vm.console.expect(r"^> ", timeout=PATIENCE)

    def ask(self, command: str) -> str:
        self.vm.console.sendline(command)
        return self.vm.console.expect(r"(?s).*?^(ok|error.*?)$", timeout=PATIENCE)[0]

    def move(self) -> Result:
        code = f"import spapr; w = spapr.incoming({self.uri!r}, **{self.settings!r}); print('ready', flush=True); vm = w.wait(); input(); vm.close()"
        to = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert to.stdout and to.stdout.readline()
        info = self.vm.migrate(self.uri, downtime_limit=DOWNTIME_MS, timeout=PATIENCE)
        to.communicate("\n")
        return Result(info.total_time, info.downtime or 0.0, info.ram.transferred / 2**20, info.ram.dirty_sync_count)

    def close(self) -> None:
        self.vm.close()


class Qmp:
    """QEMU's monitor, as far as a migration needs it."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + 30
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.lines: IO[str] = self.socket.makefile("r")
        self.lines.readline()
        self.call("qmp_capabilities")

    def call(self, name: str, **arguments: Any) -> Any:
        self.socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode())
        while True:
            answer = json.loads(self.lines.readline())
            if "error" in answer:
                raise RuntimeError(answer["error"])
            if "return" in answer:
                return answer["return"]


class Theirs:
    """QEMU."""

    def __init__(self, case: Case, folder: Path, program: str) -> None:
        (folder / "rom.bin").write_bytes(bytes(256) + bytes.fromhex("483fff00"))
        self.folder = folder
        self.line = [
            *(program, "-M", "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off", "-cpu", "power9"),
            *("-smp", "1", "-m", f"{case.memory}M", "-nodefaults", "-nographic", "-bios", str(folder / "rom.bin"), "-kernel", str(GUEST)),
        ]
        self.source = self.start("source", stdio=True)
        self.qmp = Qmp(folder / "source.qmp")
        self.said = ""
        self.expect(r"^> ")

    def start(self, name: str, *, stdio: bool, extra: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        (self.folder / f"{name}.qmp").unlink(missing_ok=True)
        serial = "stdio" if stdio else "null"
        line = [*self.line, "-serial", serial, "-qmp", f"unix:{self.folder}/{name}.qmp,server=on,wait=off", *extra]
        return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def expect(self, pattern: str) -> str:
        assert self.source.stdout
        while not (match := re.search(pattern, self.said, re.MULTILINE)):
            more = os.read(self.source.stdout.fileno(), 65536)
            assert more, self.said
            self.said += more.decode().replace("\r", "")
        text, self.said = self.said[: match.end()], self.said[match.end() :]
        return text

    def ask(self, command: str) -> str:
        assert self.source.stdin
        self.source.stdin.write(f"{command}\n".encode())
        self.source.stdin.flush()
        return self.expect(r"^(ok|error.*)$")

    def move(self) -> Result:
        at = f"unix:{self.folder}/qemu.sock"
        to = self.start("destination", stdio=False, extra=("-incoming", at))
        other = Qmp(self.folder / "destination.qmp")
        self.qmp.call("migrate-set-parameters", **{"downtime-limit": DOWNTIME_MS, "max-bandwidth": 10 << 30})
        self.qmp.call("migrate", uri=at)
        while (info := self.qmp.call("query-migrate"))["status"] not in ("completed", "failed"):
            time.sleep(0.02)
        assert info["status"] == "completed", info
        other.call("quit")
        to.wait()
        return Result(info["total-time"], info["downtime"], info["ram"]["transferred"] / 2**20, info["ram"]["dirty-sync-count"])

    def close(self) -> None:
        self.source.kill()
        self.source.wait()


def fill(side: Ours | Theirs, case: Case) -> None:
    """Every page of the window is written at least once, then the load begins."""
    while True:
        text = side.ask(f"dirty 1000000 2 {case.window}")
        done = re.findall(r"since-start=(\d+)", text)
        assert done, text
        if int(done[-1]) >= case.window * 256:
            break
    if case.rate:
        side.ask(f"dirty start {case.rate * 256} {case.window}")
        time.sleep(1)


def rate(side: Ours | Theirs) -> float:
    """MiB a second that the guest really changes."""

    def written() -> int:
        return int(re.findall(r"writes=(\d+)", side.ask("dirty"))[-1])

    began, before = time.monotonic(), written()
    time.sleep(1)
    return (written() - before) / 256 / (time.monotonic() - began)


def main() -> None:
    qemu = os.environ.get("SPAPR_QEMU_SYSTEM") or shutil.which("qemu-system-ppc64")
    print(f"accel {ACCEL}, downtime limit {DOWNTIME_MS} ms, {RUNS} runs, load {os.getloadavg()[0]:.1f}; " + (qemu or "no QEMU: no comparison"))
    for case in CASES:
        results: dict[str, list[Result]] = {"spapr": [], "qemu": []}
        for _ in range(RUNS):
            with tempfile.TemporaryDirectory() as folder:
                for name in results:
                    if name == "qemu" and not qemu:
                        continue
                    side = Ours(case, Path(folder)) if name == "spapr" else Theirs(case, Path(folder), str(qemu))
                    try:
                        fill(side, case)
                        really = rate(side) if case.rate else 0.0
                        r = side.move()
                    finally:
                        side.close()
                    results[name].append(r)
                    print(
                        f"  {case.name:28} {name:6} total {r.total:8.0f} ms  downtime {r.downtime:7.1f} ms  sent {r.sent:7.1f} MiB  "
                        f"{r.throughput:7.0f} MiB/s  {r.rounds} rounds  dirtied {really:5.0f} MiB/s",
                        flush=True,
                    )
        for name, all_runs in results.items():
            if all_runs:
                through, down = (statistics.median(getattr(r, what) for r in all_runs) for what in ("throughput", "downtime"))
                print(f"{case.name:30} {name:6} {through:7.0f} MiB/s  downtime {down:6.1f} ms (worst {max(r.downtime for r in all_runs):.1f})")
        if all(results.values()):
            ratio = {w: statistics.median(getattr(r, w) for r in results["spapr"]) / statistics.median(getattr(r, w) for r in results["qemu"]) for w in ("throughput", "downtime", "total")}
            print(f"{case.name:30} ratio  throughput {ratio['throughput']:.2f}  downtime {ratio['downtime']:.2f}  total time {ratio['total']:.2f}", flush=True)


if __name__ == "__main__":
    main()
