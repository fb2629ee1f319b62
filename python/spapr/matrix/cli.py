"""`python -m spapr matrix`: a matrix from the command line.

`--axis source_host=kvm-hv/power8,kvm-hv/power9 --axis threads=1,4,8 --set machine=pseries-2.11` predicts; `--run` carries out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

from spapr.errors import ConfigError
from spapr.matrix.axes import SMP, read_name
from spapr.matrix.core import Matrix
from spapr.matrix.results import Results

__all__ = ["main"]

_NUMBERS = {*SMP, "vsmt"}


def _value(setting: str, text: str) -> Any:
    """A word of the command line as a setting's value; `none` and `-` mean "left out"."""
    if text in ("none", "-"):
        return None
    if setting in _NUMBERS:
        try:
            return int(text, 0)
        except ValueError:
            raise ConfigError(setting, f"{text!r} is not a whole number", f"use {setting}=8 or another number") from None
    if setting == "numa":
        return int(text)
    if setting == "rng":
        return text in ("on", "true", "yes", "1")
    return text


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError("matrix", f"{text!r} has no value", f"use {name}=VALUE")
    return name, value


def _words(lists: Sequence[str], several: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in lists:
        name, value = _pair(text)
        setting = read_name(name)[1]
        if several and value != "same-axis":
            found[name] = [_value(setting, word) for word in value.split(",")]
        else:
            found[name] = value if value == "same-axis" else _value(setting, value)
    return found


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(prog="python -m spapr matrix", description="Predicts a matrix of migrations, or carries it out.", allow_abbrev=False)
    options.add_argument("--seed-patch", action="store_true", help="the patch of 2018 that made the default vsmt 8, case by case, predicted and run")
    options.add_argument("--axis", action="append", default=[], metavar="NAME=A,B,…", help="what varies: threads, vsmt, machine, ruleset, cap_htm, source_host, dest_host, …; none: left out")
    options.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="what does not vary")
    options.add_argument("--rows", help="axes of the table's rows, joined with commas; the first axis")
    options.add_argument("--cols", help="axes of the table's columns; the second axis")
    options.add_argument("--explain", type=int, metavar="CELL", help="one cell in words, with QEMU's arguments for both sides")
    options.add_argument("--list", action="store_true", help="every cell with its verdict and reasons")
    options.add_argument("--pairwise", action="store_true", help="only some cells, in which every two values still meet")
    options.add_argument("--sample", type=int, metavar="N", help="only so many cells, at random")
    options.add_argument("--seed", type=int, default=0, help="for --pairwise and --sample")
    options.add_argument("--run", action="store_true", help="start, migrate and verify every cell in which both sides start")
    options.add_argument("--all", action="store_true", help="with --run: also those in which a side does not start")
    options.add_argument("--predict-only", action="store_true", help="with --seed-patch: run nothing")
    options.add_argument("--jobs", type=int, metavar="N", help="with --run: processes (default: threads of this one)")
    options.add_argument("--timeout", type=float, default=30.0, help="with --run: seconds for a cell")
    options.add_argument("--journal", help="with --run: a file of finished cells, to go on from after a crash")
    options.add_argument("--keep", help="with --run: a folder for what is left of cells that need a look")
    options.add_argument("--junit", help="with --run: JUnit's XML")
    options.add_argument("--html", help="with --run: a report")
    options.add_argument("--plot", help="the table as a picture (.png, .svg); needs matplotlib")
    options.add_argument("--quiet", action="store_true", help="no progress bar")
    options.add_argument("--diff", nargs=2, metavar=("OLD", "NEW"), help="compares two journals")
    return options


def main(words: Sequence[str]) -> int:
    """Runs the command; 0 if everything came out as predicted (or nothing was run), 1 if not."""
    options = parser().parse_args(words)
    if options.seed_patch:
        from spapr.matrix.seed import main as seed_main

        return seed_main(run=not options.predict_only)
    if options.diff:
        changes = Matrix.diff(*options.diff)
        for change in changes:
            print(change)
        print(f"{len(changes) or 'no'} cells differ")
        return 1 if changes else 0
    return _matrix(options)


def _matrix(options: argparse.Namespace) -> int:
    axes = _words(options.axis, True)
    if not axes:
        raise ConfigError("matrix", "there is no axis", "use --axis threads=1,2,4,8 --axis source_host=kvm-hv/power8,tcg --axis dest_host=same-axis")
    matrix = Matrix(**_words(options.set, False), **axes)
    if options.explain is not None:
        cell = matrix.cell(options.explain)
        print(f"{cell}\n{cell.explain()}")
        for side in ("source", "destination"):
            print(f"{side}: qemu-system-ppc64 {' '.join(cell.to_qemu_args(side))}")
        return 0
    if options.pairwise:
        matrix = matrix.pairwise(seed=options.seed)
    if options.sample is not None:
        matrix = matrix.sample(options.sample, seed=options.seed)
    rows, cols = _table(matrix, options)
    verdicts = matrix.check()
    if not options.run:
        if options.list:
            for found in verdicts:
                why = f" ({', '.join(found.reasons)})" if found.reasons else ""
                print(f"{found.cell}: {found.verdict}{why}")
        print(verdicts.pivot(rows, cols))
        print(", ".join(f"{name}: {number}" for name, number in verdicts.counts().items()))
        if options.plot:
            _plot(verdicts.heatmap(rows, cols), options.plot)
        return 0
    results = _run(matrix if options.all else matrix.prune(verdicts), options)
    print(results.pivot(rows, cols))
    print(", ".join(f"{name}: {number}" for name, number in results.counts().items()))
    wrong = results.disagreements()
    for row in wrong:
        print(f"{matrix.cell(row.cell)}: predicted {row.predicted}, came to {row.verdict}: {row.problem}")
    print(f"{len(results)} cells in {results.seconds or 0:.1f} s, {len(wrong) or 'none'} otherwise than predicted")
    if options.junit:
        results.to_junit(options.junit)
    if options.html:
        results.to_html(options.html, rows=rows, cols=cols)
    if options.plot:
        _plot(results.heatmap(rows, cols), options.plot)
    return 1 if wrong else 0


def _table(matrix: Matrix, options: argparse.Namespace) -> tuple[list[str], list[str]]:
    names = list(matrix.names)
    rows = options.rows.split(",") if options.rows else names[:1]
    cols = options.cols.split(",") if options.cols else [name for name in names if name not in rows][:1] or rows
    return rows, cols


def _run(matrix: Matrix, options: argparse.Namespace) -> Results:
    def go(executor: Executor | None) -> Results:
        return matrix.run(executor, timeout=options.timeout, journal=options.journal, keep=options.keep, progress=not options.quiet)

    if not options.jobs:
        return go(None)
    import multiprocessing

    # Not by fork: machines have threads.
    with ProcessPoolExecutor(options.jobs, mp_context=multiprocessing.get_context("spawn")) as executor:
        return go(executor)


def _plot(ax: Any, path: str) -> None:
    ax.figure.savefig(path, bbox_inches="tight", dpi=110)
