"""`python -m spapr run`: a guest with its console on the terminal.

On a terminal the keys go to the guest as they are, Ctrl-C among them; Ctrl-A is the way out, as in QEMU. Without one, standard
input is the guest's input, so a script can drive it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
import warnings
from collections.abc import Iterator, Sequence

from spapr import cli, qemu
from spapr.config import MachineConfig
from spapr.errors import ConfigError, SpaprWarning
from spapr.machine import Machine
from spapr.sizes import format_size

__all__ = ["main"]

HELP = """usage: python -m spapr run [OPTION VALUE]…     options are QEMU's; one dash or two

  -M, -machine  pseries[-2.1 … -10.2][,vsmt=8][,ic-mode=xics|xive|dual][,max-cpu-compat=power8][,resize-hpt=…][,cap-NAME=…]
  -cpu          power8, power9, power10 (the machine version's own if left out)
  -smp          8,cores=2,threads=4[,sockets=…][,maxcpus=…]
  -m            memory in MiB, or 2G[,maxmem=…]
  -numa         node,nodeid=0,cpus=0-7,memdev=m0   (with -object memory-backend-ram,id=m0,size=1G)
  -kernel, -initrd, -append, -name, -uuid, -rtc, -device spapr-vty
  -accel        kvm, tcg or interp (auto: kvm where it can run the machine, else tcg)
and spapr's own:
  -timeout      seconds until the guest must have powered off
  -quiet        no line about the machine at the start and the end
  -print-qemu   prints QEMU's arguments for the same machine instead of running it

Keys on a terminal: Ctrl-A x ends the machine, Ctrl-A s asks the guest to shut down, Ctrl-A Ctrl-A types Ctrl-A.
Exit status: 0 the guest powered off; 1 spapr failed; 2 a setting or file was refused; 3 the guest panicked; 4 timeout;
5 the guest stopped otherwise; 130 interrupted."""

OWN = {"-timeout": 1, "-quiet": 0, "-print-qemu": 0, "-help": 0, "-h": 0}
ESCAPE = b"\x01"
STATUS = {"shutdown": cli.EXIT_OK, "guest-panicked": cli.EXIT_PANIC, "internal-error": cli.EXIT_INTERNAL}


def main(words: Sequence[str]) -> int:
    """Runs a guest to its end; returns the exit status."""
    own: dict[str, str] = {}
    rest: list[str] = []
    for option, value in qemu.words(words, qemu.OPTIONS | OWN):
        if option in OWN:
            own[option] = value
        else:
            rest += [option, value] if qemu.OPTIONS[option] else [option]
    if "-help" in own or "-h" in own:
        print(HELP)
        return cli.EXIT_OK
    config = MachineConfig.from_qemu_args(rest)
    if "-print-qemu" in own:
        import shlex

        print(shlex.join(["qemu-system-ppc64", *config.to_qemu_args()]))
        return cli.EXIT_OK
    if config.kernel is None:
        raise ConfigError("kernel", "there is nothing to boot", "use -kernel vmlinux; python -m spapr demo needs none")
    timeout = _seconds(own.get("-timeout"))
    with warnings.catch_warnings(record=True) as odd:
        warnings.simplefilter("always", SpaprWarning)
        vm = Machine(config)
    for warning in odd:
        print(f"spapr: {warning.message}", file=sys.stderr)
    with vm, _orderly_end():
        return _Terminal(vm, timeout, quiet="-quiet" in own).follow()


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
        if seconds > 0:
            return seconds
    except ValueError:
        pass
    raise ConfigError("timeout", f"{text!r} is no number of seconds", "use -timeout 60")


@contextlib.contextmanager
def _orderly_end() -> Iterator[None]:
    """A termination request ends the machine as Ctrl-C does, so that the terminal is put back as it was."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Terminal:
    """The console on standard input and output, until the guest ends."""

    def __init__(self, vm: Machine, timeout: float | None, *, quiet: bool) -> None:
        self.vm = vm
        self.timeout = timeout
        self.quiet = quiet
        self.input = sys.stdin.fileno() if sys.stdin is not None and not sys.stdin.closed else None
        self.escaped = False
        self.quit = False

    def say(self, text: str) -> None:
        if not self.quiet:
            print(f"spapr: {text}\r", file=sys.stderr, flush=True)

    def follow(self) -> int:
        vm, begin = self.vm, time.monotonic()
        config = vm.config
        ids = " ".join(str(n) for n in vm.vcpu_ids[:16]) + (" …" if len(vm.vcpu_ids) > 16 else "")
        self.say(f"{config.machine}, {config.cpu}, {format_size(config.memory)}, vsmt={vm.vsmt}, vcpu ids {ids}")
        try:
            with self._raw():
                vm.start()
                status = self._pump(begin)
        except KeyboardInterrupt:
            self.quit, status = True, "paused"
        vm.pause()
        self.say(f"{vm.status}{f': {vm.status_text}' if vm.status_text else ''}, {vm.instructions:,} instructions in {time.monotonic() - begin:.1f} s")
        if self.quit:
            return cli.EXIT_INTERRUPTED
        if status == "running":
            print(f"spapr: timeout: the guest still runs after {self.timeout:g} s; use a longer -timeout", file=sys.stderr)
            return cli.EXIT_TIMEOUT
        return STATUS.get(status, cli.EXIT_STOPPED)

    @contextlib.contextmanager
    def _raw(self) -> Iterator[None]:
        if self.input is None or not os.isatty(self.input):
            yield
            return
        before = termios.tcgetattr(self.input)
        try:
            tty.setraw(self.input)
            yield
        finally:
            termios.tcsetattr(self.input, termios.TCSADRAIN, before)

    def _pump(self, begin: float) -> str:
        """Carries bytes to and fro; the status in which the machine is when that ends."""
        console = self.vm.console
        seen = 0
        while not self.quit:
            status = self.vm.status
            data = console.since(seen)
            if data:
                seen += len(data)
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
            elif status != "running":
                return status
            if self.timeout is not None and time.monotonic() - begin > self.timeout:
                return "running"
            self._type()
            console.wait_beyond(seen, 0.02)
        return "paused"

    def _type(self) -> None:
        if self.input is None or not select.select([self.input], [], [], 0)[0]:
            return
        data = os.read(self.input, 4096)
        if not data:
            self.input = None
        elif os.isatty(self.input):
            data = self._keys(data)
        if data:
            self.vm.console.write(data)

    def _keys(self, data: bytes) -> bytes:
        typed = b""
        for key in (data[n : n + 1] for n in range(len(data))):
            if self.escaped:
                self.escaped = False
                if key in b"xX":
                    self.quit = True
                elif key in b"sS":
                    self.vm.shutdown()
                elif key == ESCAPE:
                    typed += key
            elif key == ESCAPE:
                self.escaped = True
            else:
                typed += key
        return typed
