"""What a user says of a machine: frozen, picklable, comparable, and the same in QEMU's words.

A `MachineConfig` holds what was asked for, in one form each (sizes in bytes, topology as `Smp`); `resolved()` is the same with
every default filled in and everything checked by the engine, which is the only place that knows the rules.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import inspect
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from spapr import _spapr
from spapr.errors import ConfigError, SpaprWarning
from spapr.sizes import format_size, parse_size

__all__ = ["Caps", "MachineConfig", "MachineSettings", "NumaNode", "Smp"]

_U32 = (1 << 32) - 1
_I64 = (1 << 63) - 1


_HEARD: ContextVar[list[str] | None] = ContextVar("spapr-warnings", default=None)


@contextlib.contextmanager
def listen_to_warnings() -> Iterator[list[str]]:
    """Warnings of this thread's machines go into a list. (What the standard library has for it is for the whole process.)"""
    heard: list[str] = []
    token = _HEARD.set(heard)
    try:
        yield heard
    finally:
        _HEARD.reset(token)


def unknown(what: str, word: str, known: Iterable[str]) -> ConfigError:
    """The error for a name that does not exist, with the nearest that does."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(names)}"
    return ConfigError(word, f"there is no {what} {word!r}", hint)


def _whole(setting: str, value: object, most: int = _U32, least: int = 0) -> int:
    """A whole number that the engine can take; whether it makes sense is for the engine to say."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ConfigError(setting, f"{value!r} is not a whole number", f"use {setting}=1 or another whole number")
    number = int(value.__index__())
    if not least <= number <= most:
        raise ConfigError(setting, f"{number} is out of range", f"use {setting} from {least} to {most}")
    return number


def _optional_whole(setting: str, value: object, most: int = _U32, least: int = 0) -> int | None:
    return None if value is None else _whole(setting, value, most, least)


