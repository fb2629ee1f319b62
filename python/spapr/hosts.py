"""The kinds of host, as data: what each kernel reports and permits, and what this machine is.

`HOSTS["kvm-hv/power8"]` can be read, compared, and asked call by call (`kvm()`), with the errnos of a real kernel. `Machine(host="kvm-hv/power8")` starts
as on such a host: this machine's accelerator runs the guest, but the host's rules hold.
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from spapr import _spapr
from spapr.config import Caps, unknown

__all__ = ["HostProfile", "HostReport", "Hosts", "probe_host"]


@dataclass(frozen=True, kw_only=True)
class HostProfile:
    """A kind of host. `str()` says what it stands for."""

    name: str
    """Its name, such as `kvm-hv/power8`."""
    about: str
    """What it stands for."""
    kind: str
    """`kvm-hv`, `kvm-pr` or `emulation`."""
    linux: str
    """Which Linux it stands for; empty without KVM."""
    cpu: str | None
    """The processor guests get; KVM-HV has no other. None: the machine version's."""
    pvr: int | None
    """That processor's version register."""
    compat_modes: tuple[str, ...]
    """The modes that it can be held to (`max_cpu_compat`), oldest first."""
    default_smt: int
    """The spacing of vcpu ids before anything is set (KVM_CAP_PPC_SMT on the VM)."""
    settable_modes: tuple[int, ...]
    """The modes that can be set before the first vcpu exists; empty: none ever."""
    possible: int
    """KVM_CAP_PPC_SMT_POSSIBLE as a kernel reports it: the bit of value m is set for mode m. 0: too old to say."""
    vcores: str | None
    """`strict`: the vcpus of a virtual core share a physical one (before POWER9); `loose`: each is by itself."""
    max_threads: int | None
    """Most threads of a core, where an emulator decides."""
    vcpu_id_end: int | None
    """First vcpu id that is refused (KVM_CAP_MAX_VCPU_ID); None: no limit."""
    max_vcpus: int | None
    """Most vcpus of a guest (KVM_CAP_MAX_VCPUS); None: no limit."""
    mmu: tuple[str, ...]
    """How guests may translate: `hash`, `radix`."""
    caps: Caps
    """The highest level of each sPAPR capability in which the kernel has a say."""

    @property
    def is_kvm(self) -> bool:
        """Whether there is a kernel to ask."""
        return self.kind != "emulation"

    def kvm(self) -> _spapr.KvmModel:
        """A virtual machine on such a kernel, to be asked call by call: `smt`, `possible`, `vcpu_id_end`, `enable_smt(mode)`, `create_vcpu(id)`. What the
        kernel refuses is an `OSError` with its errno. A `ConfigError` for an emulator."""
        return _spapr.KvmModel(self.name)

    def errno_of_smt(self, mode: int, flags: int = 0, *, after_vcpu: bool = False) -> str | None:
        """The name of the errno with which setting a mode fails, such as `EINVAL`; None: it is set."""
        vm = self.kvm()
        try:
            if after_vcpu:
                vm.create_vcpu(0)
            vm.enable_smt(mode, flags)
        except OSError as error:
            return _errno.errorcode[error.errno or 0]
        return None

    def __str__(self) -> str:
        return self.about


def _profile(row: Mapping[str, Any]) -> HostProfile:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    values["caps"] = Caps(row["caps"])
    return HostProfile(**values)


class Hosts(Mapping[str, HostProfile]):
    """The host kinds by name. `interp` and `spapr` mean `tcg`, `kvm-pr/power8` means `kvm-pr`."""

    __slots__ = ("_rows",)
    _rows: dict[str, HostProfile] | None
    _ALIASES = {"interp": "tcg", "spapr": "tcg", "kvm-pr/power8": "kvm-pr"}

    def __init__(self) -> None:
        self._rows = None

    def _all(self) -> dict[str, HostProfile]:
        if self._rows is None:
            self._rows = {row["name"]: _profile(row) for row in _spapr.hosts()}
        return self._rows

    def __getitem__(self, name: str) -> HostProfile:
        rows = self._all()
        try:
            return rows[self._ALIASES.get(name, name)]
        except KeyError:
            raise unknown("host profile", name, rows) from None

    def get(self, name: str, default: Any = None) -> Any:
        """The host of that name, or `default`."""
        return self._all().get(self._ALIASES.get(name, name), default)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"<spapr.HOSTS: {', '.join(self)}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.hosts(self)


@dataclass(frozen=True, kw_only=True)
class HostReport:
    """What a machine is, as `probe_host` found it."""

    architecture: str
    """Such as `x86_64` or `powerpc64`."""
    linux: str
    """The kernel's release."""
    kvm: str
    """What was found of KVM and why guests cannot run on it; empty if they can."""
    facts: Mapping[str, Any] | None
    """What a POWER host's KVM answers, in the fields of a `HostProfile` and those that the kernel adds; None where there is none."""
    profile: HostProfile
    """The host whose rules hold for a machine that names none."""

    def __str__(self) -> str:
        found = self.kvm or "KVM can run guests here"
        return f"{self.architecture}, Linux {self.linux}: {found}; machines start as on {self.profile.name} ({self.profile.about})"


def probe_host() -> HostReport:
    """Looks at this machine: its KVM, or what was found instead."""
    found = _spapr.probe_host()
    profile = _profile(next(row for row in _spapr.hosts() if row["name"] == found["profile"]))
    values = {field.name: found[field.name] for field in fields(HostReport) if field.name != "profile"}
    return HostReport(**values, profile=profile)
