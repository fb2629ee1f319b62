"""`check`: may this guest move there? The verdict and every reason as data, from the rules that the destination itself applies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from spapr import _spapr
from spapr.config import MachineConfig
from spapr.errors import ConfigError

if TYPE_CHECKING:
    from spapr.machine import Machine

__all__ = ["Reason", "Verdict", "check"]


@dataclass(frozen=True)
class Reason:
    """Something that the rules found."""

    code: str
    """Which rule, for programs: `vsmt-differs`, `cap-htm-higher-than-destination`."""
    weight: str
    """`refuses`, `warns`, or `notes` (worth knowing, without a part in the verdict)."""
    setting: str
    """The setting as the user writes it."""
    source: str
    """Its value at the source."""
    destination: str
    """Its value at the destination."""
    problem: str
    """What is wrong."""
    change: str
    """What to write instead."""
    qemu_outcome: str
    """What QEMU does in the same place: `does-not-start`, `fails`, `warns`, `accepts`, `accepts-and-corrupts`."""
    qemu_message: str
    """QEMU's message; empty where it says nothing."""

    def __str__(self) -> str:
        return f"{self.setting}: {self.problem}; {self.change}"

    def to_dict(self) -> dict[str, str]:
        """All fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """What comes of a move."""

    verdict: str
    """`migrates`, `migrates-with-warning`, `refused`, `source-cannot-start`, `destination-cannot-start`."""
    reasons: tuple[Reason, ...]
    """Why, the weightiest first; empty if there is nothing to say."""
    remedy: str | None = None
    """The explicit `vsmt` with which it goes, such as `vsmt=8 on the destination`; None if it goes anyway or no `vsmt` helps."""

    @property
    def migrates(self) -> bool:
        """Whether the guest arrives whole."""
        return self.verdict in ("migrates", "migrates-with-warning")

    @property
    def codes(self) -> tuple[str, ...]:
        """The reasons' codes."""
        return tuple(reason.code for reason in self.reasons)

    @property
    def qemu_outcome(self) -> str:
        """What QEMU does of it all: the outcome of the weightiest reason, or `accepts`."""
        return self.reasons[0].qemu_outcome if self.reasons and self.reasons[0].weight != "notes" else "accepts"

    @property
    def qemu_message(self) -> str:
        """QEMU's first message; empty where it says nothing."""
        return next((reason.qemu_message for reason in self.reasons if reason.qemu_message and reason.weight != "notes"), "")

    def __str__(self) -> str:
        lines = [self.verdict]
        for reason in self.reasons:
            lines.append(f"  {reason.weight}: {reason}")
            said = f" ({reason.qemu_message})" if reason.qemu_message else ""
            lines.append(f"    QEMU {reason.qemu_outcome}{said}")
        if self.remedy:
            lines.append(f"  remedy: {self.remedy}")
        return "\n".join(lines)

    def explain(self) -> str:
        """The verdict and its reasons in words, as `str()`."""
        return str(self)

    def to_dict(self) -> dict[str, Any]:
        """The verdict with its reasons, as plain values."""
        return {"verdict": self.verdict, "remedy": self.remedy, "reasons": [reason.to_dict() for reason in self.reasons]}

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.verdict(self)


def reasons_of(rows: Sequence[tuple[str, ...]]) -> tuple[Reason, ...]:
    """Reasons from the engine's rows."""
    assert not rows or len(rows[0]) == len(fields(Reason))
    return tuple(Reason(*row) for row in rows)


def check(source: MachineConfig | Machine, destination: MachineConfig | Machine) -> Verdict:
    """Whether the guest of `source` may go on at `destination`, and why not. Nothing is started.

    Either may be a configuration, or a machine: then what its guest has chosen so far (its compatibility mode, how it translates) counts too. The same
    rules decide when a stream arrives.
    """
    from spapr.machine import Machine

    sides: list[Any] = []
    for name, side in (("source", source), ("destination", destination)):
        if isinstance(side, Machine):
            sides.append(side._vm)
        elif isinstance(side, MachineConfig):
            sides.append(side)
        else:
            raise ConfigError(name, f"{side!r} is neither a MachineConfig nor a Machine", "use spapr.check(spapr.MachineConfig(…), spapr.MachineConfig(…))")
    verdict, rows = _spapr.check(*sides)
    plain = verdict not in ("migrates", "migrates-with-warning") and all(isinstance(side, MachineConfig) for side in sides)
    return Verdict(verdict, reasons_of(rows), _spapr.remedy(*sides) if plain else None)
