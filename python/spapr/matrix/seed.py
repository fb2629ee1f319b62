"""`python -m spapr matrix --seed-patch`: the patch that this project grew from, case by case, predicted and run.

In January 2018 the default vsmt became 8 in every case (David Gibson, "spapr: Adjust default VSMT value for better migration compatibility"). Its message
goes through the hosts one by one and says what breaks. Here every case is asked of the rules and tried: the same machine as QEMU 2.11 would start it and
as the patch would, on that host; both say their vcpu ids; and a guest of 2.11 moves to the patched release.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from spapr.config import MachineConfig
from spapr.explanation import Explanation, explain
from spapr.matrix.payload import Embedded
from spapr.matrix.work import Job, run_batch
from spapr.verdict import check

__all__ = ["CASES", "Case", "main"]


@dataclass(frozen=True)
class Case:
    """A paragraph of the patch's message."""

    title: str
    """The host, as the message calls it."""
    host: str
    """Its profile."""
    threads: int
    """Threads per core of the guest."""
    judgement: str
    """What the message says of it, in our words."""


CASES = (
    Case("KVM HV on POWER8", "kvm-hv/power8", 4, "unchanged by design; the common case in production"),
    Case("KVM HV on POWER7", "kvm-hv/power7", 4, "breaks, but such hosts were never released to the public"),
    Case("KVM HV on POWER9", "kvm-hv/power9-2018", 4, "not yet released: breaking it now prevents more later"),
    Case("KVM HV on PowerPC 970", "kvm-hv/ppc970", 1, "breaks in theory; barely supported, and old"),
    Case("TCG", "tcg", 1, "the nastiest: breaks without an explicit vsmt; but rarely in production, and nearer to KVM now"),
    Case("KVM PR", "kvm-pr", 1, "as TCG"),
)
MACHINE = "pseries-2.11"
CORES = 2


def config(case: Case, ruleset: str) -> MachineConfig:
    """The guest of a case: two cores; what no part of the question is, off."""
    return MachineConfig(
        machine=MACHINE,
        ruleset=ruleset,
        host=case.host,
        smp={"cpus": CORES * case.threads, "threads": case.threads},
        memory="256M",
        caps={"htm": "off", "ail-mode-3": "off", "hpt-max-page-size": "64K"},
    )


def _asked(case: Case, ruleset: str) -> Explanation:
    return explain(ruleset=ruleset, machine=MACHINE, host=case.host, threads=case.threads, cpus=CORES * case.threads)


def _ids(answer: Explanation) -> str:
    return f"{answer.vsmt} ({' '.join(map(str, answer.vcpu_ids))})" if answer.starts else "does not start"


def _tried(source: MachineConfig, destination: MachineConfig) -> tuple[str, str]:
    """What a move comes to, and what was said of it."""
    (row,) = run_batch((Job(0, source, destination),), Embedded(), 60.0)
    return row["verdict"], row["problem"]


def main(*, run: bool = True) -> int:
    """Prints the table; 0 if everything came out as predicted."""
    print(f"The default vsmt of {MACHINE} with {CORES} cores, before the patch (qemu-2.11) and after it (seed): vsmt (vcpu ids)\n")
    wrong = 0
    for case in CASES:
        old, new = config(case, "qemu-2.11"), config(case, "seed")
        before, after = _asked(case, "qemu-2.11"), _asked(case, "seed")
        predicted = check(old, new)
        print(f"{case.title}  ({case.host}, {case.threads} thread{'s' if case.threads > 1 else ''} per core)")
        print(f"  the patch says: {case.judgement}")
        changed = "unchanged" if list(before.vcpu_ids) == list(after.vcpu_ids) else "changed"
        warned = f"; {after.message}" if after.outcome == "starts-with-warning" else ""
        print(f"  default: {_ids(before)} -> {_ids(after)}: {changed}{warned}")
        told = [predicted.verdict]
        if run:
            verdict, problem = _tried(old, new)
            told.append(f"run: {verdict}")
            if verdict != predicted.verdict:
                wrong += 1
                told.append(f"OTHERWISE THAN PREDICTED: {problem}")
        print(f"  a guest of 2.11 to the patched release: predicted: {', '.join(told)}")
        if predicted.remedy:
            vsmt = before.vsmt if "destination" in predicted.remedy else None
            line = f"  brought back by {predicted.remedy}"
            if vsmt is not None:
                mended = new.replace(vsmt=vsmt)
                line += f": predicted: {check(old, mended).verdict}"
                if run:
                    verdict, problem = _tried(old, mended)
                    line += f", run: {verdict}"
                    if verdict != check(old, mended).verdict:
                        wrong += 1
                        line += f", OTHERWISE THAN PREDICTED: {problem}"
            print(line)
        print()
    if run:
        print("Everything came out as predicted." if not wrong else f"{wrong} moves came out otherwise than predicted.", file=sys.stdout)
    return 1 if wrong else 0
