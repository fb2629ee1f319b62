"""A run as a document: JUnit's XML for a build server, an HTML page for people."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape as xml_escape
from xml.sax.saxutils import quoteattr

from spapr.matrix.pivot import COLOURS

if TYPE_CHECKING:
    from spapr.matrix.results import Results, Row

__all__ = ["counts_table", "junit", "page"]

_STYLE = """
:root { color-scheme: light dark; font: 14px/1.45 system-ui, sans-serif; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border: 1px solid #8884; padding: .2rem .5rem; text-align: left; font-weight: normal; }
thead th { font-weight: 600; }
pre { overflow-x: auto; background: #8881; padding: .6rem; }
summary { cursor: pointer; }
"""


def _legal(text: str) -> str:
    """What XML 1.0 can hold: a console may have said anything."""
    return "".join(c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "\ufffd" for c in text)


def _name(row: Row) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.values.items()) or f"cell {row.cell}"


def junit(results: Results, name: str) -> str:
    """JUnit's XML: a test for each cell."""
    wrong = results.disagreements()
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites><testsuite name={quoteattr(name)} tests="{len(results)}" failures="{len(wrong)}" errors="0" skipped="0" '
        f'time="{sum(row.seconds for row in results):.3f}">',
    ]
    for row in results:
        lines.append(f'<testcase classname={quoteattr(name)} name={quoteattr(_legal(_name(row)))} time="{row.seconds:.3f}">')
        if not row.agrees:
            message = f"predicted {row.predicted}, came to {row.verdict}"
            lines.append(f"<failure message={quoteattr(message)}>{xml_escape(_legal(row.problem))}</failure>")
        said = "\n".join(f"--- {side} console ---\n{text}" for side, text in row.consoles.items())
        if said:
            lines.append(f"<system-out>{xml_escape(_legal(said))}</system-out>")
        lines.append("</testcase>")
    return "\n".join([*lines, "</testsuite></testsuites>", ""])


def counts_table(counts: Mapping[str, int]) -> str:
    """How many cells have which verdict, as an HTML table."""
    rows = "".join(
        f'<tr><td><span style="color:{COLOURS[name]}">■</span> {name}</td><td style="text-align:right">{number}</td></tr>'
        for name, number in counts.items()
        if number
    )
    return f"<table><thead><tr><th>verdict</th><th>cells</th></tr></thead><tbody>{rows}</tbody></table>"


def page(results: Results, rows: str | Sequence[str] | None, cols: str | Sequence[str] | None) -> str:
    """A page that needs no other file."""
    parts = [f"<h1>Migration matrix</h1><p>{len(results)} cells{_took(results)}, {datetime.date.today().isoformat()}.</p>", counts_table(results.counts())]
    if rows is not None and cols is not None and results.matrix is not None:
        parts.append(results.pivot(rows, cols).to_svg())
    if results.matrix is not None:
        axes = "".join(f"<tr><td>{escape(axis.name)}</td><td>{escape(', '.join(map(str, axis.values)))}</td></tr>" for axis in results.matrix.axes)
        parts.append(f"<h2>Axes</h2><table>{axes}</table>")
    wrong = results.disagreements()
    parts.append(f"<h2>Otherwise than predicted: {len(wrong) or 'none'}</h2>")
    parts += [_entry(results, row) for row in wrong]
    refused = _grouped(results)
    if refused:
        body = "".join(f"<tr><td>{escape(reason)}</td><td>{number}</td><td>{escape(example)}</td></tr>" for reason, (number, example) in refused.items())
        parts.append(f"<h2>Why cells did not migrate</h2><table><thead><tr><th>reason</th><th>cells</th><th>for example</th></tr></thead><tbody>{body}</tbody></table>")
    return f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Migration matrix</title><style>{_STYLE}</style></head><body>{"".join(parts)}</body></html>\n'


def _took(results: Results) -> str:
    return "" if results.seconds is None else f" in {results.seconds:.1f} s ({len(results) / max(results.seconds, 1e-6):.0f} a second)"


def _grouped(results: Results) -> dict[str, tuple[int, str]]:
    """For each first reason of a cell that did not migrate: how many, and one's words."""
    found: dict[str, tuple[int, str]] = {}
    for row in results:
        if row.verdict in ("migrates", "migrates-with-warning"):
            continue
        reason = row.reasons[0] if row.reasons else row.verdict
        number, example = found.get(reason, (0, row.problem))
        found[reason] = (number + 1, example)
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def _entry(results: Results, row: Row) -> str:
    details: dict[str, Any] = {"what happened": row.problem, **{f"{side} console": text for side, text in row.consoles.items()}}
    if results.matrix is not None:
        for side in ("source", "destination"):
            details[f"{side}, as QEMU's arguments"] = " ".join(results.to_qemu_args(row, side))
    body = "".join(f"<p>{escape(name)}</p><pre>{escape(str(text))}</pre>" for name, text in details.items())
    return f"<details><summary>{escape(_name(row))}: predicted {row.predicted}, came to {row.verdict}</summary>{body}</details>"