def _text(setting: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(setting, f"{value!r} is not a text", f'use {setting}="…"')
    return value


def _optional_text(setting: str, value: object) -> str | None:
    return None if value is None else _text(setting, value)


def _path(setting: str, value: object) -> str | None:
    if value is None:
        return None
    try:
        path = os.fspath(value)  # type: ignore[call-overload]
    except TypeError:
        path = None
    if not isinstance(path, str):
        raise ConfigError(setting, f"{value!r} is not a path", f'use {setting}="path/of/a/file"')
    return path


def _flag(setting: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(setting, f"{value!r} is neither True nor False", f"use {setting}=True or {setting}=False")
    return value


@dataclass(frozen=True, init=False)
class Smp:
    """The guest's topology. Whatever is left out follows from the rest by QEMU's rules."""

    cpus: int | None
    """vCPUs at the start."""
    sockets: int | None
    """Sockets."""
    cores: int | None
    """Cores per socket."""
    threads: int | None
    """Threads per core: 1, 2, 4 or 8."""
    maxcpus: int | None
    """vCPUs that the machine has room for."""

    def __init__(
        self,
        cpus: int | None = None,
        *,
        sockets: int | None = None,
        cores: int | None = None,
        threads: int | None = None,
        maxcpus: int | None = None,
    ) -> None:
        given = {"cpus": cpus, "sockets": sockets, "cores": cores, "threads": threads, "maxcpus": maxcpus}
        for name, value in given.items():
            object.__setattr__(self, name, _optional_whole(f"smp.{name}", value))

    @classmethod
    def parse(cls, text: str) -> Smp:
        """Reads QEMU's form: `8`, `8,cores=2,threads=4`, `cpus=8,maxcpus=16`."""
        known = [field.name for field in dataclasses.fields(cls)]
        given: dict[str, int] = {}
        for n, part in enumerate(text.split(",")):
            key, equals, value = part.partition("=")
            if not equals and n == 0:
                key, value = "cpus", part
            if key not in known:
                raise ConfigError("smp", f"{part!r} is no level of a pseries machine", f"use {', '.join(known)}")
            try:
                given[key] = int(value)
            except ValueError:
                raise ConfigError("smp", f"{key}={value} is not a whole number", f"use {key}=1") from None
        return cls(**given)

    @classmethod
    def of(cls, value: Smp | int | str | Mapping[str, int] | None) -> Smp:
        """A topology from any form in which a user may write it."""
        if isinstance(value, Smp):
            return value
        if value is None:
            return cls()
        if isinstance(value, str):
            return cls.parse(value)
        if isinstance(value, Mapping):
            known = [field.name for field in dataclasses.fields(cls)]
            for key in value:
                if key not in known:
                    raise ConfigError("smp", f"{key!r} is no level of a pseries machine", f"use {', '.join(known)}")
            return cls(**value)
        return cls(_whole("smp", value))

    def to_qemu(self) -> str:
        """QEMU's form; empty if nothing was given."""
        rest = [f"{name}={value}" for name, value in dataclasses.asdict(self).items() if value is not None and name != "cpus"]
        return ",".join(([] if self.cpus is None else [str(self.cpus)]) + rest)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value}" for name, value in dataclasses.asdict(self).items() if value is not None)
        return f"Smp({given})"


@dataclass(frozen=True, init=False)
class NumaNode:
    """A NUMA node. Left out in every node: equal shares of memory, sockets in turn."""

    memory: int | None
    """RAM in bytes."""
    cores: tuple[int, ...]
    """Its cores, counted from 0."""

    def __init__(self, memory: int | str | None = None, cores: Iterable[int] = ()) -> None:
        object.__setattr__(self, "memory", None if memory is None else parse_size("numa.memory", memory))
        object.__setattr__(self, "cores", tuple(_whole("numa.cores", core) for core in cores))

    def __repr__(self) -> str:
        given = [] if self.memory is None else [f"memory={format_size(self.memory)!r}"]
        given += [f"cores={self.cores!r}"] if self.cores else []
        return f"NumaNode({', '.join(given)})"


class Caps(Mapping[str, str]):
    """Capabilities by name, without `cap-`: a mapping that can be a key itself."""

    __slots__ = ("_rows",)
    _rows: tuple[tuple[str, str], ...]

    def __init__(self, given: Mapping[str, object] | Iterable[tuple[str, object]] = ()) -> None:
        rows: dict[str, str] = {}
        pairs = given.items() if isinstance(given, Mapping) else given
        for name, value in pairs:
            bare = _text("caps", name).removeprefix("cap-")
            level = ("on" if value else "off") if isinstance(value, bool) else str(value)
            if rows.setdefault(bare, level) != level:
                raise ConfigError(f'caps["{bare}"]', f'given twice, as "{rows[bare]}" and "{level}"', f'use caps={{"{bare}": "{level}"}} once')
        self._rows = tuple(sorted(rows.items()))

    def __getitem__(self, name: str) -> str:
        for have, level in self._rows:
            if have == name:
                return level
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __hash__(self) -> int:
        return hash(self._rows)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Caps):
            return self._rows == other._rows
        return isinstance(other, Mapping) and dict(self._rows) == dict(other)

    def __repr__(self) -> str:
        return repr(dict(self._rows))

    def __reduce__(self) -> tuple[type[Caps], tuple[tuple[tuple[str, str], ...]]]:
        return Caps, (self._rows,)


class MachineSettings(TypedDict, total=False):
    """The keyword arguments of `MachineConfig` and `Machine`, in every form that is accepted."""

    machine: str
    cpu: str | None
    smp: Smp | int | str | Mapping[str, int] | None
    memory: int | str
    maxmem: int | str | None
    numa: int | Sequence[NumaNode]
    numa_distances: Iterable[tuple[int, int, int]]
    vsmt: int | None
    ruleset: str | None
    host: str | None
    caps: Mapping[str, str | bool] | Iterable[tuple[str, str | bool]]
    ic_mode: str | None
    max_cpu_compat: str | None
    resize_hpt: str | None
    accel: str
    icount: bool
    seed: int
    kernel: str | os.PathLike[str] | None
    kernel_addr: int | None
    initrd: str | os.PathLike[str] | None
    append: str
    name: str | None
    uuid: str | None
    host_model: str | None
    host_serial: str | None
    vtys: int | Sequence[int | None]
    nvram_bytes: int | str | None
    rtc_base: int | None
    rng: bool


def _memory(setting: str, value: Any) -> int:
    return parse_size(setting, value)


def _optional_memory(setting: str, value: Any) -> int | None:
    return None if value is None else parse_size(setting, value)


