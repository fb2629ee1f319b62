"""The cards: what of a machine, a configuration, a vCPU, a terminal, an explanation and a listing is shown, and in what order."""

from __future__ import annotations

import warnings
from dataclasses import fields
from typing import TYPE_CHECKING

from spapr.errors import SpaprError
from spapr.jupyter.page import chip, details, escape, head, pill, rows, table
from spapr.jupyter.topology import Topology, draw
from spapr.sizes import format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spapr.config import MachineConfig
    from spapr.explanation import Explanation
    from spapr.machine import Machine
    from spapr.registers import Cpu, Instruction
    from spapr.terminal import Console

__all__ = ["config_card", "console_card", "cpu_card", "explanation_card", "listing_card", "machine_card"]

_STATES = {
    "running": ("ok", "▶"),
    "paused": ("blue", "‖"),
    "prelaunch": ("dim", "○"),
    "shutdown": ("dim", "■"),
    "closed": ("dim", "■"),
    "guest-panicked": ("bad", "✕"),
    "internal-error": ("bad", "✕"),
}
_OUTCOMES = {"starts": ("ok", "✓"), "starts-with-warning": ("warn", "!"), "fatal": ("bad", "✕"), "aborts": ("bad", "✕")}
_SIZES = ("memory", "maxmem", "nvram_bytes")
_TAIL_LINES = 40
_APART = ("caps", "smp")


def _size(value: int | None) -> str | None:
    return None if value is None else format_size(value)


