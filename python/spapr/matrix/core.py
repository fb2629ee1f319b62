"""`Matrix`: a product of axes, the cells of it that are wanted, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spapr import _spapr
from spapr.config import MachineConfig, unknown
from spapr.errors import ConfigError
from spapr.matrix.axes import Axis, Base, Cell, CellView, apply, decide, read_axes
from spapr.matrix.pairs import covering
from spapr.matrix.payload import Payload
from spapr.matrix.results import Results, Row
from spapr.matrix.verdicts import DTYPE, Verdicts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Matrix"]


class Matrix:
    """Every combination of the axes' values, source and destination.

    A keyword names a setting (`machine`, `cpu`, `vsmt`, `ruleset`, `host`, …), a part of the topology (`threads`, `cores`, `sockets`, `cpus`, `maxcpus`)
    or a capability (`cap_htm`), for both sides, or for one with `source_` or `dest_` before it. A list is an axis, anything else a fixed value;
    `"same-axis"` takes the other side's values. What is not named comes from `config`; without one, two cores and 256 MiB.

    A matrix does not change: `where`, `prune`, `pairwise`, `sample` give smaller ones.
    """

    def __init__(self, config: MachineConfig | None = None, /, **axes: Any) -> None:
        base, found = read_axes(config, axes)
        fixed = {name: value for name, value in axes.items() if name not in {axis.name for axis in found}}
        self._set(base, found, fixed, None)

    def _set(self, base: Base, axes: tuple[Axis, ...], fixed: dict[str, Any], cells: NDArray[np.int64] | None) -> None:
        self.base = base
        self.axes: tuple[Axis, ...] = axes
        """The axes, the last the fastest."""
        self.fixed: dict[str, Any] = fixed
        """What was given and does not vary."""
        self._engine = _spapr.Matrix(base.source, base.destination, [axis.engine() for axis in axes])
        self._cells = cells
        self._strides = np.cumprod([1, *[len(axis.values) for axis in reversed(axes)]], dtype=np.int64)[:-1][::-1]

    def _with(self, cells: NDArray[np.int64]) -> Matrix:
        other = object.__new__(Matrix)
        other._set(self.base, self.axes, self.fixed, cells)
        return other

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.base, self.axes, self.fixed, self._cells)

    # --- what it is ---

    @property
    def names(self) -> tuple[str, ...]:
        """The axes' names."""
        return tuple(axis.name for axis in self.axes)

    @property
    def cells(self) -> NDArray[np.int64]:
        """The numbers of the cells."""
        return np.arange(self._engine.cells, dtype=np.int64) if self._cells is None else self._cells

    def __len__(self) -> int:
        return self._engine.cells if self._cells is None else len(self._cells)

    def __iter__(self) -> Iterator[Cell]:
        return (self.cell(int(index)) for index in self.cells)

    def __getitem__(self, position: int) -> Cell:
        return self.cell(int(self.cells[position]))

    def axis(self, name: str) -> Axis:
        """The axis of that name."""
        for axis in self.axes:
            if axis.name == name.replace("destination_", "dest_"):
                return axis
        raise unknown("axis", name, self.names)

    def digits(self, name: str, cells: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """For each cell, which value of an axis it has."""
        axis = self.axis(name)
        at = self.axes.index(axis)
        return np.asarray((self.cells if cells is None else cells) // self._strides[at] % len(axis.values))

    def values(self, index: int) -> dict[str, Any]:
        """The axes' values of a cell."""
        return {axis.name: axis.values[index // int(stride) % len(axis.values)] for axis, stride in zip(self.axes, self._strides, strict=True)}

    def cell(self, index: int) -> Cell:
        """A cell by its number."""
        if not 0 <= index < self._engine.cells:
            raise ConfigError("cell", f"there is no cell {index}", f"use 0 to {self._engine.cells - 1}")
        values = self.values(index)
        source, destination = self.base.source, self.base.destination
        for axis in self.axes:
            if axis.scope in ("both", "source"):
                source = apply(source, axis.setting, values[axis.name])
            if axis.scope in ("both", "destination"):
                destination = apply(destination, axis.setting, values[axis.name])
        return Cell(index, values, source, destination)

    def __repr__(self) -> str:
        shape = " x ".join(f"{axis.name} {len(axis.values)}" for axis in self.axes)
        return f"<spapr.Matrix of {len(self)} cells: {shape}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from spapr import jupyter

        return jupyter.matrix(self)

    # --- smaller ones ---

    def where(self, predicate: Callable[[CellView], object] | None = None, /, **equal: Any) -> Matrix:
        """Only the cells for which `predicate(cell)` is true, and whose axes have the given values (one, or any of a list).

        The predicate sees the axes as attributes (`cell.vsmt`) and is called once for each combination of those that it looks at.
        """
        keep = np.ones(len(self), dtype=bool)
        for name, wanted in equal.items():
            keep &= self._equals(name, wanted)
        if predicate is not None:
            keep &= self._holds(predicate)
        return self._with(self.cells[keep])

    def _equals(self, name: str, wanted: Any) -> NDArray[np.bool_]:
        several = wanted if isinstance(wanted, list | tuple | set | frozenset | range) else [wanted]
        if name in self.fixed:
            return np.full(len(self), self.fixed[name] in several)
        axis = self.axis(name)
        return np.isin(self.digits(name), [at for at, value in enumerate(axis.values) if value in several])

    def _holds(self, predicate: Callable[[CellView], object]) -> NDArray[np.bool_]:
        keep = np.zeros(len(self), dtype=bool)
        digits: dict[str, NDArray[np.int64]] = {}
        for chosen, holds in decide(self.axes, self.fixed, predicate):
            if not holds:
                continue
            these = np.ones(len(self), dtype=bool)
            for name, at in chosen.items():
                if name not in digits:
                    digits[name] = self.digits(name)
                these &= digits[name] == at
            keep |= these
        return keep

    def prune(self, verdicts: Verdicts | None = None) -> Matrix:
        """Only the cells in which both sides start: of the others nothing is left to be tried out."""
        found = self.check() if verdicts is None else verdicts
        runs = ~np.isin(found.data["verdict"], [Verdicts.NAMES.index(name) for name in ("source-cannot-start", "destination-cannot-start")])
        return self._with(np.intersect1d(self.cells, found.data["cell"][runs]))

    def pairwise(self, *, seed: int = 0) -> Matrix:
        """A few of the cells in which every two values of two axes that occur together at all still do."""
        return self._with(self.cells[covering([self.digits(name) for name in self.names], np.random.default_rng(seed))])

    def sample(self, count: int, *, seed: int = 0) -> Matrix:
        """So many of the cells at random, in their order."""
        chosen = np.random.default_rng(seed).choice(len(self), size=min(count, len(self)), replace=False)
        return self._with(self.cells[np.sort(chosen)])

    # --- answers ---

    def check(self) -> Verdicts:
        """What comes of every cell, without starting anything."""
        cells = self.cells
        verdict, reason, codes = self._engine.check(cells)
        data = np.zeros(len(cells), dtype=DTYPE)
        data["cell"], data["verdict"], data["reason"], data["codes"] = cells, verdict, reason, codes
        return Verdicts(self, data)

    def run(
        self,
        executor: Executor | None = None,
        *,
        payload: Payload | None = None,
        timeout: float = 30.0,
        journal: str | Path | None = None,
        keep: str | Path | None = None,
        batch: int | None = None,
        progress: bool = False,
        on_progress: Callable[[int, int, Row], object] | None = None,
    ) -> Results:
        """Starts the source of every cell, runs the guest, migrates it to the destination and looks at it there.

        `executor`: any `concurrent.futures.Executor`, here or on other hosts; None: threads. `payload`: the guest (the embedded one, or a
        `spapr.matrix.Kernel`). `timeout`: seconds that one cell may take. `journal`: a file to which each finished cell is written at once; started
        again with the same file, `run` does the rest. `keep`: a folder for the consoles and configurations of cells that failed or came out otherwise than
        predicted. `batch`: cells for each task. `progress`: a bar on standard error; `on_progress(done, all, row)` is called for each cell.
        """
        from spapr.matrix.execute import execute

        return execute(
            self,
            executor,
            payload=payload,
            timeout=timeout,
            journal=None if journal is None else Path(journal),
            keep=None if keep is None else Path(keep),
            batch=batch,
            progress=progress,
            on_progress=on_progress,
        )

    @staticmethod
    def diff(old: Results | str | Path, new: Results | str | Path) -> Any:
        """What came out otherwise in a second run (`Results`, or their journals): a list of `Difference`."""
        first, second = (one if isinstance(one, Results) else Results.load(one) for one in (old, new))
        return first.diff(second)

    def describe(self) -> Mapping[str, Any]:
        """The axes with their values, and what is fixed."""
        return {"axes": {axis.name: list(axis.values) for axis in self.axes}, "fixed": dict(self.fixed), "cells": len(self)}


def _rebuild(base: Base, axes: tuple[Axis, ...], fixed: dict[str, Any], cells: Any) -> Matrix:
    other = object.__new__(Matrix)
    other._set(base, axes, fixed, cells)
    return other


