"""Linux where the embedded guest mostly stands: in the cells of a matrix, and booted once for many tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from linux import BOOT_SECONDS, COMMAND_SECONDS, PROMPT, images

from spapr import Matrix
from spapr.matrix import Kernel
from spapr.pytest_plugin import BootedFactory


@pytest.mark.linux
def test_linux_moves_in_the_cells_of_a_matrix(tmp_path: Path) -> None:
    kernel, initrd = images()
    matrix = Matrix(
        machine="pseries-9.2",
        source_host=["kvm-hv/power8", "kvm-hv/power9"],
        dest_host=["kvm-hv/power8", "kvm-hv/power9"],
        ic_mode="xics",
        max_cpu_compat="power8",
        cap_htm="off",
        memory="1G",
        threads=1,
        vsmt=8,
    )
    matrix = matrix.where(lambda c: c.source_host == "kvm-hv/power8")
    payload = Kernel(
        str(kernel),
        str(initrd),
        append="console=hvc0 quiet rdinit=/bin/sh",
        before_=(("echo $((6 * 7)) kept > /tmp/it; mount -t proc proc /proc; echo ready to go", r"^ready to go"),),
        after_=(("cat /tmp/it", r"^42 kept"), ("echo cpus $(grep -c ^processor /proc/cpuinfo)", r"^cpus 2\s")),
    )
    results = matrix.run(payload=payload, timeout=BOOT_SECONDS, keep=tmp_path)
    assert len(results) == 2 and not results.disagreements(), results.rows()
    assert {row["verdict"] for row in results.rows()} <= {"migrates", "migrates-with-warning"}


@pytest.mark.linux
@pytest.mark.parametrize("n", range(3))
def test_linux_is_booted_once_and_forked_for_each_test(spapr_booted: BootedFactory, n: int) -> None:
    kernel, initrd = images()
    vm = spapr_booted(
        kernel=kernel, initrd=initrd, append="console=hvc0 quiet rdinit=/bin/sh", memory="1G", smp=2, until=PROMPT, timeout=BOOT_SECONDS
    )
    vm.console.sendline(f"ls /tmp; echo mine > /tmp/{n}; echo files $(ls /tmp)")
    vm.console.expect(rf"^files {n}\s", timeout=COMMAND_SECONDS)
