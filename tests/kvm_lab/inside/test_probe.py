"""What the kernel of this host says of itself, by system calls of our own and by spapr's."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

import pytest

import spapr
from conftest import CAP_PPC_MMU_RADIX, CAP_PPC_SMT, CAP_PPC_SMT_POSSIBLE, Host, RawVm, machine


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


def lines(differences: Mapping[str, tuple[object, object]]) -> list[str]:
    """One datum a line, so that a failure shows all of them."""
    return sorted(f"{name}: {kernel} here, {profile} predicted" for name, (kernel, profile) in differences.items())


def test_the_named_profile_is_this_kernel(host: Host) -> None:
    """What is predicted of a host of this kind is what its kernel says, datum by datum, but for what the lab's table explains."""
    report = spapr.probe_host()
    assert (report.architecture, report.kvm) == ("powerpc64", "")
    assert report.facts is not None
    profile = spapr.HOSTS[host.profile]
    said = {name: tuple(value) if isinstance(value, list) else value for name, value in report.facts.items() if name not in ("caps", "pr")}
    said |= {f"cap-{name}": level for name, level in report.facts["caps"]}
    predicted = {name: getattr(profile, name) for name in said if not name.startswith("cap-")}
    predicted |= {f"cap-{name}": level for name, level in profile.caps.items()}
    assert said.keys() == predicted.keys()
    differences = {name: (said[name], predicted[name]) for name in said if said[name] != predicted[name]}
    assert all(why for _, why in host.differs.values())
    expected = {name: values for name, (values, _) in host.differs.items()}
    assert "\n".join(lines(differences)) == "\n".join(lines(expected))
    assert report.facts["pr"] == (profile.kind == "kvm-pr")


def test_the_profile_answers_as_the_kernel_does(host: Host, raw: RawVm) -> None:
    """Call by call, with the errnos."""
    model = spapr.HOSTS[host.profile].kvm()
    granted = []
    unlike = {mode for mode in (1, 2, 4, 8) if (mode & host.possible != 0) != (mode & spapr.HOSTS[host.profile].possible != 0)}
    assert not unlike or "possible" in host.differs
    for mode in range(18):
        try:
            model.enable_smt(mode)
            predicted = 0
        except OSError as e:
            predicted = e.errno or -1
        if mode not in unlike:
            assert raw.set_smt(mode) == predicted, mode
        granted += [mode] if not predicted else []
    assert granted
    assert raw.create(model.vcpu_id_end) == errno.EINVAL
    assert raw.create(0) == 0
    model.create_vcpu(0)
    try:
        model.create_vcpu(0)
        predicted = 0
    except OSError as e:
        predicted = e.errno or -1
    assert raw.create(0) == predicted != 0


def test_what_this_kernel_lacks_is_refused_before_anything_starts(host: Host) -> None:
    lacking = [name.removeprefix("cap-") for name in host.differs if name.startswith("cap-") and name != "cap-htm"]
    if not lacking:
        pytest.skip("this kernel has all that a machine wants by default")
    with pytest.raises(spapr.ConfigError) as refused:
        machine(caps={})
    assert "KVM" in str(refused.value) and any(f'use caps={{"{name}": ' in str(refused.value) for name in lacking)
