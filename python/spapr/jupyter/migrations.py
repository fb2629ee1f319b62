"""A migration in a notebook: how it went in numbers, and whether it converged, as lines over time; the same with matplotlib for papers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spapr.jupyter import chart
from spapr.jupyter.chart import Line, Panel
from spapr.jupyter.page import escape, head, pill, rows

if TYPE_CHECKING:
    from spapr.migration import MigrationInfo

__all__ = ["Plots", "migration_card"]

_MIB = 1 << 20
_STATES = {"completed": ("ok", "✓"), "failed": ("bad", "✕"), "cancelled": ("warn", "!")}
_POINTS_MIN, _POINTS_MAX = 3, 60


class Plots:
    """`info.plot`: pictures of a migration with matplotlib. Each takes `Axes`, or makes some, and gives them back."""

    def __init__(self, info: MigrationInfo) -> None:
        self._info = info

    def bandwidth(self, ax: Any = None) -> Any:
        """MiB a second: what was sent, and what the guest changed meanwhile. Where the second is above the first, a migration does not converge."""
        seconds, _, sent, changed = _series(self._info)
        ax = _axes(ax, "MiB/s")
        ax.plot(seconds, sent, label="sent", color="#0b5cad")
        ax.plot(seconds, changed, label="changed by the guest", color="#b26a00", linestyle="--")
        ax.set_ylim(bottom=0)
        ax.legend(frameon=False)
        return ax

    def remaining(self, ax: Any = None) -> Any:
        """MiB that were still to send."""
        seconds, left, _, _ = _series(self._info)
        ax = _axes(ax, "MiB still to send")
        ax.fill_between(seconds, left, color="#0b5cad", alpha=0.15)
        ax.plot(seconds, left, color="#0b5cad")
        ax.set_ylim(bottom=0)
        return ax

    def __repr__(self) -> str:
        return "<plots of a migration: bandwidth(ax=None), remaining(ax=None)>"


def _axes(ax: Any, label: str) -> Any:
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(7, 3), layout="constrained")
    ax.set_xlabel("seconds")
    ax.set_ylabel(label)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax


def _spread(points: list[MigrationInfo]) -> list[MigrationInfo]:
    """So few of the points that a rate between two of them means something; the first and the last among them."""
    span = (points[-1].total_time - points[0].total_time) / _POINTS_MAX
    kept = points[:1]
    for point in points[1:-1]:
        if point.total_time - kept[-1].total_time >= span and points[-1].total_time - point.total_time >= span:
            kept.append(point)
    return kept + points[1:][-1:]


def _series(info: MigrationInfo) -> tuple[list[float], list[float], list[float], list[float]]:
    """Seconds; MiB still to send; MiB a second sent since the point before; MiB a second changed."""
    points = _spread([*(point for point in info.history if point.ram.transferred), info])
    seconds = [point.total_time / 1000 for point in points]
    left = [point.ram.remaining / _MIB for point in points]
    sent = [0.0]
    for before, after in zip(points, points[1:], strict=False):
        span = (after.total_time - before.total_time) / 1000
        sent.append((after.ram.transferred - before.ram.transferred) / _MIB / span if span > 0 else sent[-1])
    sent[0] = sent[1] if len(sent) > 1 else 0.0
    changed = [point.ram.dirty_pages_rate * point.ram.page_size / _MIB for point in points]
    return seconds, left, sent, changed


def _time(milliseconds: float | None) -> str | None:
    if milliseconds is None:
        return None
    return f"{milliseconds:.1f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"


def _size(count: float) -> str:
    return f"{count / _MIB:,.1f} MiB" if count < 1 << 30 else f"{count / (1 << 30):,.2f} GiB"


def migration_card(info: MigrationInfo) -> tuple[str, str]:
    """Status, times, sizes; how it converged; the destination's warnings."""
    kind, mark = _STATES.get(info.status, ("blue", "→"))
    html = head("Migration", "" if info.status == "completed" else info.phase, pill(info.status, kind, mark))
    ram = info.ram
    html += rows(
        [
            ("total time", _time(info.total_time)),
            ("downtime", _time(info.downtime)),
            ("sent", _size(ram.transferred)),
            ("of memory", _size(ram.total)),
            ("rounds", ram.dirty_sync_count),
            ("whole pages", f"{ram.normal:,}"),
            ("uniform pages", f"{ram.duplicate:,}"),
            ("as changes", f"{info.xbzrle_cache.pages:,}" if info.xbzrle_cache.pages else None),
            ("guest held back", f"{info.cpu_throttle_percentage} %" if info.cpu_throttle_percentage else None),
        ]
    )
    svg = _picture(info) if len(info.history) + 1 >= _POINTS_MIN else ""
    said = "".join(f"<pre>{escape(warning)}</pre>" for warning in info.warnings)
    return html + said + svg, svg


def _picture(info: MigrationInfo) -> str:
    seconds, left, sent, changed = _series(info)
    panels = [
        Panel("MiB still to send", (Line("remaining", left, "sp-area"),)),
        Panel("MiB/s", (Line("sent", sent), Line("changed", changed, "sp-line2"))),
    ]
    return chart.draw(seconds, panels, _words(info, left))


def _words(info: MigrationInfo, left: Sequence[float]) -> str:
    downtime = _time(info.downtime)
    return f"{left[0]:.0f} MiB to send at first, {left[-1]:.0f} MiB after {_time(info.total_time)} and {info.ram.dirty_sync_count} rounds{f'; downtime {downtime}' if downtime else ''}"