def _topology(config: MachineConfig, ids: Sequence[int], stride: int) -> Topology:
    smp = config.smp
    return Topology(ids, stride, room=-(-(smp.maxcpus or len(ids)) // (smp.threads or 1)), sockets=smp.sockets or 1)


def _smp(config: MachineConfig) -> str:
    """The topology in words."""
    smp = config.smp
    levels = [(smp.sockets, "socket"), (smp.cores, "core"), (smp.threads, "thread")]
    return " × ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in levels if count is not None)


def _facts(config: MachineConfig, vsmt: int) -> str:
    room = config.smp.maxcpus
    return rows(
        [
            ("vcpus", config.smp.cpus if room == config.smp.cpus else f"{config.smp.cpus}, room for {room}"),
            ("topology", _smp(config)),
            ("vsmt", vsmt),
            ("memory", _size(config.memory)),
            ("interrupts", config.ic_mode),
            ("NUMA nodes", len(config.numa) if len(config.numa) > 1 else None),
            ("compat", config.max_cpu_compat),
            ("host", config.host if config.host != "tcg" else None),
            ("accel", config.accel),
        ]
    )


def _caps(config: MachineConfig) -> str:
    return details("Capabilities", table((name, escape(level)) for name, level in config.caps.items()))


def _settings(config: MachineConfig, given: MachineConfig) -> str:
    """Every setting that says something; those that the user gave come first, the rest are defaults."""
    mine: list[tuple[str, str]] = []
    rest: list[tuple[str, str]] = []
    for field in fields(config):
        value, asked = getattr(config, field.name), getattr(given, field.name)
        if field.name in _APART or value is None or value == ():
            continue
        text = escape(str(_size(value) if field.name in _SIZES else value))
        (mine if asked != field.default else rest).append((field.name, text))
    shown = details("What was asked for", table(mine)) if mine else ""
    return shown + details("What is the default", table(rest))


def machine_card(vm: Machine) -> tuple[str, str]:
    """What it is, in which state, its topology; folded away: settings and capabilities."""
    config = vm.config
    try:
        status, text = vm.status, vm.status_text
    except SpaprError:
        status, text = "in another process", ""
    kind, mark = _STATES.get(status, ("warn", "!"))
    svg = draw(_topology(config, vm._vcpu_ids, vm.vsmt))
    html = head(config.name or config.machine, f"{config.cpu}{f' · {config.machine}' if config.name else ''}", pill(status, kind, mark))
    if text:
        html += f"<pre>{escape(text)}</pre>"
    return html + _facts(config, vm.vsmt) + svg + _settings(config, vm._asked) + _caps(config), svg


def config_card(asked: MachineConfig) -> tuple[str, str]:
    """What would come of it, or why nothing would."""
    from spapr import _spapr

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = asked.resolved()
        settled, odd = _spapr.resolve(asked)
    except SpaprError as error:
        return head(asked.machine, asked.cpu or "", pill("cannot start", "bad", "✕")) + f"<pre>{escape(str(error))}</pre>", ""
    badge = pill("starts, with a word", "warn", "!") if odd else pill("can start", "ok", "✓")
    svg = draw(_topology(config, settled["vcpu_ids"], settled["stride"]))
    said = "".join(f"<pre>{escape(f'{setting}: {message}; {hint}')}</pre>" for setting, message, hint in odd)
    html = head(config.machine, config.cpu or "", badge) + said + _facts(config, settled["stride"]) + svg
    return html + _settings(config, asked) + _caps(config), svg


def explanation_card(it: Explanation) -> tuple[str, str]:
    """The outcome, the ids, the message and what to do."""
    kind, mark = _OUTCOMES.get(it.outcome, ("warn", "!"))
    said = "".join(f"<pre>{escape(line)}</pre>" for line in (it.message, it.hint and f"hint: {it.hint}") if line)
    facts = rows(
        [
            ("vsmt", it.vsmt),
            ("chosen by", it.origin if it.origin != "none" else None),
            ("QEMU", it.qemu_outcome if it.qemu_outcome != it.outcome else None),
            ("interrupts", it.ic_mode),
            ("server numbers below", it.max_server_number),
            ("guest was told", it.advertised_servers if it.advertised_servers != it.max_server_number else None),
        ]
    )
    svg = draw(Topology([int(number) for number in it.vcpu_ids], it.vsmt)) if it.starts and it.vsmt else ""
    return head(it.ruleset, "", pill(it.outcome, kind, mark)) + said + facts + svg, svg


def _hex(value: int, digits: int = 16) -> str:
    """A number whose leading zeros stand back."""
    text = f"{value:0{digits}x}"
    bare = text.lstrip("0")
    zeros = text[: len(text) - len(bare)]
    return (f'<span class="dim">{zeros}</span>' if zeros else "") + bare


def cpu_card(cpu: Cpu) -> str:
    """Registers; folded away: those special purpose registers that are not zero, and the SLB."""
    try:
        state = cpu._read()
    except SpaprError as error:
        return head(f"cpu {cpu.index}", f"vcpu id {cpu.vcpu_id}", pill("runs", "ok", "▶")) + f'<div class="dim">{escape(str(error))}</div>'
    kind, mark = ("ok", "▶") if state.state == "running" else ("dim", "○")
    html = head(f"cpu {cpu.index}", f"vcpu id {cpu.vcpu_id}", pill(state.state, kind, mark))
    msr = cpu.msr
    html += table([("nip", _hex(state.nip)), ("msr", f"{_hex(state.msr)}&ensp;{''.join(chip(name) for name in msr.names)}")])
    html += _grid([("lr", state.lr, 16), ("ctr", state.ctr, 16), ("cr", state.cr, 8), ("xer", state.xer, 8)], across=4)
    html += _grid([(f"r{n}", int(value), 16) for n, value in enumerate(state.gpr)], across=4)
    sprs = [(name, _hex(value)) for name, value in cpu.spr.items() if value]
    html += details(f"Special purpose registers ({len(sprs)} are not zero)", table(sprs))
    if state.slb:
        html += details("SLB", table([(str(number), f"{_hex(esid)}&ensp;{_hex(vsid)}") for number, esid, vsid in state.slb]))
    return html


def _grid(registers: Sequence[tuple[str, int, int]], across: int) -> str:
    lines = []
    for start in range(0, len(registers), across):
        cells = (f'<th scope="row" class="mono">{name}</th><td class="mono">{_hex(value, digits)}</td>' for name, value, digits in registers[start : start + across])
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def console_card(console: Console) -> str:
    """The last lines of the output."""
    lines = console.log.splitlines()
    before = len(lines) - _TAIL_LINES
    html = head(f"console {console.index}", f"the last {_TAIL_LINES} of {len(lines)} lines" if before > 0 else f"{len(lines)} lines")
    return html + (f"<pre>{escape(chr(10).join(lines[-_TAIL_LINES:]))}</pre>" if lines else '<div class="dim">It has said nothing yet.</div>')


def listing_card(listing: Sequence[Instruction]) -> str:
    """Addresses, images, texts."""
    lines = "".join(
        f'<tr><th scope="row" class="mono">{_hex(row.address)}</th><td class="mono dim">{row.image:0{16 if row.image >> 32 else 8}x}</td>'
        f'<td class="mono">{escape(row.text)}</td></tr>'
        for row in listing
    )
    return f"<table><tbody>{lines}</tbody></table>" if listing else '<div class="dim">Nothing is mapped there.</div>'
