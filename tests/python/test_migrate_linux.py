"""Linux with four vcpus, which checks its own memory and clocks and that every cpu ticks, moves between kinds of machines many times in a row.

`SPAPR_MOVES=100` moves it as often in each mode; the default is a short number.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from mover import Mover, initrd

MOVES = int(os.environ.get("SPAPR_MOVES", "10"))

POWER8_LIKE = {"host": "kvm-hv/power8", "cpu": "power8", "max_cpu_compat": "power8"}
POWER9_LIKE = {"host": "kvm-hv/power9", "cpu": "power9", "max_cpu_compat": "power8"}
POWER10_LIKE = {"host": "kvm-hv/power10", "cpu": "power10", "max_cpu_compat": "power9"}
POWER9_AS_9 = {"host": "kvm-hv/power9", "cpu": "power9", "max_cpu_compat": "power9"}

MODES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "xics": (POWER8_LIKE | {"ic_mode": "xics"}, POWER9_LIKE | {"ic_mode": "xics"}),
    "dual": (POWER8_LIKE | {"ic_mode": "dual"}, POWER9_LIKE | {"ic_mode": "dual"}),
    # XIVE is ISA 3.0's: a guest on it can't be on a POWER8.
    "xive": (POWER9_AS_9 | {"ic_mode": "xive"}, POWER10_LIKE | {"ic_mode": "xive"}),
    "dual-as-power9": (POWER9_AS_9 | {"ic_mode": "dual"}, POWER10_LIKE | {"ic_mode": "dual"}),
}


@pytest.mark.linux
@pytest.mark.parametrize("mode", MODES)
def test_survives_many_moves(tmp_path: Path, mode: str) -> None:
    both = [kind | {"smp": 4} for kind in MODES[mode]]
    guest = Mover(initrd(tmp_path), **both[0])
    try:
        for n in range(MOVES):
            guest.move(**both[(n + 1) % 2])
        assert guest.moves == MOVES
        assert guest.complaints() == []
    finally:
        guest.vm.close()
