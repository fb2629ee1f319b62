"""What came of carrying a matrix out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spapr.errors import ConfigError
from spapr.matrix.pivot import Pivot

if TYPE_CHECKING:
    import pandas

    from spapr.matrix.axes import Cell
    from spapr.matrix.core import Matrix
    from spapr.matrix.verdicts import Verdicts

__all__ = ["Difference", "Results", "Row"]

VERDICTS = ("migrates", "migrates-with-warning", "refused", "source-cannot-start", "destination-cannot-start", "failed")
"""What a cell may have come to: the verdicts, and `failed` where something went wrong that no rule foresees."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A cell that was carried out."""

    cell: int
    """Its number."""
    key: str
    """What it is, independent of the matrix that it was a cell of."""
    values: Mapping[str, Any]
    """The axes' values."""
    predicted: str
    """The verdict of `check`."""
    predicted_reasons: Sequence[str]
    """The codes of its reasons."""
    verdict: str
    """What happened: a verdict, or `failed`."""
    reasons: Sequence[str]
    """The codes of the reasons with which the destination refused."""
    problem: str
    """What was said of it."""
    downtime: float | None
    """Milliseconds in which the guest did not run."""
    total_time: float | None
    """Milliseconds that the migration took."""
    seconds: float
    """Seconds that the cell took."""
    host: str
    """Who carried it out."""
    consoles: Mapping[str, str]
    """The end of each console, of cells that failed or came out otherwise than predicted."""

    @property
    def agrees(self) -> bool:
        """Whether it came out as predicted."""
        return self.verdict == self.predicted

    def to_dict(self) -> dict[str, Any]:
        """All fields by name, as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Difference:
    """A cell that came out otherwise in another run, or is in one of them only."""

    key: str
    """What the cell is."""
    values: Mapping[str, Any]
    """Its values."""
    old: str | None
    """What it came to before; None: it was not there."""
    new: str | None
    """What it comes to now; None: it is not there any more."""

    def __str__(self) -> str:
        return f"{', '.join(f'{name}={value}' for name, value in self.values.items())}: {self.old or 'not there'} -> {self.new or 'not there'}"


class Results(Sequence[Row]):
    """The rows of a run, in the order of their cells."""

    def __init__(self, rows: Iterable[Row], matrix: Matrix | None = None, seconds: float | None = None) -> None:
        self._rows = sorted(rows, key=lambda row: row.cell)
        self.matrix = matrix
        """The matrix that was carried out; None: the rows were read from a file."""
        self.seconds = seconds
        """How long the run took."""

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, position: Any) -> Any:
        return Results(self._rows[position], self.matrix) if isinstance(position, slice) else self._rows[position]

    def cell(self, row: Row) -> Cell:
        """The cell of a row, with its configurations."""
        if self.matrix is None:
            raise ConfigError("matrix", "these rows were read from a file", "use them with the matrix: matrix.cell(row.cell)")
        return self.matrix.cell(row.cell)

    def to_qemu_args(self, row: Row, side: str = "source") -> list[str]:
        """QEMU's arguments for one side of a row's cell."""
        return self.cell(row).to_qemu_args(side)

    def counts(self) -> dict[str, int]:
        """How many cells came to what."""
        return {name: number for name in VERDICTS if (number := sum(row.verdict == name for row in self._rows))}

    def disagreements(self, verdicts: Verdicts | None = None) -> list[Row]:
        """The rows that came out otherwise than predicted: by `check` as it was when they were carried out, or by these verdicts."""
        if verdicts is None:
            return [row for row in self._rows if not row.agrees]
        names = {int(entry["cell"]): verdicts.NAMES[entry["verdict"]] for entry in verdicts.data}
        return [row for row in self._rows if row.verdict != names.get(row.cell, row.verdict)]

    def failures(self) -> list[Row]:
        """The rows in which something went wrong that no rule foresees."""
        return [row for row in self._rows if row.verdict == "failed"]

    def where(self, **equal: Any) -> Results:
        """Only the rows with these values (of an axis, or of `verdict`, `predicted`)."""
        own = {field.name for field in fields(Row)}

        def fits(row: Row) -> bool:
            return all((getattr(row, name) if name in own else row.values[name]) == value for name, value in equal.items())

        return Results(filter(fits, self._rows), self.matrix)

    def rows(self) -> list[dict[str, Any]]:
        """A dictionary for each cell: the axes' values by name, `verdict`, `reasons`, `predicted`, and how long it took."""
        return [
            {**row.values, "verdict": row.verdict, "reasons": list(row.reasons), "predicted": row.predicted, "downtime": row.downtime, "seconds": row.seconds}
            for row in self._rows
        ]

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame of `rows()`."""
        import pandas

        return pandas.DataFrame(self.rows())

    def pivot(self, rows: str | Sequence[str], cols: str | Sequence[str]) -> Pivot:
        """A table of some axes against others: in each field how many cells came to what."""
        if self.matrix is None:
            raise ConfigError("matrix", "these rows were read from a file", "make the pivot table with to_pandas()")
        cells = np.array([row.cell for row in self._rows], dtype=np.int64)
        numbers = np.array([VERDICTS.index(row.verdict) for row in self._rows], dtype=np.uint8)
        return Pivot.of(self.matrix, cells, numbers, VERDICTS, rows, cols)

    def heatmap(self, rows: str | Sequence[str], cols: str | Sequence[str], ax: Any = None) -> Any:
        """The pivot table as a picture: matplotlib's `Axes`."""
        return self.pivot(rows, cols).heatmap(ax)

    # --- files ---

    def save(self, path: str | Path) -> None:
        """Writes the rows, one JSON object in each line; `Results.load` reads them."""
        Path(path).write_text("".join(json.dumps(row.to_dict()) + "\n" for row in self._rows))

    @classmethod
    def load(cls, path: str | Path) -> Results:
        """The rows of a file that `save` or the journal of a run wrote."""
        return cls(read_journal(Path(path)).values())

    def diff(self, newer: Results) -> list[Difference]:
        """What came out otherwise in `newer`, by what the cells are and not by their numbers."""
        old, new = ({row.key: row for row in results} for results in (self, newer))
        found = []
        for key in {**old, **new}:
            before, after = old.get(key), new.get(key)
            if before is None or after is None or before.verdict != after.verdict:
                some = after or before
                assert some is not None
                found.append(Difference(key, some.values, before.verdict if before else None, after.verdict if after else None))
        return found

    def to_junit(self, path: str | Path, *, name: str = "spapr.matrix") -> None:
        """Writes JUnit's XML: a test for each cell, failed where it came out otherwise than predicted."""
        from spapr.matrix.report import junit

        Path(path).write_text(junit(self, name))

    def to_html(self, path: str | Path, *, rows: str | Sequence[str] | None = None, cols: str | Sequence[str] | None = None) -> None:
        """Writes a report that needs nothing else: counts, the pivot table of `rows` and `cols`, and every cell that needs a look."""
        from spapr.matrix.report import page

        Path(path).write_text(page(self, rows, cols))

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {number}" for name, number in self.counts().items())
        wrong = len(self.disagreements())
        return f"<spapr.matrix.Results of {len(self)} cells: {counts or 'none'}; {wrong or 'none'} otherwise than predicted>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.results(self)


def read_journal(path: Path) -> dict[str, Row]:
    """The rows of a journal by key. A last line that a crash cut short is left out."""
    rows: dict[str, Row] = {}
    known = {field.name for field in fields(Row)}
    for line in path.read_text().splitlines():
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(values, dict) and known <= values.keys():
            row = Row(**{name: values[name] for name in known})
            rows[row.key] = row
    return rows
