"""Matrices carried out: every cell started, migrated and looked at, on threads, on processes, and on Dask's workers; and what is made of the rows."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import spapr
from spapr import ConfigError, Matrix
from spapr.matrix import Embedded, Results
from spapr.matrix.work import Job, run_batch

HOSTS = ["kvm-hv/power8", "kvm-hv/power8-subcores-2", "kvm-hv/power9", "kvm-hv/power9-hash", "kvm-pr", "tcg"]
OFF = {"cap_htm": "off", "cap_ail_mode_3": "off", "cap_fwnmi": "off", "cap_hpt_max_page_size": "64K"}


def small() -> Matrix:
    """Six cells of which some migrate, some are refused, and some do not start."""
    return Matrix(ruleset=["qemu-2.11", "seed"], machine="pseries-2.11", source_host=["kvm-hv/power8"], dest_host=["kvm-hv/power9", "kvm-hv/power8-subcores-2", "kvm-pr"], threads=4, max_cpu_compat="power8", **OFF)


def test_cells_come_out_as_predicted() -> None:
    rows = small().run()
    assert [(row.values["ruleset"], row.values["dest_host"].split("/")[-1], row.verdict) for row in rows] == [
        ("qemu-2.11", "power9", "refused"),
        ("qemu-2.11", "power8-subcores-2", "refused"),
        ("qemu-2.11", "kvm-pr", "destination-cannot-start"),
        ("seed", "power9", "migrates"),
        ("seed", "power8-subcores-2", "migrates-with-warning"),
        ("seed", "kvm-pr", "destination-cannot-start"),
    ]
    assert rows.disagreements() == [] and rows.failures() == []
    assert rows.disagreements(small().check()) == []
    assert rows[0].reasons == ["vsmt-differs"] and "use vsmt=8 on the destination" in rows[0].problem
    assert rows[3].downtime is not None and rows[3].total_time is not None and rows[3].consoles == {}
    assert "Failed to set KVM's VSMT mode to 8" in rows[4].problem
    assert rows.rows()[0] == {**rows[0].values, "verdict": "refused", "reasons": ["vsmt-differs"], "predicted": "refused", "downtime": None, "seconds": rows[0].seconds}
    assert rows.to_qemu_args(rows[0], "destination")[1].startswith("pseries-2.11,vsmt=4")


def test_prediction_and_reality_agree_over_a_random_matrix() -> None:
    matrix = Matrix(
        ruleset=["qemu-2.11", "seed", "qemu-2.12", "qemu-4.2"],
        machine=["pseries-2.11", "pseries-4.1", "pseries-9.2"],
        source_host=HOSTS,
        dest_host="same-axis",
        cpu=[None, "power9"],
        max_cpu_compat=[None, "power8", "power9"],
        threads=[1, 2, 4],
        vsmt=[None, 4, 8],
        source_memory=["256M", "512M"],
        dest_memory=["256M", "512M"],
        source_ic_mode=[None, "xics"],
        dest_ic_mode=[None, "xics"],
        source_cap_cfpc=["broken", "workaround"],
        dest_cap_cfpc=["broken", "workaround"],
        **OFF,
    )
    # Of each verdict some, since most random cells do not start at all.
    verdicts = matrix.sample(20_000, seed=2018).check()
    chosen = [row.cell.index for name in verdicts.NAMES for row in verdicts.where(verdict=name)[:12]]
    rows = matrix._with(matrix.cells[sorted(chosen)]).run(timeout=60)
    assert len(rows) == len(chosen) > 50
    assert set(rows.counts()) == set(verdicts.NAMES)
    assert [(row.values, row.predicted, row.verdict, row.problem) for row in rows.disagreements()] == []


@pytest.mark.parametrize("ic_mode", ["xics", "xive", "dual"])
@pytest.mark.parametrize("endian", ["be", "le"])
def test_guests_survive_in_each_interrupt_mode(ic_mode: str, endian: str) -> None:
    matrix = Matrix(machine="pseries-9.2", ic_mode=ic_mode, source_host=["kvm-hv/power9"], dest_host=["kvm-hv/power10", "kvm-hv/power9"], threads=2, max_cpu_compat="power9", **OFF)
    rows = matrix.run(payload=Embedded(endian=endian))
    assert [row.verdict for row in rows] == ["migrates", "migrates"], [row.problem for row in rows]


def test_processes_and_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        rows = small().run(executor, batch=2, on_progress=lambda done, total, row: seen.append((done, total, row.verdict)))
    assert rows.disagreements() == [] and len(rows) == 6
    assert [(done, total) for done, total, _ in seen] == [(n, 6) for n in range(1, 7)]


DASK = """
import distributed
from test_matrix_run import small

if __name__ == "__main__":
    # Two processes, no dashboard, and addresses of this machine alone.
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1") as cluster:
        with distributed.Client(cluster) as client:
            rows = small().run(client.get_executor(), batch=2)
    print(len(rows), len(rows.disagreements()), sorted({row.verdict for row in rows}))
