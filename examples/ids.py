"""Which hosts give a guest the same vcpu ids by default, under each rule? Nothing is started.

    .venv/bin/python examples/ids.py [THREADS]
"""

import sys

import spapr

MACHINES = {"qemu-2.10": "pseries-2.10", "qemu-2.11": "pseries-2.11", "seed": "pseries-2.12", "qemu-2.12": "pseries-2.12", "qemu-4.2": "pseries-4.2", "qemu-10.2": "pseries-10.2"}
threads = int(sys.argv[1]) if len(sys.argv) > 1 else 4
for ruleset, machine in MACHINES.items():
    same: dict[str, list[str]] = {}
    for host in spapr.HOSTS:
        answer = spapr.explain(ruleset=ruleset, machine=machine, host=host, threads=threads)
        same.setdefault(" ".join(map(str, answer.vcpu_ids)) or "does not start", []).append(host)
    print(f"{ruleset}, {machine}, {threads} threads")
    for ids, hosts in same.items():
        print(f"  {ids:<40} {', '.join(hosts)}")
