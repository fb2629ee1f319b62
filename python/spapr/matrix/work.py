"""One cell, carried out: a source is started, its guest runs, moves, and is looked at where it arrived.

`run_batch` is a top-level function of picklable arguments, so that any executor, in this process or on another host, can call it.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spapr.config import MachineConfig, listen_to_warnings
from spapr.errors import MigrationIncompatible, SpaprError
from spapr.machine import Machine
from spapr.matrix.payload import Payload, Wrong
from spapr.verdict import check

__all__ = ["Job", "run_batch"]

TAIL = 4000
"""Characters of a console that a failed cell keeps."""


@dataclass(frozen=True)
class Job:
    """A cell to be carried out."""

    index: int
    """Its number."""
    source: MachineConfig
    """The source."""
    destination: MachineConfig
    """The destination."""


def run_batch(jobs: tuple[Job, ...], payload: Payload, timeout: float) -> list[dict[str, Any]]:
    """Carries some cells out, one after the other; a plain dictionary for each."""
    return [_run(job, payload, timeout) for job in jobs]


def _run(job: Job, payload: Payload, timeout: float) -> dict[str, Any]:
    begin = time.monotonic()
    predicted = check(job.source, job.destination)
    row: dict[str, Any] = {
        "cell": job.index,
        "predicted": predicted.verdict,
        "predicted_reasons": list(predicted.codes),
        "verdict": "failed",
        "reasons": [],
        "problem": "",
        "downtime": None,
        "total_time": None,
        "host": platform.node(),
        "consoles": {},
    }
    # Warnings are part of the verdict, and would be the whole process's if they were left to Python.
    with listen_to_warnings() as heard:
        _carry_out(job, payload, begin + timeout, row, heard)
    row["seconds"] = time.monotonic() - begin
    return row


def _carry_out(job: Job, payload: Payload, deadline: float, row: dict[str, Any], heard: list[str]) -> None:
    """Fills in `row`."""
    settings: Mapping[str, Any] = payload.settings()
    machines: dict[str, Machine] = {}
    try:
        try:
            machines["source"] = source = Machine(job.source, **settings)
        except SpaprError as error:
            row.update(verdict="source-cannot-start", reasons=["source-cannot-start"], problem=str(error))
            return
        try:
            machines["destination"] = destination = Machine(job.destination.replace(**settings), incoming=True)
        except SpaprError as error:
            row.update(verdict="destination-cannot-start", reasons=["destination-cannot-start"], problem=str(error))
            return
        _move(source, destination, payload, deadline, row, heard)
    finally:
        if row["verdict"] == "failed" or row["verdict"] != row["predicted"]:
            row["consoles"] = {side: vm.console.log[-TAIL:] if vm.consoles else "" for side, vm in machines.items()}
        for vm in machines.values():
            vm.close()


def _left(deadline: float) -> float:
    return max(0.001, deadline - time.monotonic())


def _move(source: Machine, destination: Machine, payload: Payload, deadline: float, row: dict[str, Any], heard: list[str]) -> None:
    stage = "start"
    try:
        source.start()
        known = payload.before(source, _left(deadline))
        stage = "migration"
        info = source.migrate(destination, timeout=_left(deadline))
        heard += info.warnings
        row.update(downtime=info.downtime, total_time=info.total_time)
        stage = "arrival"
        payload.after(destination, known, _left(deadline))
    except MigrationIncompatible as refused:
        # A refusal must leave the guest whole where it was.
        stage = "refusal"
        reasons = [reason.code for reason in refused.reasons]
        try:
            _still_there(source, payload, _left(deadline))
        except (SpaprError, Wrong) as lost:
            row.update(problem=f"after the refusal ({', '.join(reasons)}) the source is not whole: {lost}")
            return
        row.update(verdict="refused", reasons=reasons, problem=str(refused))
    except (SpaprError, Wrong) as error:
        row.update(problem=f"{stage}: {type(error).__name__}: {error}")
    else:
        row.update(verdict="migrates-with-warning" if heard else "migrates", problem="; ".join(heard))


def _still_there(source: Machine, payload: Payload, timeout: float) -> None:
    if source.status != "running":
        raise Wrong(f"it is {source.status}")
    payload.still_there(source, timeout)
