"""The one style of all displays, and the few pieces of HTML that they are made of.

The colours are variables with two sets of values. Which set holds is decided by what the notebook says of its theme (JupyterLab, VS Code,
Sphinx themes), and only where nothing is said by the reader's system. A card paints its own background, so its text can be read
on any page.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["STYLE", "card", "chip", "details", "escape", "head", "pill", "rows", "standalone", "table"]

_LIGHT = (
    "--sp-bg:#fff;--sp-soft:#f4f6f8;--sp-line:#d3d9df;--sp-fg:#1c2126;--sp-dim:#5b6570;"
    "--sp-blue:#0b5cad;--sp-fill:#e3effb;--sp-ok:#17692d;--sp-warn:#865300;--sp-bad:#b3261e;"
    "--sp-good:#cfe8d6;--sp-odd:#fbe3b0;--sp-poor:#f6c4be;--sp-none:#e6eaee"
)
_DARK = (
    "--sp-bg:#15191e;--sp-soft:#1d232a;--sp-line:#38414b;--sp-fg:#e4e9ee;--sp-dim:#98a3ae;"
    "--sp-blue:#7cb8f5;--sp-fill:#1b3550;--sp-ok:#63c779;--sp-warn:#e0ab4a;--sp-bad:#ff8a80;"
    "--sp-good:#1d4a2b;--sp-odd:#54400f;--sp-poor:#66241f;--sp-none:#2a323a"
)
_SAYS_DARK = ('[data-jp-theme-light="false"]', ".vscode-dark", ".vscode-high-contrast", '[data-theme="dark"]', '[theme="dark"]')
_SAYS_LIGHT = ('[data-jp-theme-light="true"]', ".vscode-light", '[data-theme="light"]', '[theme="light"]')

_RULES = """
.spapr{background:var(--sp-bg);color:var(--sp-fg);border:1px solid var(--sp-line);border-radius:8px;padding:12px 16px;margin:2px 0;
 max-width:920px;box-sizing:border-box;font:13px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;overflow-x:auto}
.spapr *{box-sizing:border-box}
.spapr .head{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 10px;margin:0 0 8px}
.spapr .head b{font-size:15px;font-weight:600}
.spapr .dim,.spapr .head span.dim{color:var(--sp-dim)}
.spapr .pill{margin-left:auto;border:1px solid currentColor;border-radius:99px;padding:0 10px;font-size:12px;font-weight:600;white-space:nowrap}
.spapr .ok{color:var(--sp-ok)}.spapr .warn{color:var(--sp-warn)}.spapr .bad{color:var(--sp-bad)}.spapr .blue{color:var(--sp-blue)}
.spapr .facts{display:flex;flex-wrap:wrap;gap:6px 28px;margin:0 0 10px}
.spapr .facts div{min-width:0}
.spapr .facts span{display:block}
.spapr .facts .name{color:var(--sp-dim);font-size:11px}
.spapr .facts .value{font-weight:500;font-variant-numeric:tabular-nums}
.spapr svg{display:block;max-width:100%;height:auto;margin:4px 0}
.spapr details{margin:6px 0 0}
.spapr summary{cursor:pointer;color:var(--sp-blue);font-weight:500;width:fit-content}
.spapr table{border-collapse:collapse;margin:6px 0 0;font-size:12px;border:0;table-layout:auto}
.spapr tr,.spapr tbody tr:nth-child(odd),.spapr tbody tr:nth-child(even),.spapr tbody tr:hover{background:none}
.spapr th,.spapr td{text-align:left;padding:2px 14px 2px 0;border:0;vertical-align:top;font-weight:400;color:inherit;white-space:normal;max-width:none}
.spapr th{color:var(--sp-dim)}
.spapr thead th{border-bottom:1px solid var(--sp-line)}
.spapr pre,.spapr .mono{font-family:ui-monospace,"SFMono-Regular",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12px;
 background:none;color:inherit;border:0}
