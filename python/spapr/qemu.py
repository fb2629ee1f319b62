"""A `MachineConfig` in the words of `qemu-system-ppc64`'s command line, and back.

So that any machine can be tried on the reference implementation, and an existing command line be used here. Options that say
nothing of the machine itself (displays, monitors) are accepted and dropped; everything else that is not known is refused.
"""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from spapr.config import Caps, MachineConfig, NumaNode, Smp, unknown
from spapr.errors import ConfigError
from spapr.sizes import parse_size

__all__ = ["OPTIONS", "from_qemu_args", "to_qemu_args"]

OPTIONS: dict[str, int] = {
    "-M": 1,
    "-machine": 1,
    "-accel": 1,
    "-cpu": 1,
    "-smp": 1,
    "-m": 1,
    "-numa": 1,
    "-object": 1,
    "-kernel": 1,
    "-initrd": 1,
    "-append": 1,
    "-name": 1,
    "-uuid": 1,
    "-rtc": 1,
    "-device": 1,
    "-chardev": 1,
    "-serial": 1,
    "-nodefaults": 0,
    "-nographic": 0,
    "-display": 1,
    "-vga": 1,
    "-monitor": 1,
    "-enable-kvm": 0,
}
"""The options that are known, and how many words follow each."""

_MACHINE_WORDS = {
    "vsmt": "vsmt",
    "ic-mode": "ic_mode",
    "max-cpu-compat": "max_cpu_compat",
    "resize-hpt": "resize_hpt",
    "kernel-addr": "kernel_addr",
    "host-model": "host_model",
    "host-serial": "host_serial",
}
_NUMBERS = {"vsmt", "kernel_addr"}
_DROPPED_MACHINE_WORDS = ("x-vof", "usb", "graphics", "kvm-type", "dump-guest-core", "mem-merge")
_ACCELERATORS = {"tcg": "auto", "kvm": "kvm", "interp": "interp", "auto": "auto"}


def _escape(value: str) -> str:
    return value.replace(",", ",,")


def _fields(text: str) -> list[str]:
    """The parts of a QEMU option, at single commas; a doubled one stands for itself."""
    return [part.replace("\0", ",") for part in text.replace(",,", "\0").split(",")]


def _pairs(text: str, first: str) -> list[tuple[str, str]]:
    """Key and value of each part; a first part without `=` belongs to the key `first`."""
    pairs = []
    for n, part in enumerate(_fields(text)):
        key, equals, value = part.partition("=")
        pairs.append((key, value if equals else "on") if equals or n else (first, part))
    return pairs