def _numa(setting: str, value: Any) -> tuple[NumaNode, ...]:
    if isinstance(value, int):
        return (NumaNode(),) * _whole(setting, value, 128)
    nodes = tuple(value)
    if not all(isinstance(node, NumaNode) for node in nodes):
        raise ConfigError(setting, f"{value!r} are no nodes", "use numa=2, or numa=[spapr.NumaNode(memory=\"1G\", cores=[0]), …]")
    return nodes


def _distances(setting: str, value: Any) -> tuple[tuple[int, int, int], ...]:
    return tuple((_whole(setting, a), _whole(setting, b), _whole(setting, distance, 255)) for a, b, distance in value)


def _vtys(setting: str, value: Any) -> tuple[int | None, ...]:
    if isinstance(value, int):
        return (None,) * _whole(setting, value, 64)
    return tuple(_optional_whole(setting, address) for address in value)


def _vsmt(setting: str, value: Any) -> int | None:
    return _optional_whole(setting, value, _I64, -_I64)


def _rtc(setting: str, value: Any) -> int | None:
    return _optional_whole(setting, value, _I64, -_I64)


def _u64(setting: str, value: Any) -> int | None:
    return _optional_whole(setting, value, (1 << 64) - 1)


_FORMS: dict[str, Callable[[str, Any], Any]] = {
    "machine": _text,
    "cpu": _optional_text,
    "smp": lambda _, value: Smp.of(value),
    "memory": _memory,
    "maxmem": _optional_memory,
    "numa": _numa,
    "numa_distances": _distances,
    "vsmt": _vsmt,
    "ruleset": _optional_text,
    "host": _optional_text,
    "caps": lambda _, value: Caps(value),
    "ic_mode": _optional_text,
    "max_cpu_compat": _optional_text,
    "resize_hpt": _optional_text,
    "accel": _text,
    "icount": _flag,
    "seed": lambda setting, value: _whole(setting, value, (1 << 64) - 1),
    "kernel": _path,
    "kernel_addr": _u64,
    "initrd": _path,
    "append": _text,
    "name": _optional_text,
    "uuid": _optional_text,
    "host_model": _optional_text,
    "host_serial": _optional_text,
    "vtys": _vtys,
    "nvram_bytes": _optional_memory,
    "rtc_base": _rtc,
    "rng": _flag,
}


class _Signature:
    """The settings by name, as `help`, notebooks and editors show and complete them. Worked out when somebody asks."""

    def __get__(self, _: object, owner: Any = None) -> inspect.Signature:
        own = list(inspect.signature(owner.__init__).parameters.values())[1:]
        settings = dataclasses.fields(MachineConfig)
        named = [inspect.Parameter(it.name, inspect.Parameter.KEYWORD_ONLY, default=it.default, annotation=it.type) for it in settings]
        return inspect.Signature([*(it for it in own if it.kind is not inspect.Parameter.VAR_KEYWORD), *named])


