"""`python -m spapr demo`: the numbering of vcpus on one screen.

A pseries guest knows its cpus by numbers, core * vsmt + thread, and a guest that migrates takes its numbers along. Which vsmt a
machine got when nobody asked for one depended on the release and on the host; where two hosts differed, a guest could not go
from one to the other. Here a small guest is really booted as each host would have started it, and says its numbers itself.
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass
from importlib import resources

from spapr.explanation import explain
from spapr.machine import Machine

__all__ = ["main"]

CORES, THREADS = 2, 4
HOSTS = {"POWER8": "kvm-hv/power8", "POWER9 (2018)": "kvm-hv/power9-2018", "POWER9": "kvm-hv/power9"}
# Ruleset, the machine version that a user of that release got, and what its default is.
RULES = [
    ("qemu-2.10", "pseries-2.10", "the host's mode, not settable"),
    ("qemu-2.11", "pseries-2.11", "the host's mode, or threads if more"),
    ("seed", "pseries-2.12", "8, whatever the host"),
    ("qemu-2.12", "pseries-2.12", "8, or threads if more"),
    ("qemu-4.2", "pseries-4.2", "by machine version: threads"),
    ("qemu-10.2", "pseries-10.2", "threads"),
]


@dataclass(frozen=True)
class Told:
    """What a guest says of itself."""

    ids: tuple[int, ...]
    seconds: float


def guest_ids(machine: str, vsmt: int | None) -> Told:
    """Boots the embedded guest and asks it for the numbers of its threads, read from their own registers."""
    begin = time.perf_counter()
    # 2.10 took its host's mode and could not be told another: 2.11's rules can, for the same machine.
    ruleset = "qemu-2.11" if machine == "pseries-2.10" else None
    with resources.as_file(resources.files("spapr") / "guests" / "embedded-be.elf") as kernel:
        vm = Machine(
            machine=machine,
            ruleset=ruleset,
            caps={"htm": "off"},
            smp={"cpus": CORES * THREADS, "cores": CORES, "threads": THREADS},
            vsmt=vsmt,
            memory="256M",
            kernel=kernel,
        )
    with vm:
        vm.start()
        vm.console.expect("^ready\n", timeout=60)
        vm.console.sendline("ids")
        text = vm.console.expect(r"(?s)(.*?)^ok\n", timeout=60).group(1)
        vm.console.sendline("off")
        vm.wait(timeout=60)
    ids = tuple(int(pir) for pir in re.findall(r"pir=(\d+)", text))
    return Told(ids, time.perf_counter() - begin)


def _ids(ids: tuple[int, ...]) -> str:
    return " ".join(f"{n:>2}" for n in ids)


def main() -> int:
    """Shows the table; 0 if every guest said what `explain` foresaw."""
    colour = sys.stdout.isatty()

    def paint(code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if colour else text

    print(f"A guest of {CORES} cores x {THREADS} threads, vsmt not given: the vcpu ids that the guest itself reports.\n")
    wrong = guests = 0
    seconds = 0.0
    reference = "POWER8"
    for ruleset, machine, rule in RULES:
        print(f"{paint('1', ruleset)}  ({machine}; default vsmt: {rule})")
        told: dict[str, Told] = {}
        for host, profile in HOSTS.items():
            answer = explain(ruleset=ruleset, machine=machine, host=profile, threads=THREADS, cpus=CORES * THREADS)
            if not answer.starts:
                print(f"  {host:<14} {paint('31', 'does not start')}: {answer.message}")
                continue
            told[host] = guest_ids(machine, answer.vsmt)
            guests += 1
            seconds += told[host].seconds
            foreseen = tuple(int(n) for n in answer.vcpu_ids)
            line = ""
            if host != reference and reference in told:
                same = told[host].ids == told[reference].ids
                line = paint("32", f"lines up with {reference}") if same else paint("31", f"differs from {reference}: a guest can't migrate between the two")
            if told[host].ids != foreseen:
                wrong += 1
                line = paint("31", f"the guest says otherwise than explain: {_ids(foreseen)}")
            print(f"  {host:<14} vsmt={answer.vsmt}  ids {_ids(told[host].ids)}   {line}".rstrip())
        print()
    print(f"{guests} guests booted and powered off in {seconds:.1f} s; {'all of them' if not wrong else f'all but {wrong}'} have the ids that spapr.explain() foresees.")
    print("Try: python -m spapr explain -M pseries-2.11 --ruleset qemu-2.11 --host kvm-hv/power9 --threads 4")
    return 1 if wrong else 0
