"""Carrying a matrix out on any executor, so that a crash costs nothing that was done.

No scheduler is here: an executor (threads, processes, Dask's, or any other with the interface of PEP 3148) is given batches of cells and gives rows
back. What is kept is a journal, a line for each finished cell.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from spapr.matrix.payload import Embedded, Payload
from spapr.matrix.results import Results, Row, read_journal
from spapr.matrix.work import Job, run_batch

if TYPE_CHECKING:
    from spapr.matrix.axes import Cell
    from spapr.matrix.core import Matrix

__all__ = ["execute"]


def key_of(cell: Cell, payload: Payload) -> str:
    """What a cell is: a digest of both configurations and the payload."""
    return hashlib.sha256(repr((cell.source, cell.destination, payload)).encode()).hexdigest()[:16]


def execute(
    matrix: Matrix,
    executor: Executor | None,
    *,
    payload: Payload | None,
    timeout: float,
    journal: Path | None,
    keep: Path | None,
    batch: int | None,
    progress: bool,
    on_progress: Callable[[int, int, Row], object] | None,
) -> Results:
    """See `Matrix.run`."""
    begin = time.monotonic()
    guest = payload or Embedded()
    known = read_journal(journal) if journal is not None and journal.exists() else {}
    # What went wrong for no reason that a rule knows is tried again.
    done = {key: row for key, row in known.items() if row.verdict != "failed"}
    rows: list[Row] = []
    todo: list[tuple[str, Cell]] = []
    for cell in matrix:
        key = key_of(cell, guest)
        if key in done:
            old = done[key]
            rows.append(Row(**{**old.to_dict(), "cell": cell.index, "values": dict(cell.values)}))
        else:
            todo.append((key, cell))
    total, bar = len(rows) + len(todo), Bar() if progress else None
    with _opened(journal) as (book,), _threads(executor) as workers:
        size = batch or _batch(len(todo), workers)
        for row in _rows(workers, todo, guest, timeout, size):
            rows.append(row)
            if book is not None:
                book.write(json.dumps(row.to_dict()) + "\n")
                book.flush()
            if keep is not None and (row.verdict == "failed" or not row.agrees):
                _keep(keep, row, matrix.cell(row.cell))
            if bar is not None:
                bar.show(len(rows), total, row)
            if on_progress is not None:
                on_progress(len(rows), total, row)
    if bar is not None:
        bar.end()
    return Results(rows, matrix, time.monotonic() - begin)


class _opened:
    """The journal, open for more lines, or None."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.book: IO[str] | None = None

    def __enter__(self) -> tuple[IO[str] | None]:
        if self.path is not None:
            cut = self.path.exists() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size > 0
            self.book = self.path.open("a")
            if cut:
                self.book.write("\n")
        return (self.book,)

    def __exit__(self, *_: object) -> None:
        if self.book is not None:
            self.book.close()


class _threads:
    """The caller's executor, or one of threads for the length of a run."""

    def __init__(self, given: Executor | None) -> None:
        self.given = given
        self.own: ThreadPoolExecutor | None = None

    def __enter__(self) -> Executor:
        if self.given is not None:
            return self.given
        # Two for each processor: a cell also waits, for its guest and for both ends of its migration.
        self.own = ThreadPoolExecutor(2 * (os.cpu_count() or 1), thread_name_prefix="spapr-matrix")
        return self.own

    def __exit__(self, *_: object) -> None:
        if self.own is not None:
            self.own.shutdown(cancel_futures=True)


def _batch(cells: int, workers: Executor) -> int:
    """Cells for each task: one for threads, more where every task is a message to another process."""
    return 1 if isinstance(workers, ThreadPoolExecutor) else max(1, min(16, cells // 16))


def _rows(workers: Executor, todo: list[tuple[str, Cell]], payload: Payload, timeout: float, size: int) -> Iterator[Row]:
    """Rows as they are finished. No more tasks are handed over than are needed to keep the workers busy, so that an interrupt ends soon."""
    batches = iter([todo[at : at + size] for at in range(0, len(todo), size)])
    waiting: dict[Future[list[dict[str, Any]]], list[tuple[str, Cell]]] = {}

    def hand_over() -> None:
        for part in batches:
            jobs = tuple(Job(cell.index, cell.source, cell.destination) for _, cell in part)
            waiting[workers.submit(run_batch, jobs, payload, timeout)] = part
            return

    for _ in range(4 * (os.cpu_count() or 1)):
        hand_over()
    try:
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                part = waiting.pop(future)
                hand_over()
                yield from _settle(future, part)
    finally:
        for future in waiting:
            future.cancel()


def _settle(future: Future[list[dict[str, Any]]], part: list[tuple[str, Cell]]) -> Iterator[Row]:
    """The rows of a batch; if its worker died, each of its cells has failed."""
    error = future.exception()
    found = {} if error is not None else {values["cell"]: values for values in future.result()}
    for key, cell in part:
        values = found.get(cell.index)
        if values is None:
            predicted = cell.explain()
            values = {
                "cell": cell.index, "predicted": predicted.verdict, "predicted_reasons": list(predicted.codes), "verdict": "failed", "reasons": [],
                "problem": f"its worker ended: {type(error).__name__}: {error}", "downtime": None, "total_time": None, "seconds": 0.0, "host": "", "consoles": {},
            }  # fmt: skip
        yield Row(key=key, values=dict(cell.values), **values)


def _keep(folder: Path, row: Row, cell: Cell) -> None:
    """Writes what is left of a cell that needs a look: both consoles, both configurations, QEMU's arguments, what was said."""
    place = folder / f"{row.cell}-{re.sub(r'[^A-Za-z0-9._=-]+', '_', cell.name)[:120]}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "row.json").write_text(json.dumps(row.to_dict(), indent=2) + "\n")
    (place / "predicted.txt").write_text(f"{cell.explain()}\n")
    for side in ("source", "destination"):
        config = getattr(cell, side)
        (place / f"{side}-config.py").write_text(f"from spapr import *\nconfig = {config!r}\n")
        (place / f"{side}-qemu.txt").write_text(" ".join(cell.to_qemu_args(side)) + "\n")
        if side in row.consoles:
            (place / f"{side}-console.txt").write_text(row.consoles[side])


class Bar:
    """A line on standard error that tells how far a run is."""

    def __init__(self) -> None:
        self.begin = time.monotonic()
        self.wrong = 0
        self.shown = 0.0

    def show(self, done: int, total: int, row: Row) -> None:
        """Draws it anew, ten times a second at most."""
        self.wrong += not row.agrees
        now = time.monotonic()
        if done < total and now - self.shown < 0.1:
            return
        self.shown = now
        rate = done / max(now - self.begin, 1e-6)
        filled = 30 * done // max(total, 1)
        text = f"[{'#' * filled}{'.' * (30 - filled)}] {done}/{total} cells, {rate:.0f}/s, {self.wrong} otherwise than predicted"
        sys.stderr.write(f"\r{text}")
        sys.stderr.flush()

    def end(self) -> None:
        """Ends the line."""
        sys.stderr.write("\n")
