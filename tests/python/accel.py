"""The accelerators that guests are run with: every one that there is, the interpreter first."""

from __future__ import annotations

import spapr


def accelerators() -> list[str]:
    """Names for `Machine(accel=…)` that run here without a host processor of the guest's kind."""
    found = []
    for name in ("interp", "tcg"):
        try:
            spapr.Machine(accel=name, memory="256M").close()
        except spapr.AccelUnavailable:
            continue
        found.append(name)
    return found
