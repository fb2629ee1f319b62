"""`python -m spapr matrix`."""

from __future__ import annotations

from pathlib import Path

import pytest

from spapr.cli import EXIT_REFUSED, main

AXES = ["--set", "machine=pseries-2.11", "--set", "cap_htm=off", "--set", "max_cpu_compat=power8", "--set", "cap_ail_mode_3=off", "--set", "cap_hpt_max_page_size=64K"]
AXES += ["--axis", "ruleset=qemu-2.11,seed", "--axis", "source_host=kvm-hv/power8", "--axis", "dest_host=kvm-hv/power9,kvm-hv/power8", "--axis", "threads=4", "--axis", "vsmt=none,8"]


def test_a_matrix_is_predicted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", *AXES, "--rows", "ruleset,vsmt", "--cols", "dest_host", "--list"]) == 0
    said = capsys.readouterr().out
    assert "cell 0: ruleset=qemu-2.11, source_host=kvm-hv/power8, dest_host=kvm-hv/power9, threads=4, vsmt=None: refused (vsmt-differs)" in said
    assert "migrates: 7, migrates-with-warning: 0, refused: 1" in said and "qemu-2.11 / –" in said


def test_a_cell_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", *AXES, "--explain", "0"]) == 0
    said = capsys.readouterr().out
    assert "remedy: vsmt=8 on the destination" in said and "destination: qemu-system-ppc64 -machine pseries-2.11,vsmt=4" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "there is no axis"),
        (["--axis", "thread=1"], "did you mean threads?"),
        (["--axis", "threads"], "has no value"),
        (["--axis", "threads=one"], "not a whole number"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", *words]) == EXIT_REFUSED
    assert says in capsys.readouterr().err


def test_a_matrix_is_carried_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--junit", str(tmp_path / "junit.xml"), "--html", str(tmp_path / "report.html"), "--journal", str(tmp_path / "rows.jsonl")]
    assert main(["matrix", *AXES, "--run", "--quiet", *files]) == 0
    assert "8 cells in" in (said := capsys.readouterr().out) and "none otherwise than predicted" in said
    assert all((tmp_path / name).stat().st_size for name in ("junit.xml", "report.html", "rows.jsonl"))
    assert main(["matrix", "--diff", str(tmp_path / "rows.jsonl"), str(tmp_path / "rows.jsonl")]) == 0
    assert "no cells differ" in capsys.readouterr().out
    assert main(["matrix", *AXES, "--run", "--journal", str(tmp_path / "rows.jsonl")]) == 0
    assert capsys.readouterr().err == "\n"


def test_the_patch_case_by_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "--seed-patch"]) == 0
    said = capsys.readouterr().out
    assert "KVM HV on POWER8" in said and "default: 8 (0 1 2 3 8 9 10 11) -> 8 (0 1 2 3 8 9 10 11): unchanged" in said
    assert "default: 4 (0 1 2 3 4 5 6 7) -> 8 (0 1 2 3 8 9 10 11): changed" in said
    assert said.count("predicted: refused, run: refused") == 5 and said.count("predicted: migrates, run: migrates") == 6
    assert said.endswith("Everything came out as predicted.\n")