.spapr td.mono,.spapr th.mono{white-space:nowrap}
.spapr pre{margin:6px 0 0;padding:8px 12px;background:var(--sp-soft);border-radius:6px;line-height:1.45;white-space:pre-wrap;overflow-wrap:anywhere}
.spapr .chip{display:inline-block;border:1px solid var(--sp-line);border-radius:4px;padding:0 5px;margin:0 3px 2px 0;font-size:11px}
.spapr .bar{height:10px;border-radius:3px;margin-top:5px}
.spapr .still{white-space:nowrap}
.spapr .remedy{margin:0 0 6px}
.spapr table.wide{width:100%}
.spapr table.wide td,.spapr table.wide th{padding:4px 16px 4px 0}
.spapr table.wide tbody tr+tr td{border-top:1px solid var(--sp-line)}
.spapr .tree details{margin:0;padding-left:14px;border-left:1px solid var(--sp-line)}
.spapr .tree summary{margin-left:-4px}
.spapr .tree table{margin:0 0 4px 14px}
.spapr .tree td,.spapr details td{white-space:normal;overflow-wrap:anywhere}
"""
_SVG = """
.sp-core{fill:var(--sp-soft);stroke:var(--sp-line)}.sp-on{fill:var(--sp-fill);stroke:var(--sp-blue)}.sp-off{fill:none;stroke:var(--sp-line);stroke-dasharray:3 3}
.sp-id{fill:var(--sp-fg);font-weight:600;text-anchor:middle}.sp-no{fill:var(--sp-dim);text-anchor:middle}.sp-label{fill:var(--sp-dim);font-size:11px}
.sp-svg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-size:12px;font-variant-numeric:tabular-nums}
.sp-svg text.sp-label{font-size:11px}
.sp-svg text.sp-small{font-size:11px}.sp-row{fill:var(--sp-fg)}
.sp-good{fill:var(--sp-good)}.sp-odd{fill:var(--sp-odd)}.sp-poor{fill:var(--sp-poor)}.sp-none{fill:var(--sp-none)}
.sp-grid{stroke:var(--sp-line);stroke-width:1}.sp-area{fill:var(--sp-fill);stroke:none}
.sp-line1{fill:none;stroke:var(--sp-blue);stroke-width:2}.sp-line2{fill:none;stroke:var(--sp-warn);stroke-width:2;stroke-dasharray:5 4}
"""


def _themed(selector: str) -> str:
    """The two sets of colours for a selector."""
    dark = ",".join(f"{says} {selector}" for says in _SAYS_DARK)
    light = ",".join(f"{says} {selector}" for says in _SAYS_LIGHT)
    return f"{selector}{{{_LIGHT}}}@media(prefers-color-scheme:dark){{{selector}{{{_DARK}}}}}{light}{{{_LIGHT}}}{dark}{{{_DARK}}}"


def _small(css: str) -> str:
    return css.replace("\n ", "").replace("\n", "")


# A notebook's own rules for tables and text are as specific as a class and an element: these are more so.
STYLE = _small(_themed(".spapr") + _RULES.replace(".spapr ", ".spapr.spapr ") + _SVG)
"""The style of a card, its pictures included."""


def card(html: str) -> str:
    """A whole display."""
    return f'<style>{STYLE}</style><div class="spapr">{html}</div>'


def standalone(svg: str) -> str:
    """A picture that brings its colours along, to be used by itself."""
    head, rest = svg.split(">", 1)
    style = _small(f".sp-svg{{{_LIGHT}}}@media(prefers-color-scheme:dark){{.sp-svg{{{_DARK}}}}}{_SVG}")
    return f"{head}><style>{style}</style>{rest}"


def head(title: str, about: str = "", badge: str = "") -> str:
    """The first line of a card."""
    return f'<div class="head"><b>{escape(title)}</b><span class="dim">{escape(about)}</span>{badge}</div>'


def pill(text: str, kind: str = "", mark: str = "") -> str:
    """A state, in words; `kind` is a colour, and `mark` its sign for those who do not see it."""
    return f'<span class="pill {kind}">{mark}{" " if mark else ""}{escape(text)}</span>'


def chip(text: str) -> str:
    """A small word in a frame."""
    return f'<span class="chip mono">{escape(text)}</span>'


def rows(facts: Iterable[tuple[str, object]]) -> str:
    """Facts side by side: a small name above each."""
    shown = ((name, str(value)) for name, value in facts if value not in (None, ""))
    cells = "".join(f'<div><span class="name">{escape(name)}</span><span class="value">{escape(value)}</span></div>' for name, value in shown)
    return f'<div class="facts">{cells}</div>'


def table(body: Iterable[tuple[str, str]], columns: tuple[str, ...] = ()) -> str:
    """A table of a name and the HTML of its value."""
    top = f"<thead><tr>{''.join(f'<th scope=col>{escape(column)}</th>' for column in columns)}</tr></thead>" if columns else ""
    lines = "".join(f'<tr><th scope="row" class="mono">{escape(name)}</th><td class="mono">{value}</td></tr>' for name, value in body)
    return f"<table>{top}<tbody>{lines}</tbody></table>"


def details(summary: str, html: str, *, opened: bool = False) -> str:
    """Something that is folded away."""
    return f"<details{' open' if opened else ''}><summary>{escape(summary)}</summary>{html}</details>"
