"""What the kernel of this host says of itself, by system calls of our own and by spapr's."""

from __future__ import annotations

import errno
import os

from conftest import CAP_PPC_MMU_RADIX, CAP_PPC_SMT, CAP_PPC_SMT_POSSIBLE, Host, RawVm


def test_the_device_is_there(host: Host) -> None:
    os.close(os.open("/dev/kvm", os.O_RDWR))


def test_the_host_is_what_the_lab_says(host: Host, raw: RawVm) -> None:
    assert (raw.check(CAP_PPC_SMT), raw.check(CAP_PPC_SMT_POSSIBLE)) == (host.smt, host.possible)
    assert bool(raw.check(CAP_PPC_MMU_RADIX)) == host.radix


def test_the_kernel_grants_exactly_the_modes_it_names(host: Host, raw: RawVm) -> None:
    for mode in (1, 2, 4, 8):
        assert raw.set_smt(mode) == (0 if host.possible & mode else errno.EINVAL), mode
    for mode in (0, 3, 5, 16):
        assert raw.set_smt(mode) == errno.EINVAL, mode
    assert raw.create(0) == 0
    assert raw.set_smt(host.smt) == errno.EBUSY
    assert raw.create(0) == (errno.EEXIST if host.strict else errno.EINVAL)