"""


def test_dask_workers(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    # In a process of its own: what Dask leaves behind would show as warnings in some later test.
    (tmp_path / "script.py").write_text(DASK)
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    ran = subprocess.run([sys.executable, "-W", "ignore", tmp_path / "script.py"], capture_output=True, text=True, timeout=300, env=env)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "6 0 ['destination-cannot-start', 'migrates', 'migrates-with-warning', 'refused']\n"


class Recorder(Executor):
    """Runs at once, counts, and fails where it is told to."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.calls = 0
        self.fail_at = fail_at

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.calls += 1
        if self.calls == self.fail_at:
            future.set_exception(OSError("the worker is gone"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_run_goes_on_after_a_crash(tmp_path: Path) -> None:
    journal = tmp_path / "matrix.jsonl"
    first = Recorder(fail_at=3)
    broken = small().run(first, journal=journal, batch=1)
    assert [row.verdict for row in broken.failures()] == ["failed"] and "the worker is gone" in broken.failures()[0].problem
    # The crash cut the last line short, and the failed cell is to be tried again.
    lines = sorted(journal.read_text().splitlines(keepends=True), key=lambda line: int(json.loads(line)["cell"]))
    assert len(lines) == 6
    journal.write_text("".join(lines[:4]) + lines[4][:50])
    second = Recorder()
    rows = small().run(second, journal=journal, batch=1)
    assert second.calls == 3 and rows.disagreements() == [] and len(rows) == 6
    third = Recorder()
    again = small().run(third, journal=journal, batch=1)
    assert third.calls == 0 and [row.verdict for row in again] == [row.verdict for row in rows]
    # By what the cells are, not by their numbers: a larger matrix finds its old cells too.
    larger = small().where(ruleset="seed")
    assert len(larger.run(third, journal=journal, batch=1)) == 3 and third.calls == 0


def test_reports(tmp_path: Path) -> None:
    rows = small().run(keep=tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    rows.to_junit(tmp_path / "junit.xml")
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), len(suite)) == ("6", "0", 6)
    rows.to_html(tmp_path / "report.html", rows=["ruleset", "source_host"], cols="dest_host")
    page = (tmp_path / "report.html").read_text()
    assert "<svg" in page and "Otherwise than predicted: none" in page and "vsmt-differs" in page
    rows.save(tmp_path / "rows.jsonl")
    loaded = Results.load(tmp_path / "rows.jsonl")
    assert [row.to_dict() for row in loaded] == [row.to_dict() for row in rows]
    assert Matrix.diff(tmp_path / "rows.jsonl", rows) == []
    with pytest.raises(ConfigError, match="read from a file"):
        loaded.pivot("ruleset", "dest_host")
    assert "6 cells" in repr(rows) and rows.pivot("ruleset", "dest_host").counts.sum() == 6
    assert len(rows.where(ruleset="seed", verdict="migrates")) == 1


def test_what_comes_out_otherwise_is_kept_and_told(tmp_path: Path) -> None:
    class Lost(Embedded):
        """A guest that says that it lost something."""

        def after(self, vm: spapr.Machine, known: Any, timeout: float) -> None:
            """Says so."""
            super().after(vm, {**known, "tb": known["tb"] + 10**15}, timeout)

    rows = small().where(ruleset="seed").run(payload=Lost(), keep=tmp_path, journal=tmp_path / "new.jsonl")
    assert [row.verdict for row in rows] == ["failed", "failed", "destination-cannot-start"]
    assert [row.cell for row in rows.disagreements()] == [row.cell for row in rows.failures()] == [3, 4]
    assert "the timebase went back" in rows[0].problem and "threads up=8" in rows[0].consoles["source"]
    (folder,) = tmp_path.glob("3-*")
    assert {path.name for path in folder.iterdir()} >= {"row.json", "predicted.txt", "source-config.py", "destination-qemu.txt", "source-console.txt", "destination-console.txt"}
    assert json.loads((folder / "row.json").read_text())["verdict"] == "failed"
    rows.to_junit(tmp_path / "junit.xml")
    assert ElementTree.parse(tmp_path / "junit.xml").getroot()[0].get("failures") == "2"
    rows.to_html(tmp_path / "report.html")
    assert "the timebase went back" in (tmp_path / "report.html").read_text()


def test_runs_are_compared_by_cell() -> None:
    rows = small().run()
    changed = Results([rows[0], *[spapr.matrix.Row(**{**row.to_dict(), "verdict": "failed"}) for row in rows[1:2]], *rows[2:5]])
    assert [(d.old, d.new) for d in Matrix.diff(rows, changed)] == [("refused", "failed"), ("destination-cannot-start", None)]
    assert "refused -> failed" in str(Matrix.diff(rows, changed)[0])


def test_a_cell_that_hangs_ends_with_its_time() -> None:
    class Hung(Embedded):
        """A guest that never says what is waited for."""

        def before(self, vm: spapr.Machine, timeout: float) -> dict[str, Any]:
            """Waits for ever."""
            vm.console.expect("never said", timeout=timeout)
            return {}

    cell = small()[3]
    (row,) = run_batch((Job(cell.index, cell.source, cell.destination),), Hung(), 0.5)
    assert row["verdict"] == "failed" and "ConsoleTimeout" in row["problem"] and "ready" in row["consoles"]["source"]