def _number(setting: str, text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ConfigError(setting, f"{text!r} is not a whole number", f"use {setting}=8 or another number") from None


# --- out ---------------------------------------------------------------------------------------------------------------------


def to_qemu_args(config: MachineConfig) -> list[str]:
    """See `MachineConfig.to_qemu_args`."""
    arguments = ["-machine", ",".join([config.machine, *_machine_words(config)])]
    if config.accel != "auto":
        arguments += ["-accel", "kvm" if config.accel == "kvm" else "tcg"]
    if config.cpu is not None:
        arguments += ["-cpu", config.cpu]
    if topology := config.smp.to_qemu():
        arguments += ["-smp", topology]
    arguments += ["-m", _memory(config), *_numa(config)]
    for option, value in (("-kernel", config.kernel), ("-initrd", config.initrd), ("-append", config.append or None)):
        if value is not None:
            arguments += [option, value]
    if config.name is not None:
        arguments += ["-name", _escape(config.name)]
    if config.uuid is not None:
        arguments += ["-uuid", config.uuid]
    if config.rtc_base is not None:
        base = datetime.datetime.fromtimestamp(config.rtc_base, datetime.UTC)
        arguments += ["-rtc", f"base={base:%Y-%m-%dT%H:%M:%S}"]
    return arguments + _terminals(config)


def _machine_words(config: MachineConfig) -> Iterator[str]:
    vsmt = config.vsmt
    if vsmt is None and (config.ruleset is not None or config.host is not None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            vsmt = config.resolved().vsmt
    if vsmt is not None:
        yield f"vsmt={vsmt}"
    for word, name in _MACHINE_WORDS.items():
        value = getattr(config, name)
        if value is not None and word != "vsmt":
            yield f"{word}={value:#x}" if name in _NUMBERS else f"{word}={_escape(value)}"
    for cap, level in config.caps.items():
        yield f"cap-{cap}={level}"


def _memory(config: MachineConfig) -> str:
    def size(value: int) -> str:
        return f"{value >> 20}M" if value % (1 << 20) == 0 else f"{value}B"

    if config.maxmem is None:
        return size(config.memory)
    slots = ",slots=32" if config.maxmem > config.memory else ""
    return f"{size(config.memory)}{slots},maxmem={size(config.maxmem)}"


def _numa(config: MachineConfig) -> Iterator[str]:
    if not config.numa:
        return
    nodes: Iterable[NumaNode] = config.numa
    threads = config.smp.threads or 1
    if config.smp.threads is None and any(node.cores for node in nodes):
        threads = config.resolved().smp.threads or 1
    for n, node in enumerate(nodes):
        row = f"node,nodeid={n}"
        if node.cores:
            row += "".join(f",cpus={core * threads}-{core * threads + threads - 1}" for core in node.cores)
        if node.memory is not None:
            yield from ("-object", f"memory-backend-ram,id=numa{n},size={node.memory}")
            row += f",memdev=numa{n}"
        yield from ("-numa", row)
    for a, b, distance in config.numa_distances:
        yield from ("-numa", f"dist,src={a},dst={b},val={distance}")


def _terminals(config: MachineConfig) -> list[str]:
    arguments = []
    rest = list(enumerate(config.vtys))
    if rest[:1] == [(0, None)]:
        rest = rest[1:]  # -nographic, -serial and QEMU's own default make this one
    else:
        arguments += ["-serial", "none"]
    for n, address in rest:
        reg = "" if address is None else f",reg={address:#x}"
        arguments += ["-chardev", f"null,id=vty{n}", "-device", f"spapr-vty,chardev=vty{n}{reg}"]
    return arguments


# --- in ----------------------------------------------------------------------------------------------------------------------


def words(arguments: Iterable[str], known: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Each option with one dash, and its value ("" for those without)."""
    rest = iter(arguments)
    for word in rest:
        option = word[1:] if word.startswith("--") else word
        value: str | None = None
        if word.startswith("--") and "=" in word:
            option, _, value = option.partition("=")
        if option not in known:
            raise unknown("option", word, known)
        if known[option] == 0:
            yield option, ""
            continue
        if value is None:
            value = next(rest, None)
        if value is None:
            raise ConfigError(word, "nothing follows it", f"use {word} VALUE")
        yield option, value


class _Reader:
    """What the arguments have said so far."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.caps: list[tuple[str, str]] = []
        self.nodes: dict[int, list[tuple[str, str]]] = {}
        self.distances: list[tuple[int, int, int]] = []
        self.backends: dict[str, int] = {}
        self.vtys: list[int | None] = [None]

    def read(self, option: str, value: str) -> None:
        name = {"-M": "machine"}.get(option, option[1:]).replace("-", "_")
        reader = getattr(self, f"_{name}", None)
        if reader is not None:
            reader(value)
        elif name in ("cpu", "kernel", "initrd", "append", "uuid"):
            self.settings[name] = value

    def _machine(self, value: str) -> None:
        for key, word in _pairs(value, "type"):
            if key == "type":
                self.settings["machine"] = word
            elif key.startswith("cap-"):
                self.caps.append((key, word))
            elif key == "accel":
                self._accel(word)
            elif key in _MACHINE_WORDS:
                name = _MACHINE_WORDS[key]
                self.settings[name] = _number(name, word) if name in _NUMBERS else word
            elif key not in _DROPPED_MACHINE_WORDS:
                raise unknown("machine option", key, [*_MACHINE_WORDS, "cap-htm", "accel", *_DROPPED_MACHINE_WORDS])

    def _accel(self, value: str) -> None:
        name = _fields(value)[0]
        self.settings["accel"] = _ACCELERATORS.get(name, name)

    def _enable_kvm(self, _: str) -> None:
        self.settings["accel"] = "kvm"

    def _smp(self, value: str) -> None:
        self.settings["smp"] = Smp.parse(value)

    def _m(self, value: str) -> None:
        for key, word in _pairs(value, "size"):
            if key == "size":
                self.settings["memory"] = parse_size("memory", word, default_unit="M")
            elif key == "maxmem":
                self.settings["maxmem"] = parse_size("maxmem", word, default_unit="M")
            elif key != "slots":
                raise unknown("word of -m", key, ["size", "slots", "maxmem"])

    def _object(self, value: str) -> None:
        pairs = dict(_pairs(value, "type"))
        if not pairs["type"].startswith("memory-backend-"):
            raise unknown("object", pairs["type"], ["memory-backend-ram"])
        self.backends[pairs.get("id", "")] = parse_size("numa.memory", pairs.get("size", "0"))

    def _numa(self, value: str) -> None:
        pairs = _pairs(value, "type")
        kind, rest = pairs[0][1], pairs[1:]
        words = dict(rest)
        if kind == "node":
            self.nodes[_number("nodeid", words.get("nodeid", str(len(self.nodes))))] = rest
        elif kind == "dist":
            a, b, distance = (_number(f"numa.{key}", words.get(key, "")) for key in ("src", "dst", "val"))
            self.distances.append((a, b, distance))
        else:
            raise unknown("kind of -numa", kind, ["node", "dist"])

    def _name(self, value: str) -> None:
        self.settings["name"] = dict(_pairs(value, "guest"))["guest"]

    def _rtc(self, value: str) -> None:
        base = dict(_pairs(value, "base")).get("base", "utc")
        if base in ("utc", "localtime"):
            return
        try:
            at = datetime.datetime.fromisoformat(base)
        except ValueError:
            raise ConfigError("rtc_base", f"{base!r} is no date", "use -rtc base=2018-01-31T12:00:00") from None
        self.settings["rtc_base"] = int(at.replace(tzinfo=at.tzinfo or datetime.UTC).timestamp())

    def _serial(self, value: str) -> None:
        if value == "none":
            self.vtys = self.vtys[1:]

    def _device(self, value: str) -> None:
        pairs = dict(_pairs(value, "driver"))
        if pairs["driver"] != "spapr-vty":
            raise unknown("device", pairs["driver"], ["spapr-vty"])
        self.vtys.append(_number("vtys", pairs["reg"]) if "reg" in pairs else None)

    def _node(self, pairs: list[tuple[str, str]]) -> NumaNode:
        threads = self.settings.get("smp", Smp()).threads or 1
        cores: list[int] = []
        memory: int | None = None
        for key, word in pairs:
            if key == "cpus":
                first, _, last = word.partition("-")
                indices = range(_number("numa.cpus", first), _number("numa.cpus", last or first) + 1)
                cores += [core for core in dict.fromkeys(index // threads for index in indices) if core not in cores]
            elif key == "mem":
                memory = parse_size("numa.memory", word, default_unit="M")
            elif key == "memdev":
                if word not in self.backends:
                    raise ConfigError("numa", f"there is no object {word!r}", f"add -object memory-backend-ram,id={word},size=1G before it")
                memory = self.backends[word]
            elif key != "nodeid":
                raise unknown("word of -numa node", key, ["nodeid", "cpus", "memdev", "mem"])
        return NumaNode(memory, cores)

    def config(self) -> MachineConfig:
        if sorted(self.nodes) != list(range(len(self.nodes))):
            raise ConfigError("numa", f"the nodes are {sorted(self.nodes)}", f"number them 0 to {len(self.nodes) - 1}")
        self.settings["caps"] = Caps(self.caps)
        self.settings["numa"] = [self._node(self.nodes[n]) for n in sorted(self.nodes)]
        self.settings["numa_distances"] = self.distances
        self.settings["vtys"] = self.vtys
        return MachineConfig(**self.settings)


def from_qemu_args(arguments: Iterable[str]) -> MachineConfig:
    """See `MachineConfig.from_qemu_args`."""
    reader = _Reader()
    for option, value in words(arguments, OPTIONS):
        reader.read(option, value)
    return reader.config()
