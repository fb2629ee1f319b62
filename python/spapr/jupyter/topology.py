"""The picture of a topology: cores with their threads, each with its vcpu id, and the ids that the spacing leaves unused.

A core takes `vsmt` ids, of which its threads use the first; the rest are drawn as empty places. So two machines whose guests cannot be
exchanged look different at a glance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spapr.jupyter.page import escape

__all__ = ["Topology", "draw"]

_CELL, _HEIGHT, _GAP = 36, 28, 4
_LABEL, _PAD, _SPACE = 18, 8, 12
_WIDTH = 860
_CORES_MAX = 64
_PLACES_MAX = 8


@dataclass(frozen=True)
class Topology:
    """What is drawn."""

    ids: Sequence[int]
    """The vcpu ids by index."""
    vsmt: int
    """Ids for each core."""
    room: int = 0
    """Cores that the machine has room for."""
    sockets: int = 1
    """Sockets that they are in."""

    def cores(self) -> list[list[int]]:
        """The ids that each core uses."""
        count = max([self.room, *(number // self.vsmt + 1 for number in self.ids)])
        cores: list[list[int]] = [[] for _ in range(count)]
        for number in self.ids:
            cores[number // self.vsmt].append(number)
        return cores

    def words(self) -> str:
        """The same for those who do not see it."""
        said = [f"core {n}: vcpu ids {' '.join(map(str, ids))}" if ids else f"core {n}: not plugged" for n, ids in enumerate(self.cores()[:_CORES_MAX])]
        return f"{len(self.ids)} vcpus, {self.vsmt} ids for each core; " + "; ".join(said)


def draw(it: Topology) -> str:
    """The picture, as SVG: a row of cores, or several; sockets below each other where there are more than one."""
    cores = it.cores()
    shown = cores[:_CORES_MAX]
    places = min(it.vsmt, max([_PLACES_MAX, *(len(ids) for ids in shown)]))
    wide = 2 * _PAD + places * _CELL + (places - 1) * _GAP
    high = _LABEL + _HEIGHT + 2 * _PAD - 2
    wide = max(wide, 60)
    per_socket = -(-len(cores) // it.sockets)
    across = _across(min(per_socket, len(shown)), wide)
    parts = []
    width, y = 0, 1
    for socket in range(0, len(shown), per_socket):
        if it.sockets > 1:
            parts.append(f'<text class="sp-label" x="1" y="{y + 10}">socket {socket // per_socket}</text>')
            y += _LABEL
        members = shown[socket : min(socket + per_socket, len(shown))]
        for n, ids in enumerate(members):
            x = 1 + n % across * (wide + _SPACE)
            parts.append(_core(f"core {socket + n}", ids, it.vsmt * (socket + n), places, x, y + n // across * (high + _SPACE), wide, high))
            width = max(width, x + wide + 1)
        y += -(-len(members) // across) * (high + _SPACE)
    height = y - _SPACE + 1
    if len(cores) > len(shown):
        parts.append(f'<text class="sp-label" x="1" y="{height + 14}">… and {len(cores) - len(shown)} more cores</text>')
        height += 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sp-svg" role="img" aria-label="{escape(it.words())}" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">{"".join(parts)}</svg>'
    )


def _across(count: int, wide: int) -> int:
    """So many in a row as there is room for; fewer, if that fills the last row without a further one."""
    most = max(1, min((_WIDTH + _SPACE) // (wide + _SPACE), count))
    return -(-count // -(-count // most))


def _core(label: str, ids: Sequence[int], first: int, places: int, x: int, y: int, wide: int, high: int) -> str:
    parts = [] if ids else [f"<title>{label} is not plugged</title>"]
    parts += [f'<rect class="{"sp-core" if ids else "sp-off"}" x="{x}" y="{y}" width="{wide}" height="{high}" rx="6"/>']
    parts.append(f'<text class="sp-label" x="{x + _PAD}" y="{y + _PAD + 9}">{label}</text>')
    for place in range(places):
        number = first + place
        left, top = x + _PAD + place * (_CELL + _GAP), y + _LABEL + _PAD - 2
        on = number in ids
        title = f"vcpu id {number}" if on else f"id {number} is not used"
        parts.append(
            f'<g><title>{title}</title><rect class="{"sp-on" if on else "sp-off"}" x="{left}" y="{top}" width="{_CELL}" height="{_HEIGHT}" rx="4"/>'
            f'<text class="{"sp-id" if on else "sp-no"}" x="{left + _CELL // 2}" y="{top + _HEIGHT // 2 + 4}">{number if on else "·"}</text></g>'
        )
    return f"<g>{''.join(parts)}</g>"
