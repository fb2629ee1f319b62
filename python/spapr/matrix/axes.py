"""Axes: what varies in a matrix, on which side, and what a cell's settings are.

An axis is a setting of `MachineConfig`, a part of its topology (`threads`, `cores`, …) or a capability (`cap_htm`), for both sides or, with `source_` or
`dest_` before it, for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from spapr.config import Caps, MachineConfig, Smp, unknown
from spapr.errors import ConfigError
from spapr.verdict import Verdict, check

__all__ = ["Axis", "Base", "Cell", "CellView", "read_axes"]

SMP = ("cpus", "sockets", "cores", "threads", "maxcpus")
SETTINGS = (
    "machine", "cpu", "smp", "memory", "maxmem", "numa", "numa_distances", "vsmt", "ruleset", "host", "caps", "ic_mode", "max_cpu_compat", "resize_hpt",
    "uuid", "vtys", "nvram_bytes", "rng",
)  # fmt: skip
"""What migration depends on and an axis may change, apart from topology and single capabilities."""
SIDES = {"source_": "source", "dest_": "destination", "destination_": "destination"}


@dataclass(frozen=True)
class Axis:
    """One axis."""

    name: str
    """Its name in cells: `threads`, `source_host`."""
    scope: str
    """`both`, `source`, `destination`."""
    setting: str
    """What it changes: a setting, a part of the topology, or `cap-…`."""
    values: tuple[Any, ...]
    """Its values as the user wrote them."""

    def engine(self) -> tuple[str, str, list[Any]]:
        """The form that the engine reads: values as a configuration would hold them."""
        return self.scope, self.setting, [normal(self.setting, value) for value in self.values]


def normal(setting: str, value: Any) -> Any:
    """A value in the form that a configuration holds."""
    if setting.startswith("cap-"):
        return Caps({setting: value})[setting.removeprefix("cap-")]
    if setting in SMP:
        return getattr(Smp(**{setting: value}), setting)
    return getattr(MachineConfig(**{setting: value}), setting)


def apply(config: MachineConfig, setting: str, value: Any) -> MachineConfig:
    """The configuration with one setting changed."""
    if setting.startswith("cap-"):
        name = setting.removeprefix("cap-")
        kept = {key: level for key, level in config.caps.items() if key != name}
        return config.replace(caps={**kept, name: value})
    if setting in SMP:
        given: dict[str, Any] = {name: getattr(config.smp, name) for name in SMP}
        return config.replace(smp=Smp(**(given | {setting: value})))
    return config.replace(**{setting: value})


def read_name(name: str) -> tuple[str, str]:
    """Scope and setting of an axis's name."""
    scope, bare = next(((scope, name.removeprefix(side)) for side, scope in SIDES.items() if name.startswith(side)), ("both", name))
    if bare.startswith(("cap_", "cap-")):
        return scope, "cap-" + bare[4:].replace("_", "-")
    if bare not in SMP and bare not in SETTINGS:
        raise unknown("axis", name, [*SETTINGS, *SMP, "cap_htm", "source_host", "dest_host"])
    return scope, bare


@dataclass(frozen=True)
class Base:
    """The two configurations before any axis has changed them."""

    source: MachineConfig
    destination: MachineConfig


def read_axes(config: MachineConfig | None, given: Mapping[str, Any]) -> tuple[Base, tuple[Axis, ...]]:
    """The axes among the keywords, and the configurations that the rest come to. A list, a tuple or a range is an axis."""
    base = config or MachineConfig(smp=Smp(cores=2), memory="256M")
    topology_given = any(read_name(name)[1] in ("smp", "cpus", "cores", "sockets") for name in given)
    if config is None and topology_given:
        base = base.replace(smp=Smp())
    sides = {"source": base, "destination": base}
    axes: list[Axis] = []
    for name, value in given.items():
        scope, setting = read_name(name)
        if value == "same-axis":
            value = _same(name, setting, given)
        if isinstance(value, list | tuple | range):
            if not value:
                raise ConfigError(name, "the axis has no values", f"use {name}=[…] with at least one, or leave it out")
            for entry in value:
                normal(setting, entry)
            clean = name.replace("destination_", "dest_")
            axes.append(Axis(clean, scope, setting, tuple(value)))
            continue
        for side in ("source", "destination"):
            if scope in ("both", side):
                sides[side] = apply(sides[side], setting, value)
    return Base(sides["source"], sides["destination"]), tuple(axes)


def _same(name: str, setting: str, given: Mapping[str, Any]) -> Any:
    """The values of the other side's axis."""
    for other in given:
        if other != name and read_name(other)[1] == setting and given[other] != "same-axis":
            return given[other]
    raise ConfigError(name, '"same-axis" needs the other side\'s axis', f"use source_{setting}=[…] with {name}=\"same-axis\"")


class CellView:
    """A cell's values as attributes, for predicates. Remembers in which order it was asked."""

    __slots__ = ("_asked", "_fixed", "_values")

    def __init__(self, values: Mapping[str, Any], fixed: Mapping[str, Any], asked: list[str]) -> None:
        self._values = values
        self._fixed = fixed
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        name = name.replace("destination_", "dest_")
        if name in self._fixed:
            return self._fixed[name]
        if name not in self._asked:
            self._asked.append(name)
        if name in self._values:
            return self._values[name]
        raise Unanswered(name)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class Unanswered(Exception):
    """A predicate asked for an axis that is not decided yet."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True)
class Cell:
    """One cell: a guest that is to move."""

    index: int
    """Its number in the matrix."""
    values: Mapping[str, Any]
    """The axes' values."""
    source: MachineConfig
    """The source's configuration."""
    destination: MachineConfig
    """The destination's."""

    def explain(self) -> Verdict:
        """The verdict with every reason in words."""
        return check(self.source, self.destination)

    def to_qemu_args(self, side: str = "source") -> list[str]:
        """QEMU's arguments for one side (`source` or `destination`), to reproduce the cell with `qemu-system-ppc64`."""
        if side not in ("source", "destination"):
            raise ConfigError("side", f"{side!r} is no side", 'use side="source" or side="destination"')
        config: MachineConfig = getattr(self, side)
        try:
            return config.to_qemu_args()
        except ConfigError:
            # What a host or a ruleset refuses can still be written down, less what QEMU has no words for.
            return config.replace(host=None, ruleset=None).to_qemu_args()

    @cached_property
    def name(self) -> str:
        """The values in one line."""
        return ", ".join(f"{name}={value}" for name, value in self.values.items())

    def __str__(self) -> str:
        return f"cell {self.index}: {self.name}"


def decide(axes: Sequence[Axis], fixed: Mapping[str, Any], predicate: Any) -> Iterator[tuple[dict[str, int], bool]]:
    """Every combination of the values that a predicate looks at, with its answer.

    The predicate is asked with nothing decided; for what it asks first, each value is tried, and so on. So it is called once for each combination of the
    axes that it looks at, however many cells there are.
    """
    known = {axis.name: axis for axis in axes}
    open_: list[dict[str, int]] = [{}]
    while open_:
        chosen = open_.pop()
        view = CellView({name: known[name].values[at] for name, at in chosen.items()}, fixed, [])
        try:
            yield chosen, bool(predicate(view))
        except Unanswered as more:
            if more.name not in known:
                raise unknown("axis", more.name, [*known, *fixed]) from None
            open_ += [{**chosen, more.name: at} for at in range(len(known[more.name].values))]
