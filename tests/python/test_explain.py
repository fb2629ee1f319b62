"""`spapr.explain` against rows of the golden table (the engine's own tests ask every row)."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest

import spapr

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "vsmt"


def rows(name: str) -> list[dict[str, str]]:
    with (GOLDEN / name).open(newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def number(text: str) -> int | None:
    return int(text) if text and text != "None" else None


@pytest.mark.parametrize("start", range(10))
def test_rows_of_the_golden_table(start: int) -> None:
    some = rows("cells.csv")[start::10]
    assert len(some) > 300
    for row in some:
        answer = spapr.explain(
            ruleset=row["ruleset"],
            machine=row["machine"],
            host=row["host"],
            threads=int(row["threads"]),
            vsmt=number(row["user_vsmt"]),
            cpus=number(row["cpus"]),
            max_cpus=number(row["max_cpus"]),
            ic_mode=row["ic_mode"] or None,
            cpu=row["cpu"] or None,
        )
        assert answer.qemu_outcome == row["outcome"], row
        assert answer.outcome == row["outcome"].replace("aborts", "fatal"), row
        assert (answer.vsmt, answer.max_server_number) == (number(row["vsmt"]), number(row["max_server_number"])), row
        assert " ".join(map(str, answer.vcpu_ids)) == row["vcpu_ids"], row
        assert answer.message == row["message"], row
        assert answer.hint or answer.outcome == "starts", row


def test_what_an_answer_is() -> None:
    answer = spapr.explain(ruleset="qemu-2.11", machine="pseries-2.11", host="kvm-hv/power8", threads=4)
    assert answer.vcpu_ids.dtype == np.uint32
    assert answer.vcpu_ids.tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
    assert answer.starts
    assert "vsmt=8 (default: max(host,threads))" in str(answer)
    again = pickle.loads(pickle.dumps(answer))
    assert again == answer
    assert hash(again) == hash(answer)
    assert answer != spapr.explain(ruleset="qemu-2.11", machine="pseries-2.11", host="kvm-hv/power9", threads=4)


@pytest.mark.parametrize(
    ("question", "setting"),
    [
        ({"machine": "pseries-9.9"}, "machine"),
        ({"host": "vmware"}, "host"),
        ({"ruleset": "qemu"}, "ruleset"),
        ({"threads": 0}, "threads"),
        ({"threads": -1}, "threads"),
        ({"vsmt": -1}, "vsmt"),
        ({"vsmt": 1 << 40}, "vsmt"),
        ({"cpus": 1 << 40}, "cpus"),
        ({"cpus": 8, "max_cpus": 4}, "max_cpus"),
        ({"cpu": "power88"}, "cpu"),
        ({"ic_mode": "apic"}, "ic_mode"),
    ],
)
def test_unknown_names_are_errors(question: dict[str, object], setting: str) -> None:
    with pytest.raises(spapr.ConfigError) as refused:
        spapr.explain(**question)  # type: ignore[arg-type]
    assert refused.value.setting == setting
    assert refused.value.hint
