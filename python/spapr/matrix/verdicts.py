"""What `Matrix.check` found: numbers in a numpy array, words when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from spapr import _spapr
from spapr.matrix.pivot import Pivot
from spapr.verdict import Verdict

if TYPE_CHECKING:
    import pandas
    from numpy.typing import NDArray

    from spapr.matrix.axes import Cell, CellView
    from spapr.matrix.core import Matrix

__all__ = ["DTYPE", "VerdictRow", "Verdicts"]

DTYPE = np.dtype([("cell", np.int64), ("verdict", np.uint8), ("reason", np.uint8), ("codes", np.uint64)])
"""A cell's number, its verdict (the position in `Verdicts.NAMES`), its first reason (in `Verdicts.CODES`; 255: none), and all reasons, a bit each."""

_NAMES = _spapr.compat_names()


@dataclass(frozen=True)
class VerdictRow:
    """A cell and what comes of it."""

    cell: Cell
    """The cell."""
    verdict: str
    """The verdict."""
    reasons: tuple[str, ...]
    """The codes of its reasons, the first of the weightiest first."""

    def explain(self) -> Verdict:
        """The verdict with every reason in words."""
        return self.cell.explain()

    def __str__(self) -> str:
        return f"{self.cell}: {self.explain()}"


class Verdicts(Sequence[VerdictRow]):
    """What comes of each cell of a matrix."""

    NAMES: ClassVar[tuple[str, ...]] = tuple(_NAMES["verdicts"])
    """The verdicts, by the number that `data` has."""
    CODES: ClassVar[tuple[str, ...]] = tuple(_NAMES["codes"])
    """The codes of reasons, by number."""

    def __init__(self, matrix: Matrix, data: NDArray[Any]) -> None:
        self.matrix = matrix
        """The matrix that was asked about."""
        self.data = data
        """A structured array of `DTYPE`, a row for each cell."""

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return Verdicts(self.matrix, self.data[position])
        row = self.data[position]
        return VerdictRow(self.matrix.cell(int(row["cell"])), self.NAMES[row["verdict"]], self._codes(int(row["codes"]), int(row["reason"])))

    def __iter__(self) -> Iterator[VerdictRow]:
        return (self[position] for position in range(len(self)))

    def _codes(self, bits: int, first: int) -> tuple[str, ...]:
        rest = [code for number, code in enumerate(self.CODES) if bits >> number & 1 and number != first]
        return (self.CODES[first], *rest) if first < len(self.CODES) else tuple(rest)

    @property
    def verdict(self) -> NDArray[np.str_]:
        """Each cell's verdict, as text."""
        return np.asarray(np.array(self.NAMES)[self.data["verdict"]])

    @property
    def reason(self) -> NDArray[np.str_]:
        """Each cell's first reason, as text; empty if there is none."""
        return np.asarray(np.array([*self.CODES, *[""] * (256 - len(self.CODES))])[self.data["reason"]])

    def counts(self) -> dict[str, int]:
        """How many cells have which verdict."""
        numbers = np.bincount(self.data["verdict"], minlength=len(self.NAMES))
        return {name: int(number) for name, number in zip(self.NAMES, numbers, strict=True)}

    def reasons(self) -> dict[str, int]:
        """How many cells have which reason, the most frequent first."""
        numbers = {code: int(np.count_nonzero(self.data["codes"] >> np.uint64(n) & np.uint64(1))) for n, code in enumerate(self.CODES)}
        return dict(sorted(((code, number) for code, number in numbers.items() if number), key=lambda item: -item[1]))

    def column(self, name: str) -> list[Any]:
        """Each cell's value of an axis."""
        values = self.matrix.axis(name).values
        return [values[at] for at in self.matrix.digits(name, self.data["cell"]).tolist()]

    def rows(self) -> list[dict[str, Any]]:
        """A dictionary for each cell: the axes' values by name, `verdict`, and `reasons` (codes)."""
        names = (*self.matrix.names, "verdict", "reasons")
        columns = [self.column(name) for name in self.matrix.names]
        verdicts = [self.NAMES[n] for n in self.data["verdict"].tolist()]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, verdicts, self._code_lists(), strict=True)]

    def where(self, predicate: Callable[[CellView], object] | None = None, /, *, verdict: str | Sequence[str] | None = None, **equal: Any) -> Verdicts:
        """Only the cells with these values and verdicts; see `Matrix.where`."""
        data = self.data
        if verdict is not None:
            wanted = [verdict] if isinstance(verdict, str) else list(verdict)
            data = data[np.isin(data["verdict"], [self.NAMES.index(name) for name in wanted])]
        if predicate is not None or equal:
            kept = self.matrix._with(data["cell"]).where(predicate, **equal)
            data = data[np.isin(data["cell"], kept.cells)]
        return Verdicts(self.matrix, data)

    def first_failure(self) -> VerdictRow | None:
        """The first cell that does not migrate; None if all do."""
        failed = np.flatnonzero(self.data["verdict"] > self.NAMES.index("migrates-with-warning"))
        return self[int(failed[0])] if len(failed) else None

    def pivot(self, rows: str | Sequence[str], cols: str | Sequence[str]) -> Pivot:
        """A table of some axes against others: in each field how many cells have which verdict."""
        return Pivot.of(self.matrix, self.data["cell"], self.data["verdict"], self.NAMES, rows, cols)

    def heatmap(self, rows: str | Sequence[str], cols: str | Sequence[str], ax: Any = None) -> Any:
        """The pivot table as a picture: matplotlib's `Axes`."""
        return self.pivot(rows, cols).heatmap(ax)

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame: the axes' values, `verdict`, `reasons`."""
        import pandas

        columns: dict[str, Any] = {name: pandas.Categorical.from_codes(self._digits(name), self._categories(name)) for name in self.matrix.names}
        columns["verdict"] = pandas.Categorical.from_codes(self.data["verdict"].astype(np.int8), list(self.NAMES))
        columns["reasons"] = list(self._code_lists())
        return pandas.DataFrame(columns)

    def _digits(self, name: str) -> NDArray[np.int64]:
        """The numbers of an axis's values; -1 for None, which pandas takes for nothing."""
        digits = self.matrix.digits(name, self.data["cell"])
        values = self.matrix.axis(name).values
        table = np.cumsum([value is not None for value in values]) - 1
        table[[value is None for value in values]] = -1
        return np.asarray(table[digits])

    def _categories(self, name: str) -> list[Any]:
        return [value for value in self.matrix.axis(name).values if value is not None]

    def _code_lists(self) -> Iterator[list[str]]:
        """The codes of each cell's reasons; cells with the same share the list."""
        known: dict[tuple[int, int], list[str]] = {}
        for key in zip(self.data["codes"].tolist(), self.data["reason"].tolist(), strict=True):
            if key not in known:
                known[key] = list(self._codes(*key))
            yield known[key]

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {number}" for name, number in self.counts().items() if number)
        return f"<spapr.matrix.Verdicts of {len(self)} cells: {counts or 'none'}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.verdicts(self)
