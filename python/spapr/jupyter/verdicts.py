"""Verdicts in a notebook: whether a guest may move, why, and what to write instead; and the kinds of host between which it would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from spapr.jupyter import heatmap
from spapr.jupyter.page import details, escape, head, pill

if TYPE_CHECKING:
    from spapr.hosts import HostProfile
    from spapr.matrix.core import Matrix
    from spapr.matrix.results import Results
    from spapr.matrix.verdicts import Verdicts
    from spapr.verdict import Reason, Verdict

__all__ = ["KINDS", "hosts_card", "matrix_card", "results_card", "verdict_card", "verdicts_card"]

_COLOURS = {"sp-good": "ok", "sp-odd": "warn", "sp-poor": "bad", "sp-none": "dim"}
KINDS = {verdict: (_COLOURS[style], sign) for verdict, (style, sign) in heatmap.KINDS.items()}
"""Each verdict's colour and sign: those of the heat map, as text."""
_WEIGHTS = {"refuses": ("bad", "✕"), "warns": ("warn", "!"), "notes": ("dim", "·")}


def verdict_card(it: Verdict) -> str:
    """The verdict, the remedy, and a row for each reason."""
    kind, mark = KINDS.get(it.verdict, ("warn", "!"))
    html = head("Migration", "", pill(it.verdict, kind, mark))
    if it.remedy:
        html += f'<div class="remedy"><b>What helps:</b> <span class="mono">{escape(it.remedy)}</span></div>'
    if not it.reasons:
        return html + '<div class="dim">Nothing stands in the way.</div>'
    columns = ("", "Setting", "Source", "Destination", "What is wrong, what to change", "QEMU")
    return html + _table(columns, (_reason(reason) for reason in it.reasons))


def _reason(reason: Reason) -> tuple[str, ...]:
    kind, mark = _WEIGHTS.get(reason.weight, ("dim", "·"))
    qemu = escape(reason.qemu_outcome) + (f'<div class="dim">{escape(reason.qemu_message)}</div>' if reason.qemu_message else "")
    wrong = escape(reason.problem) + (f'<div class="dim">{escape(reason.change)}</div>' if reason.change else "")
    return (
        f'<span class="{kind} still" title="{escape(reason.code)}">{mark} {escape(reason.weight)}</span>',
        f'<span class="mono">{escape(reason.setting)}</span>',
        f'<span class="mono">{escape(reason.source)}</span>',
        f'<span class="mono">{escape(reason.destination)}</span>',
        wrong,
        qemu,
    )


def _table(columns: Iterable[str], body: Iterable[tuple[str, ...]]) -> str:
    top = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in body)
    return f'<table class="wide"><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>'


def hosts_card(hosts: Mapping[str, HostProfile]) -> str:
    """A row for each kind of host."""
    columns = ("Host", "Stands for", "CPU", "Default SMT", "Settable", "vcpu ids", "MMU")
    body = (
        (
            f'<span class="mono">{escape(it.name)}</span>',
            escape(it.about),
            escape(it.cpu or "any"),
            str(it.default_smt),
            " ".join(map(str, it.settable_modes)) or "never",
            f"below {it.vcpu_id_end}" if it.vcpu_id_end else "no limit",
            " ".join(it.mmu),
        )
        for it in hosts.values()
    )
    return head("Kinds of host", f"{len(hosts)}") + _table(columns, body)


def verdicts_card(it: Verdicts) -> str:
    """How many cells have which verdict, and for which reasons."""
    html = head("Verdicts", f"{len(it):,} cells") + _counted(it.counts())
    reasons = it.reasons()
    if reasons:
        lines = ((f'<span class="mono">{escape(code)}</span>', f"{n:,}") for code, n in reasons.items())
        html += details(f"Reasons ({len(reasons)})", _table(("Reason", "Cells"), lines))
    return html + '<div class="dim">As a picture: <span class="mono">.pivot(rows=[…], cols=[…])</span></div>'


def results_card(it: Results) -> str:
    """What came of the cells that were carried out, and which of them came out otherwise than predicted."""
    wrong = it.disagreements()
    badge = pill(f"{len(wrong):,} otherwise than predicted", "bad", "✕") if wrong else pill("as predicted", "ok", "✓")
    about = f"{len(it):,} cells{f' in {it.seconds:.1f} s' if it.seconds is not None else ''}"
    html = head("Carried out", about, badge) + _counted(it.counts())
    if wrong:
        lines = ((f'<span class="mono">{row.cell}</span>', _mark(row.predicted), _mark(row.verdict), escape(row.problem)) for row in wrong[:20])
        html += _table(("Cell", "Predicted", "Came out", ""), lines)
    return html


def _counted(counts: Mapping[str, int]) -> str:
    shown = {verdict: n for verdict, n in counts.items() if n}
    most = max(shown.values(), default=1)
    return _table(("Verdict", "Cells", ""), ((_mark(verdict), f"{n:,}", _bar(n / most, verdict)) for verdict, n in shown.items()))


def _mark(verdict: str) -> str:
    kind, mark = KINDS.get(verdict, ("bad", "‼"))
    return f'<span class="{kind} still">{mark} {escape(verdict)}</span>'


def _bar(share: float, verdict: str) -> str:
    style = heatmap.KINDS.get(verdict, ("sp-none", ""))[0].replace("sp-", "--sp-")
    return f'<div class="bar" style="width:{max(2, round(share * 300))}px;background:var({style})"></div>'


def matrix_card(it: Matrix) -> str:
    """The axes with their values."""
    lines = ((f'<span class="mono">{escape(axis.name)}</span>', str(len(axis.values)), escape(_some(axis.values))) for axis in it.axes)
    html = head("Matrix", f"{len(it):,} cells") + _table(("Axis", "", "Values"), lines)
    fixed = ", ".join(f"{name}={value!r}" for name, value in it.fixed.items())
    return html + (f'<div class="dim">Everywhere: {escape(fixed)}</div>' if fixed else "")


def _some(values: Sequence[object], most: int = 8) -> str:
    shown = ["default" if value is None else str(value) for value in values[:most]]
    return " · ".join(shown) + (" · …" if len(values) > most else "")
