"""Draws the matrix of the README, `docs/images/matrix.svg`: what each release's default vsmt meant for moves between hosts."""

from __future__ import annotations

from pathlib import Path

from spapr import Matrix

HOSTS = ["kvm-hv/power7", "kvm-hv/power8", "kvm-hv/power8-old-kernel", "kvm-hv/power9-2018", "kvm-hv/power9", "kvm-pr", "tcg-7.2"]


def main() -> None:
    """Draws it."""
    matrix = Matrix(
        ruleset=["qemu-2.10", "qemu-2.11", "seed", "qemu-2.12"],
        machine="pseries-2.10",
        source_host="kvm-hv/power8",
        dest_host=HOSTS,
        threads=[1, 2, 4, 8],
        max_cpu_compat="power7",
        cap_htm="off",
        cap_fwnmi="off",
        cap_ail_mode_3="off",
        cap_hpt_max_page_size="64K",
    )
    verdicts = matrix.check()
    path = Path(__file__).parents[1] / "docs" / "images" / "matrix.svg"
    path.write_text(verdicts.pivot(rows="dest_host", cols=["ruleset", "threads"]).to_svg() + "\n")
    print(f"{path}: {path.stat().st_size} bytes; {verdicts.counts()}")


main()