@dataclass(frozen=True, init=False, repr=False)
class MachineConfig:
    """A machine as the user asks for it. Keyword arguments only; everything has a default.

    Sizes may be written as bytes or as `"512M"`; `smp` as `Smp`, a number, a mapping or QEMU's text; `numa` and `vtys` as a number.
    """

    machine: str = "pseries"
    """Machine version: `pseries` (the newest) or `pseries-2.1` to `pseries-10.2`."""
    cpu: str | None = None
    """Processor model, such as `power9`; None: the machine version's."""
    smp: Smp = Smp(1)
    """Topology."""
    memory: int = 512 << 20
    """RAM in bytes; a multiple of 256 MiB."""
    maxmem: int | None = None
    """RAM in bytes that there is room for; None: as much as `memory`."""
    numa: tuple[NumaNode, ...] = ()
    """NUMA nodes; empty: one."""
    numa_distances: tuple[tuple[int, int, int], ...] = ()
    """NUMA distances: from node, to node, distance (10 is local)."""
    vsmt: int | None = None
    """Spacing of the vcpu ids of neighbouring cores; None: the ruleset's default."""
    ruleset: str | None = None
    """Whose VSMT rules (`spapr.RULESETS`); None: those of the release in which the machine version was the newest."""
    host: str | None = None
    """The kind of host (`spapr.HOSTS`) as on which the machine starts: its defaults, its limits, its refusals; None: this emulator."""
    caps: Caps = Caps()
    """sPAPR capabilities by name, without `cap-`."""
    ic_mode: str | None = None
    """Interrupt controller: `xics`, `xive`, `dual`; None: the machine version's."""
    max_cpu_compat: str | None = None
    """The newest processor that the guest may be told of; None: no limit."""
    resize_hpt: str | None = None
    """Resizing of the hash page table: `enabled`, `disabled`, `required`; None: the machine version's."""
    accel: str = "auto"
    """What runs the guest: `kvm`, `tcg`, `interp`; `auto`: KVM where it can run the machine, else the translator, and the interpreter on hosts for which there is none."""
    icount: bool = False
    """A repeatable run: the vCPUs take turns on one thread, time is counted in instructions, random numbers come from `seed`, and the clock starts in 2000
    unless `rtc_base` says otherwise. The same settings and the same input give the same run to the last instruction, on `interp` and `tcg` alike."""
    seed: int = 0
    """What random numbers begin with when `icount` is on."""
    kernel: str | None = None
    """An ELF file for 64-bit PowerPC."""
    kernel_addr: int | None = None
    """Guest real address of the kernel; None: 0x400000."""
    initrd: str | None = None
    """Initial RAM disk."""
    append: str = ""
    """Kernel command line."""
    name: str | None = None
    """The guest's name."""
    uuid: str | None = None
    """The guest's UUID."""
    host_model: str | None = None
    """`host-model` in the device tree."""
    host_serial: str | None = None
    """`host-serial` in the device tree."""
    vtys: tuple[int | None, ...] = (None,)
    """One entry per virtual terminal: its unit address, or None for the next free one. The first is the console."""
    nvram_bytes: int | None = None
    """Size of the NVRAM in bytes; None: 64 KiB."""
    rtc_base: int | None = None
    """Seconds since 1970 that the clock shows at the start; None: the host's time."""
    rng: bool = True
    """Whether H_RANDOM answers."""

    __signature__ = _Signature()

    def __init__(self, **settings: Unpack[MachineSettings]) -> None:
        for name in settings:
            if name not in _FORMS:
                raise unknown("setting", name, _FORMS)
        for name, form in _FORMS.items():
            if name in settings:
                value = form(name, settings[name])  # type: ignore[literal-required]
                object.__setattr__(self, name, value)
            else:
                object.__setattr__(self, name, getattr(type(self), name))

    def resolved(self) -> MachineConfig:
        """The same machine with every default filled in.

        Raises `ConfigError` if it cannot work; warns with `SpaprWarning` of what is odd but starts.
        """
        settled, odd = _spapr.resolve(self)
        heard = _HEARD.get()
        for setting, message, hint in odd:
            if heard is None:
                warnings.warn(f"{setting}: {message}; {hint}", SpaprWarning, stacklevel=2)
            else:
                heard.append(f"{setting}: {message}; {hint}")
        return self._with(settled)

    def _with(self, settled: Mapping[str, Any]) -> MachineConfig:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values |= {name: value for name, value in settled.items() if name in values}
        cpus, sockets, cores, threads, maxcpus = settled["smp"]
        values["smp"] = Smp(cpus, sockets=sockets, cores=cores, threads=threads, maxcpus=maxcpus)
        values["numa"] = tuple(NumaNode(memory, cores) for memory, cores in settled["numa"])
        return MachineConfig(**values)

    def replace(self, **settings: Unpack[MachineSettings]) -> MachineConfig:
        """The same with some settings changed."""
        values: Any = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return MachineConfig(**(values | settings))

    def to_qemu_args(self) -> list[str]:
        """QEMU's arguments for the same machine, to reproduce it with `qemu-system-ppc64`.

        QEMU has no words for `ruleset`, `host`, `nvram_bytes`, `rng` and for which emulator `accel` names; with the first two, the `vsmt` that comes
        of them is written out.
        """
        from spapr.qemu import to_qemu_args

        return to_qemu_args(self)

    @classmethod
    def from_qemu_args(cls, arguments: Iterable[str]) -> MachineConfig:
        """The machine that QEMU's arguments describe. One dash or two; an option unknown here is a `ConfigError`."""
        from spapr.qemu import from_qemu_args

        return from_qemu_args(arguments)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.config(self)

    def __repr__(self) -> str:
        given = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                text = repr(format_size(value)) if field.name in ("memory", "maxmem", "nvram_bytes") and value is not None else repr(value)
                given.append(f"{field.name}={text}")
        return f"MachineConfig({', '.join(given)})"
