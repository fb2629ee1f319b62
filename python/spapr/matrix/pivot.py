"""A table of some axes against others, with the verdicts of all cells that fall into each field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas
    from numpy.typing import NDArray

    from spapr.matrix.core import Matrix

__all__ = ["COLOURS", "Pivot"]

COLOURS = {
    "migrates": "#3a923a",
    "migrates-with-warning": "#b5cf6b",
    "refused": "#d62728",
    "source-cannot-start": "#7f7f7f",
    "destination-cannot-start": "#bcbcbc",
    "failed": "#000000",
}
"""A colour for each verdict."""
_SIGNS = {"migrates": "+", "migrates-with-warning": "~", "refused": "X", "source-cannot-start": "s", "destination-cannot-start": "d", "failed": "!"}
_WORST = ("failed", "refused", "source-cannot-start", "destination-cannot-start", "migrates-with-warning", "migrates")


class Pivot:
    """The verdicts of a matrix as a table. `str()` has a sign for each field: the worst verdict in it."""

    def __init__(self, names: tuple[list[str], list[str]], labels: tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]], counts: NDArray[np.int64], verdicts: tuple[str, ...]) -> None:
        self.row_names, self.col_names = names
        self.row_labels, self.col_labels = labels
        self.counts = counts
        """How many cells: row, column, verdict."""
        self.verdicts = verdicts
        """The verdicts, by number."""

    @classmethod
    def of(
        cls,
        matrix: Matrix,
        cells: NDArray[np.int64],
        numbers: NDArray[np.uint8],
        verdicts: tuple[str, ...],
        rows: str | Sequence[str],
        cols: str | Sequence[str],
    ) -> Pivot:
        """The table of these cells."""
        names = tuple([name] if isinstance(name, str) else list(name) for name in (rows, cols))
        keys, labels = [], []
        for axes in names:
            key = np.zeros(len(cells), dtype=np.int64)
            for name in axes:
                key = key * len(matrix.axis(name).values) + matrix.digits(name, cells)
            present, at = np.unique(key, return_inverse=True)
            keys.append(at)
            labels.append([_label(matrix, axes, int(number)) for number in present])
        counts = np.zeros((len(labels[0]), len(labels[1]), len(verdicts)), dtype=np.int64)
        np.add.at(counts, (keys[0], keys[1], numbers), 1)
        return cls((names[0], names[1]), (labels[0], labels[1]), counts, verdicts)

    def worst(self) -> list[list[str]]:
        """The worst verdict in each field; empty where there is no cell."""
        order = [self.verdicts.index(name) for name in _WORST if name in self.verdicts]
        return [[next((self.verdicts[n] for n in order if field[n]), "") for field in row] for row in self.counts]

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame of the worst verdicts."""
        import pandas

        def index(names: list[str], labels: list[tuple[Any, ...]]) -> Any:
            return pandas.MultiIndex.from_tuples(labels, names=names) if len(names) > 1 else pandas.Index([label[0] for label in labels], name=names[0])

        return pandas.DataFrame(self.worst(), index=index(self.row_names, self.row_labels), columns=index(self.col_names, self.col_labels))

    def __str__(self) -> str:
        left = [" / ".join(map(_text, label)) for label in self.row_labels]
        top = [" / ".join(map(_text, label)) for label in self.col_labels]
        width = max([len(text) for text in left] + [len(" / ".join(self.row_names))])
        lines = [f"{' / '.join(self.row_names):<{width}}  {' / '.join(self.col_names)}"]
        lines += [" " * (width + 2 + 2 * n) + text for n, text in enumerate(top)]
        for text, row in zip(left, self.worst(), strict=True):
            lines.append(f"{text:<{width}}  " + " ".join(_SIGNS.get(verdict, " ") for verdict in row).rstrip())
        used = [name for name in self.verdicts if any(name in row for row in self.worst())]
        lines.append(", ".join(f"{_SIGNS[name]} {name}" for name in used))
        return "\n".join(lines)

    def to_svg(self) -> str:
        """The table as a picture that stands for itself, light or dark as the reader's system is."""
        from spapr.jupyter.page import standalone

        return standalone(self._drawn())

    def _drawn(self) -> str:
        from spapr.jupyter.heatmap import draw, labels

        rows = [labels(self.row_names, label) for label in self.row_labels]
        columns = [labels(self.col_names, label) for label in self.col_labels]
        cells = {
            (y, x): {name: int(number) for name, number in zip(self.verdicts, self.counts[y, x], strict=True) if number}
            for y, x in zip(*np.nonzero(self.counts.sum(axis=2)), strict=True)
        }
        return draw(rows, columns, cells, (", ".join(self.row_names), ", ".join(self.col_names)))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr.jupyter.page import card, head

        title = head("Migration matrix", f"{int(self.counts.sum()):,} cells")
        return {"text/plain": str(self), "text/html": card(title + self._drawn()), "image/svg+xml": self.to_svg()}

    def heatmap(self, ax: Any = None) -> Any:
        """A picture: a field is divided among the verdicts of its cells. Gives matplotlib's `Axes`."""
        import matplotlib.pyplot as plt
        from matplotlib.patches import Patch, Rectangle

        if ax is None:
            _, ax = plt.subplots(figsize=(2.5 + 0.34 * len(self.col_labels), 1.6 + 0.3 * len(self.row_labels)))
        for y, row in enumerate(self.counts):
            for x, field in enumerate(row):
                left, total = 0.0, field.sum()
                for name, number in zip(self.verdicts, field, strict=True):
                    if number:
                        ax.add_patch(Rectangle((x + 0.04 + left * 0.92, y + 0.04), 0.92 * number / total, 0.92, color=COLOURS[name], linewidth=0))
                        left += number / total
        ax.set_xlim(0, len(self.col_labels))
        ax.set_ylim(len(self.row_labels), 0)
        ax.set_xticks(np.arange(len(self.col_labels)) + 0.5, [" / ".join(map(_text, label)) for label in self.col_labels], rotation=45, ha="right", fontsize=8)
        ax.set_yticks(np.arange(len(self.row_labels)) + 0.5, [" / ".join(map(_text, label)) for label in self.row_labels], fontsize=8)
        ax.set_xlabel(" / ".join(self.col_names))
        ax.set_ylabel(" / ".join(self.row_names))
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
        used = [name for n, name in enumerate(self.verdicts) if self.counts[:, :, n].any()]
        ax.legend(handles=[Patch(color=COLOURS[name], label=name) for name in used], loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8, frameon=False)
        return ax


def _label(matrix: Matrix, axes: list[str], number: int) -> tuple[Any, ...]:
    """The values that a key stands for."""
    values: list[Any] = []
    for name in reversed(axes):
        axis = matrix.axis(name)
        number, at = divmod(number, len(axis.values))
        values.append(axis.values[at])
    return tuple(reversed(values))


def _text(value: Any) -> str:
    return "–" if value is None else str(value)
