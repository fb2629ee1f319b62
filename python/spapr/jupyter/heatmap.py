"""A table of verdicts as a picture: a square for each pair of row and column, with a sign and a colour for what comes of it.

Labels may have several levels (`("threads 4", "vsmt 8")`); equal ones side by side are written once. A square that stands for several cells with
different verdicts is divided, and its sign is the worst one's with the count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spapr.jupyter.page import escape

__all__ = ["KINDS", "draw", "labels"]

KINDS = {
    "migrates": ("sp-good", "✓"),
    "migrates-with-warning": ("sp-odd", "!"),
    "refused": ("sp-poor", "✕"),
    "source-cannot-start": ("sp-none", "‹"),
    "destination-cannot-start": ("sp-none", "›"),
    "failed": ("sp-poor", "‼"),
}
"""Each verdict's colour and sign, from the best to the worst."""
_ORDER = {verdict: n for n, verdict in enumerate(KINDS)}
_SIDE, _HEIGHT, _GAP = 40, 28, 3
_LINE, _LETTER = 18, 6.6
_ROWS_MAX, _COLUMNS_MAX = 60, 60

Counts = Mapping[str, int]


def draw(rows: Sequence[Sequence[str]], columns: Sequence[Sequence[str]], cells: Mapping[tuple[int, int], Counts], titles: tuple[str, str] = ("", "")) -> str:
    """The picture. `rows` and `columns` are labels by level; `cells` has the number of each verdict by row and column, and may lack some."""
    rows, columns = rows[:_ROWS_MAX], columns[:_COLUMNS_MAX]
    widths = [max((len(label[level]) for label in rows), default=0) * _LETTER + 12 for level in range(len(rows[0]) if rows else 0)]
    side = max([_SIDE, *(len(label[-1]) * _LETTER + 8 for label in columns)])
    levels = len(columns[0]) if columns else 0
    left, top = sum(widths) + 4, levels * _LINE + (_LINE if titles[1] else 0) + 4
    parts = []
    if titles[0] or titles[1]:
        parts.append(f'<text class="sp-label" x="1" y="{top - 8}">{escape(titles[0])}</text><text class="sp-label" x="{left:.0f}" y="12">{escape(titles[1])}</text>')
    for level in range(levels):
        y = top - (levels - level) * _LINE + 12
        for n, span in _runs(columns, level):
            middle = left + n * (side + _GAP) + (span * (side + _GAP) - _GAP) / 2
            parts.append(f'<text class="sp-id sp-small" x="{middle:.1f}" y="{y}">{escape(columns[n][level])}</text>')
    for level, width in enumerate(widths):
        x = 1 + sum(widths[:level])
        for n, _ in _runs(rows, level):
            parts.append(f'<text class="sp-row" x="{x:.1f}" y="{top + n * (_HEIGHT + _GAP) + 18}">{escape(rows[n][level])}</text>')
    for r in range(len(rows)):
        for c in range(len(columns)):
            if counts := {verdict: n for verdict, n in cells.get((r, c), {}).items() if n}:
                where = f"{' '.join(rows[r])}, {' '.join(columns[c])}"
                parts.append(_square(counts, left + c * (side + _GAP), top + r * (_HEIGHT + _GAP), side, where))
    bottom = top + len(rows) * (_HEIGHT + _GAP) + 18
    legend, wide = _legend({verdict for counts in cells.values() for verdict, n in counts.items() if n}, bottom)
    width = max(left + len(columns) * (side + _GAP), wide, len(titles[1]) * _LETTER + left) + 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sp-svg" role="img" aria-label="{escape(_words(cells))}" '
        f'viewBox="0 0 {width:.0f} {bottom + 8}" width="{width:.0f}" height="{bottom + 8}">{"".join(parts)}{legend}</svg>'
    )


def labels(names: Sequence[str], values: Sequence[object]) -> tuple[str, ...]:
    """What is written at a row or a column: bare values; but a number that stands above others says of what it is, and a destination has an arrow."""
    last = len(values) - 1
    return tuple(_label(name, value, outer=n < last) for n, (name, value) in enumerate(zip(names, values, strict=True)))


def _label(name: str, value: object, *, outer: bool) -> str:
    if value is None:
        return f"{name} default" if outer else "default"
    if name.startswith("dest_") and isinstance(value, str):
        return f"→ {value}"
    return f"{name} {value}" if outer and not isinstance(value, str) else str(value)


def _runs(labels: Sequence[Sequence[str]], level: int) -> list[tuple[int, int]]:
    """Where a label of a level begins, and for how many it stands: those that are equal in this level and all above it. The last level says each."""
    runs: list[tuple[int, int]] = []
    for n, label in enumerate(labels):
        if n and level < len(label) - 1 and label[: level + 1] == labels[n - 1][: level + 1]:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((n, 1))
    return runs


def _square(counts: Counts, x: float, y: float, side: float, where: str) -> str:
    kinds = sorted(counts, key=lambda verdict: _ORDER.get(verdict, 9))
    total = sum(counts.values())
    parts, at = [], x
    for verdict in kinds:
        wide = side * counts[verdict] / total
        parts.append(f'<rect class="{KINDS.get(verdict, ("sp-none", "?"))[0]}" x="{at:.1f}" y="{y}" width="{wide:.1f}" height="{_HEIGHT}" rx="3"/>')
        at += wide
    worst = kinds[-1]
    sign = KINDS.get(worst, ("", "?"))[1] + (f" {counts[worst]}/{total}" if len(kinds) > 1 else "")
    said = ", ".join(f"{counts[verdict]} {verdict}" if total > 1 else verdict for verdict in kinds)
    # The text lies on the last rectangle for whoever measures, on all of them for the eye.
    text = f'<text class="sp-id" x="{x + side / 2:.1f}" y="{y + 18}">{sign}</text>'
    return f"<g><title>{escape(where)}: {escape(said)}</title>{''.join(parts)}{text}</g>"


def _legend(verdicts: set[str], y: float) -> tuple[str, float]:
    parts, x = [], 1.0
    for verdict in sorted(verdicts, key=lambda it: _ORDER.get(it, 9)):
        style, sign = KINDS.get(verdict, ("sp-none", "?"))
        parts.append(f'<g><rect class="{style}" x="{x:.0f}" y="{y - 12}" width="18" height="16" rx="3"/><text class="sp-id sp-small" x="{x + 9:.0f}" y="{y}">{sign}</text></g>')
        parts.append(f'<text class="sp-label" x="{x + 24:.0f}" y="{y}">{escape(verdict)}</text>')
        x += 24 + len(verdict) * _LETTER + 16
    return "".join(parts), x


def _words(cells: Mapping[tuple[int, int], Counts]) -> str:
    sums: dict[str, int] = {}
    for counts in cells.values():
        for verdict, n in counts.items():
            sums[verdict] = sums.get(verdict, 0) + n
    return "Verdicts: " + ", ".join(f"{n} {verdict}" for verdict, n in sorted(sums.items(), key=lambda it: _ORDER.get(it[0], 9)))
