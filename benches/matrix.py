"""How fast a matrix is predicted: `.venv/bin/python benches/matrix.py [CELLS]`.

A million cells of the question that this project grew from, in the form that users ask it: releases, machine versions, pairs of hosts, threads, vsmt,
interrupt controllers, and a capability. Printed are seconds, cells a second, and what came of them.
"""

from __future__ import annotations

import os
import sys
import time

from spapr import HOSTS, MACHINES, Matrix


def main() -> None:
    """Runs it three times."""
    cells = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    hosts = [name for name in HOSTS if "nested" not in name]
    matrix = Matrix(
        ruleset=["qemu-2.11", "seed", "qemu-2.12", "qemu-4.2"],
        machine=[name for name in reversed(MACHINES) if name.removeprefix("pseries-") in ("2.7", "2.8", "2.9", "2.10", "2.11")],
        cap_ail_mode_3="off",
        cap_hpt_max_page_size="64K",
        cap_htm=["off", "on"],
        memory=["256M", "512M"],
        resize_hpt=[None, "disabled", "enabled"],
        threads=[1, 2, 4, 8],
        vsmt=[None, 1, 4, 8],
        source_host=hosts,
        dest_host="same-axis",
        max_cpu_compat=["power8", None],
    )
    begin = time.perf_counter()
    matrix = matrix.where(lambda c: c.vsmt is None or c.vsmt >= c.threads)
    chosen = time.perf_counter() - begin
    matrix = matrix._with(matrix.cells[:cells]) if len(matrix) > cells else matrix
    print(f"{matrix}; chosen in {chosen:.2f} s; {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for _ in range(3):
        begin, cpu = time.perf_counter(), time.process_time()
        verdicts = matrix.check()
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
        print(f"check: {seconds:.2f} s, {cpu:.2f} s of CPU, {len(matrix) / seconds:,.0f} cells/s")
    print(verdicts)
    begin = time.perf_counter()
    rows = verdicts.rows()
    print(f"rows: {time.perf_counter() - begin:.2f} s for {len(rows)} dictionaries")
    carried_out()


def carried_out() -> None:
    """A hundred cells that migrate, each started, moved and looked at, on as many threads as there are processors."""
    matrix = Matrix(
        machine="pseries-9.2",
        source_host=["kvm-hv/power8", "kvm-hv/power9", "kvm-hv/power9-hash", "tcg"],
        dest_host="same-axis",
        ic_mode="xics",
        max_cpu_compat="power8",
        vsmt=[None, 8],
        threads=[1, 2, 4],
        cap_htm="off",
    )
    matrix = matrix._with(matrix.check().where(verdict="migrates").data["cell"])
    begin, cpu = time.perf_counter(), time.process_time()
    results = matrix.run()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    print(f"{results}: {seconds:.1f} s, {len(results) / seconds:.1f} cells/s; {1000 * cpu / len(results):.0f} ms of CPU each")


main()
