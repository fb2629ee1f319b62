"""Matrices: what they are made of, what is predicted of their cells, and how it is shown."""

from __future__ import annotations

import pickle
import random
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest

import spapr
from spapr import ConfigError, Matrix
from spapr.matrix import Pivot, Verdicts

HOSTS = ["kvm-hv/power8", "kvm-hv/power9", "kvm-hv/power9-2018", "kvm-pr", "tcg"]


def small() -> Matrix:
    """The pairs of the patch: what 2.11, the patch and 2.12 made of them."""
    return Matrix(
        ruleset=["qemu-2.11", "seed", "qemu-2.12"],
        machine="pseries-2.11",
        max_cpu_compat="power8",
        cap_htm="off",
        cap_ail_mode_3="off",
        cap_hpt_max_page_size="64K",
        source_host=HOSTS,
        dest_host="same-axis",
        threads=[1, 4],
        vsmt=[None, 1, 8],
    )


def test_a_matrix_is_a_product() -> None:
    matrix = small()
    assert (len(matrix), matrix.names) == (3 * 5 * 5 * 2 * 3, ("ruleset", "source_host", "dest_host", "threads", "vsmt"))
    cell = matrix[-1]
    assert cell.values == {"ruleset": "qemu-2.12", "source_host": "tcg", "dest_host": "tcg", "threads": 4, "vsmt": 8}
    assert (cell.source.host, cell.source.vsmt, cell.source.smp, cell.source.caps["htm"]) == ("tcg", 8, spapr.Smp(cores=2, threads=4), "off")
    assert [matrix.cell(index).index for index in (0, 7)] == [0, 7]
    assert matrix[0].to_qemu_args()[1].startswith("pseries-2.11,vsmt=8,max-cpu-compat=power8")
    again = pickle.loads(pickle.dumps(matrix.where(threads=4)))
    assert (len(again), again[0].values) == (225, matrix.where(threads=4)[0].values)


def test_predicates_are_asked_once_for_each_combination_that_they_look_at() -> None:
    asked = []

    def fits(cell: spapr.matrix.CellView) -> bool:
        asked.append(cell)
        return cell.vsmt is None or cell.vsmt >= cell.threads

    kept = small().where(fits)
    # Nothing known; the three values of vsmt; for two of them both values of threads.
    assert len(asked) == 1 + 3 + 4
    assert len(kept) == 450 - 75 and all(cell.values["vsmt"] is None or cell.values["vsmt"] >= cell.values["threads"] for cell in kept)
    assert len(small().where(source_host=["tcg", "kvm-pr"], threads=1)) == 3 * 2 * 5 * 3
    assert len(small().where(lambda c: c.machine == "pseries-2.11" and c.source_host != c.dest_host)) == 360
    with pytest.raises(ConfigError, match="there is no axis 'sourcehost'"):
        small().where(lambda c: c.sourcehost == "tcg")


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ({"tread": [1]}, "did you mean"),
        ({"threads": []}, "the axis has no values"),
        ({"dest_host": "same-axis"}, "needs the other side's axis"),
        ({"cap_hmt": ["on"]}, None),
        ({"vsmt": ["eight"]}, "not a whole number"),
        ({"kernel": ["vmlinux"]}, "there is no axis"),
        ({name: list(range(1, 1000)) for name in ("threads", "cores", "sockets", "cpus", "maxcpus")}, "too many"),
    ],
)
def test_what_is_no_axis_is_refused(axes: dict[str, object], says: str | None) -> None:
    if says is None:
        # An unknown capability is for the engine to refuse, in each cell.
        (row,) = Matrix(**axes).check()
        assert row.verdict == "source-cannot-start" and "did you mean htm?" in str(row.explain())
        return
    with pytest.raises(ConfigError, match=says):
        Matrix(**axes)


def test_numbers_and_words_agree() -> None:
    verdicts = small().check()
    assert len(verdicts) == 450 and sum(verdicts.counts().values()) == 450
    for row in random.Random(0).sample(list(verdicts), 100):
        said = row.explain()
        assert (said.verdict, sorted(said.codes)) == (row.verdict, sorted(row.reasons)), row.cell
        assert said.codes[:1] == row.reasons[:1]


