"""Lines over time, as SVG: enough for how a migration goes, and nothing to import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spapr.jupyter.page import escape

__all__ = ["Line", "Panel", "draw"]

_WIDTH, _HEIGHT = 860, 130
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 96, 22, 8
_TIME = 26


@dataclass(frozen=True)
class Line:
    """A series."""

    name: str
    """Written at its end, instead of a legend."""
    values: Sequence[float]
    """One for each point in time."""
    style: str = "sp-line1"
    """`sp-line1`, `sp-line2` (dashed) or `sp-area`."""


@dataclass(frozen=True)
class Panel:
    """Lines on one scale."""

    unit: str
    """Of the scale, at its top."""
    lines: tuple[Line, ...]


def _step(most: float) -> float:
    """A round step, of which the scale has five at most."""
    if most <= 0:
        return 1.0
    size = 10.0 ** int(f"{most:e}".split("e")[1])
    return next(part * size for part in (0.25, 0.5, 1.0, 2.5) if most / (part * size) <= 5)


def _number(value: float) -> str:
    return f"{value:.6g}"


def draw(seconds: Sequence[float], panels: Sequence[Panel], words: str) -> str:
    """The picture: panels below each other, over the same time."""
    span = max(seconds, default=0.0) or 1.0
    height = len(panels) * (_HEIGHT + 8) + _TIME
    parts = []
    for n, panel in enumerate(panels):
        parts.append(_panel(seconds, span, panel, n * (_HEIGHT + 8)))
    base = len(panels) * (_HEIGHT + 8) - 8
    step = _step(span)
    ticks = [k * step for k in range(int(span / step + 1e-9) + 1)]
    parts += [f'<text class="sp-label" text-anchor="middle" x="{_x(t, span):.1f}" y="{base + 14}">{_number(t)}{" s" if t == ticks[-1] else ""}</text>' for t in ticks]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sp-svg" role="img" aria-label="{escape(words)}" '
        f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">{"".join(parts)}</svg>'
    )


def _x(second: float, span: float) -> float:
    return _LEFT + second / span * (_WIDTH - _LEFT - _RIGHT)


def _panel(seconds: Sequence[float], span: float, panel: Panel, top: int) -> str:
    most = max((max(line.values, default=0.0) for line in panel.lines), default=0.0)
    step = _step(most)
    most = max(step * -(-most // step), step)
    low, high = top + _HEIGHT - _BOTTOM, top + _TOP

    def y(value: float) -> float:
        return low - value / most * (low - high)

    parts = [f'<text class="sp-label" x="{_LEFT}" y="{top + 11}">{escape(panel.unit)}</text>']
    for k in range(int(most / step + 1e-9) + 1):
        at = y(k * step)
        parts.append(f'<line class="sp-grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="sp-label" text-anchor="end" x="{_LEFT - 8}" y="{at + 4:.1f}">{_number(k * step)}</text>')
    ends: list[float] = []
    for line in panel.lines:
        points = " ".join(f"{_x(t, span):.1f},{y(v):.1f}" for t, v in zip(seconds, line.values, strict=True))
        if line.style == "sp-area" and points:
            parts.append(f'<polygon class="sp-area" points="{_x(seconds[0], span):.1f},{low} {points} {_x(seconds[-1], span):.1f},{low}"/>')
        parts.append(f'<polyline class="{"sp-line1" if line.style == "sp-area" else line.style}" points="{points}"/>')
        if line.values:
            at = min(max(y(line.values[-1]) + 4, high + 8), low)
            while any(abs(at - other) < 13 for other in ends):
                at -= 1
            ends.append(at)
            parts.append(f'<text class="sp-label" x="{_WIDTH - _RIGHT + 8}" y="{at:.1f}">{escape(line.name)}</text>')
    return "".join(parts)
