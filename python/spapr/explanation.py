"""`explain`: what a machine on a host would come to, asked without starting anything."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from spapr import _spapr
from spapr.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Explanation", "explain", "vcpu_id"]

_U32 = (1 << 32) - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """What comes of a machine on a host under a ruleset."""

    ruleset: str
    """The ruleset that answered."""
    outcome: str
    """What spapr does: `starts`, `starts-with-warning`, `fatal`."""
    qemu_outcome: str
    """What QEMU does: one of the same, or `aborts` where an assertion of its own fails."""
    vsmt: int | None
    """The distance between the ids of neighbouring cores; None if it was stopped before one was chosen."""
    origin: str
    """Who chose it: `user`, `default: …`, `none`."""
    vcpu_ids: NDArray[np.uint32]
    """The ids of the vcpus by index; empty unless it starts."""
    max_server_number: int | None
    """One more than the highest interrupt server number."""
    advertised_servers: int | None
    """What that code base told the guest of it; before 2.12 that followed the kernel, not the ids."""
    ic_mode: str | None
    """The interrupt controller in effect."""
    kernel_mode: int | None
    """The mode in which the host's kernel is left; 1 without one."""
    message: str
    """QEMU's text, its lines joined with "; "."""
    hint: str
    """What to change."""

    @property
    def starts(self) -> bool:
        """Whether a machine comes of it."""
        return self.outcome != "fatal"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Explanation):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        own = (getattr(self, field.name) for field in fields(self) if field.name != "vcpu_ids")
        return (*own, self.vcpu_ids.tobytes())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.explanation(self)

    def __str__(self) -> str:
        what = f"{self.outcome} under {self.ruleset}"
        if self.vsmt is not None:
            what += f": vsmt={self.vsmt} ({self.origin})"
        if self.starts:
            what += f", vcpu ids {' '.join(map(str, self.vcpu_ids))}"
        for line in (self.message, self.hint and f"hint: {self.hint}"):
            what += f"\n  {line}" if line else ""
        return what


def vcpu_id(index: int, *, threads: int, vsmt: int) -> int:
    """The vcpu id of the vCPU with an index: `core * vsmt + thread`."""
    if not 1 <= threads <= vsmt:
        raise ConfigError("vsmt", f"{vsmt} holds no {threads} threads", f"use vsmt={threads} or more")
    core, thread = divmod(index, threads)
    return core * vsmt + thread


def explain(
    *,
    ruleset: str | None = None,
    machine: str = "pseries",
    host: str = "tcg",
    threads: int = 1,
    vsmt: int | None = None,
    cpus: int | None = None,
    max_cpus: int | None = None,
    ic_mode: str | None = None,
    cpu: str | None = None,
    max_cpu_compat: str | None = None,
) -> Explanation:
    """Asks what a machine comes to, without starting anything.

    `ruleset` None: the rules of the release in which the machine version was the newest. `cpus` None: two cores; `max_cpus` None:
    as many as `cpus`. Host profiles are `spapr.HOSTS`, rulesets `spapr.RULESETS`. A refusal by the rules is an answer; only an
    unknown name or a number that no machine has is a `ConfigError`.
    """
    for name, number in (("threads", threads), ("cpus", cpus), ("max_cpus", max_cpus)):
        if number is not None and not 1 <= number <= _U32:
            raise ConfigError(name, f"{number} is not possible", f"use {name}=1 or more")
    if vsmt is not None and not 0 <= vsmt <= _U32:
        raise ConfigError(
            "vsmt",
            f"Parameter 'vsmt' expects uint32_t, not {vsmt}",
            "use vsmt=8 or another power of two, or leave it out",
        )
    answer = _spapr.explain(
        ruleset=ruleset,
        machine=machine,
        host=host,
        threads=threads,
        vsmt=vsmt,
        cpus=cpus,
        max_cpus=max_cpus,
        ic_mode=ic_mode,
        cpu=cpu,
        max_cpu_compat=max_cpu_compat,
    )
    return Explanation(**{field.name: getattr(answer, field.name) for field in fields(Explanation)})