def test_the_patch_makes_hosts_line_up() -> None:
    verdicts = small().check()

    def of(ruleset: str, source: str, dest: str, threads: int = 4) -> str:
        (row,) = verdicts.where(ruleset=ruleset, source_host=source, dest_host=dest, threads=threads, vsmt=None)
        return str(row.verdict)

    assert of("qemu-2.11", "kvm-hv/power8", "kvm-hv/power9-2018") == "refused"
    assert of("seed", "kvm-hv/power8", "kvm-hv/power9-2018") == of("seed", "kvm-hv/power9", "kvm-hv/power8") == "migrates"
    assert of("seed", "kvm-hv/power8", "kvm-pr", 1) == "migrates-with-warning"
    failed = verdicts.where(ruleset="qemu-2.11", threads=4, vsmt=None).first_failure()
    assert failed is not None and failed.reasons == ("vsmt-differs",) and "vsmt=8 on the destination" in str(failed)
    assert verdicts.where(verdict="migrates").first_failure() is None


def test_rows_and_tables() -> None:
    verdicts = small().where(vsmt=None, threads=4).check()
    rows = verdicts.rows()
    assert rows[0] == {
        "ruleset": "qemu-2.11", "source_host": "kvm-hv/power8", "dest_host": "kvm-hv/power8", "threads": 4, "vsmt": None, "verdict": "migrates", "reasons": [],
    }  # fmt: skip
    assert verdicts.data.dtype.names == ("cell", "verdict", "reason", "codes")
    assert list(verdicts.verdict[:2]) == ["migrates", "refused"] and list(verdicts.reason[:2]) == ["", "vsmt-differs"]
    assert verdicts.reasons()["vsmt-differs"] == sum("vsmt-differs" in row["reasons"] for row in rows)
    table = verdicts.pivot(rows=["ruleset", "source_host"], cols="dest_host")
    assert isinstance(table, Pivot) and table.counts.sum() == len(verdicts) and table.counts.shape == (15, 5, len(Verdicts.NAMES))
    assert table.worst()[0][:2] == ["migrates", "refused"]
    assert "seed / kvm-hv/power9" in str(table)
    ElementTree.fromstring(table.to_svg())
    assert table._repr_mimebundle_()["text/plain"] == str(table)
    assert isinstance(verdicts[2:4], Verdicts) and len(verdicts[2:4]) == 2
    assert "refused" in verdicts._repr_mimebundle_()["text/html"] and "75 cells" in repr(verdicts)


def test_smaller_matrices() -> None:
    matrix = small().where(lambda c: c.vsmt is None or c.vsmt >= c.threads)
    verdicts = matrix.check()
    pruned = matrix.prune(verdicts)
    assert 0 < len(pruned) < len(matrix)
    assert set(pruned.check().verdict) <= {"migrates", "migrates-with-warning", "refused"}
    few = matrix.pairwise(seed=1)
    assert len(few) < len(matrix) / 4
    names = matrix.names
    for a, b in combinations(names, 2):
        pairs = {tuple(pair) for pair in np.stack([matrix.digits(a), matrix.digits(b)], axis=1).tolist()}
        assert pairs == {tuple(pair) for pair in np.stack([few.digits(a), few.digits(b)], axis=1).tolist()}, (a, b)
    assert list(few.cells) == list(matrix.pairwise(seed=1).cells)
    assert len(matrix.sample(20)) == 20 and set(matrix.sample(20).cells) <= set(matrix.cells)


def test_pandas_and_matplotlib() -> None:
    pandas = pytest.importorskip("pandas")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    verdicts = small().check()
    frame = verdicts.to_pandas()
    assert len(frame) == 450 and frame["verdict"].value_counts()["refused"] == verdicts.counts()["refused"]
    assert pandas.isna(frame["vsmt"][0]) and frame["vsmt"][1] == 1
    wide = verdicts.pivot("source_host", ["dest_host", "threads"]).to_pandas()
    assert wide.shape == (5, 10)
    axes = verdicts.heatmap("source_host", ["ruleset", "dest_host"])
    assert [text.get_text() for text in axes.get_yticklabels()] == HOSTS
    matplotlib.pyplot.close(axes.figure)
